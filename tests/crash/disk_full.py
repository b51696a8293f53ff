#!/usr/bin/env python3
"""The disk fills at many points of a crossing: a clear error, nothing lost, nothing half visible, and it
goes on once there is room."""
import contextlib
import hashlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

import inlets
import project
import tap
from project import Project, order, CONFIG, STATUSES

POSITIONS = 200 if tap.LONG else 20
ORDERS = 3000
DISK = 24 << 20
INSIDE = "WHERRY_TEST_MOUNTS"


def enter_namespace():
    """Mounts are made in a namespace of this process, so that they go with it."""
    if os.environ.get(INSIDE):
        return None
    how = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    try:
        probe = subprocess.run([*how, "mount", "-t", "tmpfs", "tmpfs", tempfile.gettempdir()], capture_output=True, text=True)
    except FileNotFoundError as why:
        return str(why)
    if probe.returncode != 0:
        return probe.stderr.strip() or "no file system may be mounted here"
    os.environ[INSIDE] = "1"
    os.execvp(how[0], [*how, sys.executable, *sys.argv])


CANNOT = enter_namespace()


class Disk:
    """A small file system at `path`, with a ballast file to fill it."""

    def __init__(self, path, size=DISK):
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], check=True)

    def free(self):
        stat = os.statvfs(self.path)
        return stat.f_bavail * stat.f_bsize

    def leave(self, free):
        self.make_room()
        size = max(self.free() - free, 0)
        with open(self.path / "ballast", "wb") as file:
            try:
                while size > 0:
                    size -= os.write(file.fileno(), bytes(min(size, 1 << 16)))
            except OSError:
                pass

    def make_room(self):
        (self.path / "ballast").unlink(missing_ok=True)

    def gone(self):
        # lazily: a failed test may still hold a file of it
        subprocess.run(["umount", "--lazy", str(self.path)], check=True)


@contextlib.contextmanager
def small_disk(place):
    """A project of which one part is on the small disk: all but the ERP, or only the named folder. The
    rest is on a disk with room, and in memory too, where syncing costs nothing."""
    roomy = Disk(tap.folder(), size=1 << 30)
    shop = roomy.path / "shop"
    disk = Disk(shop if place == "project" else shop / place)
    try:
        config = CONFIG.format(top="memory: 64MiB", pipeline="")
        config = config.replace("erp.db", "../erp.db").replace("website.db", "site/website.db")
        p = Project(config=config, folder=shop)
        (shop / "site").mkdir(exist_ok=True)
        (shop / "erp.db").symlink_to("../erp.db")
        (shop / "website.db").symlink_to("site/website.db")
        p.make_erp([])
        dice = random.Random(tap.SEED)
        p.add_orders([order(f"SO{i:06}", dice.choice(STATUSES), f"{dice.randrange(9999)}.25") for i in range(ORDERS)])
        yield p, disk
    finally:
        disk.gone()
        roomy.gone()


def whole_objects(p):
    """Every object in sight has the bytes its manifest says."""
    for path in p.objects():
        key = str(path.relative_to(p.folder / "lake"))
        manifest = json.loads((p.folder / "lake/_wherry/manifests" / (key + ".json")).read_text())
        data = path.read_bytes()
        tap.equal((len(data), hashlib.sha256(data).hexdigest()), (manifest["bytes"], manifest["sha256"]), key)


def shown(p):
    """What the website shows, as {number: (status, total, updated_at)}. Read from a copy: on a full disk
    SQLite could not even make what it needs to read."""
    copy = p.folder.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for name in ("website.db", "website.db-wal", "website.db-journal"):
        if (p.folder / "site" / name).exists():
            shutil.copy(p.folder / "site" / name, copy)
    with contextlib.closing(sqlite3.connect(copy / "website.db")) as db:
        tap.equal(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'orders'").fetchall():
            return {}
        return project.as_orders(db.execute(project.ORDERS_SHOWN).fetchall())


def check_failure(p, result, what):
    """It says where, what, and what to do."""
    assert result.code == 1, f"{what}: {result}"
    said = [line for line in result.err.splitlines() if "no space left" in line.lower()]
    assert said, f"{what}: {result}"
    for line in said:
        assert any(name in line for name in ("lake: ", "website: ", ".wherry/ledger.db: ")), f"{what}: {line}"
        assert "it goes on when there is room" in line, f"{what}: {line}"


def attempts_left(p):
    return [str(f) for f in (p.folder / "lake/_wherry").glob("attempts/**/*") if f.is_file()]


def one_position(p, disk, free, tries):
    """Runs with so much room, then with enough of it. True: the disk had filled."""
    before = shown(p)
    disk.leave(free)
    failures = 0
    for _ in range(tries):
        result = p.wherry("run", code=None)
        if result.code == 0:
            break
        failures += 1
        check_failure(p, result, f"{free} bytes free")
        assert shown(p) in (before, p.truth()), "a part of the rows can be seen"
        whole_objects(p)
    disk.make_room()
    p.wherry("run")
    p.check_equal()
    whole_objects(p)
    tap.equal(attempts_left(p), [])
    tap.equal(p.wherry("verify").code, 0)
    tap.equal(p.wherry("run", "--json").lines()[0]["rows_written"], 0)
    tap.equal([s.get("dead") for s in p.wherry("status", "--json").lines() if s.get("dead")], [])
    return failures > 0


def change(p, dice):
    now = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
    ids = [(dice.choice(STATUSES), f"{dice.randrange(10000)}.{dice.randrange(100):02}", now, dice.randrange(1, ORDERS))
           for _ in range(1000)]
    p.sql("erp", "UPDATE sales_order SET status=?, total=?, updated_at=? WHERE id=?", ids)
    p.add_orders([order(f"N{dice.randrange(10**9)}", at=now)])


def need(place):
    """Bytes that a crossing takes there, its working files included, about."""
    with small_disk(place) as (p, disk):
        free = disk.free()
        p.wherry("run")
        return int((free - disk.free()) * 1.6) + 256 * 1024


def fill_at_many_points(place):
    if CANNOT:
        raise tap.Skip(f"a small disk cannot be made: {CANNOT}")
    most = need(place)
    dice = random.Random(tap.SEED)
    first = later = 0
    for position in range(POSITIONS):
        with small_disk(place) as (p, disk):
            free = most * position // POSITIONS + dice.randrange(most // POSITIONS)
            first += one_position(p, disk, free, tries=1 + 3 * (position % 2))
            if tap.LONG or position % 2:
                # and once more with changed rows, over what is there
                change(p, dice)
                later += one_position(p, disk, dice.randrange(most // 2), tries=1)
    tap.note(f"{place}: {first} of {POSITIONS} first runs and {later} later ones met a full disk")
    assert first > POSITIONS // 5, "the disk hardly ever filled"


def test_the_whole_project_is_on_a_disk_that_fills():
    fill_at_many_points("project")


def test_the_lake_is_on_a_disk_that_fills():
    fill_at_many_points("lake")


def test_the_ledger_is_on_a_disk_that_fills():
    fill_at_many_points(".wherry")


def test_the_target_is_on_a_disk_that_fills():
    fill_at_many_points("site")


def test_events_are_refused_while_the_disk_is_full():
    """Senders are told to come again while the disk is full, and nothing that was taken is lost"""
    if CANNOT:
        raise tap.Skip(f"a small disk cannot be made: {CANNOT}")
    roomy = Disk(tap.folder(), size=1 << 30)
    shop = roomy.path / "shop"
    disk = Disk(shop / ".wherry")
    s = inlets.Inlets(folder=shop)
    try:
        s.up()
        taken = [f"before-{i}" for i in range(20) if s.take({"event_id": f"before-{i}"})]
        s.until(lambda: len(s.landed()) == 20)
        disk.leave(0)
        answers, refused = 0, None
        # The write-ahead log may have room in what was written before.
        while not refused:
            event = f"full-{answers}"
            answers += 1
            assert answers < 2000, "the disk never filled"
            answer = s.post([{"event_id": event, "tags": ["x" * 20000]}], headers={"Idempotency-Key": event})
            assert answer.status in (202, 503), answer
            if answer.status == 202:
                taken.append(event)
            else:
                refused = answer
        tap.equal(refused.headers["Retry-After"], "10")
        tap.contains(refused.json()["detail"], "the disk is full")
        disk.make_room()
        for i in range(20):
            taken.append(f"after-{i}")
            s.take({"event_id": f"after-{i}"})
        again = s.post([{"event_id": event, "tags": ["x" * 20000]}], headers={"Idempotency-Key": event})
        tap.equal(again.status, 202, again)
        taken.append(event)
        s.until(lambda: len(s.landed()) >= len(taken), 60)
        time.sleep(0.5)
        tap.equal(sorted(row["event_id"] for row in s.landed()), sorted(taken))
        s.down()
    finally:
        if s.process:
            s.kill()
        disk.gone()
        roomy.gone()


tap.run()
