#!/usr/bin/env python3
"""Rows that are deleted at the source are deleted where they were loaded, across a lake, whatever the order in which
objects arrive."""
import os
import random
import re
import signal
import time

import tap
from mariadb import MariaDB
from project import Project
from servers import Postgres

SETTLE = 2.1  # seconds after which a file that was not announced counts
HISTORIES = 200 if tap.LONG else 20

CONFIG = """\
version: 1
connections:
  erp: {erp}
  lake: {{ type: local, path: lake }}
  website: {website}
pipelines:
{pipelines}"""

EXPORT = """\
  export:
    from: erp:sales_order
    read: {{ cursor: updated_at, deletes: compare }}
    columns: {{ Region: region, Number: number, Note: note, UpdatedAt: updated_at }}
    to: lake:inbound/orders-{{run}}.{ending}
"""

IMPORT = """\
  import:
    when: new
    from: lake:inbound/{pattern}
    columns: all
    expect: {{ Note: [not_null] }}
    to: website:orders
    write: {{ mode: upsert, key: [Region, Number], newest_by: UpdatedAt{more} }}
"""

TABLE = ("CREATE TABLE sales_order (region {text} NOT NULL, number BIGINT NOT NULL, note {text} NOT NULL, "
         "updated_at {time} NOT NULL, PRIMARY KEY (region, number))")
SQLITE = "{{ type: sqlite, path: {} }}"


def runs(result):
    return [line for line in result.lines() if "rows_read" in line]


class Shop(Project):
    """A source and a target in SQLite, with a clock that goes on a second for each change."""

    def __init__(self, ending="json", more=""):
        self.ending, self.more = ending, more
        super().__init__(config=self.words())
        self.clock = int(time.time()) - 3600
        self.sql("erp", TABLE.format(text="TEXT", time="TIMESTAMPTZ"))

    def words(self, *pipelines):
        return CONFIG.format(erp=SQLITE.format("erp.db"), website=SQLITE.format("website.db"),
                             pipelines="".join(pipelines or (EXPORT.format(ending=self.ending),
                                                             IMPORT.format(pattern="*", more=self.more))))

    def now(self):
        self.clock += 1
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.clock))

    def put(self, number, note, region="north"):
        self.sql("erp", "INSERT OR REPLACE INTO sales_order VALUES (?, ?, ?, ?)", [(region, number, note, self.now())])

    def drop(self, *numbers):
        self.sql("erp", "DELETE FROM sales_order WHERE number = ?", [(n,) for n in numbers])

    def truth(self):
        return sorted(self.sql("erp", "SELECT region, number, note FROM sales_order"))

    def there(self):
        return sorted(self.sql("website", "SELECT Region, Number, Note FROM orders"))

    def check(self):
        tap.equal(self.there(), self.truth(), "orders")


def test_a_deleted_row_is_deleted_across_the_lake():
    """What is deleted at the source is sent in the objects, and deleted where it was loaded"""
    shop = Shop()
    for number in range(10):
        shop.put(number, f"note {number}")
    plan = shop.wherry("plan").out
    tap.contains(plan, "compares region, number with the keys that were sent: none yet")
    tap.contains(plan, "rows are removed, and that is remembered for 30 days")
    shop.wherry("run")
    shop.check()
    tap.contains(shop.wherry("plan").out, "10 so far")
    shop.drop(3, 4)
    shop.put(10, "new")
    ran = runs(shop.wherry("run", "--json"))
    tap.equal([(r["pipeline"], r["rows_written"], r["rows_deleted"]) for r in ran],
              [("export", 3, 2), ("import", 3, 2)], "runs")
    shop.check()
    receipt = shop.wherry("receipt", ran[1]["run"]).out
    tap.contains(re.sub(" +", " ", receipt), "of these 2 rows as deleted at the source")
    tap.contains(shop.wherry("verify").out, "0 older, 0 missing")
    tap.equal(runs(shop.wherry("run", "--json", "export"))[0]["rows_written"], 0, "nothing more")
    # It comes again, and goes again.
    shop.put(3, "again")
    shop.wherry("run")
    shop.check()
    shop.drop(3)
    shop.wherry("run")
    shop.check()
    shop.wherry("verify")


def test_everything_again():
    """--full sends every row and every deletion that was not sent yet, once"""
    shop = Shop("parquet")
    for number in range(100):
        shop.put(number, f"note {number}")
    shop.wherry("run")
    shop.drop(*range(0, 100, 7))
    ran = runs(shop.wherry("run", "--full", "--json"))
    tap.equal((ran[0]["rows_written"], ran[0]["rows_deleted"]), (100, 15), "all rows, and what is gone")
    shop.check()
    ran = runs(shop.wherry("run", "--full", "--json"))
    tap.equal((ran[0]["rows_written"], ran[0]["rows_deleted"]), (85, 0), "all rows, nothing more is gone")
    shop.check()
    shop.wherry("verify")


def test_a_limited_run_decides_nothing():
    """--limit compares nothing, and what it sent is deleted later"""
    shop = Shop()
    for number in range(10):
        shop.put(number, "note")
    shop.wherry("run")
    shop.put(10, "new")
    shop.drop(1)
    tap.equal(runs(shop.wherry("run", "--limit", "3", "--json"))[0]["rows_deleted"], 0, "limited")
    shop.wherry("run")
    shop.check()
    shop.drop(10)
    shop.wherry("run")
    shop.check()


def test_marked_rows_stay():
    """deletes: mark keeps the row, and says when it is back"""
    shop = Shop(more=", deletes: mark")
    for number in range(4):
        shop.put(number, "note")
    shop.wherry("run")
    shop.drop(2)
    shop.wherry("run")
    marked = shop.sql("website", "SELECT Number FROM orders WHERE _wherry_deleted")
    tap.equal(marked, [(2,)], "marked")
    tap.equal(len(shop.there()), 4, "rows")
    shop.wherry("verify")
    shop.put(2, "back")
    shop.wherry("run")
    tap.equal(shop.sql("website", "SELECT Number FROM orders WHERE _wherry_deleted"), [], "marked")
    shop.check()


def test_a_key_may_change_its_case():
    """A key of which only the case changed replaces the old one in a table that cannot tell them apart"""
    shop = Shop()
    shop.sql("website", "CREATE TABLE orders (Region TEXT COLLATE NOCASE NOT NULL, Number BIGINT NOT NULL, Note TEXT, "
                        "UpdatedAt TIMESTAMPTZ, PRIMARY KEY (Region, Number))")
    shop.put(1, "one")
    shop.put(2, "two")
    shop.wherry("run")
    shop.drop(1)
    shop.put(1, "one", region="North")
    shop.wherry("run")
    shop.check()
    tap.contains(shop.wherry("verify").out, "0 older, 0 missing")


def test_deletions_may_be_ignored():
    """deletes: ignore leaves rows as they are, and counts what it left out"""
    shop = Shop(more=", deletes: ignore")
    for number in range(4):
        shop.put(number, "note")
    shop.wherry("run")
    shop.drop(2)
    ran = runs(shop.wherry("run", "--json"))
    tap.equal((ran[1]["rows_filtered"], ran[1]["rows_deleted"]), (1, 0), "import")
    tap.equal(len(shop.there()), 4, "rows")


def test_an_append_keeps_deletions_as_rows():
    """What is appended has deletions as rows of their own, or leaves them out"""
    for word, rows in (("", [(1, 0), (1, 1), (2, 0)]), (", deletes: ignore", [(1, 0), (2, 0)])):
        shop = Shop()
        export = EXPORT.format(ending="csv").replace("cursor: updated_at, ", "")
        shop.config(shop.words(export, IMPORT.format(pattern="*", more=word).replace(
            "upsert, key: [Region, Number], newest_by: UpdatedAt", "append").replace("    expect", "    #")))
        shop.put(1, "note")
        shop.wherry("run")
        shop.drop(1)
        shop.put(2, "note")
        shop.wherry("run")
        deleted = "coalesce(_wherry_deleted, 0)" if not word else "0"
        tap.equal(sorted(shop.sql("website", f"SELECT DISTINCT Number, {deleted} FROM orders")), rows, word)
    tap.contains(shop.wherry("check", code=0).err, "in order")


def test_through_two_lakes():
    """Deletions pass a pipeline between lakes, whose columns are listed, masked and renamed"""
    shop = Shop()
    between = """\
  between:
    when: new
    from: lake:inbound/*
    steps: [{ trim: [Region] }]
    columns: { Place: { from: Region, mask: place, class: personal }, Number: Number, Note: Note, UpdatedAt: UpdatedAt }
    expect: { Note: [not_null, unique] }
    to: lake:curated/orders-{run}.parquet
"""
    load = IMPORT.format(pattern="*", more="").replace("lake:inbound", "lake:curated").replace("[Region", "[Place")
    text = shop.words(EXPORT.format(ending="ndjson"), between, load)
    shop.config(text.replace("pipelines:", "masks:\n  place: { hmac: \"a key that nobody has to know\" }\npipelines:"))
    for number in range(50):
        shop.put(number, f"note {number}", " north ")
    shop.wherry("run")
    shop.drop(*range(0, 50, 5))
    ran = runs(shop.wherry("run", "--json"))
    tap.equal([r["rows_deleted"] for r in ran], [10, 10, 10], "each of them")
    left = sorted(row[0] for row in shop.sql("website", "SELECT Number FROM orders"))
    tap.equal(left, [n for n in range(50) if n % 5], "rows")
    tap.equal(" north " in str(shop.sql("website", "SELECT * FROM _wherry_deleted_orders")), False, "masked")


def test_a_lost_ledger():
    """Without the ledger's keys the next run records those that are there, and says so"""
    shop = Shop()
    for number in range(10):
        shop.put(number, "note")
    shop.wherry("run")
    shop.drop(1)
    for path in (shop.folder / ".wherry").glob("ledger.db*"):
        path.unlink()
    shop.wherry("ledger", "rebuild")
    said = shop.wherry("run")
    tap.contains(said.err, "there were no keys to compare with")
    tap.equal(len(shop.there()), 10, "what was deleted meanwhile is not known")
    shop.drop(2)
    shop.wherry("run")
    tap.equal(len(shop.there()), 9, "what is deleted from now on is")


def test_a_rejected_row_was_not_sent():
    """The key of a row in quarantine counts once it was sent"""
    config = Shop().words(EXPORT.format(ending="json") + "    expect: { Note: { in: [good, bad] } }\n",
                          IMPORT.format(pattern="*", more=""))
    shop = Shop()
    shop.config(config)
    shop.put(1, "good")
    shop.put(2, "ugly")
    shop.wherry("run", code=3)
    shop.drop(2)
    tap.equal(runs(shop.wherry("run", "--json"))[0]["rows_deleted"], 0, "never sent, never deleted")
    shop.put(3, "ugly")
    shop.wherry("run", code=3)
    shop.config(config.replace("good, bad", "good, bad, ugly"))
    shop.wherry("quarantine", "replay", "export")
    # Row 2 was gone when it was sent at last: the next run finds out.
    tap.equal(runs(shop.wherry("run", "--json"))[0]["rows_deleted"], 1, "what was replayed was sent")
    tap.equal([row[1] for row in shop.there()], [1, 3], "rows")
    shop.drop(3)
    shop.wherry("run")
    tap.equal([row[1] for row in shop.there()], [1], "the other replayed row is deleted")
    tap.equal(runs(shop.wherry("run", "--json", "--full"))[0]["rows_deleted"], 0, "nothing is left")


def test_what_cannot_be():
    """A key that does not cross, and steps that hide what was sent, are refused before anything moves"""
    shop = Shop()
    shop.put(1, "note")
    text = shop.words(EXPORT.format(ending="json"))
    shop.config(text.replace("Region: region, ", ""))
    tap.contains(shop.wherry("plan", code=2).err, "the key's column 'region' does not cross")
    shop.config(text.replace("deletes: compare", "deletes: compare, key: [region, nummer]"))
    tap.contains(shop.wherry("check", code=2).err, "'nummer' does not cross")
    shop.config(shop.words(EXPORT.format(ending="json"), IMPORT.format(pattern="*", more="").replace(
        "[Region, Number]", "[Number, Note]")))
    tap.contains(shop.wherry("plan", code=2).err, "import tells rows apart by Note, and export sends deletions by a key "
                 "without it")
    shop.config(text + "    steps: [{ dedupe: { key: number } }]\n")
    tap.contains(shop.wherry("check", code=2).err, "dedupe cannot go with read: { deletes: compare }")


def test_killed_at_any_time():
    """Killed at any time, runs end as if they had not been"""
    shop = Shop()
    dice = random.Random(tap.SEED)
    shop.sql("erp", "INSERT INTO sales_order VALUES (?, ?, ?, ?)",
             [("north", n, "note", shop.now()) for n in range(5000)])
    started = time.monotonic()
    shop.wherry("run")
    life = time.monotonic() - started
    for _ in range(60 if tap.LONG else 12):
        gone = [dice.randrange(5000) for _ in range(200)]
        shop.drop(*gone)
        for number in gone[:50]:
            shop.put(number, f"again {dice.random()}")
        for _ in range(2):
            process = shop.start("run")
            time.sleep(dice.random() * life)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        if dice.random() < 0.3:
            time.sleep(SETTLE)
            shop.wherry("run")
            shop.check()
    time.sleep(SETTLE)
    shop.wherry("run")
    shop.check()
    shop.wherry("verify")


class History(Shop):
    """Random changes, exported one by one; then the objects arrive in another order, some of them twice."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        super().__init__(self.dice.choice(("json", "parquet", "csv")))
        self.config(self.words(EXPORT.format(ending=self.ending)))
        for _ in range(self.dice.randrange(4, 9)):
            for _ in range(self.dice.randrange(1, 12)):
                number = self.dice.randrange(12)
                if self.dice.random() < 0.45:
                    self.drop(number)
                else:
                    self.put(number, f"note {self.dice.random()}", self.dice.choice(("north", "söuth")))
            self.wherry("run", *(["--full"] if self.dice.random() < 0.2 else []))

    def arrive(self):
        names = [path.name for path in (self.folder / "lake/inbound").iterdir()]
        self.dice.shuffle(names)
        for name in names:
            self.config(self.words(IMPORT.format(pattern=name, more=self.more)))
            self.wherry("run")
        self.check()
        self.wherry("verify")


def test_histories():
    """Histories of changes end equal, in whatever order their objects arrive"""
    histories = [History(tap.SEED + i) for i in range(HISTORIES)]
    time.sleep(SETTLE)
    for number, history in enumerate(histories):
        try:
            history.arrive()
        except AssertionError as why:
            raise AssertionError(f"history {number}: {why}") from why


# --- Servers -------------------------------------------------------------------------------------


class Servers(Project):
    """From PostgreSQL through a lake into SQLite, and into MariaDB."""

    def __init__(self, ending):
        self.pg, self.maria = Postgres(), MariaDB()
        pipelines = EXPORT.format(ending=ending) + IMPORT.format(pattern="**/*", more="") + IMPORT.format(
            pattern="**/*", more="").replace("  import:", "  import-maria:").replace("website:", "shop:")
        text = CONFIG.format(erp=self.pg.words(), website=SQLITE.format("website.db"), pipelines=pipelines)
        super().__init__(config=text.replace("  lake:", f"  shop: {self.maria.create('shop')}\n  lake:"))
        self.env = {**os.environ, **self.maria.env(), "PG_PASSWORD": self.pg.PASSWORD}
        self.pg.sql(TABLE.format(text="text", time="timestamptz"))

    def run_all(self, *args):
        return self.wherry("run", *args, env=self.env)

    def check(self):
        truth = self.pg.rows("SELECT region, number, note FROM sales_order ORDER BY 1, 2")
        here = sorted(self.sql("website", "SELECT Region, Number, Note FROM orders"))
        there = sorted(self.maria.sql("SELECT Region, Number, Note FROM orders", "shop"))
        tap.equal(sorted((r, str(n), t) for r, n, t in here), sorted(truth), "SQLite")
        tap.equal(sorted(tuple(row) for row in there), sorted(truth), "MariaDB")


def through_servers(ending):
    p = Servers(ending)
    p.pg.sql("INSERT INTO sales_order SELECT 'r' || n % 7, n, 'note ' || n, now() - interval '1 hour' + n * interval "
             "'1 ms' FROM generate_series(1, 20000) n")
    p.run_all()
    p.check()
    p.pg.sql("DELETE FROM sales_order WHERE number % 11 = 0; UPDATE sales_order SET note = 'x', updated_at = now() "
             "WHERE number % 13 = 0; INSERT INTO sales_order VALUES ('r0', 0, 'zero', now())")
    p.run_all()
    p.check()
    p.pg.sql("INSERT INTO sales_order VALUES ('r4', 11, 'back', now()); DELETE FROM sales_order WHERE number = 0")
    process = p.start("run", env=p.env)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    time.sleep(SETTLE)
    p.run_all()
    p.check()
    p.pg.sql("DELETE FROM sales_order WHERE number BETWEEN 100 AND 15000")
    p.run_all("--full")
    p.check()
    tap.contains(p.wherry("verify", env=p.env).out, "0 missing")


def test_postgres_to_sqlite_and_mariadb_as_json():
    """From PostgreSQL through JSON objects into SQLite and MariaDB"""
    through_servers("json")


def test_postgres_to_sqlite_and_mariadb_as_parquet():
    """From PostgreSQL through Parquet objects into SQLite and MariaDB"""
    through_servers("parquet")


tap.run()
