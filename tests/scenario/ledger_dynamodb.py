#!/usr/bin/env python3
"""Workers without a disk, as functions are: each run starts in a folder that has wherry.yaml alone and is
gone afterwards; what is known from run to run is in a ledger in DynamoDB. dynalite is the service."""
import collections
import json
import os
import random
import shutil
import signal
import time

import aws
import fault_proxy
import tap
from project import Project, order

aws.require()

HISTORIES = 60 if tap.LONG else 3
LEASE = 2  # seconds

# The places are elsewhere; appended files show one row too many or too few.
CONFIG = """\
version: 1
ledger: {ledger}
connections:
  erp: {{ type: sqlite, path: {places}/erp.db }}
  lake: {{ type: local, path: {places}/lake }}
  website: {{ type: sqlite, path: {places}/website.db }}
pipelines:
  export-orders:
    from: erp:sales_order
    read: {{ cursor: updated_at }}
    columns: {{ OrderNumber: order_number, OrderStatus: status, Total: total, UpdatedAt: updated_at }}
    to: lake:inbound/orders-{{run}}.json
  import-orders:
    when: new
    from: lake:inbound/**/*.json
    columns: all
    to: website:orders
    write: {{ mode: upsert, key: OrderNumber, newest_by: UpdatedAt }}
  import-files:
    when: new
    from: lake:files/*.csv
    columns: all
    to: website:filed
    write: {{ mode: append }}
"""


class Site:
    """The places, the service, and workers that come and go."""

    def __init__(self, ledger="dynamodb:ledgers", proxy=None):
        self.server = aws.Dynalite()
        self.proxy = fault_proxy.FaultProxy(self.server.port, **(proxy or {}))
        self.env = self.server.env(url=self.proxy.url)
        self.places = Project(config="")
        self.places.make_erp([order(f"A{n}") for n in range(20)])
        self.ledger, self.rows, self.changes, self.config = ledger, 0, 0, CONFIG

    def worker(self):
        return Project(config=self.config.format(places=self.places.folder, ledger=self.ledger))

    def wherry(self, *args, **more):
        worker = self.worker()
        result = worker.wherry(*args, env=self.env, **more)
        self.left = sorted(path.name for path in worker.folder.iterdir())
        shutil.rmtree(worker.folder)
        return result

    def change(self):
        """Some orders are new, some are changed, and somebody puts a file there."""
        self.changes += 1
        at = f"2026-11-20 {8 + self.changes // 60:02d}:{self.changes % 60:02d}:00Z"
        self.places.add_orders([order(f"B{self.changes}", at=at)])
        self.places.sql("erp", "UPDATE sales_order SET status = 'Shipped', updated_at = ? WHERE order_number = ?",
                        at, f"A{self.changes % 20}")
        files = self.places.folder / "lake/files"
        files.mkdir(parents=True, exist_ok=True)
        (files / ".new").write_text("n\n" + "".join(f"{n}\n" for n in range(self.rows, self.rows + 5)))
        self.rows += 5
        (files / ".new").rename(files / f"{self.changes}.csv")
        os.utime(files / f"{self.changes}.csv", (time.time() - 60,) * 2)

    def check(self):
        self.places.check_equal()
        filed = collections.Counter(n for n, in self.places.sql("website", "SELECT n FROM filed"))
        tap.equal(filed, collections.Counter(range(self.rows)), "rows of the files")

    def item(self):
        items = self.server.client("dynamodb").scan(TableName="ledgers")["Items"]
        return next(item for item in items if item["part"]["N"] == "0")


def test_nothing_stays_on_the_machine():
    """A cursor pipeline goes on exactly in a fresh folder each time."""
    site = Site()
    requests = []
    for _ in range(25):
        site.change()
        site.proxy.seen.clear()
        report = site.wherry("run", "--json").lines()
        requests.append(dict(site.proxy.seen))
        exported = [r for r in report if r["pipeline"] == "export-orders"]
        tap.equal([r["status"] for r in report if r["status"] != "done"], [])
        tap.equal(len(exported), 1)
        site.check()
        tap.equal(site.left, ["wherry.yaml"])
    # Each run sent what was new alone.
    tap.equal(sum(1 for r in report if r["pipeline"] == "import-files"), 1)
    tap.equal(exported[0]["rows_written"], 2)
    tap.note(f"requests of a run of three pipelines: {requests[-1]}; the first: {requests[0]}")
    item = site.item()
    tap.note(f"{item['commit']['N']} commits; the head has {len(item['log']['B'])} bytes")
    assert max(sum(r.values()) for r in requests[1:]) <= 36, requests


def test_few_requests():
    """A run of one small pipeline takes at most twelve requests."""
    site = Site()
    site.config = CONFIG.partition("  import-orders:")[0]
    site.wherry("run")
    counts = []
    for _ in range(10):
        site.change()
        site.proxy.seen.clear()
        tap.equal([r["rows_written"] for r in site.wherry("run", "--json").lines()], [2])
        counts.append(sum(site.proxy.seen.values()))
    tap.note(f"requests of a run: {counts}")
    assert max(counts) <= 12, counts


def test_others_look():
    """status, runs, receipt, verify and check in a folder that never ran anything"""
    site = Site(ledger="{ type: dynamodb, table: ledgers, ledger: shop }")
    site.change()
    reached = site.wherry("check", "--connect")
    tap.contains(reached.out, "table ledgers in eu-west-1")
    tap.contains(reached.out, "it will be created")
    site.wherry("run")
    tap.contains(site.wherry("status").out, "ledger in dynamodb")
    runs = [r for r in site.wherry("runs", "--json").lines()]
    tap.equal(sorted(r["pipeline"] for r in runs), ["export-orders", "import-files", "import-orders"])
    for run in runs:
        receipt = site.wherry("receipt", run["run"], "--json").lines()[0]
        tap.equal(receipt["rows_read"], receipt["rows_written"])
    tap.contains(site.wherry("verify").out, "every object has the bytes its receipt says")
    # Another name is another ledger.
    site.ledger = "{ type: dynamodb, table: ledgers, ledger: other }"
    tap.equal(site.wherry("runs", "--json").lines(), [])


def live(site, rng, rounds):
    """Workers run at the same time on a bad line; some of them are killed."""
    running = []
    for _ in range(rounds):
        site.change()
        for _ in range(rng.randrange(1, 4)):
            running.append(site.worker().start("run", env=site.env))
        time.sleep(rng.uniform(0, 0.4))
        for worker in running:
            if rng.random() < 0.3 and worker.poll() is None:
                worker.send_signal(signal.SIGKILL)
    for worker in running:
        worker.communicate(timeout=120)


def test_workers_on_bad_lines():
    """Workers at the same time, killed, on lines that fail: as if one had done it all"""
    for history in range(HISTORIES):
        seed = tap.SEED + history
        rng = random.Random(seed)
        site = Site(ledger=f"{{ type: dynamodb, table: ledgers, lease: {LEASE}s }}",
                    proxy={"seed": seed, "rate": 0.08, "faults": aws.Dynalite.FAULTS})
        live(site, rng, 6)
        end = time.monotonic() + 60
        while site.wherry("run", code=None).code and time.monotonic() < end:
            time.sleep(LEASE / 2)  # until the leases of the killed are over
        try:
            site.wherry("run")
            site.check()
        except AssertionError:
            tap.note(site.proxy.story())
            raise
        site.wherry("verify")
        site.server.stop()


def test_words():
    """What is wrong with a ledger's words is told"""
    site = Site()
    check = lambda ledger: (setattr(site, "ledger", ledger), site.wherry("check", code=None))[1]
    tap.equal(check("dynamodb:ledgers").code, 0)
    tap.contains(check("dynamodb").err, "expected postgres://user@host:port/database, dynamodb:TABLE")
    tap.contains(check("{ type: dynamodb }").err, "table")
    tap.contains(check("{ type: dynamodb, table: t, marks: m }").err, "marks")
    tap.contains(check("{ type: dynamodb, table: t, lease: 1s }").err, "lease: must be between 2s and 1h")
    tap.contains(site.wherry("schema").out, "ledger-dynamodb")
    json.loads(site.wherry("schema").out)


tap.run()
