#!/usr/bin/env python3
"""`wherry copy`: objects from folder to folder, many at once, again, interrupted, and with their proof."""
import os
import random
import signal
import time

import tap
from project import Project

CONFIG = """\
version: 1
connections:
  erp: { type: sqlite, path: erp.db }
  lake: { type: local, path: lake }
  archive: { type: local, path: archive }
  website: { type: sqlite, path: website.db }
pipelines:
  export:
    from: erp:sales_order
    columns: all
    to: lake:inbound/orders-{run}.json
  import:
    from: archive:2026/*.json
    columns: all
    to: website:orders
    write: { mode: upsert, key: order_number }
"""
NAMES = ("a.csv", "b/c.csv", "b/d/e f+%.csv", "b/d/\u00fc.csv", "b/empty.csv", "x.json")


def project(names=NAMES, size=1000):
    p = Project(config=CONFIG)
    rng = random.Random(tap.SEED)
    for name in names:
        path = p.folder / "lake/in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if "empty" in name else rng.randbytes(rng.randrange(1, size)))
        os.utime(path, (time.time() - 3 * 86400,) * 2)
    return p


def tree(folder):
    """{path below: bytes} of what a store shows."""
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*")
            if f.is_file() and "_wherry" not in f.parts}


def copy(p, *args, code=0):
    return p.wherry("copy", *args, "--json", code=code).lines()[-1]


def left_attempts(p):
    folder = p.folder / "archive/_wherry/attempts"
    return list(folder.iterdir()) if folder.exists() else []


def test_a_folder_goes_whole_and_once():
    p = project()
    done = copy(p, "lake:in/", "archive:2026/")
    tap.equal((done["objects"], done["present"], done["failed"]), (len(NAMES), 0, 0))
    tap.equal(tree(p.folder / "archive"), {f"2026/{k[3:]}": v for k, v in tree(p.folder / "lake").items()})
    tap.equal(done["bytes"], sum(len(v) for v in tree(p.folder / "lake").values()))
    again = copy(p, "lake:in/", "archive:2026/")
    tap.equal((again["objects"], again["present"], again["failed"]), (0, len(NAMES), 0))
    tap.equal(left_attempts(p), [])


def test_patterns_keep_what_is_behind_their_last_folder():
    p = project()
    copy(p, "lake:in/b/**/*.csv", "archive:")
    tap.equal(sorted(tree(p.folder / "archive")), ["c.csv", "d/e f+%.csv", "d/\u00fc.csv", "empty.csv"])
    copy(p, "lake:in/*.json", "archive:json/")
    assert (p.folder / "archive/json/x.json").exists()


def test_one_object_goes_into_a_folder_or_gets_a_name():
    p = project()
    copy(p, "lake:in/x.json", "archive:kept/")
    copy(p, "lake:in/x.json", "archive:renamed.json")
    tap.equal(sorted(tree(p.folder / "archive")), ["kept/x.json", "renamed.json"])


def test_another_object_stays_unless_it_may_be_replaced():
    p = project()
    (p.folder / "archive/2026").mkdir(parents=True)
    (p.folder / "archive/2026/a.csv").write_text("somebody's")
    told = p.wherry("copy", "lake:in/", "archive:2026/", code=1)
    tap.contains(told.err, "archive:2026/a.csv is there and is another. To have it replaced: --replace")
    tap.contains(told.err, "5 objects")
    tap.equal((p.folder / "archive/2026/a.csv").read_text(), "somebody's")
    done = copy(p, "lake:in/", "archive:2026/", "--replace")
    tap.equal((done["objects"], done["present"]), (1, 5))
    tap.equal((p.folder / "archive/2026/a.csv").read_bytes(), (p.folder / "lake/in/a.csv").read_bytes())


def test_verify_sees_other_bytes_of_the_same_size():
    p = project()
    copy(p, "lake:in/", "archive:2026/", "--verify")
    path = p.folder / "archive/2026/x.json"
    path.chmod(0o644)
    path.write_bytes(bytes(255 - b for b in path.read_bytes()))
    tap.equal(copy(p, "lake:in/", "archive:2026/")["present"], len(NAMES))
    told = p.wherry("copy", "lake:in/", "archive:2026/", "--verify", code=1)
    tap.contains(told.err, "x.json is there and is another")


def test_a_large_object_goes_in_parts():
    p = project(names=())
    data = random.Random(tap.SEED).randbytes((40 << 20) + 7)
    (p.folder / "lake/in").mkdir(parents=True)
    (p.folder / "lake/in/large").write_bytes(data)
    for number, options in enumerate(((), ("--verify",), ("--parallel", "1"))):
        tap.equal(copy(p, "lake:in/large", f"archive:{number}", *options)["objects"], 1)
        tap.equal((p.folder / f"archive/{number}").read_bytes() == data, True)
    tap.equal(copy(p, "lake:in/", "archive:all/", "--verify")["objects"], 1)
    tap.equal((p.folder / "archive/all/large").read_bytes() == data, True)
    tap.equal(left_attempts(p), [])


def test_what_cannot_be_is_said():
    p = project()
    tap.contains(p.wherry("copy", "lake:in/", "archive:2026", code=2).err,
                 "many objects go into a folder: write archive:2026/")
    tap.contains(p.wherry("copy", "lake:out/", "archive:", code=1).err, "lake: nothing matches out/**")
    tap.contains(p.wherry("copy", "erp:orders", "archive:", code=2).err, "erp holds tables")
    tap.contains(p.wherry("copy", "lak:in/", "archive:", code=2).err, "Did you mean 'lake'?")
    tap.contains(p.wherry("copy", "lake:in/", "archive:", "--parallel", "0", code=2).err,
                 "--parallel takes 1 to 64")


def test_the_manifest_goes_along_and_still_proves():
    p = project(names=())
    p.make_erp([("SO1", "Open", "10.25", "2026-01-01 00:00:00"), ("SO2", "Shipped", "7.50", "2026-01-01 00:00:00")])
    p.wherry("run", "export")
    copy(p, "lake:inbound/", "archive:2026/")
    p.wherry("run", "import")
    tap.equal(p.sql("website", "SELECT order_number, total FROM orders ORDER BY 1"), [("SO1", 10.25), ("SO2", 7.5)])
    kinds = dict(row[1:3] for row in p.sql("website", "PRAGMA table_info(orders)"))
    tap.contains(kinds["total"], "DECIMAL")  # JSON alone would not say so
    # Other bytes than were published do not go anywhere.
    (source,) = (p.folder / "lake/inbound").iterdir()
    source.chmod(0o644)
    source.write_bytes(source.read_bytes().replace(b"SO1", b"SO9"))
    told = p.wherry("copy", "lake:inbound/", "archive:other/", code=1)
    tap.contains(told.err, "its bytes are not those that were published")
    tap.equal([k for k in tree(p.folder / "archive") if k.startswith("other/")], [])


def test_killed_at_any_time_it_goes_on():
    count = 3000 if tap.LONG else 600
    p = project(names=[f"{i % 7}/{i}.bin" for i in range(count)], size=40_000)
    rng = random.Random(tap.SEED)
    kills = 0
    while kills < 50:
        process = p.start("copy", "lake:in/", "archive:", "--parallel", "8")
        time.sleep(rng.uniform(0.01, 0.1))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL if kills % 3 else signal.SIGTERM)
        process.communicate()
        kills += 1
        for name, data in tree(p.folder / "archive").items():  # none half
            tap.equal(data, (p.folder / "lake/in" / name).read_bytes(), name)
    copy(p, "lake:in/", "archive:")
    tap.equal(len(tree(p.folder / "archive")), count)
    tap.note(f"{count} objects, {kills} times interrupted")
    # What the killed ones left is thrown away once it is old.
    for attempt in left_attempts(p):
        os.utime(attempt, (time.time() - 2 * 86400,) * 2)
    copy(p, "lake:in/", "archive:")
    tap.equal(left_attempts(p), [])


tap.run()
