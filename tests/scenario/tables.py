#!/usr/bin/env python3
"""One pipeline over many tables: each table has a cursor, runs, objects and a lock of its own."""
import os
import time

import tap
from project import Project
from servers import Postgres

CONFIG = """\
version: 1
connections:
  erp: {erp}
  lake: {{ type: local, path: lake }}
pipelines:
  export:
    when: {{ every: 5m }}
    from: "erp:{pattern}"
    read: {{ {read} }}
    columns: {columns}
    to: lake:out/{{source}}/{{source}}-{{run}}.csv
"""
SQLITE = "{ type: sqlite, path: erp.db }"
TABLE = "CREATE TABLE {} (id integer PRIMARY KEY, name text, secret text, at timestamp)"


def config(erp=SQLITE, pattern="sale_*", columns="all", read="cursor: at"):
    return CONFIG.format(erp=erp, pattern=pattern, columns=columns, read=read)


def shop(**words):
    p = Project(config=config(**words))
    for name, rows in (("sale_order", 3), ("sale_line", 2), ("other", 1)):
        p.sql("erp", TABLE.format(name))
        for i in range(rows):
            p.sql("erp", f"INSERT INTO {name} VALUES (?, ?, 'hush', '2020-11-20 08:00:00')", i, f"{name} {i}")
    return p


def runs(result):
    return {line["pipeline"]: (line["status"], line["rows_written"]) for line in result.lines() if "run" in line}


def objects(p, table):
    return [path.read_text() for path in sorted((p.folder / "lake/out" / table).glob("*.csv"))]


def test_each_table_is_a_pipeline_of_its_own():
    p = shop()
    tap.equal(runs(p.wherry("run", "--json")), {"export:sale_line": ("done", 2), "export:sale_order": ("done", 3)})
    tap.equal(len(objects(p, "sale_line")), 1)
    tap.contains(objects(p, "sale_order")[0], "sale_order 2")
    p.sql("erp", "INSERT INTO sale_line VALUES (9, 'late', 'hush', '2020-11-21 08:00:00')")
    tap.equal(runs(p.wherry("run", "export", "--json")), {"export:sale_line": ("done", 1), "export:sale_order": ("done", 0)})
    tap.equal(runs(p.wherry("run", "export:sale_order", "--full", "--json")), {"export:sale_order": ("done", 3)})
    status = p.wherry("status").out
    tap.contains(status, "export              ok        2 tables   next now")
    tap.contains(status, "export:sale_line    ok        last")
    tap.equal(len(p.wherry("runs", "export", "--json").lines()), 5)
    tap.equal(len(p.wherry("runs", "export", "--limit", "2", "--json").lines()), 2)
    tap.equal(len(p.wherry("runs", "export:sale_line", "--json").lines()), 2)
    tap.contains(p.wherry("verify").out, "export:sale_order")
    p.wherry("verify", "export:sale_line")
    tap.contains(p.wherry("runs", "exprt", code=2).err, "Did you mean 'export'?")


def test_a_table_that_appears_and_one_that_vanishes():
    """columns: all lets a new table cross, and says so; one that vanished is told of"""
    p = shop()
    p.wherry("run")
    p.sql("erp", TABLE.format("sale_return"))
    p.sql("erp", "INSERT INTO sale_return VALUES (1, 'new', 'hush', '2020-11-20 08:00:00')")
    p.sql("erp", "DROP TABLE sale_line")
    plan = p.wherry("plan").out
    tap.contains(plan, "export   erp:sale_*: 2 tables, each as a pipeline of its own\n"
                       "  crosses   all tables that match, whatever comes (columns: all)\n  gone      sale_line\n")
    result = p.wherry("run", "--json")
    tap.equal(runs(result), {"export:sale_order": ("done", 0), "export:sale_return": ("done", 1)})
    tap.contains(p.wherry("run").err, "export: the table 'sale_line' is not there any more. What was exported of it stays.")
    tap.equal(len(objects(p, "sale_line")), 1)
    tap.contains(p.wherry("status").out, "export:sale_line")


def test_listed_tables_and_columns_cross_and_no_others():
    columns = "{ sale_order: { Id: id, Name: name, At: at }, sale_line: all }"
    p = shop(columns=columns)
    p.sql("erp", TABLE.format("sale_return"))
    plan = p.wherry("plan").out
    tap.contains(plan, "  stays     sale_return\n")
    tap.contains(plan, "stays     secret")
    result = p.wherry("run")
    tap.contains(result.err, "export: the source has a table 'sale_return'. It stays home. To let it cross, list it under "
                             "columns.")
    assert "hush" not in objects(p, "sale_order")[0], objects(p, "sale_order")
    tap.contains(objects(p, "sale_line")[0], "hush")
    tap.equal(objects(p, "sale_return"), [])
    refused = p.wherry("run", "export:sale_return", code=2)
    tap.contains(refused.err, "export: the table 'sale_return' is not listed under columns")
    p.sql("erp", "DROP TABLE sale_line")
    failed = p.wherry("run", "--json", code=1)
    tap.equal({k: v[0] for k, v in runs(failed).items()}, {"export:sale_order": "done", "export:sale_line": "failed"})
    tap.contains(p.wherry("status", code=1).out, "no table or view 'sale_line'")


def test_the_lock_lists_each_table():
    """With wherry.lock, a table that is not in it does not cross"""
    p = shop()
    p.wherry("plan", "--lock")
    tap.contains((p.folder / "wherry.lock").read_text(),
                 "export:sale_line  lake:out/{source}/{source}-{run}.csv  secret  from secret  string  internal\n")
    p.wherry("run")
    p.sql("erp", TABLE.format("sale_return"))
    p.sql("erp", "INSERT INTO sale_return VALUES (1, 'new', 'hush', '2020-11-20 08:00:00')")
    p.sql("erp", "ALTER TABLE sale_line ADD COLUMN iban text")
    failed = p.wherry("run", code=1)
    tap.contains(failed.err, "export:sale_return")
    tap.contains(failed.err, "iban")
    tap.equal(objects(p, "sale_return"), [])
    tap.equal({k: v[0] for k, v in runs(p.wherry("run", "--json", code=1)).items()},
              {"export:sale_order": "done", "export:sale_line": "failed", "export:sale_return": "failed"})
    p.wherry("plan", "--lock")
    p.wherry("run")
    tap.equal(len(objects(p, "sale_return")), 1)


def test_a_ledger_is_made_again():
    p = shop()
    p.wherry("run")
    (p.folder / ".wherry/ledger.db").unlink()
    found = p.wherry("ledger", "rebuild", "--json").lines()[0]
    tap.equal((found["runs"], found["cursors"]), (2, 2))
    tap.contains(p.wherry("status").out, "2 tables")


def test_what_a_pattern_needs():
    p = Project(config=config())
    for change, says in (
            (("{source}/{source}-", "x-"), "to: needs {source}, the table's name, so that each table's objects can be told "
             "apart"),
            (("columns: all", "columns: { Id: id }"), "`from` is a pattern of tables: what may cross is listed by table"),
            (("columns: all", "columns: { order: all }"), "columns: order: is no table of `from`, which is erp:sale_*"),
            (("columns: all", "columns: [id]"), "`from` is a pattern of tables: expected all, or"),
            (("to: lake:out/{source}/{source}-{run}.csv", "to: erp:x"), "a pattern of tables makes objects"),
            (("cursor: at", "query: SELECT 1"), "exclude each other")):
        text = config().replace(*change)
        assert text != config(), change
        p.config(text)
        tap.contains(p.wherry("check", code=2).err, says)


def test_a_source_that_is_gone_is_one_failed_run():
    p = Project(config=config(erp="{ type: sqlite, path: nowhere/erp.db }"))
    failed = p.wherry("run", "--json", code=1)
    tap.equal({line["pipeline"]: line["status"] for line in failed.lines() if "run" in line}, {"export": "failed"})
    tap.contains(p.wherry("status", code=1).out, "nowhere/erp.db")
    shop_files = shop()
    p.config(config(erp=f"{{ type: sqlite, path: {shop_files.folder}/erp.db }}"))
    p.wherry("run")
    tap.contains(p.wherry("status").out, "ok        2 tables")


def test_postgres_schemas_and_privileges():
    """PostgreSQL: schemas, odd names, and tables without a privilege"""
    s = Postgres()
    os.environ["PG_PASSWORD"] = s.PASSWORD
    s.sql("CREATE SCHEMA sales; CREATE SCHEMA hr;"
          "CREATE TABLE sales.orders (id int PRIMARY KEY, note text); INSERT INTO sales.orders VALUES (1, 'a');"
          "CREATE TABLE sales.\"odd/na%me.x\" (id int); INSERT INTO sales.\"odd/na%me.x\" VALUES (7);"
          "CREATE TABLE sales.wages (id int); CREATE TABLE hr.people (id int); CREATE TABLE sales_plain (id int);"
          f"CREATE ROLE reader LOGIN PASSWORD '{s.PASSWORD}'; GRANT USAGE ON SCHEMA sales, hr TO reader;"
          "GRANT SELECT ON sales.orders, sales.\"odd/na%me.x\", hr.people TO reader")
    words = s.words().replace("user: wherry", "user: reader")
    p = Project(config=config(erp=words, pattern="sales.*", read=""))
    result = p.wherry("run", "--json")
    tap.equal(runs(result), {"export:sales.odd%2Fna%25me.x": ("done", 1), "export:sales.orders": ("done", 1)})
    plan = p.wherry("plan").out
    tap.contains(plan, "  denied    sales.wages\n")
    tap.contains(p.wherry("run").err, "export: the user may not read the table 'sales.wages'. It stays home.")
    tap.equal(len(objects(p, "sales.orders")), 2)
    tap.equal(len(objects(p, "sales.odd_na%me.x")), 2)
    p.wherry("run", "export:sales.odd%2Fna%25me.x")
    p.wherry("verify")
    grants = p.wherry("grants", "erp").out
    tap.contains(grants, 'GRANT SELECT ON "sales"."wages" TO "reader";')
    assert '"hr"' not in grants, grants
    # Listed, it is meant to cross: then it fails, and the others do not.
    p.config(config(erp=words, pattern="sales.*", read="", columns="{ sales.orders: { Id: id }, sales.wages: all }"))
    failed = p.wherry("run", "--json", code=1)
    tap.equal({k: v[0] for k, v in runs(failed).items()}, {"export:sales.orders": "done", "export:sales.wages": "failed"})
    tap.contains(p.wherry("status", code=1).out, "permission denied for table wages (42501)")
    tap.contains(p.wherry("grants", "erp").out, 'GRANT SELECT ("id") ON "sales"."orders" TO "reader";')


def test_the_service_runs_them():
    p = shop()
    service = p.start("up", "export")
    try:
        for _ in range(200):
            if objects(p, "sale_order") and objects(p, "sale_line"):
                break
            time.sleep(0.05)
    finally:
        service.terminate()
        service.wait()
    tap.equal((len(objects(p, "sale_order")), len(objects(p, "sale_line")), len(objects(p, "other"))), (1, 1, 0))


tap.run()
