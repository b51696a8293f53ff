#!/usr/bin/env python3
"""What we write to Parquet, read by PyArrow and by DuckDB: random tables, every type, nested too."""
import decimal
import json
import struct
import subprocess

import peers
import tap

peers.require()

import duckdb
import pyarrow as pa
import pyarrow.parquet

TABLES = 10000 if tap.LONG else 100
ROUND = 50  # tables that stand on disk at a time
WIDE = decimal.Context(prec=80)
NANOS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


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


def plain(array):
    """The values of an Arrow array, as tests/support/random_table.h describes them."""
    kind = array.type
    types = pa.types
    if types.is_list(kind):
        items = plain(array.flatten())
        lengths, at, out = array.value_lengths().to_pylist(), 0, []
        for length in lengths:
            out.append(None if length is None else items[at:at + length])
            at += length or 0
        return out
    if types.is_struct(kind):
        fields = [plain(field) for field in array.flatten()]
        rows = zip(*fields)
        return [list(row) if there else None for row, there in zip(rows, array.is_valid().to_pylist())]
    if types.is_float32(kind) or types.is_float64(kind):
        form, digits = (("<f", "<I"), 8) if types.is_float32(kind) else (("<d", "<Q"), 16)
        return [None if x is None else "nan" if x != x else
                f"{struct.unpack(form[1], struct.pack(form[0], x))[0]:0{digits}x}" for x in array.to_pylist()]
    if types.is_decimal(kind):
        return [None if x is None else int(x.scaleb(kind.scale, WIDE)) for x in array.to_pylist()]
    if types.is_date(kind):
        return array.cast(pa.int32()).to_pylist()
    if types.is_time(kind):
        ints = array.cast(pa.int32() if types.is_time32(kind) else pa.int64()).to_pylist()
        return [None if x is None else x * NANOS[kind.unit] for x in ints]
    if types.is_timestamp(kind):
        return [None if x is None else x * NANOS[kind.unit] for x in array.cast(pa.int64()).to_pylist()]
    if types.is_binary(kind) or types.is_large_binary(kind):
        return [None if x is None else x.hex() for x in array.to_pylist()]
    return array.to_pylist()


def rows_of(table):
    columns = [[value for chunk in column.chunks for value in plain(chunk)] for column in table.columns]
    return [list(row) for row in zip(*columns)]


def check(got, want, where):
    if got == want:
        return
    assert len(got) == len(want), f"{where}: {len(got)} rows, expected {len(want)}"
    for row, (a, b) in enumerate(zip(got, want)):
        for column, (x, y) in enumerate(zip(a, b)):
            assert x == y, f"{where}, row {row}, column {column}: {x!r}, expected {y!r}"


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
        got = rows_of(table)
        check(got, want, f"{where} {[n[1] for n in names]}")


tap.run()
