#!/usr/bin/env python3
"""An extract that several workers share, a range each: one object, the same that one worker makes, whatever
happens to the workers meanwhile."""
import json
import os
import random
import re
import signal
import time

import machines
import tap
from machines import DISTURBANCES, Worker, clean_up, wait_for
from project import Project, only_release

CONFIG = """\
version: 1
connections:
  erp: {{ type: sqlite, path: erp.db }}
  lake: {{ type: local, path: lake }}
pipelines:
  export:
    from: erp:orders
    read: {{ ranges: 5{read} }}
    steps:{steps}
      - filter: id % 10 != 3
    columns: {{ Id: id, Status: status }}
    expect: {{ Status: {{ in: [a, b] }} }}
    to: lake:out/{{run}}{ending}
"""
ROWS, BAD = 5000, 5
SHARED = ", shared: true"


def config(read=SHARED, steps="", ending=".parquet"):
    return CONFIG.format(read=read, steps=steps, ending=ending)


def shop(text=None, rows=ROWS):
    p = Project(config=text or config())
    p.sql("erp", "CREATE TABLE orders (id INTEGER PRIMARY KEY, status TEXT)")
    p.sql("erp", "INSERT INTO orders VALUES (?, ?)", [(i, "x" if i % 1000 == 7 else "ab"[i % 2]) for i in range(rows)])
    return p


def read_object(p, path):
    out = p.folder / "read.ndjson"
    p.wherry("convert", path, out)
    text = out.read_text()
    out.unlink()
    return text.splitlines()


def parts(p):
    return sorted(str(path) for path in (p.folder / "lake/_wherry/parts").rglob("*") if path.is_file())


def rejected(p, run):
    """Each with its number and what it was, as they stand in the quarantine."""
    files = sorted((p.folder / ".wherry/quarantine" / run["rejects"]).glob("*"))
    return [(line["row"], line["reason"], line["data"]) for file in files
            for line in map(json.loads, file.read_text().splitlines()[1:])]


def export(p, *args, code=3):
    return [line for line in p.wherry("run", "export", "--json", *args, code=code).lines() if "run" in line][0]


def test_one_worker_makes_of_ranges_what_it_makes_of_the_whole():
    """Every codec: the same rows, counts, hash and rejected rows"""
    for ending in (".parquet", ".csv", ".json", ".ndjson", ".csv.gz"):
        p = shop(config(read="", ending=ending).replace("{ ranges: 5 }", "{ ranges: 1 }"))
        whole = export(p)
        p.config(config(ending=ending))
        shared = export(p)
        tap.equal(shared["reading"], "5 ranges of id, read in 5 snapshots by 1 worker")
        for key in ("rows_read", "rows_written", "rows_filtered", "rows_quarantined", "row_hash", "adds_up"):
            tap.equal(shared[key], whole[key], f"{ending}: {key}")
        tap.equal((shared["rows_quarantined"], shared["rows_filtered"]), (BAD, ROWS // 10))
        rows = [read_object(p, p.folder / "lake" / run["output"].split(":")[1]) for run in (whole, shared)]
        tap.equal(rows[1], rows[0], ending)  # the ranges are in the key's order, and so is SQLite
        tap.equal(rejected(p, shared), rejected(p, whole), "the rejected rows, and their numbers")
        tap.equal(parts(p), [], "parts left")
        p.wherry("verify")


def test_an_empty_table():
    p = shop(rows=0)
    run = export(p, code=0)
    tap.equal((run["rows_read"], run.get("reading")), (0, None))
    tap.equal(read_object(p, p.folder / "lake" / run["output"].split(":")[1]), [])


def test_the_first_run_of_a_cursor_is_shared():
    """What it remembers for the next run is what one session would have"""
    said = {}
    for name, read in (("one session", ", cursor: at, overlap: 5m"), ("shared", ", cursor: at, overlap: 5m" + SHARED)):
        ranges = "{ ranges: 1" if name == "one session" else "{ ranges: 5"
        p = Project(config=config(read=read).replace("{ ranges: 5", ranges).replace("status }", "status, At: at }"))
        p.sql("erp", "CREATE TABLE orders (id INTEGER PRIMARY KEY, status TEXT, at TIMESTAMP)")
        # An hour of rows, in no order; some have no time, and are always read again.
        p.sql("erp", "INSERT INTO orders VALUES (?, ?, ?)",
              [(i, "x" if i % 1000 == 7 else "ab"[i % 2], None if i % 500 == 1 else
                f"2026-01-01 {10 + i * 7919 % 3600 // 1800}:{i * 7919 % 1800 // 60:02}:{i * 7919 % 60:02}") for i in range(ROWS)])
        runs = [export(p)]
        p.sql("erp", "UPDATE orders SET status = 'b' WHERE id IN (SELECT id FROM orders WHERE status = 'a' ORDER BY at DESC "
                     "LIMIT 3)")
        p.sql("erp", "INSERT INTO orders VALUES (?, 'a', '2026-01-01 12:00:00')", [(ROWS + i,) for i in range(10)])
        runs.append(export(p, code=0))
        runs.append(export(p, code=0))
        said[name] = [[run[k] for k in ("rows_read", "rows_written", "rows_unchanged", "rows_filtered", "rows_quarantined")]
                      for run in runs]
        tap.equal([bool(run.get("reading")) for run in runs], [name == "shared", False, False])
    tap.equal(said["shared"], said["one session"])
    tap.equal(said["shared"][1][1], 12)  # three that changed, nine that are new: one of ten is filtered
    assert said["shared"][1][2] > 100, said


def test_memory_stays_within_bounds():
    """Wide rows, as many ranges at once as there are lanes"""
    only_release()
    p = shop(config(ending=".parquet").replace("version: 1\n", "version: 1\nmemory: 64MiB\n").replace("ranges: 5", "ranges: 8"),
             rows=40_000)
    p.sql("erp", "UPDATE orders SET status = hex(randomblob(1000)) WHERE id % 2")
    result = p.measured("run", "export", "--json")
    tap.equal(result.code, 3)
    tap.contains(result.out, "8 ranges of id, read in 8 snapshots by 1 worker")
    assert result.peak < 64 << 20, f"{result.peak >> 20} MiB"


def test_what_cannot_be_shared_is_refused():
    p = shop()
    plain = config()
    for text, says in ((plain.replace("ranges: 5, ", ""), "read: shared needs ranges: N, which the workers take"),
                       
                       (plain.replace("shared: true", "shared: true, deletes: compare"), "shared does not go with deletes"),
                       (plain.replace("lake:out/{run}.parquet", "erp:copy\n    write: { mode: upsert, key: Id }"),
                        "shared is for `to` that writes objects"),
                       (plain.replace("erp:orders", '"erp:*"'), "shared is for one table"),
                       (plain + "    write: { format: { type: parquet, sort: [Id] } }\n",
                        "shared does not go with write: format: sort")):
        p.config(text)
        tap.contains(p.wherry("check", code=2).err, says)
    p.config(config(steps="\n      - dedupe: { key: status, keep: last }"))
    for command in ("plan", "run"):
        tap.contains(p.wherry(command, "export", code=None).err, "read: shared: a step or expectation has to see all rows")


def test_no_version_of_a_part_is_kept():
    p = shop(config().replace("path: lake }", "path: lake, versioning: true }"))
    tap.contains(p.wherry("plan", "export").out, "reads     up to 5 ranges of id at once, by all workers, each in a snapshot")
    export(p)
    tap.equal([path for path in (p.folder / "lake").rglob("*") if path.is_file() and "parts" in str(path)], [])


def test_parts_of_runs_that_ended_are_swept():
    p = shop()
    ended = export(p)["run"]
    stranger = "0" * 26
    for run in (ended, stranger):
        path = p.folder / "lake/_wherry/parts" / run / "0-1.rows"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("left over")
    export(p)
    tap.equal([path.split("/")[-2] for path in parts(p)], [stranger], "parts of a run that nobody here knows")


def test_a_run_that_fails_leaves_nothing():
    p = shop(config().replace("in: [a, b] }", "in: [a, b] }, at_most_rejected: 0.01%"))
    done = p.wherry("run", "export", code=1)
    tap.contains(repr(done), "were rejected, more than at_most_rejected: 0.01% allows. The first: Status: ")
    tap.equal(parts(p), [])
    tap.equal(list((p.folder / "lake").glob("out/*")), [])


# --- several workers ------------------------------------------------------------------------------

WORKERS = 3
HISTORIES = 100 if tap.LONG else 3
LEASE = 2.0  # seconds
MANY = 120_000

SEVERAL = """\
version: 1
ledger: {ledger}
connections:
  pg: {pg}
  lake: {{ type: local, path: lake }}
pipelines:
  export:
    when: {{ every: 1s }}
    from: pg:account
    read: {{ ranges: 12, shared: true }}
    columns: {{ id: id, total: total, note: note }}
    expect: {{ total: [not_null] }}
    to: lake:out/{{run}}.{ending}
"""

net = server = None


def ground():
    global net, server
    net, server = machines.ground(WORKERS)


def several(name, ending="parquet", rate=None, rows=MANY):
    """Every row but two in a thousand has a total; whoever moves money leaves the sum as it is."""
    ground()
    server.database = name
    server.sql(f"CREATE DATABASE {name} TEMPLATE template0", database="postgres")
    server.sql("CREATE TABLE account (id int PRIMARY KEY, total int, note text); INSERT INTO account SELECT g, CASE WHEN "
               f"g % 500 = 0 THEN NULL ELSE 100 END, 'note ' || g FROM generate_series(1, {rows}) g")
    more = {"rows_per_second": rate} if rate else {}
    project = Project(config=SEVERAL.format(pg=server.words(**more), ledger=server.words(lease=f"{LEASE}s"), ending=ending))
    (project.folder / "lake").mkdir()
    project.wherry("runs")  # makes the ledger
    return project


def runs(project):
    return project.wherry("runs", "--limit", "10000", "--json").lines()


def done(project):
    return [run for run in runs(project) if run["status"] == "done"]


def held(what):
    return server.rows(f"SELECT {what} FROM wherry.piece")


def check_runs(project, rows):
    """Every object is whole, and of one instant."""
    for run in done(project):
        tap.equal((run["rows_read"], run["rows_quarantined"]), (rows, rows // 500), run["run"])
        key = run["output"].split(":")[1]
        lines = read_object(project, project.folder / "lake" / key)
        tap.equal(len(lines), rows - rows // 500, key)
        total, ids = 0, set()
        for line in lines:
            found = re.match(r'\{"id":(\d+),"total":(-?\d+),', line)
            ids.add(int(found[1]))
            total += int(found[2])
        tap.equal((len(ids), total), (len(lines), 100 * len(lines)), f"{key}: rows, and their sum")
    project.wherry("verify")
    tap.equal([run for run in runs(project) if run["status"] in ("running", "sealed")], [], "runs left over")
    tap.equal(held("count(*)"), [("0",)], "ranges left over")


def workers_of(run):
    return int(re.search(r"by (\d+) worker", run.get("reading", "by 0 worker"))[1])


class History:
    def __init__(self, number, seed):
        self.random = random.Random(seed)
        self.name, self.said = f"s{number}", []
        self.project = several(self.name, ending=("parquet", "csv", "ndjson")[number % 3])
        self.workers = [Worker(i, self.project) for i in range(WORKERS)]

    def move_money(self):
        """From the lowest range to the highest and back, in one transaction each."""
        a, b = self.random.randint(1, 499), self.random.randint(MANY - 499, MANY - 1)
        server.sql(f"BEGIN; UPDATE account SET total = total - 7 WHERE id = {a}; UPDATE account SET total = total + 7 WHERE "
                   f"id = {b}; COMMIT")

    def wait(self, least, most):
        end = time.monotonic() + self.random.uniform(least, most)
        while time.monotonic() < end:
            self.move_money()
            time.sleep(0.1)

    def disturb(self):
        worker = self.random.choice(self.workers)
        what = self.random.choice(DISTURBANCES)
        self.said.append(f"{what} {worker.i}")
        worker.disturb(what, LEASE, self.wait)

    def tell(self):
        try:
            self.wait(0.5, 2)
            for _ in range(self.random.randint(3, 5)):
                self.disturb()
                self.wait(0, 1)
            before = len(done(self.project))
            wait_for("two more extracts", lambda: len(done(self.project)) >= before + 2)
            for worker in self.workers:
                worker.drain()
            self.project.wherry("run", code=None)  # what a worker left
            check_runs(self.project, MANY)
            tap.equal(parts(self.project), [], "parts left over")
            shared = [workers_of(run) for run in done(self.project)]
            assert max(shared) > 1, f"nobody helped: {shared}"
            self.said.append(f"{len(shared)} extracts by {sorted(shared)} workers")
        except BaseException:
            tap.note(f"{self.name}: {', '.join(self.said)}")
            for worker in self.workers:
                tap.note(f"worker {worker.i}:\n{worker.log()[-3000:]}")
            raise
        finally:
            clean_up(self.workers, self.name)


def test_histories_of_three_workers_make_whole_objects():
    for number in range(HISTORIES):
        seed = tap.SEED + number
        started = time.monotonic()
        try:
            story = History(number, seed)
            story.tell()
            tap.note(f"history {number}, {time.monotonic() - started:.0f} s: {', '.join(story.said)}")
        except BaseException:
            tap.note(f"history {number}, seed {seed}")
            raise


def test_a_helper_that_slept_is_refused():
    """Whoever took its range after it did it; what it made itself is thrown away"""
    rows = 24_000
    project = several("sleeper", rate=16000, rows=rows)
    workers = [Worker(0, project)]
    try:
        # The owner, which has a range in hand; then a helper, which falls asleep over its own.
        wait_for("the owner has a range", lambda: held("1") and held("max(takes)") == [("1",)])
        workers.append(Worker(1, project))
        # A worker takes as many at once as it has processors; 64 MiB are good for four.
        most = min(len(os.sched_getaffinity(0)), 4)
        wait_for("the other has one, too", lambda: int(held("count(*) FILTER (WHERE takes > 0 AND result = '')")[0][0]) > most)
        workers[1].send(signal.SIGSTOP)
        run = server.rows("SELECT DISTINCT run FROM wherry.piece")[0][0]
        wait_for("its range is taken again", lambda: held("max(takes)") == [("2",)])
        workers[1].send(signal.SIGCONT)
        wait_for("the run is done", lambda: [r for r in done(project) if r["run"] == run])
        for worker in workers:
            worker.drain()
        project.wherry("run", code=None)
        check_runs(project, rows)
        tap.equal(parts(project), [], "parts left over")
    finally:
        clean_up(workers, "sleeper")


def test_when_the_owner_dies_the_run_is_thrown_away_and_done_again():
    rows = 24_000
    project = several("orphan", rate=16000, rows=rows)
    workers = [Worker(0, project)]
    try:
        wait_for("the owner has a range", lambda: held("1") and held("max(takes)") == [("1",)])
        workers.append(Worker(1, project))
        wait_for("a range is done", lambda: held("count(*) FILTER (WHERE result <> '')") not in ([], [("0",)]))
        run = server.rows("SELECT DISTINCT run FROM wherry.piece")[0][0]
        workers[0].kill()
        wait_for("another run is done", lambda: done(project))
        workers[1].drain()
        project.wherry("run", code=None)
        tap.equal([r["status"] for r in runs(project) if r["run"] == run], ["failed"])
        check_runs(project, rows)
        tap.equal(parts(project), [], "parts left over")
    finally:
        clean_up(workers, "orphan")


def test_a_worker_with_another_configuration_leaves_ranges_alone():
    rows = 24_000
    project = several("other", rate=16000, rows=rows)
    other = Project(config=(project.folder / "wherry.yaml").read_text().replace("note: note", "note: { from: note, class: "
                                                                                 "public }"), folder=tap.folder())
    (other.folder / "lake").symlink_to(project.folder / "lake")
    workers = [Worker(0, project)]
    try:
        wait_for("the owner has a range", lambda: held("1") and held("max(takes)") == [("1",)])
        workers.append(Worker(1, other))
        workers[1].until_up()
        first = wait_for("an extract", lambda: done(project))[-1]
        tap.equal(workers_of(first), 1)
        for worker in reversed(workers):
            worker.drain()
    finally:
        clean_up(workers, "other")


tap.run()
