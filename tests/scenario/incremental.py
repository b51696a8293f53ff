#!/usr/bin/env python3
"""Models that are run by partitions: the same rows as of a run over everything, whatever happened between, and
no more files written than changed."""
import json
import os
import pathlib
import random
import signal
import time

import tap
from project import Project

LIBRARY = pathlib.Path(os.environ.setdefault("WHERRY_DUCKDB", str(tap.ROOT / ".duckdb/libduckdb.so")))
STEPS = 60 if tap.LONG else 18
KILLS = 60 if tap.LONG else 10
DAYS = [f"2026-11-{n:02}" for n in range(1, 9)]

CONFIG = """\
version: 1
connections:
  drop: { type: local, path: drop }
  lake: { type: local, path: lake }
pipelines:
  orders:
    when: new
    from: drop:orders-*.ndjson
    columns: { id: id, day: { from: day, type: date }, price: { from: price, type: "decimal(12,2)" } }
    to: lake:warehouse/orders/
    write: { mode: append, partition_by: day, keep: KEPT }
  returns:
    when: new
    from: drop:returns-*.ndjson
    columns: { id: id, day: { from: day, type: date }, kind: kind }
    to: lake:warehouse/returns/
    write: { mode: append, partition_by: [kind, day], keep: KEPT }
  names:
    when: new
    from: drop:names-*.ndjson
    columns: { id: id, name: name }
    to: lake:warehouse/names/
    write: { mode: replace }
  sales:
    from: models/sales.sql
    columns: all
    to: lake:mart/sales/
    write: { mode: replace, partition_by: day, incremental: true, keep: 50 }
  everything:
    from: models/sales.sql
    columns: all
    to: lake:mart/everything/
    write: { mode: replace, partition_by: day }
  differences:
    from: models/differences.sql
    columns: all
    to: lake:checks/{run}.json
"""
SQL = """\
SELECT o.day, coalesce(n.name, 'nobody') AS name, count(*) AS orders, sum(o.price) AS total, count(r.id) AS returned
FROM lake('warehouse/orders/') AS o
LEFT JOIN lake('warehouse/returns/') AS r ON r.id = o.id AND r.day IS NOT DISTINCT FROM o.day
LEFT JOIN lake('warehouse/names/') AS n ON n.id = o.id % 7
GROUP BY ALL
"""
DIFFERENCES = """\
WITH a AS (SELECT day, name, orders, total, returned FROM lake('mart/sales/')),
     b AS (SELECT day, name, orders, total, returned FROM lake('mart/everything/'))
SELECT (SELECT count(*) FROM a) AS rows,
       (SELECT count(*) FROM (SELECT * FROM a EXCEPT ALL SELECT * FROM b)) AS more,
       (SELECT count(*) FROM (SELECT * FROM b EXCEPT ALL SELECT * FROM a)) AS less
"""


class Sales(Project):
    def __init__(self, config=CONFIG, kept=50):
        if not LIBRARY.exists():
            raise tap.Skip("DuckDB's library is not installed (scripts/install-duckdb)")
        super().__init__(config=config.replace("KEPT", str(kept)))
        for name in ("models", "drop"):
            (self.folder / name).mkdir()
        self.model(SQL)
        (self.folder / "models/differences.sql").write_text(DIFFERENCES)
        self.dropped = 0

    def model(self, sql):
        (self.folder / "models/sales.sql").write_text(sql)

    def drop(self, name, rows):
        """Arrives, and is landed."""
        self.dropped += 1
        path = self.folder / f"drop/{name}-{self.dropped:06}.ndjson"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        then = time.time() - 3600
        os.utime(path, (then, then))
        self.wherry("run", name)

    def begin(self):
        self.drop("names", [{"id": i, "name": f"name {i}"} for i in range(5)])
        self.drop("orders", [{"id": i, "day": DAYS[i % 6], "price": f"{i}.50"} for i in range(60)])
        self.drop("returns", [{"id": i, "day": DAYS[i % 6], "kind": "late"} for i in range(0, 60, 9)])

    def index(self):
        return json.loads(sorted((self.folder / "lake/mart/sales/_versions").glob("*.json"))[-1].read_text())

    def run(self, *args):
        """Runs the model. (what it says, files that it wrote, the partitions of these)"""
        before = {f["path"] for f in self.index()["files"]} if (self.folder / "lake/mart/sales").exists() else set()
        said = self.wherry("run", "sales", *args).err
        made = [f for f in self.index()["files"] if f["path"] not in before]
        line = next(part for part in said.splitlines() if "run: " in part or "run, " in part)
        return line, sorted(str(f["partition"][0]) for f in made)

    def check(self):
        """What it made is what a run over everything makes."""
        self.wherry("run", "everything", "differences")
        found = json.loads(sorted((self.folder / "lake/checks").glob("*.json"))[-1].read_text())
        found = found[0] if isinstance(found, list) else found
        tap.equal((found["more"], found["less"]), (0, 0))
        return found["rows"]


def test_only_what_changed_is_run():
    s = Sales()
    s.begin()
    tap.contains(s.wherry("plan", "sales").out, "everything is run: it is the first time")
    said, made = s.run()
    tap.contains(said, "everything is run: it is the first time")
    tap.equal(made, DAYS[:6])
    s.check()
    s.drop("orders", [{"id": 100, "day": DAYS[2], "price": "1.00"}, {"id": 101, "day": DAYS[7], "price": "2.00"}])
    tap.contains(s.wherry("plan", "sales").out, "2 partitions are run, those that changed: day=2026-11-03, day=2026-11-08")
    said, made = s.run()
    tap.contains(said, "2 partitions are run, those that changed: day=2026-11-03, day=2026-11-08")
    tap.equal(made, [DAYS[2], DAYS[7]])
    s.check()
    s.drop("returns", [{"id": 3, "day": DAYS[3], "kind": "broken"}])  # partitioned by more columns
    said, made = s.run()
    tap.contains(said, "1 partition is run, the one that changed: day=2026-11-04")
    tap.equal(made, [DAYS[3]])
    s.check()
    s.drop("orders", [{"id": 102, "price": "3.00"}])  # of no day
    said, made = s.run()
    tap.contains(said, "day=null")
    tap.equal(made, ["None"])
    s.check()
    said, made = s.run("--full")
    tap.contains(said, "everything is run: --full asks for it")
    tap.equal(len(made), 8)
    tap.equal(s.wherry("verify", "sales").code, 0)


def test_what_cannot_be_decided_is_run_whole():
    s = Sales(kept=2)
    s.begin()
    s.run()
    s.drop("names", [{"id": i, "name": f"other {i}"} for i in range(6)])
    tap.contains(s.run()[0], "lake:warehouse/names/ changed, and is not partitioned like the result")
    s.check()
    tap.contains(s.run()[0], "everything is run: nothing changed")
    s.model(SQL.replace("'nobody'", "'no one'"))
    tap.contains(s.run()[0], "the model or its pipeline changed")
    s.check()
    for n in range(3):
        s.drop("orders", [{"id": 200 + n, "day": DAYS[n], "price": "1.00"}])
    tap.contains(s.run()[0], "which was read last, is kept no more")
    s.check()
    s.drop("orders", [{"id": 300, "day": DAYS[4], "price": "1.00"}])
    s.run()
    s.wherry("rollback", "lake:warehouse/orders/")
    tap.contains(s.run()[0], "lake:warehouse/orders/ was rolled back")
    s.check()
    s.drop("orders", [{"id": 301, "day": DAYS[4], "price": "1.00"}])
    tap.contains(s.run()[0], "1 partition is run")
    config = (s.folder / "wherry.yaml").read_text()
    s.config(config.replace("incremental: true, keep: 50", "keep: 50"))
    s.wherry("run", "sales")
    s.config(config)
    tap.contains(s.run()[0], "does not say what it was made of")
    s.check()


def test_another_lake_under_the_same_name():
    """Versions of the same number are not taken for those that were read"""
    s = Sales()
    s.begin()
    s.run()
    (s.folder / "lake/warehouse").rename(s.folder / "lake/put-away")
    s.wherry("ledger", "rebuild", code=None)
    other = Sales()
    other.begin()
    other.drop("orders", [{"id": 7, "day": DAYS[0], "price": "9.99"}])
    (other.folder / "lake/warehouse").rename(s.folder / "lake/warehouse")
    tap.contains(s.run()[0], "everything is run: ")
    s.check()


def test_a_model_that_is_none_by_partition_is_found_out():
    s = Sales()
    s.model("SELECT max(day) AS day, count(*) AS orders FROM lake('warehouse/orders/') UNION ALL "
            "SELECT DATE '2026-01-01', 1")
    s.begin()
    s.wherry("run", "sales")
    s.drop("orders", [{"id": 1, "day": DAYS[0], "price": "1.00"}])
    before = s.index()
    failed = s.wherry("run", "sales", code=1)
    tap.contains(failed.err, "cannot be run by partitions")
    tap.equal(s.index(), before)


def test_its_own_versions():
    """Brought back or compacted, it goes on from what that version was made of"""
    s = Sales()
    s.begin()
    s.run()
    s.drop("orders", [{"id": 100, "day": DAYS[1], "price": "1.00"}])
    s.run()
    s.wherry("rollback", "lake:mart/sales/")
    tap.equal(s.run()[1], [DAYS[1]])  # what came since is made again
    s.check()
    s.wherry("compact", "lake:mart/sales/")
    s.drop("orders", [{"id": 101, "day": DAYS[2], "price": "1.00"}])
    tap.equal(s.run()[1], [DAYS[2]])
    s.check()


def change(s, dice, n):
    kind = dice.choice(["orders"] * 5 + ["returns"] * 3 + ["names", "compact", "rollback", "own", "sql"])
    days = dice.sample(DAYS + [None], dice.randrange(1, 4))
    if kind == "orders":
        s.drop("orders", [{"id": dice.randrange(200), "day": dice.choice(days), "price": f"{dice.randrange(100)}.{n % 100:02}"}
                          for _ in range(dice.randrange(1, 30))])
    elif kind == "returns":
        s.drop("returns", [{"id": dice.randrange(200), "day": dice.choice(days), "kind": dice.choice(["late", "broken"])}
                           for _ in range(dice.randrange(1, 10))])
    elif kind == "names":
        s.drop("names", [{"id": i, "name": f"name {i} {n}"} for i in range(5)])
    elif kind == "compact":
        s.wherry("compact", dice.choice(["lake:warehouse/orders/", "lake:warehouse/returns/", "lake:mart/sales/"]))
    elif kind == "rollback":
        s.wherry("rollback", dice.choice(["lake:warehouse/orders/", "lake:warehouse/returns/"]), code=None)
    elif kind == "own":
        s.wherry("rollback", "lake:mart/sales/", code=None)
    else:
        s.model(SQL + f"-- {n}\n")
    return kind


def test_any_changes():
    """After random changes to what it reads, and to itself, its rows are those of a run over everything"""
    dice = random.Random(tap.SEED)
    s = Sales(kept=dice.choice([2, 4, 50]))
    s.begin()
    s.run()
    in_parts = 0
    for n in range(STEPS):
        kinds = [change(s, dice, n) for _ in range(dice.randrange(1, 4))]
        said, made = s.run()
        in_parts += "changed: " in said
        tap.note(f"{' '.join(kinds)}: {said.strip()}"[:150])
        s.check()
    tap.note(f"{in_parts} of {STEPS} runs in parts")


def test_kills_at_random_moments():
    """kill -9 of incremental runs: a version is whole, and the next one has everything"""
    dice = random.Random(tap.SEED)
    s = Sales()
    s.begin()
    started = time.monotonic()
    s.run()
    life, kills, n = time.monotonic() - started, 0, 0
    while kills < KILLS:
        n += 1
        s.drop("orders", [{"id": 1000 + n, "day": dice.choice(DAYS), "price": "1.00"}])
        process = s.start("run", "sales")
        time.sleep(dice.random() * life)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        if dice.random() < 0.3:
            s.wherry("run", "sales")
            s.check()
    s.wherry("run", "sales")
    s.check()
    tap.equal(s.wherry("verify", "sales").code, 0)


def test_what_it_needs_to_be():
    s = Sales()
    config = (s.folder / "wherry.yaml").read_text()
    for old, new, why in (
            ("partition_by: day, incremental", "incremental", "needs partition_by"),
            ("mode: replace, partition_by: day, incremental", "mode: append, partition_by: day, incremental", "say mode: replace"),
            ("models/sales.sql\n    columns: all\n    to: lake:mart/sales/",
             "models/sales.sql\n    columns: all\n    steps: [ { dedupe: {} } ]\n    to: lake:mart/sales/", "takes no steps"),
            ("partition_by: day, keep", "partition_by: day, incremental: true, keep", "is for SQL models")):
        s.config(config.replace(old, new, 1))
        tap.contains(s.wherry("check", code=2).err, why)


tap.run()
