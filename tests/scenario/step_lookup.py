#!/usr/bin/env python3
"""lookup in whole projects: rows find the rows of a small table, in a file, in SQLite and in PostgreSQL."""
import gzip
import json

import tap
from project import Project
from servers import Postgres

CONFIG = """\
version: 1
connections:
  lake: {{ type: local, path: lake }}
  website: {{ type: sqlite, path: website.db }}
  shop: {{ type: sqlite, path: shop.db }}
{more}pipelines:
  orders:
    from: lake:inbound/*.csv
    steps:
      - lookup: {{ from: "{table}", on: {on}, take: {{ country: name }}{missing} }}
    columns: {{ Number: number, Code: country_code, Country: country }}
    to: {to}
"""
ORDERS = "number,country_code\nA1,GB\nA2,DE\nA3,FR\nA4,\nA5,GB\n"
COUNTRIES = "code,name,secret\nGB,United Kingdom,s1\nDE,Germany,s2\nNA,Namibia,s3\n"
SERVER = []


def config(table="lake:ref/countries.csv", on="{ country_code: code }", missing="", more="",
           to="website:orders\n    write: { mode: upsert, key: Number }"):
    return CONFIG.format(table=table, on=on, missing=missing and f", missing: {missing}", more=more, to=to)


def project(countries=COUNTRIES, orders=ORDERS, **words):
    p = Project(config=config(**words))
    write(p, "lake/inbound/a.csv", orders)
    write(p, "lake/ref/countries.csv", countries)
    return p


def write(p, name, text):
    path = p.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def counts(line):
    return {k: line[f"rows_{k}"] for k in ("read", "written", "filtered", "quarantined")}


def sent(p):
    return p.sql("website", "SELECT Number, Country FROM orders ORDER BY 1")


FOUND = [("A1", "United Kingdom"), ("A2", "Germany"), ("A5", "United Kingdom")]


def test_rows_without_a_match_are_rejected_and_can_be_replayed():
    p = project()
    line = p.wherry("run", "--json", code=3).lines()[0]
    tap.equal(counts(line), {"read": 5, "written": 3, "filtered": 0, "quarantined": 2})
    tap.equal(sent(p), FOUND)
    shown = p.wherry("quarantine", "show", "orders").out
    tap.contains(shown, "no row of lake:ref/countries.csv has code 'FR'")
    tap.contains(shown, "no row of lake:ref/countries.csv has code NULL")
    write(p, "lake/ref/countries.csv", COUNTRIES + "FR,France,s4\n")
    p.wherry("quarantine", "replay", "orders", code=None)
    tap.equal(sent(p), sorted(FOUND + [("A3", "France")]))


def test_missing_rows_are_null_or_dropped():
    p = project(missing="null")
    p.wherry("run")
    tap.equal(sent(p), sorted(FOUND + [("A3", None), ("A4", None)]))
    p = project(missing="drop")
    line = p.wherry("run", "--json").lines()[0]
    tap.equal(counts(line), {"read": 5, "written": 3, "filtered": 2, "quarantined": 0})


def test_each_format_is_read():
    rows = [dict(zip(("code", "name", "secret"), row.split(","))) for row in COUNTRIES.split("\n")[1:-1]]
    for name, text in (("c.json", json.dumps(rows)), ("c.ndjson", "\n".join(map(json.dumps, rows))),
                       ("c.csv.gz", gzip.compress(COUNTRIES.encode()))):
        p = project(table=f"lake:ref/{name}", missing="drop")
        write(p, f"lake/ref/{name}", text)
        p.wherry("run")
        tap.equal(sent(p), FOUND)


# An object that is written in blocks is read by several lanes, which share the table.
def test_lanes_share_the_table():
    many = "number,country_code\n" + "".join(f"N{n},{'GB' if n % 2 else 'DE'}\n" for n in range(300000))
    p = project(orders=many, to="lake:out/orders-{run}.parquet")
    line = p.wherry("run", "--json").lines()[0]
    tap.equal(counts(line), {"read": 300000, "written": 300000, "filtered": 0, "quarantined": 0})


def test_a_table_of_sqlite():
    p = project(table="shop:country", missing="drop")
    p.sql("shop", "CREATE TABLE country (code TEXT PRIMARY KEY, name TEXT, secret TEXT)")
    p.sql("shop", "INSERT INTO country VALUES ('GB', 'United Kingdom', 's1'), ('DE', 'Germany', 's2')")
    p.wherry("check")
    tap.contains(p.wherry("plan").out, "Country")
    p.wherry("run")
    tap.equal(sent(p), FOUND)
    p.wherry("verify")


def test_a_table_of_postgres_by_a_user_who_may_read_no_more():
    if not SERVER:
        SERVER.append(Postgres())
    s = SERVER[0]
    s.sql("CREATE TABLE country (code text PRIMARY KEY, name text, secret text)")
    s.sql("INSERT INTO country VALUES ('GB', 'United Kingdom', 's1'), ('DE', 'Germany', 's2')")
    s.sql("CREATE ROLE fresh LOGIN PASSWORD 'fresh'")

    def more(user, password):
        return (f"  erp: {{ type: postgres, host: 127.0.0.1, port: {s.port}, database: {s.database}, user: {user}, "
                f"password: {password}, tls: off }}\n")

    p = project(table="erp:country", missing="drop", more=more(s.USER, s.PASSWORD))
    lines = p.wherry("grants", "erp", "--user", "fresh", "--json").lines()
    grants = [line["grant"] for line in lines if "grant" in line]
    assert 'GRANT SELECT ("code", "name") ON "public"."country" TO "fresh"' in grants, grants
    for grant in grants:
        s.sql(grant)
    p.config(config(table="erp:country", missing="drop", more=more("fresh", "fresh")))
    p.wherry("run")
    tap.equal(sent(p), FOUND)


# --- what is wrong ---------------------------------------------------------------------------------


def test_a_table_that_cannot_be_used_moves_nothing_and_blames_no_object():
    for countries, told in [
        (COUNTRIES + "GB,Britain,s9\n", "lookup: lake:ref/countries.csv: row 4 has the same code as row 1"),
        ("kode,name\nGB,x\n", "lookup: lake:ref/countries.csv has no column 'code'. Did you mean 'kode'?"),
        ("code,name\n1,x\n", "lookup: country_code is text, and code of lake:ref/countries.csv is int64"),
        ("code,name\nGB,x\nDE,y\nFR,secret,z,w\n", "lookup: lake:ref/countries.csv: row 3 cannot be read"),
    ]:
        p = project(countries=countries)
        err = p.wherry("run", code=None).err
        tap.contains(err, told)
        assert "Britain" not in err and "secret" not in err, err
        write(p, "lake/ref/countries.csv", COUNTRIES)
        p.wherry("run", code=3)
        tap.equal(sent(p), FOUND)
    p = project()
    (p.folder / "lake/ref/countries.csv").unlink()
    tap.contains(p.wherry("run", code=None).err, "lookup: lake:ref/countries.csv: ")
    write(p, "lake/ref/countries.csv", COUNTRIES)
    p.wherry("run", code=3)


def test_a_table_above_its_share_of_memory():
    large = "code,name\n" + "".join(f"C{n},{'x' * 100}{n}\n" for n in range(100000))
    p = project(countries=large)
    tap.contains(p.wherry("run", code=None).err, "is too large to be held: tables of steps take at most 8192 KiB")
    p.config("memory: 256MiB\n" + config())
    p.wherry("run", code=3)


def test_check_knows_the_address():
    for table, told in [
        ("lak:ref/countries.csv", "no connection 'lak'. Did you mean 'lake'?"),
        ("lake:ref/*.csv", "pipeline orders: steps: name one object of lake, without wildcards"),
        ("lake:ref/countries.xls", "no format that Wherry reads ends in '.xls'"),
        ("shop:*", "pipeline orders: steps: name one table of shop, without wildcards"),
        ("shop", "pipeline orders: steps: name one table of shop, without wildcards"),
    ]:
        tap.contains(project(table=table).wherry("check", code=2).err, told)
    project().wherry("check")


# `verify` does again what the run did, with the table of today.
def test_verify_compares_with_the_table_of_today():
    p = project(missing="drop")
    p.wherry("run")
    p.wherry("verify")
    write(p, "lake/ref/countries.csv", COUNTRIES.replace("Germany", "Deutschland"))
    result = p.wherry("verify", code=None)
    assert result.code != 0, result
    tap.contains(result.out + result.err, "differ")


def test_what_is_new_is_told_by_what_is_read_alone():
    p = project(missing="drop")
    p.wherry("run")
    write(p, "lake/ref/countries.csv", COUNTRIES.replace("Germany", "Deutschland"))
    p.wherry("run")
    tap.equal(sent(p), FOUND)


tap.run()
