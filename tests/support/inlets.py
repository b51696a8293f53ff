"""A service (`wherry up`) that takes events, over a project in a scratch folder, and its senders."""
import contextlib
import http.client
import json
import signal
import sqlite3
import subprocess
import time

import tap
from project import Project
from servers import free_port

ENDPOINT = """\
    payments:
      columns:
        event_id: { type: text, required: true }
        amount: "decimal(12,2)"
        at: timestamp
        tags: "list<text?>"
"""

LAND = """\
  land:
    when: { gathered: { rows: 1000, age: 100ms } }
    from: ingest:payments
    columns: { event_id: event_id, amount: amount, at: at, tags: tags, receipt: _receipt, number: _event }
    to: lake:inbound/payments/{year}/{month}/{day}/{hour}/payments-{run}.ndjson
"""

CONFIG = """\
version: 1
{top}connections:
  lake: {{ type: local, path: lake }}
  shop: {{ type: sqlite, path: shop.db }}
{connections}serve:
  listen: 127.0.0.1:{port}
{serve}  ingest:
{endpoints}pipelines:
{pipelines}"""

JSON = {"Content-Type": "application/json"}
LINES = {"Content-Type": "application/x-ndjson"}


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:2000]!r}"


class Inlets(Project):
    def __init__(self, endpoints=ENDPOINT, pipelines=LAND, serve="", top="", connections="", folder=None):
        self.port = free_port()
        super().__init__(config=CONFIG.format(port=self.port, endpoints=endpoints, pipelines=pipelines, serve=serve,
                                              top=top, connections=connections), folder=folder)
        self.process = None

    def up(self):
        self.log = open(self.folder / "up.log", "ab")
        self.process = subprocess.Popen([str(tap.WHERRY), "up"], cwd=self.folder, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            assert self.process.poll() is None, (self.folder / "up.log").read_text()
            with contextlib.suppress(OSError):
                if self.request("GET", "/healthz").status == 200:
                    return self
            time.sleep(0.02)
        raise AssertionError("it did not come up")

    def down(self):
        self.process.send_signal(signal.SIGTERM)
        tap.equal(self.process.wait(60), 0, (self.folder / "up.log").read_text()[-3000:])
        self.process = None
        self.log.close()

    def kill(self):
        self.process.kill()
        self.process.wait(60)
        self.process = None
        self.log.close()

    def __enter__(self):
        return self.up()

    def __exit__(self, kind, *rest):
        if self.process and kind:
            self.kill()
        elif self.process:
            self.down()

    def request(self, method, path, body=None, headers=None, timeout=30):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def post(self, events, headers=None, endpoint="payments", kind=JSON):
        body = events if isinstance(events, (bytes, str)) else json.dumps(events)
        return self.request("POST", f"/ingest/{endpoint}", body, {**kind, **(headers or {})})

    def take(self, events, **more):
        """Posts, and expects it to be taken; gives the receipt."""
        answer = self.post(events, **more)
        tap.equal(answer.status, 202, answer)
        return answer.json()["receipt"]

    def objects(self, pattern="inbound/**/*.ndjson"):
        return super().objects(pattern)

    def landed(self, pattern="inbound/**/*.ndjson"):
        return [json.loads(line) for path in self.objects(pattern) for line in path.read_text().splitlines()]

    def log_rows(self, sql="SELECT count(*) FROM body", endpoint="payments"):
        path = self.folder / f".wherry/ingest/{endpoint}.db"
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as db:
            return db.execute(sql).fetchall()

    def until(self, condition, seconds=30):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not happen in time:\n" + (self.folder / "up.log").read_text()[-3000:]
            time.sleep(0.05)
