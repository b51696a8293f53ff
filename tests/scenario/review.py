#!/usr/bin/env python3
"""What may go wrong between runs: files landed as they are, zones, schedules, clocks, crashes in between."""
import hashlib
import json
import os
import signal
import sqlite3
import threading
import time

import tap
from project import Project, order

LAND = """\
version: 1
connections:
  drop: {{ type: local, path: drop }}
  lake: {{ type: local, path: lake }}
  website: {{ type: sqlite, path: website.db }}
pipelines:
  land:
    when: new
    from: drop:*.json
    raw: true
    to: lake:inbound/{name}
  load:
    when: new
    from: lake:inbound/*.json
    columns: all
    to: website:orders
    write: {{ mode: upsert, key: n }}
"""


def put(p, name, rows, age=60):
    """A file that has been still for `age` seconds."""
    path = p.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(rows if isinstance(rows, str) else json.dumps(rows))
    at = time.time() - age
    os.utime(path, (at, at))
    return path


def test_a_file_that_was_landed_as_it_is_can_be_loaded():
    p = Project(config=LAND.format(name="{name}.{ext}"))
    put(p, "drop/a.json", [{"n": 1, "s": "x"}, {"n": 2, "s": "y"}])
    p.wherry("run")
    tap.equal(p.sql("website", "SELECT n, s FROM orders ORDER BY n"), [(1, "x"), (2, "y")])
    tap.equal(p.wherry("verify").code, 0)


def test_the_manifest_of_a_file_that_took_another_name_is_its_own():
    p = Project(config=LAND.format(name="{name}.{ext}"))
    put(p, "lake/inbound/a.json", [{"n": 9}])
    put(p, "drop/a.json", [{"n": 1}, {"n": 2}])
    p.wherry("run", "land")
    landed = [o for o in p.objects("inbound/*.json") if o.name != "a.json"]
    tap.equal(len(landed), 1)
    key = f"inbound/{landed[0].name}"
    manifest = json.loads((p.folder / "lake/_wherry/manifests" / (key + ".json")).read_text())
    tap.equal(manifest["key"], key)
    tap.equal(manifest["bytes"], landed[0].stat().st_size)


def test_a_manifest_crosses_with_the_object_it_speaks_of():
    p = Project(config="""\
version: 1
connections:
  erp: { type: sqlite, path: erp.db }
  here: { type: local, path: here }
  there: { type: local, path: there }
pipelines:
  export: { from: "erp:t", columns: all, to: "here:out/t-{run}.json" }
  move: { when: new, from: "here:out/*.json", raw: true, to: "there:in/{name}.{ext}" }
""")
    p.sql("erp", "CREATE TABLE t(n INTEGER PRIMARY KEY, total DECIMAL(12,2))")
    p.sql("erp", "INSERT INTO t VALUES (1, '10.50')")
    p.wherry("run")
    here, there = (json.loads(next((p.folder / lake / "_wherry/manifests").glob("*/*.json")).read_text())
                   for lake in ("here", "there"))
    for same in ("schema", "rows", "row_hash", "sha256", "order", "codec"):
        tap.equal(there[same], here[same], same)
    tap.equal(there["pipeline"], "move")
    assert there["key"].startswith("in/"), there


def test_local_times_are_cast_in_the_zone_of_the_source():
    p = Project(config="""\
version: 1
connections:
  erp: { type: sqlite, path: erp.db }
  website: { type: sqlite, path: website.db }
pipelines:
  times:
    from: erp:t
    read: { timezone: Europe/London }
    columns:
      n: n
      at: { from: at, type: "timestamp[us,UTC]" }
    to: website:t
    write: { mode: upsert, key: n }
""")
    p.sql("erp", "CREATE TABLE t(n INTEGER PRIMARY KEY, at TEXT)")
    p.sql("erp", "INSERT INTO t VALUES (1, '2026-07-01 12:00:00'), (2, '2026-12-01 12:00:00')")
    p.wherry("run")
    hours = [at[11:13] for (at,) in p.sql("website", "SELECT at FROM t ORDER BY n")]
    tap.equal(hours, ["11", "12"])


LOAD = """\
version: 1
connections:
  lake: {{ type: local, path: lake }}
  website: {{ type: sqlite, path: {path} }}
pipelines:
  load:
    when: new
    from: lake:inbound/*
    columns: all
    to: website:orders
    write: {{ mode: {mode} }}
    attempts: {attempts}
"""


def loading(mode="upsert, key: n", path="website.db", attempts=5):
    return Project(config=LOAD.format(mode=mode, path=path, attempts=attempts))


def numbers(p):
    return [n for (n,) in p.sql("website", "SELECT n FROM orders ORDER BY n")]


def test_an_object_is_not_to_blame_for_its_target():
    p = loading(path="there/website.db")
    put(p, "lake/inbound/a.json", [{"n": 1}])
    p.wherry("run", code=1)
    (p.folder / "there").mkdir()
    p.wherry("run")
    p = loading()
    (p.folder / "website.db").write_bytes(b"no database" * 1000)
    put(p, "lake/inbound/a.json", [{"n": 1}])
    assert "a.json" not in p.wherry("run", code=1).err
    (p.folder / "website.db").unlink()
    p.wherry("run")
    tap.equal(numbers(p), [1])


def test_an_object_that_is_broken_is_tried_once():
    p = loading()
    put(p, "lake/inbound/a.json", '[{"n": 1}')
    tap.contains(p.wherry("run", code=1).err, "a.json")
    p.wherry("run")  # it is dead: nothing to do
    tap.contains(p.wherry("status", code=None).out, "1 dead")


def test_a_target_that_is_busy_costs_no_attempt():
    p = loading(attempts=1)
    p.sql("website", "CREATE TABLE other(x)")
    put(p, "lake/inbound/a.json", [{"n": 1}])
    with sqlite3.connect(p.folder / "website.db", isolation_level=None) as db:
        db.execute("BEGIN EXCLUSIVE")
        p.wherry("run", code=1)
        db.execute("ROLLBACK")
    p.wherry("run")
    tap.equal(numbers(p), [1])


def test_a_file_from_the_future_is_loaded():
    p = loading()
    put(p, "lake/inbound/a.json", [{"n": 1}], age=-365 * 86400)
    p.wherry("run", timeout=60)
    tap.equal(numbers(p), [1])


def test_a_run_ends_while_files_keep_coming():
    p = loading()
    put(p, "lake/inbound/a.json", [{"n": 1}])
    stop = threading.Event()

    def keep_coming():
        for i in range(2, 1000):
            put(p, f"lake/inbound/{i}.json", [{"n": i}], age=0)
            if stop.wait(0.2):
                return

    writer = threading.Thread(target=keep_coming)
    writer.start()
    try:
        p.wherry("run", timeout=60)
    finally:
        stop.set()
        writer.join()
    assert 1 in numbers(p)


def test_an_object_that_comes_behind_its_manifest_is_waited_for():
    p = loading(mode="append")
    lines = "".join(json.dumps({"n": n}) + "\n" for n in range(100))
    sha = hashlib.sha256(lines.encode()).hexdigest()
    manifest = {"manifest": 1, "key": "inbound/a.ndjson", "pipeline": "x", "run": "01jd0000000000000000000000",
                "codec": "ndjson", "order": 1795251600000000, "epoch": 1, "created": "2026-11-21T09:00:00Z",
                "sha256": sha, "bytes": len(lines), "rows": 0, "row_hash": "0" * 16, "schema": []}
    manifest.update(codec="raw")
    put(p, "lake/_wherry/manifests/inbound/a.ndjson.json", manifest, age=0)
    put(p, "lake/inbound/a.ndjson", lines[:len(lines) // 2].rsplit("\n", 1)[0] + "\n", age=0)
    process = p.start("run")
    time.sleep(1)
    put(p, "lake/inbound/a.ndjson", lines, age=0)
    tap.equal(process.wait(60), 0, process.stdout.read())
    p.wherry("run")
    tap.equal(numbers(p), list(range(100)))


DONE = 2  # a run's state in the ledger


def run_states(p):
    """Of the runs of export-orders; none while there is no ledger yet."""
    try:
        with sqlite3.connect(f"file:{p.folder}/.wherry/ledger.db?mode=ro", uri=True, timeout=30) as db:
            return [state for (state,) in db.execute("SELECT state FROM run WHERE pipeline = 'export-orders'")]
    except sqlite3.OperationalError:
        return []


def test_a_schedule_that_was_stopped_is_taken_up_again():
    p = Project()
    p.make_erp([order(f"SO{i}") for i in range(200000)])
    process = p.start("up")
    while not run_states(p):
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    tap.equal(process.wait(60), 0)
    process.stdout.close()
    with sqlite3.connect(p.folder / ".wherry/ledger.db") as db:
        fired = db.execute("SELECT fired_us FROM pipeline WHERE name = 'export-orders'").fetchone()
    if DONE in run_states(p):
        raise tap.Skip("this machine is too fast")
    assert not fired or not fired[0], f"it counts as fired at {fired}"


def test_since_skips_nothing_for_good():
    p = Project()
    p.make_erp([order("A", at="2026-01-01 08:00:00Z")])
    p.wherry("run")
    p.add_orders([order("B", at="2026-03-01 08:00:00Z"), order("C", at="2026-05-01 08:00:00Z")])
    p.wherry("run", "export-orders", "--since", "2026-04-01")
    tap.equal(sorted(p.orders()), ["A", "C"])
    p.wherry("run")
    p.check_equal()


def test_a_row_that_stays_bad_is_quarantined_once():
    p = Project(config=EXPORT)
    p.make_erp([order("A"), order("B", "Opne")])
    tap.equal([line["rows_quarantined"] for line in p.wherry("run", "--json", code=3).lines()], [1, 0])
    for _ in range(2):
        again = p.wherry("run", "--json").lines()
        tap.equal([(line["rows_read"], line["rows_unchanged"], line["rows_quarantined"]) for line in again], [(2, 2, 0)])
    p.sql("erp", "UPDATE sales_order SET total = 3 WHERE order_number = 'B'")  # it is another row now
    tap.equal([line["rows_quarantined"] for line in p.wherry("run", "--json", code=3).lines()], [1])


EXPORT = """\
version: 1
connections:
  erp: { type: sqlite, path: erp.db }
  website: { type: sqlite, path: website.db }
  lake: { type: local, path: lake }
pipelines:
  export-orders:
    from: erp:sales_order
    read: { cursor: updated_at }
    columns: { OrderNumber: order_number, OrderStatus: status, Total: total, UpdatedAt: updated_at }
    expect: { OrderStatus: { in: [Open] } }
    to: lake:inbound/orders-{run}.json
  import-orders:
    when: new
    from: lake:inbound/*.json
    columns: all
    to: website:orders
    write: { mode: upsert, key: OrderNumber, newest_by: UpdatedAt }
"""


def test_a_row_that_a_step_held_back_can_be_replayed():
    p = Project(config=EXPORT.replace("    columns: {", "    steps:\n      - dedupe: { key: [order_number], keep: last }\n"
                                      "    columns: {"))
    p.make_erp([order("A", "Opne"), order("B")])
    p.wherry("run", code=3)
    p.config((p.folder / "wherry.yaml").read_text().replace("[Open]", "[Open, Opne]"))
    p.wherry("quarantine", "replay", "export-orders")
    p.wherry("run")
    p.sql("erp", "UPDATE sales_order SET status = 'Open'")  # what counts as the truth
    tap.equal(sorted(p.orders()), ["A", "B"])
    tap.equal(p.orders()["A"][:2], ("Opne", 10.0))


def test_a_damaged_quarantine_is_not_thrown_away():
    p = Project(config=EXPORT)
    p.make_erp([order("A", "Opne"), order("B", "Opne")])
    p.wherry("run", code=3)
    part = next((p.folder / ".wherry/quarantine").glob("*/*/part-*.ndjson"))
    part.write_text(part.read_text()[:-20] + "\n")
    p.config((p.folder / "wherry.yaml").read_text().replace("[Open]", "[Open, Opne]"))
    p.wherry("quarantine", "replay", "export-orders", code=None)
    assert part.exists(), "the damaged part is gone, and with it a row"


def test_a_cursor_of_dates_sends_yesterday_once():
    p = Project(config=EXPORT.replace("cursor: updated_at", "cursor: day"))
    p.sql("erp", "CREATE TABLE sales_order(order_number TEXT, status TEXT, total DECIMAL(12,2), day DATE, updated_at TIMESTAMP)")
    p.sql("erp", "INSERT INTO sales_order VALUES ('A', 'Open', 1, '2026-03-01', '2026-03-01 08:00:00Z'), "
                 "('B', 'Open', 1, '2026-03-02', '2026-03-02 08:00:00Z')")
    p.wherry("run")
    tap.equal([line["rows_written"] for line in p.wherry("run", "--json").lines()], [0])


def test_verify_knows_what_a_replacement_took_away():
    p = loading(mode="replace, key: n")
    put(p, "lake/inbound/a.json", [{"n": 1}, {"n": 2}], age=120)
    p.wherry("run")
    put(p, "lake/inbound/b.json", [{"n": 2}, {"n": 3}], age=60)
    p.wherry("run")
    put(p, "lake/inbound/late.json", [{"n": 7}], age=90)
    p.wherry("run")
    tap.equal(numbers(p), [2, 3])
    p.wherry("verify")
    p.sql("website", "DELETE FROM orders WHERE n = 3")
    tap.contains(p.wherry("verify", code=1).out + p.wherry("verify", code=1).err, "3 is missing")


def test_begin_now_with_a_schedule_skips_what_is_there():
    p = Project(config=LOAD.format(mode="upsert, key: n", path="website.db", attempts=5)
                .replace("when: new", "when: { cron: '0 0 1 1 *' }\n    begin: now"))
    put(p, "lake/inbound/a.json", [{"n": 1}])
    p.wherry("status", code=None)
    process = p.start("up")
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    tap.equal(process.wait(60), 0, process.stdout.read())
    put(p, "lake/inbound/b.json", [{"n": 2}])
    p.wherry("run")
    tap.equal(numbers(p), [2])


def test_a_row_that_breaks_a_rule_of_the_table_does_not_keep_the_others_from_replacing():
    for key in (", key: n", ""):
        p = loading(mode="replace" + key)
        p.sql("website", """CREATE TABLE orders (
            n INTEGER PRIMARY KEY, /* CHECK (n > 99) */
            s TEXT NOT NULL CHECK (s <> 'CHECK (' AND length(s) < 9), -- CHECK (
            "check" INT DEFAULT 5, mail TEXT COLLATE NOCASE UNIQUE,
            CONSTRAINT "range" CHECK(n BETWEEN 0 AND (50)), CHECK ("check" = 5))""")
        p.sql("website", "INSERT INTO orders (n, s, mail) VALUES (1, 'one', 'a'), (2, 'two', 'b'), (9, 'old', 'z')")
        put(p, "lake/inbound/a.json", [
            {"n": 1, "s": "one", "mail": "b"}, {"n": 2, "s": "two", "mail": "a"},  # they change places
            {"n": 3, "s": None, "mail": "c"}, {"n": 4, "s": "CHECK (", "mail": "d"},
            {"n": 5, "s": "five", "mail": "A"}, {"n": 60, "s": "sixty", "mail": "e"},
            {"n": 6, "s": "six", "mail": "Z"}])
        p.wherry("run", code=3)
        tap.equal(p.sql("website", 'SELECT n, s, "check", mail FROM orders ORDER BY n'),
                  [(1, "one", 5, "b"), (2, "two", 5, "a"), (6, "six", 5, "Z")])
        reasons = p.wherry("quarantine", "show", "load").out
        for reason in ("NOT NULL constraint failed: orders.s", "CHECK constraint failed: s <> 'CHECK ('",
                       "UNIQUE constraint failed: orders.mail", "CHECK constraint failed: n BETWEEN 0 AND (50)"):
            tap.contains(reasons, reason)
        tap.contains(reasons, "row 3 ")
        tap.equal(p.wherry("verify").code, 0)
        line = p.wherry("runs", "--json").lines()[0]
        tap.equal((line["rows_written"], line["rows_quarantined"]), (3, 4))


def rows_of(number, count=30000):
    """A file's content at its `number`th writing: every order, each time newer."""
    return "".join(json.dumps({"n": n, "v": number, "at": f"2026-11-20T08:00:{number:02}Z"}) + "\n" for n in range(count))


OVERWRITTEN = "upsert, key: n, newest_by: at"


def versions(p):
    try:
        return p.sql("website", "SELECT v, count(*) FROM orders GROUP BY v ORDER BY v")
    except sqlite3.OperationalError:
        return []


def test_an_object_overwritten_while_it_is_loaded_ends_as_its_last_version():
    p = loading(mode=OVERWRITTEN)
    p.config((p.folder / "wherry.yaml").read_text() + "    chunk: 2000\n")
    inbound = p.folder / "lake/inbound"
    inbound.mkdir(parents=True)
    path = inbound / "a.ndjson"
    last = 6
    contents = [rows_of(number) for number in range(last + 1)]
    process = None
    for number in range(1, last + 1):
        if number % 2:  # another file takes the name; the bytes that are being read stay as they are
            put(p, "next", contents[number]).rename(path)
        else:  # the very bytes that are being read
            put(p, "lake/inbound/a.ndjson", contents[number])
        if process:
            tap.equal(process.wait(60), 0, process.stdout.read())
            process.stdout.close()
        seen = versions(p)
        process = p.start("run")
        while process.poll() is None and versions(p) == seen:  # until it is in the middle of it
            time.sleep(0.005)
    tap.equal(process.wait(60), 0, process.stdout.read())
    process.stdout.close()
    p.wherry("run")
    tap.equal(versions(p), [(last, 30000)])
    status = p.wherry("status", "--json").lines()[0]
    tap.equal((status["dead"], status["waiting"]), (0, 0))
    # what was loaded from the earlier bytes cannot be compared any more; the rows can
    tap.contains(p.wherry("verify", code=None).out, "30,000 equal, 0 newer, 0 older, 0 missing")


def test_an_object_overwritten_with_other_bytes_of_its_size_and_time_is_another():
    p = loading(mode="upsert, key: n")
    path = put(p, "lake/inbound/a.json", [{"n": 1, "s": "a"}])
    p.wherry("run")
    at = path.stat().st_mtime_ns
    put(p, "next", [{"n": 1, "s": "b"}])
    os.utime(p.folder / "next", ns=(at, at))
    (p.folder / "next").rename(path)
    p.wherry("run")
    tap.equal(p.sql("website", "SELECT s FROM orders"), [("b",)])


def test_an_object_that_is_gone_before_it_is_loaded_is_told_of_once():
    p = loading()
    p.sql("website", "CREATE TABLE other(x)")
    gone = put(p, "lake/inbound/a.json", [{"n": 1}])
    put(p, "lake/inbound/b.json", [{"n": 2}])
    with sqlite3.connect(p.folder / "website.db", isolation_level=None) as db:
        db.execute("BEGIN EXCLUSIVE")
        p.wherry("run", code=1)  # both wait for another try
        gone.unlink()
        db.execute("ROLLBACK")
    failed = p.wherry("run", code=1)
    tap.contains(failed.err, "a.json")
    tap.equal(numbers(p), [2])
    for _ in range(2):
        tap.equal(p.wherry("run", "--json").lines(), [])  # it is not tried again
    status = p.wherry("status", "--json", code=1).lines()[0]
    tap.equal((status["dead"], status["waiting"]), (1, 0))
    put(p, "lake/inbound/a.json", [{"n": 3}])  # and when it comes back
    p.wherry("run")
    tap.equal(numbers(p), [2, 3])


tap.run()
