#!/usr/bin/env python3
"""From a MariaDB server through a lake into another of its databases, as a user would set it up."""
import signal
import time

import tap
from mariadb import MariaDB
from project import Project

CONFIG = """\
version: 1
connections:
  erp: {erp}
  lake: {{ type: local, path: lake }}
  website: {website}
pipelines:
  export-orders:
    from: erp:sales_order
    read: {{ {read} }}
    columns:
      OrderNumber: order_number
      OrderStatus: status
      Total: total
      Note: note
      UpdatedAt: updated_at
    to: lake:inbound/orders-{{run}}.parquet
  import-orders:
    when: new
    from: lake:inbound/**/*.parquet
    columns: all
    to: website:orders
    write: {{ mode: {mode}{key} }}
"""

ROWS = 200_000 if tap.LONG else 20_000
server = None


def the_server():
    global server
    server = server or MariaDB()
    return server


class Shop(Project):
    count = 0

    def __init__(self, mode="upsert"):
        self.db = the_server()
        Shop.count += 1
        self.erp, self.website = f"erp{Shop.count}", f"website{Shop.count}"
        key = {"upsert": ", key: OrderNumber, newest_by: UpdatedAt", "replace": ", key: OrderNumber",
               "append": ""}[mode]
        super().__init__(config=CONFIG.format(erp=self.db.create(self.erp), website=self.db.create(self.website),
                                              mode=mode, key=key,
                                              read="cursor: updated_at" if mode == "upsert" else ""))
        self.db.sql("CREATE TABLE sales_order (id INT AUTO_INCREMENT PRIMARY KEY, order_number VARCHAR(20) NOT NULL, "
                    "status ENUM('Open', 'Shipped') NOT NULL, total DECIMAL(12,2), note TEXT CHARACTER SET utf8mb4, "
                    "margin DOUBLE, updated_at DATETIME(6) NOT NULL, KEY (updated_at)) CHARACTER SET utf8mb4", self.erp)

    def fill(self, rows):
        self.db.sql("INSERT INTO sales_order (order_number, status, total, note, margin, updated_at) SELECT "
                    "concat('SO', seq), if(seq % 2, 'Open', 'Shipped'), seq / 4, if(seq % 10, concat('nöte\\t\\\\N', "
                    "seq, '😀'), NULL), 0.5, TIMESTAMPADD(MICROSECOND, seq, '2026-11-20 08:00:00') "
                    f"FROM seq_1_to_{rows}", self.erp)

    def go(self, *args, **more):
        return self.wherry(*args, env=self.db.env(), **more)

    def run_all(self):
        return [line for line in self.go("run", "--json").lines() if "rows_read" in str(line)]

    def shown(self, database, table, names):
        return sorted(self.db.sql(f"SELECT {names} FROM {table}", database), key=lambda row: row[0])

    def check_equal(self):
        truth = self.shown(self.erp, "sales_order", "order_number, status, total, hex(note), updated_at")
        there = self.shown(self.website, "orders", "OrderNumber, OrderStatus, Total, hex(Note), UpdatedAt")
        tap.equal(len(there), len(truth), "rows")
        for want, got in zip(truth, there):
            tap.equal(got, want)


def test_connections_are_found_and_described():
    """A connection is checked, and its tables discovered"""
    shop = Shop()
    shop.fill(10)
    tap.contains(shop.go("check", "--connect").err + shop.go("check", "--connect").out, "MariaDB")
    shown = shop.go("discover", "erp")
    tap.contains(shown.out + shown.err, "decimal(12,2)")
    plan = shop.go("plan", "export-orders")
    tap.contains(plan.out + plan.err, "margin")


def test_orders_go_round():
    """Orders, changed ones and new ones arrive as they are, once"""
    shop = Shop()
    shop.fill(ROWS)
    shop.run_all()
    shop.check_equal()
    shop.db.sql("UPDATE sales_order SET status = 'Shipped', total = 0.01, updated_at = '2026-11-21 09:00:00.5' WHERE id "
                "% 7 = 0; INSERT INTO sales_order VALUES (NULL, 'new', 'Open', NULL, '', NULL, '2026-11-21 10:00:00')",
                shop.erp)
    shop.run_all()
    shop.check_equal()
    shop.go("verify")
    before = shop.db.sql("SELECT count(*) FROM _wherry_marks", shop.website)
    shop.run_all()
    shop.check_equal()
    tap.equal(int(before[0][0]) >= 2, True, "marks")


def test_a_table_is_replaced():
    """A replaced table is what the last run read, and nothing else"""
    shop = Shop("replace")
    shop.fill(1000)
    shop.go("run", "--full")
    shop.check_equal()
    shop.db.sql("DELETE FROM sales_order WHERE id > 500; UPDATE sales_order SET total = 7 WHERE id = 3", shop.erp)
    shop.go("run", "--full")
    shop.check_equal()


def test_a_killed_load_is_not_doubled():
    """Killed at any time, a load ends as if it had not been"""
    shop = Shop("append")
    shop.fill(ROWS)
    shop.go("run", "export-orders")
    for wait in (0.05, 0.15, 0.3, 0.6):
        process = shop.start("run", "import-orders", env=shop.db.env())
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
    shop.go("run", "import-orders")
    shop.check_equal()


def test_a_stopped_server_is_waited_for():
    """A server that is stopped in the middle loses and doubles nothing"""
    shop = Shop("append")
    shop.fill(ROWS)
    shop.go("run", "export-orders")
    process = shop.start("run", "import-orders", env=shop.db.env())
    time.sleep(0.3)
    shop.db.stop()
    process.wait()
    shop.db.start()
    shop.go("run", "import-orders")
    shop.check_equal()


def test_a_wrong_password_is_said_once():
    """A wrong password is one clear sentence"""
    shop = Shop()
    env = {**shop.db.env(), "MYSQL_PASSWORD": "shipwreck"}
    result = shop.wherry("check", "--connect", env=env, code=None)
    assert result.code != 0, result
    tap.contains(result.err + result.out, "erp: the server refuses the user 'wherry'. Check `user` and `password`")
    assert "shipwreck" not in result.err + result.out, result


if __name__ == "__main__":
    tap.run()
