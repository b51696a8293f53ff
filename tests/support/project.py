"""A Wherry project in a scratch folder: an ERP in SQLite, a local lake, a website's database."""
import json
import pathlib
import sqlite3
import subprocess
import sys

import tap

STATUSES = ("Open", "Back ordered", "Shipped", "Cancelled")

CONFIG = """\
version: 1
{top}
connections:
  erp: {{ type: sqlite, path: erp.db }}
  lake: {{ type: local, path: lake }}
  website: {{ type: sqlite, path: website.db }}
pipelines:
  export-orders:
    when: {{ every: 5m }}
    from: erp:sales_order
    read: {{ cursor: updated_at }}
    columns:
      OrderNumber: order_number
      OrderStatus: status
      Total: total
      UpdatedAt: updated_at
    to: lake:inbound/orders-{{run}}.json
  import-orders:
    when: new
    from: lake:inbound/**/*.json
    columns: all
    expect:
      OrderNumber: [not_null]
      OrderStatus: {{ in: [Open, Back ordered, Shipped, Cancelled] }}
    to: website:orders
    write: {{ mode: upsert, key: OrderNumber, newest_by: UpdatedAt }}
{pipeline}"""


def only_release():
    """Skip where memory is not that of a release build."""
    options = json.loads((tap.BUILD / "meson-info/intro-buildoptions.json").read_text())
    named = {o["name"]: o["value"] for o in options}
    if named["b_sanitize"] not in ("none", []):
        raise tap.Skip(f"the sanitizer ({named['b_sanitize']}) has memory of its own")
    if named["buildtype"] != "release":
        raise tap.Skip(f"the ceiling is that of a release build, this is {named['buildtype']}")


class Result:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def lines(self):
        return [json.loads(line) for line in self.out.splitlines() if line]

    def __repr__(self):
        return f"exit {self.code}\n{self.out}{self.err}"


class Project:
    def __init__(self, top="", pipeline="", config=None, folder=None):
        self.folder = pathlib.Path(folder) if folder else tap.folder()
        self.config(config or CONFIG.format(top=top, pipeline=pipeline))

    def config(self, text):
        (self.folder / "wherry.yaml").write_text(text)

    def wherry(self, *args, code=0, env=None, input=None, timeout=300):
        done = subprocess.run([str(tap.WHERRY), *map(str, args)], cwd=self.folder, env=env, input=input,
                              stdin=subprocess.DEVNULL if input is None else None,
                              capture_output=True, text=True, timeout=timeout)
        result = Result(done)
        if code is not None and result.code != code:
            raise AssertionError(f"wherry {' '.join(map(str, args))}: expected exit {code}, got {result}")
        return result

    def measured(self, *args, stop_after=0):
        """Like wherry(), but the result has `peak` (bytes resident at most) and `seconds`, and any exit
        status will do. SIGTERM after `stop_after` seconds."""
        report = self.folder / "measured"
        done = subprocess.run([sys.executable, "-S", str(tap.ROOT / "tests/support/measure.py"), str(report),
                               str(stop_after), str(tap.WHERRY), *map(str, args)], cwd=self.folder,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        result = Result(done)
        code, peak, seconds, _ = report.read_text().split()
        result.code, result.peak, result.seconds = int(code), int(peak), float(seconds)
        return result

    def start(self, *args, env=None):
        return subprocess.Popen([str(tap.WHERRY), *map(str, args)], cwd=self.folder, env=env,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def sql(self, database, statement, *rows):
        with sqlite3.connect(self.folder / f"{database}.db", timeout=30) as db:
            if rows and isinstance(rows[0], list):
                db.executemany(statement, rows[0])
                result = []
            else:
                result = db.execute(statement, rows).fetchall()
        db.close()
        return result

    def make_erp(self, orders):
        self.sql("erp", "CREATE TABLE sales_order(id INTEGER PRIMARY KEY, order_number TEXT, status TEXT, "
                        "total DECIMAL(12,2), margin REAL, updated_at TIMESTAMP)")
        self.sql("erp", "PRAGMA journal_mode=WAL")
        self.add_orders(orders)

    def add_orders(self, orders):
        self.sql("erp", "INSERT INTO sales_order(order_number, status, total, margin, updated_at) "
                        "VALUES (?,?,?,1.5,?)", list(orders))

    def orders(self):
        """The website's table, as {number: (status, total, updated_at)}."""
        return as_orders(self.sql("website", ORDERS_SHOWN))

    def truth(self):
        rows = self.sql("erp", "SELECT order_number, status, total, updated_at FROM sales_order "
                               "WHERE order_number IS NOT NULL")
        return {number: (status, float(total), stamp(at)) for number, status, total, at in rows
                if status in STATUSES}

    def check_equal(self):
        truth, there = self.truth(), self.orders()
        missing = {k: v for k, v in truth.items() if there.get(k) != v}
        extra = {k: v for k, v in there.items() if k not in truth}
        assert not missing and not extra, (
            f"{len(missing)} differ, {len(extra)} too many; first: "
            f"{[(k, v, there.get(k)) for k, v in list(missing.items())[:3]]} {list(extra.items())[:3]}")

    def objects(self, pattern="inbound/**/*.json"):
        return sorted((self.folder / "lake").glob(pattern))


ORDERS_SHOWN = "SELECT OrderNumber, OrderStatus, Total, UpdatedAt FROM orders"


def as_orders(rows):
    """The rows of ORDERS_SHOWN as {number: (status, total, updated_at)}; no order twice."""
    assert len({r[0] for r in rows}) == len(rows), "an order is there twice"
    return {number: (status, float(total), stamp(at)) for number, status, total, at in rows}


def stamp(text):
    """A timestamp in one spelling, with whatever fraction it has."""
    if text is None:
        return None
    text = str(text).replace(" ", "T").rstrip("Z")
    return text.rstrip("0").rstrip(".") if "." in text else text


def order(number, status="Open", total="10.00", at="2026-11-20 08:00:00Z"):
    return (number, status, total, at)
