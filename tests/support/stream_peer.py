"""A table of DynamoDB with a stream whose shards a test says itself, for what no server that can be installed does:
resharding, iterators that expire, records that are trimmed, refusals. It answers DescribeTable, Scan, DescribeStream
(two shards a page), GetShardIterator and GetRecords (three records a page), and refuses what DynamoDB refuses of these.

    peer = StreamPeer(); peer.put(1, "x"); peer.split("a", "b", "c"); peer.env()
"""
import http.server
import json
import threading
import time

STREAM = "arn:aws:dynamodb:eu-west-1:123456789012:table/Employees/stream/2026-11-22T00:00:00.000"


class Refused(Exception):
    pass


class StreamPeer:
    SHARD_PAGE, RECORD_PAGE = 2, 3

    def __init__(self):
        self.lock = threading.Lock()
        self.items, self.shards, self.stream = {}, {}, STREAM
        self.sequence, self.calls, self.refusals, self.generation = 10 ** 20, [], {}, 0
        self.open("shard-first")
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                code, answer = peer.answer(self.headers["X-Amz-Target"], body)
                data = json.dumps(answer).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/x-amz-json-1.0")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                """Clients are killed."""

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def env(self):
        import os
        kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        return {**kept, "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{self.server.server_port}", "AWS_REGION": "eu-west-1",
                "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_CONFIG_FILE": "/none", "AWS_SHARED_CREDENTIALS_FILE": "/none"}

    # --- what a test does ------------------------------------------------------------------------------------------

    def open(self, name, parent=None):
        name = name.ljust(28, "0")  # as long as names are at least
        self.shards[name] = {"parent": parent and parent.ljust(28, "0"), "records": [], "closed": False, "trimmed": 0}

    def split(self, parent, *children):
        """The shard ends; what is written from now on goes to its children."""
        with self.lock:
            self.shards[parent.ljust(28, "0")]["closed"] = True
            for child in children:
                self.open(child, parent)

    def change(self, shard, number, name, event=None, age=0):
        with self.lock:
            self.sequence += 7
            old = self.items.get(number)
            now = None if name is None else {"emp_id": {"N": str(number)}, "name": {"S": name}}
            record = {"eventID": str(self.sequence), "eventName": "REMOVE" if now is None else "MODIFY" if old else "INSERT",
                      "dynamodb": {"ApproximateCreationDateTime": int(time.time() - age), "SequenceNumber": str(self.sequence),
                                   "Keys": {"emp_id": {"N": str(number)}}, "StreamViewType": "NEW_AND_OLD_IMAGES",
                                   **({"NewImage": now} if now else {}), **({"OldImage": old} if old else {})}}
            self.shards[shard.ljust(28, "0")]["records"].append(record)
            if now:
                self.items[number] = now
            else:
                self.items.pop(number, None)

    def trim(self, shard, count):
        """The oldest records of the shard are forgotten."""
        with self.lock:
            self.shards[shard.ljust(28, "0")]["trimmed"] = count

    def drop(self, shard):
        with self.lock:
            del self.shards[shard.ljust(28, "0")]

    def expire(self):
        """No iterator that was given is good any more."""
        with self.lock:
            self.generation += 1

    def refuse(self, action, count, code):
        with self.lock:
            self.refusals[action] = [count, code]

    # --- what it answers -------------------------------------------------------------------------------------------

    def answer(self, target, body):
        version, action = target.split(".")
        with self.lock:
            self.calls.append(action)
            wanted = "DynamoDBStreams_20120810" if action in ("DescribeStream", "GetShardIterator", "GetRecords") \
                else "DynamoDB_20120810"
            try:
                if version != wanted:
                    raise Refused("UnknownOperationException", target)
                if self.refusals.get(action, [0])[0] > 0:
                    self.refusals[action][0] -= 1
                    raise Refused(self.refusals[action][1], "not now")
                return 200, getattr(self, action)(body)
            except Refused as why:
                return 400, {"__type": f"com.amazonaws.dynamodb.v20120810#{why.args[0]}", "message": why.args[1]}

    def DescribeTable(self, body):
        return {"Table": {"TableName": "Employees", "TableStatus": "ACTIVE", "ItemCount": 0, "LatestStreamArn": self.stream,
                          "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
                          "AttributeDefinitions": [{"AttributeName": "emp_id", "AttributeType": "N"}],
                          "KeySchema": [{"AttributeName": "emp_id", "KeyType": "HASH"}]}}

    def Scan(self, body):
        """Two items a page, those whose number belongs to the segment."""
        mine = sorted(n for n in self.items if n % body["TotalSegments"] == body["Segment"])
        after = int(body.get("ExclusiveStartKey", {"emp_id": {"N": "-1"}})["emp_id"]["N"])
        page = [n for n in mine if n > after][:2]
        more = page and page[-1] != mine[-1]
        names = body["ExpressionAttributeNames"].values()
        return {"Items": [{k: v for k, v in self.items[n].items() if k in names} for n in page], "Count": len(page),
                **({"LastEvaluatedKey": {"emp_id": {"N": str(page[-1])}}} if more else {})}

    def check_stream(self, body):
        if body["StreamArn"] != self.stream:
            raise Refused("ResourceNotFoundException", "no such stream")

    def DescribeStream(self, body):
        self.check_stream(body)
        names = list(self.shards)
        at = names.index(body["ExclusiveStartShardId"]) + 1 if "ExclusiveStartShardId" in body else 0
        page = names[at:at + self.SHARD_PAGE]
        shards = [{"ShardId": n, **({"ParentShardId": self.shards[n]["parent"]} if self.shards[n]["parent"] else {}),
                   "SequenceNumberRange": {"StartingSequenceNumber": "1"}} for n in page]
        last = {"LastEvaluatedShardId": page[-1]} if at + len(page) < len(names) else {}
        return {"StreamDescription": {"StreamArn": self.stream, "StreamStatus": "ENABLED", "Shards": shards, **last}}

    def GetShardIterator(self, body):
        self.check_stream(body)
        shard = self.shards.get(body["ShardId"])
        if not shard:
            raise Refused("ResourceNotFoundException", "no such shard")
        at = shard["trimmed"]
        if body["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER":
            numbers = [int(r["dynamodb"]["SequenceNumber"]) for r in shard["records"]]
            found = numbers.index(int(body["SequenceNumber"]))
            if found < shard["trimmed"]:
                raise Refused("TrimmedDataAccessException", "trimmed")
            at = found + 1
        elif body["ShardIteratorType"] != "TRIM_HORIZON" or "SequenceNumber" in body:
            raise Refused("ValidationException", "bad iterator type")
        return {"ShardIterator": json.dumps([self.generation, body["ShardId"], at])}

    def GetRecords(self, body):
        generation, name, at = json.loads(body["ShardIterator"])
        if generation != self.generation:
            raise Refused("ExpiredIteratorException", "expired")
        if not 1 <= body["Limit"] <= 1000:
            raise Refused("ValidationException", "Limit")
        shard = self.shards.get(name)
        if not shard:
            raise Refused("ResourceNotFoundException", "no such shard")
        if at < shard["trimmed"]:
            raise Refused("TrimmedDataAccessException", "trimmed")
        page = shard["records"][at:at + self.RECORD_PAGE]
        at += len(page)
        ended = shard["closed"] and at == len(shard["records"])
        return {"Records": page, **({} if ended else {"NextShardIterator": json.dumps([generation, name, at])})}
