"""Places that keep rows, for tests/contract/type_fidelity.py: a table of extreme values is made in each by its
own client, and read back by it. Each row has one value, in one column; the others are NULL.

A value is equal to another when its column's `canon` of both is: what a client writes in its own way (1.0 and
1, 08:00:00 and 08:00:00.000000) is the same, and nothing else is.
"""
import decimal
import json
import os
import re
import sqlite3
import struct
import time

import tap
from mariadb import MariaDB
from servers import Postgres
from tds_peer import TdsPeer

EMOJI, NUL = "größe 😀", "NUL inside"
BYTES = bytes(range(256))
LARGE = ("Größe 😀 北京 " * 60000).encode()[:1 << 20].decode(errors="ignore")
NINES = "9" * 38
FRACTION = "9" * 28 + "." + "9" * 10
F32_MAX = 3.4028234663852886e38

# What not every place can hold at all stands in a table of its own: its run fails as a whole.
TABLES = ("src", "named", "nul")
TEXTS = {"empty": "", NUL: "a\0b", "4-byte UTF-8": "😀𝄞", "leap second": "2016-12-31T23:59:60Z", "007": "007",
         "NULL": "NULL", "spaces around": " x ", "lines and quotes": 'a\r\nb "c", it\'s; \\d\t', "1 MiB": LARGE}
# Column -> kind, values by their names.
COLUMNS = {
    "flag": ("bool", {"true": True, "false": False}),
    "i32": ("i32", {"-2^31": -2**31, "2^31-1": 2**31 - 1}),
    "i64": ("i64", {"-2^63": -2**63, "2^63-1": 2**63 - 1}),
    "u64": ("u64", {"2^64-1": 2**64 - 1}),
    "d38": ("decimal(38,0)", {"largest": NINES, "least": "-" + NINES}),
    "d10": ("decimal(38,10)", {"0.1": "0.1000000000", "largest": FRACTION, "least": "-" + FRACTION}),
    "f64": ("double", {"0.1": 0.1, "-0.0": -0.0, "largest": 1.7976931348623157e308, "smallest": 5e-324,
                       "NaN": float("nan"), "+infinity": float("inf"), "-infinity": -float("inf")}),
    "f32": ("float", {"0.1": struct.unpack("f", struct.pack("f", 0.1))[0], "largest": F32_MAX}),
    "txt": ("text", TEXTS),
    EMOJI: ("text", {"emoji in the column's name": "x"}),
    "raw": ("bytes", {"all bytes": BYTES, "empty": b""}),
    "day": ("date", {"year 1": "0001-01-01", "year 9999": "9999-12-31"}),
    "clock": ("time", {"midnight": "00:00:00", "last": "23:59:59.999999"}),
    "local_at": ("timestamp", {"year 1": "0001-01-01 00:00:00", "last": "9999-12-31 23:59:59.999999"}),
    "utc_at": ("instant", {"year 1": "0001-01-01 00:00:00", "1970": "1970-01-01 00:00:01.5",
                           "last": "9999-12-31 23:59:59.999999"}),
    "uid": ("uuid", {"uuid": "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"}),
    "doc": ("json", {"json": '{"a": [1, null, "😀"]}'}),
}


def canon(kind, value):
    """Values that are the same have the same."""
    if value is None:
        return None
    if kind in ("text", "json", "bytes"):
        return value
    text = str(value).strip().lower()
    if kind == "uuid":
        return text
    if kind == "bool":
        return {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}.get(text, text)
    if kind in ("date", "time", "timestamp", "instant"):
        text = re.sub(r"(z| ?\+00(:?00)?)$", "", text.replace("t", " "))
        return re.sub(r"\.?0+$", "", text) if "." in text else text
    if text in ("nan", "inf", "-inf", "infinity", "-infinity"):
        return text.replace("infinity", "inf")
    number = decimal.Decimal(text)
    if kind == "float":  # with as many digits as a client likes
        return struct.pack("f", float(number))
    return (number.is_signed(), float(number)) if kind == "double" else number.normalize(decimal.Context(prec=60))


class Place:
    """columns: those that this place has of COLUMNS, as it declares them."""
    name, words, is_file, extension = "", "", False, ""
    untold = ()  # tables that say nothing about it
    lacks = ()  # values that cannot be written into it, as (column, name)

    def of(self, table):
        """The table's columns, as this place declares them."""
        return {c: t for c, t in self.columns.items() if table == ("named" if c == EMOJI else "src")
                or (table, c) == ("nul", "txt")}

    def rows(self, table):
        """(id, column, name of the value, value), in the order that they stand in."""
        found = [(c, n, v) for c in self.of(table) for n, v in COLUMNS[c][1].items()
                 if (c, n) not in self.lacks and (n == NUL) == (table == "nul")]
        return [(i, *row) for i, row in enumerate([*found, ("", "NULL", None)] if found else [], 1)]

    def canonical(self, rows):
        """What read() gives: {id: {column: value}} -> {id: {column: canon}}, without what is NULL."""
        return {int(i): {c: canon(COLUMNS[c][0], v) for c, v in row.items() if v is not None} for i, row in rows.items()}


def columns_of(columns):
    return "".join(f', "{c}" {t}' for c, t in columns.items())


def select_all(db, columns, name):
    rows = db.execute(f"SELECT id, {', '.join(f'{chr(34)}{c}{chr(34)}' for c in columns)} FROM {name}")
    return {row[0]: dict(zip(columns, row[1:])) for row in rows}


# --- Databases -----------------------------------------------------------------------------------

class Sqlite(Place):
    name, words = "SQLite", "{ type: sqlite, path: sqlite.db }"
    columns = {"flag": "BOOLEAN", "i32": "INT", "i64": "BIGINT", "d38": "DECIMAL TEXT(38,0)", "d10": "DECIMAL TEXT(38,10)",
               "f64": "DOUBLE", "f32": "FLOAT", "txt": "TEXT", EMOJI: "TEXT", "raw": "BLOB", "day": "DATE",
               "clock": "TIME", "local_at": "TIMESTAMP", "utc_at": "TIMESTAMPTZ", "uid": "TEXT", "doc": "TEXT"}
    lacks = {("f64", "NaN")}  # it stores NULL

    def open(self, project):
        return sqlite3.connect(project.folder / "sqlite.db", isolation_level=None)

    def make(self, project, table):
        db = self.open(project)
        db.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY{columns_of(self.of(table))})")
        for i, column, _, value in self.rows(table):
            if column == "utc_at":
                value += "Z"
            db.execute(f"INSERT INTO {table} (id) VALUES (?)", (i,))
            if column:
                db.execute(f'UPDATE {table} SET "{column}" = ? WHERE id = ?', (value, i))

    def read(self, project, table, name):
        return select_all(self.open(project), self.of(table), name)


class Served(Place):
    """A server of SQL: literals go in, and rows come out as text, in hex where text could be misread."""
    hexed = ("text", "json", "bytes", "uuid")

    def literal(self, kind, value):
        if kind in ("i32", "i64", "u64", "decimal(38,0)", "decimal(38,10)", "float"):
            return repr(value) if kind == "float" else str(value)
        return "'" + str(value).replace("'", "''") + "'"

    def make(self, project, table):
        q = self.quote
        columns = "".join(f", {q(c)} {t}" for c, t in self.of(table).items())
        lines = [f"CREATE TABLE {table} (id int NOT NULL PRIMARY KEY{columns})"]
        for i, column, _, value in self.rows(table):
            what = (f"(id, {q(column)}) VALUES ({i}, {self.literal(COLUMNS[column][0], value)})" if column
                    else f"(id) VALUES ({i})")
            lines.append(f"INSERT INTO {table} {what}")
        self.run(";\n".join(lines) + ";\n")

    def read(self, project, table, name):
        columns, found = self.of(table), {}
        for row in self.select(f"SELECT id, {', '.join(map(self.shown, columns))} FROM {name}"):
            values = [None if v == "~" else self.unhex(c, v) for c, v in zip(columns, row[1:])]
            found[row[0]] = dict(zip(columns, values))
        return found

    def unhex(self, column, value):
        kind = COLUMNS[column][0]
        if kind not in self.hexed:
            return value
        raw = bytes.fromhex(value)
        return raw if kind == "bytes" else raw.decode()


class PostgresPlace(Served):
    name = "PostgreSQL"
    columns = {"flag": "boolean", "i32": "int", "i64": "bigint", "d38": "numeric(38,0)", "d10": "numeric(38,10)",
               "f64": "double precision", "f32": "real", "txt": "text", EMOJI: "text", "raw": "bytea", "day": "date",
               "clock": "time", "local_at": "timestamp", "utc_at": "timestamptz", "uid": "uuid", "doc": "json"}
    lacks = {("txt", NUL)}  # it refuses it

    def __init__(self):
        self.server = Postgres()
        os.environ["PG_PASSWORD"] = Postgres.PASSWORD
        self.words = self.server.words()
        self.run, self.select = self.server.sql, self.server.rows

    def quote(self, name):
        return f'"{name}"'

    def literal(self, kind, value):
        if kind == "bytes":
            return f"'\\x{value.hex()}'"
        if kind == "instant":
            return f"'{value}+00'"
        if kind == "double":
            return "'%s'" % (repr(value).replace("inf", "Infinity") if abs(value) != 5e-324 else "4.94065645841247e-324")
        return super().literal(kind, value)

    def shown(self, column):
        c, kind = self.quote(column), COLUMNS[column][0]
        if kind in self.hexed:
            c = f"encode({c}, 'hex')" if kind == "bytes" else f"encode(convert_to({c}::text, 'UTF8'), 'hex')"
        return f"COALESCE({c}::text, '~')"


class MysqlPlace(Served):
    name = "MariaDB"
    columns = {"flag": "BOOLEAN", "i32": "INT", "i64": "BIGINT", "u64": "BIGINT UNSIGNED", "d38": "DECIMAL(38,0)",
               "d10": "DECIMAL(38,10)", "f64": "DOUBLE", "f32": "FLOAT", "txt": "LONGTEXT CHARACTER SET utf8mb4",
               "raw": "LONGBLOB", "day": "DATE", "clock": "TIME(6)",
               "local_at": "DATETIME(6)", "utc_at": "TIMESTAMP(6) NULL", "uid": "UUID", "doc": "JSON"}
    lacks = {("f64", "NaN"), ("f64", "+infinity"), ("f64", "-infinity"), ("f64", "-0.0"),
             ("utc_at", "year 1"), ("utc_at", "last")}

    def __init__(self):
        self.server = MariaDB()
        os.environ["MYSQL_PASSWORD"] = MariaDB.PASSWORD
        self.words = self.server.create("fidelity")

    def run(self, text):
        self.server.sql("SET sql_mode = 'STRICT_ALL_TABLES';\n" + text, "fidelity")

    def select(self, text):
        return self.server.sql(text, "fidelity")

    def quote(self, name):
        return f"`{name}`"

    def literal(self, kind, value):
        if kind in ("text", "json", "bytes"):
            raw = value if kind == "bytes" else value.encode()
            return f"{'' if kind == 'bytes' else '_utf8mb4 '}x'{raw.hex()}'"
        if kind in ("bool", "double"):
            return repr(value)
        return super().literal(kind, value)

    def shown(self, column):
        c, kind = self.quote(column), COLUMNS[column][0]
        if kind in self.hexed:
            c = f"HEX({c})" if kind == "bytes" else f"HEX(CONVERT({c} USING utf8mb4))"
        if kind == "float":
            c = f"{c} + 0e0"  # else with six digits
        return f"COALESCE({c}, '~')"


class SqlserverPlace(Place):
    """The TDS peer, whose own SQLite ends texts at a NUL when it reads them: rows go into the SQLite file that it keeps them in (see tests/support/tds/types.js)."""
    name = "SQL Server"
    columns = {"flag": "bit", "i32": "int", "i64": "bigint", "d38": "decimal(38,0)", "d10": "decimal(38,10)", "f64": "float",
               "f32": "real", "txt": "nvarchar(max)", EMOJI: "nvarchar(max)", "raw": "varbinary(max)", "day": "date",
               "clock": "time(6)", "local_at": "datetime2(6)", "utc_at": "datetimeoffset(6)", "uid": "uniqueidentifier",
               "doc": "nvarchar(max)"}
    lacks, untold = {("f64", "NaN"), ("f64", "+infinity"), ("f64", "-infinity")}, ("nul",)

    def __init__(self):
        self.peer = TdsPeer()
        os.environ["TDS_PASSWORD"] = TdsPeer.PASSWORD
        self.words = self.peer.words("fidelity")

    def open(self):
        return sqlite3.connect(self.peer.folder / "fidelity.db", isolation_level=None)

    def make(self, project, table):
        self.peer.tsql(f"CREATE TABLE {table} (id int NOT NULL PRIMARY KEY{columns_of(self.of(table))})", "fidelity")
        db = self.open()
        for i, column, _, value in self.rows(table):
            db.execute(f"INSERT INTO {table} (id) VALUES (?)", (i,))
            if column:
                db.execute(f'UPDATE {table} SET "{column}" = ? WHERE id = ?', (self.stored(COLUMNS[column][0], value), i))

    @staticmethod
    def stored(kind, value):
        if kind not in ("time", "timestamp", "instant"):
            return value
        whole, _, fraction = value.partition(".")
        return f"{whole}.{fraction:0<7}" + (" +00:00" if kind == "instant" else "")

    def read(self, project, table, name):
        return select_all(self.open(), self.of(table), name)


# --- Files ---------------------------------------------------------------------------------------

class File(Place):
    is_file = True

    def drop(self, project, table):
        path = project.folder / "drop" / f"{table}{self.extension}"
        path.parent.mkdir(exist_ok=True)
        return path

    def make(self, project, table):
        path = self.drop(project, table)
        self.write(path, table)
        os.utime(path, (time.time() - 86400,) * 2)  # it lies still

    def read(self, project, table, name):
        if name == table:
            return self.parse(self.drop(project, table), table)
        found = {}
        for path in sorted((project.folder / "lake").glob(f"{name}-*{self.extension}")):
            found.update(self.parse(path, table))
        return found


class Json(File):
    name, extension = "JSON", ".json"
    columns = {c: "" for c in ("flag", "i32", "i64", "u64", "d38", "d10", "f64", "txt", EMOJI)}
    lacks = {("f64", "NaN"), ("f64", "+infinity"), ("f64", "-infinity")}

    def write(self, path, table):
        rows = []
        for i, column, _, value in self.rows(table):
            shown = f", {json.dumps(column, ensure_ascii=False)}: {self.literal(column, value)}" if column else ""
            rows.append(f'{{"id": {i}{shown}}}')
        path.write_text("[\n" + ",\n".join(rows) + "\n]\n")

    @staticmethod
    def literal(column, value):
        return value if COLUMNS[column][0].startswith("decimal") else json.dumps(value, ensure_ascii=False)

    def parse(self, path, table):
        rows = json.loads(path.read_text(), parse_float=str, parse_int=str)
        return {int(row["id"]): {c: row.get(c) for c in self.of(table)} for row in rows}


class Csv(File):
    name, extension = "CSV", ".csv"
    columns = {c: "" for c in ("flag", "i32", "i64", "u64", "d38", "d10", "f64", "txt", EMOJI, "day", "local_at")}
    lacks = {("f64", "NaN"), ("f64", "+infinity"), ("f64", "-infinity"), ("txt", "NULL")}

    def write(self, path, table):
        with path.open("w", newline="") as out:
            out.write(",".join(["id", *self.of(table)]) + "\n")
            for i, column, _, value in self.rows(table):
                out.write(",".join([str(i), *(self.cell(c, value) if c == column else "" for c in self.of(table))]) + "\n")

    @staticmethod
    def cell(column, value):
        if COLUMNS[column][0] == "bool":
            return str(value).lower()
        return '"' + value.replace('"', '""') + '"' if COLUMNS[column][0] == "text" else str(value)

    def parse(self, path, table):
        """An empty cell is NULL, an empty text has quotes: csv cannot tell them apart."""
        text = path.read_bytes().decode()
        cells = re.findall(r'("(?:[^"]|"")*"|[^,\r\n"]*)(,|\r?\n|$)', text)
        rows, row = [], []
        for cell, end in cells:
            row.append(cell[1:-1].replace('""', '"') if cell.startswith('"') else cell or None)
            if end != ",":
                rows.append(row)
                row = []
        header = rows[0]
        return {int(r[0]): {c: dict(zip(header, r)).get(c) for c in self.of(table)} for r in rows[1:] if len(r) == len(header)}


class Parquet(File):
    name, extension = "Parquet", ".parquet"
    columns = {c: "" for c in COLUMNS if c not in ("uid", "doc")}

    def __init__(self):
        try:
            import pyarrow
        except ImportError:
            raise tap.Skip("PyArrow is not installed; run scripts/install-peers") from None
        self.pa = pyarrow

    def types(self):
        pa = self.pa
        return {"bool": pa.bool_(), "i32": pa.int32(), "i64": pa.int64(), "u64": pa.uint64(),
                "decimal(38,0)": pa.decimal128(38, 0), "decimal(38,10)": pa.decimal128(38, 10), "double": pa.float64(),
                "float": pa.float32(), "text": pa.string(), "bytes": pa.binary(), "date": pa.date32(), "time": pa.time64("us"),
                "timestamp": pa.timestamp("us"), "instant": pa.timestamp("us", "UTC")}

    def write(self, path, table):
        import pyarrow.parquet
        pa, rows, types = self.pa, self.rows(table), self.types()
        columns = {"id": pa.array([row[0] for row in rows], pa.int32())}
        for c in self.of(table):
            kind = COLUMNS[c][0]
            values = [self.value(kind, row[3]) if row[1] == c else None for row in rows]
            columns[c] = pa.array(values, types[kind])
        pyarrow.parquet.write_table(pa.table(columns), path)

    @staticmethod
    def value(kind, value):
        import datetime
        if kind.startswith("decimal"):
            return decimal.Decimal(value)
        if kind == "instant":
            return datetime.datetime.fromisoformat(value).replace(tzinfo=datetime.timezone.utc)
        parse = {"date": datetime.date, "time": datetime.time, "timestamp": datetime.datetime}.get(kind)
        return parse.fromisoformat(value) if parse else value

    def parse(self, path, table):
        import pyarrow.parquet
        rows = pyarrow.parquet.read_table(path).to_pylist()
        return {row["id"]: {c: row.get(c) for c in self.of(table)} for row in rows}



def places():
    """(those that are here, why the others are not)"""
    here, away = [], {}
    for kind in (Sqlite, PostgresPlace, MysqlPlace, SqlserverPlace, Json, Csv, Parquet):
        try:
            here.append(kind())
        except tap.Skip as why:
            away[kind.name] = str(why)
    return here, away
