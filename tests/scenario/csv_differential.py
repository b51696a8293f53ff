#!/usr/bin/env python3
"""CSV as other programs see it: generated dirty files are read by `wherry convert`, by Python's csv
module and by DuckDB, and what Wherry writes is read by both. WHERRY_TEST_SEED replays a run."""
import csv
import io
import json
import random
import subprocess
import sys
from decimal import Decimal

import tap
import peers

csv.field_size_limit(sys.maxsize)

FILES = 400 if tap.LONG else 25
WORDS = ["Open", "Back ordered", "naïve", "北京", "O'Neill", "x", "a longer sentence, with a comma",
         "semi;colon", "pipe|pipe", "tab\there", 'say "hi"', "two\nlines", "dos\r\nlines", "😀", "#1",
         " blanks ", "NULL", "0012", "1,234", "C:\\temp", "::", "''", "-", "\u00a0", "end\\"]


class Place:
    def __init__(self):
        self.folder = tap.folder()

    def convert(self, given, wanted, *options, code=0):
        done = subprocess.run([str(tap.WHERRY), "convert", given, wanted, "--force", "--json",
                               *map(str, options)], cwd=self.folder, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
        assert done.returncode == code, f"expected exit {code}, got {done.returncode}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout else {}

    def rows(self, name):
        with open(self.folder / name, encoding="utf-8", newline="\n") as file:
            return [json.loads(line) for line in file]


# --- dirty files ---------------------------------------------------------------------------------

class Dirty:
    """A file, and what stands in it: `rows` are the cells of good rows, None for what has no quotes
    and no text."""

    def __init__(self, rng, ragged=False, delimiters=(",", ";", "\t", "|")):
        self.rng = rng
        self.delimiter = rng.choice(delimiters)
        self.quote = rng.choice('"""\'')
        self.ends = rng.choice([["\n"], ["\r\n"], ["\r"], ["\n", "\r\n"]])
        self.names = [f"column {i}" if rng.random() < 0.2 else f"c{i}" for i in range(rng.randint(2, 9))]
        self.rows, self.bad = [], 0
        self.out = io.StringIO(newline="")
        self.line(self.names)
        self.head = len(self.out.getvalue())
        for _ in range(rng.randint(12, 300)):
            if ragged and rng.random() < 0.1:
                self.bad += 1
                width = rng.choice([n for n in range(1, len(self.names) + 3) if n != len(self.names)])
                self.line(self.cells(width), sure=True)
            else:
                row = self.cells(len(self.names))
                self.rows.append(row)
                self.line(row)
            if rng.random() < 0.02:
                self.out.write(rng.choice(self.ends))  # an empty line
        self.text = self.out.getvalue()
        if rng.random() < 0.3:
            self.text = self.text.rstrip("\r\n") if not self.text.endswith(self.delimiter) else self.text

    def cells(self, width):
        return [self.cell(i) for i in range(width)]

    def cell(self, column):
        rng = self.rng
        if rng.random() < 0.1:
            return rng.choice([None, ""])
        if column % 3 == 0:
            return str(rng.randint(-10**6, 10**6))
        if column % 3 == 1:
            return f"20{rng.randint(10, 39)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
        return "".join(rng.choice(WORDS) for _ in range(rng.choice([1, 1, 1, 2, 5])))

    def line(self, cells, sure=False):
        fields = [self.field(cell) for cell in cells]
        if sure and fields == [""]:  # an empty line would be no row at all
            fields = [self.quote * 2]
        self.out.write(self.delimiter.join(fields) + self.rng.choice(self.ends))

    def field(self, cell):
        if cell is None:
            return ""
        odd = any(c in cell for c in (self.delimiter, self.quote, "\n", "\r"))
        if not odd and cell and self.rng.random() < 0.8:
            return cell
        return self.quote + cell.replace(self.quote, self.quote * 2) + self.quote

    def options(self):
        return ["--read", f"delimiter={self.delimiter}", "--read", f"quote={self.quote}",
                "--read", "escape=none", "--read", "header=yes", "--read", "preamble=0"]


def each_dirty(**more):
    for number in range(FILES):
        yield Dirty(random.Random(tap.SEED * 1000 + number), **more)


def values(rows):
    return [[value for value in row.values()] for row in rows]


def empty_is_none(rows):
    return [[None if cell == "" else cell for cell in row] for row in rows]


def read_by_python(dirty, text):
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=dirty.delimiter,
                           quotechar=dirty.quote, strict=True))
    return [row for row in rows[1:] if len(row) == len(dirty.names)]


def same(got, want, what):
    for number, (a, b) in enumerate(zip(got, want), 1):
        assert a == b, f"{what}, row {number}: {a!r}, expected {b!r}"
    tap.equal(len(got), len(want), f"{what}: rows")


# --- reading -------------------------------------------------------------------------------------

def check(place, dirty, data, *options, python=True):
    (place.folder / "in.csv").write_bytes(data)
    told = place.convert("in.csv", "out.ndjson", "--read", "text=true", *options,
                         code=3 if dirty.bad else 0)
    what = f"{told['format'] if 'format' in told else ''} of {data[:2000]!r}"
    tap.equal(told["rows_quarantined"], dirty.bad, what)
    rows = place.rows("out.ndjson")
    tap.equal(list(rows[0]), dirty.names, what)
    same(values(rows), dirty.rows, what)
    if python:
        same(empty_is_none(values(rows)), empty_is_none(read_by_python(dirty, dirty.text)), what)


def test_dirty_files_are_read_as_python_reads_them():
    place = Place()
    for dirty in each_dirty():
        check(place, dirty, dirty.text.encode(), *dirty.options())


def test_their_dialect_is_found_out():
    place = Place()
    for dirty in each_dirty():
        check(place, dirty, dirty.text.encode())


def test_ragged_rows_are_rejected_and_no_others():
    place = Place()
    for dirty in each_dirty(ragged=True):
        check(place, dirty, dirty.text.encode(), *dirty.options())


def test_delimiters_of_several_characters():
    place = Place()
    for dirty in each_dirty(delimiters=("||", "::", "~|~", "<->")):
        check(place, dirty, dirty.text.encode(), *dirty.options(), python=False)


def test_encodings():
    place = Place()
    for dirty in each_dirty():
        codec = dirty.rng.choice(["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
        check(place, dirty, dirty.text.encode(codec))
    for dirty in each_dirty():
        keep = lambda text: text and text.encode("latin-1", "replace").decode("latin-1")
        dirty.rows = [[keep(cell) for cell in row] for row in dirty.rows]
        dirty.text = keep(dirty.text)
        check(place, dirty, dirty.text.encode("latin-1"), "--read", "encoding=latin-1")


def test_large_files_in_parts():
    place = Place()
    for number in range(2):
        dirty = Dirty(random.Random(tap.SEED + number))
        body = dirty.text[dirty.head:]
        if not body.endswith(("\n", "\r")):
            body += dirty.ends[0]
        times = 12_000_000 // len(body) + 1
        dirty.rows = dirty.rows * times
        dirty.text = dirty.text[:dirty.head] + body * times
        check(place, dirty, dirty.text.encode(), *dirty.options(), python=False)


def test_types_are_what_was_written():
    """What is inferred has the value that was written, to the last digit."""
    place = Place()
    for number in range(FILES):
        rng = random.Random(tap.SEED * 1000 + number)
        point = rng.choice(".,")
        makers = {
            "whole": lambda: rng.randint(-2**rng.randint(1, 62), 2**rng.randint(1, 62)),
            "money": lambda: Decimal(rng.randint(-10**9, 10**9)).scaleb(-2),
            "day": lambda: f"{rng.randint(1900, 2100)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
            "yes": lambda: rng.choice([True, False]),
            "word": lambda: rng.choice(["a", "b;", "10x", "1-2", "true story", "2026-13-01"]),
        }
        rows = [{name: None if rng.random() < 0.05 else make() for name, make in makers.items()}
                for _ in range(rng.randint(20, 3000))]
        spell = lambda v: "" if v is None else str(v).lower() if isinstance(v, bool) else \
            str(v).replace(".", point) if isinstance(v, Decimal) else str(v)
        out = io.StringIO(newline="")
        writer = csv.writer(out, delimiter=";", lineterminator="\n")
        writer.writerow(makers)
        writer.writerows([spell(v) for v in row.values()] for row in rows)
        (place.folder / "in.csv").write_text(out.getvalue())
        place.convert("in.csv", "out.ndjson", "--read", f"decimal={point}", "--read", "delimiter=;",
                      "--read", "header=yes")
        with open(place.folder / "out.ndjson") as file:
            got = [json.loads(line, parse_float=Decimal) for line in file]
        same(got, rows, f"file {number}")


# --- DuckDB --------------------------------------------------------------------------------------

def duckdb():
    if not peers.here():
        raise tap.Skip("DuckDB is not installed; run scripts/install-peers")
    import duckdb as module
    return module


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def by_duckdb(module, place, name, columns, **options):
    words = {"delim": literal(options["delimiter"]), "quote": literal(options["quote"]),
             "escape": literal(options["quote"]), "header": "true", "auto_detect": "false",
             "all_varchar": "true", "allow_quoted_nulls": "false", "parallel": "false",
             "columns": "{" + ", ".join(f"{literal(c)}: 'VARCHAR'" for c in columns) + "}"}
    if options.get("null"):
        words["nullstr"] = literal(options["null"])
    told = ", ".join(f"{word} = {value}" for word, value in words.items())
    path = literal(str(place.folder / name))
    return [list(row) for row in module.sql(f"SELECT * FROM read_csv({path}, {told})").fetchall()]


def test_dirty_files_are_read_as_duckdb_reads_them():
    module, place, compared = duckdb(), Place(), 0
    for dirty in each_dirty():
        # It does not take line ends that change within a file, nor a lone CR.
        if dirty.ends not in (["\n"], ["\r\n"]):
            continue
        compared += 1
        (place.folder / "in.csv").write_bytes(dirty.text.encode())
        place.convert("in.csv", "out.ndjson", "--read", "text=true", *dirty.options())
        theirs = by_duckdb(module, place, "in.csv", dirty.names, delimiter=dirty.delimiter,
                           quote=dirty.quote)
        same(empty_is_none(values(place.rows("out.ndjson"))), empty_is_none(theirs),
             f"of {dirty.text[:2000]!r}")
    assert compared


# --- writing -------------------------------------------------------------------------------------

def random_rows(rng):
    makers = [lambda: rng.randint(-10**12, 10**12), lambda: rng.random() * 1000,
              lambda: "".join(rng.choice(WORDS) for _ in range(rng.choice([0, 1, 1, 3]))),
              lambda: rng.choice([True, False])]
    columns = [rng.choice(makers) for _ in range(rng.randint(2, 7))]
    return [{f"c{i}": None if rng.random() < 0.1 else make() for i, make in enumerate(columns)}
            for _ in range(rng.randint(1, 300))]


def spelt(value):
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value)


def close(got, want):
    """Equal, or the same number in other letters."""
    if got == want:
        return True
    return isinstance(want, float) and got is not None and float(got) == want


def each_written(place):
    for number in range(FILES):
        rng = random.Random(tap.SEED * 1000 + number)
        rows = random_rows(rng)
        options = {"delimiter": rng.choice([",", ";", "\t", "|"]), "quote": rng.choice("\"\"'"),
                   "null": rng.choice(["", "", "NA", "\\N"]), "quoting": rng.choice(["minimal", "all", "text"]),
                   "line_ending": rng.choice(["lf", "crlf"])}
        (place.folder / "in.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
        flags = [word for name, value in options.items() if value for word in ("--write", f"{name}={value}")]
        place.convert("in.ndjson", "out.csv", *flags)
        yield rows, options


def test_what_is_written_is_what_python_reads():
    place = Place()
    for rows, options in each_written(place):
        with open(place.folder / "out.csv", encoding="utf-8", newline="") as file:
            got = list(csv.reader(file, delimiter=options["delimiter"], quotechar=options["quote"],
                                  strict=True))
        tap.equal(got[0], list(rows[0]))
        tap.equal(len(got) - 1, len(rows), options)
        for read, row in zip(got[1:], rows):
            for cell, value in zip(read, row.values()):
                if value is None:
                    assert cell == options["null"], (cell, value, options)
                elif isinstance(value, float):
                    assert float(cell) == value, (cell, value, options)
                else:
                    assert cell == spelt(value), (cell, value, options)


def test_what_is_written_is_what_duckdb_reads():
    module, place = duckdb(), Place()
    for rows, options in each_written(place):
        got = by_duckdb(module, place, "out.csv", list(rows[0]), **options)
        want = [[value if value is None or isinstance(value, float) else spelt(value)
                 for value in row.values()] for row in rows]
        tap.equal(len(got), len(want), options)
        for read, row in zip(got, want):
            assert all(close(a, b) for a, b in zip(read, row)), (read, row, options)


def test_there_and_back_through_csv():
    """NULL, the empty text and every text survive; so do names."""
    place = Place()
    for rows, options in each_written(place):
        flags = ["--read", f"delimiter={options['delimiter']}", "--read", f"quote={options['quote']}",
                 "--read", "escape=none", "--read", "header=yes", "--read", "preamble=0", "--read", "text=true"]
        if options["null"]:
            flags += ["--read", f"null={options['null']}"]
        place.convert("out.csv", "back.ndjson", *flags)
        want = [{name: None if value is None else spelt(value) for name, value in row.items()} for row in rows]
        for got, row, source in zip(place.rows("back.ndjson"), want, rows):
            for name, value in row.items():
                ok = got[name] == value or (isinstance(source[name], float) and float(got[name]) == source[name])
                assert ok, (got[name], value, options)


if __name__ == "__main__":
    peers.prefer()
    tap.run()
