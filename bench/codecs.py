#!/usr/bin/env python3
"""One format to another, beside DuckDB, PyArrow and Polars.

    bench/codecs.py BUILD [--mb 1000] [--runs 5] [--shapes orders,...] [--pairs csv-parquet,...]
                          [--peers duckdb,...] [--threads 2,1]

Tables come from bench/make-table.c. Runs are interleaved: each tool in turn, then again. Each counts
as a whole process (wall clock, CPU and peak resident memory, from wait4), with so many processors as
`--threads` says, after what others wrote has reached the disk. What Wherry wrote is compared with what DuckDB makes of the same input, value by
value, before a time counts. Prints the medians, and how many times faster Wherry was.
"""
import argparse
import concurrent.futures
import multiprocessing
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

DUCKDB = """
import duckdb, sys
c = duckdb.connect(config={{'threads': {threads}}})
c.execute("COPY (FROM {reader}('{source}')) TO '{target}' ({options})")
"""
PYARROW = """
import pyarrow, pyarrow.csv as csv, pyarrow.json as json, pyarrow.parquet as pq
pyarrow.set_cpu_count({threads}); pyarrow.set_io_thread_count({threads})
"""
PYARROW_READ = {
    "csv": "reader = csv.open_csv('{source}', parse_options=csv.ParseOptions(newlines_in_values=True))\n",
    "ndjson": "reader = json.open_json('{source}')\n",
    "parquet": "f = pq.ParquetFile('{source}'); reader = f.iter_batches(65536); schema = f.schema_arrow\n",
}
PYARROW_WRITE = {
    "parquet": "w = pq.ParquetWriter('{target}', reader.schema, compression='{compression}')\n"
               "[w.write_batch(b) for b in reader]; w.close()\n",
    "csv": "w = csv.CSVWriter('{target}', schema)\n[w.write_batch(b) for b in reader]; w.close()\n",
}
POLARS = "import polars as pl\npl.{scan}('{source}').{sink}\n"
POLARS_SCAN = {"csv": "scan_csv", "ndjson": "scan_ndjson", "parquet": "scan_parquet"}
POLARS_SINK = {"parquet": "sink_parquet('{target}', compression='{compression}'{level})",
               "csv": "sink_csv('{target}')", "ndjson": "sink_ndjson('{target}')"}
READERS = {"csv": "read_csv", "ndjson": "read_json", "parquet": "read_parquet"}
PAIRS = {  # name: (from, to, compression)
    "csv-parquet": ("csv", "parquet", "snappy"),
    "csv-parquet-zstd": ("csv", "parquet", "zstd"),
    "ndjson-parquet": ("ndjson", "parquet", "snappy"),
    "parquet-csv": ("parquet", "csv", None),
    "parquet-ndjson": ("parquet", "ndjson", None),
}
MEMORY = {"wide": "256MiB"}


def duckdb_command(source, target, kinds, threads):
    come, go, compression = kinds
    options = {"parquet": f"FORMAT parquet, COMPRESSION {compression}" +
                          (", COMPRESSION_LEVEL 1" if compression == "zstd" else ""),
               "csv": "FORMAT csv, HEADER", "ndjson": "FORMAT json"}[go]
    return [sys.executable, "-c", DUCKDB.format(threads=threads, reader=READERS[come], source=source,
                                                target=target, options=options)]


def pyarrow_command(source, target, kinds, threads):
    come, go, compression = kinds
    if go not in PYARROW_WRITE:
        return None
    text = PYARROW + PYARROW_READ[come] + PYARROW_WRITE[go]
    return [sys.executable, "-c", text.format(threads=threads, source=source, target=target,
                                              compression=compression)]


def polars_command(source, target, kinds, threads):
    come, go, compression = kinds
    level = ", compression_level=1" if compression == "zstd" else ""
    sink = POLARS_SINK[go].format(target=target, compression=compression, level=level)
    return [sys.executable, "-c", POLARS.format(scan=POLARS_SCAN[come], source=source, sink=sink)]


def wherry_command(program, shape, source, target, kinds):
    compression = kinds[2]
    flags = ["--write", f"compression={compression}"] if compression else []
    if compression == "zstd":
        flags += ["--write", "level=1"]
    return [program, "convert", source, target, "--force", "--memory", MEMORY.get(shape, "64MiB"), *flags]


def measure(command, target, threads):
    """This process stays small, because a child's peak begins with what its parent had."""
    target.unlink(missing_ok=True)
    os.sync()

    def pin():
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    environment = dict(os.environ, POLARS_MAX_THREADS=str(threads))
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=pin,
                               env=environment)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    if os.waitstatus_to_exitcode(status) != 0:
        raise RuntimeError(errors.decode(errors="replace")[-300:])
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def apart(function, *args):
    """What it returns, from a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(function, *args).result()


def to_parquet(source, target):
    import duckdb
    duckdb.sql(f"COPY (FROM read_csv('{source}')) TO '{target}' (FORMAT parquet, COMPRESSION snappy)")


def fingerprint(path, kind, types=None):
    """Rows, and a sum over the hashes of each column's values as DuckDB's types for them."""
    import duckdb
    reader = f"{READERS[kind]}('{path}')"
    if types is None:
        types = [(row[0], row[1]) for row in duckdb.sql(f"DESCRIBE FROM {reader}").fetchall()]
    sums = ", ".join(f'sum(hash(CAST("{name}" AS {kind_}))::HUGEINT)' for name, kind_ in types)
    return types, duckdb.sql(f"SELECT count(*), {sums} FROM {reader}").fetchall()[0]


def compare(ours, theirs, kind):
    types, expected = fingerprint(theirs, kind)
    _, found = fingerprint(ours, kind, types)
    if expected == found:
        return True
    wrong = [types[i - 1][0] if i else "rows" for i in range(len(found)) if found[i] != expected[i]]
    print(f"  differs from DuckDB's in {', '.join(wrong[:5])}: its time does not count")
    return False


def bench(args, program, folder, shape, pair, threads):
    come, go, compression = kinds = PAIRS[pair]
    source = folder / f"{shape}.{come}"
    ours, theirs, other = (folder / f"{who}.{go}" for who in ("ours", "duckdb", "other"))
    commands = {"wherry": wherry_command(program, shape, source, ours, kinds)}
    targets = {"wherry": ours, "duckdb": theirs}
    makers = {"duckdb": duckdb_command, "pyarrow": pyarrow_command, "polars": polars_command}
    for peer in args.peers:
        target = theirs if peer == "duckdb" else other
        command = makers[peer](source, target, kinds, threads)
        if command:
            commands[peer] = command
    times, sizes = {name: [] for name in commands}, {}
    for _ in range(args.runs):
        for name, command in list(commands.items()):
            try:
                times[name].append(measure(command, targets.get(name, other), threads))
                sizes[name] = targets.get(name, other).stat().st_size
            except RuntimeError as why:
                print(f"  {name} failed: {str(why).strip().splitlines()[-1:]}")
                del commands[name]
    size = source.stat().st_size
    equal = not {"duckdb", "wherry"} <= commands.keys() or apart(compare, ours, theirs, go)
    for name in commands:
        wall, cpu, memory = (statistics.median(t[i] for t in times[name]) for i in range(3))
        base = statistics.median(t[0] for t in times["wherry"]) if "wherry" in commands else wall
        written = sizes[name]
        faster = "" if name == "wherry" else f"{wall / base:5.2f}x"
        print(f"{shape:8} {pair:17} {threads} {name:8} {wall:7.2f} s {cpu:7.2f} s CPU {memory:7.1f} MiB "
              f"{size / wall / 1e6:7.0f} MB/s {written / 1e6:8.1f} MB out {faster}", flush=True)
    return equal and "wherry" in commands


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--mb", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--shapes", type=lambda s: s.split(","), default=["orders", "numeric", "text", "wide"])
    parser.add_argument("--pairs", type=lambda s: s.split(","), default=list(PAIRS))
    parser.add_argument("--peers", type=lambda s: [p for p in s.split(",") if p],
                        default=["duckdb", "pyarrow", "polars"])
    parser.add_argument("--threads", type=lambda s: [int(n) for n in s.split(",")], default=[2, 1])
    parser.add_argument("--scratch", type=pathlib.Path, help="keep the tables here, and use them again")
    args = parser.parse_args()
    program = str((args.build / "src/cli/wherry").resolve())
    maker = (args.build / "bench/make-table").resolve()
    good = True
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as temporary:
        folder = args.scratch or pathlib.Path(temporary)
        folder.mkdir(exist_ok=True)
        for shape in args.shapes:
            kinds = {PAIRS[p][0] for p in args.pairs}
            for kind in ("csv", "ndjson"):
                path = folder / f"{shape}.{kind}"
                if (kind in kinds or kind == "csv") and not path.exists():
                    with path.open("wb") as out:
                        subprocess.run([maker, shape, kind, str(args.mb * 1_000_000)], stdout=out, check=True)
            if "parquet" in kinds and not (folder / f"{shape}.parquet").exists():
                apart(to_parquet, folder / f"{shape}.csv", folder / f"{shape}.parquet")
            for pair in args.pairs:
                for threads in args.threads:
                    good = bench(args, program, folder, shape, pair, threads) and good
            if not args.scratch:
                for path in folder.iterdir():
                    path.unlink()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
