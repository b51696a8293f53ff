#!/usr/bin/env python3
"""`wherry copy` between a folder and a bucket: both ways, large and small, with what an object is besides
its bytes, and through a line that breaks."""
import random

import aws
import tap
from project import Project

aws.require()

CONFIG = """\
version: 1
connections:
  disk: {{ type: local, path: disk }}
  bucket: {{ type: s3, bucket: lake, prefix: wherry, region: eu-west-1, endpoint: "{url}" }}
  other: {{ type: s3, bucket: other, region: eu-west-1, endpoint: "{url}" }}
pipelines: {{}}
"""


class Place:
    def __init__(self, proxied=None):
        self.server = aws.Moto()
        for name in ("lake", "other"):
            self.server.make_bucket(name)
        url = self.server.url
        if proxied:
            url = f"http://127.0.0.1:{self.server.disturb(*proxied)}"
        self.project = Project(config=CONFIG.format(url=url))
        self.s3 = self.server.client("s3")

    def fill(self, sizes):
        rng = random.Random(tap.SEED)
        for name, size in sizes.items():
            path = self.project.folder / "disk/in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(rng.randbytes(size))

    def copy(self, *args, code=0):
        return self.project.wherry("copy", *args, "--json", env=self.server.env(), code=code).lines()[-1]

    def bucket(self, name="lake"):
        """{key: bytes} of what is visible."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=name)
        keys = [o["Key"] for page in pages for o in page.get("Contents", ())]
        return {k: self.s3.get_object(Bucket=name, Key=k)["Body"].read() for k in keys if "_wherry/" not in k}


def tree(folder):
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*")
            if f.is_file() and "_wherry" not in f.parts}


SIZES = {"a.csv": 10, "b/empty": 0, "b/o d+d%41 \u00fc.csv": 4096, "large.bin": 17 << 20,
         **{f"many/{i}.json": 100 + i for i in range(40)}}


def test_up_and_down_again():
    p = Place()
    p.fill(SIZES)
    done = p.copy("disk:in/", "bucket:2026/")
    tap.equal((done["objects"], done["failed"]), (len(SIZES), 0))
    disk = tree(p.project.folder / "disk")
    tap.equal(p.bucket(), {"wherry/2026/" + k[3:]: v for k, v in disk.items()})
    tap.equal(p.copy("disk:in/", "bucket:2026/")["present"], len(SIZES))
    tap.equal(p.copy("bucket:2026/", "disk:back/", "--verify")["objects"], len(SIZES))
    tap.equal({k[5:]: v for k, v in tree(p.project.folder / "disk").items() if k.startswith("back/")},
              {k[3:]: v for k, v in disk.items()})
    tap.equal(p.s3.list_multipart_uploads(Bucket="lake").get("Uploads", []), [])


def test_what_an_object_is_besides_its_bytes_goes_along():
    p = Place()
    p.s3.put_object(Bucket="lake", Key="wherry/x.json", Body=b"{}", ContentType="application/json",
                    CacheControl="no-store", Metadata={"owner": "stock"})
    p.copy("bucket:x.json", "other:kept/")
    head = p.s3.head_object(Bucket="other", Key="kept/x.json")
    tap.equal((head["ContentType"], head["CacheControl"], head["Metadata"]["owner"]),
              ("application/json", "no-store", "stock"))


def test_another_object_stays():
    p = Place()
    p.fill({"a": 10, "b": 20})
    p.s3.put_object(Bucket="lake", Key="wherry/a", Body=b"somebody's")
    p.s3.put_object(Bucket="lake", Key="wherry/a", Body=b"somebody's own")
    tap.equal(p.copy("disk:in/", "bucket:", code=1)["failed"], 1)
    tap.equal(p.bucket()["wherry/a"], b"somebody's own")
    tap.equal(p.copy("disk:in/", "bucket:", "--replace")["objects"], 1)
    tap.equal(len(p.bucket()["wherry/a"]), 10)


def test_through_a_line_that_breaks():
    p = Place(proxied=(tap.SEED, 0.2))
    p.fill({f"{i}": 1000 + i for i in range(30)} | {"large": 9 << 20})
    for _ in range(20):
        if p.copy("disk:in/", "bucket:", code=None).get("failed") == 0:
            break
    tap.note(p.server.story()[:500])
    tap.equal(p.bucket(), {"wherry/" + k[3:]: v for k, v in tree(p.project.folder / "disk").items()})


tap.run()
