#!/usr/bin/env python3
"""The connection to a database is lost at every statement of a load: before it is sent, or when it was
carried out and the answer does not come back. The load is then done once more, or known to be done;
nothing is lost and nothing is doubled."""
import os
import random

import tap
from cutter import Cutter
from project import Project

CONFIG = """\
version: 1
connections:
  lake: {{ type: local, path: lake }}
  shop: {words}
pipelines:
  load:
    from: lake:in/*.ndjson
    columns: all
    to: shop:orders
    write: {{ mode: {mode}{key} }}
"""
KEYS = {"append": "", "upsert": ", key: id, newest_by: at", "replace": ", key: id"}
ROWS = 300


class Postgres:
    name, types = "PostgreSQL", ("bigint", "varchar(20)", "timestamptz")

    def __init__(self):
        import servers
        self.server = servers.Postgres()
        self.line = Cutter(self.server.port)
        self.words = self.server.words().replace(str(self.server.port), str(self.line.port))
        self.env = dict(self.server.env(), PG_PASSWORD=self.server.PASSWORD)
        self.sql = self.server.sql

    def ids(self):
        return sorted(int(line) for line in self.sql("SELECT id FROM orders").split())


class MariaDB:
    name, types = "MariaDB", ("bigint", "varchar(20)", "timestamp(6)")

    def __init__(self):
        import mariadb
        self.server = mariadb.MariaDB()
        self.line = Cutter(self.server.port)
        self.words = self.server.create("shop").replace(str(self.server.port), str(self.line.port))
        self.env = self.server.env()

    def sql(self, text):
        return self.server.sql(text, "shop")

    def ids(self):
        return sorted(int(row[0]) for row in self.sql("SELECT id FROM orders"))


class SQLServer:
    name, types = "SQL Server", ("bigint", "nvarchar(20)", "datetimeoffset(6)")

    def __init__(self):
        import tds_peer
        self.server = tds_peer.TdsPeer()
        self.line = Cutter(self.server.port)
        self.words = self.server.words().replace(str(self.server.port), str(self.line.port))
        self.env = dict(os.environ, TDS_PASSWORD=self.server.PASSWORD)

    def sql(self, text):
        for statement in text.split(";"):
            self.server.tsql(statement.strip())

    def ids(self):
        return sorted(int(row[0]) for row in self.server.tsql("SELECT id FROM orders"))


def prepare(server, mode):
    """A project with an object that is not loaded, and an empty table."""
    p = Project(config=CONFIG.format(words=server.words, mode=mode, key=KEYS[mode]))
    (p.folder / "lake/in").mkdir(parents=True)
    lines = [f'{{"id":{i},"name":"order {i}","at":"2026-11-20T08:00:{i % 60:02}Z"}}\n' for i in range(ROWS)]
    (p.folder / "lake/in/orders.ndjson").write_text("".join(lines))
    os.utime(p.folder / "lake/in/orders.ndjson", (0, 0))
    server.sql("DROP TABLE IF EXISTS orders; DROP TABLE IF EXISTS _wherry_marks; DROP TABLE IF EXISTS _wherry_lease; "
               "DROP TABLE IF EXISTS _wherry_stages; DROP TABLE IF EXISTS _wherry_tables")
    types = dict(zip(("id", "name", "at"), server.types))
    at = '"at"' if server.name == "PostgreSQL" else "[at]" if server.name == "SQL Server" else "`at`"
    order = "" if mode == "append" and server.name == "x" else f", _wherry_order {types['id']}"
    server.sql(f"CREATE TABLE orders (id {types['id']} NOT NULL, name {types['name']}, {at} {types['at']}{order}"
               f"{', PRIMARY KEY (id)' if mode != 'append' else ''})")
    return p


def lose(server, mode, after, answer):
    p = prepare(server, mode)
    server.line.cut(after, answer)
    first = p.wherry("run", "--json", env=server.env, code=None)
    spoken = server.line.said
    assert first.code in (0, 1), first
    server.line.cut(None)
    # A failed attempt waits before the next one; a full run does not.
    for _ in range(3):
        again = p.wherry("run", "--json", env=server.env, code=None)
        if again.code == 0:
            break
    where = f"{server.name}, {mode}, cut {'before' if answer else 'after'} message {after}"
    assert again.code == 0, (where, first, again)
    tap.equal(server.ids(), list(range(ROWS)), where)
    done = [r for r in p.wherry("runs", "--json", env=server.env).lines() if r["status"] == "done"]
    tap.equal(len(done), 1, f"{where}: runs that are done")
    tap.equal(done[0]["rows_written"], ROWS, f"{where}: rows of the receipt")
    assert p.wherry("verify", env=server.env, code=None).code == 0, where
    return spoken


def everywhere(make):
    server = make()
    pick = random.Random(tap.SEED)
    cuts = 0
    for mode in KEYS:
        prepare(server, mode)
        whole = lose(server, mode, None, False)
        points = [(k, answer) for k in range(1, whole + 1) for answer in (False, True)]
        if not tap.LONG:
            points = sorted(pick.sample(points, min(6, len(points))))
        for k, answer in points:
            lose(server, mode, k, answer)
        cuts += len(points)
    print(f"# {cuts} connections to {server.name} were cut")


def test_postgres():
    """PostgreSQL: a lost connection loses and doubles nothing, wherever it is lost"""
    everywhere(Postgres)


def test_mariadb():
    """MariaDB: a lost connection loses and doubles nothing, wherever it is lost"""
    everywhere(MariaDB)


def test_sqlserver():
    """SQL Server: a lost connection loses and doubles nothing, wherever it is lost"""
    everywhere(SQLServer)


if __name__ == "__main__":
    tap.run()
