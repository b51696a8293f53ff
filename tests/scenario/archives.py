#!/usr/bin/env python3
"""`read: { members: ... }`: the rows of a ZIP archive's members are those of one object, and an archive that is not what it
says is not loaded."""
import io
import os
import random
import signal
import struct
import time
import zipfile

import sshd
import tap
from project import Project, only_release

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
    from: "partner:outbox/*.zip"
    read: {{ members: "{members}"{format} }}
    {more}
    columns: all
    to: {to}
"""
LOADS = "website:orders\n    write: { mode: upsert, key: number }"
APPENDS = "website:orders"
KILLS = 200 if tap.LONG else 15
servers = []


def csv(*rows, header="number,state"):
    return header + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)


def archive(members, method=zipfile.ZIP_DEFLATED, stream=False):
    """The bytes of an archive of (name, text); `stream`: as it is written to a pipe, sizes behind the bytes."""
    class Pipe(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            made.extend(data)
            return len(data)
    made, whole = bytearray(), io.BytesIO()
    with zipfile.ZipFile(Pipe() if stream else whole, "w", method) as out:
        for name, text in members:
            out.writestr(name, text)
    return bytes(made) if stream else whole.getvalue()


class Place:
    def __init__(self, members="*.csv", to=LOADS, partner="{ type: local, path: partner }", format="", more="", top=""):
        self.project = Project(config=CONFIG.format(members=members, to=to, partner=partner, format=format, more=more,
                                                    top=top))
        self.box = self.project.folder / "partner/outbox"
        self.box.mkdir(parents=True)

    def put(self, data, name="orders.zip"):
        (self.box / name).write_bytes(data)
        os.utime(self.box / name, (time.time() - 60,) * 2)

    def run(self, *args, **more):
        return self.project.wherry("run", *args, **more)

    def rows(self, columns="number, state"):
        return sorted(self.project.sql("website", f"SELECT {columns} FROM orders"))

    def refused(self, data, *said):
        """It is a dead letter, and nothing of it was loaded."""
        self.put(data)
        result = self.run(code=1)
        for words in said:
            tap.contains(result.out + result.err, words)
        tap.equal(self.project.sql("website", "SELECT count(*) FROM sqlite_master WHERE name = 'orders'"), [(0,)])


TWO = [("a.csv", csv((1, "Open"), (2, "Shipped"))), ("read.me", "no data"), ("b.csv", csv((3, "Open")))]


def test_members_are_rows():
    """The members that match are loaded, as one object; the others stay"""
    for stream in (False, True):
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            p = Place()
            p.put(archive(TWO, method, stream))
            tap.contains(p.project.wherry("plan").out, "2 of the archive's 3 members")
            report = p.run("--json").lines()[0]
            tap.equal((report["rows_read"], report["rows_written"]), (3, 3))
            tap.equal(p.rows(), [(1, "Open"), (2, "Shipped"), (3, "Open")])
            tap.contains(p.project.wherry("verify").out, "equal")


def test_members_in_folders():
    """A pattern goes into folders where it says so"""
    p = Place(members="2026/**/*.csv")
    p.put(archive([("2026/11/a.csv", csv((1, "Open"))), ("2025/11/b.csv", csv((2, "Open"))), ("c.csv", csv((3, "Open"))),
                   ("2026/", ""), ("2026/d.csv", csv((4, "Open")))]))
    p.run()
    tap.equal(p.rows(), [(1, "Open"), (4, "Open")])


def test_columns_of_all_members():
    """Columns and types hold what all members have, whichever has them first"""
    p = Place(to=APPENDS)
    p.put(archive([("a.csv", csv((1, "Open"))), ("b.csv", csv((2, "x", "1.5"), header="number,state,total")),
                   ("c.csv", csv(("three",), header="number")), ("d.csv", csv((4, "y", 7), header="number,state,total"))]))
    p.run()
    tap.equal(p.rows("number, state, total"), [("1", "Open", None), ("2", "x", 1.5), ("4", "y", 7), ("three", None, None)])
    j = Place(to=APPENDS, members="*.json")
    j.put(archive([("a.json", '[{"n": 1}]'), ("b.json", '[{"n": 2, "deep": {"x": 1}}, {"deep": null}]'), ("c.json", "[]")]))
    j.run()
    tap.equal(j.project.sql("website", "SELECT count(*) FROM orders"), [(3,)])


def test_the_format_is_the_members():
    """read.format says how members are written; a member may have an ending of its own"""
    p = Place(members="*.txt", format=", format: { type: csv, delimiter: ';' }")
    p.put(archive([("a.txt", "number;state\n1;Open\n")]))
    p.run()
    tap.equal(p.rows(), [(1, "Open")])
    mixed = Place(members="*.*")
    mixed.put(archive([("a.csv", csv((1, "Open"))), ("b.ndjson", '{"number": 2, "state": "Open"}\n')]))
    mixed.run()
    tap.equal(mixed.rows(), [(1, "Open"), (2, "Open")])


def test_rejected_rows_have_their_numbers():
    """A row's number counts through all members, and it can be replayed"""
    p = Place(more="expect: { state: { in: [Open, Shipped] } }")
    p.put(archive([("a.csv", csv((1, "Open"), (2, "Opne"))), ("b.csv", csv((3, "Open"), (4, "Shiped"))),
                   ("c.csv", csv(("5", "Open", "more"), (6, "Open")))]))
    p.run(code=3)
    tap.equal(p.rows(), [(1, "Open"), (3, "Open"), (6, "Open")])
    kept = p.project.wherry("quarantine", "show", "orders", "--json").out
    tap.contains(kept, '"row":2')
    tap.contains(kept, '"row":4')
    tap.contains(kept, '"row":5')
    text = (p.project.folder / "wherry.yaml").read_text()
    p.project.config(text.replace("[Open, Shipped]", "[Open, Opne, Shipped, Shiped]"))
    p.project.wherry("quarantine", "replay", "orders", code=None)
    tap.equal(p.rows(), [(1, "Open"), (2, "Opne"), (3, "Open"), (4, "Shiped"), (6, "Open")])


def test_nothing_is_lost_by_kills():
    """Killed in the middle of archives that are committed in chunks, every row is loaded once"""
    generator = random.Random(tap.SEED)
    p = Place(to=APPENDS, more="chunk: 700")
    count = 0
    for number in range(4):
        members = []
        for name in "abc":
            rows = [(count + i, "Open") for i in range(3000)]
            count += len(rows)
            members.append((f"{name}.csv", csv(*rows)))
        p.put(archive(members), f"{number}.zip")
    for _ in range(KILLS):
        process = p.project.start("run")
        time.sleep(generator.random() * 0.15)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    p.run()
    tap.equal(p.project.sql("website", "SELECT count(*), count(DISTINCT number), max(number) FROM orders"),
              [(count, count, count - 1)])


def test_a_large_archive_in_little_memory():
    """Many members and a large one stay inside the memory that was given"""
    only_release()
    p = Place(to="\"lake:out/{run}.ndjson\"", top="memory: 32MiB")
    line = "1234567,Open and a good deal of text behind it\n"
    many = [(f"{i:05}.csv", csv((i, "Open"))) for i in range(5000)]
    p.put(archive([*many, ("large.csv", "number,state\n" + line * 1_500_000),
                   ("more.csv", csv((1, "Open", "x"), header="number,state,more"))]))
    result = p.project.measured("run")
    assert result.code == 0, result
    out, = (p.project.folder / "lake/out").glob("*.ndjson")
    with open(out) as lines:
        tap.equal(sum(1 for _ in lines), 1_505_001)
    tap.note(f"peak {result.peak / (1 << 20):.1f} MiB")
    assert result.peak < 32 << 20, result.peak


def test_an_sftp_server():
    """An archive of a partner's server is read where it is"""
    servers.append(sshd.Sshd())
    p = Place(partner=servers[0].words(settle=0))
    servers[0].write("outbox/orders.zip", archive(TWO), 60)
    p.run()
    tap.equal(p.rows(), [(1, "Open"), (2, "Shipped"), (3, "Open")])


def swap(data, old, new, count=-1):
    assert old in data and len(old) == len(new)
    return data.replace(old, new, count)


def test_names_that_lead_elsewhere():
    """An archive with a name that is absolute, climbs or has control characters is refused, read or not"""
    for name in ("../x.csv", "/etc/x.csv", "a/../../b.txt", "a\nb.csv", "a//b.csv", "./x.csv"):
        data = archive([("a.csv", csv((1, "Open"))), ("X" * len(name), csv((2, "Open")))])
        Place().refused(swap(data, b"X" * len(name), name.encode()), "has a name that leads elsewhere")


def test_what_is_not_what_it_says():
    """Damage, encryption, a directory that lies, archives in archives and members that share bytes load nothing"""
    good = archive(TWO, zipfile.ZIP_STORED)
    start = struct.unpack("<I", good[-6:-2])[0]  # of the directory
    inner = archive(TWO)
    Place().refused(good[:-1], "no end record")
    Place().refused(good[:200], "no end record")
    Place().refused(b"number,state\n1,Open\n" * 10, "is no ZIP archive")
    Place().refused(swap(good, b"1,Open\n2", b"1,Opne\n2"), "a.csv", "the CRC differs")
    Place().refused(good[:start] + swap(good[start:], b"a.csv", b"z.csv"), "its directory says something else")
    encrypted = bytearray(good)
    encrypted[6] |= 1
    encrypted[start + 8] |= 1
    Place().refused(bytes(encrypted), "a.csv: is encrypted")
    Place(members="**").refused(archive([("in.zip", inner)], zipfile.ZIP_STORED), "in.zip: no codec reads")
    Place(members="*.gz", format=", format: { type: csv }").refused(archive([("a.csv.gz", "x")]), "compressed once more")
    Place().refused(archive([("other.txt", "x")]), "none of the archive's 1 members matches '*.csv'")
    Place().refused(archive([]), "none of the archive's 0 members")
    bzip2 = archive(TWO, zipfile.ZIP_BZIP2)
    Place().refused(bzip2, "compressed by method 12")


def test_bombs():
    """Entries that share their bytes, and a ratio that no table has, are refused before anything is opened"""
    kernel = archive([("a.csv", "x\n" * 500_000)])
    start = struct.unpack("<I", kernel[-6:-2])[0]
    entry = kernel[start:-22]
    entries = b"".join(swap(entry, b"a.csv", b"%05d" % i) for i in range(1000))
    end = struct.pack("<IHHHHIIH", 0x06054b50, 0, 0, 1000, 1000, len(entries), start, 0)
    began = time.monotonic()
    Place().refused(kernel[:start] + entries + end, "share bytes")
    zeros = io.BytesIO()
    with zipfile.ZipFile(zeros, "w", zipfile.ZIP_DEFLATED) as out:
        with out.open("zeros.csv", "w") as member:
            for _ in range(300):
                member.write(bytes(1 << 20))
    Place().refused(zeros.getvalue(), "more than 500 times as large")
    assert time.monotonic() - began < 120


def test_what_check_refuses():
    """Members are of objects, and of a format that is read from its beginning"""
    for text, said in (("read: { members: \"*.parquet\" }", "is read from its end"),
                       ("read: { members: \"*.xyz\" }", "ends in '.xyz'"),
                       ("raw: true\n    read: { members: \"*.csv\" }", "excludes raw"),
                       ("", "Say which of them are read, such as read: { members: \"*.csv\" }")):
        config = CONFIG.format(members="*.csv", to=LOADS, partner="{ type: local, path: partner }", format="", more="",
                               top="").replace('read: { members: "*.csv" }', text)
        result = Project(config=config).wherry("check", code=2)
        tap.contains(result.out + result.err, said)
    rows = Project(pipeline="  back:\n    from: website:orders\n    read: { members: \"*.csv\" }\n    columns: all\n"
                            "    to: lake:back/{run}.json\n").wherry("check", code=2)
    tap.contains(rows.out + rows.err, "members is for objects, and `from` reads a database")


if __name__ == "__main__":
    tap.run()
