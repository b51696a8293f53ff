"""A lookup server over a website's database in a scratch folder."""
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import socket
import sqlite3
import ssl
import subprocess
import urllib.parse

import tap

SERVER = tap.BUILD / "tests/lookup-server"
KEY = "a key for tests that is long enough"

CONFIG = """\
version: 1
connections:
  website: {{ type: sqlite, path: website.db }}
masks:
  postcode-proof: {{ normalize: alphanumeric-upper, hmac: "{key}" }}
  email-proof: {{ normalize: lower, hmac: "{key}" }}
serve:
  listen: {listen}
{serve}  lookups:
    order-status:
      from: website:orders
      by: OrderNumber
      proof: {{ PostcodeProof: postcode-proof }}
      show: [OrderStatus, OrderDate, UpdatedAt, Carrier]
{lookup}"""

TABLE = """\
CREATE TABLE orders(OrderNumber TEXT PRIMARY KEY, OrderStatus TEXT, OrderDate DATE, UpdatedAt TIMESTAMP,
                    Carrier TEXT, Margin REAL, PostcodeProof TEXT)"""

# order number -> (status, day, changed, carrier, postcode)
ORDERS = {
    "SO1001": ("Shipped", "2026-11-21", "2026-11-21 08:55:00", "Narrow & Broad <Boats>", "SW1A 1AA"),
    "SO1002": ("Open", None, "2026-11-20 23:59:59", None, "EH1 1YZ"),
    "SO1003": ("Open", "2026-01-02", "2026-11-20 23:59:59", "Rail", None),
}


def proof(postcode):
    if postcode is None:
        return None
    normal = "".join(c for c in postcode.upper() if c.isalnum())
    return hmac.new(KEY.encode(), normal.encode(), hashlib.sha256).hexdigest()


def make_table(path, orders=ORDERS):
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("DROP TABLE IF EXISTS orders")
        db.execute(TABLE)
        db.executemany("INSERT INTO orders VALUES (?,?,?,?,?,47.11,?)",
                       [(number, *row[:4], proof(row[4])) for number, row in orders.items()])
    db.close()


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()
        self.all_headers = response.getheaders()

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:2000]!r}"


class Server:
    """Started at once; used as a context it is stopped at the end, and must leave nothing."""

    def __init__(self, serve="", lookup="", listen="127.0.0.1:0", config=None, table=True, folder=None):
        self.folder = pathlib.Path(folder) if folder else tap.folder()
        text = config or CONFIG.format(key=KEY, listen=listen, serve=serve, lookup=lookup)
        (self.folder / "wherry.yaml").write_text(text)
        if table:
            make_table(self.folder / "website.db")
        self.last_words = []
        self.log_path = self.folder / "log.txt"
        with open(self.log_path, "wb") as log:
            env = dict(os.environ)
            self.process = subprocess.Popen([str(SERVER), "wherry.yaml"], cwd=self.folder, stderr=log, env=env,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()
        if not self.address.startswith("http"):
            self.process.stdin.close()
            self.process.wait(30)
            self.error = self.address
            self.port = None
            return
        url = urllib.parse.urlsplit(self.address)
        self.host, self.port = url.hostname, url.port

    def __enter__(self):
        assert self.port, self.error
        return self

    def __exit__(self, *failure):
        words = self.stop()
        if failure[0] is None:
            assert words[-1] == "stopped" and self.process.returncode == 0, f"{words}\n{self.log()}"

    def stop(self):
        """What it said last."""
        if self.process.poll() is None:
            self.process.stdin.close()
        self.last_words += [w for w in self.process.stdout.read().split("\n") if w]
        self.process.wait(60)
        return self.last_words

    def log(self):
        return self.log_path.read_text()

    def tell(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def counts(self):
        return json.loads(self.tell("counts"))

    def connect(self, source=None, context=None):
        where = (source, 0) if source else None
        if context:
            return http.client.HTTPSConnection(self.host, self.port, timeout=30, context=context)
        return http.client.HTTPConnection(self.host, self.port, timeout=30, source_address=where)

    def request(self, method, path, body=None, headers=None, source=None, context=None):
        connection = self.connect(source, context)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, fields, path="/order-status", headers=None, **options):
        headers = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return self.request("POST", path, urllib.parse.urlencode(fields), headers, **options)

    def ask(self, number, postcode, headers=None, path="/order-status", **options):
        body = json.dumps({"OrderNumber": number, "PostcodeProof": postcode})
        return self.request("POST", path, body, {"Content-Type": "application/json", **(headers or {})}, **options)

    def raw(self, data, wait=5):
        """Sends bytes as they are; what comes back until the other side closes."""
        with socket.create_connection((self.host, self.port), timeout=wait) as s:
            s.sendall(data)
            got = b""
            try:
                while chunk := s.recv(65536):
                    got += chunk
            except (TimeoutError, ConnectionResetError):
                pass
            return got


def trusting():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
