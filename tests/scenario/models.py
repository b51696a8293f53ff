#!/usr/bin/env python3
"""SQL models: a SELECT over objects, run by DuckDB, wherever the objects are and whatever is around them."""
import json
import os
import pathlib
import re
import signal
import sqlite3
import time

import aws
import peers
import sshd

if aws.PYTHON.exists():
    peers.under(aws.PYTHON)

import tap  # noqa: E402
from project import Project, only_release  # noqa: E402

LIBRARY = pathlib.Path(os.environ.setdefault("WHERRY_DUCKDB", str(tap.ROOT / ".duckdb/libduckdb.so")))
BUCKET = "models-bucket"

CONFIG = """\
version: 1
connections:
  files: {{ type: local, path: files }}
  lake: {{ {lake} }}
  website: {{ type: sqlite, path: website.db }}
pipelines:
{pipelines}"""
LOCAL = "type: local, path: lake"

# The model stands first: what it reads runs before it all the same.
OWNERS = """\
  owners:
    when: new
    from: models/owners.sql
    columns: all
    to: lake:mart/owners-{run}.parquet
  load-owners:
    when: new
    from: lake:mart/owners-*.parquet
    columns: all
    to: website:owners
    write: { mode: replace }
  land-people:
    when: new
    from: files:people*.json
    columns: all
    to: lake:warehouse/people/{run}.json
  land-cars:
    when: new
    from: files:cars*.csv
    columns: all
    to: lake:warehouse/cars/{run}.parquet
"""
OWNERS_SQL = """\
-- Who owns how many, and what they cost: lake('in a comment')
SELECT p.name, count(*) AS cars, sum(c.price::decimal(10,2)) AS total
FROM lake('warehouse/people/*.json') AS p
JOIN LAKE('warehouse/cars/**/*.parquet') AS c ON c.owner = p.id
GROUP BY p.name ORDER BY p.name
"""


class Models(Project):
    def __init__(self, pipelines=OWNERS, sql=OWNERS_SQL, lake=LOCAL, env=None):
        if not LIBRARY.exists():
            raise tap.Skip("DuckDB's library is not installed (scripts/install-duckdb)")
        super().__init__(config=CONFIG.format(lake=lake, pipelines=pipelines))
        self.env = env or dict(os.environ)
        for name in ("models", "files"):
            (self.folder / name).mkdir()
        self.model("owners", sql)

    def model(self, name, sql):
        (self.folder / f"models/{name}.sql").write_text(sql)

    def file(self, name, text):
        path = self.folder / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, *args, code=0, **words):
        return self.wherry(*args, code=code, env=self.env, **words)

    def runs(self, *args, code=0):
        result = self.run("run", "--json", *args, code=code)
        return {line["pipeline"]: line for line in result.lines() if "pipeline" in line}

    def land(self):
        self.file("people1.json", '[{"id":1,"name":"Ann"},{"id":2,"name":"Bob"}]')
        self.file("cars1.csv", "owner,model,price\n1,Mini,10.50\n1,Fiat,3.25\n2,Audi,20.00\n")

    def owners(self):
        return self.sql("website", "SELECT name, cars, total FROM owners ORDER BY name")


def until(what, seconds):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"not within {seconds} seconds"
        time.sleep(0.05)


def one(sql, write="lake:mart/out-{run}.ndjson", read="", more=""):
    """A project with one model that a person starts."""
    return Models(f"  owners:\n    from: models/owners.sql\n{read}    columns: all\n    to: {write}\n{more}", sql)


def rows_of(project, pattern="mart/out-*.ndjson"):
    newest = max(project.objects(pattern), key=lambda path: path.stat().st_mtime_ns)
    return [json.loads(line) for line in newest.read_text().splitlines()]


def said(project, *args, code=1):
    return project.run(*args, code=code).err


# --- from files to a table -----------------------------------------------------------------------


def check_crossing(project):
    project.land()
    runs = project.runs()
    tap.equal([runs[name]["rows_read"] for name in ("land-people", "land-cars", "owners", "load-owners")],
              [2, 3, 2, 2])
    tap.equal([(n, c, float(t)) for n, c, t in project.owners()], [("Ann", 2, 13.75), ("Bob", 1, 20.0)])
    tap.equal(project.runs(), {})  # nothing is new
    project.file("cars2.csv", "owner,model,price\n2,Ford,1.00\n")
    runs = project.runs()
    tap.equal(sorted(runs), ["land-cars", "load-owners", "owners"])
    tap.equal([(n, c, float(t)) for n, c, t in project.owners()], [("Ann", 2, 13.75), ("Bob", 2, 21.0)])
    project.run("verify")


def test_a_model_joins_what_others_land():
    check_crossing(Models())


DATASETS = """\
  owners:
    when: new
    from: models/owners.sql
    columns: all
    to: lake:mart/owners/
    write: { mode: replace, keep: 2 }
  load-owners:
    when: new
    from: lake:mart/owners/
    columns: all
    to: website:owners
    write: { mode: replace }
  land-cars:
    when: new
    from: files:cars*.csv
    columns: all
    to: lake:warehouse/cars/
    write: { mode: append, partition_by: owner }
"""
DATASETS_SQL = "SELECT owner, count(*) AS cars, max(model) AS last FROM lake('warehouse/cars/') GROUP BY owner ORDER BY owner"


def test_a_model_between_datasets():
    """It reads the present version, with the columns of the folders, and publishes one"""
    p = Models(DATASETS, DATASETS_SQL)
    p.file("cars1.csv", "owner,model\n1,Mini\n1,Fiat\n2,Audi\n")
    p.run("run")
    owners = lambda: p.sql("website", "SELECT owner, cars, last FROM owners ORDER BY owner")
    tap.equal(owners(), [(1, 2, "Mini"), (2, 1, "Audi")])
    p.file("cars2.csv", "owner,model\n2,Zoe\n3,Ford\n")
    p.run("run")
    tap.equal(owners(), [(1, 2, "Mini"), (2, 2, "Zoe"), (3, 1, "Ford")])
    tap.contains(p.run("plan", "owners").out, "lake:warehouse/cars/   1 object")
    p.run("compact", "lake:warehouse/cars/")
    p.run("run")
    tap.equal(owners(), [(1, 2, "Mini"), (2, 2, "Zoe"), (3, 1, "Ford")])
    p.run("verify")


def test_files_of_a_dataset_are_not_read_one_by_one():
    """Those of earlier versions, and of runs that published nothing, are among them"""
    p = Models(DATASETS, "SELECT count(*) AS n FROM lake('warehouse/cars/**/*.parquet')")
    tap.contains(p.run("check", code=2).err, "models/owners.sql:1:27: this reads files of the dataset that pipeline land-cars "
                 "writes, those of earlier versions too. Read lake:warehouse/cars/, or a narrower pattern")
    p = Models(DATASETS.replace("from: lake:mart/owners/", "from: lake:mart/**/*.parquet"), DATASETS_SQL)
    tap.contains(p.run("check", code=2).err, "this reads files of the dataset that pipeline owners writes")


def test_a_lake_that_is_encrypted():
    key = tap.folder() / "key"
    project = Models(lake=LOCAL + ", encryption_key: '${secret:lake}'",
                     env={**os.environ, "WHERRY_KEY_FILE": str(key)})
    project.run("secret", "set", "lake", "--random")
    check_crossing(project)
    for path in (project.folder / "lake/warehouse").rglob("*.json"):
        assert b"Ann" not in path.read_bytes(), path


def test_a_bucket():
    if not aws.PYTHON.exists():
        raise tap.Skip(aws.NOT_INSTALLED)
    server = aws.Moto()
    server.client("s3").create_bucket(Bucket=BUCKET,
                                      CreateBucketConfiguration={"LocationConstraint": aws.REGION})
    project = Models(lake=f"type: s3, bucket: {BUCKET}, prefix: company",
                     env={**os.environ, **server.env()})
    check_crossing(project)
    keys = [o["Key"] for o in server.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]]
    tap.equal(len([k for k in keys if k.startswith("company/mart/")]), 2)


def test_a_server_of_files():
    server = sshd.Sshd()
    project = Models(lake=server.words().strip("{ }"))
    check_crossing(project)
    tap.equal(len(list((server.files / "mart").glob("*.parquet"))), 2)


def test_the_plan_says_what_is_read_and_what_comes():
    project = Models()
    plan = project.run("plan", "owners").out
    assert "lake:warehouse/people/*.json   0 objects" in plan and "not all that it reads is there yet" in plan, plan
    project.land()
    project.runs()
    plan = project.run("plan", "owners").out
    assert "owners   models/owners.sql -> lake:mart/" in plan, plan
    assert re.search(r"reads +lake:warehouse/people/\*\.json   1 object\n", plan), plan
    assert re.search(r"total +total +decimal\(38,2\)", plan), plan
    line = project.run("plan", "owners", "--json").lines()[0]
    tap.equal([(r["pattern"], r["objects"]) for r in line["reads"]],
              [("warehouse/people/*.json", 1), ("warehouse/cars/**/*.parquet", 1)])
    tap.equal([c["type"] for c in line["crosses"]], ["string", "int64", "decimal(38,2)"])


def test_the_gate_and_the_rules_are_those_of_any_pipeline():
    project = one("SELECT * FROM (VALUES (1, 'a'), (2, NULL), (3, 'c')) t(id, name)",
                  more="    expect: { name: [not_null] }\n")
    run = project.runs(code=3)["owners"]
    tap.equal((run["rows_read"], run["rows_written"], run["rows_quarantined"]), (3, 2, 1))
    tap.equal(rows_of(project), [{"id": 1, "name": "a"}, {"id": 3, "name": "c"}])
    project.run("run", "--limit", "1", code=0)
    tap.equal(rows_of(project), [{"id": 1, "name": "a"}])


def test_several_models_one_after_the_other():
    project = Models("""\
  third:
    from: models/third.sql
    columns: all
    to: lake:mart/third-{run}.ndjson
  second:
    from: models/second.sql
    columns: all
    to: lake:mart/second-{run}.ndjson
  first:
    from: models/first.sql
    columns: all
    to: lake:mart/first-{run}.ndjson
""")
    project.model("first", "SELECT 1 AS n")
    project.model("second", "SELECT n + 1 AS n FROM lake('mart/first-*.ndjson')")
    project.model("third", "SELECT n + 1 AS n FROM lake('mart/second-*.ndjson')")
    project.runs()
    tap.equal(rows_of(project, "mart/third-*.ndjson"), [{"n": 3}])


def test_models_in_a_circle_are_refused_by_name():
    project = Models("""\
  a: { from: models/a.sql, columns: all, to: "lake:mart/a-{run}.json" }
  b: { when: new, from: "lake:mart/a-*.json", columns: all, to: "lake:warehouse/b-{run}.json" }
""")
    project.model("a", "SELECT * FROM lake('warehouse/b-*.json')")
    err = said(project, "check", code=2)
    assert "pipeline a: its model reads what comes of itself: a <- b <- a" in err, err
    project.model("a", "SELECT * FROM lake('mart/*.json')")
    err = said(project, "check", code=2)
    assert "a <- a." in err, err


def test_up_runs_a_model_when_something_is_new():
    project = Models()
    project.land()
    service = project.start("up", env=project.env)
    try:
        until(lambda: (project.folder / "website.db").exists() and has_owners(project, 2), 60)
        project.file("cars2.csv", "owner,model,price\n2,Ford,1.00\n")
        until(lambda: has_owners(project, 2, 21.0), 90)
    finally:
        service.send_signal(signal.SIGTERM)
        out = service.communicate(timeout=60)[0]
    tap.equal(service.returncode, 0, out)


def has_owners(project, count, total=None):
    try:
        rows = project.owners()
    except sqlite3.OperationalError:
        return False
    return len(rows) == count and (total is None or float(rows[-1][2]) == total)


# --- tables of many objects ----------------------------------------------------------------------


def test_objects_of_several_schemas_are_one_table():
    project = one("SELECT id, x, y, filename FROM (SELECT *, 1 AS filename FROM files('parts/*')) ORDER BY id")
    project.file("parts/a.csv", "id,x\n1,5\n2,\n")
    project.file("parts/b.json", '[{"id":3,"y":"why"},{"id":4,"x":-300}]')
    project.file("parts/c.ndjson", '{"id":5000000000,"x":7}\n')
    project.runs()
    tap.equal(rows_of(project), [{"id": 1, "x": 5, "y": None, "filename": 1}, {"id": 2, "x": None, "y": None, "filename": 1},
                                 {"id": 3, "x": None, "y": "why", "filename": 1},
                                 {"id": 4, "x": -300, "y": None, "filename": 1},
                                 {"id": 5000000000, "x": 7, "y": None, "filename": 1}])
    project.model("owners", "SELECT count(*) AS n FROM files('parts/*')")
    project.runs()
    tap.equal(rows_of(project), [{"n": 5}])
    project.file("parts/d.json", '[{"id":"text"}]')
    err = said(project, "run")
    assert "files: parts/d.json: column id is text here, and int64 in objects before it" in err, err


def test_what_others_put_there_and_a_name_in_quotes():
    project = Models("  owners: { from: models/owners.sql, columns: all, to: \"lake:mart/out-{run}.ndjson\" }\n",
                     "SELECT sum(n) AS n FROM \"my-files\"('in/*')",
                     lake=LOCAL + " }\n  my-files: { type: local, path: files")
    project.file("in/a.csv", "n\n1\n2\n")
    project.run("convert", "files/in/a.csv", "files/in/b.parquet")
    project.run("convert", "files/in/a.csv", "files/in/c.ndjson.gz")
    project.runs()
    tap.equal(rows_of(project), [{"n": 9}])


def test_a_column_of_nothing_but_null():
    project = one("SELECT id, a, a IS NULL AS missing FROM files('null.json') WHERE b IS NULL")
    project.file("null.json", '[{"id":1,"a":null,"b":[]},{"id":2,"a":null,"b":null}]')
    project.runs()
    tap.equal(rows_of(project), [{"id": 2, "a": None, "missing": True}])


def test_a_value_late_in_a_file_widens_its_type_before_the_query_runs():
    project = one("SELECT max(v) AS v FROM files('late.csv')")
    project.file("late.csv", "v\n" + "1\n" * 50000 + "zzz\n")
    project.runs()
    tap.equal(rows_of(project), [{"v": "zzz"}])


def test_a_class_stays_with_what_comes_of_it():
    project = Models("""\
  land:
    from: files:people.json
    columns: { id: id, email: { from: email, class: personal } }
    to: lake:people/{run}.json
  owners:
    from: models/owners.sql
    columns: all
    to: website:owners
""", "SELECT upper(email) AS shout, id FROM lake('people/*.json')", lake=LOCAL + ", accepts: [public, internal, personal]")
    project.file("people.json", '[{"id":1,"email":"a@example.org"}]')
    project.runs("land")
    err = said(project, "run", "owners")
    assert "personal" in err and "website" in err, err


# --- what is refused -----------------------------------------------------------------------------

REFUSED = {
    "SELECT * FROM read_csv('/etc/passwd')": "file system operations are disabled",
    "SELECT * FROM read_text('/etc/passwd')": "file system operations are disabled",
    "SELECT * FROM read_text('.wherry/models/../../wherry.yaml')": "file system operations are disabled",
    "SELECT * FROM glob('/etc/*')": "file system operations are disabled",
    "SELECT * FROM read_parquet('https://example.org/x.parquet')": "models/owners.sql",
    "SELECT * FROM '/etc/passwd'": "does not exist",
    "FROM duckdb_secrets()": "models/owners.sql",
    "ATTACH 'other.db'": "models/owners.sql",
    "COPY (SELECT 1) TO 'out.csv'": "models/owners.sql",
    "INSTALL httpfs": "models/owners.sql",
    "LOAD httpfs": "models/owners.sql",
    "SELECT * FROM enable_logging(level := 'info', storage := 'stdout')": "does not call enable_logging",
    "SELECT * FROM \"Enable_Logging\"()": "does not call Enable_Logging",
    "SELECT write_log('x') AS a": "does not call write_log",
    "SET memory_limit = '100GB'": "is no SELECT",
    "CREATE TABLE t AS SELECT 1": "is no SELECT",
    "SELECT 1 AS a; SELECT 2 AS b": "has 2 statements. A model is one SELECT",
    "": "has 0 statements",
    "SELECT $1 AS a": "has parameters",
    "SELECT 1 AS a, 2 AS a": "gives two columns named a",
    "SELECT interval 1 day AS span": "column span is of type INTERVAL, which Wherry has not",
    "SELECT uuid() AS id": "column id is of type UUID",
    "SELECT map {'a': 1} AS m": "column m is of type MAP",
    "SELECT date 'infinity' AS d": "row 1: column d is infinity, which is no date",
    "SELECT 170141183460469231731687303715884105727::hugeint AS h": "column h has a number of more than 38 digits",
    "SELECT error('own words') AS x": "own words",
}


def test_what_a_model_must_not_do():
    project = one("SELECT 1")
    for sql, why in REFUSED.items():
        project.model("owners", sql)
        err = said(project, "run", code=None)
        assert why in err, f"{sql}\n{err}"
        tap.equal(project.objects("mart/*"), [], sql)
    left = sorted(str(p.relative_to(project.folder)) for p in project.folder.rglob("*")
                  if p.suffix in (".csv", ".db") and ".wherry" not in p.parts)
    tap.equal(left, [])


def test_an_error_says_the_line():
    project = one("SELECT\n  1 AS a,\n  nothing_of_the_kind\n")
    err = said(project, "run")
    assert 'models/owners.sql:3: Binder Error: Referenced column "nothing_of_the_kind"' in err, err
    project.model("owners", "SELECT 1\nFORM x")
    err = said(project, "run")
    assert "models/owners.sql:2: Parser Error" in err, err


def test_what_is_read_is_a_plain_text_of_a_store():
    project = one("SELECT 1")
    for sql, where, why in (
            ("SELECT *\nFROM website('orders')", "2:6", "website holds no objects, and a model reads nothing else"),
            ("SELECT * FROM website.orders", "1:15", "website holds no objects"),
            ("SELECT * FROM lake('a' || '/*.csv')", "1:15", "stands as a plain text"),
            ("SELECT * FROM lake('a/../*.csv')", "1:15", "are no parts of keys"),
            ("SELECT * FROM lake('a/*.txt')", "1:15", "no format that Wherry reads")):
        project.model("owners", sql)
        err = said(project, "check", code=2)
        assert f"models/owners.sql:{where}: pipeline owners" in err and why in err, f"{sql}\n{err}"
    project.model("owners", "SELECT * FROM query('SELECT * FROM lake(''x/*.csv'')'), lake('y/*.csv')")
    project.file("../lake/y/1.csv", "a\n1\n")
    err = said(project, "run")
    assert "stands in its SQL as a plain text" in err, err


def test_words_that_have_no_meaning_for_a_model():
    project = one("SELECT 1 AS a", read="    read: { cursor: a }\n")
    assert "cursor has no meaning for a model" in said(project, "check", code=2)
    project = one("SELECT 1 AS a", read="    raw: true\n")
    assert "raw is for objects, and `from` names a model" in said(project, "check", code=2)
    project = Models("  x: { from: models/none.sql, columns: all, to: website:x }\n")
    assert "the model cannot be read" in said(project, "check", code=2)
    project = Models("  x: { from: files:a.csv, read: { memory: 1GiB }, columns: all, to: website:x }\n")
    assert "memory is for SQL models" in said(project, "check", code=2)


def test_check_tells_what_nobody_will_make():
    project = Models(OWNERS, "SELECT * FROM lake('werehouse/cars/*.parquet')")
    err = project.run("check", "--connect").err
    assert "owners.sql:1:15: pipeline owners: nothing matches lake:werehouse/cars/*.parquet, and no pipeline" in err, err
    project.model("owners", OWNERS_SQL)
    assert "nothing matches" not in project.run("check", "--connect").err


def test_without_duckdb_it_is_said_what_to_do():
    project = Models()
    env = {**project.env, "WHERRY_DUCKDB": str(project.folder / "none.so")}
    for args in (("check",), ("run", "owners", "--full"), ("plan", "owners")):
        project.land()
        result = project.wherry(*args, code=None, env=env)
        text = result.out + result.err
        if args[0] == "plan":
            continue  # nothing is there to be planned yet
        assert result.code and "a model needs DuckDB" in text and "scripts/install-duckdb" in text, result


def test_the_policy_lets_a_model_read_its_tables():
    project = Models(lake=f"type: s3, bucket: {BUCKET}")
    text = project.run("policy", "owners").out
    assert "warehouse/people/*.json" in text and "warehouse/cars/*" in text, text


# --- memory and stopping -------------------------------------------------------------------------

LARGE = "SELECT i, md5(i::text) AS h, repeat(md5((i * 7)::text), 4) AS pad FROM range({}) t(i) ORDER BY h"


def test_what_does_not_fit_in_its_memory_goes_to_disk():
    project = one(LARGE.format(1_000_000), write="lake:mart/out-{run}.parquet",
                  read="    read: { memory: 64MiB, threads: 1 }\n")
    run = project.runs()["owners"]
    tap.equal(run["rows_written"], 1_000_000)
    tap.equal(list((project.folder / ".wherry/models").iterdir()), [])


def test_beside_duckdb_it_stays_inside_memory():
    only_release()
    project = one(LARGE.format(1_000_000), write="lake:mart/out-{run}.parquet",
                  read="    read: { memory: 64MiB, threads: 1 }\n")
    run = project.measured("run")
    tap.equal(run.code, 0, run)
    own, code = 64, 64  # MiB: `memory`, and the library itself
    assert run.peak <= (64 + own + code) * 2**20, run.peak / 2**20


def test_an_aggregate_that_cannot_be_done_says_what_to_give():
    project = one("SELECT list(md5(i::text) ORDER BY i) AS l FROM range(3000000) t(i)",
                  read="    read: { memory: 32MiB, threads: 1 }\n")
    err = said(project, "run")
    assert "read: memory" in err and "33554432" in err, err


def started(project):
    folder = project.folder / ".wherry/models"
    return folder.exists() and any(p.name != "lock" for p in folder.glob("*/*"))


def test_sigterm_interrupts_a_long_query():
    project = one("SELECT count(*) AS n FROM range(3000000) a, range(3000000) b WHERE a.range + b.range = 7")
    process = project.start("run", env=project.env)
    until(lambda: any((project.folder / ".wherry/models").glob("*/lock")), 60)
    time.sleep(0.5)
    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out = process.communicate(timeout=60)[0]
    tap.equal(process.returncode, 0, out)
    assert time.monotonic() - asked < 10, time.monotonic() - asked
    tap.equal(list((project.folder / ".wherry/models").iterdir()), [])


def test_kill_leaves_nothing_that_the_next_run_does_not_clear():
    project = one(LARGE.format(2_000_000), write="lake:mart/out-{run}.parquet",
                  read="    read: { memory: 64MiB, threads: 1 }\n")
    process = project.start("run", env=project.env)
    until(lambda: started(project), 120)  # it spills
    process.kill()
    process.communicate()
    tap.equal(project.objects("mart/*"), [])
    assert any((project.folder / ".wherry/models").iterdir())
    project.model("owners", "SELECT 1 AS one")
    project.runs()
    tap.equal(len(project.objects("mart/*.parquet")), 1)
    tap.equal(list((project.folder / ".wherry/models").iterdir()), [])
    project.run("verify")


if __name__ == "__main__":
    tap.run()
