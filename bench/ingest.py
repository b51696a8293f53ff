#!/usr/bin/env python3
"""Events over HTTP: acknowledged when they are on disk, beside the same without a disk.

    bench/ingest.py BUILD [--runs 3] [--seconds 5] [--connections 64,256] [--bytes 1024] [--folder DIR]

Each sender (bench/ingest-load.c) keeps its connections and has one request of one event on each:

    disk      `wherry up` with its state in --folder, on a disk: every answer waits for a sync
    keys      the same, each request with an Idempotency-Key
    memory    the same with its state in /dev/shm, where a sync costs nothing
    single    on disk again, by one connection: a sync a request
    nginx     nginx with two workers, which answers 202 and keeps nothing; where it is installed

No pipeline reads the events. Interleaved: each in turn, then again. Prints the medians of requests a second and of
the times to an answer, and what the disk costs: disk beside memory, and beside single.
"""
import argparse
import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

CONFIG = """\
version: 1
serve:
  listen: 127.0.0.1:{port}
  connections: 1024
  connections_per_address: 1024
  ingest:
    events:
      concurrency: 1024
      backlog: 64GiB
      columns: {{ event_id: {{ type: text, required: true }}, amount: "decimal(12,2)", note: text }}
"""
NGINX = """\
daemon off; worker_processes 2; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/body; keepalive_requests 1000000000;
  server {{
    listen 127.0.0.1:{port};
    location / {{ default_type application/json; return 202 '{{"receipt":"01m81j4h5e7j0qwphmh3xzcmva","events":1}}\\n'; }}
  }}
}}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, process):
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            return
        time.sleep(0.02)
    sys.exit("the server did not come up")


@contextlib.contextmanager
def server(command, config, name, folder):
    with tempfile.TemporaryDirectory(prefix="wherry-bench-", dir=folder) as scratch:
        port = free_port()
        path = pathlib.Path(scratch) / name
        path.write_text(config.format(port=port, folder=scratch))
        process = subprocess.Popen([*command, str(path)] if name == "nginx.conf" else command, cwd=scratch,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(port, process)
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def measure(args, case, connections):
    folder = "/dev/shm" if case == "memory" else args.folder
    wherry = [str(args.build.resolve() / "src/cli/wherry"), "up"]
    nginx = ["/usr/sbin/nginx", "-c"]
    command, config, name = (nginx, NGINX, "nginx.conf") if case == "nginx" else (wherry, CONFIG, "wherry.yaml")
    with server(command, config, name, folder) as port:
        load = [args.build / "bench/ingest-load", port, "/ingest/events", 1 if case == "single" else connections,
                args.seconds, args.bytes, *(["keys"] if case == "keys" else [])]
        return json.loads(subprocess.run(list(map(str, load)), check=True, capture_output=True, text=True).stdout)


def median(figures, word):
    return statistics.median(f[word] for f in figures)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", default="64,256")
    parser.add_argument("--bytes", type=int, default=1024)
    parser.add_argument("--folder", default=".")
    args = parser.parse_args()
    cases = ["disk", "memory", "keys", "single"] + (["nginx"] if os.path.exists("/usr/sbin/nginx") else [])
    for connections in map(int, args.connections.split(",")):
        figures = {}
        for _ in range(args.runs):
            for case in cases:
                figures.setdefault(case, []).append(measure(args, case, connections))
        for case in cases:
            f = figures[case]
            print(f"{connections:4} connections  {case:8} {median(f, 'per_second'):>9,.0f}/s   p50 {median(f, 'p50_ms'):7.2f} ms"
                  f"   p99 {median(f, 'p99_ms'):7.2f} ms" + (f"   {sum(x['refused'] for x in f)} refused"
                                                              if any(x["refused"] for x in f) else ""))
        ratio = lambda a, b: statistics.median(x["per_second"] / y["per_second"] for x, y in zip(figures[a], figures[b]))
        print(f"{connections:4} connections  disk is {ratio('disk', 'memory'):.2f} of memory, {ratio('disk', 'single'):.0f} times single")


main()
