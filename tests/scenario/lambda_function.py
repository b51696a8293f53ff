#!/usr/bin/env python3
"""Wherry as a function of AWS Lambda: events of S3, SNS, SQS and EventBridge, calls and schedules, from S3 (moto)
into DynamoDB and a SQL database, behind our own Runtime API server."""
import json
import subprocess

import aws

aws.require()

import tap  # noqa: E402
import zipfile  # noqa: E402

import lambda_api  # noqa: E402
from lambda_api import failures, s3, sqs  # noqa: E402
from project import Project, only_release  # noqa: E402

# As Lambda has it: unpacked from its zip.
ZIP = tap.folder() / "function.zip"
BUILT = subprocess.run([tap.ROOT / "scripts/make-lambda", tap.BUILD, ZIP], capture_output=True, text=True)
if BUILT.returncode == 0:
    zipfile.ZipFile(ZIP).extractall(ZIP.parent)
ZIP_BYTES_MAX = 6_000_000

CONFIG = """\
version: 1
{top}
connections:
  lake: {{ type: s3, bucket: {bucket}, path_style: true }}
  cloud: {{ type: dynamodb }}
  site: {{ type: sqlite, path: site.db }}
  queue: {{ type: sqs, queue: "arn:aws:sqs:eu-west-1:123456789012:uploads" }}
pipelines:
  load:
    when: {{ event: queue }}
    from: lake:in/**/*.json
    columns: {{ emp_id: emp_id, name: name }}
    expect: {{ name: [not_null] }}
    to: cloud:Employees-{bucket}
    write: {{ mode: upsert, key: emp_id }}
  copy:
    when: new
    from: lake:in/site/*.json
    columns: all
    to: site:people
    write: {{ mode: append }}
  publish:
    when: new
    from: lake:raw/*.json
    columns: all
    to: lake:clean/{{run}}.csv
  again:
    when: {{ every: 1h }}
    from: site:people
    columns: {{ emp_id: emp_id }}
    to: cloud:Ids-{bucket}
    write: {{ mode: upsert, key: emp_id }}
"""


def Function(folder, env, **more):
    program = ZIP.parent / "bootstrap"  # not of a sanitizer's build, which no function of Lambda can be
    if program.exists():
        program.chmod(0o755)
    else:
        program = tap.BUILD / "src/cli/bootstrap"
    return lambda_api.Function(folder, env, program=program, **more)


class Place:
    count = 0
    server = None

    def __init__(self, top="quarantine: lake"):
        Place.server = Place.server or aws.Moto()
        Place.count += 1
        self.bucket = f"lake-{Place.count}"
        self.server.make_bucket(self.bucket)
        self.s3 = self.server.client("s3")
        self.project = Project(config=CONFIG.format(top=top, bucket=self.bucket))
        self.function = Function(self.project.folder, self.server.env())

    def put(self, key, *rows):
        body = rows[0] if isinstance(rows[0], bytes) else json.dumps(rows).encode()
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def said(self, *keys):
        """A message: what S3 says of new objects."""
        return json.dumps(s3(self.bucket, *keys))

    def table(self, name="Employees"):
        db = self.server.client("dynamodb")
        pages = db.get_paginator("scan").paginate(TableName=f"{name}-{self.bucket}")
        items = [item for page in pages for item in page["Items"]]
        return sorted((int(i["emp_id"]["N"]), i.get("name", {}).get("S")) for i in items)

    def wherry(self, *args, code=0):
        return self.project.wherry(*args, code=code, env=self.server.env())


def test_the_zip_is_small_and_complete():
    only_release()
    assert BUILT.returncode == 0, BUILT.stderr
    tap.note(BUILT.stdout.strip())
    assert ZIP.stat().st_size <= ZIP_BYTES_MAX
    again = tap.folder() / "again.zip"
    tap.note(subprocess.check_output([tap.ROOT / "scripts/make-lambda", tap.BUILD, again,
                                      tap.ROOT / "examples/order-status"], text=True).strip())
    with zipfile.ZipFile(ZIP) as first, zipfile.ZipFile(again) as second:
        tap.equal(second.namelist(), first.namelist() + ["wherry.prod.yaml", "wherry.yaml"])
        tap.equal(second.read("bootstrap"), first.read("bootstrap"))
        tap.equal(first.getinfo("bootstrap").external_attr >> 16, 0o100755)


def test_events_of_every_service():
    p = Place()
    for n, key in enumerate(("s3", "sns", "bridge", "sqs", "sqs sns")):
        p.put(f"in/a b/{key}.json", {"emp_id": n, "name": key, "iban": "DE00"})
    sns = {"EventSource": "aws:sns", "Sns": {"Type": "Notification", "Message": p.said("in/a+b/sns.json")}}
    bridge = {"source": "aws.s3", "detail-type": "Object Created",
              "detail": {"bucket": {"name": p.bucket}, "object": {"key": "in/a b/bridge.json"}}}
    wrapped = json.dumps({"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:1:t",
                          "Message": p.said("in/a+b/sqs+sns.json")})
    for event in (s3(p.bucket, "in/a+b/s3.json"), {"Records": [sns]}, bridge):
        tap.equal(p.function.invoke(event), ("response", {"runs": 1, "failed": 0, "rows_quarantined": 0}))
    tap.equal(failures(p.function.invoke(sqs(("1", p.said("in/a+b/sqs.json")), ("2", wrapped)))), [])
    tap.equal(p.table(), [(0, "s3"), (1, "sns"), (2, "bridge"), (3, "sqs"), (4, "sqs sns")])
    tap.equal(p.function.stop(), 0)


def test_the_log_is_lambdas():
    """`log: cloudwatch` in Lambda: a run's numbers are metrics, in what the function prints and nowhere else"""
    p = Place(top="quarantine: lake\nlog: cloudwatch")
    p.put("in/a.json", {"emp_id": 1, "name": "a"})
    tap.equal(p.function.invoke(s3(p.bucket, "in/a.json"))[0], "response")
    tap.equal(p.function.stop(), 0)
    lines = [json.loads(line) for line in p.function.log.splitlines() if line.startswith("{")]
    found = [line for line in lines if "_aws" in line]
    tap.equal([(line["Pipeline"], line["rows_written"], line["failed"]) for line in found], [("load", 1, 0)])
    tap.equal(p.server.client("logs").describe_log_groups()["logGroups"], [])


def test_messages_that_fail_are_named():
    p = Place()
    p.put("in/good.json", {"emp_id": 1, "name": "a"})
    p.put("in/bad.json", b'[{"emp_id": 2, "name"')
    p.put("in/late.json", {"emp_id": 3, "name": "c"})
    test_event = json.dumps({"Event": "s3:TestEvent", "Bucket": p.bucket})
    batch = sqs(("good", p.said("in/good.json")), ("bad", p.said("in/bad.json")), ("gone", p.said("in/gone.json")),
                ("no event", "hello"), ("test", test_event), ("two", p.said("in/late.json", "in/gone.json")),
                ("elsewhere", json.dumps(s3("another", "in/good.json"))))
    tap.equal(failures(p.function.invoke(batch)), ["bad", "gone", "no event", "two"])
    tap.equal(p.table(), [(1, "a"), (3, "c")])
    # All of it failed: that is an error, and a message that is delivered again gets another try.
    kind, why = p.function.invoke(sqs(("bad", p.said("in/bad.json"))))
    tap.equal(kind, "error")
    assert why["errorMessage"].startswith("load: bad.json: the array opened at byte 0 is never closed"), why
    tap.equal((why["errorType"], why["stackTrace"]), ("data", []))
    p.put("in/bad.json", {"emp_id": 2, "name": "b"})
    tap.equal(failures(p.function.invoke(sqs(("bad", p.said("in/bad.json"))))), [])
    tap.equal(p.table(), [(1, "a"), (2, "b"), (3, "c")])
    # Of S3 itself, whoever calls again wants an error.
    kind, why = p.function.invoke(s3(p.bucket, "in/gone.json"))
    tap.equal(kind, "error")
    assert "gone" in why["errorMessage"], why


def test_nothing_is_doubled_by_many_functions():
    # Each has a ledger of its own, which is gone with it: the marks in the target are all there is.
    p = Place()
    keys = [f"in/site/{n}.json" for n in range(6)]
    for n, key in enumerate(keys):
        p.put(key, *({"emp_id": 10 * n + i, "name": f"{n}/{i}"} for i in range(10)))
    functions = [p.function, Function(p.project.folder, p.server.env())]
    for round in range(3):
        for f in functions:
            tap.equal(failures(f.invoke(sqs(*((k, p.said(k)) for k in keys)))), [])
        functions[round % 2].kill()
        functions[round % 2] = Function(p.project.folder, p.server.env())
    tap.equal(p.project.sql("site", "SELECT count(*), count(DISTINCT emp_id) FROM people"), [(60, 60)])
    tap.equal(len(p.table()), 60)


def test_rejected_rows_go_to_the_store_that_is_read():
    p = Place()
    p.put("in/x.json", {"emp_id": 1, "name": "a"}, {"emp_id": 2, "name": None, "iban": "DE00"})
    tap.equal(p.function.invoke(s3(p.bucket, "in/x.json")), ("response", {"runs": 1, "failed": 0, "rows_quarantined": 1}))
    p.function.kill()
    keys = [o["Key"] for o in p.s3.list_objects_v2(Bucket=p.bucket, Prefix="_wherry/quarantine/")["Contents"]]
    tap.equal(len(keys), 1)
    # Another machine learns of them from the store, shows them and sends them again.
    p.wherry("ledger", "rebuild")
    shown = p.wherry("quarantine", "show", "load", "--json").lines()
    tap.equal([(row["rule"], json.loads(row["data"]) if isinstance(row["data"], str) else row["data"]) for row in shown],
              [("not_null", {"emp_id": 2, "name": None})])
    p.project.config(CONFIG.format(top="quarantine: lake", bucket=p.bucket).replace("[not_null]", "[]"))
    p.wherry("quarantine", "replay", "load")
    tap.equal(p.table(), [(1, "a"), (2, None)])
    tap.equal(p.s3.list_objects_v2(Bucket=p.bucket, Prefix="_wherry/quarantine/").get("Contents", []), [])


def test_rejected_rows_without_a_place_stop_the_load():
    p = Place(top="")
    p.put("in/x.json", {"emp_id": 1, "name": "a"}, {"emp_id": 2, "name": None})
    kind, why = p.function.invoke(s3(p.bucket, "in/x.json"))
    tap.equal(kind, "error")
    assert "quarantine: lake" in why["errorMessage"], why
    p.put("in/y.json", {"emp_id": 3, "name": "c"})
    tap.equal(p.function.invoke(s3(p.bucket, "in/y.json"))[0], "response")


def test_calls():
    p = Place()
    p.project.sql("site", "CREATE TABLE people(emp_id INTEGER, name TEXT)")
    p.project.sql("site", "INSERT INTO people VALUES (?, 'x')", [(7,), (8,), (9,)])
    tap.equal(p.function.invoke({"pipeline": "again", "limit": 1})[1]["runs"], 1)
    tap.equal(p.table("Ids"), [(7, None)])
    p.put("in/listed.json", {"emp_id": 1, "name": "nobody told of it"})
    tap.equal(p.function.invoke({"pipelines": ["copy", "load"]}), ("response", {"runs": 1, "failed": 0, "rows_quarantined": 0}))
    tap.equal(p.table(), [(1, "nobody told of it")])
    for event, said in (({"pipeline": "agian"}, "Did you mean 'again'?"), ({"pipeline": "again", "fast": True}, '"fast"'),
                        ({"pipelines": []}, "a list of names"), (b"[1]", "no JSON object"), ({}, "no event of an object"),
                        ({"pipeline": "again", "since": "today"}, "2026-11-21T08:00:00Z")):
        kind, why = p.function.invoke(event)
        tap.equal(kind, "error")
        assert said in why["errorMessage"], (event, why)


def test_schedules_need_a_ledger_that_lasts():
    tick = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
    kind, why = Place().function.invoke(tick)
    tap.equal(kind, "error")
    assert "again has to remember" in why["errorMessage"], why
    p = Place(top="ledger: dynamodb:Ticks")
    p.project.sql("site", "CREATE TABLE people(emp_id INTEGER, name TEXT)")
    p.project.sql("site", "INSERT INTO people VALUES (7, 'x')")
    tap.equal([p.function.invoke(tick)[1]["runs"] for _ in range(2)], [1, 0])
    tap.equal(p.table("Ids"), [(7, None)])
    p.function.kill()
    again = Function(p.project.folder, p.server.env())
    tap.equal(again.invoke(tick)[1]["runs"], 0)  # an hour has not passed


def test_what_must_be_remembered_needs_a_ledger():
    p = Place()
    p.put("raw/x.json", {"a": 1})
    kind, why = p.function.invoke(s3(p.bucket, "raw/x.json"))
    tap.equal(kind, "error")
    assert "publish" in why["errorMessage"] and "ledger: dynamodb:TABLE" in why["errorMessage"], why


def test_a_ledger_in_dynamodb_outlives_the_function():
    p = Place(top="quarantine: lake\nledger: dynamodb:Ledger")
    for n in range(3):
        p.put(f"raw/{n}.json", {"a": n})
    batch = sqs(*((str(n), p.said(f"raw/{n}.json")) for n in range(3)))
    tap.equal(failures(p.function.invoke(batch)), [])
    p.function.kill()
    p.function = Function(p.project.folder, p.server.env())
    tap.equal(failures(p.function.invoke(batch)), [])
    p.put("raw/1.json", {"a": 11})
    tap.equal(failures(p.function.invoke(batch)), [])
    found = p.s3.list_objects_v2(Bucket=p.bucket, Prefix="clean/")["Contents"]
    rows = sorted(p.s3.get_object(Bucket=p.bucket, Key=o["Key"])["Body"].read() for o in found)
    tap.equal(rows, [b"a\n0\n", b"a\n1\n", b"a\n11\n", b"a\n2\n"])
    shown = p.wherry("runs", "--json").lines()
    tap.equal([r["status"] for r in shown], ["done"] * 4)


def test_what_was_loaded_when_the_time_is_over_stays():
    # The next delivery goes on from there.
    p = Place()
    p.project.config(CONFIG.format(top="quarantine: lake", bucket=p.bucket).replace(
        "    from: lake:in/**", "    chunk: 100\n    batch: 100\n    from: lake:in/**"))
    f = Function(p.project.folder, p.server.env())
    p.put("in/large.json", *({"emp_id": n, "name": "x" * 100} for n in range(700)))
    batch = sqs(("large", p.said("in/large.json")))
    deliveries, seconds = 1, 1.5
    while (answer := f.invoke(batch, seconds=seconds))[0] == "error" and deliveries < 60:
        assert "time was over" in answer[1]["errorMessage"], answer
        deliveries += 1
        seconds *= 1.1  # a busy machine may not get one chunk done in as much
    tap.note(f"{deliveries} deliveries")
    tap.equal(failures(answer), [])
    assert deliveries > 1
    tap.equal(len(p.table()), 700)


def test_a_configuration_that_is_wrong_is_told_at_the_start():
    p = Place()
    tap.equal(p.function.stop(), 0)
    p.project.config("version: 1\npipelnes: {}\n")
    f = Function(p.project.folder, p.server.env())
    assert "Did you mean 'pipelines'?" in f.init_error["errorMessage"], f.init_error
    tap.equal(f.process.wait(30), 2)


def test_the_handler_names_an_overlay():
    p = Place()
    (p.project.folder / "wherry.prod.yaml").write_text("pipelines: { load: { to: 'cloud:Prod' } }\n")
    f = Function(p.project.folder, p.server.env(), handler="wherry.prod")
    p.put("in/x.json", {"emp_id": 1, "name": "a"})
    tap.equal(f.invoke(s3(p.bucket, "in/x.json"))[0], "response")
    tap.equal(len(p.server.client("dynamodb").scan(TableName="Prod")["Items"]), 1)


tap.run()
