#!/usr/bin/env python3
"""filter, derive, split and flatten in whole projects: what crosses, what is counted, what is told."""
import json

import tap
from project import Project

CONFIG = """\
version: 1
connections:
  lake: {{ type: local, path: lake }}
  website: {{ type: sqlite, path: website.db }}
pipelines:
  orders:
    from: lake:inbound/*.csv
    steps:
{steps}
    columns: {columns}
    to: website:orders
    write: {{ mode: upsert, key: Number }}
"""
STEPS = """\
      - cast: { net: "decimal(12,2)", quantity: int64, ordered: date }
      - filter: "status != 'test' and quantity is not null"
      - derive:
          gross: "round(net * 1.2, 2)"
          each: "gross / quantity"
          month: "date_trunc('month', ordered)"
          status: "upper(status)"
      - split: { column: customer, by: " ", into: [first, last] }
"""
COLUMNS = "{ Number: number, Status: status, Gross: gross, Each: each, Month: month, First: first, Last: last }"
ROWS = [
    ("A1", "open", "10.00", "3", "2026-01-31", "Ada Lovelace"),
    ("A2", "test", "10.00", "1", "2026-01-31", "Test User"),
    ("A3", "open", "19.99", "0", "2026-02-28", "Plato"),
    ("A4", "shipped", "0.05", "2", "2025-12-01", "Guido van Rossum"),
    ("A5", "open", "5.00", "", "2025-12-01", "Nobody"),
    ("A6", "", "5.00", "1", "2025-12-01", "Nobody Else"),
]


def project(steps=STEPS, columns=COLUMNS, rows=ROWS):
    p = Project(config=CONFIG.format(steps=steps.rstrip(), columns=columns))
    (p.folder / "lake/inbound").mkdir(parents=True)
    write(p, "a", rows)
    return p


def write(p, name, rows):
    lines = ["number,status,net,quantity,ordered,customer", *(",".join(row) for row in rows)]
    (p.folder / f"lake/inbound/{name}.csv").write_text("\n".join(lines) + "\n")


def counts(line):
    return {k: line[f"rows_{k}"] for k in ("read", "written", "filtered", "quarantined")}


def test_rows_are_filtered_and_columns_computed():
    p = project()
    line = p.wherry("run", "--json", code=3).lines()[0]
    tap.equal(counts(line), {"read": 6, "written": 2, "filtered": 3, "quarantined": 1})
    there = p.sql("website", "SELECT Number, Status, Gross, Each, Month, First, Last FROM orders ORDER BY 1")
    tap.equal([tuple(map(str, row)) for row in there], [
        ("A1", "OPEN", "12", "4.000000", "2026-01-01", "Ada", "Lovelace"),
        ("A4", "SHIPPED", "0.06", "0.030000", "2025-12-01", "Guido", "van Rossum")])
    shown = p.wherry("quarantine", "show", "orders").out
    tap.contains(shown, "each: gross / quantity: division by zero")
    tap.contains(p.wherry("verify").out + p.wherry("verify").err, "orders")


def test_a_rejected_row_is_replayed_when_the_expression_is_mended():
    p = project()
    p.wherry("run", code=3)
    mended = STEPS.replace('"gross / quantity"', '"if(quantity = 0, null, gross / quantity)"')
    p.config(CONFIG.format(steps=mended.rstrip(), columns=COLUMNS))
    p.wherry("quarantine", "replay", "orders")
    tap.equal(p.sql("website", "SELECT Number, Gross, Each FROM orders WHERE Number = 'A3'"), [("A3", 23.99, None)])


def test_plan_and_lock_know_derived_columns():
    p = project()
    plan = p.wherry("plan").out
    for part in ("Gross", "gross", "decimal(", "Month", "date"):
        tap.contains(plan, part)
    tap.contains(plan, "stays")
    p.wherry("plan", "--lock")
    p.wherry("run", code=3)
    tap.contains((p.folder / "wherry.lock").read_text(), "gross")
    p.config(CONFIG.format(steps=STEPS.rstrip(), columns=COLUMNS.replace("First: first", "Given: first")))
    write(p, "b", ROWS[:1])
    tap.contains(p.wherry("run", code=1).err, "Given")


def test_check_knows_expressions_without_their_source():
    for wrong, told in [
        ("filter: \"status != 'test\"", "wherry.yaml:10:28: pipeline orders: steps: filter: this quote has no end"),
        ("derive: { gross: \"roundd(net)\" }", "wherry.yaml:10:27: pipeline orders: steps: derive: no function "
                                              "'roundd'. Did you mean 'round'?"),
        ("derive: { gross: lower(quantity) }", "lower: expected text, found int64"),
        ("filter: length(status)", "filter: expected a condition, and this is int64"),
        ("split: { column: status, by: '' }", "split: needs column, by and into"),
    ]:
        p = project(steps=f"      - cast: {{ quantity: int64 }}\n      - {wrong}\n")
        tap.contains(p.wherry("check", code=2).err, told)
    p = project(steps="      - derive: { gross: net * 2, each: gross }\n      - filter: gross > 1 or each < 'x'\n"
                      "      - flatten: customer\n      - split: { column: x, by: y, into: [first, last] }\n"
                      "      - derive: { month: ordered }\n")
    p.wherry("check")


def test_an_unknown_column_is_told_before_anything_is_moved():
    p = project(steps="      - filter: statsu = 'open'\n")
    told = p.wherry("run", code=1).err
    tap.contains(told, "wherry.yaml:9:17: filter: no column 'statsu' at this point. Did you mean 'status'?")


# What comes of a personal column is personal, whatever was made of it.
def test_what_is_derived_from_a_personal_column_is_personal():
    p = Project(config="""\
version: 1
connections:
  lake: { type: local, path: lake, accepts: [public, internal, personal] }
  website: { type: sqlite, path: website.db }
pipelines:
  export:
    from: lake:in/*.ndjson
    columns: { Name: { from: name, class: personal }, N: n }
    to: lake:out/people-{run}.json
  import:
    from: lake:out/*.json
    steps: [ derive: { initial: "substring(Name, 1, 1)" } ]
    columns: { Initial: initial, N: N }
    to: website:people
    write: { mode: append }
""")
    (p.folder / "lake/in").mkdir(parents=True)
    (p.folder / "lake/in/a.ndjson").write_text('{"name": "Ada", "n": 1}\n')
    p.wherry("run", "export")
    told = p.wherry("run", "import", code=None)
    assert told.code in (1, 2), told
    tap.contains(told.err, "column Initial is personal, and website does not accept that")
    text = (p.folder / "wherry.yaml").read_text()
    p.config(text.replace("Initial: initial,", "Initial: { from: initial, class: internal },"))
    p.wherry("run", "import")
    tap.equal(p.sql("website", "SELECT Initial, N FROM people"), [("A", 1)])


def test_deletions_pass_a_filter():
    p = Project(config="""\
version: 1
connections:
  erp: { type: sqlite, path: erp.db }
  website: { type: sqlite, path: website.db }
pipelines:
  orders:
    from: erp:orders
    read: { deletes: compare, key: id }
    steps: [ filter: "status = 'open'" ]
    columns: { id: id, status: status }
    to: website:orders
    write: { mode: upsert, key: id }
""")
    p.sql("erp", "CREATE TABLE orders(id INTEGER PRIMARY KEY, status TEXT)")
    p.sql("erp", "INSERT INTO orders VALUES (?, ?)", [(1, "open"), (2, "open"), (3, "test")])
    p.wherry("run")
    tap.equal(p.sql("website", "SELECT id FROM orders ORDER BY 1"), [(1,), (2,)])
    p.sql("erp", "DELETE FROM orders WHERE id = 2")
    p.wherry("run")
    tap.equal(p.sql("website", "SELECT id FROM orders ORDER BY 1"), [(1,)])


def test_structs_are_flattened():
    p = Project(config="""\
version: 1
connections:
  lake: { type: local, path: lake }
pipelines:
  people:
    from: lake:in/*.ndjson
    steps:
      - flatten: address
      - derive: { city: "coalesce(address.city, 'unknown')", zip: "\\"address.zip code\\"" }
    columns: { n: n, city: city, zip: zip }
    to: lake:out/people-{run}.ndjson
""")
    (p.folder / "lake/in").mkdir(parents=True)
    rows = [{"n": 1, "address": {"city": "Bath", "zip code": "BA1"}}, {"n": 2, "address": None},
            {"n": 3, "address": {"city": None, "zip code": "BA2"}}]
    (p.folder / "lake/in/a.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    p.wherry("run")
    out = [json.loads(line) for line in p.objects("out/*.ndjson")[0].read_text().splitlines()]
    tap.equal(out, [{"n": 1, "city": "Bath", "zip": "BA1"}, {"n": 2, "city": "unknown", "zip": None},
                    {"n": 3, "city": "unknown", "zip": "BA2"}])


# All lanes of a large object have one clock, and give what one lane gives.
def test_the_clock_is_that_of_the_run():
    p = Project(config="""\
version: 1
connections:
  lake: { type: local, path: lake }
pipelines:
  a:
    from: lake:in/*.csv
    steps:
      - derive: { at: now(), double: n * 2 }
      - filter: double % 3 = 0
    columns: { n: n, double: double, at: at }
    to: lake:out/a-{run}.csv
""")
    (p.folder / "lake/in").mkdir(parents=True)
    (p.folder / "lake/in/a.csv").write_text("n,pad\n" + "".join(f"{n},{'x' * 90}\n" for n in range(100000)))
    line = p.wherry("run", "--json").lines()[0]
    tap.equal(counts(line), {"read": 100000, "written": 33334, "filtered": 66666, "quarantined": 0})
    rows = [row.split(",") for row in p.objects("out/*.csv")[0].read_text().splitlines()[1:]]
    tap.equal(len({row[2] for row in rows}), 1)
    tap.equal([int(row[0]) for row in rows], list(range(0, 100000, 3)))


# What was loaded is computed again, by the clock of its run.
def test_what_the_clock_said_can_be_verified():
    p = project(steps="      - derive: { status: cast(now() as text) }\n", columns="{ Number: number, At: status }")
    p.config((p.folder / "wherry.yaml").read_text().replace("from: lake", "when: new\n    from: lake"))
    p.wherry("run")
    tap.equal(p.sql("website", "SELECT count(*), count(DISTINCT At) FROM orders"), [(6, 1)])
    told = p.wherry("verify")
    tap.contains(told.out + told.err, "6 equal, 0 newer, 0 older, 0 missing")


tap.run()
