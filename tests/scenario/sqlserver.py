#!/usr/bin/env python3
"""SQL Server as a source and as a sink, as somebody uses it, against the TDS peer; and the peer against
clients that others wrote: FreeTDS' freebcp and tsql, npm's mssql."""
import json
import os
import shutil

import tap
from project import Project
from tds_peer import TdsPeer

CONFIG = """\
version: 1
connections:
  erp: {erp}
  lake: {{ type: local, path: lake }}
  website: {website}
pipelines:
  export-orders:
    from: erp:sales_order
    read: {{ cursor: changed }}
    columns:
      OrderNumber: order_number
      Total: total
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

TABLE = ("CREATE TABLE sales_order (id int NOT NULL PRIMARY KEY, order_number nvarchar(20) NOT NULL, total decimal(12,2), "
         "note nvarchar(max), margin float, updated_at datetime2(3), changed rowversion)")

peer = None


def the_peer():
    global peer
    if not shutil.which("freebcp"):
        raise tap.Skip("freetds-bin is not installed")
    if peer is None:
        peer = TdsPeer()
        os.environ["TDS_PASSWORD"] = TdsPeer.PASSWORD
    return peer


def runs(result):
    return {line["pipeline"]: line for line in result.lines() if "pipeline" in line}


def test_orders_cross_a_lake_by_rowversion():
    s = the_peer()
    p = Project(config=CONFIG.format(erp=s.words("erp"), website=s.words("website")))
    s.tsql(TABLE)
    for start in range(0, 300, 100):
        values = ", ".join(f"({i}, N'SO{i:05}', {i}.10, N'Größe 😀 {i}', 0.5, '2026-11-20 08:00:00')" for i in range(start, start + 100))
        s.tsql(f"INSERT INTO sales_order (id, order_number, total, note, margin, updated_at) VALUES {values}")
    first = runs(p.wherry("run", "--json"))
    tap.equal((first["export-orders"]["rows_read"], first["import-orders"]["rows_written"]), (300, 300))
    tap.equal(s.tsql("SELECT count(*), sum(CAST(Total AS float)), min(Note) FROM orders", "website"),
              [("300", "44880", "Größe 😀 0")])
    # What is read again begins where the last run ended.
    s.tsql("UPDATE sales_order SET total = 1, updated_at = '2026-11-21 08:00:00' WHERE id < 7")
    second = runs(p.wherry("run", "--json"))
    tap.equal((second["export-orders"]["rows_read"], second["import-orders"]["rows_written"]), (7, 7))
    tap.equal(s.tsql("SELECT count(*) FROM orders WHERE Total = '1.00'", "website"), [("7",)])
    plan = p.wherry("plan", "export-orders")
    tap.contains(plan.out + plan.err, "exact")
    p.wherry("verify")


def test_freebcp_and_tsql_speak_with_the_peer():
    s = the_peer()
    s.tsql("CREATE TABLE people (id int NOT NULL PRIMARY KEY, name nvarchar(50), paid decimal(10,2), born datetime2(3))", "bcp")
    file = tap.folder() / "people.tsv"
    file.write_text("1\tGröße\t1.50\t2026-11-21 08:00:00.123\n2\t\t-3.00\t2026-11-22 09:00:00.000\n")
    tap.contains(s.freebcp("people", "in", file, "bcp"), "2 rows copied")
    back = tap.folder() / "back.tsv"
    tap.contains(s.freebcp("people", "out", back, "bcp"), "2 rows copied")
    tap.equal(back.read_text(), file.read_text())
    tap.equal(s.tsql("SELECT id, name FROM people WHERE paid = '1.50'", "bcp"), [("1", "Größe")])


def test_mssql_speaks_with_the_peer():
    said = [json.loads(line) for line in the_peer().mssql("client.js").splitlines()]
    tap.equal(said, [[1], [{"id": 1, "name": "Größe 😀", "at": "2026-11-21T08:00:00.123Z"}], 2,
                     [{"id": 1, "name": "Größe 😀"}, {"id": 2, "name": "zwei"}, {"id": 3, "name": None}],
                     [2627, said[4][1]]])


if __name__ == "__main__":
    tap.run()
