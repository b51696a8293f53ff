#!/usr/bin/env python3
"""What others wrote to Parquet, read by us: the corpus, and random tables of PyArrow and DuckDB."""
import csv
import json
import random
import subprocess

import peers
import tap

peers.require()

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

import arrow_random
from arrow_rows import check, plain, rows_of

TABLES = 10000 if tap.LONG else 100
ROUND = 25  # files that one process reads
CORPUS = "corpora/parquet"

# Files of the corpus that are not read, and why. (Those with encryption, and those of types that
# are extensions, are no part of it here.)
NOT_READ = {
    "datapage_v1-corrupt-checksum.parquet":
        "row group 1, column a, page 1 (byte 4): its checksum is 0f4f6d0a, its header says bbce3b9d: it was changed",
    "rle-dict-uncompressed-corrupt-checksum.parquet":
        "row group 1, column long_field, page 1 (byte 4): its checksum is 6522df69, its header says 6522df6a: it was changed",
    "large_string_map.brotli.parquet":  # one value of 1 GiB: more than a row may have
        "row group 1, column arr.key, page 1 (byte 4): it has 1073741828 bytes decompressed; at most 536870912 can be read",
}
BAD = {
    "ARROW-GH-41317.parquet":
        "row group 1, column timestamp_us_no_tz, page 2 (byte 2945): the column ends after 0 of 3 rows",
    "ARROW-GH-41321.parquet": "row group 1, column int64, page 2 (byte 1313): its dictionary indices have 254 bits",
    "ARROW-GH-45185.parquet":
        "row group 1, column x, page 1 (byte 4): its first value says that it goes on with a row before it",
    "ARROW-GH-47662.parquet":
        "row group 1, column flba_field, page 1 (byte 4): its values end after 0 of them, or are damaged there",
    "ARROW-RS-GH-6229-DICTHEADER.parquet":
        "row group 1, column name: the footer says that it has 322 bytes from byte 129 on; the file's data ends at byte 291",
    "ARROW-RS-GH-6229-LEVELS.parquet":
        "row group 1, column outer.c, page 2 (byte 19): its header says that it has 21 values; the column has 1 left",
    "PARQUET-1481.parquet": "the schema is damaged at its element 2: it has a physical type that does not exist",
}
# It has dictionary indices of no bits for a dictionary of one value, which was once refused by a
# reader; the format allows it, and so do all readers now.
NOT_BAD = "ARROW-GH-43605.parquet"
INT96 = [1704141296123456, 1704070800000000, 253402225200000000, 1735599600000000, None, 9089380393200000000]


def read(paths):
    """Rows, or the error, of each file."""
    done = subprocess.run([tap.BUILD / "tests/parquet-rows", *paths], capture_output=True)
    assert done.returncode == 0, (done.returncode, done.stderr.decode())
    lines = iter(done.stdout.decode().split("\n"))
    for _ in paths:
        head = next(lines)
        if head.startswith("! "):
            yield head[2:]
        else:
            yield [json.loads(next(lines)) for _ in range(int(head[2:]))]


def corpus(folder):
    paths = sorted((tap.shared(CORPUS) / folder).glob("*.parquet"))
    assert len(paths) > 5
    return paths


def test_the_corpus_is_read_as_pyarrow_reads_it():
    paths = corpus("data")
    assert len(paths) > 60
    for path, got in zip(paths, read(paths)):
        if path.name in NOT_READ:
            tap.equal(got, NOT_READ[path.name], path.name)
            continue
        if path.name == "incorrect_map_schema.parquet":  # PyArrow refuses it: keys may be NULL
            tap.equal(got, [[[["parent", "another"], ["name", "report"]]]], path.name)
            continue
        if path.name == "int96_from_spark.parquet":  # PyArrow is wrong; these stand beside the file
            tap.equal(got, [[x and x * 1000] for x in INT96], path.name)
            continue
        check(got, rows_of(pq.read_table(path, coerce_int96_timestamp_unit="us")), path.name)


def test_what_is_bad_has_a_name():
    for path, got in zip(corpus("bad_data"), read(corpus("bad_data"))):
        if path.name == NOT_BAD:
            check(got, rows_of(pq.read_table(path)), path.name)
        else:
            tap.equal(got, BAD[path.name], path.name)


def cells(row):
    return ["" if x is None else str(x) for x in row]


def test_the_corpus_has_the_values_that_stand_beside_it():
    for name in ("delta_binary_packed", "delta_byte_array", "delta_encoding_optional_column",
                 "delta_encoding_required_column"):
        path = tap.shared(f"{CORPUS}/data/{name}.parquet")
        with open(path.with_name(f"{name}_expect.csv"), newline="", encoding="utf-8") as file:
            want = list(csv.reader(file))[1:]
        got = next(read([path]))
        check([cells(row) for row in got], want, name)


def rounds():
    for first in range(0, TABLES, ROUND):
        yield tap.folder(), range(first, min(first + ROUND, TABLES))


def compare(paths, want, where):
    for path, rows, how, got in zip(paths, want, where, read(paths)):
        assert not isinstance(got, str), f"{how}: {got}"
        check(got, rows, how)
        path.unlink()


def test_random_tables_of_pyarrow():
    for folder, numbers in rounds():
        paths, want, where = [], [], []
        for number in numbers:
            random.seed(tap.SEED + number)
            table = arrow_random.table(flat=random.random() < 0.6)
            options = arrow_random.options(table)
            path = folder / f"{number}.parquet"
            pq.write_table(table, path, **options)
            try:  # as PyArrow reads it: version 1.0 has other units
                want.append(rows_of(pq.read_table(path, coerce_int96_timestamp_unit="us")))
            except pa.ArrowInvalid as error:
                tap.note(f"seed {tap.SEED + number}: PyArrow cannot read what it wrote: {error}")
                continue
            paths.append(path)
            where.append(f"seed {tap.SEED + number} {options} {table.schema}")
        compare(paths, want, where)


def known_to_duckdb():
    while True:
        table = arrow_random.table(flat=random.random() < 0.6)
        if not arrow_random.has(table, pa.types.is_float16):
            return table


def test_random_tables_of_duckdb():
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for folder, numbers in rounds():
        paths, want, where = [], [], []
        for number in numbers:
            random.seed(tap.SEED + number)
            table = known_to_duckdb()
            options = arrow_random.duckdb_options()
            path = folder / f"{number}.parquet"
            connection.register("source", table)
            connection.execute(f"COPY source TO '{path}' ({options})")
            paths.append(path)
            want.append(rows_of(connection.sql(f"SELECT * FROM '{path}'").to_arrow_table()))
            where.append(f"seed {tap.SEED + number} {options} {table.schema}")
        compare(paths, want, where)


def test_pages_so_large_that_they_are_read_in_pieces():
    """Pages so large that they are read in pieces"""
    folder = tap.folder()
    paths, want, where = [], [], []
    for number in range(200 if tap.LONG else 12):
        random.seed(tap.SEED + number)
        part = arrow_random.table(flat=True)
        table = pa.concat_tables([part] * max(1, 60000 // max(part.num_rows, 1)))
        options = {"compression": random.choice(["snappy", "none", "zstd"]),
                   "data_page_version": random.choice(["1.0", "2.0"]), "data_page_size": 1 << 26,
                   "use_dictionary": random.random() < 0.5, "write_page_checksum": random.random() < 0.5}
        path = folder / f"{number}.parquet"
        pq.write_table(table, path, **options)
        paths.append(path)
        want.append(rows_of(pq.read_table(path)))
        where.append(f"seed {tap.SEED + number} {options} {table.schema}")
        if len(paths) == 4:
            compare(paths, want, where)
            paths, want, where = [], [], []


tap.run()
