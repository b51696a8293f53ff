#!/usr/bin/env python3
"""The example employees as its wherry.live.yaml has it, at moto: results by upload and over HTTP, the needed keys into
DynamoDB, and onwards by its stream. And what commonly goes wrong with such a chain, one test each."""
import aws

aws.require()

import json  # noqa: E402
import signal  # noqa: E402
import subprocess  # noqa: E402
import time  # noqa: E402
import urllib.request  # noqa: E402

import servers  # noqa: E402
import tap  # noqa: E402
from project import Project  # noqa: E402

ACCOUNT, KEY = "123456789012", "k" * 40
NEEDED = ["_wherry_order", "department", "emp_id", "hourly_rate", "name", "updated_at"]
started = []


def record(n, minute=1, rate=25.5, **more):
    """What a scan results in, of which four keys are needed."""
    return {"emp_id": n, "name": f"Größe {n}", "department": " Sales", "rate": rate, "salary": 100000 + n, "iban": "XX00",
            "device": {"gate": n % 3, "frames": [0.25, 1.5]}, "updated_at": f"2026-11-21T08:{minute:02}:00Z", **more}


class Live(Project):
    def __init__(self):
        if not started:
            started.append(aws.Moto())
        self.server = started[0]
        self.server.reset()
        self.server.make_bucket("acme-employees", versions=True)
        self.s3, self.dynamodb, sqs = (self.server.client(name) for name in ("s3", "dynamodb", "sqs"))
        sqs.create_queue(QueueName="employees", Attributes={"VisibilityTimeout": "5"})
        self.s3.put_bucket_notification_configuration(Bucket="acme-employees", NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": f"arn:aws:sqs:{aws.REGION}:{ACCOUNT}:employees", "Events": ["s3:ObjectCreated:*"]}]})
        self.dynamodb.create_table(
            TableName="Employees", BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
            AttributeDefinitions=[{"AttributeName": "emp_id", "AttributeType": "N"}],
            KeySchema=[{"AttributeName": "emp_id", "KeyType": "HASH"}])
        self.folder = tap.folder()
        self.port = servers.free_port()
        example = tap.ROOT / "examples/employees"
        self.config((example / "wherry.yaml").read_text())
        live = (example / "wherry.live.yaml").read_text()
        assert "127.0.0.1:8080" in live
        (self.folder / "wherry.live.yaml").write_text(live.replace("127.0.0.1:8080", f"127.0.0.1:{self.port}"))
        self.env = {**self.server.env(), "SCANS_KEY": KEY}

    def wherry(self, command, *args, **more):
        return super().wherry(command, "--env", "live", *args, env=self.env, **more)

    def upload(self, key, content):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.s3.put_object(Bucket="acme-employees", Key=f"inbound/hr/{key}", Body=body)

    def post(self, rows):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/ingest/scans", data=json.dumps(rows).encode(), headers={
            "Content-Type": "application/json", "X-API-Key": KEY})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status

    def items(self):
        pages = self.dynamodb.get_paginator("scan").paginate(TableName="Employees")
        return {int(item["emp_id"]["N"]): item for page in pages for item in page["Items"]}

    def changes(self):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket="acme-employees", Prefix="changes/")
        keys = [o["Key"] for page in pages for o in page.get("Contents", [])]
        rows = [json.loads(line) for key in keys
                for line in self.s3.get_object(Bucket="acme-employees", Key=key)["Body"].read().decode().splitlines()]
        return sorted(rows, key=lambda row: row["number"])

    def until(self, condition, seconds=120):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not happen in time:\n" + (self.folder / "up.log").read_text()[-3000:]
            time.sleep(0.1)

    def up(self):
        self.log = open(self.folder / "up.log", "ab")
        self.process = subprocess.Popen([str(tap.WHERRY), "up", "--env", "live"], cwd=self.folder, env=self.env,
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def answers(self):
        try:
            return self.post([record(0, minute=0)]) == 202
        except OSError:
            return False


def test_the_whole_chain():
    """Uploads and results over HTTP reach the table, and each change of it the lake, within seconds; a kill changes nothing"""
    p = Live()
    p.up()
    p.until(p.answers)
    p.upload("first.json", [record(n) for n in range(1, 6)])
    tap.equal(p.post([{key: record(n)[key] for key in ("emp_id", "name", "department", "rate", "updated_at")} for n in (6, 7)]), 202)
    p.until(lambda: len(p.items()) == 8)
    p.until(lambda: {row["emp_id"] for row in p.changes()} == set(range(8)))
    p.process.send_signal(signal.SIGKILL)
    p.process.wait()
    p.upload("second.json", [record(2, minute=5, rate=99.99)])
    p.dynamodb.delete_item(TableName="Employees", Key={"emp_id": {"N": "3"}})
    p.up()
    p.until(lambda: p.items()[2]["hourly_rate"]["N"] == "99.99")
    p.until(lambda: any(row["emp_id"] == 2 and row["hourly_rate"] == 99.99 for row in p.changes()))
    p.until(lambda: any(row["change"] == "remove" for row in p.changes()))
    p.process.send_signal(signal.SIGTERM)
    tap.equal(p.process.wait(60), 0)
    rows = p.changes()
    tap.equal([row["emp_id"] for row in rows if row["change"] == "remove"], [3])
    tap.equal(len({row["number"] for row in rows}), len(rows))
    tap.equal(len([row for row in rows if row["emp_id"] == 2 and row["hourly_rate"] == 99.99]), 1)
    assert not any("salary" in row or "iban" in row for row in rows), rows
    versions = p.s3.get_bucket_versioning(Bucket="acme-employees")
    tap.equal(versions["Status"], "Enabled")
    lines = p.server.client("logs").describe_log_streams(logGroupName="/wherry/employees")["logStreams"]
    assert lines, "nothing is in CloudWatch"


def run(p):
    p.wherry("run", "employees")
    return p.items()


def test_not_the_whole_object_is_put():
    p = Live()
    p.upload("a.json", [record(1)])
    tap.equal(sorted(run(p)[1]), NEEDED)


def test_any_number_of_items_a_file():
    """One, many, and one that is no array"""
    p = Live()
    p.upload("many.json", [record(n) for n in range(1000, 1300)])
    p.upload("one.json", [record(2)])
    p.upload("bare.json", record(3))
    items = run(p)
    tap.equal(len(items), 302)
    tap.equal(items[3]["name"], {"S": "Größe 3"})


def test_keys_are_decoded():
    p = Live()
    for n, key in enumerate(("a b+c.json", "ü/é%20.json", "x=y&z.json")):
        p.upload(key, [record(n)])
    tap.equal(sorted(run(p)), [0, 1, 2])


def test_floats_are_numbers():
    p = Live()
    p.upload("a.json", [record(1, rate=25.5), record(2, rate=0.1), record(3, rate=1234567.89)])
    tap.equal([run(p)[n]["hourly_rate"]["N"].rstrip("0") for n in (1, 2, 3)], ["25.5", "0.1", "1234567.89"])


def test_nothing_is_allowed_for_everything():
    """No statement of the policy is about every resource, or allows every action; of the stream it has the stream alone"""
    p = Live()
    document = json.loads(p.wherry("policy", "--account", ACCOUNT, "--json").out)
    for s in document["Statement"]:
        assert "*" not in s["Resource"] and not any(a.endswith(":*") or a == "*" for a in s["Action"]), s
        assert all(r.startswith("arn:aws:") for r in s["Resource"]), s
    streams = {r for s in document["Statement"] for a in s["Action"] if "Record" in a for r in s["Resource"]}
    tap.equal(streams, {f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/Employees/stream/*"})


if __name__ == "__main__":
    tap.run()
