"""Random Arrow tables and the ways to write them, from Python's random."""
import datetime
import decimal
import random
import string

import pyarrow as pa

INTS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
UNITS = ["s", "ms", "us", "ns"]
COMPRESSIONS = ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]


def scalar_type():
    kind = random.randrange(13)
    if kind == 0:
        return pa.bool_()
    if kind == 1:
        return pa.decimal128(p := random.randint(1, 38), random.randint(0, p))
    if kind == 2:
        return random.choice([pa.float16(), pa.float32(), pa.float64()])
    if kind == 3:
        return random.choice([pa.date32(), pa.time32("ms"), pa.time64("us"), pa.time64("ns")])
    if kind == 4:
        return pa.timestamp(random.choice(UNITS), random.choice([None, "UTC"]))
    if kind == 5:
        return random.choice([pa.binary(), pa.large_binary(), pa.binary(random.randint(1, 20))])
    if kind in (6, 7, 8):
        return random.choice([pa.string(), pa.large_string()])
    return random.choice(INTS)


def field(name, depth, item=False):
    return pa.field(name, any_type(depth), nullable=random.random() < 0.7)


def any_type(depth):
    if depth == 0 or random.random() < 0.7:
        return scalar_type()
    kind = random.randrange(3)
    if kind == 0:
        return pa.list_(field("element", depth - 1))
    if kind == 1:
        return pa.struct([field(f"f{i}", depth - 1) for i in range(random.randint(1, 3))])
    return pa.map_(random.choice([pa.string(), pa.int32()]), any_type(depth - 1))


TEXTS = string.ascii_letters + " ,\"'\n\u00e9\u00df\u4e2d\U0001f680"


def text():
    n = random.choice([0, 1, 3, 8, 15, 16, 17, 40, 300])
    return "".join(random.choices(TEXTS, k=random.randint(0, n)))


def integer(bits, signed):
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    near = random.choice([10, 1000, 1 << 20, high])
    return random.choice([low, high]) if random.random() < 0.02 else random.randint(max(low, -near), min(high, near))


def scalar(kind):
    types = pa.types
    if types.is_boolean(kind):
        return random.random() < 0.5
    if types.is_integer(kind):
        return integer(kind.bit_width, types.is_signed_integer(kind))
    if types.is_floating(kind):
        return random.choice([0.0, -0.0, 1.5, float("inf"), float("nan"), random.uniform(-1e4, 1e4)])
    if types.is_decimal(kind):
        return decimal.Decimal(random.randint(-10**kind.precision + 1, 10**kind.precision - 1)).scaleb(-kind.scale)
    if types.is_date(kind):
        return datetime.date(1970, 1, 1) + datetime.timedelta(days=random.randint(-200000, 200000))
    if types.is_time(kind):
        per_day = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit] * 86400
        return pa.scalar(random.randrange(per_day), pa.int32() if types.is_time32(kind) else pa.int64()).cast(kind)
    if types.is_timestamp(kind):
        limit = 2**33 * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]
        return pa.scalar(random.randint(-limit, limit), pa.int64()).cast(kind)
    if types.is_fixed_size_binary(kind):
        return random.randbytes(kind.byte_width)
    if types.is_binary(kind) or types.is_large_binary(kind):
        return text().encode()
    return text()


def value(kind, nullable, nulls):
    if nullable and random.random() < nulls:
        return None
    if pa.types.is_map(kind):
        keys = {scalar(kind.key_type) for _ in range(random.choice([0, 1, 3]))}  # DuckDB wants them different
        return [(key, value(kind.item_type, True, nulls)) for key in sorted(keys)]
    if pa.types.is_list(kind):
        return [value(kind.value_type, kind.value_field.nullable, nulls) for _ in range(random.choice([0, 1, 2, 9]))]
    if pa.types.is_struct(kind):
        return {f.name: value(f.type, f.nullable, nulls) for f in kind}
    return scalar(kind)


def column(f, rows):
    """Values with character: few, in runs, all the same, or any."""
    nulls = random.choice([0, 0, 0.01, 0.3, 1])
    some = [value(f.type, f.nullable, nulls) for _ in range(min(rows, random.choice([1, 2, 5, 40, 300, rows])) or 1)]
    how = random.randrange(3)
    if how == 0:
        out = random.choices(some, k=rows)
    elif how == 1:
        out = [some[i % len(some)] for i in range(rows)]
    else:
        out = []
        while len(out) < rows:
            out += [random.choice(some)] * random.choice([1, 5, 70, 1000])
    return pa.array(out[:rows], f.type)


def table(flat=False):
    rows = random.choice([0, 1, 7, 100, 1000, 1000, 3000])
    fields = [field(f"c{i}", 0 if flat else 3) for i in range(random.randint(1, 6))]
    rows = rows // 3 if any(pa.types.is_nested(f.type) for f in fields) else rows
    return pa.table([column(f, rows) for f in fields], pa.schema(fields))


def encoding(kind):
    """One of those that the leaf's physical type can have."""
    types = pa.types
    out = ["PLAIN"]
    if types.is_boolean(kind):
        return random.choice(["PLAIN", "RLE"])
    if types.is_decimal(kind) or types.is_fixed_size_binary(kind) or types.is_float16(kind):
        out += ["BYTE_STREAM_SPLIT", "DELTA_BYTE_ARRAY"]
    elif types.is_float32(kind) or types.is_float64(kind):
        out += ["BYTE_STREAM_SPLIT"]
    elif types.is_integer(kind) or types.is_temporal(kind):
        out += ["DELTA_BINARY_PACKED", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"]
    else:
        out += ["DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"]
    return random.choice(out)


def has(t, test):
    """Whether there is such a type anywhere in the table."""
    def inside(kind):
        return test(kind) or any(inside(kind.field(i).type) for i in range(kind.num_fields))
    return any(inside(f.type) for f in t.schema)


def options(t):
    """For pyarrow.parquet.write_table."""
    nanos = has(t, lambda kind: pa.types.is_timestamp(kind) and kind.unit == "ns")
    out = {
        "compression": random.choice(COMPRESSIONS),
        "data_page_version": random.choice(["1.0", "2.0"]),
        "data_page_size": random.choice([64, 500, 10000, None]),
        "row_group_size": random.choice([None, 1, 37, 1000]) if t.num_rows < 1100 else random.choice([None, 700]),
        "write_batch_size": random.choice([None, 10, 100]),
        "version": "2.6" if nanos else random.choice(["1.0", "2.4", "2.6"]),
        "write_page_index": random.random() < 0.5,
        "write_page_checksum": random.random() < 0.5,
        "dictionary_pagesize_limit": random.choice([None, 200]),
    }
    flat = not any(pa.types.is_nested(f.type) for f in t.schema)
    if flat and random.random() < 0.6:
        out["use_dictionary"] = False
        out["column_encoding"] = {f.name: encoding(f.type) for f in t.schema}
    if not nanos and "column_encoding" not in out and random.random() < 0.1:
        out["use_deprecated_int96_timestamps"] = True
    return {name: x for name, x in out.items() if x is not None}


def duckdb_options():
    return (f"FORMAT parquet, COMPRESSION {random.choice(['uncompressed', 'snappy', 'gzip', 'zstd', 'brotli', 'lz4_raw'])}, "
            f"PARQUET_VERSION {random.choice(['V1', 'V2'])}, ROW_GROUP_SIZE {random.choice([2048, 122880])}")
