#!/usr/bin/env python3
"""The whole crossing beside the script that people write for it.

    bench/crossing.py BUILD [--rows 1000000] [--runs 5]

Both read the same orders from SQLite, write them as JSON and load that into another SQLite database
with a key and a version. Runs are interleaved; each counts as a whole process (wall clock, CPU,
peak resident memory, from wait4). Prints the medians and the ratio. The result is compared before a
time counts.
"""
import argparse
import os
import pathlib
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
CONFIG = """\
version: 1
memory: 64MiB
connections:
  erp: { type: sqlite, path: ../erp.db }
  lake: { type: local, path: lake }
  website: { type: sqlite, path: website.db }
pipelines:
  export-orders:
    from: erp:sales_order
    read: { cursor: updated_at }
    columns:
      OrderNumber: order_number
      CustomerName: customer_name
      Postcode: { from: postcode, class: internal }
      StatusCode: status_code
      OrderDate: order_date
      Total: total
      UpdatedAt: updated_at
    to: lake:inbound/orders-{run}.json
  import-orders:
    when: new
    from: lake:inbound/*.json
    columns: all
    to: website:orders
    write: { mode: upsert, key: OrderNumber, newest_by: UpdatedAt }
"""


def measure(command, folder):
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 3):
        sys.exit(f"{command[0]} ended with {code}: {errors.decode()}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def content(path):
    with sqlite3.connect(path) as db:
        return db.execute('SELECT count(*), count(DISTINCT "OrderNumber"), sum("StatusCode"), '
                          'round(sum("Total"), 2) FROM orders').fetchone()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    wherry = (args.build / "src/cli/wherry").resolve()
    maker = (args.build / "bench/make-orders").resolve()
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as scratch:
        top = pathlib.Path(scratch)
        subprocess.run([maker, top / "erp.db", str(args.rows)], check=True)
        figures = {"wherry": [], "script": []}
        for run in range(args.runs + 1):  # the first warms the cache and does not count
            for name in figures:
                folder = top / name
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                (folder / "wherry.yaml").write_text(CONFIG)
                command = [wherry, "run"] if name == "wherry" else [sys.executable, HERE / "script.py", "../erp.db"]
                figure = measure([str(c) for c in command], folder)
                if run:
                    figures[name].append(figure)
            ours, theirs = content(top / "wherry/website.db"), content(top / "script/website.db")
            if ours != theirs:
                sys.exit(f"the results differ: {ours} and {theirs}")
        print(f"{args.rows:,} orders, SQLite -> JSON -> SQLite, median of {args.runs}; the tables are equal")
        print(f"{'':8}{'wall':>10}{'cpu':>10}{'peak':>12}")
        median = {}
        for name, rows in figures.items():
            median[name] = [statistics.median(column) for column in zip(*rows)]
            wall, cpu, peak = median[name]
            print(f"{name:8}{wall:8.2f} s{cpu:8.2f} s{peak:8.1f} MiB")
        ratios = sorted(s[0] / w[0] for w, s in zip(figures["wherry"], figures["script"]))
        print(f"wherry is {statistics.median(ratios):.2f} times as fast (pairs: {ratios[0]:.2f} to {ratios[-1]:.2f})")


main()
