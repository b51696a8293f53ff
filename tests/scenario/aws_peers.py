#!/usr/bin/env python3
"""The AWS peers of the tests: each starts, serves a client that is not ours, and is as strict as
tests/support/aws.py says."""
import aws

aws.require()

import json  # noqa: E402

import botocore.exceptions  # noqa: E402
import tap  # noqa: E402

BUCKET = "test-bucket"
BODY = b"one\n"
OTHER_ETAG = '"00000000000000000000000000000000"'
TABLE = {"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "N"}],
         "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}], "BillingMode": "PAY_PER_REQUEST"}
started = {}


def server_of(kind):
    """One of a kind for all tests here."""
    if kind not in started:
        started[kind] = aws.KINDS[kind]()
        if kind not in ("dynalite", "dynamodb-local"):
            started[kind].make_bucket(BUCKET, versions=True)
        else:
            started[kind].client("dynamodb").create_table(TableName="items", **TABLE)
    return started[kind]


def status(call, **words):
    """What the server says: 200 or an error's code."""
    try:
        return call(**words)["ResponseMetadata"]["HTTPStatusCode"]
    except botocore.exceptions.ClientError as refused:
        return refused.response["Error"]["Code"]


def put(client, key="k", **more):
    return status(client.put_object, Bucket=BUCKET, Key=key, Body=BODY, **more)


def complete(client, key, **condition):
    words = {"Bucket": BUCKET, "Key": key}
    words["UploadId"] = client.create_multipart_upload(**words)["UploadId"]
    part = client.upload_part(**words, PartNumber=1, Body=BODY)
    return status(client.complete_multipart_upload, **words,
                  MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}, **condition)


def keep_two_versions(client):
    first = client.put_object(Bucket=BUCKET, Key="v", Body=b"1")["VersionId"]
    client.put_object(Bucket=BUCKET, Key="v", Body=b"2")
    tap.equal(client.get_object(Bucket=BUCKET, Key="v", VersionId=first)["Body"].read(), b"1")


def test_command_line():
    """The AWS command line carries a file through moto, under an odd key"""
    server = server_of("moto")
    path = server.folder / "sent"
    path.write_bytes(BODY)
    server.cli("s3", "cp", path, f"s3://{BUCKET}/in/a+b c.txt")
    tap.equal(server.client("s3").get_object(Bucket=BUCKET, Key="in/a+b c.txt")["Body"].read(), BODY)


def test_moto_objects():
    """moto has versions and conditions; it verifies no checksum"""
    s3 = server_of("moto").client("s3")
    keep_two_versions(s3)
    tap.equal([put(s3, IfNoneMatch="*"), put(s3, IfNoneMatch="*"), put(s3, IfMatch=OTHER_ETAG)],
              [200, "PreconditionFailed", "PreconditionFailed"])
    tap.equal([complete(s3, "m"), complete(s3, "m", IfNoneMatch="*"), complete(s3, "m", IfMatch=OTHER_ETAG)],
              [200, "PreconditionFailed", 200])
    tap.equal(put(s3, "wrong", ChecksumCRC32C="AAAAAQ=="), 200)


def test_moto_policies():
    """moto, told to enforce, believes who is signed and allowed alone"""
    server = server_of("moto")
    keys = server.user("narrow", {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{BUCKET}/in/*"}]})
    server.enforce()
    try:
        tap.equal([put(server.client("s3", keys=keys), key) for key in ("in/k", "out/k")], [200, "AccessDenied"])
        tap.equal(put(server.client("s3", keys=(keys[0], "other")), "in/k"), "SignatureDoesNotMatch")
        tap.equal(put(server.client("s3"), "in/k"), "InvalidAccessKeyId")
    finally:
        server.admit()
    tap.equal(put(server.client("s3"), "out/k"), 200)


def test_moto_events():
    """moto tells a queue of an object, and gives what is not deleted to the dead-letter queue"""
    server = server_of("moto")
    sqs, s3 = server.client("sqs"), server.client("s3")

    def make(name, **attributes):
        url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "0", **attributes})["QueueUrl"]
        return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def take(url):
        return [json.loads(m["Body"]) for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])]
    dead_url, dead = make("dead")
    url, arn = make("events", RedrivePolicy=json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": "1"}))
    s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={
        "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]})
    put(s3, "in/a b+\u00fc")
    told = take(url)
    s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={})
    tap.equal(told[0]["Event"], "s3:TestEvent")
    tap.equal(told[1]["Records"][0]["s3"]["object"], {"key": "in%2Fa+b%2B%C3%BC", "size": 4, "eTag": "5bbf5a52328e7439ae6e719dfe712200"})
    tap.equal((take(url), len(take(dead_url))), ([], 2))


def test_swift_objects():
    """Swift has versions; it obeys conditions when an upload is completed, and knows none on PUT"""
    s3 = server_of("swift").client("s3")
    keep_two_versions(s3)
    tap.equal(put(s3, IfNoneMatch="*"), "NotImplemented")
    tap.equal([complete(s3, "m"), complete(s3, "m", IfMatch=OTHER_ETAG), complete(s3, "n", IfNoneMatch="*")],
              [200, "PreconditionFailed", 200])
    assert complete(s3, "m", IfNoneMatch="*") != 200


def check_judge(kind, flipped):
    server = server_of(kind)
    tap.equal(put(server.client("s3", keys=(server.ACCESS_KEY, "other"))), "SignatureDoesNotMatch")
    proxy = server.disturb(0, 0)
    server.proxy.at("PUT", 1, "flip-request")
    s3 = server.client("s3", url=f"http://127.0.0.1:{proxy}", request_checksum_calculation="when_required",
                       s3={"addressing_style": "path", "payload_signing_enabled": True})
    tap.equal([put(s3, "flipped"), put(s3, "whole")], [flipped, 200])


def test_swift_judges():
    """Swift looks at keys, and at the hash of the body on its way"""
    check_judge("swift", "BadDigest")


def test_versitygw_objects():
    """versitygw has versions and conditions, and verifies checksums"""
    s3 = server_of("versity").client("s3")
    keep_two_versions(s3)
    tap.equal([put(s3, IfNoneMatch="*"), put(s3, IfNoneMatch="*"), put(s3, IfMatch=OTHER_ETAG)],
              [200, "PreconditionFailed", "PreconditionFailed"])
    tap.equal([complete(s3, "m"), complete(s3, "m", IfNoneMatch="*"), complete(s3, "m", IfMatch=OTHER_ETAG)],
              [200, "PreconditionFailed", "PreconditionFailed"])
    tap.equal(put(s3, "wrong", ChecksumCRC32C="AAAAAQ=="), "BadDigest")
    # What stands beside it as unlike S3, and tests go round.
    s3.delete_object(Bucket=BUCKET, Key="v")
    tap.equal([put(s3, "v", IfNoneMatch="*"), put(s3, "k/below"), put(s3, "none", IfMatch=OTHER_ETAG)],
              ["PreconditionFailed", "ObjectParentIsFile", "NoSuchKey"])


def test_versitygw_judges():
    """versitygw looks at keys, and at the hash of the body on its way"""
    check_judge("versity", "XAmzContentSHA256Mismatch")


def check_items(kind):
    db = server_of(kind).client("dynamodb")

    def put_item(**words):
        return status(db.put_item, TableName="items", **words)
    item = {"id": {"N": "7"}, "rate": {"N": "1.50"}}
    condition = {"ConditionExpression": "attribute_not_exists(id)"}
    tap.equal([put_item(Item=item, **condition), put_item(Item=item, **condition)], [200, "ConditionalCheckFailedException"])
    tap.equal(db.get_item(TableName="items", Key={"id": {"N": "7"}})["Item"]["rate"], {"N": "1.5"})
    wrong = "ValidationException"
    tap.equal([put_item(Item={"id": {"N": "8"}, "n": {"N": "9" * 39}}), put_item(Item={"id": {"N": "8"}, "s": {"S": "x" * 409600}})],
              [wrong, wrong])
    many = [{"PutRequest": {"Item": {"id": {"N": str(i)}}}} for i in range(26)]
    tap.equal([status(db.batch_write_item, RequestItems={"items": many[:n]}) for n in (25, 26)], [200, wrong])
    return db


def test_dynalite_items():
    """dynalite judges conditions, numbers, sizes and batches"""
    check_items("dynalite")


def test_dynamodb_local_items():
    """DynamoDB Local judges the same, and knows transactions, TTL and the item that a condition failed on"""
    db = check_items("dynamodb-local")
    tap.equal(status(db.update_time_to_live, TableName="items", TimeToLiveSpecification={
        "Enabled": True, "AttributeName": "expires"}), 200)
    refused = {"Put": {"TableName": "items", "Item": {"id": {"N": "7"}}, "ConditionExpression": "attribute_not_exists(id)"}}
    tap.equal(status(db.transact_write_items, TransactItems=[refused]), "TransactionCanceledException")
    try:
        db.put_item(TableName="items", Item={"id": {"N": "7"}}, ConditionExpression="attribute_not_exists(id)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD")
    except db.exceptions.ConditionalCheckFailedException as failed:
        tap.equal(failed.response["Item"], {"id": {"N": "7"}})
    else:
        raise AssertionError("the condition held")


tap.run()
