#!/usr/bin/env python3
"""`wherry grants`: a fresh user who has exactly what it prints can do everything, and whoever lacks any one
of its statements is told which right is missing."""
import os
import re

import tap
from mariadb import MariaDB
from project import Project
from servers import Postgres

CONFIG = """\
version: 1
connections:
  erp: {connection}
  lake: {{ type: local, path: lake }}
  files: {{ type: sqlite, path: files.db }}
pipelines:
  export-orders:
    from: erp:sales_order
    read: {{ cursor: updated_at, deletes: compare, key: order_number }}
    steps:
      - trim: [status]
    columns:
      Number: order_number
      Status: status
      UpdatedAt: updated_at
    to: lake:orders/orders-{{run}}.parquet
  export-all:
    from: erp:sales_order
    columns: {{ Number: order_number, Status: status, UpdatedAt: updated_at }}
    to: lake:all/orders-{{run}}.parquet
{query}  import-orders:
    when: new
    from: lake:orders/*.parquet
    columns: all
    to: erp:order_copy
    write: {{ mode: upsert, key: Number, newest_by: UpdatedAt }}
  import-there:
    when: new
    from: lake:orders/*.parquet
    columns: all
    to: erp:there
    write: {{ mode: upsert, key: Number, newest_by: UpdatedAt }}
  log-orders:
    when: new
    from: lake:all/*.parquet
    columns: all
    to: erp:order_log
  mirror-orders:
    when: new
    from: lake:all/*.parquet
    columns: all
    to: erp:mirror
    write: {{ mode: replace, key: Number }}
{lookup}"""

LOOKUP = """\
masks:
  number: { normalize: alphanumeric-upper, hmac: "0123456789abcdef0123456789abcdef" }
serve:
  lookups:
    person:
      from: erp:person
      by: name
      proof: { iban: number }
      show: [phone]
"""

QUERY = """\
  export-big:
    from: erp
    read: { query: "SELECT o.order_number, p.name FROM sales_order o JOIN person p ON p.id = o.person" }
    columns: { Number: order_number, Name: name }
    to: lake:big/big-{run}.parquet
"""

TABLES = """
CREATE TABLE sales_order (id int PRIMARY KEY, order_number varchar(20) NOT NULL, status varchar(20), margin numeric,
  person int, updated_at timestamp NOT NULL);
CREATE TABLE person (id int PRIMARY KEY, name varchar(40), phone varchar(40), iban varchar(40));
CREATE TABLE there ("Number" varchar(20) PRIMARY KEY, "Status" varchar(20), "UpdatedAt" timestamp NULL);
CREATE TABLE order_log ("Number" varchar(20), "Status" varchar(20), "UpdatedAt" timestamp NULL);
INSERT INTO person VALUES (1, 'Ada', '1', 'GB1');
INSERT INTO sales_order VALUES (1, 'SO1', ' Open', 0.5, 1, '2020-11-20 08:00:00'),
  (2, 'SO2', 'Shipped', 1.25, 1, '2020-11-20 09:00:00');
"""
CHANGE = ("UPDATE sales_order SET status = 'Late', updated_at = '2020-11-21 08:00:00' WHERE id = 1; "
          "DELETE FROM sales_order WHERE id = 2")


class PostgresPlace:
    name, denied = "PostgreSQL", "42501"

    def __init__(self):
        self.server = Postgres()
        os.environ["PG_PASSWORD"] = Postgres.PASSWORD

    def reset(self):
        s = self.server
        for statement in ("DROP DATABASE IF EXISTS test", "DROP ROLE IF EXISTS fresh", "CREATE DATABASE test",
                          f"CREATE ROLE fresh LOGIN PASSWORD '{s.PASSWORD}'", "REVOKE ALL ON DATABASE test FROM PUBLIC"):
            s.sql(statement, database="postgres")
        s.sql("REVOKE ALL ON SCHEMA public FROM PUBLIC;" + TABLES)

    def config(self, user):
        return CONFIG.format(connection=self.server.words().replace("user: wherry", f"user: {user}"), query=QUERY, lookup=LOOKUP)

    def sql(self, text):
        return self.server.sql(text)

    def env(self):
        return dict(os.environ)


class MariaDBPlace:
    name, denied = "MariaDB", "denied"

    def __init__(self):
        self.server = MariaDB()

    def reset(self):
        s = self.server
        s.sql("DROP DATABASE IF EXISTS shop_1; DROP USER IF EXISTS fresh@'%'; CREATE DATABASE shop_1 CHARACTER SET utf8mb4;"
              "CREATE USER fresh@'%' IDENTIFIED BY 'ship''s \\\\ secret'")
        s.sql(TABLES.replace('"', "`"), "shop_1")

    def config(self, user):
        s = self.server
        words = (f"{{ type: mysql, host: localhost, port: {s.port}, database: shop_1, user: {user}, "
                 f"password: \"${{MYSQL_PASSWORD}}\", tls_ca: {s.folder}/ca.pem }}")
        return CONFIG.format(connection=words, query="", lookup="")

    def sql(self, text):
        return self.server.sql(text, "shop_1")

    def env(self):
        return self.server.env()


places = {}


def place_of(kind):
    if kind not in places:
        places[kind] = kind()
    places[kind].reset()
    return places[kind]


def granted(place):
    """What an administrator is told to run for the fresh user."""
    p = Project(config=place.config("wherry"))
    lines = p.wherry("grants", "erp", "--user", "fresh", "--json", env=place.env()).lines()
    return [line["grant"] for line in lines if "grant" in line], [line["note"] for line in lines if "note" in line]


def use(place):
    """Everything that a user does; the first failure, or None."""
    p = Project(config=place.config("fresh"))
    for words in (("check", "--connect"), ("plan",), ("run",), ("verify",), None, ("run",), ("verify",)):
        if words is None:
            place.sql(CHANGE)
            continue
        result = p.wherry(*words, code=None, env=place.env())
        if result.code != 0:
            return words, result.out + result.err
    return None


def each_is_needed(kind):
    place = place_of(kind)
    grants, notes = granted(place)
    tap.equal(notes, [])
    for grant in grants:
        place.sql(grant)
    tap.equal(use(place), None)
    for left_out in grants:
        place.reset()
        for grant in grants:
            if grant != left_out:
                place.sql(grant)
        failure = use(place)
        assert failure, f"{place.name}: nothing fails without {left_out}"
        assert place.denied in failure[1], f"{place.name}: without {left_out}: {failure}"
    return grants


def test_postgres_needs_each_grant_and_no_other():
    """PostgreSQL: a fresh user needs each of the grants, and nothing else"""
    grants = each_is_needed(PostgresPlace)
    for want in ('GRANT SELECT ("order_number", "status", "updated_at", "person") ON "public"."sales_order" TO "fresh"',
                 'GRANT SELECT ("id", "name", "iban", "phone") ON "public"."person" TO "fresh"',
                 'GRANT INSERT ON "public"."order_log" TO "fresh"',
                 'GRANT SELECT, INSERT, UPDATE, DELETE ON "public"."there" TO "fresh"',
                 'GRANT CREATE ON SCHEMA "public" TO "fresh"'):
        assert want in grants, f"{want} is not among {grants}"


def test_mariadb_needs_each_grant_and_no_other():
    """MariaDB: a fresh user needs each of the grants, and nothing else"""
    grants = each_is_needed(MariaDBPlace)
    for want in ("GRANT SELECT (`order_number`, `status`, `updated_at`) ON `shop_1`.`sales_order` TO 'fresh'@'%'",
                 "GRANT CREATE TEMPORARY TABLES ON `shop\\_1`.* TO 'fresh'@'%'",
                 "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON `shop_1`.`order_copy` TO 'fresh'@'%'"):
        assert want in grants, f"{want} is not among {grants}"


def test_what_is_owned_or_there_takes_less():
    """Once everything is there, nothing has to be created"""
    place = place_of(PostgresPlace)
    p = Project(config=place.config("wherry"))
    p.wherry("run", env=place.env())
    own = p.wherry("grants", "erp", env=place.env()).out
    assert "GRANT SELECT" not in own and "INSERT" not in own, own
    other, _ = granted(place)
    assert 'GRANT SELECT, INSERT, UPDATE ON "public"."_wherry_marks" TO "fresh"' in other, other


def test_objects_of_others_may_bring_deletions():
    """A project that only loads objects of another's may have to delete"""
    place = place_of(PostgresPlace)
    load_only = re.sub(r"  export-orders:.*?  import-there:", "  import-there:", place.config("wherry"), flags=re.S)
    p = Project(config=re.sub(r"  log-orders:.*", "", load_only, flags=re.S))
    out = p.wherry("grants", "erp", "--user", "fresh", env=place.env()).out
    tap.contains(out, 'GRANT SELECT, INSERT, UPDATE, DELETE ON "public"."there" TO "fresh"')
    p.config((p.folder / "wherry.yaml").read_text().replace("newest_by: UpdatedAt", "newest_by: UpdatedAt, deletes: ignore"))
    out = p.wherry("grants", "erp", "--user", "fresh", env=place.env()).out
    tap.contains(out, 'GRANT SELECT, INSERT, UPDATE ON "public"."there" TO "fresh"')


def test_who_adds_columns_may_alter_the_table():
    """on_new_column: add, in each server's words"""
    place = place_of(PostgresPlace)
    adding = lambda text: text.replace("    to: erp:there\n", "    on_new_column: add\n    to: erp:there\n")
    p = Project(config=adding(place.config("wherry")))
    out = p.wherry("grants", "erp", "--user", "fresh", env=place.env()).out
    tap.contains(out, "-- public.there gets columns (on_new_column: add): its owner alone may add them")
    for type, want in (("mysql", "ALTER ON `erp`.`there` TO 'app'@'%';"),
                       # whoever makes tables in a schema may alter those that are there
                       ("sqlserver", "GRANT ALTER, SELECT, INSERT, UPDATE, DELETE ON SCHEMA::[dbo] TO [app];")):
        text = re.sub(r"erp: .*", f"erp: {{ type: {type}, host: 127.0.0.1, port: 1, database: erp, user: app, password: x }}",
                      CONFIG.format(connection="x", query="", lookup=""), count=1)
        out = Project(config=adding(text)).wherry("grants", "erp").out
        tap.contains(out, want)


def test_a_server_that_does_not_answer():
    """Without the server, names are those of the configuration; SQL Server's words"""
    text = re.sub(r"erp: .*", "erp: { type: sqlserver, host: 127.0.0.1, port: 1, database: erp, user: app, password: x }",
                  CONFIG.format(connection="x", query=QUERY, lookup=LOOKUP), count=1)
    p = Project(config=text)
    out = p.wherry("grants", "erp").out
    for want in ("-- the server was not asked which tables there are: erp: ",
                 "-- export-big wants SELECT on the tables of its query: SELECT o.order_number, p.name FROM",
                 "-- import-orders, import-there, log-orders, mirror-orders\nGRANT ALTER, SELECT, INSERT, UPDATE, DELETE ON "
                 "SCHEMA::[dbo] TO [app];\n",
                 "GRANT CREATE TABLE TO [app];\n"):
        tap.contains(out, want)
    p.config(re.sub(r"  import-orders:.*?masks:", "masks:", text, flags=re.S).replace(
        "    steps:\n      - trim: [status]\n", ""))
    out = p.wherry("grants", "erp", "--user", "o]dd").out
    tap.contains(out, "GRANT SELECT ([order_number], [status], [updated_at]) ON OBJECT::[dbo].[sales_order] TO [o]]dd];")
    tap.contains(out, "-- person\nGRANT SELECT ([name], [iban], [phone]) ON OBJECT::[dbo].[person] TO [o]]dd];")
    assert "CREATE" not in out, out


def test_places_without_users():
    """SQLite and a lake need no grants"""
    p = Project(config=CONFIG.format(connection="{ type: sqlite, path: erp.db }", query="", lookup=LOOKUP))
    for name, type in (("erp", "sqlite"), ("lake", "local")):
        result = p.wherry("grants", name)
        tap.equal(result.out, "")
        tap.contains(result.err, f"{name}: {type} knows no GRANTs; none are needed.")
    tap.contains(p.wherry("grants", "nowhere", code=1).err, "nowhere")


tap.run()
