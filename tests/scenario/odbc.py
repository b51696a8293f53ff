#!/usr/bin/env python3
"""A database behind an ODBC driver as a source, as somebody uses it: SQLite's driver over a file, and
PostgreSQL's over a server."""
import os
import pathlib
import sqlite3

import tap
from project import Project
from servers import Postgres

CONFIG = """\
version: 1
connections:
  erp: {erp}
  lake: {{ type: local, path: lake }}
  website: {{ type: sqlite, path: website.db }}
pipelines:
  export-orders:
    from: erp:sales_order
    read: {{ cursor: updated_at, timezone: UTC, overlap: 1m }}
    columns:
      OrderNumber: order_number
      Note: note
      UpdatedAt: updated_at
    to: lake:inbound/orders-{{run}}.parquet
  import-orders:
    when: new
    from: lake:inbound/**/*.parquet
    columns: all
    to: website:orders
    write: {{ mode: upsert, key: OrderNumber, newest_by: UpdatedAt }}
"""

ROWS = [(f"SO{i:05}", "Größe 😀" if i % 2 else "", f"2026-11-{i % 20 + 1:02} 08:00:00") for i in range(300)]


def driver(name):
    listed = pathlib.Path("/etc/odbcinst.ini")
    if not listed.exists() or f"[{name}]" not in listed.read_text():
        raise tap.Skip(f"the ODBC driver '{name}' is not installed")


def runs(result):
    return {line["pipeline"]: line for line in result.lines() if "pipeline" in line}


def cross(project, change):
    first = runs(project.wherry("run", "--json"))
    tap.equal((first["export-orders"]["rows_read"], first["import-orders"]["rows_written"]), (300, 300))
    website = sqlite3.connect(project.folder / "website.db")
    tap.equal(website.execute("SELECT OrderNumber, Note FROM orders ORDER BY 1").fetchall(),
              [row[:2] for row in ROWS])
    change("UPDATE sales_order SET note = 'new', updated_at = '2026-11-21 08:00:00' WHERE order_number < 'SO00007'")
    second = runs(project.wherry("run", "--json"))
    tap.equal(second["import-orders"]["rows_written"], 7)
    tap.equal(second["export-orders"]["rows_read"] < 300, True)
    tap.equal(website.execute("SELECT count(*) FROM orders WHERE Note = 'new'").fetchone(), (7,))
    project.wherry("verify")


def test_sqlite_driver_crosses_a_lake():
    driver("SQLite3")
    file = tap.folder() / "erp.db"
    p = Project(config=CONFIG.format(erp="{ type: odbc, driver: SQLite3, database: %s, options: [StepAPI=1] }" % file))
    erp = sqlite3.connect(file, isolation_level=None)
    erp.execute("CREATE TABLE sales_order (order_number VARCHAR(20) NOT NULL PRIMARY KEY, note TEXT, updated_at TIMESTAMP)")
    erp.executemany("INSERT INTO sales_order VALUES (?, ?, ?)", ROWS)
    cross(p, erp.execute)


def test_postgresql_driver_crosses_a_lake():
    driver("PostgreSQL Unicode")
    server = Postgres()
    os.environ["PG_PASSWORD"] = Postgres.PASSWORD
    words = ('{ type: odbc, driver: PostgreSQL Unicode, host: %s, port: %d, database: %s, user: %s, '
             'password: "${PG_PASSWORD}", options: [UseDeclareFetch=1] }'
             % (server.host, server.port, server.database, server.USER))
    p = Project(config=CONFIG.format(erp=words))
    server.sql("CREATE TABLE sales_order (order_number varchar(20) PRIMARY KEY, note text, updated_at timestamp)")
    server.sql("INSERT INTO sales_order VALUES " + ", ".join(f"('{k}', '{n}', '{t}')" for k, n, t in ROWS))
    cross(p, server.sql)
    found = p.wherry("check", "--connect")
    tap.contains(found.out, "1 table or view, PostgreSQL")
    os.environ["PG_PASSWORD"] = "wrong"
    found = p.wherry("check", "--connect", code=None)
    tap.equal(found.code != 0, True)
    tap.contains(found.out + found.err, "the database refuses the user 'wherry'. Check `user` and `password`")


if __name__ == "__main__":
    tap.run()
