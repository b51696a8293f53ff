#!/usr/bin/env python3
"""The usual script and Wherry through the same days: both are taken from the README, where each
failure that is shown here stands in the table beside what Wherry does instead."""
import contextlib
import datetime
import decimal
import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import types

import pages
import tap

NOW = datetime.datetime(2026, 11, 20, 8, 0, 0)
BLOCKS = pages.blocks(tap.ROOT / "README.md")
EXPORT, FUNCTION = [compile(b.text, b.place, "exec") for b in BLOCKS if b.language == "python"]
CONFIG = next(b.text for b in BLOCKS if b.language == "yaml")


class World:
    """An ERP, and what stands in for the script's cloud: a bucket and a website's database. Wherry
    works on the same ERP, in the same folder."""

    def __init__(self, orders=20, config=CONFIG):
        self.folder = tap.folder()
        self.bucket = {}
        self.before_insert = lambda number: None
        self.config(config)
        self.env = dict(os.environ, WHERRY_KEY_FILE=str(self.folder / "key"))
        self.wherry("secret", "set", "postcode-proof", input="a key that is long enough")
        self.sql("erp", "CREATE TABLE sales_order(id INTEGER PRIMARY KEY, order_number TEXT, status_code INTEGER, "
                        "postcode TEXT, total TEXT, margin REAL, updated_at TIMESTAMP)")
        self.sql("erp", "INSERT INTO sales_order(order_number, status_code, postcode, total, margin, updated_at) "
                        "VALUES (?, 1, 'BT8 0VB', '10.50', 0.35, ?)",
                 [(f"SO{i:07}", stamp(NOW)) for i in range(orders)])

    def config(self, text):
        # every test starts servers of its own or none
        (self.folder / "wherry.yaml").write_text(text[:text.index("serve:")])

    def sql(self, database, statement, rows=None):
        with contextlib.closing(sqlite3.connect(self.folder / f"{database}.db", timeout=30)) as db, db:
            return db.executemany(statement, rows) if rows else db.execute(statement).fetchall()

    # --- the script

    def modules(self):
        def rows(cursor):
            names = [column[0] for column in cursor.description]
            for row in cursor:
                row = dict(zip(names, row))
                row["total"] = decimal.Decimal(row["total"]) if isinstance(row["total"], str) else row["total"]
                row["updated_at"] = datetime.datetime.fromisoformat(row["updated_at"].rstrip("Z"))
                yield tuple(row.values())

        class Orders:
            def __init__(self, cursor):
                self.description, self.rows = cursor.description, rows(cursor)

            def __iter__(self):
                return self.rows

        class S3:
            def upload_file(_, name, bucket, key):
                self.bucket[f"{len(self.bucket)}-{key}"] = (self.folder / name).read_bytes()

            def get_object(_, Bucket, Key):
                return {"Body": io.BytesIO(self.bucket[Key])}

        class Cursor:
            def __init__(self):
                self.db, self.inserted = sqlite3.connect(self.folder_db, isolation_level=None), 0

            def execute(self, statement, values=()):
                if statement.startswith("INSERT"):
                    self.inserted += 1
                    self.world.before_insert(self.inserted)
                self.db.execute(statement.replace("%s", "?"), [str(v) if v is not None else v for v in values])

        Cursor.world, Cursor.folder_db = self, self.folder / "script.db"
        erp = sqlite3.connect(self.folder / "erp.db")
        return {
            "pyodbc": types.SimpleNamespace(
                connect=lambda dsn: types.SimpleNamespace(execute=lambda query: Orders(erp.execute(query)))),
            "boto3": types.SimpleNamespace(client=lambda service: S3()),
            "psycopg2": types.SimpleNamespace(connect=lambda url: types.SimpleNamespace(cursor=Cursor)),
        }

    def _exec(self, code):
        names = {}
        before = os.getcwd()
        os.chdir(self.folder)
        os.environ["DATABASE_URL"] = "website"
        try:
            with stand_ins(self.modules()):
                exec(code, names)
        finally:
            os.chdir(before)
        return names

    def script_export(self):
        """The key of the file that it uploads."""
        self._exec(EXPORT)
        return list(self.bucket)[-1]

    def script_import(self, key):
        """What the function printed: all that anybody learns of an error."""
        handler = self._exec(FUNCTION)["handler"]
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            result = handler({"Records": [{"s3": {"object": {"key": key}}}]}, None)
        assert result is None
        return said.getvalue()

    def script_statuses(self):
        return [int(s) for s, in self.sql("script", "SELECT status FROM orders ORDER BY number")]

    # --- Wherry

    def wherry(self, *args, code=0, input=None):
        done = subprocess.run([str(tap.WHERRY), *args], cwd=self.folder, env=self.env, input=input,
                              capture_output=True, text=True, timeout=120)
        assert code is None or done.returncode == code, f"wherry {args}: {done}"
        return done

    def start(self, *args):
        return subprocess.Popen([str(tap.WHERRY), *args], cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def objects(self):
        return sorted((self.folder / "lake/inbound").rglob("*.json"), key=lambda f: f.stat().st_mtime_ns)

    def statuses(self):
        return [s for s, in self.sql("website", "SELECT OrderStatus FROM orders ORDER BY OrderNumber")]

    def ship_all(self, at=NOW + datetime.timedelta(hours=1)):
        self.sql("erp", f"UPDATE sales_order SET status_code = 3, updated_at = '{stamp(at)}'")


def stamp(at):
    return f"{at:%Y-%m-%d %H:%M:%SZ}"


@contextlib.contextmanager
def stand_ins(modules):
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]


def test_both_work_on_the_first_day():
    w = World()
    tap.equal(w.script_import(w.script_export()), "")
    tap.equal(w.script_statuses(), [1] * 20)
    w.wherry("run")
    tap.equal(w.statuses(), ["Open"] * 20)


def test_an_older_file_that_arrives_late():
    w = World()
    first = w.script_export()
    w.wherry("run")
    w.ship_all()
    w.script_import(w.script_export())
    tap.equal(w.script_statuses(), [3] * 20)
    w.script_import(first)
    tap.equal(w.script_statuses(), [1] * 20, "the script turns the website back")
    w.wherry("run")
    late = w.objects()[0].with_name("late.json")
    shutil.copy(w.objects()[0], late)
    os.utime(late, (time.time() - 60, time.time() - 60))
    run = json.loads(w.wherry("run", "import-orders", "--json").stdout)
    tap.equal((run["rows_read"], run["rows_superseded"]), (20, 20))
    tap.equal(w.statuses(), ["Shipped"] * 20)


def test_one_row_that_does_not_fit():
    w = World()
    w.sql("erp", "UPDATE sales_order SET status_code = 'x' WHERE id = 11")
    tap.contains(w.script_import(w.script_export()), "import failed: invalid literal")
    tap.equal(len(w.script_statuses()), 10, "the script keeps what came before")
    w.wherry("run", code=3)
    tap.equal(w.statuses(), ["Open"] * 19)
    row, = map(json.loads, w.wherry("quarantine", "show", "export-orders", "--json").stdout.splitlines())
    tap.equal((row["column"], row["row"]), ("status_code", 11))
    assert row["reason"]


def test_a_customer_who_asks_while_a_file_is_loaded():
    w = World(orders=20000)
    seen = []

    def ask(number):
        if number in (1, 11):
            seen.append(len(w.script_statuses()))

    w.script_import(w.script_export())
    w.before_insert = ask
    w.script_import(w.script_export())
    tap.equal(seen, [0, 10], "the script shows a table that is empty, then short")
    w.wherry("run")
    w.ship_all()
    counts, stop = set(), threading.Event()

    def poll():
        with contextlib.closing(sqlite3.connect(f"file:{w.folder / 'website.db'}?mode=ro", uri=True, timeout=30)) as db:
            while not stop.is_set():
                counts.add(db.execute("SELECT count(*) FROM orders").fetchone()[0])

    asker = threading.Thread(target=poll)
    asker.start()
    w.wherry("run")
    stop.set()
    asker.join()
    tap.equal(counts, {20000})
    tap.equal(set(w.statuses()), {"Shipped"})


def test_a_column_that_somebody_adds():
    w = World()
    w.wherry("run")
    w.sql("erp", "ALTER TABLE sales_order ADD COLUMN iban TEXT DEFAULT 'DE02120300000000202051'")
    w.ship_all()
    leaked = w.bucket[w.script_export()]
    assert b"DE0212" in leaked and b"margin" in leaked
    tap.contains(w.wherry("run").stderr, "new column 'iban'. It stays home")
    for path in w.objects():
        text = path.read_text()
        assert "DE0212" not in text and "margin" not in text, path


def test_an_export_that_dies_while_it_writes():
    w = World()
    w.sql("erp", "UPDATE sales_order SET postcode = x'00ff' WHERE id = 11")  # what json.dump stumbles over
    try:
        w.script_export()
    except (TypeError, ValueError):
        pass
    half, = w.folder.glob("orders-*.json")
    assert half.stat().st_size > 100
    try:
        json.loads(half.read_text())
        raise AssertionError("the script's file is whole")
    except json.JSONDecodeError:
        pass
    w = World(orders=100_000)
    process = w.start("run", "export-orders")
    time.sleep(0.08)
    process.kill()
    process.wait()
    for path in w.objects():
        json.loads(path.read_text())
    w.wherry("run")
    tap.equal(len(w.statuses()), 100_000)


def test_an_event_that_comes_twice():
    w = World()
    key = w.script_export()

    def again(number):
        w.before_insert = lambda number: None
        w.script_import(key)

    w.before_insert = again
    w.script_import(key)
    tap.equal(len(w.script_statuses()), 40, "the script has every order twice")
    w = World(orders=20000)
    both = [w.start("run"), w.start("run")]
    for process in both:
        process.wait(timeout=120)
    w.wherry("run")
    copy = w.objects()[0].with_name("again.json")
    shutil.copy(w.objects()[0], copy)
    os.utime(copy, (1, 1))
    w.wherry("run")
    tap.equal(len(w.statuses()), 20000)


def test_totals_with_many_digits_and_times_without_a_zone():
    exact = CONFIG.replace("      - map:", "      - cast: { total: \"decimal(19,2)\" }\n      - map:") \
                  .replace("      UpdatedAt: updated_at\n", "      Total: total\n      UpdatedAt: updated_at\n", 1)
    w = World(orders=1, config=exact)
    w.sql("erp", "UPDATE sales_order SET total = '12345678901234567.89'")
    text = w.bucket[w.script_export()].decode()
    tap.contains(text, '"total": 1.2345678901234568e+16')
    tap.contains(text, '"2026-11-20 08:00:00"')  # whose eight o'clock?
    w.wherry("run")
    text = w.objects()[0].read_text()
    tap.contains(text, "12345678901234567.89")
    tap.contains(text, '"2026-11-20T08:00:00Z"')
    (total, at), = w.sql("website", "SELECT CAST(Total AS TEXT), UpdatedAt FROM orders")
    tap.equal(total, "12345678901234567.89")
    tap.equal(datetime.datetime.fromisoformat(at.replace("Z", "+00:00")), NOW.replace(tzinfo=datetime.timezone.utc))


def test_a_function_that_dies_in_the_middle():
    w = World()

    def die(number):
        if number == 11:
            raise SystemExit  # out of time, out of memory

    key = w.script_export()
    w.before_insert = die
    try:
        w.script_import(key)
    except SystemExit:
        pass
    tap.equal(len(w.script_statuses()), 10, "the script leaves half a table")
    w = World(orders=50_000, config=CONFIG.replace("    write: {", "    chunk: 1000\n    write: {"))
    killed = 0
    for wait in (0.2, 0.1, 0.05, 0.1):
        process = w.start("run")
        time.sleep(wait)
        killed += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    tap.note(f"killed {killed} times")
    w.wherry("run")
    tap.equal(w.statuses(), ["Open"] * 50_000)
    w.wherry("verify")


def test_somebody_who_reads_the_bucket():
    w = World()
    assert b"BT8 0VB" in w.bucket[w.script_export()]
    w.wherry("run")
    for path in [*w.objects(), w.folder / "website.db"]:
        assert b"BT8" not in path.read_bytes(), path


tap.run()
