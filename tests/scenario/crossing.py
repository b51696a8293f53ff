#!/usr/bin/env python3
"""The main job, end to end, and what may go wrong with its rows."""
import datetime
import json
import random
import sqlite3
import threading
import time

import tap
from project import Project, order


def utc(seconds=0):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%d %H:%M:%SZ")


def counts(line):
    assert line["rows_read"] == (line["rows_written"] + line["rows_unchanged"] + line["rows_superseded"]
                                 + line["rows_filtered"] + line["rows_quarantined"]), line
    return line


def test_orders_cross_and_only_changes_cross_again():
    p = Project()
    p.make_erp([order(f"SO{i}", at=f"2026-11-20 08:{i // 60 % 60:02}:{i % 60:02}Z") for i in range(1000)])
    runs = [counts(line) for line in p.wherry("run", "--json").lines()]
    tap.equal([r["pipeline"] for r in runs], ["export-orders", "import-orders"])
    tap.equal([r["rows_written"] for r in runs], [1000, 1000])
    p.check_equal()
    assert not any("margin" in o.read_text() for o in p.objects()), "the margin left the house"
    again = p.wherry("run", "--json").lines()
    tap.equal([r["rows_written"] for r in again], [0])
    p.sql("erp", "UPDATE sales_order SET status='Shipped', updated_at=? WHERE id IN (5, 7)", utc())
    runs = p.wherry("run", "--json").lines()
    tap.equal([r["rows_written"] for r in runs], [2, 2])
    p.check_equal()
    tap.equal(p.wherry("verify").code, 0)


def test_rows_that_share_the_boundary_value_all_arrive():
    p = Project()
    at = utc()
    p.make_erp([order(f"A{i}", at=at) for i in range(50)])
    p.wherry("run")
    p.add_orders([order(f"B{i}", at=at) for i in range(50)])
    p.wherry("run")
    p.check_equal()


def test_a_row_that_commits_late_inside_the_overlap_arrives():
    p = Project()
    p.make_erp([order("A", at=utc())])
    p.wherry("run")
    p.add_orders([order("B", at=utc(-300))])
    p.wherry("run")
    p.check_equal()


def test_two_updates_within_one_second_newest_wins():
    p = Project()
    at = utc()
    p.make_erp([order("A", "Open", at=at)])
    p.wherry("run")
    p.sql("erp", "UPDATE sales_order SET status='Shipped' WHERE order_number='A'")
    p.wherry("run")
    p.check_equal()
    p.sql("erp", "UPDATE sales_order SET status='Open' WHERE order_number='A'")  # and back again
    p.wherry("run")
    p.check_equal()


def test_null_and_future_timestamps_are_read_every_run():
    p = Project()
    p.make_erp([order("A", at=utc()), order("N", at=None), order("F", at=utc(3600))])
    p.wherry("run", code=3)  # a row without a version is quarantined further down
    p.sql("erp", "UPDATE sales_order SET status='Shipped' WHERE order_number='F'")
    p.wherry("run", code=None)
    tap.equal(p.orders()["F"][0], "Shipped")
    p.sql("erp", "UPDATE sales_order SET updated_at=? WHERE order_number='N'", utc())
    p.wherry("run", code=None)
    p.check_equal()


def test_a_row_updated_while_the_export_runs_is_not_lost():
    p = Project()
    p.make_erp([order(f"SO{i}", at="2026-11-20 08:00:00Z") for i in range(20000)])
    stop = threading.Event()

    def update():
        number = 0
        while not stop.is_set():
            p.sql("erp", "UPDATE sales_order SET status='Shipped', updated_at=? WHERE id=?", utc(), number % 20000 + 1)
            number += 1
            time.sleep(0.002)
    thread = threading.Thread(target=update)
    thread.start()
    try:
        for _ in range(4):
            p.wherry("run")
    finally:
        stop.set()
        thread.join()
    p.wherry("run")
    p.check_equal()


def test_a_query_publishes_instead_of_a_table():
    p = Project(config="""\
version: 1
connections:
  erp: { type: sqlite, path: erp.db }
  lake: { type: local, path: lake }
pipelines:
  totals:
    from: erp
    read: { query: "SELECT status AS s, count(*) AS n FROM sales_order GROUP BY status ORDER BY status" }
    columns: { Status: s, Orders: n }
    to: lake:mart/totals-{run}.json
""")
    p.make_erp([order("A"), order("B"), order("C", "Shipped")])
    p.wherry("run")
    tap.equal(json.loads(p.objects("mart/*.json")[0].read_text()),
              [{"Status": "Open", "Orders": 2}, {"Status": "Shipped", "Orders": 1}])


def test_a_new_column_stays_home_and_is_told_once():
    p = Project()
    p.make_erp([order("A")])
    p.wherry("run")
    p.sql("erp", "ALTER TABLE sales_order ADD COLUMN iban TEXT DEFAULT 'DE02'")
    p.add_orders([order("B", at=utc())])
    said = p.wherry("run").err
    tap.contains(said, "the source has a new column 'iban'. It stays home.")
    assert "iban" not in p.wherry("run").err
    assert not any("DE02" in o.read_text() for o in p.objects())


def test_the_lock_stops_a_wider_crossing():
    p = Project()
    p.make_erp([order("A")])
    p.wherry("run")
    p.wherry("plan", "--lock")
    p.wherry("run")
    text = (p.folder / "wherry.yaml").read_text().replace("      Total: total\n", "      Total: total\n      Margin: margin\n")
    p.config(text)
    refused = p.wherry("run", "export-orders", code=1)
    tap.contains(refused.err, "Margin")
    tap.contains(refused.err, "wherry plan --lock")


def test_quarantine_shows_why_and_replay_mends():
    p = Project()
    p.make_erp([order("A"), order("B", "Shiped"), order("C", "Shiped"), order(None)])
    p.wherry("run", code=3)
    shown = p.wherry("quarantine", "show", "import-orders").out
    tap.contains(shown, "2 rows")
    tap.contains(shown, "'Shiped' is not one of Open, Back ordered, Shipped, Cancelled")
    text = (p.folder / "wherry.yaml").read_text().replace("in: [Open,", "in: [Shiped, Open,")
    p.config(text)
    p.wherry("quarantine", "replay", "import-orders", code=3)
    rows = p.orders()
    tap.equal(sorted(rows), ["A", "B", "C"])
    left = p.wherry("quarantine", "show", "import-orders", "--json").lines()
    tap.equal([row["column"] for row in left], ["OrderNumber"])
    p.wherry("quarantine", "drop", "import-orders")
    tap.equal(p.wherry("quarantine", "list", "--json").lines(), [])


def test_a_replayed_row_never_replaces_a_newer_one():
    p = Project()
    p.make_erp([order("A", "Shiped", at="2026-11-20 08:00:00Z")])
    p.wherry("run", code=3)
    p.sql("erp", "UPDATE sales_order SET status='Cancelled', updated_at=? WHERE order_number='A'", utc())
    p.wherry("run")
    p.config((p.folder / "wherry.yaml").read_text().replace("in: [Open,", "in: [Shiped, Open,"))
    p.wherry("quarantine", "replay", "import-orders")
    tap.equal(p.orders()["A"][0], "Cancelled")


def histories():
    return 1000 if tap.LONG else 20


def test_objects_duplicated_shuffled_and_overwritten_give_one_table():
    """Objects duplicated, shuffled, delayed and overwritten always give the same table."""
    for history in range(histories()):
        one_history(random.Random(tap.SEED + history))


def one_history(dice):
    p = Project()
    keys = [f"K{i}" for i in range(8)]
    newest = {}
    objects = []
    for number in range(dice.randrange(3, 9)):
        rows = []
        for key in dice.sample(keys, dice.randrange(1, len(keys))):
            at = f"2026-11-{dice.randrange(1, 20):02}T08:00:00Z"
            row = {"OrderNumber": key, "OrderStatus": dice.choice(("Open", "Shipped")),
                   "Total": dice.randrange(100) + 0.5, "UpdatedAt": at}
            # one content for a version, as a real source has
            row = newest.setdefault((key, at), row)
            rows.append(row)
        objects.append(rows)
    inbound = p.folder / "lake/inbound"
    inbound.mkdir(parents=True)
    deliveries = objects + dice.choices(objects, k=dice.randrange(4))
    dice.shuffle(deliveries)
    (inbound / "z.ndjson").write_text("")
    for number, rows in enumerate(deliveries):
        # names repeat, so that some objects are overwritten after they were loaded
        name = inbound / f"part-{dice.randrange(5)}.json"
        name.write_text(json.dumps(rows))
        settle(name)
        p.wherry("run", "import-orders", code=None)
    best = {}
    for rows in deliveries:
        for row in rows:
            key = row["OrderNumber"]
            if key not in best or row["UpdatedAt"] > best[key]["UpdatedAt"]:
                best[key] = row
    got = {k: v[0] for k, v in p.orders().items()}
    tap.equal(got, {k: v["OrderStatus"] for k, v in best.items()}, "the newest version of each order")


def settle(path):
    """As if the file had been still for a while."""
    import os
    global clock
    clock += 1
    os.utime(path, (clock, clock))


clock = int(time.time()) - 100_000


def bad_file(text, expected_code, name="bad.json"):
    p = Project()
    path = p.folder / "lake/inbound" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    settle(path)
    config = (p.folder / "wherry.yaml").read_text().replace("**/*.json", "**/*")
    p.config(config)
    return p, p.wherry("run", "import-orders", code=expected_code)


ROW = '{"OrderNumber":"%s","OrderStatus":"Open","Total":1.5,"UpdatedAt":"2026-11-20T08:00:00Z"}'


def test_a_truncated_file_loads_nothing():
    p, result = bad_file("[" + ",\n".join(ROW % i for i in range(5000))[:-20], 1)
    tap.contains(result.err, "never closed")
    tap.contains(result.err, "Nothing of it was loaded")
    if p.sql("website", "SELECT 1 FROM sqlite_master WHERE name='orders'"):
        tap.equal(p.sql("website", "SELECT count(*) FROM orders"), [(0,)])
    tap.equal(p.wherry("status", "--json", code=1).lines()[1]["dead"], 1)


def test_bad_rows_are_quarantined_with_their_place():
    lines = [ROW % "A", ROW % "B", '{"OrderNumber":"C","OrderStatus":"Open","Total":"much"', ROW % "D"]
    p, result = bad_file("\n".join(lines) + "\n", 3, "bad.ndjson")
    tap.equal(sorted(p.orders()), ["A", "B", "D"])
    row = p.wherry("quarantine", "show", "import-orders", "--json").lines()[0]
    tap.equal((row["row"], row["line"]), (3, 3))
    tap.contains(row["text"], '"C"')


def test_invalid_utf8_is_quarantined():
    p, _ = bad_file((ROW % "A").encode() + b"\n" + (ROW % "X").encode().replace(b"X", b"\xff") + b"\n", 3, "bad.ndjson")
    tap.equal(sorted(p.orders()), ["A"])


def test_a_foreign_file_fits_the_table_that_is_there():
    """A foreign file's numbers and times fit the table that is there, whatever they look like."""
    p = Project()
    p.make_erp([order("A", total="10.00")])
    p.sql("website", "CREATE TABLE orders(OrderNumber TEXT PRIMARY KEY, OrderStatus TEXT, Total NUMERIC, "
                     "UpdatedAt TIMESTAMP)")
    p.sql("website", "INSERT INTO orders VALUES ('OLD', 'Open', 7, '2026-01-01T00:00:00')")
    path = p.folder / "lake/inbound/foreign.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps([
        {"OrderNumber": "X", "OrderStatus": "Open", "Total": 1.5, "UpdatedAt": "2026-11-20T08:00:00"},
        {"OrderNumber": "Y", "OrderStatus": "Open", "Total": 12, "UpdatedAt": "2026-11-20 09:00:00"},
        {"OrderNumber": "Z", "OrderStatus": "Open", "Total": 12, "UpdatedAt": "yesterday"}]))
    settle(path)
    p.wherry("run", "import-orders", code=3)
    tap.equal({k: v[1] for k, v in p.orders().items()}, {"OLD": 7.0, "X": 1.5, "Y": 12.0})
    tap.contains(p.wherry("quarantine", "show", "import-orders").out, "yesterday")
    tap.equal(p.wherry("verify", "import-orders").code, 0)


def test_a_file_of_garbage_says_what_it_is():
    _, result = bad_file("hello", 1)
    tap.contains(result.err, "bad.json")


def test_replace_never_shows_an_older_state():
    p = Project(config="""\
version: 1
connections:
  erp: { type: sqlite, path: erp.db }
  lake: { type: local, path: lake }
  website: { type: sqlite, path: website.db }
pipelines:
  export-orders:
    from: erp:sales_order
    columns: { OrderNumber: order_number, OrderStatus: status, Total: total, UpdatedAt: updated_at }
    to: lake:inbound/orders-{run}.json
  import-orders:
    when: new
    from: lake:inbound/*.json
    columns: all
    to: website:orders
    write: { mode: replace, key: OrderNumber }
""")
    p.make_erp([order("A"), order("B")])
    p.wherry("run")
    p.sql("erp", "DELETE FROM sales_order WHERE order_number='A'")
    p.wherry("run", "export-orders")
    tap.equal(sorted(p.orders()), ["B"])
    # Nobody said that it may be emptied: what the message says to write lets the object pass.
    p.sql("erp", "DELETE FROM sales_order")
    said = repr(p.wherry("run", code=1))
    tap.contains(said, "this run has 0 rows, the last had 1: fewer than at_least_rows: 50% allows")
    tap.contains(said, "write expect: { at_least_rows: 0 }")
    tap.equal(sorted(p.orders()), ["B"])
    path = p.folder / "wherry.yaml"
    path.write_text(path.read_text() + "    expect: { at_least_rows: 0 }\n")
    p.wherry("quarantine", "replay", "import-orders")
    tap.equal(sorted(p.orders()), [])


def test_rows_go_straight_from_database_to_database():
    p = Project(config="""\
version: 1
connections:
  erp: { type: sqlite, path: erp.db }
  website: { type: sqlite, path: website.db }
pipelines:
  copy-orders:
    from: erp:sales_order
    read: { cursor: updated_at }
    columns: { OrderNumber: order_number, OrderStatus: status, Total: total, UpdatedAt: updated_at }
    to: website:orders
    write: { mode: upsert, key: OrderNumber, newest_by: UpdatedAt }
""")
    p.make_erp([order(f"SO{i}") for i in range(500)])
    tap.equal(p.wherry("run", "--json").lines()[0]["rows_written"], 500)
    p.check_equal()
    p.add_orders([order("NEW", at=utc())])
    p.wherry("run")
    p.check_equal()


def test_append_with_a_windowed_cursor_is_refused():
    p = Project()
    p.config((p.folder / "wherry.yaml").read_text().replace(
        "write: { mode: upsert, key: OrderNumber, newest_by: UpdatedAt }", "write: { mode: append }"))
    p.make_erp([order("A")])
    tap.contains(p.wherry("plan", code=2).err, "windowed cursor")
    p.wherry("run", code=1)


def test_a_lost_ledger_is_rebuilt():
    import shutil
    p = Project()
    p.make_erp([order(f"SO{i}", "Shiped" if i == 3 else "Open", at=f"2026-11-{i // 5 + 1:02}T08:00:00Z")
                for i in range(100)])
    p.wherry("run", code=3)
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (p.folder / ".wherry" / name).unlink(missing_ok=True)
    p.wherry("ledger", "rebuild")
    tap.equal(len(p.wherry("runs", "--json").lines()), 2)
    tap.equal(p.wherry("quarantine", "list", "--json").lines()[0]["rows"], 1)
    p.add_orders([order("NEW", at=utc())])
    lines = p.wherry("run", "--json").lines()
    # what the overlap held is not known any more and is sent again: the five newest orders
    tap.equal([line["rows_written"] for line in lines], [6, 6])
    p.check_equal()
    assert p.wherry("verify").code == 0


def test_the_shared_northwind_database_crosses():
    """Northwind, a sample ERP with odd names and many alphabets, crosses whole."""
    northwind = tap.shared("data/northwind.db")
    p = Project(config=f"""\
version: 1
connections:
  erp: {{ type: sqlite, path: "{northwind}" }}
  lake: {{ type: local, path: lake }}
  website: {{ type: sqlite, path: website.db }}
pipelines:
  export-orders:
    from: erp
    read:
      query: >
        SELECT o.OrderID, c.CompanyName, c.ContactName, o.OrderDate, o.ShippedDate, o.ShipCity,
               (SELECT sum(d.UnitPrice * d.Quantity) FROM "Order Details" d WHERE d.OrderID = o.OrderID) AS total
        FROM Orders o LEFT JOIN Customers c ON c.CustomerID = o.CustomerID
    columns:
      OrderNumber: OrderID
      Company: CompanyName
      Contact: ContactName
      Ordered: OrderDate
      Shipped: ShippedDate
      City: ShipCity
      Total: total
    to: lake:inbound/northwind-{{run}}.json
  import-orders:
    when: new
    from: lake:inbound/*.json
    columns: all
    to: website:orders
    write: {{ mode: upsert, key: OrderNumber }}
  details:
    from: erp:Order Details
    columns: all
    to: lake:inbound-details/details-{{run}}.ndjson
  categories:
    from: erp:Categories
    columns: all
    to: lake:inbound-categories/categories-{{run}}.ndjson
""")
    p.wherry("run")
    tap.equal(p.sql("website", "SELECT count(*) FROM orders"), [(830,)])
    with sqlite3.connect(northwind) as db:
        truth = db.execute("SELECT o.OrderID, c.CompanyName, o.ShipCity FROM Orders o LEFT JOIN Customers c "
                           "ON c.CustomerID = o.CustomerID ORDER BY 1").fetchall()
        pictures = dict(db.execute("SELECT CategoryName, Picture FROM Categories").fetchall())
    tap.equal(p.sql("website", "SELECT OrderNumber, Company, City FROM orders ORDER BY 1"), truth)
    import base64
    rows = [json.loads(line) for line in p.objects("inbound-categories/*.ndjson")[0].read_text().splitlines()]
    for row in rows:
        picture = pictures[row["CategoryName"]]
        tap.equal(row["Picture"] and base64.b64decode(row["Picture"]), picture)
    tap.equal(len(p.objects("inbound-details/*.ndjson")[0].read_text().splitlines()), 2155)


tap.run()
