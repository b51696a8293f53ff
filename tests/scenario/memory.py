#!/usr/bin/env python3
"""The memory ceiling: `memory: 64MiB` is the resident size of the whole process, whatever comes."""
import json
import os
import sqlite3

import tap
from project import Project, only_release, order

MIB = 1 << 20
CEILING = 64 * MIB
ROW_LIMIT = CEILING // 8
BYTES = 2_000_000_000 if tap.LONG else 200_000_000


def within(p, what, *args, code=0, stop_after=0):
    """Runs wherry; its peak resident size must stay under the ceiling."""
    result = p.measured(*args, stop_after=stop_after)
    tap.note(f"{what}: peak {result.peak / MIB:.1f} MiB, {result.seconds:.1f} s")
    assert result.code == code, f"{what}: expected exit {code}, got {result}"
    assert result.peak <= CEILING, f"{what}: {result.peak / MIB:.1f} MiB are more than {CEILING / MIB:.0f}"
    return result


def totals(result):
    lines = [line for line in result.lines() if "run" in line]
    for line in lines:
        tap.equal(line["rows_read"], sum(line["rows_" + part] for part in (
            "written", "unchanged", "superseded", "filtered", "quarantined")), line["pipeline"])
    return lines


def put(p, name, parts):
    """A file in the lake, written part by part, that has been still for long."""
    path = p.folder / "lake/inbound" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb", buffering=1 << 20) as file:
        for part in parts:
            file.write(part.encode())
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


def import_only(**words):
    return Project(config="""\
version: 1
memory: 64MiB
connections:
  lake: {{ type: local, path: lake }}
  website: {{ type: sqlite, path: website.db }}
pipelines:
  import:
    when: new
    from: lake:inbound/*
    columns: all
    {more}
    to: website:orders
    write: {write}
""".format(more=words.get("more", ""), write=words.get("write", "{ mode: upsert, key: OrderNumber, newest_by: UpdatedAt }")))


def row(number, status="Open", more=""):
    return (f'{{"OrderNumber":"SO{number}","OrderStatus":"{status}","Total":{number}.25,'
            f'"UpdatedAt":"2026-11-20T08:00:00Z"{more}}}')


def test_a_large_table_crosses_within_the_ceiling():
    only_release()
    p = Project(top="memory: 64MiB")
    text = (p.folder / "wherry.yaml").read_text()
    p.config(text.replace("      Total: total\n", "      Total: total\n      Note: note\n"))
    # about 420 bytes a row, in the database and as JSON
    rows = BYTES // 420
    with sqlite3.connect(p.folder / "erp.db") as db:
        db.execute("PRAGMA journal_mode=OFF")
        db.execute("PRAGMA synchronous=OFF")
        db.execute("CREATE TABLE sales_order(id INTEGER PRIMARY KEY, order_number TEXT, status TEXT, "
                   "total DECIMAL(12,2), margin REAL, note TEXT, updated_at TIMESTAMP)")
        db.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
                   "INSERT INTO sales_order SELECT i, printf('SO%07d', (i * 7919) % 99999989), 'Open', "
                   "printf('%d.%02d', i % 9000, i % 100), 1.5, hex(zeroblob(150)), "
                   "strftime('%Y-%m-%d %H:%M:%SZ', 1700000000 + i, 'unixepoch') FROM n", (rows,))
    db.close()
    export = totals(within(p, f"export of {rows:,} rows", "run", "export-orders", "--json"))
    assert export[0]["bytes_written"] > BYTES * 0.95, export
    tap.equal(export[0]["rows_written"], rows)
    tap.equal(export[1]["rows_written"], rows)
    again = totals(within(p, "the next run, with nothing new", "run", "--json"))
    tap.equal([line["rows_written"] for line in again], [0])


def test_a_single_line_array_of_200_mb():
    only_release()
    p = import_only()
    rows = 200_000_000 // 400
    filler = f',"Note":"{"x" * 300}"'
    path = put(p, "one-line.json", (("[" if i == 0 else ",") + row(i, more=filler) + ("]" if i == rows - 1 else "")
                                    for i in range(rows)))
    assert path.stat().st_size >= 200_000_000
    assert b"\n" not in path.open("rb").read(1 << 20)
    line = totals(within(p, f"one line of {path.stat().st_size / 1e6:.0f} MB", "run", "--json"))[0]
    tap.equal(line["rows_written"], rows)


def test_rows_of_several_megabytes_cross():
    only_release()
    size = ROW_LIMIT - 2048
    p = import_only(more="""steps: [ trim: [Note] ]
    expect: { Note: [not_null] }""")
    put(p, "large.ndjson", (row(i, more=f',"Note":" {chr(97 + i) * size}"') + "\n" for i in range(24)))
    line = totals(within(p, "24 rows of 8 MiB each, trimmed", "run", "--json"))[0]
    tap.equal(line["rows_written"], 24)
    tap.equal(p.sql("website", "SELECT min(length(Note)), max(length(Note)) FROM orders"), [(size, size)])


def test_rows_of_several_megabytes_full_of_escapes_cross():
    only_release()
    p = import_only()
    text = "\\n\\u00e9\\ud83d\\ude00" * (ROW_LIMIT // 20 - 100)
    more = f',"Note":"{text}"'
    put(p, "large.json", ["["] + [(", " if i else "") + row(i, more=more) for i in range(12)] + ["]"])
    line = totals(within(p, "12 rows of 8 MiB of escapes", "run", "--json"))[0]
    tap.equal(line["rows_written"], 12)
    tap.equal(p.sql("website", "SELECT DISTINCT Note FROM orders"), [(json.loads('"' + text + '"'),)])


def test_large_rows_are_rejected_and_replayed_whole():
    only_release()
    p = import_only(more="expect: { OrderStatus: { in: [Open] } }")
    note = "x" * (ROW_LIMIT - 2048)
    more = f',"Note":"{note}"'
    misfit = row(9, more=more).replace(":9.25", ':"much"')
    # the second cannot become a row at all: what is kept of it must be whole, too
    put(p, "large.ndjson", [row(1) + "\n", row(2, "Shiped", more) + "\n", misfit + "\n", row(3, "Shiped", more) + "\n"])
    line = totals(within(p, "rejected rows of 8 MiB each", "run", "--json", code=3))[0]
    tap.equal((line["rows_written"], line["rows_quarantined"]), (1, 3))
    p.config((p.folder / "wherry.yaml").read_text().replace("in: [Open]", "in: [Open, Shiped]"))
    within(p, "and replayed", "quarantine", "replay", "import", code=3)
    tap.equal(p.sql("website", "SELECT OrderNumber, length(Note) FROM orders ORDER BY 1"),
              [("SO1", None), ("SO2", len(note)), ("SO3", len(note))])
    left = p.measured("quarantine", "show", "import", "--json").lines()
    tap.equal([len(r["text"]) for r in left], [len(misfit)])


def test_a_row_that_is_too_large_is_refused_with_its_place():
    only_release()
    for name, begin, between, end in (("large.ndjson", "", "\n", "\n"), ("large.json", "[", ",", "]")):
        p = import_only()
        first = begin + row(1) + between
        put(p, name, [first, row(2, more=f',"Note":"{"x" * (ROW_LIMIT + 1000)}"'), between, row(3), end])
        said = within(p, f"a row above the limit, in {name}", "run", code=1).err
        tap.contains(said, f"row 2 (line {1 + first.count(chr(10))}, byte {len(first)}) is larger than 8388608 bytes")
        tap.contains(said, "raise `memory`")


def test_a_row_of_the_source_that_is_too_large_is_named():
    only_release()
    p = Project(top="memory: 64MiB")
    p.make_erp([order("A"), order("B"), order("C")])
    p.sql("erp", "UPDATE sales_order SET order_number = hex(zeroblob(?)) WHERE id = 2", ROW_LIMIT // 2 + 1)
    said = within(p, "a row above the limit, in a database", "run", "export-orders", code=1).err
    tap.contains(said, "row 2")
    tap.contains(said, "an eighth of `memory`")
    p.sql("erp", "UPDATE sales_order SET order_number = hex(zeroblob(?)) WHERE id = 2", ROW_LIMIT // 2 - 2048)
    within(p, "a row just below it", "run", "export-orders")


def test_many_large_rows_of_a_source():
    only_release()
    p = Project(top="memory: 64MiB")
    p.make_erp([order(f"SO{i}") for i in range(24)])
    p.sql("erp", "UPDATE sales_order SET order_number = order_number || hex(zeroblob(?))", ROW_LIMIT // 2 - 2048)
    lines = totals(within(p, "24 rows of 8 MiB each, from a database", "run", "--json"))
    tap.equal([line["rows_written"] for line in lines], [24, 24])
    # each column alone would pass
    p.sql("erp", "UPDATE sales_order SET order_number = 'big' || hex(zeroblob(?)), status = hex(zeroblob(?)), "
                 "total = hex(zeroblob(?)) WHERE id = 7", *[ROW_LIMIT // 2 - 2048] * 3)
    said = within(p, "a row whose columns together are above it", "run", "export-orders", "--full", code=1).err
    tap.contains(said, "row 7")


def test_five_thousand_objects_that_wait():
    only_release()
    p = import_only()
    count = 5000
    for i in range(count):
        put(p, f"part-{i:05}.json", ["[" + row(i) + "]"])
    if tap.LONG:
        lines = totals(within(p, f"{count:,} objects", "run", "--json"))
        tap.equal(len(lines), count)
        return
    # each costs its fsyncs: begin, and stop after a while
    within(p, f"{count:,} objects that wait", "run", "--json", stop_after=5)
    assert 0 < p.sql("website", "SELECT count(*) FROM orders")[0][0] <= count


def test_a_hundred_thousand_rejected_rows():
    only_release()
    count = 2_000_000 if tap.LONG else 100_000
    p = import_only(more="expect: { OrderStatus: { in: [Open] } }")
    put(p, "bad-status.ndjson", (row(i, "Shiped") + "\n" for i in range(count)))
    put(p, "bad-text.ndjson", (row(i)[:-1] + ("}\n" if i == 0 else "\n") for i in range(count)))
    lines = totals(within(p, f"{count:,} rejected rows, twice", "run", "--json", code=3))
    tap.equal(sorted(line["rows_quarantined"] for line in lines), [count - 1, count])
    shown = within(p, "quarantine show", "quarantine", "show", "import", "--json")
    tap.equal(shown.out.count('"rule"'), 2 * count - 1)
    p.config((p.folder / "wherry.yaml").read_text().replace("in: [Open]", "in: [Open, Shiped]"))
    within(p, "replay", "quarantine", "replay", "import", code=3)
    tap.equal(p.sql("website", "SELECT count(*) FROM orders")[0][0], count)


def test_more_rows_of_one_second_than_are_remembered():
    only_release()
    p = Project(top="memory: 64MiB")
    p.make_erp([])
    count = 600_000  # of WH_WINDOW_HASHES_MAX, 262,144
    p.sql("erp", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
                 "INSERT INTO sales_order SELECT i, 'SO' || i, 'Open', '1.50', 1, '2026-11-20 08:00:00Z' FROM n", count)
    for what in ("600,000 rows of one second", "and again"):
        lines = totals(within(p, what, "run", "--json"))
        tap.equal(lines[0]["rows_written"], count)
    tap.equal(lines[1]["rows_written"], count)  # of one second, the later object is the newer


def test_dedupe_and_unique_spill():
    only_release()
    rows = 10_000_000 if tap.LONG else 1_000_000
    p = import_only(more="""steps:
      - dedupe: { key: OrderNumber, keep: first }
    expect: { Total: [unique] }""")
    put(p, "many.ndjson", (row(i % rows) + "\n" for i in range(rows + rows // 10)))
    line = totals(within(p, f"dedupe and unique over {rows:,} keys", "run", "--json"))[0]
    tap.equal((line["rows_written"], line["rows_filtered"]), (rows, rows // 10))


def test_dedupe_that_keeps_the_last_holds_rows_back():
    only_release()
    rows = 2_000_000 if tap.LONG else 300_000
    p = import_only(more="steps: [ dedupe: { key: OrderNumber, keep: last } ]")
    put(p, "many.ndjson", (row(i % rows) + "\n" for i in range(rows + rows // 10)))
    line = totals(within(p, f"dedupe over {rows:,} keys, keeping the last", "run", "--json"))[0]
    tap.equal((line["rows_written"], line["rows_filtered"]), (rows, rows // 10))


def test_replace_stages_within_the_ceiling():
    only_release()
    rows = 5_000_000 if tap.LONG else 500_000
    p = import_only(write="{ mode: replace, key: OrderNumber }")
    put(p, "all.ndjson", (row(i) + "\n" for i in range(rows)))
    line = totals(within(p, f"replace with {rows:,} rows", "run", "--json"))[0]
    tap.equal(line["rows_written"], rows)


tap.run()
