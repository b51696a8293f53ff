#!/usr/bin/env python3
"""`after:` an object that is safe is moved or removed at its source, never before, never one that is newer."""
import os
import random
import signal
import time

import sshd
import tap
from project import Project

KILLS = 300 if tap.LONG else 20
CONFIG = """\
version: 1
{top}
connections:
  partner: {partner}
  lake: {{ type: local, path: lake }}
  website: {{ type: sqlite, path: website.db }}
pipelines:
  orders:
    when: new
    from: "partner:outbox/*.csv"
    {after}
    {to}
{more}"""
LOADS = """columns: all
    to: website:orders
    write: { mode: upsert, key: number }"""
KEEPS = """raw: true
    to: "lake:inbound/{source}/{year}/{month}/{day}/{name}.{ext}\""""
ALSO = """\
  archive:
    from: "partner:outbox/*"
    raw: true
    to: "lake:archive/{name}.{ext}"
"""
MOVE = "after: { move: \"done/{name}.{ext}\" }"
AGAIN = "{ type: local, path: partner }\n  again: { type: local, path: partner }"
servers = []


class Place:
    """A partner's folder here, and a project that collects from it."""

    def __init__(self, after=MOVE, to=LOADS, more="", top="", partner="{ type: local, path: partner }"):
        text = CONFIG.format(partner=partner, after=after, to=to, more=more, top=top)
        self.project = Project(config=text)
        self.files = self.project.folder / "partner"

    def write(self, name, *rows, age=60):
        path = self.files / "outbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("number,state\n" + "".join(f"{n},{state}\n" for n, state in rows))
        os.utime(path, (time.time() - age,) * 2)

    def names(self, below=""):
        top = self.files / below
        return sorted(str(f.relative_to(top)) for f in top.rglob("*") if f.is_file() and "_wherry" not in f.parts)

    def rows(self):
        return sorted(self.project.sql("website", "SELECT number, state FROM orders"))

    def run(self, *args, **more):
        return self.project.wherry("run", *args, **more)


def status(project):
    return [line for line in project.wherry("status", "--json").lines() if "target" in line]


def test_what_is_loaded_is_moved():
    """A file is moved once its rows are in the table, and not found again"""
    p = Place()
    p.write("1.csv", (1, "Open"), (2, "Open"))
    p.write("2.csv", (3, "Open"))
    tap.contains(p.project.wherry("plan").out, "moves each object to partner:done/{name}.{ext} once it is safe")
    p.run()
    tap.equal(p.rows(), [(1, "Open"), (2, "Open"), (3, "Open")])
    tap.equal(p.names(), ["done/1.csv", "done/2.csv"])
    tap.equal(p.project.wherry("runs", "--json").lines()[0]["status"], "done")
    again = p.run("--json")
    assert not [line for line in again.lines() if "rows_read" in line], again
    tap.equal(status(p.project), [])
    p.write("1.csv", (1, "Shipped"))  # the name comes again, with other bytes
    p.run()
    tap.equal(p.rows()[0], (1, "Shipped"))
    names = p.names("done")
    assert len(names) == 3 and names[0].startswith("1-") and names[1:] == ["1.csv", "2.csv"], names
    tap.contains(p.project.wherry("verify").out, "put away since")


def test_what_cannot_be_moved_stays():
    """A file stays where something stands in the way of where it is to go, and is moved when that is gone"""
    p = Place()
    p.write("1.csv", (1, "Open"))
    (p.files / "done").touch()  # where a folder has to be
    p.run(code=None)
    tap.equal(p.rows(), [(1, "Open")])
    tap.equal(p.names(), ["done", "outbox/1.csv"])
    assert status(p.project), "it waits"
    (p.files / "done").unlink()
    p.run()
    tap.equal(p.names(), ["done/1.csv"])
    tap.equal(status(p.project), [])


def test_what_is_landed_is_removed():
    """A raw file is removed once it is in the lake; one with a fault stays"""
    p = Place(after="after: delete", to=KEEPS)
    p.write("1.csv", (1, "Open"))
    p.run()
    tap.equal(p.names(), [])
    landed = list((p.project.folder / "lake/inbound/partner").rglob("1.csv"))
    tap.equal([f.read_text() for f in landed], ["number,state\n1,Open\n"])
    bad = Place(after="after: delete", to="read: { format: { quote: '\"' } }\n    " + LOADS)
    bad.write("bad.csv", (1, '"never closed'))
    bad.run(code=1)
    tap.equal(bad.names(), ["outbox/bad.csv"])


def test_rejected_rows_are_kept_before():
    """A file of which rows were rejected is safe too: they are in quarantine, and can be replayed"""
    p = Place(to=LOADS + "\n    expect: { state: { in: [Open] } }")
    p.write("1.csv", (1, "Open"), (2, "Opne"))
    p.run(code=3)
    tap.equal(p.names(), ["done/1.csv"])
    text = (p.project.folder / "wherry.yaml").read_text()
    p.project.config(text.replace("[Open]", "[Open, Opne]"))
    p.project.wherry("quarantine", "replay", "orders")
    tap.equal(p.rows(), [(1, "Open"), (2, "Opne")])


def test_whoever_else_reads_it_comes_first():
    """A file that two pipelines read stays until both have it; a newer version stays anyhow"""
    p = Place(more=ALSO)
    p.write("1.csv", (1, "Open"))
    p.run("orders")
    tap.equal(p.names(), ["outbox/1.csv"])
    tap.equal(status(p.project), [])
    p.project.wherry("run", "archive")
    tap.equal(p.names(), ["done/1.csv"])
    p.write("2.csv", (2, "Open"))
    p.run("orders")
    p.write("2.csv", (2, "Shipped"), age=30)  # `archive` has never seen what it was
    p.run()
    tap.equal(p.names(), ["done/1.csv", "done/2.csv"])
    tap.equal(p.rows(), [(1, "Open"), (2, "Shipped")])
    tap.contains((p.files / "done/2.csv").read_text(), "Shipped")


def test_what_was_put_away_is_not_missing():
    """Of an object that one pipeline publishes and another puts away both can be verified"""
    p = Project(config=CONFIG.format(partner="{ type: local, path: partner }", after="after: delete", to=LOADS, top="",
                                     more="  publish:\n    from: website:source\n    columns: all\n"
                                          "    to: \"partner:outbox/{run}.csv\"\n"))
    p.sql("website", "CREATE TABLE source (number INTEGER, state TEXT)")
    p.sql("website", "INSERT INTO source VALUES (1, 'Open'), (2, 'Shipped')")
    p.wherry("run")
    tap.equal(sorted(p.sql("website", "SELECT number, state FROM orders")), [(1, "Open"), (2, "Shipped")])
    tap.equal([f for f in (p.folder / "partner/outbox").glob("*")], [])
    tap.contains(p.wherry("verify").out, "put away since")


def test_nothing_is_lost_by_kills():
    """Killed at any moment, every file is loaded and moved once"""
    generator = random.Random(tap.SEED)
    p = Place(more=ALSO)
    expected = {}
    for number in range(KILLS):
        p.write(f"{number}.csv", (number, "Open"), (number + 100000, "Open"))
        expected |= {number: "Open", number + 100000: "Open"}
        process = p.project.start("run")
        time.sleep(generator.random() * 0.12)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    p.run()
    p.run()
    tap.equal(p.rows(), sorted(expected.items()))
    tap.equal(p.names(), sorted(f"done/{number}.csv" for number in range(KILLS)))
    archived = sorted(f.name for f in (p.project.folder / "lake/archive").iterdir())
    tap.equal(archived, sorted(f"{number}.csv" for number in range(KILLS)))


def test_a_service_puts_away_too():
    """`wherry up` moves files while it runs"""
    p = Place()
    p.write("1.csv", (1, "Open"))
    process = p.project.start("up")
    try:
        end = time.monotonic() + 30
        while p.names() != ["done/1.csv"] and time.monotonic() < end:
            time.sleep(0.05)
        tap.equal(p.names(), ["done/1.csv"])
    finally:
        process.terminate()
        process.communicate()


def test_an_sftp_server():
    """Files of a partner's server are renamed there, or removed"""
    servers.append(sshd.Sshd())
    for after, left in ((MOVE, ["done/1.csv", "done/2.csv"]), ("after: delete", [])):
        folder = f"place-{len(left)}"
        p = Place(after=after, partner=servers[0].words(path=folder, settle=0))
        p.files = servers[0].files / folder
        for name in ("1", "2"):
            servers[0].write(f"{folder}/outbox/{name}.csv", f"number,state\n{name},Open\n", 60)
        p.run()
        tap.equal(p.rows(), [(1, "Open"), (2, "Open")])
        tap.equal(p.names(), left)


def test_what_check_refuses():
    """What would be taken again, has no name, or is no object"""
    also = ALSO.replace("raw: true", "raw: true\n    after: delete")
    for words, said in (({"more": also}, "pipeline archive which reads the same objects, says what becomes of them, too"),
                        ({"more": ALSO.replace("partner:", "again:"), "top": "", "partner": AGAIN},
                         "reads the same objects through another connection"),
                        ({"more": ALSO.replace("outbox/*", "**/*")}, "would find what is moved, and take it again"),
                        ({"after": "after: { move: \"outbox/{name}.{ext}\" }"}, "would be taken again"),
                        ({"after": "after: { move: done/x.csv }"}, "{name}"),
                        ({"after": "after: burn"}, "expected leave, delete or { move:"),
                        ({"after": "after: { mvoe: x }"}, "Did you mean 'move'?")):
        result = Place(**words).project.wherry("check", code=2)
        tap.contains(result.out + result.err, said)
    rows = Project(pipeline="  back:\n    from: website:orders\n    after: delete\n    columns: all\n"
                            "    to: lake:back/{run}.json\n").wherry("check", code=2)
    tap.contains(rows.out + rows.err, "after is for objects, and `from` reads a database")


if __name__ == "__main__":
    tap.run()
