#!/usr/bin/env python3
"""`retain`: objects, manifests, earlier versions and what was rejected go when they are old, and nothing goes that
somebody has not loaded."""
import os
import random
import signal
import sqlite3
import time

import tap
from project import Project

KILLS = 100 if tap.LONG else 12
OLD, DAY = 100 * 86400, 86400
CONFIG = """\
version: 1
connections:
  erp: {{ type: sqlite, path: erp.db }}
  lake: {{ type: local, path: lake{lake} }}
  website: {{ type: sqlite, path: website.db }}
retain: {retain}
pipelines:
  load:
    when: new
    from: lake:inbound/*.*
    columns: all
    to: website:cars
{more}"""
ALSO = """\
  also:
    from: lake:inbound/*.*
    columns: all
    to: website:others
"""
EXPORT = """\
  export:
    from: erp:car
    columns: all
    to: lake:out/{run}.json
  import:
    when: new
    from: lake:out/*.json
    columns: all
    to: website:imported
"""


class Place(Project):
    def __init__(self, retain="{ lake:inbound/: 90d }", more="", lake=""):
        super().__init__(config=CONFIG.format(retain=retain, more=more, lake=lake))
        self.lake = self.folder / "lake"

    def put(self, name, age, text="id,model\n1,Golf\n"):
        path = self.lake / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.age(path, age)

    def age(self, path, age):
        os.utime(path, (time.time() - age,) * 2)

    def retain(self, *args, code=0):
        return self.wherry("retain", "--json", *args, code=code).lines()

    def names(self, below="inbound"):
        top = self.lake / below
        return sorted(str(p.relative_to(top)) for p in top.rglob("*") if p.is_file())


def test_what_is_old_and_loaded_goes():
    """Old objects that were loaded go, young ones and those that nobody loaded stay, and a run says so"""
    p = Place()
    p.put("inbound/old.csv", OLD)
    p.put("inbound/young.csv", DAY)
    p.put("inbound/deep/elsewhere.txt", OLD, "a note")
    zone = p.retain("--dry-run")[0]
    tap.equal((zone["objects"], zone["staying"], zone["why"]), (1, 1, "load has not loaded it"))
    tap.equal(p.names(), ["deep/elsewhere.txt", "old.csv", "young.csv"])
    p.wherry("run")
    tap.contains(p.wherry("plan").out, "2 objects would go")
    zone = p.retain()[0]
    tap.equal((zone["objects"], zone["staying"]), (2, 0))
    tap.equal(p.names(), ["young.csv"])
    receipt = p.wherry("receipt", zone["run"], "--json").lines()[0]
    tap.equal((receipt["pipeline"], receipt["object"], receipt["rows_deleted"]), ("@retain", "retain:lake:inbound/", 2))
    tap.contains(receipt["removed"], "objects: 2")
    zone = p.retain()[0]
    assert "run" not in zone, zone
    p.wherry("verify")
    p.wherry("status")


def test_every_reader_counts():
    """An object stays until the last pipeline that reads it is done, and while it is a dead letter"""
    p = Place(more=ALSO)
    p.put("inbound/a.csv", OLD)
    p.wherry("run", "load")
    tap.contains(p.retain()[0]["why"], "also has not loaded it")
    p.wherry("run", "also")
    tap.equal(p.retain()[0]["objects"], 1)
    p.put("inbound/broken.json", OLD, '[{"id": 1')
    p.wherry("run", code=1)
    tap.contains(p.retain()[0]["why"], "a dead letter")
    p.config((p.folder / "wherry.yaml").read_text().replace("90d }", "90d, quarantine: 30d }"))
    zones = p.retain()
    tap.equal([z.get("dead_letters") for z in zones], [None, 2])
    tap.equal(p.retain()[0]["objects"], 1)
    tap.equal(p.names(), [])


def test_manifests_go_with_their_objects():
    """An object's manifest goes after it; verify knows both, and what is loaded stays"""
    p = Place(retain="{ lake:out/: 90d }", more=EXPORT)
    p.sql("erp", "CREATE TABLE car (id INTEGER PRIMARY KEY, model TEXT)")
    p.sql("erp", "INSERT INTO car VALUES (?, ?)", [(1, "Golf"), (2, "Polo")])
    p.wherry("run", "export", code=None)
    path = next((p.lake / "out").glob("*.json"))
    for old in (path, p.lake / "_wherry/manifests/out" / (path.name + ".json")):
        p.age(old, OLD)
    p.wherry("run", code=None)
    p.wherry("run", code=None)
    done = {x["pipeline"] for x in p.wherry("runs", "--json").lines() if x["status"] == "done"}
    if "import" not in done:
        raise AssertionError(p.wherry("status", code=None))
    zone = p.retain()[0]
    tap.equal((zone["objects"], zone["manifests"]), (1, 1))
    assert path.name not in p.names("out"), p.names("out")
    assert path.name + ".json" not in p.names("_wherry/manifests/out")
    tap.equal(sorted(p.sql("website", "SELECT id FROM imported GROUP BY id")), [(1,), (2,)])


def test_files_of_a_dataset_stay():
    """However old they are, the present version needs them; what goes of a dataset its `keep` says"""
    p = Place(more="""\
  publish:
    from: lake:inbound/**/*.csv
    columns: all
    to: lake:inbound-mart/cars/
    write: { mode: append }
""", retain="{ lake:inbound-mart/: 90d }")
    p.put("inbound/a.csv", DAY)
    p.wherry("run", "publish")
    files = [f for f in (p.lake / "inbound-mart").rglob("*") if f.is_file()]
    for file in files:
        p.age(file, OLD)
    zone = p.retain()[0]
    tap.equal((zone["objects"], zone["staying"]), (0, len(files)))
    tap.contains(zone["why"], "dataset")
    p.wherry("verify")


def test_earlier_versions():
    """Old versions go, of objects that are there and of those that are gone"""
    p = Place(lake=", versioning: true", retain="{ lake:mart/: 90d }")
    kept = p.lake / "_wherry/versions/mart"
    p.put("mart/a.json", DAY, "[]")
    for name, age, number in (("a.json", OLD, 1), ("a.json", DAY, 2), ("gone.json", OLD, 3)):
        info = (p.lake / "mart/a.json").stat()
        at = time.time_ns() - age * 10**9
        path = f"_wherry/versions/mart/{name}/{at:020d}~{info.st_ino + number}-2-{at}"
        p.put(path, age, "{}")
    (kept / "gone.json" / f"{time.time_ns() - OLD * 10**9 + 5:020d}~deleted").write_text("")
    p.age(next((kept / "gone.json").glob("*~deleted")), OLD)
    tap.equal(p.retain("--dry-run")[0]["versions"], 2)
    tap.equal(p.retain()[0]["versions"], 2)
    tap.equal(len(list((kept / "a.json").iterdir())), 1)
    tap.equal(list((kept / "gone.json").iterdir()), [])
    tap.equal(p.names("mart"), ["a.json"])
    # What goes from the zone now is a version of today, and old.
    p.put("mart/b.json", OLD, "[]")
    p.retain()
    tap.equal((p.lake / "mart/b.json").exists(), False)
    tap.equal([path.name.split("~")[1] for path in (kept / "b.json").iterdir()], ["deleted"])


OLD_RUN = "01dxf6dt000000000000000000"  # of 2020


def test_rejected_rows():
    """Rejected rows of old runs go, those of young ones stay"""
    p = Place(retain="{ quarantine: 30d }", more="    expect: { model: [not_null] }\n")
    p.put("inbound/a.csv", DAY, "id,model\n1,\n2,Polo\n")
    p.wherry("run", code=3)
    young = p.wherry("quarantine", "list", "--json").lines()[0]["run"]
    tap.equal(p.retain()[0]["rows"], 0)
    folder = p.folder / ".wherry/quarantine/load"
    (folder / young).rename(folder / OLD_RUN)
    with sqlite3.connect(p.folder / ".wherry/ledger.db") as db:
        db.execute("UPDATE quarantine SET run = ?, file = ?", (OLD_RUN, f"load/{OLD_RUN}"))
    db.close()
    tap.equal(p.retain("--dry-run")[0]["rows"], 1)
    tap.equal(p.wherry("quarantine", "show", "load", "--json").lines()[0]["run"], OLD_RUN)
    tap.equal(p.retain()[0]["rows"], 1)
    tap.equal((p.wherry("quarantine", "list").out, list(folder.iterdir())), ("", []))


def test_kills_lose_nothing_and_leave_nothing():
    """Killed at any moment and done again, what is old is gone with its manifest, and no more"""
    generator = random.Random(tap.SEED)
    p = Place()
    for number in range(150):
        p.put(f"inbound/{number}.csv", OLD if number % 3 else DAY)
    p.wherry("run")
    for number in range(150):
        p.put(f"_wherry/manifests/inbound/{number}.csv.json", OLD, "{}")
    for _ in range(KILLS):
        process = p.start("retain")
        time.sleep(generator.random() * 0.03)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    p.retain()
    young = sorted(f"{number}.csv" for number in range(0, 150, 3))
    tap.equal(p.names(), young)
    tap.equal(p.names("_wherry/manifests/inbound"), [f"{name}.json" for name in young])
    states = {x["status"] for x in p.wherry("runs", "--json").lines() if x["pipeline"] == "@retain"}
    assert "running" not in states, states


def test_the_service_does_it():
    """`wherry up` lets go by itself"""
    p = Place()
    p.put("inbound/old.csv", OLD)
    p.wherry("run")
    process = p.start("up")
    end = time.monotonic() + 30
    while p.names() and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    tap.equal((p.names(), process.returncode), ([], 0))


def test_words_that_are_wrong():
    """Zones within zones, patterns, databases, Wherry's own prefix and short times are refused"""
    for retain, part in (("{ lake:inbound/: 90d, lake:inbound/x/: 30d }", "one zone lies within the other"),
                         ("{ \"lake:inbound/**\": 90d }", "with a '/' at the end"),
                         ("{ \"lake:in*/\": 90d }", "a zone is no pattern"),
                         ("{ website:cars: 90d }", "holds no objects"), ("{ nowhere:x/: 90d }", "nowhere"),
                         ("{ lake:_wherry/quarantine/: 90d }", "quarantine"), ("{ lake:inbound/: 5h }", "too short"),
                         ("{ lake:inbound/: soon }", "is no time")):
        tap.contains(Place(retain=retain).wherry("check", code=2).err, part)
    p = Place(retain="{}")
    tap.contains(p.wherry("retain", code=2).err, "everything is kept")


tap.run()
