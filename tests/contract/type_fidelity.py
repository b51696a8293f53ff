#!/usr/bin/env python3
"""Extreme values of every type go from each place into each other and back: they come back equal, or they
are refused by the row, with the column and the reason. What is refused is written down in docs/guide/types.md,
which this test compares; WHERRY_WRITE_GOLDEN=1 writes it.
"""
import os
import re
import sqlite3

import peers
import tap
from project import Project

peers.prefer()
import fidelity  # it asks for PyArrow

PAGE = tap.ROOT / "docs/guide/types.md"
BEGIN, END = "<!-- made by tests/contract/type_fidelity.py -->", "<!-- until here -->"


def slug(place):
    return place.name.lower().replace(" ", "")


class Pair:
    """Out of a into b, and back."""

    def __init__(self, a, b, table):
        self.a, self.b, self.table = a, b, table
        self.out, self.back = (f"{way}-{table}-{slug(a)}-{slug(b)}" for way in ("out", "back"))
        self.between, self.home = f"mid_{table}_{slug(a)}", f"back_{table}_{slug(b)}"

    def pipelines(self):
        a, b = self.a, self.b
        source = (f"drop:{self.table}{a.extension}" if a.is_file else f"{slug(a)}:{self.table}")
        objects = f"mid/{self.out}"
        into = f'"lake:{objects}-{{run}}{b.extension}"' if b.is_file else f"{slug(b)}:{self.between}"
        outof = f'"lake:{objects}-*{b.extension}"' if b.is_file else f"{slug(b)}:{self.between}"
        home = f'"lake:home/{self.back}-{{run}}{a.extension}"' if a.is_file else f"{slug(a)}:{self.home}"
        return self.pipeline(self.out, source, a.is_file, into, b.is_file) + \
            self.pipeline(self.back, outof, b.is_file, home, a.is_file)

    @staticmethod
    def pipeline(name, source, from_file, target, to_file):
        when = "    when: new\n" if from_file else ""
        write = "" if to_file else "    write: { mode: append }\n"
        return f"  {name}:\n{when}    from: {source}\n    columns: all\n    to: {target}\n{write}"

    def came_home(self, project):
        where = f"home/{self.back}" if self.a.is_file else self.home
        return self.a.canonical(self.a.read(project, self.table, where))


def run(project, pairs, way):
    """(pipelines that failed: why, those that rejected rows)"""
    names = [getattr(pair, way) for pair in pairs]
    failed, rejecting = {}, set()
    for line in project.wherry("run", "--json", *names, code=None).lines():
        if line.get("status") == "failed":
            failed[line["pipeline"]] = line["error"]
        if line.get("rows_quarantined"):
            rejecting.add(line["pipeline"])
    return failed, rejecting


NEGATIVE_ZERO, ZERO = (fidelity.canon("double", z) for z in (-0.0, 0.0))


def verdicts(project, pair, quarantined, wrong):
    """{(column, name): why} of what does not come back equal. What is neither equal nor refused is wrong."""
    a, table = pair.a, pair.table
    was, home = a.canonical(a.read(project, table, table)), pair.came_home(project)
    found, kept = {}, 0
    for i, column, name, _ in a.rows(table):
        out = quarantined[pair.out].get(i)
        kept += out is None
        why = out or quarantined[pair.back].get(kept)
        if i in home and home[i] == was[i] and not why:
            continue
        if was[i].get(column) == NEGATIVE_ZERO and home.get(i, {}).get(column) == ZERO:
            found[column, name] = ("0", "", "")  # which is equal, as numbers are
        elif i in home or not why or why["column"] != column or not why["reason"]:
            wrong.append(f"{pair.out}: {column} {name}: {was[i]!r:.200} -> {home.get(i)!r:.200}, refused: {why}")
        else:
            found[column, name] = (why["rule"], "" if out else "on the way back", why["reason"])
    return found


class Quarantines:
    """The rejected rows of each pipeline by their place."""

    def __init__(self, project, rejecting):
        self.found = {name: {line["row"]: line for line in project.wherry("quarantine", "show", name, "--json").lines()
                             if "row" in line} for name in rejecting}

    def __getitem__(self, name):
        return self.found.get(name, {})


def failure(pair, why, where, wrong):
    """A run that stops as a whole says at which value."""
    (_, column, name, _), *_ = pair.a.rows(pair.table)
    if pair.table == "src" or column not in why or (pair.table == "nul" and not re.search(r"\brow 1\b", why)):
        wrong.append(f"{pair.out} stops: {why}")
    return {(column, name): ("the run stops", where, why)}


def judged(here):
    """{(a, b): {(column, name): why}}"""
    pairs = [Pair(a, b, table) for table in fidelity.TABLES for a in here for b in here
             if a is not b and a.rows(table) and table not in a.untold + b.untold]
    words = "".join(f"  {slug(p)}: {p.words}\n" for p in here if not p.is_file)
    project = Project(config=f"version: 1\nconnections:\n{words}  drop: {{ type: local, path: drop }}\n"
                             "  lake: { type: local, path: lake }\npipelines:\n" + "".join(p.pipelines() for p in pairs))
    for place in here:
        for table in fidelity.TABLES:
            if place.rows(table):
                place.make(project, table)
    failed, rejecting = run(project, pairs, "out")
    later, also = run(project, [p for p in pairs if p.out not in failed], "back")
    quarantined = Quarantines(project, rejecting | also)
    found, wrong = {}, []
    for pair in pairs:
        out, back = failed.get(pair.out), failed.get(pair.back) or later.get(pair.back)
        judged_pair = failure(pair, out or back, "" if out else "on the way back", wrong) if out or back else \
            verdicts(project, pair, quarantined, wrong)
        found.setdefault((pair.a.name, pair.b.name), {}).update(judged_pair)
    assert not wrong, "\n".join(wrong)
    return found


# --- The page ------------------------------------------------------------------------------------

def table_of(a, here, found):
    """What of a does not come back from each of the others."""
    others = [b for b in here if b is not a]
    values = [(c, n) for t in fidelity.TABLES if t not in a.untold for _, c, n, _ in a.rows(t)]
    odd = list(dict.fromkeys(v for v in values if any(v in found[a.name, b.name] for b in others)))
    lines = [f"From {a.name}, {len(set(values)) - len(odd)} values come back equal from everywhere. The others:", "",
             f"| value | {' | '.join(b.name for b in others)} |", "| --- " * (len(others) + 1) + "|"]
    for column, name in odd:
        cells = []
        for b in others:
            why = found[a.name, b.name].get((column, name))
            untold = name == fidelity.NUL and "nul" in b.untold
            cells.append(" ".join(filter(None, [why[0], why[1]])) if why else "not tested" if untold else "=")
        kind = "name" if column == fidelity.EMOJI else fidelity.COLUMNS[column][0]
        lines.append(f"| {kind}: {name} | {' | '.join(cells)} |")
    return "\n".join(lines if odd else [f"From {a.name}, all {len(set(values))} values come back equal from everywhere."])


def reasons_of(found):
    said = dict.fromkeys(f"- {b}: {re.sub(r'[0-9]{20,}', lambda m: m[0][:12] + '...', why[2])}" if not why[1] else
                         f"- {a}, on the way back from {b}: {why[2]}"
                         for (a, b), values in found.items() for why in values.values() if why[2])
    return "\n".join(["What is said of them:", "", *sorted(said)])


def golden(here, found):
    return "\n\n".join([*(table_of(a, here, found) for a in here), reasons_of(found)]) + "\n"


def test_extreme_values_come_back_equal_or_are_refused():
    here, away = fidelity.places()
    for name, why in away.items():
        tap.note(f"without {name}: {why}")
    found = judged(here)
    if away:
        raise tap.Skip(f"{len(found)} pairs hold; the page needs all: {', '.join(away)} missing")
    before, rest = PAGE.read_text().split(BEGIN)
    made, after = rest.split(END)
    text = f"\n{golden(here, found)}"
    if os.environ.get("WHERRY_WRITE_GOLDEN") == "1":
        PAGE.write_text(before + BEGIN + text + END + after)
    else:
        tap.equal(text, made, "the table in docs/guide/types.md (WHERRY_WRITE_GOLDEN=1 writes it)")


def test_a_text_that_a_file_cannot_hold_is_told_by_its_row():
    p = Project()
    rows = "".join(f'{{"n": {i}, "s": "{"x" * 40}{chr(92) + "u0000" if i == 123456 else ""}"}}\n' for i in range(150000))
    (p.folder / "in.ndjson").write_text(rows)
    done = p.wherry("convert", "in.ndjson", "out.csv", code=None)
    tap.equal(done.code != 0, True)
    tap.contains(done.out + done.err, "column 's' has a text with a NUL byte, which CSV has no place for (row 123457)")


def test_rejected_rows_keep_their_nul_characters():
    rule = "    expect:\n      n: {{ in: [{}] }}\n"
    config = ("version: 1\nconnections:\n  drop: {{ type: local, path: drop }}\n  db: {{ type: sqlite, path: a.db }}\n"
              "pipelines:\n  load:\n    when: new\n    from: drop:a.json\n    columns: all\n" + rule +
              "    to: db:t\n    write: {{ mode: append }}\n")
    p = Project(config=config.format(1))
    (p.folder / "drop").mkdir()
    (p.folder / "drop/a.json").write_text('[{"n": 1, "s": "a\\u0000b"}, {"n": 2, "s": "c\\u0000d"}]')
    os.utime(p.folder / "drop/a.json", (1, 1))
    p.wherry("run", code=3)
    shown, = p.wherry("quarantine", "show", "load", "--json").lines()
    tap.equal((shown["row"], shown["column"]), (2, "n"))
    p.config(config.format("1, 2"))
    p.wherry("quarantine", "replay", "load")
    tap.equal(sqlite3.connect(p.folder / "a.db").execute("SELECT n, s FROM t ORDER BY n").fetchall(),
              [(1, "a\0b"), (2, "c\0d")])


tap.run()
