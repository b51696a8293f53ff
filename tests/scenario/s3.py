#!/usr/bin/env python3
"""A lake in S3: the order-status pipelines through a bucket, whatever happens on the way."""
import aws

aws.require()

import contextlib  # noqa: E402
import io  # noqa: E402
import signal  # noqa: E402
import time  # noqa: E402
import zipfile  # noqa: E402

import tap  # noqa: E402
from project import CONFIG, Project, order  # noqa: E402

LOCAL = "lake: {{ type: local, path: lake }}"
BUCKET = "lake-bucket"
ODD_KEYS = ["a b+c%20d.json", "ärger/注文 😀.json", "q?x=1&y=2#z.json", "it's (1)/~*!.json"]
servers = {}


def orders(count):
    return [order(f"SO{i:07}", "Shipped" if i % 3 else "Open", f"{i}.25") for i in range(count)]


def moto():
    if "moto" not in servers:
        servers["moto"] = aws.Moto()
    servers["moto"].reset()
    servers["moto"].make_bucket(BUCKET, versions=True)
    return servers["moto"]


def versity():
    server = aws.Versity()
    server.make_bucket(BUCKET)
    return server


def config(more="", **words):
    assert LOCAL in CONFIG
    lake = f"lake: {{{{ type: s3, bucket: {BUCKET}, prefix: company{more} }}}}"
    return CONFIG.replace(LOCAL, lake).format(**{"top": "", "pipeline": "", **words})


def keys(server, prefix="company/inbound/"):
    found = server.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)
    return sorted(item["Key"] for item in found.get("Contents", []))


def nothing_is_left(server):
    s3 = server.client("s3")
    kept = s3.list_object_versions(Bucket=BUCKET, Prefix="company/_wherry/attempts/")
    tap.equal([v["Key"] for v in kept.get("Versions", [])], [], "attempts")
    tap.equal(s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []), [], "unfinished uploads")


def check_export_list_load(server):
    p = Project(config=config())
    p.make_erp(orders(1000))
    p.wherry("run", env=server.env())
    p.check_equal()
    tap.equal(len(keys(server)), 1)
    tap.contains(p.wherry("discover", "lake", env=server.env()).out, "inbound/orders-")
    p.wherry("verify", env=server.env())
    tap.contains(p.wherry("check", "--connect", env=server.env()).out, BUCKET)
    p.wherry("run", env=server.env())
    tap.equal(len(keys(server)), 1, "objects after a run without news")
    nothing_is_left(server)


def test_export_list_load():
    """An ERP's orders go to a bucket, and from there to the website"""
    check_export_list_load(moto())


def test_export_list_load_at_versitygw():
    """The same with a server that verifies checksums and conditions"""
    check_export_list_load(versity())


def check_odd_keys(server):
    p = Project(config=config())
    p.make_erp(orders(0))
    for i, key in enumerate(ODD_KEYS):
        server.client("s3").put_object(
            Bucket=BUCKET, Key=f"company/inbound/{key}",
            Body=b'[{"OrderNumber":"O%d","OrderStatus":"Open","Total":1.5,"UpdatedAt":"2026-01-01T00:00:00Z"}]' % i)
    server.client("s3").put_object(Bucket=BUCKET, Key="company/inbound/folder/", Body=b"")
    server.client("s3").put_object(Bucket=BUCKET, Key="elsewhere/inbound/x.json", Body=b"[]")
    p.wherry("run", "import-orders", env=server.env())
    tap.equal(sorted(p.orders()), [f"O{i}" for i in range(len(ODD_KEYS))])


def test_odd_keys():
    """Objects with odd names, put there by others, are found and loaded"""
    check_odd_keys(moto())


def test_odd_keys_at_versitygw():
    """The same with a server that judges how they are signed"""
    check_odd_keys(versity())


def test_an_archive_and_its_marker():
    """A ZIP archive is read where it is, a window at a time, once its marker is beside it"""
    server = moto()
    text = config(pipeline="  archives:\n    when: new\n    from: lake:drop/*.zip\n    complete: { marker: \"{name}.ok\" }\n"
                           "    read: { members: \"*.csv\" }\n    columns: all\n    to: website:parts\n    after: delete\n")
    p = Project(config=text)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as out:
        for part in range(3):
            out.writestr(f"{part}.csv", "n,text\n" + "".join(f"{part * 20000 + i},{'x' * 20}\n" for i in range(20000)))
    s3 = server.client("s3")
    s3.put_object(Bucket=BUCKET, Key="company/drop/parts.zip", Body=made.getvalue())
    p.wherry("run", "archives", env=server.env())
    tap.equal(len(keys(server, "company/drop/")), 1)
    s3.put_object(Bucket=BUCKET, Key="company/drop/parts.ok", Body=b"")
    p.wherry("run", "archives", env=server.env())
    tap.equal(p.sql("website", "SELECT count(*), count(DISTINCT n), max(n) FROM parts"), [(60000, 60000, 59999)])
    tap.equal(keys(server, "company/drop/"), [])


def check_large_object(server):
    p = Project(config=config())
    p.make_erp(orders(150_000))
    p.wherry("run", env=server.env())
    s3 = server.client("s3")
    key, = keys(server)
    head = s3.head_object(Bucket=BUCKET, Key=key)
    assert head["ContentLength"] > 6 << 20, head["ContentLength"]
    tap.contains(head["ETag"], "-")  # S3's mark of an upload in parts
    p.check_equal()
    nothing_is_left(server)


def test_large_object():
    """An object of many parts is written, published and read"""
    check_large_object(moto())


def test_large_object_at_versitygw():
    """The same with a server that verifies parts"""
    check_large_object(versity())


def test_killed():
    """Killed anywhere on the way, it goes on and ends with the right table"""
    server = moto()
    p = Project(config=config())
    p.make_erp(orders(30_000))
    for delay in (0.15, 0.4, 0.7, 1.0, 1.3):
        run = p.start("run", env=server.env())
        time.sleep(delay)
        run.send_signal(signal.SIGKILL)
        run.communicate()
    p.wherry("run", env=server.env())
    p.check_equal()
    s3 = server.client("s3")
    kept = s3.list_objects_v2(Bucket=BUCKET, Prefix="company/_wherry/attempts/")
    tap.equal(kept.get("KeyCount", 0), 0, "attempts")


def test_versions_and_restore():
    """A bucket's earlier versions are shown and restored"""
    server = moto()
    p = Project(config=config())
    s3 = server.client("s3")
    for text in (b"one", b"two"):
        s3.put_object(Bucket=BUCKET, Key="company/mart/prices.json", Body=text)
        time.sleep(1.1)
    shown = p.wherry("versions", "lake:mart/prices.json", "--json", env=server.env()).lines()
    tap.equal([v["latest"] for v in shown], [True, False])
    p.wherry("restore", "lake:mart/prices.json", env=server.env())
    tap.equal(s3.get_object(Bucket=BUCKET, Key="company/mart/prices.json")["Body"].read(), b"one")
    tap.equal(len(p.wherry("versions", "lake:mart/prices.json", "--json", env=server.env()).lines()), 3)


def test_how_objects_are_kept():
    """Encryption, class and tags of published objects are those of the connection"""
    server = moto()
    p = Project(config=config(", encryption: kms, encryption_key: alias/lake, storage_class: STANDARD_IA, "
                              "tags: [team=finance, 'cost center=a+b']"))
    p.make_erp(orders(10))
    p.wherry("run", "export-orders", env=server.env())
    s3 = server.client("s3")
    key, = keys(server)
    head = s3.head_object(Bucket=BUCKET, Key=key)
    tap.equal((head["ServerSideEncryption"], head["SSEKMSKeyId"], head["StorageClass"]),
              ("aws:kms", "alias/lake", "STANDARD_IA"))
    tags = {t["Key"]: t["Value"] for t in s3.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]}
    tap.equal(tags, {"team": "finance", "cost center": "a+b"})
    tap.contains(head["Metadata"]["wherry-attempt"], "-0")


def test_what_is_wrong_is_said():
    """A missing bucket and a missing permission are named, with what to do"""
    server = moto()
    p = Project(config=config().replace(BUCKET, "nowhere-bucket"))
    p.make_erp(orders(10))
    error = p.wherry("run", "export-orders", env=server.env(), code=None)
    assert error.code != 0
    tap.contains(error.err, "there is no bucket 'nowhere-bucket'")
    keys_of_user = server.user("reader", {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": "*"}]})
    p.config(config())
    server.enforce()
    with contextlib.ExitStack() as after:
        after.callback(server.admit)
        error = p.wherry("run", "export-orders", env=server.env(keys=keys_of_user), code=None)
    assert error.code != 0
    tap.contains(error.err, "Allow s3:PutObject on arn:aws:s3:::lake-bucket/company/")


def check_bad_days(start, rounds):
    for seed in range(rounds):
        server = start()
        port = server.disturb(tap.SEED % 1000 + seed, 0.1)
        env = server.env(url=f"http://127.0.0.1:{port}")
        p = Project(config=config())
        p.make_erp(orders(500))
        try:
            for attempt in range(20):
                if p.wherry("run", env=env, code=None).code == 0:
                    break
            p.wherry("run", env=server.env())
            p.check_equal()
            tap.equal(len(keys(server)), 1)
        except AssertionError:
            tap.note(server.story())
            raise


def test_bad_days():
    """With every tenth request broken on its way, the table is right and nothing is left"""
    check_bad_days(moto, 200 if tap.LONG else 4)


def test_bad_days_at_versitygw():
    """The same with a server that judges what it gets"""
    check_bad_days(versity, 200 if tap.LONG else 2)


tap.run()
