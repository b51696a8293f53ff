#!/usr/bin/env python3
"""Random expressions mean what they mean in DuckDB: the same rows, computed by both, compared value by
value. Quotients, which DuckDB makes floats, are compared with Python's fractions."""
import decimal
import fractions
import json
import os
import random

import peers

peers.require()

import duckdb  # noqa: E402
import tap  # noqa: E402
from project import Project  # noqa: E402

CONFIG = """\
version: 1
connections:
  lake: {{ type: local, path: lake }}
pipelines:
  a:
    from: lake:in/*.ndjson
    steps:
      - cast: {{ m: "decimal(6,2)", o: "decimal(5,1)", d: date, g: date, i: int64, j: int64 }}
      - derive:
{derive}
    columns: all
    to: lake:out/a-{{run}}.parquet
"""
WORDS = ["", "a", "Ab", " x ", "a%b", "SO-4711", "hello world", "zz", "b_c"]
UNITS = ["year", "quarter", "month", "week", "day"]


class Maker:
    """Random expressions, as pairs: how we write them, and how DuckDB does."""

    def __init__(self, dice):
        self.dice = dice

    def __call__(self, kind, depth):
        return getattr(self, kind)(depth)

    def both(self, form, *parts):
        return form.format(*(p[0] for p in parts)), form.format(*(p[1] for p in parts))

    def any(self, kind, depth):
        """What there is of every kind."""
        form = self.dice.choice(["case when {1} then {0} else {2} end", "case when {1} then {0} end",
                                 "coalesce({0}, {2})", "nullif({0}, {2})", "least({0}, {2})", "greatest({0}, {2})"])
        return self.both("(" + form + ")", self(kind, depth - 1), self("bool", depth - 1), self(kind, depth - 1))

    def int(self, depth):
        if depth == 0:
            n = self.dice.randint(0, 9)
            return self.dice.choice([("i", "i"), ("j", "j"), (f"{n}", f"{n}::BIGINT")])
        pick = self.dice.randrange(8)
        if pick < 3:
            return self.both(self.dice.choice(["({0} + {1})", "({0} - {1})", "({0} * {1})"]), self("int", depth - 1),
                             self("int", depth - 1))
        if pick == 3:
            return self.both("length({0})", self("text", depth - 1))
        if pick == 4:
            day = self("date", depth - 1)
            form, other = self.dice.choice([("year", "year"), ("month", "month"), ("day", "day"),
                                            ("weekday", "isodow")])
            return f"{form}({day[0]})", f"{other}({day[1]})"
        if pick == 5:
            unit = self.dice.choice([unit for unit in UNITS if unit != "week"])  # whose weeks begin anywhere
            return self.both("date_diff('%s', {0}, {1})" % unit, self("date", depth - 1), self("date", depth - 1))
        if pick == 6:
            return self.both(self.dice.choice(["abs({0})", "(-{0})", "({0} % 7)"]), self("int", depth - 1))
        return self.any("int", depth)

    def dec(self, depth):
        if depth == 0:
            return self.dice.choice([("m", "m"), ("o", "o"), ("1.25", "1.25"), ("0.5", "0.5"), ("i", "i::DECIMAL(2,0)")])
        pick = self.dice.randrange(7)
        if pick < 3:
            return self.both(self.dice.choice(["({0} + {1})", "({0} - {1})", "({0} * {1})"]), self("dec", depth - 1),
                             self("dec", depth - 1))
        if pick == 3:
            return self.both("round({0}, %d)" % self.dice.randrange(3), self("dec", depth - 1))
        if pick == 4:
            return self.both(self.dice.choice(["floor({0})", "ceil({0})", "abs({0})", "(-{0})"]), self("dec", depth - 1))
        return self.any("dec", depth)

    def text(self, depth):
        if depth == 0:
            word = "'" + self.dice.choice(WORDS) + "'"
            return self.dice.choice([("s", "s"), ("t", "t"), (word, word)])
        pick = self.dice.randrange(6)
        a, b = self("text", depth - 1), self("text", depth - 1)
        if pick == 0:
            return self.both("({0} || {1})", a, b)
        if pick == 1:
            return self.both(self.dice.choice(["lower({0})", "upper({0})", "trim({0})", "concat({0}, '-')"]), a)
        if pick == 2:
            form = "substring({0}, %d, %d)" % (self.dice.randint(1, 4), self.dice.randint(0, 4))
            return self.both(form, a)
        if pick == 3:
            return self.both("replace({0}, {1}, {2})", a, (("'a'", "'a'")), b)
        if pick == 4:
            return self.both("split_part({0}, '%s', %d)" % (self.dice.choice("a -"), self.dice.randint(1, 3)), a)
        return self.any("text", depth)

    def date(self, depth):
        if depth == 0:
            day = "date '20%02d-%02d-%02d'" % (self.dice.randrange(100), self.dice.randint(1, 12),
                                               self.dice.randint(1, 28))
            return self.dice.choice([("d", "d"), ("g", "g"), (day, day)])
        pick, day = self.dice.randrange(3), self("date", depth - 1)
        if pick == 0:
            unit, n = self.dice.choice(["year", "month", "week", "day"]), self.dice.randint(-30, 30)
            return (f"date_add({day[0]}, {n}, '{unit}')",
                    f"cast({day[1]} + to_{unit}s({n}) as date)")
        if pick == 1:
            unit = self.dice.choice(UNITS)
            return f"date_trunc('{unit}', {day[0]})", f"cast(date_trunc('{unit}', {day[1]}) as date)"
        return self.any("date", depth)

    def bool(self, depth):
        if depth == 0:
            return self.dice.choice([("b", "b"), ("c", "c"), ("true", "true"), ("null", "null::BOOLEAN")])
        pick, kind = self.dice.randrange(7), self.dice.choice(["int", "dec", "text", "date"])
        if pick < 2:
            return self.both(self.dice.choice(["({0} and {1})", "({0} or {1})", "(not {0})"]), self("bool", depth - 1),
                             self("bool", depth - 1))
        a, b, c = (self(kind, depth - 1) for _ in range(3))
        if pick == 2:
            return self.both("({0} %s {1})" % self.dice.choice(["=", "!=", "<", "<=", ">", ">="]), a, b)
        if pick == 3:
            return self.both("({0} %s {1})" % self.dice.choice(["is distinct from", "is not distinct from"]), a, b)
        if pick == 4:
            return self.both("({0} %s between {1} and {2})" % self.dice.choice(["", "not"]), a, b, c)
        if pick == 5:
            return self.both(self.dice.choice(["({0} in ({1}, {2}))", "({0} not in ({1}, {2}))", "({0} is null)",
                                               "({0} is not null)"]), a, b, c)
        a, b = self("text", depth - 1), self("text", depth - 1)
        return self.both(self.dice.choice(["({0} like '%a_')", "({0} not like 'a%')", "starts_with({0}, {1})",
                                           "contains({0}, {1})", "({0} like '_%b%')"]), a, b)


def make_rows(dice, count):
    def maybe(value):
        return None if dice.random() < 0.15 else value

    return [{"n": n, "i": maybe(dice.randint(-9, 9)), "j": maybe(dice.randint(-9, 9)),
             "m": maybe(f"{dice.randint(-99999, 99999) / 100:.2f}"), "o": maybe(f"{dice.randint(-999, 999) / 10:.1f}"),
             "s": maybe(dice.choice(WORDS)), "t": maybe(dice.choice(WORDS)), "b": maybe(dice.random() < 0.5),
             "c": maybe(dice.random() < 0.5), "d": maybe(f"20{dice.randrange(100):02}-02-{dice.randint(1, 28):02}"),
             "g": maybe(f"19{dice.randrange(70, 100)}-12-{dice.randint(1, 31):02}")} for n in range(count)]


def computed(rows, expressions):
    """What Wherry makes of them, through Parquet: rows of the expressions' values."""
    lines = "".join(f"          e{k}: {json.dumps(text)}\n" for k, text in enumerate(expressions))
    p = Project(config=CONFIG.format(derive=lines.rstrip()))
    (p.folder / "lake/in").mkdir(parents=True)
    (p.folder / "lake/in/a.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    line = p.wherry("run", "--json").lines()[0]
    tap.equal(line["rows_written"], len(rows))
    names = ", ".join(f"e{k}" for k in range(len(expressions)))
    return duckdb.sql(f"SELECT {names} FROM '{p.objects('out/*.parquet')[0]}' ORDER BY n").fetchall()


def check(got, want, text):
    for row, (ours, theirs) in enumerate(zip(got, want)):
        if theirs != ours:
            raise AssertionError(f"{text}\nrow {row}: {ours!r}, expected {theirs!r}")


def test_random_expressions_mean_what_they_mean_in_duckdb():
    seed = int(os.environ.get("WHERRY_TEST_SEED", 11 if not tap.LONG else random.randrange(1 << 30)))
    tap.note(f"seed {seed}")
    dice = random.Random(seed)
    rows, make = make_rows(dice, 120), Maker(dice)
    pairs = [make(dice.choice(["int", "dec", "text", "bool", "date"]), dice.choice([1, 2, 2, 3]))
             for _ in range(1500 if tap.LONG else 250)]
    got = computed(rows, [ours for ours, _ in pairs])
    duckdb.sql("CREATE OR REPLACE TABLE rows(n BIGINT, i BIGINT, j BIGINT, m DECIMAL(6,2), o DECIMAL(5,1), s TEXT, "
               "t TEXT, b BOOLEAN, c BOOLEAN, d DATE, g DATE)")
    duckdb.executemany("INSERT INTO rows VALUES (?,?,?,?,?,?,?,?,?,?,?)", [list(row.values()) for row in rows])
    compared = 0
    for k, (ours, theirs) in enumerate(pairs):
        try:
            want = duckdb.sql(f"SELECT {theirs} FROM rows ORDER BY n").fetchall()
        except duckdb.Error as problem:  # its decimals have limits of their own
            tap.contains(str(problem).lower(), "decimal")
            continue
        check([row[k] for row in got], [row[0] for row in want], ours)
        compared += 1
    tap.note(f"{compared} of {len(pairs)} expressions compared")
    assert compared > len(pairs) * 0.9


def quotient(a, b, places):
    scaled = fractions.Fraction(a) / fractions.Fraction(b) * 10 ** places
    whole = int(abs(scaled) + fractions.Fraction(1, 2))  # the half away from zero
    return decimal.Decimal(whole if scaled > 0 else -whole).scaleb(-places)


def test_quotients_are_exact():
    dice = random.Random(5)
    rows = [row for row in make_rows(dice, 400) if all(row[c] is not None for c in "ijmo")
            and row["j"] and float(row["o"]) and float(row["m"])]
    got = computed(rows, ["i / j", "m / o", "i / m", "round(m / j, 2)"])
    for row, values in zip(rows, got):
        i, j, m, o = row["i"], row["j"], decimal.Decimal(row["m"]), decimal.Decimal(row["o"])
        want = [quotient(i, j, 6), quotient(m, o, 6), quotient(i, m, 6), quotient(quotient(m, j, 6), 1, 2)]
        tap.equal(values[:4], tuple(want), str(row))
    assert len(rows) > 100


tap.run()
