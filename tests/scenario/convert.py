#!/usr/bin/env python3
"""`wherry convert`: one file to another format, whole or not at all, whatever happens meanwhile."""
import json
import os
import pty
import resource
import signal
import subprocess
import time

import tap
from project import Project


class Place:
    """A folder, and converts in it."""

    def __init__(self):
        self.folder = tap.folder()

    def write(self, name, text):
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def rows(self, name="in.ndjson", count=1000, **more):
        return self.write(name, "".join(json.dumps({"id": i, "name": f"row {i}", **more}) + "\n"
                                        for i in range(count)))

    def read(self, name):
        return (self.folder / name).read_text()

    def names(self):
        return sorted(path.name for path in self.folder.iterdir())

    def convert(self, *args, code=0, **more):
        done = subprocess.run([str(tap.WHERRY), "convert", *map(str, args)], cwd=self.folder, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=300, **more)
        assert code is None or done.returncode == code, \
            f"convert {args}: expected exit {code}, got {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def refuses(self, *args, says, code=2, **more):
        before = self.names()
        done = self.convert(*args, code=code, **more)
        tap.contains(done.stderr, says)
        tap.equal(done.stderr.count("\n"), 1, done.stderr)
        tap.equal(self.names(), before, "what is left behind")
        return done


def test_json_and_ndjson_become_one_another():
    p = Place()
    rows = [{"id": 1, "name": "a", "tags": ["x", None], "at": {"x": 1.5}},
            {"id": -2**63, "name": "\u00e9\n\"", "tags": [], "at": None},
            {"id": None, "name": None, "tags": None, "at": {"x": None}}]
    p.write("a.ndjson", "".join(json.dumps(r) + "\n" for r in rows))
    p.convert("a.ndjson", "a.json")
    tap.equal(json.loads(p.read("a.json")), rows)
    p.convert("a.json", "b.ndjson")
    tap.equal([json.loads(line) for line in p.read("b.ndjson").splitlines()], rows)
    p.convert("a.ndjson", "c.data", "--write", "type=json")
    tap.equal(p.read("c.data"), p.read("a.json"))
    p.convert("c.data", "c.ndjson", "--read", "type=json")
    tap.equal(p.read("c.ndjson"), p.read("b.ndjson"))
    tap.equal(p.names(), ["a.json", "a.ndjson", "b.ndjson", "c.data", "c.ndjson"])


FORMATS = ("csv", "json", "ndjson", "parquet")
SANITIZED = b"__asan_init" in tap.WHERRY.read_bytes() or b"__tsan_init" in tap.WHERRY.read_bytes()


def test_every_format_becomes_every_other():
    """All pairs, through parts, lanes and row groups; the values are the same at the end of each."""
    p = Place()
    count = 20_000 if SANITIZED else 150_000
    with open(p.folder / "first.ndjson", "w") as out:
        for i in range(count):
            name = "null" if i % 97 == 0 else json.dumps(f'n{i}, "\u00e9"\n;' if i % 11 == 0 else f"name {i}")
            out.write(f'{{"id":{i},"name":{name},"ratio":{i % 1000 / 8},"on":{"true" if i % 3 else "false"},'
                      f'"at":"2026-{i % 12 + 1:02}-{i % 28 + 1:02}T08:00:00.5Z"}}\n')
    want = json.loads(p.convert("first.ndjson", "want.ndjson", "--json").stdout)["schema"]
    for one in FORMATS:
        p.convert("want.ndjson", f"a.{one}")
        for other in FORMATS:
            told = json.loads(p.convert(f"a.{one}", f"b.{other}", "--force", "--json").stdout)
            tap.equal([told["rows_read"], told["rows_written"], told["rows_quarantined"]], [count, count, 0],
                      f"{one} -> {other}")
            size = (p.folder / f"a.{one}").stat().st_size
            if one != "parquet":
                tap.equal(told["bytes_read"], size, f"{one} -> {other}")
            told = json.loads(p.convert(f"b.{other}", "c.ndjson", "--force", "--json").stdout)
            assert p.read("c.ndjson") == p.read("want.ndjson"), f"{one} -> {other} lost something"
            if {one, other} <= {"ndjson", "json", "parquet"}:
                tap.equal(told["schema"], want, f"{one} -> {other}")


def test_csv_is_told_how_it_was_read():
    p = Place()
    p.write("in.csv", "id;price;when\n" + "".join(f"{i};{i},5;2026-11-20\n" for i in range(100)))
    done = p.convert("in.csv", "out.parquet")
    tap.contains(done.stderr, "It was read as delimiter \";\"")
    told = json.loads(p.convert("in.csv", "out.parquet", "--force", "--json", "--read", "delimiter=;",
                                "--read", "decimal=,", "--write", "compression=zstd").stdout)
    tap.equal([f["type"] for f in told["schema"]], ["int64", "float64", "date"])
    p.refuses("in.csv", "x.parquet", "--read", "delimeter=;",
              says="--read has no word 'delimeter'. Did you mean 'delimiter'?")
    p.refuses("in.csv", "x.parquet", "--write", "compression=zst",
              says="--write: compression: expected snappy, zstd, lz4 or none, found 'zst'. Did you mean 'zstd'?")
    p.refuses("in.csv", "x.parquet", "--write", "compression=snappy", "--write", "level=99", says="level")


def test_bad_rows_of_csv_are_kept_with_their_places():
    p = Place()
    lines = ["id,text"] + [f"{i},{'x' * 60}" for i in range(250_000)]
    lines[5] = '5,"two\nlines"'
    bad = [77, 100_001, 200_002, 249_999]
    for at in bad:
        lines[at] += ",too,many"
    p.write("in.csv", "\n".join(lines) + "\n")
    told = json.loads(p.convert("in.csv", "out.parquet", "--json", code=3).stdout)
    tap.equal([told["rows_read"], told["rows_written"], told["rows_quarantined"]], [250_000, 249_996, 4])
    rejected = [json.loads(line) for line in p.read("out.parquet.rejected.ndjson").splitlines()]
    tap.equal([r["row"] for r in rejected], bad)
    tap.equal([r["line"] for r in rejected], [at + 2 for at in bad])  # the header, and one row of two lines


def test_a_later_type_of_csv_holds_for_all():
    p = Place()
    with open(p.write("in.csv", "id,n\n"), "a") as out:
        out.writelines(f"{i},{i}\n" for i in range(600_000))
        out.write("600000,none\n")
    told = json.loads(p.convert("in.csv", "out.parquet", "--json").stdout)
    tap.equal([told["rows_written"], [f["type"] for f in told["schema"]]], [600_001, ["int64", "string"]])


def test_a_damaged_parquet_file_makes_nothing():
    p = Place()
    p.rows(count=200_000, text="x" * 40)
    p.convert("in.ndjson", "in.parquet", "--write", "compression=none")
    os.unlink(p.folder / "in.ndjson")
    whole = (p.folder / "in.parquet").read_bytes()
    p.write("cut.parquet", whole[:-9])
    p.refuses("cut.parquet", "out.csv", says="cut.parquet: ", code=1)
    middle = len(whole) // 2
    p.write("flipped.parquet", whole[:middle] + bytes([whole[middle] ^ 0x40]) + whole[middle + 1:])
    p.refuses("flipped.parquet", "out.csv", says="flipped.parquet: ", code=1)


def test_many_parts_come_out_in_order():
    p = Place()
    p.rows(count=400_000, text="x" * 30)
    done = p.convert("in.ndjson", "out.json", "--json", "--memory", "20MiB")
    told = json.loads(done.stdout)
    tap.equal([told["rows_read"], told["rows_written"], told["rows_quarantined"]], [400_000, 400_000, 0])
    tap.equal(told["bytes_read"], (p.folder / "in.ndjson").stat().st_size)
    tap.equal(told["bytes_written"], (p.folder / "out.json").stat().st_size)
    tap.equal([row["id"] for row in json.loads(p.read("out.json"))], list(range(400_000)))
    p.convert("in.ndjson", "again.ndjson")
    tap.equal([json.loads(line)["id"] for line in p.read("again.ndjson").splitlines()],
              list(range(400_000)))


def test_a_type_that_a_late_row_needs_holds_for_all():
    p = Place()
    with open(p.rows(count=200_000, text="x" * 40), "a") as out:
        out.write('{"id": 1.5, "more": true}\n')
    told = json.loads(p.convert("in.ndjson", "out.ndjson", "--json").stdout)
    tap.equal([told["rows_written"], told["rows_quarantined"]], [200_001, 0])
    last = p.read("out.ndjson").splitlines()[-1]
    tap.equal(json.loads(last), {"id": 1.5, "name": None, "text": None, "more": True})
    tap.contains(json.dumps(told["schema"]), '"more"')


def test_bad_rows_are_kept_with_their_places():
    p = Place()
    lines = [json.dumps({"id": i, "text": "x" * 60}) for i in range(250_000)]
    bad = [17, 99_999, 200_001, 249_999]
    for at in bad:
        lines[at] = f'{{"id": nonsense {at}}}'
    lines[100_000] = ""  # a line, but no row
    p.write("in.ndjson", "\n".join(lines) + "\n")
    done = p.convert("in.ndjson", "out.json", "--json", code=3)
    told = json.loads(done.stdout)
    tap.equal([told["rows_read"], told["rows_written"], told["rows_quarantined"]],
              [249_999, 249_995, 4])
    tap.equal(told["rejected"], "out.json.rejected.ndjson")
    whole = p.read("in.ndjson")
    rejected = [json.loads(line) for line in p.read("out.json.rejected.ndjson").splitlines()]
    rejected.sort(key=lambda r: r["line"])
    tap.equal([r["line"] for r in rejected], [at + 1 for at in bad])
    tap.equal([r["row"] for r in rejected], [at + 1 - (at > 100_000) for at in bad])
    for at, r in zip(bad, rejected):
        tap.equal(r["text"], lines[at])
        tap.equal(r["byte"] - (r["at"] - 1), whole.index(lines[at] + "\n"))
    done = p.convert("in.ndjson", "out.json", "--force", code=3)
    tap.contains(done.stderr, "4 rows were rejected. Why: out.json.rejected.ndjson")


def test_what_is_there_is_replaced_only_when_asked():
    p = Place()
    p.rows()
    p.write("out.json", "mine")
    p.refuses("in.ndjson", "out.json", says="out.json is there already. To replace it: --force")
    tap.equal(p.read("out.json"), "mine")
    p.convert("in.ndjson", "out.json", "--force")
    tap.equal(len(json.loads(p.read("out.json"))), 1000)
    p.write("other.json.rejected.ndjson", "of another one")
    p.refuses("in.ndjson", "other.json", says="other.json.rejected.ndjson is there already")
    p.convert("in.ndjson", "other.json", "--force")  # nothing was rejected this time
    tap.equal(p.names(), ["in.ndjson", "other.json", "out.json"])


def test_in_is_never_its_own_out():
    p = Place()
    before = p.rows().read_bytes()
    for out in ("in.ndjson", "./in.ndjson", "../" + p.folder.name + "/in.ndjson"):
        p.refuses("in.ndjson", out, "--force", says="is what is read. Write to another name")
    os.link(p.folder / "in.ndjson", p.folder / "twin.ndjson")
    p.refuses("in.ndjson", "twin.ndjson", "--force", says="is what is read")
    os.symlink("in.ndjson", p.folder / "link.ndjson")
    p.refuses("link.ndjson", "in.ndjson", "--force", says="is what is read")
    tap.equal(p.read("in.ndjson").encode(), before)


def test_links_are_followed_when_read_and_replaced_when_written():
    p = Place()
    p.rows(count=3)
    os.symlink("in.ndjson", p.folder / "link.ndjson")
    p.write("real.json", "mine")
    os.symlink("real.json", p.folder / "out.json")
    p.refuses("link.ndjson", "out.json", says="out.json is there already")
    p.convert("link.ndjson", "out.json", "--force")
    tap.equal(p.read("real.json"), "mine")
    assert not (p.folder / "out.json").is_symlink()
    tap.equal(len(json.loads(p.read("out.json"))), 3)
    os.symlink("nowhere.ndjson", p.folder / "dangling.ndjson")
    p.refuses("dangling.ndjson", "x.json", says="dangling.ndjson", code=None)


def test_words_that_are_wrong_are_told_with_the_nearest_right_one():
    p = Place()
    p.rows()
    p.refuses("in.ndjson", "out.json", "--read", "type=ndjso",
              says="--read: no codec 'ndjso'. Did you mean 'ndjson'?")
    p.refuses("in.ndjson", "out.json", "--write", "typ=json", says="--write has no word 'typ'.")
    p.refuses("in.ndjson", "out.json", "--write", "type=json", "--write", "type=ndjson",
              says="--write type is given twice")
    p.refuses("in.ndjson", "out.json", "--read", "type", says="--read takes option=value, not 'type'")
    p.refuses("in.ndjson", "out.json", "--read", "=x", says="--read takes option=value, not '=x'")
    p.refuses("in.ndjson", "out.json", "--read", "type=[json]", says="--read")
    p.refuses("in.ndjson", "out.json", "--forse", says="--force")
    for memory in ("1KiB", "lots", "-5", ""):
        p.refuses("in.ndjson", "out.json", "--memory", memory, says="--memory needs a size from")
    p.refuses("in.ndjson", "out.txt", says="out.txt: no codec writes files with this ending")
    p.refuses("in.ndjson", "out", says="out: no codec writes files with this ending")
    p.write("in.txt", "{}")
    p.refuses("in.txt", "out.json", says="in.txt: no codec reads files with this ending")
    for words in ([], ["in.ndjson"], ["in.ndjson", "out.json", "more.json"]):
        assert p.convert(*words, code=2).stderr


def test_places_that_are_wrong_are_told():
    p = Place()
    p.rows()
    os.mkdir(p.folder / "folder.json")
    p.refuses("none.ndjson", "out.json", says="none.ndjson: there is no such file", code=1)
    p.refuses("folder.json", "out.json", says="folder.json is a folder, not a file")
    p.refuses("in.ndjson", "folder.json", says="folder.json is a folder")
    p.refuses("in.ndjson", "folder.json", "--force", says="folder.json is a folder")
    p.refuses("in.ndjson", "no/such/out.json", says="no/such: there is no such folder", code=1)
    os.mkfifo(p.folder / "pipe.ndjson")
    p.refuses("pipe.ndjson", "out.json", says="pipe.ndjson is")
    if os.geteuid() != 0:
        os.chmod(p.folder / "in.ndjson", 0)
        p.refuses("in.ndjson", "out.json", says="in.ndjson", code=1)


def test_an_empty_file_has_no_columns_to_write():
    p = Place()
    p.write("in.ndjson", "")
    p.write("blank.ndjson", "\n\n")
    p.write("list.json", "[]")
    for name in ("in.ndjson", "blank.ndjson", "list.json"):
        p.refuses(name, "out.json", says=f"{name}: has no columns, so there is nothing to write", code=1)
    p.write("nothing.json", "")
    p.refuses("nothing.json", "x.ndjson", says="nothing.json: ", code=1)


def test_a_broken_file_makes_nothing():
    p = Place()
    p.rows("in.json")
    p.write("in.json", '[{"id":1},\n{"id":2},\n{"id":')
    done = p.refuses("in.json", "out.ndjson", says="in.json: ", code=1)
    tap.contains(done.stderr, "line 3")
    tap.contains(done.stderr, "Nothing of it was loaded.")


def test_a_row_that_is_too_large_is_told():
    p = Place()
    with open(p.rows(count=50_000, text="x" * 40), "a") as out:
        out.write(json.dumps({"id": 1, "text": "y" * (12 << 20)}) + "\n")
    done = p.refuses("in.ndjson", "out.json", says="in.ndjson: ", code=1)
    tap.contains(done.stderr, "row 50001")
    p.convert("in.ndjson", "out.json", "--memory", "256MiB")
    tap.equal(len(json.loads(p.read("out.json"))), 50_001)


def test_a_kill_leaves_out_as_it_was():
    p = Place()
    p.rows(count=300_000, text="x" * 100)
    p.write("out.json", "[]")
    killed = 0
    for i in range(12 if not tap.LONG else 100):
        process = subprocess.Popen([str(tap.WHERRY), "convert", "in.ndjson", "out.json", "--force"],
                                   cwd=p.folder, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.01 + 0.02 * i)
        process.kill()
        process.wait()
        if p.read("out.json") == "[]":
            killed += process.returncode == -signal.SIGKILL
            continue
        tap.equal(len(json.loads(p.read("out.json"))), 300_000)
        p.write("out.json", "[]")
    assert killed, "it was always faster"
    p.convert("in.ndjson", "out.json", "--force")
    tap.equal(len(json.loads(p.read("out.json"))), 300_000)
    tap.equal(p.names(), ["in.ndjson", "out.json"], "what a kill left behind")


def test_a_stop_leaves_nothing():
    p = Place()
    p.rows(count=600_000, text="x" * 100)
    process = subprocess.Popen([str(tap.WHERRY), "convert", "in.ndjson", "out.json", "--memory", "20MiB"],
                               cwd=p.folder, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for _ in range(1000):
        if len(p.names()) > 1:
            break
        time.sleep(0.005)
    process.terminate()
    _, said = process.communicate(timeout=60)
    if process.returncode == 0 and "out.json" in p.names():
        raise tap.Skip("it was done before it could be stopped")
    tap.equal(process.returncode, 1, said)
    tap.contains(said, "stopped")
    tap.equal(p.names(), ["in.ndjson"])


def test_a_full_disk_leaves_nothing():
    p = Place()
    p.rows(count=100_000, text="x" * 100)

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    p.refuses("in.ndjson", "out.json", says="out.json", code=1, preexec_fn=limit)


def test_two_at_once_do_not_mix():
    p = Place()
    p.rows(count=200_000, text="x" * 100)
    both = [subprocess.Popen([str(tap.WHERRY), "convert", "in.ndjson", "out.json", "--force"], cwd=p.folder,
                             stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[1] for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes in ([0, 0], [0, 1]), (codes, said)
    if codes == [0, 1]:
        tap.contains("".join(said), "out.json: another wherry is writing it")
    tap.equal(len(json.loads(p.read("out.json"))), 200_000)
    tap.equal(p.names(), ["in.ndjson", "out.json"])


def test_a_file_that_changes_while_it_is_read_makes_nothing():
    p = Place()
    path = p.rows(count=600_000, text="x" * 100)
    process = subprocess.Popen([str(tap.WHERRY), "convert", "in.ndjson", "out.json"], cwd=p.folder,
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for _ in range(1000):
        if len(p.names()) > 1:
            break
        time.sleep(0.002)
    with open(path, "a") as file:
        file.write('{"id": 1}\n')
    _, said = process.communicate(timeout=60)
    if process.returncode == 0:
        raise tap.Skip("it was done before the file changed")
    tap.equal(process.returncode, 1)
    tap.contains(said, "changed while it was read")
    tap.equal(p.names(), ["in.ndjson"])


def test_what_is_told_fits_who_listens():
    p = Place()
    p.rows(count=1)
    done = p.convert("in.ndjson", "out.json")
    tap.equal(done.stdout, "")
    tap.contains(done.stderr, "out.json   1 row   ")
    told = json.loads(p.convert("in.ndjson", "b.json", "--json").stdout)
    assert {"in", "out", "seconds", "bytes_read", "bytes_written", "rows_read", "rows_written",
            "rows_quarantined", "schema"} <= set(told), told
    assert "rejected" not in told
    done = p.convert("in.ndjson", "b.json", "--json", code=2)
    tap.contains(json.loads(done.stderr or done.stdout)["error"], "b.json is there already")


def test_a_terminal_sees_how_far_it_is():
    p = Place()
    p.rows(count=600_000, text="x" * 100)
    main, other = pty.openpty()
    process = subprocess.Popen([str(tap.WHERRY), "convert", "in.ndjson", "out.json", "--memory", "20MiB"],
                               cwd=p.folder, stdin=subprocess.DEVNULL, stderr=other, stdout=other,
                               env={**os.environ, "TERM": "xterm"})
    os.close(other)
    said = b""
    try:
        while chunk := os.read(main, 65536):
            said += chunk
    except OSError:
        pass
    os.close(main)
    tap.equal(process.wait(60), 0)
    assert b"rows/s" in said and b"left" in said, said[-500:]
    tap.contains(said.decode().splitlines()[-1], "600,000 rows")


def test_memory_holds():
    p = Project(config="version: 1\n")
    with open(p.folder / "in.ndjson", "w") as out:
        for i in range(4 if SANITIZED else 40):
            out.write("".join(f'{{"id":{i * 25000 + j},"name":"row {j}","text":"{"x" * 80}"}}\n'
                              for j in range(25_000)))
    tap.equal(p.wherry("convert", "in.ndjson", "in.csv").code, 0)
    tap.equal(p.wherry("convert", "in.ndjson", "in.parquet").code, 0)
    for words in (("in.ndjson", "out.ndjson"), ("in.csv", "out.parquet"), ("in.parquet", "out.csv"),
                  ("in.ndjson", "out.parquet")):
        for memory in (20, 64):
            done = p.measured("convert", *words, "--force", "--memory", f"{memory}MiB")
            tap.equal(done.code, 0, done)
            tap.note(f"{' -> '.join(words)}, --memory {memory}MiB: {done.peak / (1 << 20):.1f} MiB at most")
            if not SANITIZED:
                assert done.peak <= memory << 20, f"{done.peak} bytes with {memory} MiB"


tap.run()
