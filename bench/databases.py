#!/usr/bin/env python3
"""Databases in and out, beside their own tools.

    bench/databases.py BUILD [--rows 5000000] [--runs 5] [--servers postgres,mariadb,sqlserver]
                             [--cases read,load,upsert,copy]

A table of 12 columns, made in the server by a seeded expression:

    read    table -> Parquet in a local lake, beside what the server's tool reads into nothing
            (and ConnectorX and DuckDB's reader into Parquet, from scripts/install-bench-peers)
    load    a CSV file -> a new table, beside the server's own bulk load of a ready file
    upsert  the same with a key into the full table, one row in ten changed, beside a row-by-row
            prepared upsert in one transaction
    copy    server -> server, beside a pipe of the server's tools

Interleaved: each in turn, then again; every one counts as whole processes of the client (wall clock,
CPU, peak resident memory of the largest), and so does what the server spent on it. The tables are
compared by the server before a time counts. Prints the medians and the median of the pairs' ratios.
"""
import argparse
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/support"))
import servers  # noqa: E402
from beside import measure, show  # noqa: E402

COLUMNS = ("order_id customer_id status order_date updated_at sku quantity unit_price discount is_paid ship_to "
           "note").split()

CONFIG = """\
version: 1
memory: 64MiB
connections:
  erp: {words}
  shop: {words}
  lake: {{ type: local, path: lake }}
pipelines:
  read:
    from: erp:orders
    columns: all
    to: lake:out/orders-{{run}}.parquet
  load:
    from: lake:in/orders.csv
    columns: all
    to: shop:loaded
    write: {{ mode: append }}
  upsert:
    from: lake:in/changed.csv
    columns: all
    to: shop:kept
    write: {{ mode: upsert, key: order_id, newest_by: updated_at }}
  copy:
    from: erp:orders
    columns: all
    to: shop:copied
    write: {{ mode: append }}
"""


class Postgres:
    name = "postgres"
    DDL = ("(order_id bigint NOT NULL, customer_id integer, status text, order_date date, updated_at timestamptz, "
           "sku text, quantity integer, unit_price numeric(10,2), discount double precision, is_paid boolean, "
           "ship_to text, note text)")

    def __init__(self, rows, folder):
        self.server = servers.Postgres()
        self.words, self.env = self.server.words(), dict(self.server.env(), PG_PASSWORD=self.server.PASSWORD)
        self.folder, self.changed = folder, rows // 10
        self.sql = self.server.sql
        self.sql(f"""CREATE TABLE orders {self.DDL}; INSERT INTO orders SELECT i, h % 100000,
          (ARRAY['Open','Shipped','Back ordered','Cancelled'])[1 + h % 4], date '2020-01-01' + (h % 2000)::int,
          timestamptz '2024-01-01' + (i % 31536000) * interval '1 second' + (h % 1000) * interval '1 ms',
          'SKU-' || lpad((h % 5000)::text, 6, '0'), 1 + h % 12, (100 + h % 100000) / 100.0, (h % 30) / 100.0::float8,
          h % 3 = 0, (h % 400) || ' Harbour Street, Dock ' || h % 77, CASE WHEN h % 5 = 0 THEN 'leave at the ' ||
          (ARRAY['gate','lock','pier'])[1 + h % 3] END
          FROM (SELECT i, abs(hashint8(i))::bigint AS h FROM generate_series(1, {rows}) AS i) AS x; ANALYZE orders;
          CREATE TABLE changed AS SELECT * FROM orders WHERE order_id % 10 = 0;
          UPDATE changed SET quantity = quantity + 1, updated_at = updated_at + interval '1 year'""")
        self.shell(f"\\copy orders to '{folder}/orders.bin' (format binary)")
        # "t" and "f" are letters to everybody else.
        columns = ", ".join(COLUMNS).replace("is_paid", "is_paid::text AS is_paid")
        for table in ("orders", "changed"):
            self.shell(f"\\copy (SELECT {columns} FROM {table}) to '{folder}/{table}.csv' (format csv, header)")
        self.write_rows()

    def pid(self):
        return self.server.process.pid

    def shell(self, text):
        subprocess.run([*self.server.psql(), "-c", text], env=self.env, check=True, stdout=subprocess.DEVNULL)

    def write_rows(self):
        """The script that people write: one prepared upsert a row, one transaction."""
        names = ", ".join(COLUMNS)
        sets = ", ".join(f"{c} = excluded.{c}" for c in COLUMNS[1:])
        params = ", ".join(f"${i + 1}" for i in range(len(COLUMNS)))
        values = " || ',' || ".join(f"quote_nullable({c}::text)" for c in COLUMNS)
        (self.folder / "rows.sql").write_text(
            "BEGIN;\nPREPARE up (bigint,int,text,date,timestamptz,text,int,numeric,float8,bool,text,text) AS INSERT INTO "
            f"kept_peer ({names}) VALUES ({params}) ON CONFLICT (order_id) DO UPDATE SET {sets} WHERE "
            "kept_peer.updated_at <= excluded.updated_at;\n" +
            self.sql(f"SELECT 'EXECUTE up(' || {values} || ');' FROM changed") + "COMMIT;\n")

    def prepare(self, case):
        self.sql("DROP TABLE IF EXISTS loaded, loaded_peer, copied, copied_peer, kept, kept_peer; DROP TABLE IF EXISTS "
                 '_wherry_marks, _wherry_lease, _wherry_tables, _wherry_stages')
        for table in ("loaded_peer", "copied_peer"):
            self.sql(f"CREATE TABLE {table} {self.DDL}")
        if case == "upsert":
            for table, order in (("kept", ', 0::bigint AS "_wherry_order"'), ("kept_peer", "")):
                self.sql(f"CREATE TABLE {table} AS SELECT *{order} FROM orders; ALTER TABLE {table} ADD PRIMARY KEY "
                         f"(order_id); ANALYZE {table}")
        self.sql("CHECKPOINT")

    def peers(self, case):
        psql = self.server.psql()
        return {
            "read": {"psql": [[*psql, "-c", "COPY orders TO STDOUT (FORMAT binary)"]], **self.readers()},
            "load": {"psql": [[*psql, "-c", f"\\copy loaded_peer from '{self.folder}/orders.bin' (format binary)"]]},
            "upsert": {"rows": [[*psql, "-f", str(self.folder / "rows.sql")]]},
            "copy": {"psql": [[*psql, "-c", "COPY orders TO STDOUT (FORMAT binary)"],
                              [*psql, "-c", "COPY copied_peer FROM STDIN (FORMAT binary)"]]},
        }[case]

    def readers(self):
        """ConnectorX and DuckDB's reader of PostgreSQL, table -> Parquet."""
        python = ROOT / ".bench-peers/bin/python"
        if not python.exists():
            print("no ConnectorX and DuckDB: scripts/install-bench-peers has not run", flush=True)
            return {}
        s = self.server
        words = {"user": s.USER, "password": s.PASSWORD, "host": s.host, "port": s.port, "dbname": s.database}
        url = f"postgresql://{s.USER}:{s.PASSWORD}@{s.host}:{s.port}/{s.database}"
        connectorx = ("import connectorx, pyarrow.parquet as pq; pq.write_table(connectorx.read_sql("
                      f"{url!r}, 'SELECT * FROM orders', return_type='arrow'), '{self.folder}/cx.parquet')")
        scan = "postgres_scan('" + " ".join(f"{k}={v}" for k, v in words.items()) + "', 'public', 'orders')"
        duckdb = ("import duckdb, glob, duckdb_extension_postgres_scanner as e; "
                  "path, = glob.glob(e.__path__[0] + '/extensions/*/*.duckdb_extension'); "
                  "c = duckdb.connect(); c.execute(f\"LOAD '{path}'\"); "
                  "c.execute(" + repr(f"COPY (SELECT * FROM {scan}) TO '{self.folder}/duck.parquet'") + ")")
        return {"connectorx": [[python, "-c", connectorx]], "duckdb": [[python, "-c", duckdb]]}

    def same(self, ours, theirs):
        # A CSV file says of 12.50 only that it is a number.
        columns = ", ".join(COLUMNS).replace("unit_price", "unit_price::numeric(10,2)")
        sums = f"SELECT count(*), sum(hashtextextended(({columns})::text, 0)) FROM "
        found = [self.sql(sums + t) for t in (ours, theirs)]
        return found[0] == found[1]


class MariaDB:
    name = "mariadb"
    DDL = ("(order_id bigint NOT NULL, customer_id int, status varchar(20), order_date date, updated_at datetime(6), "
           "sku varchar(20), quantity int, unit_price decimal(10,2), discount double, is_paid tinyint(1), "
           "ship_to varchar(100), note varchar(40)) CHARACTER SET utf8mb4")

    def __init__(self, rows, folder):
        import mariadb
        self.server = mariadb.MariaDB()
        self.words, self.env = self.server.create("bench"), dict(os.environ, MYSQL_PASSWORD=self.server.PASSWORD)
        self.folder = folder
        self.sql(f"""CREATE TABLE orders {self.DDL}; INSERT INTO orders SELECT i, h % 100000,
          elt(1 + h % 4, 'Open', 'Shipped', 'Back ordered', 'Cancelled'), date '2020-01-01' + interval (h % 2000) day,
          timestamp '2024-01-01 00:00:00' + interval (i % 31536000) second + interval (h % 1000) * 1000 microsecond,
          concat('SKU-', lpad(h % 5000, 6, '0')), 1 + h % 12, (100 + h % 100000) / 100.0, (h % 30) / 100.0, h % 3 = 0,
          concat(h % 400, ' Harbour Street, Dock ', h % 77), if(h % 5 = 0, concat('leave at the ',
          elt(1 + h % 3, 'gate', 'lock', 'pier')), NULL)
          FROM (SELECT seq AS i, crc32(seq) AS h FROM seq_1_to_{rows}) AS x;
          CREATE TABLE changed AS SELECT * FROM orders WHERE order_id % 10 = 0;
          UPDATE changed SET quantity = quantity + 1, updated_at = updated_at + interval 1 year""")
        self.write("orders")
        self.write("changed")

    def sql(self, text):
        return self.server.sql(text, "bench")

    def pid(self):
        return self.server.server.pid

    def client(self, program):
        s = self.server
        return [program, "--no-defaults", f"--socket={s.folder}/socket", "-uroot"]

    def write(self, table):
        """As CSV for us, as tab-separated values for LOAD DATA, and the changed ones as a script of upserts."""
        import csv
        done = subprocess.Popen([*self.client("mariadb"), "-N", "-B", "-q", "-e", f"SELECT * FROM {table}", "bench"],
                                stdout=subprocess.PIPE, text=True)
        sets = ", ".join(f"{c} = IF(VALUES(updated_at) >= updated_at, VALUES({c}), {c})" for c in
                         [c for c in COLUMNS[1:] if c != "updated_at"] + ["updated_at"])
        with (self.folder / f"{table}.csv").open("w", newline="") as out, (self.folder / f"{table}.tsv").open("w") as tsv, \
                (self.folder / "rows.sql").open("w") as script:
            writer = csv.writer(out)
            writer.writerow(COLUMNS)
            script.write(f"PREPARE up FROM 'INSERT INTO kept_peer VALUES ({', '.join('?' * len(COLUMNS))}) ON DUPLICATE KEY "
                         f"UPDATE {sets}';\nBEGIN;\n")
            for line in done.stdout:
                row = line.rstrip("\n").split("\t")
                writer.writerow(["" if v == "NULL" else v for v in row])
                tsv.write("\t".join("\\N" if v == "NULL" else v for v in row) + "\n")
                if table == "changed":
                    quoted = ", ".join("NULL" if v == "NULL" else f"'{v}'" for v in row)
                    script.write(f"EXECUTE up USING {quoted};\n")
            script.write("COMMIT;\n")
        assert done.wait() == 0

    def prepare(self, case):
        self.sql("DROP TABLE IF EXISTS loaded, loaded_peer, copied, copied_peer, kept, kept_peer, _wherry_marks, "
                 "_wherry_lease, _wherry_tables, _wherry_stages; DROP DATABASE IF EXISTS other; CREATE DATABASE other")
        for table in ("loaded_peer", "copied_peer"):
            self.sql(f"CREATE TABLE {table} {self.DDL}")
        if case == "upsert":
            self.sql(f"CREATE TABLE kept_peer {self.DDL}; ALTER TABLE kept_peer ADD PRIMARY KEY (order_id); INSERT INTO "
                     "kept_peer SELECT * FROM orders; CREATE TABLE kept LIKE kept_peer; ALTER TABLE kept ADD "
                     "_wherry_order bigint; INSERT INTO kept SELECT *, 0 FROM orders")

    def peers(self, case):
        load = f"LOAD DATA LOCAL INFILE '{self.folder}/orders.tsv' INTO TABLE loaded_peer"
        return {
            "read": {"dump": [[*self.client("mariadb-dump"), "--quick", "--single-transaction", "bench", "orders"]]},
            "load": {"load data": [[*self.client("mariadb"), "--local-infile=1", "-e", load, "bench"]]},
            "upsert": {"rows": [["sh", "-c", shlex.join([*self.client("mariadb"), "bench"]) + f" < {self.folder}/rows.sql"]]},
            "copy": {"dump | mariadb": [[*self.client("mariadb-dump"), "--quick", "--single-transaction", "bench", "orders"],
                                        [*self.client("mariadb"), "other"]]},
        }[case]

    def same(self, ours, theirs):
        theirs = "other.orders" if theirs == "copied_peer" else theirs
        columns = ", ".join(COLUMNS).replace("unit_price", "cast(unit_price AS decimal(10,2))")
        sums = f"SELECT count(*), sum(crc32(concat_ws('|', {columns}, note IS NULL))) FROM "
        return self.sql(sums + ours) == self.sql(sums + theirs)


class SQLServer:
    """The peer of the suite takes what is sent, so that what counts is how fast it is encoded."""
    name = "sqlserver"
    DDL = ("(order_id bigint NOT NULL, customer_id int, status nvarchar(20), order_date date, updated_at datetime2(6), "
           "sku nvarchar(20), quantity int, unit_price decimal(10,2), discount float, is_paid bit, ship_to "
           "nvarchar(100), note nvarchar(40))")

    def __init__(self, rows, folder):
        import tds_peer
        self.server = tds_peer.TdsPeer()
        self.words, self.env = self.server.words(), dict(os.environ, TDS_PASSWORD=self.server.PASSWORD)
        self.folder, self.rows = folder, rows
        with (folder / "orders.csv").open("w") as out, (folder / "orders.tsv").open("w") as tsv:
            out.write(",".join(COLUMNS) + "\n")
            for i in range(1, rows + 1):
                h = i * 2654435761 % 2**32
                row = [str(v) for v in (
                    i, h % 100000, ("Open", "Shipped", "Back ordered", "Cancelled")[h % 4],
                    f"20{20 + h % 6}-{1 + h % 12:02}-{1 + h % 28:02}", f"2026-{1 + h % 12:02}-{1 + h % 28:02} 10:{h % 60:02}:00.000000",
                    f"SKU-{h % 5000:06}", 1 + h % 12, f"{1 + h % 1000}.{h % 100:02}", (h % 30) / 100, h % 3 % 2,
                    f"{h % 400} Harbour Street - Dock {h % 77}", "leave at the gate" if h % 5 == 0 else "")]
                out.write(",".join(row) + "\n")
                tsv.write("\t".join(row) + "\n")

    def pid(self):
        return self.server.process.pid

    def prepare(self, case):
        for table in ("loaded", "loaded_peer", "_wherry_marks", "_wherry_lease", "_wherry_tables", "_wherry_stages"):
            self.server.tsql(f"DROP TABLE IF EXISTS {table}")
        for table in ("loaded", "loaded_peer"):
            self.server.tsql(f"CREATE TABLE {table} {self.DDL}")

    def peers(self, case):
        return {"load": {"freebcp": [["freebcp", "loaded_peer", "in", str(self.folder / "orders.tsv"), "-S",
                                      f"127.0.0.1:{self.server.port}", "-U", "sa", "-P", self.server.PASSWORD, "-D", "erp",
                                      "-c"]]}}.get(case)

    def same(self, ours, theirs):
        sums = "SELECT COUNT(*), SUM(order_id), SUM(quantity) FROM "
        return self.server.tsql(sums + ours) == self.server.tsql(sums + theirs)


KINDS = {kind.name: kind for kind in (Postgres, MariaDB, SQLServer)}
PAIRS = {"load": ("loaded", "loaded_peer"), "upsert": ("kept", "kept_peer"), "copy": ("copied", "copied_peer")}


def run_case(server, case, wherry, folder, runs):
    peers = server.peers(case)
    if not peers:
        return
    figures = {name: [] for name in ("wherry", *peers)}
    for _ in range(runs):
        project = folder / "project"
        shutil.rmtree(project, ignore_errors=True)
        (project / "lake/in").mkdir(parents=True)
        (project / "wherry.yaml").write_text(CONFIG.format(words=server.words))
        for name in ("orders.csv", "changed.csv"):
            if (folder / name).exists():
                os.link(folder / name, project / "lake/in" / name)
                os.utime(folder / name, (0, 0))  # still for long enough to be loaded
        server.prepare(case)
        figures["wherry"].append(measure([[wherry, "-c", str(project / "wherry.yaml"), "run", case]], folder, server))
        for name, commands in peers.items():
            figures[name].append(measure(commands, folder, server))
        if case in PAIRS and not server.same(*PAIRS[case]):
            sys.exit(f"{server.name} {case}: the tables differ, so that no time counts")
    show(f"{server.name:10} {case:7}", figures)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--servers", default="postgres,mariadb,sqlserver")
    parser.add_argument("--cases", default="read,load,upsert,copy")
    args = parser.parse_args()
    wherry = str((args.build / "src/cli/wherry").resolve())
    for name in args.servers.split(","):
        with tempfile.TemporaryDirectory(prefix="wherry-bench-") as scratch:
            folder = pathlib.Path(scratch)
            folder.chmod(0o755)
            # The TDS peer is a program of the tests: it shows who encodes faster with fewer rows too.
            server = KINDS[name](args.rows // (10 if name == "sqlserver" else 1), folder)
            for case in args.cases.split(","):
                run_case(server, case, wherry, folder, args.runs)
            server.server.stop()


main()
