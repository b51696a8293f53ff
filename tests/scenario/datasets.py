#!/usr/bin/env python3
"""Datasets: several files published as one thing, in versions; compacted, brought back, read by others."""
import datetime
import json
import os
import random
import signal
import threading
import time

import peers

peers.require()

import duckdb  # noqa: E402
import pyarrow.dataset  # noqa: E402

import pages  # noqa: E402
import tap  # noqa: E402
from datasets import Folder, check_tidy, check_whole  # noqa: E402
from project import Project  # noqa: E402

KILLS = 400 if tap.LONG else 60
TEXTS = ["Open", "a/b=c%", None, "", "Grüße 注", "..", "x" * 60]

CONFIG = """\
version: 1
connections:
  erp: {{ type: sqlite, path: erp.db }}
  drop: {{ type: local, path: drop }}
  lake: {{ {lake} }}
  website: {{ type: sqlite, path: website.db }}
pipelines:
  publish:
    from: erp:orders
    columns: all
    to: lake:mart/orders/
    write: {{ mode: replace, {publish} }}
  gather:
    when: new
    from: drop:**/*.ndjson
    columns: {{ id: id, day: {{ from: day, type: date }}, text: text }}
    to: lake:warehouse/events/
    write: {{ mode: append, {gather} }}
  load:
    when: new
    from: lake:mart/orders/
    columns: all
    to: website:orders
    write: {{ mode: replace }}
{more}"""


def total(i):
    return i * 7919 % 999983 / 100


class Mart(Project):
    def __init__(self, publish="keep: 4", gather="partition_by: day", lake="type: local, path: lake", more="",
                 folder=None):
        super().__init__(config=CONFIG.format(lake=lake, publish=publish, gather=gather, more=more), folder=folder)
        self.orders_there = Folder(self.folder / "lake/mart/orders")
        self.events_there = Folder(self.folder / "lake/warehouse/events")
        (self.folder / "drop").mkdir(exist_ok=True)
        self.dropped = []

    def make_orders(self, count, generation=1):
        self.sql("erp", "DROP TABLE IF EXISTS orders")
        self.sql("erp", "CREATE TABLE orders(id INTEGER NOT NULL, year INTEGER, text TEXT, total DECIMAL(12,2), "
                        "at TIMESTAMP, generation INTEGER)")
        rows = [(i, None if i % 7 == 0 else 2020 + i % 5, TEXTS[i % len(TEXTS)], f"{total(i):.2f}",
                 f"2026-11-{1 + i % 28:02} 08:00:00Z", generation) for i in range(count)]
        self.sql("erp", "INSERT INTO orders VALUES (?,?,?,?,?,?)", rows)
        return {r[0]: r[1:3] for r in rows}

    def drop(self, count, days=3):
        """One more object of events."""
        first = len(self.dropped)
        events = [{"id": first + i, "day": f"2026-11-{1 + (first + i) % days:02}", "text": TEXTS[i % len(TEXTS)]}
                  for i in range(count)]
        self.dropped += events
        path = self.folder / f"drop/{first:09}.ndjson"
        path.with_suffix(".part").write_text("".join(json.dumps(e) + "\n" for e in events))
        path.with_suffix(".part").rename(path)
        old = time.time() - 3600 + first / 1000
        os.utime(path, (old, old))

    def check_events(self):
        """Every event that was dropped is in the dataset once."""
        index = check_whole(self.events_there)
        found = sorted((r["id"], r["day"], r["text"]) for r in read(self.events_there, index))
        truth = sorted((e["id"], datetime.date.fromisoformat(e["day"]), e["text"]) for e in self.dropped)
        key = [(a, b, c or "") for a, b, c in found]
        tap.equal(len(found), len(truth), "events")
        tap.equal(key, [(a, b, c or "") for a, b, c in truth], "events")


def read(dataset, index):
    """The rows of a version, as PyArrow reads its files, with the types of its schema for the partition."""
    if not index["files"]:
        return []
    types = {"int64": "int64", "date": "date32", "string": "string"}
    fields = {f["name"]: f["type"] for f in index["schema"]}
    by = [pyarrow.field(n, getattr(pyarrow, types[fields[n]])()) for n in index["partition_by"]]
    hive = pyarrow.dataset.partitioning(pyarrow.schema(by), flavor="hive") if by else None
    found = pyarrow.dataset.dataset([str(dataset.path / f["path"]) for f in index["files"]], format="parquet",
                                    partitioning=hive, partition_base_dir=str(dataset.path))
    return found.to_table().to_pylist()


# --- publishing --------------------------------------------------------------------------------------------------


def test_others_read_a_partitioned_dataset():
    """DuckDB and PyArrow read the present version: values in paths, NULL, and every row"""
    p = Mart(publish="keep: 2, partition_by: [year, text]")
    truth = p.make_orders(3000)
    p.wherry("run", "publish")
    index = check_whole(p.orders_there)
    tap.equal(index["rows"], 3000)
    rows = read(p.orders_there, index)
    assert {r["id"]: (r["year"], r["text"] or "") for r in rows} == {i: (y, t or "") for i, (y, t) in truth.items()}
    with duckdb.connect() as db:
        base = p.folder / "lake/mart/orders"
        db.execute(f"SET VARIABLE files = (SELECT list('{base}/' || f.path) FROM "
                   f"(SELECT unnest(files) AS f FROM read_json('{base}/_current.json')))")
        found = db.execute("SELECT id, year, text, total FROM read_parquet(getvariable('files'), "
                           "hive_partitioning = true)").fetchall()
    tap.equal(len(found), 3000)
    assert all(truth[i][0] == (None if y is None else int(y)) and (truth[i][1] or "") == (t or "")
               for i, y, t, _ in found), found[:5]
    assert {i: f"{total(i):.2f}" for i in truth} == {i: str(t) for i, *_, t in found}


def test_what_the_guide_shows_to_others():
    """The SQL and the Python of docs/guide/datasets.md find the rows of the present version"""
    p = Mart(gather="partition_by: year")
    p.config((p.folder / "wherry.yaml").read_text().replace("day: { from: day, type: date }", "year: id"))
    p.drop(5)
    p.wherry("run", "gather")
    p.drop(5)
    p.wherry("run", "gather")
    shown = {block.language: block.text for block in pages.blocks(tap.ROOT / "docs/guide/datasets.md")}
    here = os.getcwd()
    os.chdir(p.folder)
    try:
        with duckdb.connect() as db:
            set_files, select = [text for text in shown["sql"].split(";") if text.strip()]
            db.execute(set_files)
            tap.equal(sorted(db.execute(select).fetchall()), [(i, 1) for i in range(10)])
        names = {}
        exec(shown["python"], names)
        tap.equal(sorted(names["events"].column("year").to_pylist()), list(range(10)))
    finally:
        os.chdir(here)


def test_a_version_replaces_the_one_before():
    """Each run is a version; the last ones are kept, and what only older ones had is removed"""
    p = Mart(publish="keep: 3")
    for generation in range(1, 7):
        p.make_orders(100 * generation, generation)
        p.wherry("run", "publish")
        check_tidy(p.orders_there)
    tap.equal(p.orders_there.versions(), [4, 5, 6])
    tap.equal({r["generation"] for r in read(p.orders_there, p.orders_there.index())}, {6})
    listed = p.wherry("versions", "lake:mart/orders/", "--json").lines()
    tap.equal([(v["version"], v["rows"], v["latest"]) for v in listed], [(6, 600, True), (5, 500, False),
                                                                           (4, 400, False)])
    told = p.wherry("run", "publish", "--json").lines()[0]
    receipt = json.loads(p.wherry("receipt", told["run"], "--json").out)
    tap.contains(receipt["output"], "lake:mart/orders/_versions/000000000007.json")
    tap.equal(p.wherry("verify", "publish").code, 0)


def test_an_empty_source_is_an_empty_version():
    p = Mart()
    p.make_orders(0)
    p.wherry("run")
    tap.equal(p.orders_there.index()["files"], [])
    tap.equal(p.sql("website", "SELECT count(*) FROM orders"), [(0,)])


def test_an_older_object_never_replaces_a_newer():
    p = Mart(gather="mode: replace")
    p.config((p.folder / "wherry.yaml").read_text().replace("mode: append, mode: replace", "mode: replace"))
    p.drop(50)
    p.drop(60)
    late = p.folder / "drop/000000000.ndjson"
    held = late.read_text()
    late.unlink()
    p.wherry("run", "gather")
    tap.equal(p.events_there.index()["rows"], 60)
    late.write_text(held)
    os.utime(late, (1, 1))
    told = p.wherry("run", "gather", "--json").lines()[0]
    tap.equal((told["rows_written"], told["rows_superseded"]), (0, 50))
    tap.equal(p.events_there.index()["rows"], 60)
    check_tidy(p.events_there)


def test_many_partitions_in_little_memory():
    """More partitions than files may be open: each has one file, and every row is there"""
    p = Mart(gather="partition_by: day", more="memory: 48MiB\n")
    p.drop(20000, days=28)
    p.wherry("run", "gather")
    index = check_whole(p.events_there)
    tap.equal(len(index["files"]), 28)
    p.check_events()


def test_rows_are_sorted():
    p = Mart(publish="sort_by: [text, id], partition_by: year, file_size: 64KiB, format: { type: parquet, "
                     "row_group_rows: 500, compression: none }", more="memory: 48MiB\n")
    p.make_orders(120_000)
    p.wherry("run", "publish")
    index = check_whole(p.orders_there)
    for year in {f["partition"][0] for f in index["files"]}:
        rows = [r for f in index["files"] if f["partition"][0] == year
                for r in read(p.orders_there, {**index, "files": [f]})]
        keys = [(r["text"] is not None, (r["text"] or "").encode(), r["id"]) for r in rows]
        assert keys == sorted(keys), year
    assert len(index["files"]) > 6, "file_size made no second file"
    tap.equal({tuple(f["sorted_by"]) for f in index["files"]}, {("text", "id")})


def test_other_formats():
    for codec in ("csv", "ndjson", "json"):
        p = Mart(publish=f"partition_by: year, format: {{ type: {codec} }}")
        p.make_orders(1000)
        p.wherry("run")
        tap.equal(p.sql("website", "SELECT count(*), sum(id), sum(year) FROM orders"),
                  p.sql("erp", "SELECT count(*), sum(id), sum(year) FROM orders"), codec)
        assert all(f["path"].endswith(f".{codec}") for f in check_whole(p.orders_there)["files"])


def test_what_cannot_be_added():
    """Rows are added only to rows like them, and a dataset is replaced as a whole or not at all"""
    p = Mart()
    p.drop(10)
    p.wherry("run", "gather")
    text = (p.folder / "wherry.yaml").read_text()
    p.config(text.replace("text: text }", "text: { from: id, type: text }, more: text }"))
    p.drop(10)
    refused = p.wherry("run", "gather", code=1)
    tap.contains(refused.err, "the dataset has the column no more, and what arrives has more (text)")
    p.config(text.replace("partition_by: day", "keep: 2"))
    tap.contains(p.wherry("run", "gather", code=1).err, "partitioned by other columns")
    p.make_orders(10)
    tap.contains(p.wherry("run", "publish", "--limit", "5", code=1).err, "is replaced as a whole")
    p.config(text)
    p.wherry("run", "gather")
    p.check_events()
    check_tidy(p.events_there)


def test_what_is_wrong_in_the_configuration():
    for publish, more, told in [
        ("mode: upsert", "", "a dataset is appended to or replaced"),
        ("partition_by: [yeer, yeer]", "", "'yeer' is listed twice"),
        ("key: id", "", "key is for tables, and `to` writes a dataset"),
        ("keep: 0", "", "keep"),
        ("keep: 1", "  other: { from: erp:x, columns: all, to: 'lake:mart/orders/' }\n",
         "pipeline publish writes this dataset, and one does"),
        ("keep: 1", "  other: { from: erp:x, columns: all, to: 'lake:a/{run}.json', write: { keep: 3 } }\n",
         "keep is for datasets, whose address ends in '/'"),
        ("keep: 1", "  other: { from: erp:x, columns: all, to: 'lake:a/{run}/' }\n",
         "it is a dataset, whose address has no '{'"),
        ("keep: 1", "  other: { from: 'lake:mart/orders/', columns: all, to: website:o }\n",
         "each version of a dataset holds all of its rows"),
        ("keep: 1", "  other: { from: 'erp:*', columns: all, to: 'lake:a/' }\n", "takes the rows of one table"),
    ]:
        config = CONFIG.format(lake="type: local, path: lake", publish=publish, gather="keep: 2", more=more)
        p = Mart()
        p.config(config.replace("mode: replace, mode: upsert", "mode: upsert"))
        tap.contains(p.wherry("check", code=2).err, told)


# --- what others see ---------------------------------------------------------------------------------------------


def test_readers_see_one_version_whole():
    """While versions are published one after the other, a reader that follows _current.json sees one of them"""
    p = Mart(publish="keep: 8, partition_by: year")
    p.make_orders(500, 0)
    p.wherry("run", "publish")
    stop, seen, wrong = threading.Event(), [], []

    def look():
        while not stop.is_set():
            try:
                rows = read(p.orders_there, p.orders_there.current())
                seen.append({r["generation"] for r in rows})
                if len(rows) != 500 or len(seen[-1]) != 1:
                    wrong.append((len(rows), seen[-1]))
            except Exception as why:  # noqa: BLE001
                wrong.append(why)

    reader = threading.Thread(target=look)
    reader.start()
    for generation in range(1, 16):
        p.sql("erp", "UPDATE orders SET generation = ?", generation)
        p.wherry("run", "publish")
    stop.set()
    reader.join()
    tap.equal(wrong, [])
    assert len({min(s) for s in seen}) > 3, "the reader saw too little"


def test_a_dataset_is_read_back_and_followed():
    """A pipeline that reads the dataset has each version, its types, and what was brought back"""
    p = Mart(publish="partition_by: [year, text]")
    same = "SELECT id, year, text, round(total * 100) FROM orders ORDER BY id"
    for generation in (1, 2):
        p.make_orders(1000 * generation, generation)
        p.wherry("run")
        tap.equal(p.sql("website", same), p.sql("erp", same))
    p.wherry("rollback", "lake:mart/orders/")
    p.wherry("run", "load")
    tap.equal(p.sql("website", "SELECT count(*), max(generation) FROM orders"), [(1000, 1)])
    p.wherry("run")
    tap.equal(p.sql("website", same), p.sql("erp", same))
    tap.equal(p.wherry("verify").code, 0)


# --- compact and rollback ----------------------------------------------------------------------------------------


def test_compact():
    """Small files become one a partition, sorted; the rows are the same; a second time there is nothing to do"""
    p = Mart(gather="partition_by: day, sort_by: id, keep: 2")
    for _ in range(12):
        p.drop(300)
        p.wherry("run", "gather")
    before = check_whole(p.events_there)
    tap.equal(len(before["files"]), 36)
    done = p.wherry("compact", "lake:warehouse/events/", "--json").lines()[0]
    tap.equal((done["changed"], done["files_before"], done["files"]), (True, 36, 3))
    after = check_whole(p.events_there)
    tap.equal((after["row_hash"], after["rows"], after["operation"], after["of"]),
              (before["row_hash"], before["rows"], "compact", before["version"]))
    p.check_events()
    for file in after["files"]:
        ids = [r["id"] for r in read(p.events_there, {**after, "files": [file]})]
        tap.equal(ids, sorted(ids))
    again = p.wherry("compact", "lake:warehouse/events/", "--json").lines()[0]
    tap.equal((again["changed"], p.events_there.index()["version"]), (False, after["version"]))
    p.drop(30)
    p.wherry("run", "gather")
    p.wherry("compact", "lake:warehouse/events/")
    tap.equal(len(check_whole(p.events_there)["files"]), 3)
    p.check_events()
    p.drop(1)
    p.wherry("run", "gather")
    check_tidy(p.events_there)
    tap.equal(p.wherry("verify").code, 0)


def test_compact_leaves_large_files():
    """Without sort_by only what is small is written again"""
    p = Mart(gather="file_size: 64KiB, format: { type: csv }, keep: 1")
    p.drop(6000)
    p.wherry("run", "gather")
    large = {f["path"] for f in p.events_there.index()["files"] if f["bytes"] >= 32768}
    assert large
    for _ in range(3):
        p.drop(10)
        p.wherry("run", "gather")
    p.wherry("compact", "lake:warehouse/events/")
    index = check_whole(p.events_there)
    assert large <= {f["path"] for f in index["files"]}
    tap.equal(sum(f["bytes"] < 32768 for f in index["files"]), 1)
    tap.equal(index["rows"], 6030)
    check_tidy(p.events_there)


def test_compact_notices_damage():
    """Where a file is not what its index says, nothing is published"""
    p = Mart(gather="format: { type: ndjson }")
    for _ in range(3):
        p.drop(100)
        p.wherry("run", "gather")
    before = p.events_there.index()
    path = p.events_there.path / before["files"][1]["path"]
    path.write_text(path.read_text().replace('"id":150,', '"id":151,'))
    refused = p.wherry("compact", "lake:warehouse/events/", code=1)
    tap.contains(refused.err, "not those that were published")
    tap.equal(p.events_there.index(), before)
    verified = p.wherry("verify", "gather", code=1)
    tap.contains(verified.err, before["files"][1]["path"])
    path.unlink()
    tap.contains(p.wherry("verify", "gather", code=1).err, "is missing, or has other bytes")


def test_rollback():
    """To a version, or to the one before what is shown; recorded, refused where there is none, and passed by runs"""
    p = Mart(publish="keep: 6")
    for generation in range(1, 5):
        p.make_orders(10 * generation, generation)
        p.wherry("run", "publish")

    def shown():
        return {r["generation"] for r in read(p.orders_there, p.orders_there.current())}

    p.wherry("rollback", "lake:mart/orders/", "2")
    tap.equal(shown(), {2})
    p.wherry("rollback", "lake:mart/orders/")
    tap.equal(shown(), {1})
    tap.contains(p.wherry("rollback", "lake:mart/orders/", code=1).err, "no earlier version is kept")
    tap.contains(p.wherry("rollback", "lake:mart/orders/", "77", code=1).err, "has no version 77")
    tap.contains(p.wherry("rollback", "lake:mart/orders/", "x", code=2).err, "is no version")
    tap.contains(p.wherry("rollback", "lake:mart/", code=2).err, "no pipeline writes the dataset")
    tap.contains(p.wherry("rollback", "lake:mart/orders", code=2).err, "ends in '/'")
    told = p.wherry("rollback", "lake:mart/orders/", "4", "--json").lines()[0]
    tap.equal((told["version"], told["of"], told["rows"]), (7, 4, 40))
    runs = [r for r in p.wherry("runs", "--json").lines() if r["pipeline"] == "publish"]
    tap.equal(len(runs), 7)
    p.wherry("run", "publish")
    tap.equal(shown(), {4})
    check_tidy(p.orders_there)
    tap.equal(p.wherry("verify", "publish").code, 0)


def test_a_rollback_of_what_was_added():
    p = Mart()
    p.drop(10)
    p.wherry("run", "gather")
    p.drop(10)
    p.wherry("run", "gather")
    tap.contains(p.wherry("rollback", "lake:warehouse/events/").err, "come again only by wherry run --full")
    tap.equal(p.events_there.index()["rows"], 10)
    p.drop(5)
    p.wherry("run", "gather")
    tap.equal(p.events_there.index()["rows"], 15)


# --- whatever happens --------------------------------------------------------------------------------------------


def kill(p, dice, life, *command):
    process = p.start(*command)
    time.sleep(dice.random() * life)
    process.send_signal(signal.SIGKILL)
    output = process.communicate()[0].decode()
    assert process.returncode in (0, -signal.SIGKILL), output
    return process.returncode != 0


def test_kills_at_random_moments():
    """kill -9 while it publishes, adds, compacts and goes back: what is there is whole, each row once, none lost"""
    dice = random.Random(tap.SEED)
    p = Mart(publish="keep: 2, partition_by: year", gather="partition_by: day, keep: 3")
    p.make_orders(400)
    p.drop(200)
    started = time.monotonic()
    p.wherry("run")
    life = max(time.monotonic() - started, 0.03)
    kills = generation = 0
    while kills < KILLS:
        command = dice.choice([["run"], ["run"], ["compact", "lake:warehouse/events/"],
                               ["rollback", "lake:mart/orders/"]])
        if command == ["run"]:
            generation += 1
            p.sql("erp", "UPDATE orders SET generation = ?", generation)
            p.drop(dice.randrange(1, 200))
        killed = kill(p, dice, life, *command) if command[0] != "rollback" or len(p.orders_there.versions()) > 1 else 0
        kills += bool(killed)
        rows = read(p.orders_there, check_whole(p.orders_there))
        tap.equal((len(rows), len({r["generation"] for r in rows})), (400, 1), "the version that is shown")
        check_whole(p.events_there)
        if dice.random() < 0.2:
            p.wherry("run")
            p.check_events()
    p.wherry("run")
    p.check_events()
    check_tidy(p.orders_there)
    check_tidy(p.events_there)
    tap.equal({r["generation"] for r in read(p.orders_there, p.orders_there.index())}, {generation})
    tap.equal(p.wherry("verify").code, 0)
    tap.note(f"{kills} kills")


def test_two_publishers_at_once():
    """Two projects with ledgers of their own add to one dataset: every row of both, once, in one line of versions"""
    one = Mart(gather="keep: 100")
    two = Mart(gather="keep: 100", lake=f"type: local, path: {one.folder}/lake")
    first = 0
    for _ in range(12):
        for p in (one, two):
            p.dropped = [{"id": first + i, "day": "2026-11-01", "text": "x"} for i in range(20)]
            path = p.folder / f"drop/{first:09}.ndjson"
            path.write_text("".join(json.dumps(e) + "\n" for e in p.dropped))
            os.utime(path, (time.time() - 100, time.time() - 100))
            first += 20
        for process in [p.start("run", "gather") for p in (one, two)]:
            output = process.communicate()[0].decode()
            tap.equal(process.returncode, 0, output)
    index = check_whole(one.events_there)
    tap.equal(sorted(r["id"] for r in read(one.events_there, index)), list(range(first)))
    tap.equal(one.events_there.versions(), list(range(1, 25)))
    check_tidy(one.events_there)


def test_a_lost_ledger():
    """A ledger that was rebuilt goes on with the next version"""
    p = Mart(publish="keep: 3")
    for generation in (1, 2):
        p.make_orders(100, generation)
        p.wherry("run", "publish")
    for file in (p.folder / ".wherry").glob("ledger.db*"):
        file.unlink()
    p.wherry("ledger", "rebuild")
    tap.equal(p.wherry("verify", "publish").code, 0)
    p.wherry("run", "publish")
    tap.equal(p.orders_there.versions(), [1, 2, 3])
    check_tidy(p.orders_there)


def test_an_encrypted_lake():
    """The files, the indexes and the copy are sealed; versions, compact, rollback and reading back work"""
    p = Mart(publish="partition_by: year", lake="type: local, path: lake, encryption_key: '${secret:lake}'")
    env = {**os.environ, "WHERRY_KEY_FILE": str(p.folder / "key")}
    p.wherry("secret", "set", "lake", "--random", env=env)
    p.make_orders(500)
    for _ in range(3):
        p.drop(100)
        p.wherry("run", env=env)
    p.wherry("compact", "lake:warehouse/events/", env=env)
    p.wherry("rollback", "lake:mart/orders/", env=env)
    p.wherry("run", "load", env=env)
    tap.equal(p.sql("website", "SELECT count(*), sum(id) FROM orders"), p.sql("erp", "SELECT count(*), sum(id) FROM orders"))
    tap.equal(p.wherry("verify", env=env).code, 0)
    versions = p.wherry("versions", "lake:warehouse/events/", "--json", env=env).lines()
    tap.equal([(v["operation"], v["rows"], v["files"]) for v in versions][:2], [("compact", 300, 3), ("append", 300, 9)])
    for path in (p.folder / "lake").rglob("*"):
        if path.is_file() and "_wherry/locks" not in str(path):
            data = path.read_bytes()
            assert b"Open" not in data and b"partition" not in data and b"PAR1" not in data, path


tap.run()
