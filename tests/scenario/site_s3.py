#!/usr/bin/env python3
"""`wherry site` to a bucket: what objects are, what is not sent again, and kills on the way."""
import aws

aws.require()

import random  # noqa: E402
import signal  # noqa: E402
import time  # noqa: E402

import botocore.exceptions  # noqa: E402
import tap  # noqa: E402
from sites import Reader, Site, read, shown  # noqa: E402

BUCKET = "web-bucket"
KILLS = 60 if tap.LONG else 12
servers = {}


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


class There:
    """A site in a bucket."""

    def __init__(self, server, more="", keep=3):
        self.s3 = server.client("s3", response_checksum_validation="when_required")  # moto: copies of parts have none
        self.site = Site(web=f"{{ type: s3, bucket: {BUCKET}, prefix: pages{more} }}", keep=keep, env=server.env())

    def get(self, path):
        try:
            return self.s3.get_object(Bucket=BUCKET, Key="pages/report/" + path)["Body"].read()
        except botocore.exceptions.ClientError as trouble:
            if trouble.response["Error"]["Code"] not in ("NoSuchKey", "404"):
                raise
            return None

    def head(self, path):
        return self.s3.head_object(Bucket=BUCKET, Key="pages/report/" + path)

    def keys(self, prefix=""):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="pages/" + prefix)
        return [o["Key"][6:] for page in pages for o in page.get("Contents", ())]


def check_what_objects_are(server):
    there = There(server)
    done = there.site.publish(1)
    tap.equal((done["version"], done["sent"]), (1, 6))
    tap.equal(read(there.get), 1)
    done = there.site.publish(2, {"new.html": "new"})
    tap.equal((done["version"], done["files"], done["sent"]), (2, 7, 6))  # the picture is the same
    tap.equal(read(there.get), 2)
    folder = shown(there.get)
    tap.equal(there.get(f"_versions/{folder}/logo.svg"), b"<svg/>")
    for path, kind in (("index.html", "text/html; charset=utf-8"), ("style.css", "text/css; charset=utf-8"),
                       ("app.js", "text/javascript; charset=utf-8"), ("data/rows.json", "application/json"),
                       ("logo.svg", "image/svg+xml")):
        head = there.head(f"_versions/{folder}/{path}")
        tap.equal((head["ContentType"], head["CacheControl"]), (kind, "max-age=31536000, immutable"), path)
    for path in ("index.html", "a/orders.html"):
        head = there.head(path)
        tap.equal((head["ContentType"], head["CacheControl"]), ("text/html; charset=utf-8", "no-cache"), path)
    tap.equal(there.site.site()["new"], False)
    done = there.site.wherry("rollback", "web:report/", "--json", env=there.site.env).lines()[-1]
    tap.equal((done["version"], done["of"], read(there.get)), (3, 1, 1))
    assert "report/new.html" not in there.keys()
    for n in range(3, 7):
        there.site.publish(n)
    folders = {k.split("/")[2] for k in there.keys("report/_versions/")}
    tap.equal(folders, {v["folder"] for v in there.site.versions()})
    tap.equal(len(there.keys("_wherry/sites/")), 3)


def test_what_objects_are():
    """Types and headers, files that did not change copied there, versions removed"""
    check_what_objects_are(moto())


def test_what_objects_are_at_versitygw():
    """The same with a server that judges conditions and checksums"""
    check_what_objects_are(versity())


def test_nothing_is_public():
    server = moto()
    there = There(server, ", encryption: kms, tags: [team=web]")
    there.site.publish(1)
    there.site.publish(2)
    for key in there.keys():
        grants = there.s3.get_object_acl(Bucket=BUCKET, Key="pages/" + key)["Grants"]
        tap.equal([(g["Grantee"]["Type"], g["Permission"]) for g in grants], [("CanonicalUser", "FULL_CONTROL")], key)
        tap.equal(there.s3.head_object(Bucket=BUCKET, Key="pages/" + key)["ServerSideEncryption"], "aws:kms", key)
    logo = f"pages/report/_versions/{shown(there.get)}/logo.svg"
    tap.equal(there.s3.get_object_tagging(Bucket=BUCKET, Key=logo)["TagSet"], [{"Key": "team", "Value": "web"}])


def test_what_no_browser_could_read_is_refused():
    server = moto()
    there = There(server, f", encryption: envelope, encryption_key: '{'00' * 32}'")
    there.site.write(1)
    tap.contains(there.site.site(code=None).out, "no browser could read it")
    tap.equal(there.keys(), [])


def test_many_files_and_a_large_one_in_little_memory():
    server = moto()
    there = There(server)
    config = there.site.folder / "wherry.yaml"
    config.write_text("memory: 48MiB\n" + config.read_text())
    there.site.write(1, {f"many/{i}.csv": str(i) * 20000 for i in range(300)})
    data = random.Random(tap.SEED).randbytes(40 << 20)
    for name in ("large.bin", "larger.bin"):
        (there.site.report / name).write_bytes(data)
    tap.equal(there.site.site()["sent"], 308)
    tap.equal(there.get(f"_versions/{shown(there.get)}/larger.bin"), data)
    there.site.write(2)
    tap.equal(there.site.site()["sent"], 5)
    tap.equal(there.get(f"_versions/{shown(there.get)}/larger.bin"), data)


def test_through_a_line_that_breaks():
    server = moto()
    there = There(server)
    proxy = server.disturb(tap.SEED, 0.05)
    config = there.site.folder / "wherry.yaml"
    config.write_text(config.read_text().replace("type: s3", f'type: s3, endpoint: "http://127.0.0.1:{proxy}"'))
    there.site.write(1, {f"many/{i}.html": "x" for i in range(40)})
    for n in range(1, 4):
        there.site.write(n)
        while there.site.wherry("site", env=there.site.env, code=None).code:
            pass  # gave up; what it left does not matter
        tap.equal(read(there.get), n)
    tap.note(server.story()[:300])


def test_kills_at_random_moments():
    """kill -9 while it publishes to a bucket: readers see the version before, or the new one"""
    server = moto()
    dice = random.Random(tap.SEED)
    there = There(server)
    extra = {f"page{i}.html": "x" for i in range(20)}
    started = time.monotonic()
    there.site.publish(1, extra)
    life = time.monotonic() - started
    reader, kills, n, now = Reader(there.get), 0, 1, 1
    while kills < KILLS:
        n += 1
        there.site.write(n, extra)
        process = there.site.start("site", env=there.site.env)
        time.sleep(dice.random() * life)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        seen = read(there.get)
        assert seen in (now, n), f"{seen}, where {now} was and {n} was coming"
        now = seen
    there.site.publish(n + 1, extra)
    reader.stop()
    tap.equal(read(there.get), n + 1)
    for more in range(n + 2, n + 4):
        there.site.publish(more, extra)
    tap.equal([v["version"] for v in there.site.versions()], list(range(there.site.site()["version"], 0, -1))[:3])


tap.run()
