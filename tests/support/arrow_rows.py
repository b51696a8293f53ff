"""Rows of Arrow tables as tests/support/random_table.h describes them, to compare with ours."""
import decimal
import struct

import pyarrow as pa

WIDE = decimal.Context(prec=80)
NANOS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def lists(array):
    items = plain(array.flatten())
    lengths, at, out = array.value_lengths().to_pylist(), 0, []
    for length in lengths:
        out.append(None if length is None else items[at:at + length])
        at += length or 0
    return out


def structs(array):
    fields = [plain(field) for field in array.flatten()]
    rows = zip(*fields)
    return [list(row) if there else None for row, there in zip(rows, array.is_valid().to_pylist())]


def floats(array):
    form, digits = ("<f", "<I"), 8
    if pa.types.is_float64(array.type):
        form, digits = ("<d", "<Q"), 16
    return [None if x is None else "nan" if x != x else
            f"{struct.unpack(form[1], struct.pack(form[0], x))[0]:0{digits}x}" for x in array.to_pylist()]


def plain(array):
    """The values of an Arrow array."""
    kind = array.type
    types = pa.types
    if types.is_dictionary(kind):
        return plain(array.dictionary_decode())
    if types.is_map(kind):
        array = array.cast(pa.list_(pa.struct([kind.key_field, kind.item_field])))
        return lists(array)
    if types.is_list(kind) or types.is_large_list(kind):
        return lists(array)
    if types.is_struct(kind):
        return structs(array)
    if types.is_floating(kind):
        return floats(array)
    if types.is_decimal(kind):
        return [None if x is None else int(x.scaleb(kind.scale, WIDE)) for x in array.to_pylist()]
    if types.is_date(kind):
        return array.cast(pa.date32()).cast(pa.int32()).to_pylist()
    if types.is_time(kind):
        ints = array.cast(pa.int32() if types.is_time32(kind) else pa.int64()).to_pylist()
        return [None if x is None else x * NANOS[kind.unit] for x in ints]
    if types.is_timestamp(kind):
        return [None if x is None else x * NANOS[kind.unit] for x in array.cast(pa.int64()).to_pylist()]
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
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
        assert len(a) == len(b), f"{where}: {len(a)} columns, expected {len(b)}"
        for column, (x, y) in enumerate(zip(a, b)):
            assert x == y, f"{where}, row {row}, column {column}: {x!r}, expected {y!r}"
