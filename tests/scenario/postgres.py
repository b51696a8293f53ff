#!/usr/bin/env python3
"""PostgreSQL as a source and as a sink, as somebody uses it: from and to SQLite, a lake, and itself."""
import os
import re

import tap
from project import Project
from servers import Postgres, Session

CONFIG = """\
version: 1
connections:
  erp: {{ type: sqlite, path: erp.db }}
  pg: {pg}
  lake: {{ type: local, path: lake }}
pipelines:
{pipelines}"""

IMPORT = """\
  import-orders:
    from: erp:sales_order
    columns: all
    to: pg:sales_order
    write: { mode: upsert, key: id }
"""

THROUGH_LAKE = """\
  export-orders:
    from: pg:{source}
    read: {{ cursor: {cursor} }}
    columns: all
    to: lake:inbound/orders-{{run}}.parquet
  load-orders:
    when: new
    from: lake:inbound/*.parquet
    columns: all
    to: pg:copy
    write: {{ mode: upsert, key: id{newest} }}
"""

server = None


def started():
    global server
    if server is None:
        server = Postgres()
        os.environ["PG_PASSWORD"] = server.PASSWORD
    server.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return server


def project(pipelines, **words):
    s = started()
    return s, Project(config=CONFIG.format(pg=s.words(**words), pipelines=pipelines))


def runs(result):
    return {line["pipeline"]: line for line in result.lines() if "pipeline" in line}


def test_orders_go_from_sqlite_to_postgres_and_again():
    s, p = project(IMPORT)
    p.make_erp([(f"SO{i:05}", "Open", f"{i}.10", "2026-11-20 08:00:00") for i in range(5000)])
    first = runs(p.wherry("run", "--json"))["import-orders"]
    tap.equal((first["status"], first["rows_written"]), ("done", 5000))
    tap.equal(s.rows("SELECT count(*), sum(total), min(updated_at) FROM sales_order"),
              [("5000", "12498000.00", "2026-11-20 08:00:00")])
    tap.equal(s.rows("SELECT column_name || ' ' || data_type || ' ' || is_nullable FROM information_schema.columns "
                     "WHERE table_name = 'sales_order' ORDER BY ordinal_position"),
              [("id bigint NO",), ("order_number text YES",), ("status text YES",), ("total numeric YES",),
               ("margin double precision YES",), ("updated_at timestamp without time zone YES",),
               ("_wherry_order bigint NO",)])
    p.sql("erp", "UPDATE sales_order SET status = 'Shipped' WHERE id <= 10")
    second = runs(p.wherry("run", "--json"))["import-orders"]
    tap.equal(second["rows_read"], 5000)
    tap.equal(second["rows_written"] + second["rows_unchanged"] + second["rows_superseded"], 5000)
    tap.equal(s.rows("SELECT status, count(*) FROM sales_order GROUP BY 1 ORDER BY 1"),
              [("Open", "4990"), ("Shipped", "10")])
    p.wherry("verify")


TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE orders (id bigint PRIMARY KEY, b boolean, i2 smallint, i4 integer, f4 real, f8 double precision,
  n numeric(38,10), s text, v varchar(20), x bytea, d date, t time, ts timestamp, at timestamptz NOT NULL, u uuid,
  j jsonb, m mood, a integer[], iv interval, ip inet, changed xid8);
INSERT INTO orders VALUES
  (9223372036854775807, true, 32767, 2147483647, 3.4028235e38, 1.7976931348623157e308,
   9999999999999999999999999999.9999999999, E'tab\\t "quote" 😀', '', '\\x00ff', '9999-12-31', '23:59:59.999999',
   '9999-12-31 23:59:59.999999', '2020-11-20 23:59:59.999999+00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
   '{"a": [1, null]}', 'ok', '{1,NULL,3}', '1 year 2 mons -3 days 04:05:06.789', '10.0.0.0/8', '1'),
  (-9223372036854775808, false, -32768, -2147483648, '-0', '-Infinity', -0.0000000001, repeat('ä', 100000), 'x', '',
   '0001-01-01', '00:00', '0001-01-01', '0001-01-01 00:00:00+00', '00000000-0000-0000-0000-000000000000', '[]', 'sad',
   '{}', '0', '::1', '2'),
  (0, NULL, NULL, NULL, 'NaN', 'NaN', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2020-11-20 08:00+00', NULL, NULL,
   NULL, NULL, NULL, NULL, '3');
"""


def test_every_type_survives_the_way_through_a_lake_and_back():
    s, p = project(THROUGH_LAKE.format(source="orders", cursor="at", newest=", newest_by: at"))
    s.sql(TYPES)
    # The target is there, with the types of the source.
    s.sql("CREATE TABLE copy (LIKE orders INCLUDING ALL)")
    first = runs(p.wherry("run", "--json"))
    tap.equal(first["export-orders"]["rows_written"], 3)
    tap.equal(first["load-orders"]["rows_written"], 3)
    tap.equal(s.rows("SELECT count(*) FROM orders o JOIN copy c ON o.id = c.id WHERE o::text = c::text"), [("3",)])
    p.wherry("verify")
    # Made by the sink, with types of its own choice.
    s.sql("DROP TABLE copy; DROP TABLE _wherry_order_copy; DELETE FROM _wherry_marks; UPDATE orders SET at = "
          "at + interval '1 microsecond' WHERE id = 0")
    p = Project(config=CONFIG.format(pg=s.words(), pipelines=THROUGH_LAKE.format(
        source="orders", cursor="at", newest=", newest_by: at")))
    p.wherry("run")
    tap.equal(s.rows("SELECT count(*) FROM orders o JOIN copy c ON o.id = c.id WHERE "
                     "(o.b, o.i2, o.i4, o.f8, o.n, o.s, o.v, o.x, o.d, o.t, o.ts, o.at, o.u::text, o.j::text, "
                     "o.m::text, o.a) IS NOT DISTINCT FROM (c.b, c.i2, c.i4, c.f8, c.n, c.s, c.v, c.x, c.d, c.t, c.ts, "
                     "c.at, c.u, c.j, c.m, c.a)"), [("3",)])


def test_a_windowed_cursor_reads_what_a_slow_transaction_wrote():
    s, p = project(THROUGH_LAKE.format(source="orders", cursor="at", newest=", newest_by: at"))
    s.sql("CREATE TABLE orders (id int PRIMARY KEY, status text, at timestamptz NOT NULL);"
          "INSERT INTO orders VALUES (1, 'Open', now()), (2, 'Open', now() - interval '1 day')")
    p.wherry("run")
    slow = Session(s)
    slow.sql("BEGIN; INSERT INTO orders VALUES (3, 'Open', now()); UPDATE orders SET status = 'Slow', at = now() WHERE "
             "id = 2")
    s.sql("INSERT INTO orders VALUES (4, 'Open', clock_timestamp())")
    p.wherry("run")
    tap.equal(s.rows("SELECT id, status FROM copy ORDER BY id"), [("1", "Open"), ("2", "Open"), ("4", "Open")])
    slow.sql("COMMIT")
    s.sql("INSERT INTO orders VALUES (5, 'Open', clock_timestamp())")
    p.wherry("run")
    tap.equal(s.rows("SELECT id, status FROM copy ORDER BY id"),
              [("1", "Open"), ("2", "Slow"), ("3", "Open"), ("4", "Open"), ("5", "Open")])
    last = runs(p.wherry("run", "--json"))
    tap.equal(last["export-orders"]["rows_written"], 0)
    slow.close()


def test_an_exact_cursor_reads_each_change_once_however_long_it_took():
    s, p = project(THROUGH_LAKE.format(source="orders", cursor="changed", newest=""))
    s.sql("CREATE TABLE orders (id int PRIMARY KEY, status text, changed xid8);"
          "CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS "
          "$$ BEGIN NEW.changed := pg_current_xact_id(); RETURN NEW; END $$;"
          "CREATE TRIGGER note_change BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION note_change();"
          "INSERT INTO orders VALUES (1, 'Open'), (2, 'Open')")
    tap.contains(p.wherry("plan").out, "exact")
    first = runs(p.wherry("run", "--json"))
    tap.equal(first["export-orders"]["rows_written"], 2)
    slow = Session(s)
    slow.sql("BEGIN; INSERT INTO orders VALUES (3, 'Slow')")
    s.sql("INSERT INTO orders VALUES (4, 'Fast')")
    tap.equal(runs(p.wherry("run", "--json"))["export-orders"]["rows_read"], 0)
    slow.sql("UPDATE orders SET status = 'Slow' WHERE id = 1; COMMIT")
    tap.equal(runs(p.wherry("run", "--json"))["export-orders"]["rows_read"], 3)
    tap.equal(runs(p.wherry("run", "--json"))["export-orders"]["rows_read"], 0)
    tap.equal(s.rows("SELECT id, status FROM copy ORDER BY id"),
              [("1", "Slow"), ("2", "Open"), ("3", "Slow"), ("4", "Fast")])
    slow.close()


def test_what_is_wrong_is_said_in_one_line():
    s, p = project(IMPORT.replace("erp:sales_order", "pg:sales_ordr").replace("to: pg", "to: erp"))
    s.sql("CREATE TABLE sales_order (id int PRIMARY KEY)")
    ok = p.wherry("check", "--connect", code=None)
    tap.contains(ok.out, "PostgreSQL")
    wrong = p.wherry("run", code=1)
    tap.contains(wrong.err, "pg: no table or view 'sales_ordr'. Did you mean 'sales_order'?")
    for change, env, says in (
            ({}, {"PG_PASSWORD": "not-that-one"}, f"pg: 127.0.0.1:{s.port} does not let wherry in: password refused "
             "(28P01). Check user and password"),
            ({"host: 127.0.0.1": "host: no-such-host.invalid"}, {}, "no-such-host.invalid"),
            ({"database: test": "database: nowhere"}, {}, "has no database 'nowhere' (3D000). Check `database`"),
            ({"tls: off": "tls: require"}, {}, "has no TLS. Switch it on there, or say tls: off where nobody can listen"),
            ({f"port: {s.port}": "port: 1"}, {}, "127.0.0.1:1 does not answer: nobody listens there")):
        text = CONFIG.format(pg=s.words(), pipelines=IMPORT.replace("erp:sales_order", "pg:sales_order").replace(
            "to: pg", "to: erp"))
        for old, new in change.items():
            text = text.replace(old, new)
        p.config(text)
        env = dict(os.environ, **env)
        checked = p.wherry("check", "--connect", code=1, env=env)
        tap.contains(checked.out, says)
        ran = p.wherry("run", code=1, env=env)
        tap.contains(ran.err, says)
        for result in (checked, ran):
            assert "not-that-one" not in result.out + result.err and s.PASSWORD not in result.out + result.err


def test_discover_and_plan_show_what_is_there():
    s, p = project(THROUGH_LAKE.format(source="orders", cursor="at", newest=", newest_by: at"))
    s.sql("CREATE TABLE orders (id int PRIMARY KEY, total numeric(12,2), tags text[], at timestamptz NOT NULL);"
          "INSERT INTO orders VALUES (1, 9.99, '{a,b}', now()); CREATE SCHEMA crm; CREATE TABLE crm.person (name text)")
    found = p.wherry("discover", "pg").out
    tap.contains(found, "pg:orders   1 rows")
    for line in (r"id\s+int32\s+not null\s+key", r"total\s+decimal\(12,2\)", r"tags\s+list of text", r"at\s+timestamp"):
        assert re.search(line, found), f"{line} is not in {found}"
    tap.contains(found, "pg:crm.person   0 rows")
    plan = p.wherry("plan").out
    tap.contains(plan, "windowed")
    tap.contains(plan, "9.99")
    p.wherry("run")
    s.sql("DROP SCHEMA crm CASCADE")
    again = p.wherry("plan", "load-orders").out
    tap.contains(again, "copy")


def test_replace_makes_the_table_equal():
    s, p = project("""\
  mirror:
    from: erp:sales_order
    columns: all
    to: pg:mirror
    write: { mode: replace, key: id }
""")
    p.make_erp([(f"SO{i}", "Open", "1.00", "2026-11-20 08:00:00") for i in range(300)])
    p.wherry("run")
    p.sql("erp", "DELETE FROM sales_order WHERE id > 200")
    p.sql("erp", "UPDATE sales_order SET status = 'Shipped' WHERE id = 7")
    done = runs(p.wherry("run", "--json"))["mirror"]
    tap.equal((done["rows_read"], done["rows_written"], done["rows_unchanged"]), (200, 1, 199))
    tap.equal(s.rows("SELECT count(*), count(*) FILTER (WHERE status = 'Shipped') FROM mirror"), [("200", "1")])


tap.run()
