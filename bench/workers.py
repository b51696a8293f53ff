#!/usr/bin/env python3
"""Workers that share a ledger in PostgreSQL, and its queue beside plain pgbench.

    bench/workers.py BUILD [--objects 10000] [--pipelines 8] [--entries 10000] [--rows 3000000] [--runs 3]
                     [--only workers|queue|extract]

Workers: --objects CSV files of ten rows each, in as many folders as there are pipelines, are loaded into
the same PostgreSQL by one, two and four `wherry up`, from their start until the ledger knows the last
object as done; the tables are counted before a time counts.

Queue: entries are received and finished by one, two and four clients, each with a pipeline of its own,
by Wherry's ledger (bench/ledger-queue.c) and by pgbench with the same statements, prepared. An operation
is one entry received and done. Interleaved; medians of --runs.

Extract: a table of --rows rows of eight columns becomes one Parquet object, read by sessions of one worker
(`ranges: 8`), and by one and two workers that share it (`shared: true`); the run's own seconds.

The server is PostgreSQL from the distribution, on this machine, without fsync.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

from servers import Postgres

ROWS = 10
CLIENTS = (1, 2, 4)

CONFIG = """\
version: 1
ledger: {words}
connections:
  pg: {words}
  lake: {{ type: local, path: lake }}
pipelines:
{pipelines}"""

PIPELINE = """\
  load-{i}:
    when: new
    from: lake:{i}/*.csv
    columns: all
    to: pg:t{i}
    write: {{ mode: append }}
"""

# What receive and done send, for one entry; pgbench's \\gset keeps the entry's id.
SAME_STATEMENTS = """\
UPDATE wherry.work SET state = 0 WHERE pipeline = 'c:client_id' AND state = 1 AND visible_us <= wherry.now_us();
UPDATE wherry.work SET state = 1, received = 1, takes = takes + 1, visible_us = wherry.later_us(3600000000) \
WHERE id = (SELECT id FROM wherry.work WHERE pipeline = 'c:client_id' AND state = 0 ORDER BY ord, id LIMIT 1 \
FOR UPDATE SKIP LOCKED) RETURNING id \\gset
BEGIN;
SELECT state, failures FROM wherry.work WHERE id = :id FOR UPDATE;
UPDATE wherry.work SET state = 2, error = '' WHERE id = :id AND state <> 2;
COMMIT;
""".replace("'c:client_id'", "'c' || :client_id")


def fresh(server, name):
    server.database = name
    server.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", database="postgres")
    server.sql(f"CREATE DATABASE {name} TEMPLATE template0", database="postgres")


# --- workers

def make_project(server, folder, objects, pipelines):
    for i in range(pipelines):
        (folder / "lake" / str(i)).mkdir(parents=True)
    for n in range(objects):
        path = folder / "lake" / str(n % pipelines) / f"{n:06}.csv"
        path.write_text("id,text\n" + "".join(f"{n * ROWS + r},row {r}\n" for r in range(ROWS)))
        os.utime(path, (1.7e9 + n, 1.7e9 + n))
    text = "".join(PIPELINE.format(i=i) for i in range(pipelines))
    (folder / "wherry.yaml").write_text(CONFIG.format(words=server.words(), pipelines=text))


def load(server, wherry, workers, objects, pipelines):
    fresh(server, f"workers{workers}")
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as name:
        folder = pathlib.Path(name)
        make_project(server, folder, objects, pipelines)
        subprocess.run([wherry, "runs"], cwd=folder, check=True, capture_output=True)  # makes the ledger
        with open(folder / "log", "w") as log:
            started = time.monotonic()
            running = [subprocess.Popen([wherry, "up"], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
                       for _ in range(workers)]
            while int(server.sql("SELECT count(*) FROM wherry.work WHERE state = 2")) < objects:
                if any(w.poll() is not None for w in running):
                    sys.exit((folder / "log").read_text())
                time.sleep(0.1)
            seconds = time.monotonic() - started
        for worker in running:
            worker.terminate()
        for worker in running:
            worker.wait()
        rows = sum(int(server.sql(f"SELECT count(*) FROM t{i}")) for i in range(pipelines))
        assert rows == objects * ROWS, f"{rows} rows, expected {objects * ROWS}"
    return objects / seconds


# --- the queue

def by_ledger(server, program, clients, entries):
    fresh(server, "queue")
    each = entries // clients
    args = [server.host, str(server.port), server.database, server.USER]
    # The schema is made first, by a client without entries.
    subprocess.run([program, *args, "none", "0"], env=server.env(), check=True, capture_output=True)
    running = [subprocess.Popen([program, *args, f"c{i}", str(each)], env=server.env(), stdout=subprocess.PIPE, text=True)
               for i in range(clients)]
    took = [float(process.communicate()[0].split()[1]) for process in running]
    return each * clients / max(took)


def by_pgbench(server, program, clients, entries):
    fresh(server, "plain")
    each = entries // clients
    args = [server.host, str(server.port), server.database, server.USER]
    subprocess.run([program, *args, "none", "0"], env=server.env(), check=True, capture_output=True)
    server.sql("INSERT INTO wherry.work (pipeline, key, version, ord, state, failures, received, takes, visible_us, put_us, "
               f"error) SELECT 'c' || c, 'object-' || n, '1', n, 0, 0, 0, 0, 0, 0, '' FROM generate_series(0, {clients - 1}) c, "
               f"generate_series(1, {each}) n")
    script = server.folder / "queue.sql"
    script.write_text(SAME_STATEMENTS)
    done = subprocess.run([server.bin / "pgbench", "-h", server.host, "-p", str(server.port), "-U", server.USER, "-n", "-M",
                           "prepared", "-c", str(clients), "-j", str(clients), "-t", str(each), "-f", script, server.database],
                          env=server.env(), capture_output=True, text=True)
    assert done.returncode == 0 and "processed: " in done.stdout, done.stdout + done.stderr
    left = int(server.sql("SELECT count(*) FROM wherry.work WHERE state <> 2"))
    assert left == 0, f"pgbench left {left} entries"
    return float(re.search(r"tps = ([\d.]+)", done.stdout).group(1))


def bench_workers(server, wherry, args):
    rates = {n: [] for n in CLIENTS}
    for _ in range(args.runs):
        for n in CLIENTS:
            rates[n].append(load(server, wherry, n, args.objects, args.pipelines))
    print(f"| workers | objects/s, {args.objects} of {ROWS} rows | times one |\n| --- | --- | --- |")
    one = statistics.median(rates[CLIENTS[0]])
    for n in CLIENTS:
        rate = statistics.median(rates[n])
        print(f"| {n} | {rate:,.0f} | {rate / one:.2f} |")


def bench_queue(server, program, args):
    queue = {n: ([], []) for n in CLIENTS}
    for _ in range(args.runs):
        for n in CLIENTS:
            queue[n][0].append(by_ledger(server, program, n, args.entries))
            queue[n][1].append(by_pgbench(server, program, n, args.entries))
    print("\n| clients | queue operations/s | pgbench, the same statements | ratio |\n| --- | --- | --- | --- |")
    for n in CLIENTS:
        ours, plain = (statistics.median(found) for found in queue[n])
        print(f"| {n} | {ours:,.0f} | {plain:,.0f} | {ours / plain:.2f} |")


# --- one extract

EXTRACT = """\
version: 1
ledger: {words}
connections:
  pg: {words}
  lake: {{ type: local, path: lake }}
pipelines:
  extract:
    when: {{ cron: "0 0 1 1 *" }}  # whoever is up helps; it is run by hand
    from: pg:wide
    read: {{ ranges: 8{shared} }}
    columns: all
    to: lake:wide/{{run}}.parquet
"""


def make_wide(server, rows):
    fresh(server, "extract")
    server.sql("CREATE TABLE wide AS SELECT g AS id, g % 1000 AS kind, g * 1.25::numeric(12,2) AS price, 'name ' || g AS name, "
               "md5(g::text) AS code, now() - g * interval '1 second' AS at, g % 7 = 0 AS flag, random() AS x "
               f"FROM generate_series(1, {rows}) g; ALTER TABLE wide ADD PRIMARY KEY (id); VACUUM ANALYZE wide")


def extract(server, wherry, workers, shared, rows):
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as name:
        folder = pathlib.Path(name)
        (folder / "lake").mkdir()
        (folder / "wherry.yaml").write_text(EXTRACT.format(words=server.words(), shared=", shared: true" if shared else ""))
        with open(folder / "log", "w") as log:
            helpers = [subprocess.Popen([wherry, "up"], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
                       for _ in range(workers - 1)]
            while (folder / "log").read_text().count("Up.") < len(helpers):
                time.sleep(0.1)
            for _ in range(100):  # a worker that has just come up looks whether it is due
                done = subprocess.run([wherry, "run", "extract", "--json"], cwd=folder, capture_output=True, text=True)
                if "another run of it is going on" not in done.stdout + done.stderr:
                    break
                time.sleep(0.1)
            assert done.returncode == 0, done.stdout + done.stderr
        for helper in helpers:
            helper.terminate()
        for helper in helpers:
            helper.wait()
    run = json.loads(done.stdout.splitlines()[0])
    assert run["rows_written"] == rows, run
    assert not shared or f"by {workers} worker" in run["reading"], run["reading"]
    return run["seconds"]


EXTRACTS = {"one worker, its sessions": (1, False), "one worker, shared": (1, True), "two workers, shared": (2, True)}


def bench_extract(server, wherry, rows, runs):
    make_wide(server, rows)
    took = {name: [] for name in EXTRACTS}
    for _ in range(runs):
        for name, (workers, shared) in EXTRACTS.items():
            took[name].append(extract(server, wherry, workers, shared, rows))
    print(f"| extract of {rows:,} rows | seconds | rows/s |\n| --- | --- | --- |")
    for name, found in took.items():
        print(f"| {name} | {statistics.median(found):.1f} | {rows / statistics.median(found):,.0f} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--objects", type=int, default=10000)
    parser.add_argument("--pipelines", type=int, default=8)
    parser.add_argument("--entries", type=int, default=10000)
    parser.add_argument("--rows", type=int, default=3000000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=("workers", "queue", "extract"))
    args = parser.parse_args()
    build = args.build.resolve()
    server = Postgres()
    os.environ["PG_PASSWORD"] = server.PASSWORD
    wherry = build / "src/cli/wherry"
    if args.only in (None, "workers"):
        bench_workers(server, wherry, args)
    if args.only in (None, "queue"):
        bench_queue(server, build / "bench/ledger-queue", args)
    if args.only in (None, "extract"):
        bench_extract(server, wherry, args.rows, args.runs)


if __name__ == "__main__":
    main()
