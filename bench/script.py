"""What people write for it: query, dump, load, upsert. No seal, no manifest, no receipt, no
quarantine; one transaction, and a guard on the version so that the tables can be compared."""
import json
import sqlite3
import sys

COLUMNS = {"OrderNumber": "order_number", "CustomerName": "customer_name", "Postcode": "postcode",
           "StatusCode": "status_code", "OrderDate": "order_date", "Total": "total",
           "UpdatedAt": "updated_at"}

erp = sqlite3.connect(sys.argv[1])
erp.row_factory = sqlite3.Row
rows = [dict(row) for row in erp.execute(
    "SELECT " + ", ".join(f'{source} AS "{name}"' for name, source in COLUMNS.items()) + " FROM sales_order")]
with open("orders.json", "w") as out:
    json.dump(rows, out)

with open("orders.json") as orders:
    rows = json.load(orders)
website = sqlite3.connect("website.db")
website.execute("CREATE TABLE IF NOT EXISTS orders (OrderNumber TEXT PRIMARY KEY, CustomerName TEXT, Postcode TEXT, "
                "StatusCode INTEGER, OrderDate TEXT, Total DECIMAL(12,2), UpdatedAt TEXT)")
with website:
    website.executemany(
        "INSERT INTO orders VALUES (:OrderNumber, :CustomerName, :Postcode, :StatusCode, :OrderDate, :Total, :UpdatedAt) "
        "ON CONFLICT (OrderNumber) DO UPDATE SET CustomerName = excluded.CustomerName, Postcode = excluded.Postcode, "
        "StatusCode = excluded.StatusCode, OrderDate = excluded.OrderDate, Total = excluded.Total, "
        "UpdatedAt = excluded.UpdatedAt WHERE excluded.UpdatedAt > orders.UpdatedAt",
        (row for row in rows if row["OrderNumber"]))
