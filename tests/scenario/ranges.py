#!/usr/bin/env python3
"""A table read by several sessions at once: one snapshot in PostgreSQL, a guarded sink elsewhere."""
import os
import threading

import tap
from project import Project, only_release
from servers import Postgres

CONFIG = """\
version: 1
memory: 64MiB
connections:
  erp: {erp}
  lake: {{ type: local, path: lake }}
  website: {{ type: sqlite, path: website.db }}
pipelines:
  export:
    from: erp:orders
    read: {{ ranges: 3{read} }}
    columns: {{ Id: id, Status: status }}
    to: {to}
  load:
    when: new
    from: lake:out/*.parquet
    columns: all
    to: website:copy
    write: {{ {write} }}
"""
SQLITE = "{ type: sqlite, path: erp.db }"
ROWS = 2_000_000 if tap.LONG else 60_000


def config(erp=SQLITE, read="", to="lake:out/orders-{run}.parquet", write="mode: upsert, key: Id"):
    return CONFIG.format(erp=erp, read=read, to=to, write=write)


def shop():
    p = Project(config=config())
    p.sql("erp", "CREATE TABLE orders (id INTEGER PRIMARY KEY, status TEXT, secret TEXT)")
    p.sql("erp", "INSERT INTO orders VALUES (?, ?, 'hush')", [(i * 3, f"status {i}") for i in range(5000)])
    return p


server = None


def postgres():
    global server
    if server is None:
        server = Postgres()
        os.environ["PG_PASSWORD"] = server.PASSWORD
    server.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE orders (id int PRIMARY KEY, status text, "
               f"secret text, at timestamptz); INSERT INTO orders SELECT n, 'Open', 'hush', now() - interval '1 day' FROM "
               f"generate_series(1, {ROWS}) n")
    return server, Project(config=config(erp=server.words()))


def runs(result):
    return {line["pipeline"]: line for line in result.lines() if "run" in line}


def test_sqlite_reads_ranges_into_a_guarded_table():
    p = shop()
    tap.contains(p.wherry("plan", "export").out, "  reads     up to 3 ranges of id at once, each in a snapshot of its own\n")
    done = runs(p.wherry("run", "--json"))
    tap.equal(done["export"]["rows_written"], 5000)
    tap.equal(done["export"]["reading"], "3 ranges of id, read in 3 snapshots")
    tap.equal(p.sql("website", "SELECT count(*), sum(Id), count(DISTINCT Status) FROM copy"),
              [(5000, 3 * 4999 * 5000 // 2, 5000)])
    tap.contains(p.wherry("receipt", done["export"]["run"]).out, "  reading       3 ranges of id, read in 3 snapshots\n")
    tap.equal(done["load"].get("reading"), None)
    p.wherry("verify")
    one = runs(p.wherry("run", "export", "--limit", "10", "--json"))
    tap.equal((one["export"]["rows_read"], one["export"].get("reading")), (10, None))


def test_what_ranges_need():
    p = shop()
    for text, says in (
            (config(write="mode: append"), "pipeline load loads what export reads by ranges: its ranges are not read in one "
             "snapshot there, so a row may come twice. It needs write: { mode: upsert, key: ... }"),
            (config(to="website:direct"), "pipeline export: read: ranges: its ranges are not read in one snapshot"),
            (config().replace("from: erp:orders", "from: erp").replace("ranges: 3", "ranges: 3, query: SELECT id, status "
                                                                      "FROM orders"), "ranges is for tables"),
            (config().replace("from: lake:out/*.parquet", "from: lake:out/*.parquet\n    read: { ranges: 2 }"),
             "ranges is for databases"),
            (config().replace("ranges: 3", "ranges: 99"), "99")):
        p.config(text)
        tap.contains(p.wherry("check", code=2).err, says)
    p.config(config())
    p.sql("erp", "CREATE TABLE plain (id INTEGER, status TEXT)")
    p.config(config().replace("erp:orders", "erp:plain"))
    tap.contains(p.wherry("plan", "export", code=None).err, "plain has no primary key, which read: ranges cuts")
    tap.contains(p.wherry("run", "export", code=1).err, "plain has no primary key")


def test_postgres_reads_one_snapshot_while_others_write():
    """PostgreSQL: what comes is of one instant, whatever is written meanwhile"""
    s, p = postgres()
    p.config(config(erp=s.words(), write="mode: append"))  # one snapshot needs no guard
    p.wherry("check")
    tap.contains(p.wherry("plan", "export").out, "  reads     up to 3 ranges of id at once, in one snapshot\n")
    stop = threading.Event()

    def write():
        while not stop.is_set():
            # Rows move from one range to another, in one transaction: the sum is the same before and after.
            s.sql(f"BEGIN; UPDATE orders SET id = id + {ROWS} WHERE id <= 50; UPDATE orders SET id = id - {ROWS} WHERE id > "
                  f"{ROWS}; COMMIT")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            done = runs(p.wherry("run", "export", "--json"))["export"]
            tap.equal((done["rows_written"], done["reading"]), (ROWS, "3 ranges of id, read in one snapshot"))
    finally:
        stop.set()
        writer.join()
    p.wherry("run", "load")
    tap.equal(p.sql("website", f"SELECT count(*), count(DISTINCT Id), sum(Id) FROM copy"),
              [(3 * ROWS, ROWS, 3 * ROWS * (ROWS + 1) // 2)])


def test_a_cursor_reads_what_is_new_by_one_session():
    s, p = postgres()
    p.config(config(erp=s.words(), read=", cursor: at", write="mode: upsert, key: Id, newest_by: At").replace(
        "Status: status }", "Status: status, At: at }"))
    tap.equal(runs(p.wherry("run", "--json"))["export"]["reading"], "3 ranges of id, read in one snapshot")
    s.sql("UPDATE orders SET at = now(), status = 'Late' WHERE id = 5")
    done = runs(p.wherry("run", "--json"))
    tap.equal((done["export"]["rows_written"], done["export"].get("reading")), (1, None))
    tap.equal(p.sql("website", "SELECT Status, count(*) FROM copy GROUP BY 1 ORDER BY 1"), [("Late", 1), ("Open", ROWS - 1)])


def test_grants_know_the_key():
    s, p = postgres()
    p.config(config(erp=s.words()).replace("{ Id: id, Status: status }", "{ Status: status }").replace("key: Id", "key: "
                                                                                                       "Status"))
    s.sql("DROP ROLE IF EXISTS reader; CREATE ROLE reader")
    tap.contains(p.wherry("grants", "erp", "--user", "reader").out, 'GRANT SELECT ("status", "id") ON "public"."orders"')


def test_a_rate_holds_for_all_sessions():
    s, p = postgres()
    p.config(config(erp=s.words(rows_per_second=ROWS // 2)))
    done = runs(p.wherry("run", "export", "--json"))["export"]
    tap.equal(done["rows_written"], ROWS)
    assert done["seconds"] > 1.2, done


def test_memory_stays_within_bounds():
    """Eight sessions of wide rows stay within the memory they were given"""
    only_release()
    s, p = postgres()
    s.sql("UPDATE orders SET status = repeat(md5(id::text), 30) WHERE id <= 40000")
    p.config(config(erp=s.words()).replace("ranges: 3", "ranges: 8").replace("memory: 64MiB", "memory: 32MiB"))
    result = p.measured("run", "export", "--json")
    tap.equal(result.code, 0)
    tap.contains(runs(result)["export"]["reading"], "8 ranges of id")
    assert result.peak < 32 << 20, f"{result.peak >> 20} MiB"


tap.run()
