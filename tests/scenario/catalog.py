#!/usr/bin/env python3
"""`catalog:` keeps a row for every object that is published: in SQLite, PostgreSQL and DynamoDB, also after kills, and
once."""
import aws

aws.require()

import hashlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import random  # noqa: E402
import signal  # noqa: E402
import time  # noqa: E402

import servers  # noqa: E402
import tap  # noqa: E402
from project import Project  # noqa: E402

KILLS = 200 if tap.LONG else 12
CONFIG = """\
version: 1
catalog: {catalog}
connections:
  erp: {{ type: sqlite, path: erp.db }}
  lake: {{ type: local, path: lake }}
  site: {{ type: sqlite, path: site.db }}
  {more}
pipelines:
  export:
    from: erp:orders
    columns: {{ Id: id, Name: {{ from: name, class: internal }} }}
    to: lake:out/orders-{{run}}.json
  keep:
    when: new
    from: lake:out/*.json
    raw: true
    to: lake:kept/{{name}}.{{ext}}
  load:
    when: new
    from: lake:out/*.json
    columns: all
    to: site:orders
    write: {{ mode: upsert, key: Id }}
"""
COLUMNS = ("id", "store", "key", "version", "pipeline", "run", "source", "format", "rows", "size", "checksum", "schema",
           "time", "order")


class Place:
    def __init__(self, catalog="site:Objects", more="", env=None):
        self.project = Project(config=CONFIG.format(catalog=catalog, more=more))
        self.env = env
        self.project.sql("erp", "CREATE TABLE orders(id INTEGER PRIMARY KEY, name TEXT)")
        self.project.sql("erp", "INSERT INTO orders VALUES (1,'a'), (2,'b')")

    def wherry(self, *args, **words):
        return self.project.wherry(*args, env=self.env, **words)

    def rows(self):
        names = ", ".join(f'"{name}"' for name in COLUMNS)
        return [dict(zip(COLUMNS, row)) for row in self.project.sql("site", f"SELECT {names} FROM Objects")]

    def check(self, rows):
        """Each object of the lake has one row, that says what its manifest does."""
        lake = self.project.folder / "lake"
        objects = sorted(str(p.relative_to(lake)) for kind in ("out", "kept") for p in lake.glob(f"{kind}/*.json"))
        tap.equal(sorted(row["key"] for row in rows), objects)
        versions = {r["output"]: r["output_version"] for r in self.wherry("runs", "--limit", "0", "--json").lines()
                    if r.get("output_version")}
        for row in rows:
            manifest = json.loads((lake / "_wherry/manifests" / (row["key"] + ".json")).read_text())
            tap.equal((row["store"], row["run"], row["pipeline"], int(row["order"]), row["checksum"], int(row["size"])),
                      ("lake", manifest["run"], manifest["pipeline"], manifest["order"], manifest["sha256"],
                       manifest["bytes"]))
            name = f"lake:{row['key']}@{row['version']}"
            tap.equal(row["id"], hashlib.sha256(name.encode()).hexdigest())
            tap.equal(row["version"], versions["lake:" + row["key"]])
            tap.equal((int(row["rows"]), json.loads(row["schema"])), (manifest["rows"], manifest["schema"]))
            tap.equal(row["source"].split("@")[0].split("-")[0],
                      "erp:orders" if row["pipeline"] == "export" else "lake:out/orders")


def test_every_object_gets_a_row():
    place = Place()
    shown = place.wherry("plan").out
    assert "catalog   every object that is published -> site:Objects" in shown, shown
    assert "CREATE TABLE" in shown.split("catalog  ")[1], shown
    planned = place.wherry("plan", "--json").lines()[-1]
    tap.equal((planned["catalog"], planned["target_exists"]), ("site:Objects", False))
    shown = place.wherry("check", "--connect").out
    assert "the table does not exist yet; it will be created" in shown, shown
    for _ in range(3):
        place.wherry("run")
    rows = place.rows()
    tap.equal(len(rows), 6, "three that were exported, and three copies")
    place.check(rows)
    tap.equal(place.project.sql("site", "SELECT count(*) FROM _wherry_marks WHERE pipeline = '@catalog'"), [(1,)])
    shown = place.wherry("plan").out
    assert "exists and fits" in shown.split("catalog  ")[1], shown
    shown = place.wherry("check", "--connect").out
    assert "the table is there and fits" in shown, shown


def test_an_object_that_was_not_made_here_is_known_by_its_bytes_alone():
    place = Place()
    (place.project.folder / "lake/out").mkdir(parents=True)
    (place.project.folder / "lake/out/foreign.json").write_text('[{"Id": 1, "Name": "x"}]')
    place.wherry("run", "keep")
    [row] = place.rows()
    tap.equal((row["key"], row["format"], row["rows"], row["schema"]), ("kept/foreign.json", "raw", None, None))


def test_a_table_that_does_not_fit_keeps_nobody_from_running():
    place = Place()
    place.project.sql("site", "CREATE TABLE Objects(id TEXT PRIMARY KEY, other TEXT NOT NULL)")
    result = place.wherry("check", "--connect", code=1)
    assert "the table does not fit. Look: wherry plan" in result.out, result
    result = place.wherry("plan", code=1)
    assert "does not fit" in result.out.split("catalog  ")[1], result
    result = place.wherry("run", code=1)
    assert "2 manifests for site:Objects wait" in result.err and "Mend what it says" in result.err, result
    tap.equal(place.project.sql("site", "SELECT count(*) FROM orders"), [(2,)])
    shown = place.wherry("status").out
    assert "site:Objects" in shown and "2 manifests to send" in shown, shown
    place.project.sql("site", "DROP TABLE Objects")
    place.wherry("run", "load")
    place.check(place.rows())


def test_kills_at_random_moments():
    dice = random.Random(tap.SEED)
    place = Place()
    started = time.monotonic()
    place.wherry("run")
    life = time.monotonic() - started
    for _ in range(KILLS):
        process = place.project.start("run")
        time.sleep(dice.random() * life * 1.2)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    place.wherry("run")
    rows = place.rows()
    place.check(rows)
    tap.note(f"{len(rows)} objects")


def test_postgres():
    server = servers.Postgres()
    place = Place(catalog="data:objects", more=f"data: {server.words()}",
                  env={**os.environ, "PG_PASSWORD": server.PASSWORD})
    place.wherry("run")
    place.wherry("run")
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    found = server.sql(f"SELECT row_to_json(o) FROM (SELECT {names} FROM objects) o")
    rows = [json.loads(line) for line in found.splitlines()]
    tap.equal(len(rows), 4)
    place.check(rows)


def check_dynamodb(server):
    place = Place(catalog="data:Objects", more="data: { type: dynamodb }", env=server.env())
    shown = place.wherry("check", "--connect").out
    assert "the table does not exist yet; it will be created" in shown, shown
    place.wherry("run")
    place.wherry("run")
    items = server.client("dynamodb").scan(TableName="Objects")["Items"]
    rows = [{name: next(iter(value.values())) for name, value in item.items()} for item in items]
    tap.equal(len(rows), 4)
    place.check(rows)


def test_dynamodb_at_moto():
    check_dynamodb(aws.Moto())


def test_dynamodb_at_dynalite():
    check_dynamodb(aws.Dynalite())


def test_what_cannot_be_a_catalogue():
    for wrong, why in (("lake:Objects", "catalog: lake holds no tables that can be written: it is of type local"),
                       ("site", "catalog: name a table, such as site:Objects"),
                       ("sit:Objects", "no connection 'sit'. Did you mean 'site'?")):
        result = Place(catalog=wrong).wherry("check", code=2)
        assert why in result.err + result.out, (wrong, result)
    place = Place(catalog="open:Objects", more="open: { type: sqlite, path: open.db, accepts: [public] }")
    result = place.wherry("check", code=2)
    assert "catalog: open does not accept internal columns" in result.err + result.out, result


tap.run()
