#!/usr/bin/env python3
"""The codecs inside a pipeline beside `wherry convert`, and what expressions cost there.

    bench/pipeline.py BUILD [--mb 1000] [--runs 5]

The same orders (bench/make-table.c), CSV to Parquet: once by `convert`, once by a pipeline from a local
lake to a local lake with `columns` and one `expect`, its manifest, checksum, receipt and ledger
included; and once more with a filter that keeps most rows and two columns that are derived. Interleaved; each counts as a whole process (wall clock, CPU, peak resident memory, from
wait4), after what was written before has reached the disk. Prints the medians and the rates' ratio.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

CONFIG = """\
version: 1
memory: 64MiB
connections:
  lake: { type: local, path: lake }
pipelines:
  to-parquet:
    from: lake:inbound/*.csv
{steps}    columns:
      order_id: order_id
      customer_id: customer_id
      status: status
      order_date: order_date
      updated_at: updated_at
      sku: sku
      quantity: quantity
      unit_price: unit_price
      discount: discount
      ship_to: ship_to
{more}    expect:
      status: { in: [Open, Shipped, Back ordered, Cancelled, Returned] }
    to: lake:warehouse/orders-{run}.parquet
"""
STEPS = """\
    steps:
      - filter: "quantity > 1 and status <> 'Cancelled'"
      - derive: { total: "unit_price * quantity", label: "upper(sku) || ' ' || status" }
"""
MORE = """\
      total: total
      label: label
"""


def measure(command, folder):
    os.sync()
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"{' '.join(command)}: {errors.decode()}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def prepare(folder, table, steps, more):
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "lake/inbound").mkdir(parents=True)
    os.link(table, folder / "lake/inbound/orders.csv")
    (folder / "wherry.yaml").write_text(CONFIG.replace("{steps}", steps).replace("{more}", more))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--mb", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    wherry = str((args.build / "src/cli/wherry").resolve())
    maker = (args.build / "bench/make-table").resolve()
    commands = {
        "convert": [wherry, "convert", "lake/inbound/orders.csv", "out.parquet", "--memory", "64MiB"],
        "pipeline": [wherry, "run"],
        "steps": [wherry, "run"],
    }
    figures = {name: [] for name in commands}
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as scratch:
        top = pathlib.Path(scratch)
        with (top / "orders.csv").open("wb") as out:
            subprocess.run([maker, "orders", "csv", str(args.mb * 1_000_000)], stdout=out, check=True)
        for _ in range(args.runs):
            sizes = {}
            for name, command in commands.items():
                folder = top / name
                prepare(folder, top / "orders.csv", *((STEPS, MORE) if name == "steps" else ("", "")))
                figures[name].append(measure(command, folder))
                sizes[name] = sum(p.stat().st_size for p in folder.rglob("*.parquet"))
            # The lake's file says which run made it, and so differs by a few bytes.
            assert abs(sizes["convert"] - sizes["pipeline"]) < 4096, sizes
    size = args.mb * 1_000_000
    for name, times in figures.items():
        wall, cpu, memory = (statistics.median(column) for column in zip(*times))
        print(f"{name:8} {wall:7.2f} s {cpu:7.2f} s CPU {memory:7.1f} MiB {size / wall / 1e6:7.0f} MB/s")
    for name in ("pipeline", "steps"):
        pairs = sorted(c[0] / p[0] for c, p in zip(figures["convert"], figures[name]))
        print(f"{name} keeps {statistics.median(pairs):.0%} of the rate (pairs: {pairs[0]:.0%} to {pairs[-1]:.0%})")


main()
