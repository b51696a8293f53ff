#!/usr/bin/env python3
"""`type: dynamodb-stream` at a scripted server: resharding, iterators that expire, records that are trimmed, refusals.
No server that can be installed does these by itself (tests/support/stream_peer.py)."""
import json
import random
import signal
import time

import tap
from project import Project
from stream_peer import StreamPeer

CONFIG = """\
version: 1
connections:
  shop: {{ type: sqlite, path: shop.db }}
  staff:
    type: dynamodb-stream
    table: Employees
    columns: {{ emp_id: int64, name: text }}
    {more}
pipelines:
  keyed:
    when: {{ gathered: {{ rows: 1000, age: 100ms }} }}
    from: staff
    columns: {{ emp_id: emp_id, name: name, version: _event }}
    to: shop:employees
    write: {{ mode: upsert, key: emp_id, newest_by: version }}
  history:
    when: {{ gathered: {{ rows: 1000, age: 100ms }} }}
    from: staff
    columns: {{ number: _event, change: _change, sequence: _sequence, emp_id: emp_id, name: name }}
    to: shop:history
"""
DAY_US = 86400 * 10**6


class Place(Project):
    def __init__(self, more="export: false"):
        super().__init__(config=CONFIG.format(more=more))
        self.peer = StreamPeer()

    def wherry(self, *args, **more):
        return super().wherry(*args, env=self.peer.env(), **more)

    def table(self):
        return dict(self.sql("shop", "SELECT emp_id, name FROM employees"))

    def history(self):
        return self.sql("shop", "SELECT change, emp_id, name FROM history ORDER BY number")

    def check(self):
        tap.equal(self.table(), {n: item["name"]["S"] for n, item in self.peer.items.items()})

    def positions(self):
        return dict(self.sql(".wherry/queues/staff", "SELECT name, value FROM position"))

    def age(self, days):
        """As if the shards had been read so long ago."""
        for name, value in self.positions().items():
            if name.startswith("shard/") and value != "done":
                after, fresh = value.split()
                self.sql(".wherry/queues/staff", "UPDATE position SET value = ? WHERE name = ?",
                         f"{after} {int(fresh) - days * DAY_US}", name)


def test_resharding():
    """A child is read after its parent was read to its end, while they split and after: no change overtakes another"""
    p = Place()
    p.peer.change("shard-first", 1, "v1")
    p.peer.change("shard-first", 2, "w1")
    p.wherry("run")
    p.check()
    for n in range(10):
        p.peer.change("shard-first", 1, f"v{n}")
    p.peer.split("shard-first", "shard-left", "shard-right")
    p.peer.change("shard-left", 1, "v of the left")
    p.peer.change("shard-right", 2, "w of the right")
    p.peer.split("shard-left", "shard-left-left", "shard-left-right")
    p.peer.change("shard-left-left", 1, "v of the left's left")
    p.peer.change("shard-left-right", 3, None)
    p.peer.change("shard-left-right", 3, "u")
    p.wherry("run")
    p.check()
    tap.equal([name for _, n, name in p.history() if n == 1],
              ["v1"] + [f"v{n}" for n in range(10)] + ["v of the left", "v of the left's left"])
    before = p.positions()
    tap.equal([v.split()[0] for v in sorted(v for k, v in before.items() if k.startswith("shard/"))[-2:]],
              ["done", "done"])
    p.peer.drop("shard-first")  # as it is after a day: what was read to its end is forgotten
    p.peer.change("shard-right", 2, "w again")
    p.wherry("run")
    p.check()
    assert not any("first" in name for name in p.positions()), p.positions()
    tap.equal(len(p.history()), 18)


def test_while_it_runs():
    """Resharding, iterators that expire and refusals, while `wherry up` reads and somebody writes"""
    dice = random.Random(tap.SEED)
    p = Place()
    process = p.start("up", env=p.peer.env())
    shards, count = ["shard-first"], 0
    for turn in range(12):
        for _ in range(dice.randrange(20)):
            count += 1
            # What an item's key hashes to decides about its shard.
            number = dice.randrange(20)
            p.peer.change(shards[number % len(shards)], number, None if dice.random() < 0.3 else f"change {count}")
        if turn == 4:
            p.peer.split("shard-first", "shard-even", "shard-odd")
            shards = ["shard-even", "shard-odd"]
        if turn % 3 == 1:
            p.peer.expire()
        if turn % 3 == 2:
            p.peer.refuse("GetRecords", 6, "LimitExceededException")
        time.sleep(0.2)
    p.peer.change(shards[0], 100, "the last of the even")
    p.peer.change(shards[1], 101, "the last of the odd")
    end = time.monotonic() + 120
    while not {100, 101} <= set(p.table() if (p.folder / "shop.db").exists() else ()):
        assert time.monotonic() < end, process.poll()
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    tap.equal(process.wait(60), 0)
    process.stdout.close()
    p.wherry("run")
    p.check()
    tap.equal(len(p.history()), count + 2)
    per_item = {}
    for _, number, name in p.history():
        per_item.setdefault(number, []).append(name)
    for number, names in per_item.items():  # each in the order in which it was written
        puts = [int(name.split()[1]) for name in names if name and name.startswith("change")]
        tap.equal(puts, sorted(puts))


def test_trimmed_but_whole():
    """What was read is forgotten by the server, and nothing that was not: it goes on from the oldest there is"""
    p = Place()
    for n in range(5):
        p.peer.change("shard-first", n, "old")
    p.wherry("run")
    p.peer.trim("shard-first", 5)
    p.peer.change("shard-first", 7, "new")
    p.wherry("run")
    p.check()
    p.peer.trim("shard-first", 4)  # more is there than was said: not read twice
    p.peer.expire()
    p.wherry("run")
    tap.equal(len(p.history()), 6)


def test_lost():
    """Records are gone that were not read: said in every place, with what to do, and nothing is delivered before"""
    for way in ("trimmed", "gone", "other", "unread"):
        p = Place(more="export: true")
        if way != "unread":
            p.peer.change("shard-first", 1, "one")
        p.wherry("run")
        p.age(2)
        if way == "trimmed":
            p.peer.change("shard-first", 2, "lost")
            p.peer.trim("shard-first", 2)
        if way == "gone":
            p.peer.open("shard-second")
            p.peer.drop("shard-first")
        if way == "other":
            p.peer.stream = p.peer.stream.replace("2026", "2027")
        done = p.wherry("run", code=1)
        tap.contains(done.err, "LOST")
        tap.contains(done.err, "wherry run --full")
        status = p.wherry("status", code=None)
        tap.contains(status.out, "failed")
        tap.contains(status.out, "LOST")
        p.peer.items[5] = {"emp_id": {"N": "5"}, "name": {"S": "five"}}
        p.wherry("run", "--full", "keyed", "history")
        assert p.table()[5] == "five", p.table()
        status = p.wherry("status", code=None)
        assert "LOST" not in status.out, status.out


def test_export():
    """All items by segments, through kills: each is exported once; changes from long before are passed over"""
    dice = random.Random(tap.SEED)
    p = Place(more="segments: 3")
    for n in range(200):
        p.peer.change("shard-first", n, f"item {n}", age=3600)
    p.peer.refuse("Scan", 5, "ProvisionedThroughputExceededException")
    for _ in range(6):
        process = p.start("run", env=p.peer.env())
        time.sleep(dice.random() * 0.7)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    p.peer.change("shard-first", 3, "changed")
    p.wherry("run")
    p.check()
    tap.equal(sorted(n for change, n, _ in p.history() if change == "export"), list(range(200)))
    tap.equal([row for row in p.history() if row[0] != "export"], [("modify", 3, "changed")])


def test_idle():
    """A shard in which nothing happens is asked about once a second"""
    p = Place()
    p.wherry("run")
    p.peer.calls.clear()
    process = p.start("up", env=p.peer.env())
    time.sleep(6)
    process.send_signal(signal.SIGTERM)
    tap.equal(process.wait(60), 0)
    process.stdout.close()
    asked = p.peer.calls.count("GetRecords")
    assert asked <= 11, asked
    assert p.peer.calls.count("DescribeStream") <= 3, p.peer.calls


def test_what_the_configuration_may_not_say():
    good = CONFIG.format(more="")
    for old, new, said in (
            ("name: text }", "name: { type: text, required: true } }", "required has no meaning here"),
            ("name: text }", "_change: text }", "_change is the feed's own"),
            ("    columns: { emp_id: int64, name: text }\n", "", "needs 'columns'"),
            ("from: staff\n", "from: staff:Employees\n", "a feed has nothing to name behind ':'"),
            ("    table: Employees\n", "", "needs 'table'"),
            ("when: { gathered: { rows: 1000, age: 100ms } }", "when: new", "Write { gathered:"),
            ("version: 1\n", "version: 1\nledger: dynamodb:Ledgers\n", "what was read of the queue staff")):
        assert old in good
        done = Project(config=good.replace(old, new, 1)).wherry("check", code=2)
        tap.contains(done.err + done.out, said)


if __name__ == "__main__":
    tap.run()
