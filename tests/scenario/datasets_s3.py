#!/usr/bin/env python3
"""Datasets in S3: published by one conditional write, whatever happens on the way."""
import aws

aws.require()

import json  # noqa: E402
import random  # noqa: E402
import signal  # noqa: E402
import time  # noqa: E402

import tap  # noqa: E402
from datasets import check_tidy, check_whole  # noqa: E402
from project import Project  # noqa: E402

BUCKET = "mart-bucket"
KILLS = 60 if tap.LONG else 12
servers = {}

CONFIG = f"""\
version: 1
connections:
  drop: {{ type: local, path: drop }}
  lake: {{ type: s3, bucket: {BUCKET}, prefix: company }}
  website: {{ type: sqlite, path: website.db }}
pipelines:
  gather:
    when: new
    from: drop:*.ndjson
    columns: {{ id: id, day: day }}
    to: lake:warehouse/events/
    write: {{ mode: append, format: {{ type: ndjson }}, WRITE }}
  load:
    when: new
    from: lake:warehouse/events/
    columns: all
    to: website:events
    write: {{ mode: replace }}
"""


def moto():
    if "moto" not in servers:
        servers["moto"] = aws.Moto()
    servers["moto"].reset()
    servers["moto"].make_bucket(BUCKET)
    return servers["moto"]


def versity():
    server = aws.Versity()
    server.make_bucket(BUCKET)
    return server


class Prefix:
    """A dataset in a bucket, as tests/support/datasets.py reads one."""

    def __init__(self, server, prefix="company/warehouse/events/"):
        self.s3, self.prefix = server.client("s3"), prefix

    def keys(self):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=self.prefix)
        return [item["Key"][len(self.prefix):] for page in pages for item in page.get("Contents", [])]

    def read(self, path):
        return self.s3.get_object(Bucket=BUCKET, Key=self.prefix + path)["Body"].read()

    def versions(self):
        return sorted(int(k[10:22]) for k in self.keys() if k.startswith("_versions/"))

    def index(self, version=None):
        return json.loads(self.read(f"_versions/{version or self.versions()[-1]:012}.json"))

    def current(self):
        return json.loads(self.read("_current.json"))

    def files(self):
        return {k for k in self.keys() if not k.startswith("_")}

    def ids(self):
        index = check_whole(self)
        return sorted(json.loads(line)["id"] for f in index["files"] for line in self.read(f["path"]).splitlines())


class Events(Project):
    def __init__(self, server, write="keep: 3"):
        super().__init__(config=CONFIG.replace("WRITE", write))
        self.env = server.env()
        (self.folder / "drop").mkdir()

    def drop(self, first, count):
        lines = "".join(json.dumps({"id": first + i, "day": f"2026-11-{1 + i % 3:02}"}) + "\n" for i in range(count))
        part = self.folder / f"drop/{first:09}.part"
        part.write_text(lines)
        part.rename(part.with_suffix(".ndjson"))

    def run(self, *args, **words):
        return self.wherry(*args, env=self.env, **words)

    def settle(self):
        time.sleep(2.1)  # a file counts when it has been still


def check_publish_compact_rollback(server):
    p, there = Events(server, "partition_by: day, keep: 3"), Prefix(server)
    for first in range(0, 500, 100):
        p.drop(first, 100)
    p.settle()
    p.run("run")
    index = check_whole(there)
    tap.equal((index["rows"], index["version"]), (500, 5))
    tap.equal([v["version"] for v in p.run("versions", "lake:warehouse/events/", "--json").lines()], [5, 4, 3])
    tap.equal(p.sql("website", "SELECT count(*), count(DISTINCT id) FROM events"), [(500, 500)])
    p.run("compact", "lake:warehouse/events/")
    after = check_whole(there)
    tap.equal((len(after["files"]), after["row_hash"]), (3, index["row_hash"]))
    p.run("rollback", "lake:warehouse/events/", "4")
    tap.equal(check_whole(there)["rows"], 400)
    p.run("run", "load")
    tap.equal(p.sql("website", "SELECT count(*) FROM events"), [(400,)])
    check_tidy(there)
    tap.equal(p.run("verify").code, 0)


def test_publish_compact_rollback():
    """Files are added, made fewer and brought back in a bucket, and loaded from there"""
    check_publish_compact_rollback(moto())


def test_publish_compact_rollback_at_versitygw():
    """The same with a server that judges conditions and checksums"""
    check_publish_compact_rollback(versity())


def test_the_list_that_athena_reads():
    """Of a dataset without partitions one object names the files, as Hive's symlink format has it"""
    server = moto()
    p, there = Events(server), Prefix(server)
    p.drop(0, 10)
    p.settle()
    p.run("run", "gather")
    named = there.read("_symlink_format_manifest/manifest").decode().splitlines()
    tap.equal(named, [f"s3://{BUCKET}/company/warehouse/events/{f['path']}" for f in there.index()["files"]])
    kind = there.s3.head_object(Bucket=BUCKET, Key=there.prefix + "_current.json")["ContentType"]
    tap.equal(kind, "application/json")


def test_large_partitions_in_little_memory():
    """Files of several parts of an upload each, more of them than memory could hold at once"""
    server = moto()
    p, there = Events(server, "partition_by: day, sort_by: id, keep: 1"), Prefix(server)
    p.config("memory: 48MiB\n" + (p.folder / "wherry.yaml").read_text().replace("sort_by: id, ", ""))
    p.drop(0, 1_300_000)
    p.settle()
    p.run("run", "gather")
    assert min(f["bytes"] for f in check_whole(there)["files"]) > 5 << 20, "no file has two parts"
    tap.equal(len(there.index()["files"]), 3)
    tap.equal(there.ids(), list(range(1_300_000)))
    p.config("memory: 48MiB\n" + CONFIG.replace("WRITE", "partition_by: day, sort_by: id, keep: 1"))
    p.run("compact", "lake:warehouse/events/")
    tap.equal(there.ids(), list(range(1_300_000)))
    tap.equal([f.get("sorted_by") for f in there.index()["files"]], [["id"]] * 3)
    check_tidy(there)


def check_two_publishers(server):
    there = Prefix(server)
    projects = [Events(server, "keep: 100"), Events(server, "keep: 100")]
    for first in range(0, 240, 20):
        projects[first // 20 % 2].drop(first, 20)
    projects[0].settle()
    for process in [p.start("run", "gather", env=p.env) for p in projects]:
        output = process.communicate()[0].decode()
        tap.equal(process.returncode, 0, output)
    tap.equal(there.ids(), list(range(240)))
    tap.equal(there.versions(), list(range(1, 13)))
    check_tidy(there)


def test_two_publishers_at_once():
    """Two projects add to one dataset at the same time: every row once, in one line of versions"""
    check_two_publishers(moto())


def test_two_publishers_at_once_at_versitygw():
    """The same with a server whose conditional writes hold against each other"""
    check_two_publishers(versity())


def test_kills_at_random_moments():
    """kill -9 while it adds, compacts and goes back: what is there is whole, and at the end each row once"""
    server = moto()
    dice = random.Random(tap.SEED)
    p, there = Events(server, "partition_by: day, keep: 3"), Prefix(server)
    p.drop(0, 50)
    p.settle()
    p.run("run")
    kills = first = 0
    while kills < KILLS:
        command = dice.choice([["run"], ["run"], ["compact", "lake:warehouse/events/"]])
        if command == ["run"]:
            first += 50
            p.drop(first, 50)
            p.settle()
        process = p.start(*command, env=p.env)
        time.sleep(dice.random() * 0.5)
        process.send_signal(signal.SIGKILL)
        output = process.communicate()[0].decode()
        assert process.returncode in (0, -signal.SIGKILL), output
        kills += process.returncode != 0
        check_whole(there)
    p.run("run")
    tap.equal(there.ids(), list(range(first + 50)))
    p.run("compact", "lake:warehouse/events/")
    check_tidy(there)
    tap.equal(p.run("verify").code, 0)
    tap.note(f"{kills} kills")


tap.run()
