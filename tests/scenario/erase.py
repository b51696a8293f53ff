#!/usr/bin/env python3
"""`wherry erase`: a person's rows go from quarantine, tables and earlier versions, what stays is told, and the record
does not say who it was."""
import hashlib
import os
import random
import re
import signal
import time

import tap
from project import Project
from servers import Postgres

KILLS = 200 if tap.LONG else 15
KEY = "4711"
CONFIG = """\
version: 1
{top}
connections:
  lake: {{ type: local, path: lake, versioning: true }}
  website: {website}
pipelines:
  people:
    when: new
    from: lake:inbound/*.csv
    columns: {columns}
    subject: {{ customer: customer_id }}
    expect: {{ Model: [not_null] }}
    to: website:cars
    write: {write}
{more}"""
COLUMNS = "{ CustomerId: customer_id, Model: model }"
SQLITE = "{ type: sqlite, path: website.db }"
ROWS = [("4711", "Golf"), ("4712", "Polo"), ("4711", ""), ("4713", ""), ("14711", "Up")]


class Place:
    def __init__(self, columns=COLUMNS, write="{ mode: upsert, key: CustomerId }", website=SQLITE, more="", top=""):
        self.project = Project(config=CONFIG.format(columns=columns, write=write, website=website, more=more, top=top))
        self.lake = self.project.folder / "lake"

    def put(self, name, rows, age=60):
        path = self.lake / "inbound" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("customer_id,model\n" + "".join(f"{a},{b}\n" for a, b in rows))
        os.utime(path, (time.time() - age,) * 2)

    def run(self, code=None):
        return self.project.wherry("run", code=code)

    def erase(self, *args, who=f"customer={KEY}", code=None, **more):
        return self.project.wherry("erase", who, "--json", *args, code=code, **more).lines()

    def cars(self):
        return sorted(self.project.sql("website", "SELECT CustomerId, Model FROM cars"), key=str)

    def rejected(self):
        return sorted(str(row["data"]["customer_id"]) for row in
                      self.project.wherry("quarantine", "show", "people", "--json").lines())

    def places(self, lines):
        return {(x["place"], x["rows"], x["removed"]) for x in lines if "place" in x}

    def files(self):
        return {p: p.read_bytes() for p in sorted((self.project.folder / ".wherry").rglob("*")) if p.is_file()}


def test_a_person_goes_and_others_stay():
    """Rows in quarantine and in the table go, those of others stay, and the object is told"""
    p = Place()
    p.put("a.csv", ROWS)
    p.run(3)
    tap.equal(p.rejected(), ["4711", "4713"])
    lines = p.erase(code=1)
    tap.equal(p.places(lines), {("quarantine", 1, True), ("table", 1, True), ("object", 2, False)})
    tap.equal(p.cars(), [(14711, "Up"), (4712, "Polo")])
    tap.equal(p.rejected(), ["4713"])
    tap.contains(p.project.wherry("verify").out, "1 newer, 0 older, 0 missing")
    tap.equal(p.project.wherry("quarantine", "replay", "people", code=3).code, 3, "the other is whole")
    # Once the object is gone, nothing is left.
    (p.lake / "inbound/a.csv").unlink()
    tap.equal(p.places(p.erase(code=0)), set(), "again")


def test_the_record_does_not_say_who():
    """The ledger has the hash of the key, what went where, and nowhere the key"""
    p = Place()
    p.put("a.csv", [(f"{KEY}-secret", "Golf"), ("x", "Polo"), (f"{KEY}-secret", "")])
    p.run(3)
    lines = p.erase(who=f"customer={KEY}-secret", code=1)
    run = lines[-1]["run"]
    receipt = p.project.wherry("receipt", run, "--json").lines()[0]
    digest = hashlib.sha256(f"{KEY}-secret".encode()).hexdigest()
    tap.equal(receipt["object"], f"erase:customer:{digest}")
    tap.equal((receipt["rows_deleted"], receipt["adds_up"]), (2, True), "receipt")
    tap.contains(receipt["removed"], "1 row of quarantine")
    tap.contains(receipt["removed"], "1 row of table website:cars removed")
    tap.contains(p.project.wherry("receipt", run).out, "removed ")
    for path, data in p.files().items():
        assert f"{KEY}-secret".encode() not in data, f"{path} has the key"
    assert f"{KEY}-secret" not in str(lines), lines


def test_a_dry_run_changes_nothing():
    """--dry-run tells the same and leaves all as it is"""
    p = Place()
    p.put("a.csv", ROWS)
    p.run(3)
    before, cars = p.files(), p.cars()
    lines = p.erase("--dry-run", code=1)
    tap.equal(p.places(lines), {("quarantine", 1, False), ("table", 1, False), ("object", 2, False)})
    assert "run" not in lines[-1], lines
    tap.equal((p.files(), p.cars()), (before, cars), "as before")
    out = p.project.wherry("erase", f"customer={KEY}", "--dry-run", code=1).out
    tap.contains(out, "would go from website:cars")


def test_an_older_object_does_not_bring_them_back():
    """What comes late with an older order is superseded, also for somebody who had no row yet"""
    p = Place()
    p.put("a.csv", [("4712", "Polo")])
    p.run(0)
    tap.equal(p.places(p.erase(code=0)), set(), "nobody is there")
    p.put("late.csv", ROWS[:2], age=30)
    p.run(0)
    tap.equal(p.cars(), [(4712, "Polo")])
    time.sleep(2.1)
    p.put("newer.csv", ROWS[:1], age=0)
    time.sleep(2.1)
    p.run(0)
    tap.equal(p.cars(), [(4711, "Golf"), (4712, "Polo")], "they came again")


def test_a_hashed_key_is_found():
    """The key is hashed as the column's mask does; a mask that leaves nothing to go by is told"""
    mask = "masks:\n  id: { hmac: a-key-that-is-long-enough, normalize: trim }\n  ends: { partial: { first: 1 } }"
    p = Place(columns="{ CustomerId: { from: customer_id, mask: id }, Model: model }", top=mask)
    p.put("a.csv", ROWS)
    p.run(3)
    tap.equal(len(p.cars()), 3)
    tap.equal(p.places(p.erase(code=1)), {("quarantine", 1, True), ("table", 1, True), ("object", 2, False)})
    tap.equal(len(p.cars()), 2)
    tap.contains(p.project.wherry("verify").out, "1 newer, 0 older, 0 missing")
    p = Place(columns="{ CustomerId: { from: customer_id, mask: ends }, Model: model }", top=mask,
              write="{ mode: append }")
    p.put("a.csv", ROWS)
    p.run(3)
    told = [x for x in p.erase(code=1) if x.get("place") == "table"]
    tap.contains(told[0]["why"], "leaves nothing to tell people apart by")


def test_rows_of_another_key():
    """Where the table's key is another column, all rows of the person go; without a key they are told"""
    p = Place(write="{ mode: upsert, key: Model }")
    p.put("a.csv", [("4711", "Golf"), ("4711", "Polo"), ("4712", "Up")])
    p.run(0)
    tap.equal(p.places(p.erase(code=1)), {("table", 2, True), ("object", 2, False)})
    tap.equal(p.cars(), [(4712, "Up")])
    p = Place(write="{ mode: append }")
    p.put("a.csv", ROWS)
    p.run(3)
    lines = p.erase(code=1)
    told = next(x for x in lines if x.get("place") == "table")
    tap.equal((told["rows"], told["removed"]), (1, False))
    tap.contains(told["why"], "no key")


def test_earlier_versions():
    """Earlier versions of an object of which one has the person's rows go for good"""
    p = Place()
    p.put("a.csv", ROWS)
    p.run(3)
    clean = p.project.folder / "clean.csv"
    for number in (1, 2):
        clean.write_text(f"customer_id,model\n4712,Polo{number}\n")
        old = p.lake / "inbound/a.csv"
        kept = p.lake / "_wherry/versions/inbound/a.csv"
        kept.mkdir(parents=True, exist_ok=True)
        info = old.stat()
        os.link(old, kept / f"{time.time_ns():020d}~{info.st_ino}-{info.st_size}-{info.st_mtime_ns}")
        old.unlink()
        old.write_text(clean.read_text())
        os.utime(old, (time.time() - 50 + number,) * 2)
    tap.equal(len(p.project.wherry("versions", "lake:inbound/a.csv", "--json").lines()), 3)
    told = p.places(p.erase("--dry-run", code=0))
    assert ("versions", 2, False) in told, told
    tap.equal(len(p.project.wherry("versions", "lake:inbound/a.csv", "--json").lines()), 3)
    told = p.places(p.erase(code=0))
    assert ("versions", 2, True) in told, told
    left = p.project.wherry("versions", "lake:inbound/a.csv", "--json").lines()
    tap.equal([x["latest"] for x in left], [True])


def test_a_quarantine_in_the_lake():
    """Rejected rows that are kept in a store go from there, and leave no earlier version"""
    p = Place(top="quarantine: lake")
    p.put("a.csv", ROWS)
    p.run(3)
    assert (("quarantine", 1, True)) in p.places(p.erase(code=1))
    tap.equal(p.rejected(), ["4713"])
    for path in (p.lake / "_wherry").rglob("*"):
        assert not path.is_file() or b'4711,"model":null' not in path.read_bytes(), path
    tap.equal(p.project.wherry("quarantine", "replay", "people", code=3).code, 3)


def test_what_never_became_a_row():
    """A line that could not be read is the person's where it has the key as a word"""
    p = Place(columns="{ CustomerId: { from: customer_id, type: int64 }, Model: model }")
    path = p.lake / "inbound/a.csv"
    path.parent.mkdir(parents=True)
    path.write_text("customer_id,model\n" + "1,a\n" * 50 + "4711,x,y,z\n14711,x,y,z\n")
    os.utime(path, (time.time() - 60,) * 2)
    p.run(3)
    rows = p.project.wherry("quarantine", "show", "people", "--json").lines()
    tap.equal([sorted(row.keys() & {"text", "data"}) for row in rows], [["text"]] * 2)
    told = p.erase(code=0)
    assert ("quarantine", 1, True) in p.places(told), told
    left = p.project.wherry("quarantine", "show", "people", "--json").lines()
    tap.equal([row["text"][:5] for row in left], ["14711"])


EXPORT = """\
version: 1
connections:
  erp: { type: sqlite, path: erp.db }
  lake: { type: local, path: lake }
pipelines:
  export:
    from: erp:person
    columns: { Name: name }
    expect: { Name: [not_null] }
    subject: { customer: id }
    to: lake:out/{run}.json
"""


def test_a_source_is_its_owners():
    """Rows at the source, rejected rows without the column, and objects that nobody looks into are told"""
    project = Project(config=EXPORT)
    project.sql("erp", "CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT)")
    project.sql("erp", "INSERT INTO person VALUES (?, ?)", [(4711, None), (4712, "B")])
    project.wherry("run", code=3)
    lines = project.wherry("erase", f"customer={KEY}", "--json", code=1).lines()
    told = {x["place"]: x for x in lines if "place" in x}
    tap.equal(set(told), {"source", "quarantine", "object"})
    tap.contains(told["source"]["why"], "Delete them there first")
    tap.contains(told["quarantine"]["why"], "without the subject's column")
    tap.contains(told["object"]["why"], "nobody looks")


def test_objects_that_were_put_away_are_told():
    """Where `after` moved them nobody looks, and that is said"""
    p = Place(more='    after: { move: "done/{name}.{ext}" }\n')
    p.put("a.csv", [("4711", "Golf"), ("4712", "Polo")])
    p.run(0)
    lines = p.erase(code=1)
    told = [x for x in lines if x.get("place") == "objects"]
    tap.equal([(x["removed"], "nobody looks into them" in x["why"]) for x in told], [(False, True)], lines)
    tap.equal(p.cars(), [(4712, "Polo")])


def test_what_cannot_be_looked_into():
    """A table without the column and a source that is gone are told, and what is elsewhere goes all the same"""
    p = Place(write="{ mode: upsert, key: Model }")
    p.project.sql("website", "CREATE TABLE other (Model TEXT PRIMARY KEY)")
    p.put("a.csv", [("4711", "Golf")])
    p.run(0)
    config = p.project.folder / "wherry.yaml"
    config.write_text(config.read_text().replace("website:cars", "website:other"))
    told = next(x for x in p.erase(code=1) if x.get("place") == "table")
    tap.contains(told["why"], "CustomerId")
    project = Project(config=EXPORT.replace("erp.db", "gone.db"))
    lines = project.wherry("erase", f"customer={KEY}", "--json", code=1).lines()
    tap.equal({x["place"] for x in lines if "place" in x}, {"source", "object"})
    assert lines[-1]["run"]


def test_the_record_has_an_end():
    """A record of very many objects is cut, and says so"""
    p = Place()
    for number in range(100):
        p.put(f"{number}.csv", ROWS[:1])
    p.run(0)
    lines = p.erase(code=1)
    receipt = p.project.wherry("receipt", lines[-1]["run"], "--json").lines()[0]
    assert receipt["removed"].endswith("; ...") and len(receipt["removed"]) < 5000, receipt["removed"][-300:]
    tap.equal(len([x for x in lines if x.get("place") == "object"]), 100)


def test_words_that_are_wrong():
    """Kinds that nobody has, empty keys and steps that change the column are refused; the key is not repeated"""
    p = Place()
    for words, part in ((("erase", "person=1"), "no pipeline says subject: { person"), (("erase", "customer="), "empty"),
                        (("erase", KEY), "customer=KEY")):
        result = p.project.wherry(*words, code=2)
        tap.contains(result.err, part)
    p.put("a.csv", ROWS)
    p.run(3)
    tap.equal(p.places(p.erase(who="customer=-", input=f"{KEY}\n", code=1)),
              {("quarantine", 1, True), ("table", 1, True), ("object", 2, False)})
    config = p.project.folder / "wherry.yaml"
    text = config.read_text()
    config.write_text(text.replace("    expect:", "    steps: [{ trim: [customer_id] }]\n    expect:"))
    tap.contains(p.project.wherry("check", code=2).err, "the step 'trim' may change customer_id")
    config.write_text(text.replace("    expect:", "    steps: [{ trim: all }]\n    expect:"))
    tap.contains(p.project.wherry("check", code=2).err, "the step 'trim' may change customer_id")
    config.write_text(text.replace("    expect:", "    steps: [{ dedupe: { key: [customer_id] } }]\n    expect:"))
    p.project.wherry("check", code=0)


def test_kills_end_the_same():
    """Killed at any moment and done again, the person is gone and everybody else is whole"""
    generator = random.Random(tap.SEED)
    p = Place()
    people = [str(1000 + n) for n in range(KILLS)]
    p.put("a.csv", [(who, "Golf") for who in people] + [(who, "") for who in people] + [("1", ""), ("2", "Polo")])
    p.run(3)
    for number, who in enumerate(people):
        process = p.project.start("erase", f"customer={who}")
        time.sleep(generator.random() * 0.03)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if number % 3 == 0:
            p.erase(who=f"customer={who}", code=1)
    for who in people:
        p.erase(who=f"customer={who}", code=1)
    tap.equal(p.cars(), [(2, "Polo")])
    tap.equal(p.rejected(), ["1"])
    tap.contains(p.project.wherry("quarantine", "list").out, "1 row ")
    tap.contains(p.project.wherry("verify").out, "0 missing")


def test_in_postgres():
    """The same in a PostgreSQL database, whose deletions are remembered there"""
    server = Postgres()
    env = {**os.environ, "PG_PASSWORD": server.PASSWORD}
    p = Place(website=server.words())
    p.put("a.csv", ROWS)
    p.project.wherry("run", code=3, env=env)
    tap.equal(p.places(p.erase(code=1, env=env)), {("quarantine", 1, True), ("table", 1, True), ("object", 2, False)})
    p.put("late.csv", ROWS[:2], age=100)
    p.project.wherry("run", code=0, env=env)
    tap.equal(server.rows('SELECT "CustomerId" FROM cars ORDER BY 1'), [("4712",), ("14711",)])
    tap.contains(p.project.wherry("verify", env=env).out, "0 missing")
    tap.equal(p.places(p.erase(code=1, env=env)), {("object", 2, False), ("object", 1, False)})
    server.stop()


tap.run()
