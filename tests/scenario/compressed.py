#!/usr/bin/env python3
"""Objects that are compressed as their names say: read, written, verified, and checked with other readers."""
import gzip
import json
import os
import subprocess
import time

import tap
from project import Project

PYTHON = tap.ROOT / ".peers/bin/python"
CONFIG = """\
version: 1
connections:
  erp: {{ type: sqlite, path: erp.db }}
  lake: {{ type: local, path: lake }}
  website: {{ type: sqlite, path: website.db }}
pipelines:
  export:
    from: erp:sales_order
    columns: {{ Id: id, Number: order_number, Total: total }}
    to: "lake:out/orders-{{run}}.{ending}"
  load:
    when: new
    from: "lake:{{pattern}}"
    columns: all
    to: website:orders
    write: {{ mode: upsert, key: Id }}
"""


def project(ending="ndjson.gz", pattern=None, orders=1000):
    p = Project(config=CONFIG.format(ending=ending).replace("{pattern}", pattern or f"out/*.{ending}"))
    p.make_erp((f"SO{n}", "Open", n / 4, "2026-11-20 10:00:00") for n in range(orders))
    return p


def old(path):
    os.utime(path, (time.time() - 60,) * 2)


def rows_of(p):
    return p.sql("website", "SELECT Id, Number, Total FROM orders ORDER BY Id")


def test_there_and_back():
    """What one pipeline compresses another loads, and both are verified"""
    for ending in ("ndjson.gz", "csv.zst", "json.gz", "CSV.GZ"):
        p = project(ending)
        p.wherry("run")
        tap.equal(rows_of(p), p.sql("erp", "SELECT id, order_number, total FROM sales_order ORDER BY id"))
        said = p.wherry("verify").out
        tap.contains(said, "every object has the bytes its receipt says")
        tap.contains(said, "1,000 equal")


def test_others_read_what_we_write():
    """gzip and DuckDB read what was written"""
    p = project("ndjson.gz")
    p.wherry("run", "export")
    with gzip.open(next((p.folder / "lake/out").glob("*.gz")), "rt") as f:
        lines = [json.loads(line) for line in f]
    tap.equal((len(lines), lines[0]), (1000, {"Id": 1, "Number": "SO0", "Total": 0.0}))
    if not PYTHON.exists():
        raise tap.Skip("DuckDB is not installed (scripts/install-peers)")
    z = project("csv.zst")
    z.wherry("run", "export")
    path = next((z.folder / "lake/out").glob("*.zst"))
    done = subprocess.run([PYTHON, "-I", "-c", "import duckdb, sys; print(duckdb.sql(f\"select count(*), sum(Total) from "
                                         "read_csv('{sys.argv[1]}')\").fetchall())", path], capture_output=True, text=True)
    tap.contains(done.stdout, "(1000, 124875.0)")


def test_what_others_compressed():
    """A partner's file of several members, with wider types behind, and a row that is rejected"""
    p = project(pattern="in/*.csv.gz")
    folder = p.folder / "lake/in"
    folder.mkdir(parents=True)
    head = "Id,Number,Total\n" + "".join(f"{n},SO{n},{n}\n" for n in range(200000))
    tail = "200000,SO200000,1.5\n200001,too,many,fields\n"
    (folder / "a.csv.gz").write_bytes(gzip.compress(head.encode()) + gzip.compress(tail.encode()))
    old(folder / "a.csv.gz")
    p.wherry("run", "load", code=3)
    tap.equal(p.sql("website", "SELECT count(*), sum(Total) FROM orders"), [(200001, sum(range(200000)) + 1.5)])
    reason = p.wherry("quarantine", "show", "load").out
    tap.contains(reason, "has 4 fields, the header has 3")
    tap.contains(reason, "line 200,003")


def test_what_is_not_whole():
    """Of a file that is cut short, damaged, or not what its name says, nothing is loaded"""
    whole = gzip.compress(("Id,Number,Total\n" + "".join(f"{n},SO{n},{n}\n" for n in range(300000))).encode())
    broken = bytearray(whole)
    broken[len(broken) // 2] ^= 0x10
    for data, said in ((whole[:-100], "it ends in the middle of what is compressed"),
                       (broken, "its compressed bytes are damaged"), (b"Id,Number,Total\n1,a,1\n", "incorrect header check")):
        p = project(pattern="in/*.csv.gz")
        (p.folder / "lake/in").mkdir(parents=True)
        (p.folder / "lake/in/a.csv.gz").write_bytes(bytes(data))
        old(p.folder / "lake/in/a.csv.gz")
        result = p.wherry("run", "load", code=1)
        tap.contains(result.out + result.err, said)
        there = p.sql("website", "SELECT 1 FROM sqlite_schema WHERE name = 'orders'")
        assert not there or p.sql("website", "SELECT count(*) FROM orders") == [(0,)], "rows were loaded"


def test_what_has_no_such_format():
    """Parquet compresses by itself"""
    result = project("parquet.gz").wherry("check", code=2)
    tap.contains(result.out + result.err, "no format that Wherry writes ends in '.parquet.gz'")


def test_convert():
    """One file to another, whatever is compressed"""
    folder = tap.folder()
    with gzip.open(folder / "a.csv.gz", "wt") as f:
        f.write("id,name\n" + "".join(f"{n},name {n}\n" for n in range(50000)))
    for given, wanted in (("a.csv.gz", "b.ndjson.zst"), ("b.ndjson.zst", "c.parquet"), ("c.parquet", "d.csv.gz")):
        subprocess.run([tap.WHERRY, "convert", given, wanted], cwd=folder, check=True, capture_output=True)
    tap.equal(gzip.open(folder / "d.csv.gz").read(), gzip.open(folder / "a.csv.gz").read())


if __name__ == "__main__":
    tap.run()
