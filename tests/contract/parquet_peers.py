#!/usr/bin/env python3
"""What we write to Parquet, read by PyArrow and by DuckDB: random tables, every type, nested too."""
import json
import subprocess

import peers
import tap

peers.require()

import duckdb
import pyarrow as pa
import pyarrow.parquet
from arrow_rows import check, rows_of

TABLES = 10000 if tap.LONG else 100
ROUND = 50  # tables that stand on disk at a time


def tables(count, seed):
    """Folder, number and expected rows of one table after the other."""
    folder = tap.folder()
    for first in range(0, count, ROUND):
        size = min(ROUND, count - first)
        done = subprocess.run([tap.BUILD / "tests/parquet-tables", folder, str(seed + first), str(size)],
                              capture_output=True, text=True)
        assert done.returncode == 0, (done.returncode, done.stderr)
        for number in range(size):
            rows = [json.loads(line) for line in (folder / f"{number}.json").open(encoding="utf-8")]
            yield folder / f"{number}.parquet", rows, f"seed {seed + first} table {number}"


def test_pyarrow_reads_the_rows_we_wrote():
    for path, want, where in tables(TABLES, tap.SEED % 10**9):
        file = pa.parquet.ParquetFile(path, page_checksum_verification=True)
        check(rows_of(file.read()), want, where)


def test_duckdb_reads_the_rows_we_wrote():
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for path, want, where in tables(TABLES, tap.SEED % 10**9 + TABLES):
        names = connection.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
        table = connection.sql(f"SELECT * FROM '{path}'").to_arrow_table()
        # DuckDB takes a NULL struct for one that is there when all that is in it is NULL by type;
        # PyArrow reads such files as they are.
        known = [i for i, n in enumerate(names) if not ("STRUCT" in n[1] and '"NULL"' in n[1])]
        got, expected = ([[row[i] for i in known] for row in rows] for rows in (rows_of(table), want))
        check(got, expected, f"{where} {[n[1] for n in names]}")


tap.run()
