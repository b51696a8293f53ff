#!/usr/bin/env python3
"""Objects and DynamoDB items out and in, beside the tools that people use for it.

    bench/aws.py BUILD [--runs 5] [--cases up,down,up-many,down-many,items] [--mib 1024] [--objects 10000]
                       [--items 100000]

Against bench/discard-server.c, which throws away what it gets and sends zeroes, so that the clients are
measured:

    up         one object of --mib, from a file
    down       the same, into a file
    up-many    --objects of 4 KiB, from a folder
    down-many  the same, into a folder
    items      --items from an NDJSON file into a DynamoDB table, beside boto3's batch_writer

Interleaved: each in turn, then again; every one counts as a whole process (wall clock, CPU, peak resident
memory), and so does what the server spent on it. Files are in memory (/dev/shm) where that is there, so that
no disk is measured. What came through is counted after each command. Prints the medians and the median of the
pairs' ratios.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "tests/support"
sys.path.insert(0, str(SUPPORT))
import aws  # noqa: E402
import tap  # noqa: E402
from beside import Discarding, measure, show  # noqa: E402

OBJECT_BYTES = 4096
INPUTS = ("one", "items.ndjson")
LAKE = "s3://lake/"
KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench-secret", "AWS_REGION": aws.REGION,
        "AWS_DEFAULT_REGION": aws.REGION, "AWS_EC2_METADATA_DISABLED": "true"}
# What people write: one batch_writer, one loop.
BATCH_WRITER = """\
import boto3, decimal, json, sys
with open(sys.argv[1]) as file, boto3.resource("dynamodb").Table("items").batch_writer() as batch:
    for line in file:
        batch.put_item(Item=json.loads(line, parse_float=decimal.Decimal))
"""
CONFIG = {"OBJECTS": """\
version: 1
memory: 64MiB
connections:
  files: {{ type: local, path: {folder} }}
  lake: {{ type: s3, bucket: lake, region: {region}, endpoint: "{url}" }}
""", "ITEMS": """\
version: 1
memory: 64MiB
connections:
  files: {{ type: local, path: {folder} }}
  data: {{ type: dynamodb, region: {region}, endpoint: "{url}" }}
pipelines:
  items:
    from: files:items.ndjson
    columns: all
    to: data:items
    write: {{ mode: append }}
"""}
TOOLS = ("aws s3 cp", "rclone", "s5cmd")
S5CMD = ".bench-peers/lib/python3*/site-packages/s5cmd/bin/s5cmd"
PEERS = {"up": TOOLS, "down": TOOLS, "up-many": TOOLS, "down-many": TOOLS, "items": ("batch_writer",)}


class Server(Discarding):
    def __init__(self, build, folder, object_bytes, objects):
        super().__init__(build, object_bytes, objects)
        kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        self.env = {**kept, **KEYS, "AWS_ENDPOINT_URL": self.url, "HOME": str(folder)}


def sizes(path):
    """How many files, and their bytes."""
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()] if path.exists() else []
    return len(files), sum(p.stat().st_size for p in files)


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder, self.build = args, folder, args.build.resolve()

    def ours(self, case, server):
        """None where this build of ours cannot: S3 and DynamoDB can be left out of it."""
        kind, config = ("ITEMS", "items.yaml") if case == "items" else ("OBJECTS", "objects.yaml")
        (self.folder / config).write_text(CONFIG[kind].format(folder=self.folder, region=aws.REGION, url=server.url))
        wherry = [self.build / "src/cli/wherry", "-c", self.folder / config]
        if subprocess.run([*wherry, "check"], capture_output=True, env=server.env).returncode:
            print(f"{case:10} wherry: this build cannot")
            return None
        if case == "items":
            return [*wherry, "run", "items"]
        end = "/" if case.endswith("-many") else ""
        return [*wherry, "copy", *{"up": (f"files:one{end}", f"lake:one{end}"), "down": (f"lake:one{end}", f"files:got{end}")}
                [case.removesuffix("-many")]]

    def command(self, case, name, server):
        """None: it is not here."""
        down, many = case.startswith("down"), case.endswith("-many")
        local, key = self.folder / ("got" if down else "one"), "one/" if many else "one"

        def pair(there):
            return (there, local) if down else (local, there)
        if name == "wherry":
            return self.ours(case, server)
        if name == "batch_writer":
            script = self.folder / "batch_writer.py"
            script.write_text(BATCH_WRITER)
            return [aws.PYTHON, script, self.folder / "items.ndjson"]
        if name == "aws s3 cp":
            return [aws.INSTALLED / "bin/aws", "s3", "cp", "--quiet", *(["--recursive"] if many else []),
                    *pair(f"s3://lake/{key}")]
        if name == "s5cmd":
            found = next(tap.ROOT.glob(S5CMD), None)
            ends = (f"s3://lake/{key}*", f"{local}/") if many and down else (f"{local}/", f"s3://lake/{key}") if many else pair(
                f"s3://lake/{key}")
            return found and [found, "--log", "error", "--endpoint-url", server.url, "cp", *ends]
        there = f":s3,provider=Other,env_auth=true,region={aws.REGION},endpoint='{server.url}',no_check_bucket=true:lake/{key}"
        return shutil.which("rclone") and ["rclone", "--config", "/dev/null", "copy" if many else "copyto", *pair(there)]

    def prepare(self, case):
        """Before each command of a case: nothing of the one before is left."""
        for path in ("got", ".wherry"):
            remove(self.folder / path)
        if case == "down-many":
            (self.folder / "got").mkdir()

    def check(self, case, name, sent):
        """That all of it went: an item is at least as long in DynamoDB's JSON."""
        objects, length = (self.args.objects, OBJECT_BYTES) if case.endswith("-many") else (1, self.args.mib << 20)
        if case.startswith("down"):
            found, wanted = sizes(self.folder / "got"), (objects, objects * length)
        else:
            found, wanted = sent, self.input_bytes
        if found < wanted:
            sys.exit(f"{case}: {name} brought {found} over, not {wanted}, so that no time counts")

    def make_input(self, case):
        if case == "up":
            with open(self.folder / "one", "wb") as out:
                for _ in range(self.args.mib):
                    out.write(os.urandom(1 << 20))
        elif case == "up-many":
            (self.folder / "one").mkdir()
            for i in range(self.args.objects):
                (self.folder / "one" / f"{i:08}").write_bytes(os.urandom(OBJECT_BYTES))
        elif case == "items":
            with open(self.folder / "items.ndjson", "w") as out:
                for i in range(self.args.items):
                    out.write(json.dumps({"id": i, "name": f"Employee {i}", "team": f"team-{i % 97}", "salary": 30000 + i % 7919,
                                          "rate": i % 1000 / 8, "active": i % 3 == 0, "tags": ["a", "b"][:i % 3]}) + "\n")
            os.utime(self.folder / "items.ndjson", (0, 0))  # a file that has just been written would be let settle

    def start(self, case):
        """Where a case writes, nothing is there before."""
        if case.endswith("-many"):
            return Server(self.build, self.folder, OBJECT_BYTES, self.args.objects if case.startswith("down") else 0)
        return Server(self.build, self.folder, self.args.mib << 20, 1 if case == "down" else 0)

    def run(self, case):
        self.make_input(case)
        self.input_bytes = sum(sizes(self.folder / name)[1] for name in INPUTS)
        figures = {}
        for number in range(self.args.runs):
            for name in ("wherry", *PEERS[case]):
                server = self.start(case)
                command = self.command(case, name, server)
                if command and (figures.get(name) or not number):
                    self.prepare(case)
                    figures.setdefault(name, []).append(measure([command], self.folder, server))
                    self.check(case, name, server.discarded())
                server.stop()
        self.prepare(case)
        for path in INPUTS:
            remove(self.folder / path)
        show(f"{case:10}", figures)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--cases", default="up,down,up-many,down-many,items")
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--items", type=int, default=100_000)
    args = parser.parse_args()
    memory = "/dev/shm" if shutil.disk_usage("/dev/shm").free > 3 * (args.mib << 20) else None
    with tempfile.TemporaryDirectory(prefix="wherry-bench-", dir=memory) as scratch:
        for case in args.cases.split(","):
            Bench(args, pathlib.Path(scratch)).run(case)


main()
