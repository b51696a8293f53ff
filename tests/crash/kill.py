#!/usr/bin/env python3
"""kill -9 at random moments of export, publish, load and ledger commit. After each restart nothing
is lost, nothing doubled, and no half-written object can be read."""
import hashlib
import json
import random
import signal
import time

import tap
from project import Project, order, STATUSES

KILLS = 1000 if tap.LONG else 40
ORDERS = 4000


def whole_objects(p):
    """Every object in sight has the bytes its manifest says."""
    for path in p.objects():
        key = str(path.relative_to(p.folder / "lake"))
        manifest = json.loads((p.folder / "lake/_wherry/manifests" / (key + ".json")).read_text())
        data = path.read_bytes()
        tap.equal(len(data), manifest["bytes"], key)
        tap.equal(hashlib.sha256(data).hexdigest(), manifest["sha256"], key)


def change(p, dice):
    now = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
    ids = [(dice.choice(STATUSES), f"{dice.randrange(10000)}.{dice.randrange(100):02}", now, dice.randrange(1, ORDERS))
           for _ in range(dice.randrange(1, 1500))]
    p.sql("erp", "UPDATE sales_order SET status=?, total=?, updated_at=? WHERE id=?", ids)
    p.add_orders([order(f"N{dice.randrange(10**9)}", at=now)])


def test_kill_at_random_moments():
    dice = random.Random(tap.SEED)
    p = Project(pipeline="    chunk: 500\n")
    p.make_erp([order(f"SO{i}", dice.choice(STATUSES)) for i in range(ORDERS)])
    # how long a life is, so that the kills fall into all of it
    started = time.monotonic()
    p.wherry("run")
    life = max(time.monotonic() - started, 0.05)
    p.check_equal()
    kills = finished = 0
    while kills < KILLS:
        change(p, dice)
        for _ in range(dice.randrange(1, 4)):
            process = p.start("run")
            time.sleep(dice.random() * life)
            process.send_signal(signal.SIGKILL)
            output = process.communicate()[0]
            if process.returncode == -signal.SIGKILL:
                kills += 1
            else:
                finished += 1
                tap.equal(process.returncode, 0, output.decode())
            whole_objects(p)
        if dice.random() < 0.5:
            p.wherry("run")
            p.check_equal()
    p.wherry("run")
    p.check_equal()
    whole_objects(p)
    tap.equal(p.wherry("verify").code, 0)
    tap.note(f"{kills} kills, {finished} lives ended before theirs")


tap.run()
