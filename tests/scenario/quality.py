#!/usr/bin/env python3
"""Rules of a run as a whole and new columns, as a user meets them: over files of each format, into
PostgreSQL, MariaDB, DynamoDB, SQLite and a lake; killed at any moment."""
import csv
import datetime
import itertools
import json
import os
import random
import re
import signal
import time

import aws
import tap
from mariadb import MariaDB
from project import Project
from servers import Postgres

aws.require()

CONFIG = """\
version: 1
connections:
  drop: {{ type: local, path: drop }}
  lake: {{ type: local, path: lake }}
  website: {{ type: sqlite, path: website.db }}
{connections}pipelines:
  load:
    when: new
    from: drop:{files}
    columns: all
{words}    to: {to}
"""


def project(to, words="", connections="", files="*"):
    text = "".join(f"    {line}\n" for line in words.splitlines())
    p = Project(config=CONFIG.format(to=to, words=text, connections=connections, files=files))
    (p.folder / "drop").mkdir()
    return p


minutes = itertools.count(-10_000)


def age(path):
    """Each is older than now, so that nobody waits for it to be still, and newer than the one before."""
    os.utime(path, (time.time() + 60 * next(minutes),) * 2)


def put(p, name, rows):
    path = p.folder / "drop" / name
    if name.endswith(".csv"):
        with path.open("w", newline="") as out:
            writer = csv.DictWriter(out, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text(json.dumps(rows) if name.endswith(".json") else "".join(json.dumps(r) + "\n" for r in rows))
    age(path)


def rows_of(count, bad=0, **more):
    return [{"n": i, "s": "Open" if i < count - bad else "Opne", **more} for i in range(count)]


STRICT = "expect: { s: { in: [Open] }, at_most_rejected: 1% }"


def test_objects_of_each_format_are_judged_before_they_are_seen():
    """CSV, JSON, NDJSON and Parquet, read in lanes and written to a lake"""
    for ending in ("csv", "json", "ndjson", "parquet"):
        p = project(f"lake:out/{{run}}.{'csv' if ending == 'parquet' else 'parquet'}", STRICT, files=f"*.{ending}")
        for name, bad in (("good", 200), ("bad", 201)):
            put(p, f"{name}.csv", rows_of(20000, bad))
            if ending != "csv":
                p.wherry("convert", f"drop/{name}.csv", f"drop/{name}.{ending}")
                age(p.folder / f"drop/{name}.{ending}")
        said = p.wherry("run", code=1)
        tap.contains(repr(said), "201 of 20000 rows were rejected, more than at_most_rejected: 1% allows. The first: s: "
                                 "'Opne' is not one of Open. Nothing was published.")
        tap.equal(len(p.objects("out/*")), 1)
        tap.contains(p.wherry("status", code=None).out, "1 dead")
        tap.equal(p.wherry("verify").code, 0)


def test_lanes_agree_on_the_newest_row():
    """fresher_than over a large file that is read in parts: its newest row is anywhere"""
    p = project("lake:out/{run}.parquet", "expect: { at: { fresher_than: 2h } }", files="*.csv")
    now = datetime.datetime.now(datetime.timezone.utc)
    rows = rows_of(150_000, at=f"{now - datetime.timedelta(hours=3):%Y-%m-%dT%H:%M:%SZ}")
    put(p, "old.csv", rows)
    tap.contains(repr(p.wherry("run", code=1)), "is older than fresher_than: 2h allows at the run's start. Nothing was published.")
    rows[random.Random(tap.SEED).randrange(len(rows))]["at"] = f"{now - datetime.timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    put(p, "new.csv", rows)
    p.wherry("run")
    tap.equal(len(p.objects("out/*")), 1)


def test_nothing_is_committed_before_it_is_judged_whenever_it_is_killed():
    """PostgreSQL, small chunks, kill -9 while an object that breaks its rule is loaded"""
    server = Postgres()
    os.environ["PG_PASSWORD"] = server.PASSWORD
    dice = random.Random(tap.SEED)
    p = project("pg:orders", STRICT + "\nchunk: 1000\nwrite: { mode: upsert, key: n }", f"  pg: {server.words()}\n")
    put(p, "a.json", rows_of(1000))
    p.wherry("run")
    put(p, "b.json", [{"n": i, "s": "Open" if i % 50 else "Opne"} for i in range(60_000)])
    started, kills = time.monotonic(), 0
    while time.monotonic() - started < 12:
        process = p.start("run")
        time.sleep(0.02 + dice.random() * 0.6)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        tap.equal(server.rows("SELECT count(*) FROM orders"), [("1000",)])
        if process.returncode != -signal.SIGKILL:
            break
        kills += 1
    p.wherry("run", code=None)
    tap.equal(server.rows("SELECT count(*) FROM orders"), [("1000",)])
    tap.contains(p.wherry("status", code=None).out, "1200 of 60000 rows were rejected")
    tap.note(f"{kills} kills")
    # With a rule that it keeps, it is taken up again.
    path = p.folder / "wherry.yaml"
    path.write_text(path.read_text().replace("1%", "2%"))
    p.wherry("quarantine", "replay", "load", code=None)
    tap.equal(server.rows("SELECT count(*) FROM orders"), [("58820",)])


def check_grows(connections, to, columns):
    """A table gets what it lacks; plan shows the statement first."""
    p = project(to, "on_new_column: add\nwrite: { mode: upsert, key: n }", connections, files="*.json")
    put(p, "1.json", rows_of(3))
    p.wherry("run")
    put(p, "2.json", rows_of(2, day="2026-11-20", amount=1.5))
    out = p.wherry("plan").out
    tap.contains(out, "exists, and gets what it lacks (on_new_column: add):")
    tap.equal(len(re.findall(r"ALTER TABLE \S*orders\S* ADD", out)), 2, out)
    p.wherry("run")
    tap.contains(p.wherry("plan").out, "exists and fits")
    put(p, "3.json", rows_of(1))
    p.wherry("run")
    tap.equal(columns(), ["_wherry_order", "amount", "day", "n", "s"])
    # Where nobody said so, nothing is altered.
    path = p.folder / "wherry.yaml"
    path.write_text(path.read_text().replace("    on_new_column: add\n", ""))
    put(p, "4.json", rows_of(2, iban="x"))
    tap.contains(repr(p.wherry("run", code=1)), "does not fit")
    tap.equal(len(columns()), 5)


def test_a_new_table_has_what_its_first_object_has():
    """A table that is not there yet is made for all rows of the first object, whatever earlier objects or its first rows had"""
    p = project("website:target")
    put(p, "a.json", [{"n": 1, "s": "x"}])
    p.wherry("run")
    p.sql("website", "DROP TABLE target")
    put(p, "b.json", [{"n": 2, "s": "y", "more": True}])
    p.wherry("run")
    tap.equal(p.sql("website", "SELECT n, s, more FROM target"), [(2, "y", 1)])
    for name, rows in (("late.json", 1500), ("late.csv", 1500)):
        q = project("website:target")
        put(q, name, [{"n": i, "total": 5} for i in range(rows)] + [{"n": rows, "total": 5.25}])
        q.wherry("run")
        tap.equal(q.sql("website", "SELECT count(*), sum(total) FROM target"), [(rows + 1, 5 * rows + 5.25)])


def test_each_row_is_there_once():
    """With all columns as its key a table has each row once, however many objects bring it"""
    p = project("website:target", "steps:\n  - dedupe: row\nwrite: { mode: upsert, key: [n, s] }\n")
    for name in ("a.csv", "b.csv", "c.csv"):
        put(p, name, [{"n": n, "s": s} for n in range(40) for s in ("x", "y", "x", name)])
        p.wherry("run")
    tap.equal(p.sql("website", "SELECT count(*) FROM target"), [(40 * 5,)])
    tap.equal(p.sql("website", "SELECT count(*) FROM (SELECT DISTINCT n, s FROM target)"), [(40 * 5,)])


def test_a_table_gets_new_columns_in_sqlite():
    p = tap.folder()
    database = f"  web: {{ type: sqlite, path: {p}/web.db }}\n"
    other = Project(folder=p)
    check_grows(database, "web:orders", lambda: sorted(r[0] for r in other.sql("web", "SELECT name FROM pragma_table_info('orders')")))


def test_a_table_gets_new_columns_in_postgres():
    server = Postgres()
    os.environ["PG_PASSWORD"] = server.PASSWORD
    check_grows(f"  web: {server.words()}\n", "web:orders", lambda: sorted(r[0] for r in server.rows(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'orders'")))


def test_a_table_gets_new_columns_in_mariadb():
    server = MariaDB()
    os.environ["MYSQL_PASSWORD"] = server.PASSWORD
    check_grows(f"  web: {server.create('web')}\n", "web:orders", lambda: sorted(r[0] for r in server.sql(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'web' AND table_name = 'orders'")))


def test_dynamodb_is_given_nothing_that_breaks_a_rule():
    """What is written there stays: so the object is judged before"""
    server = aws.Dynalite()
    connections = f"  staff: {{ type: dynamodb, region: eu-west-1, endpoint: \"{server.url}\" }}\n"
    p = project("staff:orders", STRICT + "\nwrite: { mode: upsert, key: n }", connections)
    env = server.env()
    client = server.client("dynamodb")
    count = lambda: client.scan(TableName="orders", Select="COUNT")["Count"]
    put(p, "a.json", rows_of(10))
    p.wherry("run", env=env)
    put(p, "b.json", rows_of(100, 2))
    tap.contains(repr(p.wherry("run", env=env, code=1)), "2 of 100 rows were rejected, more than at_most_rejected: 1% allows")
    tap.equal(count(), 10)
    put(p, "c.json", rows_of(100, 1))
    p.wherry("run", env=env, code=3)
    tap.equal(count(), 99)
    # Rows that cannot be read twice are refused.
    path = p.folder / "wherry.yaml"
    p.sql("website", "CREATE TABLE t(n INTEGER PRIMARY KEY, s TEXT)")
    path.write_text(path.read_text().replace("    when: new\n    from: drop:*\n", "    from: website:t\n"))
    tap.contains(repr(p.wherry("run", env=env, code=1)), "rules of the run as a whole come too late")


def test_an_older_object_that_comes_late_is_superseded_not_refused():
    """mode: replace has at_least_rows: 50% of itself"""
    p = project("website:t", "write: { mode: replace }")
    put(p, "new.json", rows_of(10))
    p.wherry("run")
    put(p, "old.json", rows_of(2))
    os.utime(p.folder / "drop/old.json", (time.time() - 10_000_000,) * 2)
    run = p.wherry("run", "--json").lines()[0]
    tap.equal((run["status"], run["rows_superseded"]), ("done", 2))
    put(p, "half.json", rows_of(4))
    tap.contains(repr(p.wherry("run", code=1)), "this run has 4 rows, the last had 10: fewer than at_least_rows: 50% allows")
    tap.equal(p.sql("website", "SELECT count(*) FROM t"), [(10,)])


def test_a_receipt_says_that_a_run_was_partial():
    p = project("website:t")
    p.config((p.folder / "wherry.yaml").read_text().replace("    when: new\n    from: drop:*\n", "    from: erp:sales_order\n").replace(
        "connections:\n", "connections:\n  erp: { type: sqlite, path: erp.db }\n"))
    p.make_erp([("a", "Open", 1, "2026-11-20 08:00:00Z"), ("b", "Open", 1, "2026-11-20 08:00:00Z")])
    for limit, want in ((["--limit", "1"], True), ([], False)):
        run = p.wherry("run", "--json", *limit).lines()[0]
        receipt = json.loads(p.wherry("receipt", run["run"], "--json").out)
        tap.equal((receipt["partial"], receipt["rows_read"]), (want, 1 if want else 2))


tap.run()
