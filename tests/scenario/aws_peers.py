#!/usr/bin/env python3
"""The AWS peers of the tests: each starts, serves a client that is not ours, and is as strict as
tests/support/aws.py says."""
import aws

aws.require()

import tap  # noqa: E402

BUCKET = "test-bucket"


def round_trip(server):
    server.make_bucket(BUCKET, versions=True)
    path = server.folder / "sent"
    path.write_text("one\n")
    server.cli("s3", "cp", path, f"s3://{BUCKET}/in/a+b c.txt")
    tap.equal(server.client("s3").get_object(Bucket=BUCKET, Key="in/a+b c.txt")["Body"].read(), b"one\n")


def test_moto_objects():
    round_trip(aws.Moto())


def test_swift_objects():
    round_trip(aws.Swift())


def test_dynalite_items():
    server = aws.Dynalite()
    db = server.client("dynamodb")
    db.create_table(TableName="items", AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
                    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST")
    item = {"id": {"N": "7"}, "name": {"S": "Ada"}}
    db.put_item(TableName="items", Item=item)
    tap.equal(db.get_item(TableName="items", Key={"id": {"N": "7"}})["Item"], item)


tap.run()
