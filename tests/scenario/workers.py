#!/usr/bin/env python3
"""Several workers, one ledger: three of them, each on a machine of its own (a network namespace), share
a PostgreSQL. Histories of kills, pauses past the lease, and cut cables, each from a seed; what is there
in the end is what one worker alone would have made of it."""
import gzip
import os
import random
import signal
import subprocess
import time

import machines
import tap
from machines import DISTURBANCES, PATIENCE, Worker, clean_up, wait_for
from project import Project
from servers import Session

WORKERS = 3
HISTORIES = 500 if tap.LONG else 20
LEASE = 2.0  # seconds

# order: rewritten rows, by way of the lake. tally: rows that are only ever added, straight across and
# appended, so that one row too many or too few shows. file: objects of somebody else's, appended.
CONFIG = """\
version: 1
ledger: {ledger}
connections:
  pg: {pg}
  lake: {{ type: local, path: lake }}
pipelines:
  export-orders:
    when: {{ every: 1s }}
    from: pg:orders
    read: {{ cursor: changed, overlap: 1m }}
    columns: {{ id: id, total: total, changed: changed }}
    to: lake:orders/orders-{{run}}.json
  load-orders:
    when: new
    from: lake:orders/*.json
    columns: all
    to: pg:orders_copy
    write: {{ mode: upsert, key: id, newest_by: changed }}
  tally:
    when: {{ every: 1s }}
    from: pg:tally
    read: {{ cursor: xid }}
    columns: {{ id: id, n: n }}
    to: pg:tally_copy
    write: {{ mode: append }}
  files:
    when: new
    from: lake:files/*.csv
    columns: all
    expect: {{ n: [not_null] }}
    to: pg:filed
    write: {{ mode: append }}
"""

SOURCES = """
CREATE TABLE orders (id int PRIMARY KEY, total numeric(12,2), changed timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE tally (id int PRIMARY KEY, n int, xid xid8);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN NEW.xid := pg_current_xact_id(); RETURN NEW; END $$;
CREATE TRIGGER note BEFORE INSERT OR UPDATE ON tally FOR EACH ROW EXECUTE FUNCTION note();
"""

net = server = None


def ground():
    global net, server
    net, server = machines.ground(WORKERS)
    return net, server


class History:
    def __init__(self, number, seed):
        self.random = random.Random(seed)
        self.name = f"h{number}"
        server.database = self.name
        server.sql(f"CREATE DATABASE {self.name} TEMPLATE template0", database="postgres")
        server.sql(SOURCES)
        self.project = Project(config=CONFIG.format(pg=server.words(), ledger=server.words(lease=f"{LEASE}s")))
        for folder in ("orders", "files"):
            (self.project.folder / "lake" / folder).mkdir(parents=True)
        self.orders, self.tallied, self.filed, self.bad, self.files = 0, 0, 0, 0, 0
        self.said = []
        self.workers = [Worker(i, self.project) for i in range(WORKERS)]

    def say(self, what):
        self.said.append(what)

    # --- what comes in

    def add_rows(self):
        n = self.random.randint(1, 200)
        server.sql(f"INSERT INTO orders SELECT g, g * 1.25 FROM generate_series({self.orders + 1}, {self.orders + n}) g")
        self.orders += n
        m = self.random.randint(1, self.orders)
        server.sql(f"UPDATE orders SET total = total + 1, changed = clock_timestamp() WHERE id % {m} = 0")
        n = self.random.randint(1, 200)
        server.sql(f"INSERT INTO tally SELECT g, g FROM generate_series({self.tallied + 1}, {self.tallied + n}) g")
        self.tallied += n

    def add_files(self):
        for _ in range(self.random.randint(1, 6)):
            self.files += 1
            rows = self.random.randint(1, 300)
            bad = self.random.choice((0, 0, 1))
            lines = [f"{self.filed + i},{self.filed + i}" for i in range(1, rows + 1)] + [f"{-self.files},"] * bad
            path = self.project.folder / f"lake/files/f{self.files}.csv"
            path.with_suffix(".part").write_text("id,n\n" + "\n".join(lines) + "\n")
            path.with_suffix(".part").rename(path)
            self.filed += rows
            self.bad += bad

    # --- what happens to workers

    def disturb(self):
        worker = self.random.choice(self.workers)
        what = self.random.choice(DISTURBANCES)
        self.say(f"{what} {worker.i}")
        worker.disturb(what, LEASE, self.wait)

    def wait(self, least, most):
        """Meanwhile things come in."""
        end = time.monotonic() + self.random.uniform(least, most)
        while (left := end - time.monotonic()) > 0:
            self.random.choice((self.add_rows, self.add_files))()
            time.sleep(min(left, self.random.uniform(0.05, 0.6)))

    # --- the end

    def expected(self):
        return {"orders_copy": server.rows("SELECT count(*), sum(total), max(changed) FROM orders"),
                "tally_copy": server.rows("SELECT count(*), sum(n), count(DISTINCT id) FROM tally"),
                "filed": [(str(self.filed), str(self.filed * (self.filed + 1) // 2), str(self.filed))]}

    def there(self):
        asked = {"orders_copy": "count(*), sum(total), max(changed)", "tally_copy": "count(*), sum(n), count(DISTINCT id)",
                 "filed": "count(*), sum(n), count(DISTINCT id)"}
        return {table: server.rows(f"SELECT {what} FROM {table}")
                if server.rows(f"SELECT to_regclass('{table}')") != [("",)] else [] for table, what in asked.items()}

    def settle(self):
        want, end = self.expected(), time.monotonic() + PATIENCE
        while (got := self.there()) != want:
            if time.monotonic() > end:
                raise AssertionError(f"after {PATIENCE} s there is {got}, expected {want}")
            time.sleep(0.2)
        # The copy of one load may be there before the ledger knows: whoever stops now finishes it.
        for worker in self.workers:
            worker.drain()

    def check(self):
        wherry = self.project.wherry
        wherry("run", code=None)  # what a worker left between a target's commit and the ledger
        tap.equal(self.there(), self.expected(), "after one more run")
        runs = wherry("runs", "--limit", "100000", "--json").lines()
        for run in runs:
            tap.equal(run["rows_read"], sum(run[k] for k in ("rows_written", "rows_unchanged", "rows_superseded",
                                                             "rows_filtered", "rows_quarantined")), run["run"])
        done = [run for run in runs if run["status"] == "done"]
        for pipeline, rows in (("tally", self.tallied), ("files", self.filed)):
            tap.equal(sum(run["rows_written"] for run in done if run["pipeline"] == pipeline), rows, pipeline)
        tap.equal(sum(run["rows_quarantined"] for run in done), self.bad, "rejected rows")
        loads = [run["object"] for run in done if run.get("object")]
        tap.equal(len(loads), len(set(loads)), "objects loaded once")
        tap.equal([run for run in runs if run["status"] in ("running", "sealed")], [], "runs left over")
        wherry("verify")

    def tell(self):
        try:
            self.add_rows()
            self.add_files()
            self.wait(0.5, 1.5)
            for _ in range(self.random.randint(2, 4)):
                self.disturb()
                self.wait(0, 1)
            self.settle()
            self.check()
        except BaseException:
            tap.note(f"{self.name}: {', '.join(self.said)}")
            for worker in self.workers:
                tap.note(f"worker {worker.i}:\n{worker.log()[-3000:]}")
            raise
        finally:
            clean_up(self.workers, self.name)


def test_histories_of_three_workers_end_as_one_workers():
    ground()
    for number in range(HISTORIES):
        seed = tap.SEED + number
        try:
            started = time.monotonic()
            story = History(number, seed)
            story.tell()
            tap.note(f"history {number}, {time.monotonic() - started:.0f} s: {', '.join(story.said)}")
        except BaseException:
            tap.note(f"history {number}, seed {seed}")
            raise


SLEEPER = """\
version: 1
ledger: {ledger}
connections:
  pg: {pg}
  lake: {{ type: local, path: lake }}
pipelines:
  big:
    when: new
    from: lake:*.csv*
    columns: all
    to: pg:big
    write: {{ mode: append }}
"""


def new_project(name, config):
    server.database = name
    server.sql(f"CREATE DATABASE {name} TEMPLATE template0", database="postgres")
    words = server.words(lease=f"{LEASE}s")
    project = Project(config=config.format(pg=server.words(), ledger=words))
    (project.folder / "lake").mkdir()
    return project


def test_a_worker_that_slept_through_its_lease_commits_nothing():
    ground()
    project = new_project("sleeper", SLEEPER)
    rows = 2000000
    with gzip.open(project.folder / "lake/big.csv.gz", "wt", compresslevel=1) as out:
        out.write("id,n\n" + "".join(f"{i},{i}\n" for i in range(rows)))
    os.utime(project.folder / "lake/big.csv.gz", (0, 1.7e9))
    project.wherry("runs")  # makes the ledger
    session = Session(server)
    sleeper = Worker(0, project)
    # It reads the whole file, in one piece, before it begins to load: there it falls asleep.
    wait_for("the load begins", lambda: session.sql("SELECT 1 FROM wherry.run WHERE state = 0"))
    sleeper.send(signal.SIGSTOP)
    session.close()
    tap.equal(server.sql("SELECT to_regclass('big')").strip(), "", "the table, when the worker falls asleep")
    other = Worker(1, project)
    wait_for("the other has loaded it", lambda: server.rows("SELECT 1 FROM wherry.run WHERE state = 2"))
    sleeper.send(signal.SIGCONT)
    wait_for("the sleeper is told", lambda: "another worker has taken over pipeline big" in sleeper.log())
    tap.equal(server.rows("SELECT count(*), sum(n) FROM big"), [(str(rows), str(rows * (rows - 1) // 2))])
    runs = project.wherry("runs", "--json").lines()
    tap.equal(sorted((run["status"], run["rows_written"]) for run in runs), [("done", rows), ("failed", 0)])
    for worker in (sleeper, other):
        worker.drain()
    project.wherry("verify")


def test_a_session_that_objects_share_may_be_lost_between_them():
    ground()
    project = new_project("shared", SLEEPER)
    objects = 40
    for n in range(objects):
        path = project.folder / f"lake/{n}.csv"
        path.write_text(f"id,n\n{n},{n}\n")
        os.utime(path, (0, 1.7e9 + n))
    project.wherry("runs")  # makes the ledger
    running = subprocess.Popen([tap.WHERRY, "run"], cwd=project.folder, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while running.poll() is None:  # the ledger's own sessions are lost, too
        server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'wherry' AND "
                   "pid <> pg_backend_pid() AND state = 'idle' AND random() < 0.1")
        time.sleep(0.02)
    project.wherry("run", code=None)  # what failed of it
    project.wherry("run", code=None)
    tap.equal(server.rows("SELECT count(*), count(DISTINCT id) FROM big"), [(str(objects), str(objects))])
    project.wherry("verify")


def test_schedules_fire_once_whoever_comes_first():
    ground()
    project = new_project("schedule", """\
version: 1
ledger: {ledger}
connections:
  pg: {pg}
  lake: {{ type: local, path: lake }}
pipelines:
  beat:
    when: {{ every: 2s }}
    from: pg:beat
    columns: all
    to: lake:beat-{{run}}.json
""")
    server.sql("CREATE TABLE beat (id int PRIMARY KEY); INSERT INTO beat VALUES (1)")
    workers = [Worker(i, project) for i in range(WORKERS)]
    started = time.monotonic()
    time.sleep(9)
    for worker in workers:
        worker.drain()
    seconds = time.monotonic() - started
    times = [run["started_us"] if "started_us" in run else run["started"]
             for run in project.wherry("runs", "--json").lines()]
    assert 3 <= len(times) <= seconds / 2 + 1, (seconds, times)


def test_the_words_of_a_shared_ledger_are_checked():
    project = Project(config="version: 1\n")

    def check(ledger):
        project.config(f"version: 1\nledger: {ledger}\nconnections: {{ a: {{ type: sqlite, path: a.db }} }}\n"
                       "pipelines: {}\n")
        return project.wherry("check", code=None)

    tap.equal(check("postgres://wherry@db/state").code, 0)
    tap.contains(check("postgres://wherry:hunter2@db/state").err, "ledger: password is written literally")
    tap.equal(check("postgres://wherry:${secret:ledger}@db/state").err.count("warning"), 0)
    tap.contains(check("postgres://wherry@db:many/state").err, "ledger: port: expected a whole number, found 'many'")
    tap.contains(check("{ type: postgres, host: db, databse: state }").err, "Did you mean 'database'?")
    tap.contains(check("{ type: postgres, host: db, database: state, lease: 10ms }").err,
                 "ledger: lease: must be between 2s and 1h")


if __name__ == "__main__":
    tap.run()
