#!/usr/bin/env python3
"""`complete:` an object of somebody else's is taken when it was renamed, or when its marker is there, and never before."""
import os
import random
import shutil
import signal
import time

import sshd
import tap
from after import LOADS, Place
from project import Project

KILLS = 300 if tap.LONG else 20
LAND = """raw: true
    to: "lake:in/{name}.{ext}\""""
MARKER = 'complete: { marker: "{name}.{ext}.done" }'
RENAMED = 'complete: { renamed_from: ["*.part", "*.tmp", ".*"] }'
DELETE = "\n    after: delete"
MOVE = "\n    after: { move: \"done/{name}.{ext}\" }"
servers = []


class Partner(Place):
    """A place whose pipeline reads all of a folder, or the pattern."""

    def __init__(self, complete, pattern="outbox/*", **words):
        super().__init__(after=complete, **words)
        text = (self.project.folder / "wherry.yaml").read_text()
        self.project.config(text.replace("partner:outbox/*.csv", f"partner:{pattern}"))

    def mark(self, name, age=0):
        path = self.files / "outbox" / name
        path.touch()
        os.utime(path, (time.time() - age,) * 2)

    def landed(self):
        return sorted(f.name for f in (self.project.folder / "lake/in").rglob("*") if f.is_file())


def until(what, wanted, limit=45):
    """Waits for less than a service looks again by itself."""
    end = time.monotonic() + limit
    while what() != wanted and time.monotonic() < end:
        time.sleep(0.05)
    tap.equal(what(), wanted)


def test_a_marker_says_when():
    """A file counts once its marker is there, and the marker is no data"""
    p = Partner(MARKER, to=LAND)
    tap.contains(p.project.wherry("plan").out, "when its marker {name}.{ext}.done is beside it")
    for name in ("a.csv", "b.csv", "plain"):
        p.write(name, (1, "Open"))
    p.mark("b.csv.done")
    p.run()
    tap.equal(p.landed(), ["b.csv"])
    p.mark("a.csv.done")
    p.mark("plain.done")
    p.mark("nobody.csv.done")
    p.run()
    tap.equal(p.landed(), ["a.csv", "b.csv", "plain."])
    p.run()
    tap.equal(p.landed(), ["a.csv", "b.csv", "plain."])


def test_a_marker_by_the_name_alone():
    """{name}.ok stands for any ending, in every folder"""
    p = Partner('complete: { marker: "ok-{name}.ok" }', "outbox/**/x-*", to=LAND)
    for name in ("x-1.csv", "deep/er/x-2.tar.gz", "deep/x-3.csv"):
        p.write(name, (1, "Open"))
    for name in ("ok-x-1.ok", "deep/er/ok-x-2.tar.ok", "ok-x-3.ok"):  # the last is beside another one
        p.mark(name)
    p.run()
    tap.equal(p.landed(), ["x-1.csv", "x-2.tar.gz"])


def test_a_marker_is_of_one_content():
    """A marker that is older than its file speaks of what was there before"""
    p = Partner(MARKER, "outbox/*.csv")
    p.write("1.csv", (1, "Open"), age=60)
    p.mark("1.csv.done", age=50)
    p.run()
    tap.equal(p.rows(), [(1, "Open")])
    p.write("1.csv", (1, "Shipped"), age=40)
    p.run()
    tap.equal(p.rows(), [(1, "Open")])
    p.mark("1.csv.done", age=40)
    p.run()
    tap.equal(p.rows(), [(1, "Shipped")])


def test_what_is_replaced_waits_for_its_marker():
    """What took the place of a file that waits to be loaded is not taken by the marker of the one before"""
    p = Partner(MARKER, "outbox/*.csv")
    p.project.sql("website", "CREATE TABLE orders (other TEXT)")
    p.write("1.csv", (1, "Open"), age=60)
    p.mark("1.csv.done", age=50)
    p.run(code=1)  # the ledger knows of it now
    p.project.sql("website", "DROP TABLE orders")
    p.write("1.csv", (1, "Shipped"), age=10)
    p.project.wherry("quarantine", "replay", "orders", code=None)
    p.run(code=None)
    tap.equal(p.project.sql("website", "SELECT count(*) FROM sqlite_master WHERE name = 'orders'"), [(0,)])
    p.mark("1.csv.done")
    p.run()
    tap.equal(p.rows(), [(1, "Shipped")])


def test_a_marker_is_not_waited_behind():
    """With a marker nothing has to be still first"""
    servers.append(sshd.Sshd())
    p = Partner(MARKER, partner=servers[0].words(path="now", settle="1h"), to=LAND)
    servers[0].write("now/outbox/1.csv", "number,state\n1,Open\n")
    servers[0].write("now/outbox/2.csv", "number,state\n2,Op")
    servers[0].write("now/outbox/1.csv.done", "")
    p.run(timeout=120)
    tap.equal(p.landed(), ["1.csv"])


def test_names_before_it_is_whole():
    """What is still called .part is left alone until it is renamed"""
    p = Partner(RENAMED, to=LAND)
    tap.contains(p.project.wherry("plan").out, "not while it is called *.part, *.tmp, .*")
    for name in ("1.csv.part", ".2.csv", "3.tmp", "4.csv"):
        p.write(name, (1, "Open"))
    p.run()
    tap.equal(p.landed(), ["4.csv"])
    os.rename(p.files / "outbox/1.csv.part", p.files / "outbox/1.csv")
    os.rename(p.files / "outbox/.2.csv", p.files / "outbox/2.csv")
    p.run()
    tap.equal(p.landed(), ["1.csv", "2.csv", "4.csv"])


def test_the_marker_goes_too():
    """`after` removes the marker with its file, and the next file of the name needs one of its own"""
    for after, left in ((DELETE, []), (MOVE, ["done/1.csv"])):
        p = Partner(MARKER + after, "outbox/*.csv")
        p.write("1.csv", (1, "Open"))
        p.mark("1.csv.done")
        p.run()
        tap.equal(p.names(), left)
        p.write("1.csv", (2, "Open"))
        p.run()
        tap.equal(p.rows(), [(1, "Open")])
        tap.equal(p.names(), left + ["outbox/1.csv"])
        p.mark("1.csv.done")
        p.run()
        tap.equal(p.rows(), [(1, "Open"), (2, "Open")])
        tap.equal(p.names("outbox") if (p.files / "outbox").exists() else [], [])


def test_the_marker_goes_first():
    """Where the file cannot be moved yet, its marker is gone already, and what takes its place waits for another"""
    p = Partner(MARKER + MOVE, "outbox/*.csv")
    p.write("1.csv", (1, "Open"))
    p.mark("1.csv.done")
    (p.files / "done").touch()  # where a folder has to be
    p.run(code=None)
    tap.equal(p.rows(), [(1, "Open")])
    tap.equal(p.names(), ["done", "outbox/1.csv"])
    (p.files / "done").unlink()
    p.write("2.csv", (2, "Open"))
    p.run()
    tap.equal(p.names(), ["done/1.csv", "outbox/2.csv"])


def test_others_who_take_less():
    """A reader that never takes such a file is not waited for; a name of before is not put away"""
    other = "  other:\n    from: \"partner:outbox/*\"\n    " + 'complete: { renamed_from: ["[0-4]*"] }' + \
            "\n    raw: true\n    to: \"lake:other/{name}.{ext}\"\n"
    p = Partner(RENAMED + DELETE, to=LAND, more=other)
    for name in ("1.csv", "7.csv", "8.csv.part"):
        p.write(name, (1, "Open"))
    p.run("orders")
    tap.equal(p.names("outbox"), ["7.csv", "8.csv.part"])
    p.project.wherry("run", "other")
    tap.equal(p.names("outbox"), ["8.csv.part"])


def test_nothing_half_by_kills():
    """Killed at any moment, no marker is left without its file, and each content is loaded whole and once"""
    generator = random.Random(tap.SEED)
    p = Partner(MARKER + DELETE, "outbox/*.csv")
    expected = {}
    for number in range(KILLS):
        name = f"{number % 3}.csv"
        path = p.files / "outbox" / name
        if not path.exists():
            p.write(name, (number, "Open"), (number + 100000, "Open"))
            p.mark(f"{name}.done")
            expected |= {number: "Open", number + 100000: "Open"}
        process = p.project.start("run")
        time.sleep(generator.random() * 0.12)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        for marker in (p.files / "outbox").glob("*.done"):
            assert marker.with_suffix("").exists(), marker
    p.run()
    p.run()
    tap.equal(p.rows(), sorted(expected.items()))
    tap.equal(p.names(), [])


def test_a_service_hears_of_markers():
    """`wherry up` takes a file of a folder when its marker comes"""
    p = Partner(MARKER + DELETE, "outbox/*.csv")
    (p.files / "outbox").mkdir(parents=True)
    process = p.project.start("up")
    try:
        p.write("1.csv", (1, "Open"))
        p.mark("1.csv.done")
        until(p.names, [])
        tap.equal(p.rows(), [(1, "Open")])
        p.write("2.csv", (2, "Open"))
        time.sleep(0.5)  # it is looked at in vain; or not yet, which is as well
        p.mark("2.csv.done")
        until(p.names, [])
        tap.equal(p.rows(), [(1, "Open"), (2, "Open")])
    finally:
        process.terminate()
        process.communicate()


def test_begin_now_waits_for_markers_too():
    """What had no marker at first sight is taken when it has one"""
    p = Partner(MARKER + "\n    begin: now", "outbox/*.csv")
    for name in ("1", "2"):
        p.write(f"{name}.csv", (int(name), "Open"))
    p.mark("1.csv.done")
    p.run()
    p.mark("2.csv.done")
    p.run()
    tap.equal(p.rows(), [(2, "Open")])


def test_an_sftp_server():
    """On a partner's server, with files that are removed or moved"""
    servers.append(sshd.Sshd())
    server = servers[-1]
    for after, left in ((DELETE, []), (MOVE, ["done/1.csv", "done/2.csv"])):
        folder = f"place-{len(left)}"
        p = Partner(MARKER[:-2] + ', renamed_from: [".*"] }' + after, partner=server.words(path=folder, settle=0))
        p.files = server.files / folder
        for name in ("1.csv", "2.csv", "3.csv", ".4.csv"):
            server.write(f"{folder}/outbox/{name}", f"number,state\n{name.strip('.')[0]},Open\n", 60)
            if name != "3.csv":
                server.write(f"{folder}/outbox/{name}.done", "", 50)
        p.run()
        tap.equal(p.rows(), [(1, "Open"), (2, "Open")])
        tap.equal(p.names(), sorted(left + ["outbox/.4.csv", "outbox/.4.csv.done", "outbox/3.csv"]))
        shutil.rmtree(p.files)


def test_what_check_refuses():
    """Words that mean nothing, or would mean that nothing is ever taken"""
    expected = "expected the name of an object beside another"
    for complete, pattern, said in (
            ('complete: { marker: "done/{name}" }', "outbox/*.csv", expected),
            ('complete: { marker: "_SUCCESS" }', "outbox/*.csv", expected),
            ('complete: { marker: "{name}.{ext}" }', "outbox/*.csv", expected),
            ('complete: { marker: "{name}-{run}" }', "outbox/*.csv", expected),
            ('complete: { marker: "{name}.csv" }', "outbox/*.csv", "would be taken for a marker"),
            ('complete: {}', "outbox/*.csv", "needs marker, renamed_from, or both"),
            ('complete: { renamed_from: "*.csv" }', "outbox/*.csv", "none of it would ever be taken"),
            ('complete: { renamed_from: "tmp/*" }', "outbox/*.csv", "patterns of names without folders"),
            ('complete: { markers: x }', "outbox/*.csv", "Did you mean 'marker'?")):
        result = Partner(complete, pattern).project.wherry("check", code=2)
        tap.contains(result.out + result.err, said)
    rows = Project(pipeline="  back:\n    from: website:orders\n    complete: { marker: \"{name}.ok\" }\n"
                            "    columns: all\n    to: lake:back/{run}.json\n").wherry("check", code=2)
    tap.contains(rows.out + rows.err, "complete is for objects, and `from` reads a database")


if __name__ == "__main__":
    tap.run()
