#!/usr/bin/env python3
"""How soon an upload is a row, and a function of Lambda asks for work.

    bench/events.py BUILD [--uploads 50] [--starts 31]

    upload     put into a bucket (moto), which tells SNS, which tells SQS, where `wherry up` waits: until the row can
               be read in SQLite, by the wall clock and by the CPU time of Wherry. Every upload waits until all is idle
               again. The wall clock has moto's own work in it, several requests' worth.
    lambda     from the exec of `bootstrap` to its first request for work; beside it a process that does nothing
"""
import argparse
import json
import os
import pathlib
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "tests/support"
sys.path.insert(0, str(SUPPORT))
import aws  # noqa: E402

ACCOUNT = "123456789012"
IDLE_SECONDS = 0.3
PATIENCE_SECONDS = 30
CONFIG = """\
version: 1
connections:
  lake: { type: s3, bucket: lake, path_style: true }
  uploads: { type: sqs, queue: "arn:aws:sqs:eu-west-1:123456789012:uploads" }
  site: { type: sqlite, path: site.db }
pipelines:
  load:
    when: { event: uploads }
    from: lake:in/*.json
    columns: all
    to: site:things
    write: { mode: upsert, key: id }
"""


def nanoseconds(pid):
    """CPU time of a process, of all its threads."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total


def bench_uploads(build, uploads):
    server = aws.Moto()
    server.make_bucket("lake")
    s3, sns, sqs = (server.client(name) for name in ("s3", "sns", "sqs"))
    topic = sns.create_topic(Name="uploads")["TopicArn"]
    sqs.create_queue(QueueName="uploads")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{aws.REGION}:{ACCOUNT}:uploads")
    s3.put_bucket_notification_configuration(Bucket="lake", NotificationConfiguration={
        "TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]})
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "wherry.yaml").write_text(CONFIG)
        service = subprocess.Popen([build / "src/cli/wherry", "up"], cwd=folder, env=server.env(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wall, cpu = [], []
        try:
            for n in range(uploads + 3):  # the first make the table, and lines
                time.sleep(IDLE_SECONDS)
                before = nanoseconds(service.pid)
                s3.put_object(Bucket="lake", Key=f"in/{n}.json", Body=json.dumps([{"id": n}]).encode())
                began = time.monotonic()
                wait_for(folder, n, began)
                wall.append(time.monotonic() - began)
                time.sleep(IDLE_SECONDS)
                cpu.append(nanoseconds(service.pid) - before)
        finally:
            service.terminate()
            service.wait()
    wall, cpu = wall[3:], cpu[3:]
    print(f"upload   {statistics.median(wall) * 1e3:.1f} ms until the row is there, {statistics.median(cpu) / 1e6:.1f} ms of our CPU "
          f"(medians of {uploads}; {min(cpu) / 1e6:.1f} to {max(cpu) / 1e6:.1f})", flush=True)


def wait_for(folder, n, began):
    while time.monotonic() - began < PATIENCE_SECONDS:
        try:
            with sqlite3.connect(f"file:{folder}/site.db?mode=ro", uri=True) as db:
                if db.execute("SELECT 1 FROM things WHERE id = ?", (n,)).fetchone():
                    return
        except sqlite3.OperationalError:
            pass
        time.sleep(0.0005)
    sys.exit(f"upload {n} did not arrive within {PATIENCE_SECONDS} s")


def start_once(program, folder):
    with socket.create_server(("127.0.0.1", 0)) as api:
        env = {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.getsockname()[1]}", "PATH": os.environ["PATH"], "TMPDIR": folder}
        began = time.perf_counter()
        process = subprocess.Popen([program], cwd=folder, env=env, close_fds=False)
        line, _ = api.accept()
        line.recv(1000)
        seconds = time.perf_counter() - began
        process.kill()
        process.wait()
        line.close()
    return seconds


def nothing_once(folder):
    began = time.perf_counter()
    subprocess.run(["/bin/true"], cwd=folder, close_fds=False, check=True)
    return time.perf_counter() - began


def bench_lambda(build, starts):
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "wherry.yaml").write_text(CONFIG)
        rounds = [(start_once(build / "src/cli/bootstrap", folder), nothing_once(folder)) for _ in range(starts)]
    ours, nothing = (sorted(1e3 * r[i] for r in rounds) for i in (0, 1))
    print(f"lambda   {statistics.median(ours):.1f} ms from exec to the first request for work ({ours[0]:.1f} to {ours[-1]:.1f}); "
          f"a process that does nothing: {statistics.median(nothing):.1f} ms", flush=True)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--uploads", type=int, default=50)
    parser.add_argument("--starts", type=int, default=31)
    args = parser.parse_args()
    build = args.build.resolve()
    bench_lambda(build, args.starts)
    bench_uploads(build, args.uploads)


main()
