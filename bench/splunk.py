#!/usr/bin/env python3
"""Rows of a file of JSON lines as events for Splunk, beside the script in Python that people write for it.

    bench/splunk.py BUILD [--rows 500000] [--rounds 5]

Against bench/discard-server.c, which takes everything and looks at nothing, so that the clients are measured. The
script posts batches of 512 KiB with requests over one kept connection, not compressed; Wherry does the same
(`gzip: no`, one connection), and as it does by default. Neither waits for acknowledgements. Wherry gives every event
an id, proves the file before it sends a row of it, and writes its ledger meanwhile. Interleaved, each as a whole process.
"""
import argparse
import json
import os
import pathlib
import sys
import tempfile

import beside

CONFIG = """\
version: 1
memory: 64MiB
connections:
  files: {{ type: local, path: files }}
  splunk: {{ type: splunk, url: {url}, token: "0e8c53a3-7e4b-4a5e-9d4f-2f4c1c0f5a11", tls: "off", ack: no, sourcetype: orders{words} }}
pipelines:
  events:
    when: new
    from: files:rows.ndjson
    columns: {{ _time: {{ from: at, type: timestamp }}, id: id, status: status, total: total, customer: customer }}
    to: splunk:event
"""
SCRIPT = """\
import datetime
import json
import sys

import requests

session = requests.Session()
session.headers["Authorization"] = "Splunk 0e8c53a3-7e4b-4a5e-9d4f-2f4c1c0f5a11"


def send(events):
    answer = session.post(sys.argv[2] + "/services/collector/event", data="".join(events))
    answer.raise_for_status()
    assert answer.json()["code"] == 0


events, size = [], 0
for line in open(sys.argv[1]):
    row = json.loads(line)
    at = datetime.datetime.fromisoformat(row.pop("at").replace("Z", "+00:00")).timestamp()
    event = json.dumps({"time": at, "sourcetype": "orders", "event": row})
    if size + len(event) > 512 * 1024:
        send(events)
        events, size = [], 0
    events.append(event)
    size += len(event)
if events:
    send(events)
"""


def make_rows(path, rows):
    statuses = ("Open", "Back ordered", "Shipped", "Cancelled")
    with open(path, "w") as out:
        for n in range(rows):
            out.write(json.dumps({"id": n, "status": statuses[n % 4], "total": f"{n % 9999}.{n % 100:02}",
                                  "customer": f"Customer {n * 7919 % 100000}",
                                  "at": f"2026-11-21T{n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02}.{n % 1000000:06}Z"}) + "\n")


def ours(folder, build, server, name, words):
    """A project of its own for each round: an object is sent once."""
    project = pathlib.Path(tempfile.mkdtemp(dir=folder, prefix=name.replace(" ", "-")))
    (project / "files").mkdir()
    os.link(folder / "rows.ndjson", project / "files/rows.ndjson")
    (project / "wherry.yaml").write_text(CONFIG.format(url=server.url, words=words))
    return [build / "src/cli/wherry", "-c", project / "wherry.yaml", "run"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    build = args.build.resolve()
    server = beside.Discarding(build)
    with tempfile.TemporaryDirectory() as made:
        folder = pathlib.Path(made)
        make_rows(folder / "rows.ndjson", args.rows)
        (folder / "script.py").write_text(SCRIPT)
        cases = {"wherry": ", gzip: no, connections: 1", "wherry, gzip": "", "script": None}
        figures = {name: [] for name in cases}
        for _ in range(args.rounds):
            for name, words in cases.items():
                command = [sys.executable, folder / "script.py", folder / "rows.ndjson", server.url] if words is None \
                    else ours(folder, build, server, name, words)
                before = server.discarded()
                figures[name].append(beside.measure([command], folder, server))
                assert server.discarded() - before > args.rows * (10 if "gzip" in name else 100), name
        beside.show(f"{args.rows} events", figures)
    server.stop()


main()
