#!/usr/bin/env python3
"""`when: { event: QUEUE }` at moto: objects of a bucket are announced by S3, by SNS, by EventBridge, or by somebody
who only says so, and end up in a table."""
import aws

aws.require()

import contextlib  # noqa: E402
import json  # noqa: E402
import signal  # noqa: E402
import time  # noqa: E402

import tap  # noqa: E402
from project import Project  # noqa: E402

HIDDEN = 4  # seconds: the queue's
ACCOUNT = "123456789012"
CONFIG = """\
version: 1
connections:
  lake: {{ type: s3, bucket: {bucket}, path_style: true }}
  uploads: {{ type: sqs, queue: "arn:aws:sqs:eu-west-1:123456789012:{queue}" }}
  site: {{ type: sqlite, path: site.db }}
pipelines:
  load:
    when: {{ event: uploads }}
    from: lake:in/**/*.json
    attempts: 1
    columns: all
    to: site:things
    write: {{ mode: upsert, key: id }}
{more}"""
SECOND = """\
  other:
    when: { event: uploads }
    from: lake:in/both/*.json
    columns: all
    to: site:others
    write: { mode: append }
"""


class Place:
    """A bucket, a queue with a dead-letter queue, and a project that knows both."""
    count = 0
    server = None

    def __init__(self, more="", attempts=2, subscribe=None, hidden=HIDDEN):
        Place.server = Place.server or aws.Moto()
        Place.count += 1
        self.bucket, self.name = f"lake-{Place.count}", f"uploads-{Place.count}"
        self.server.make_bucket(self.bucket)
        self.s3, self.sqs = self.server.client("s3"), self.server.client("sqs")
        dead = self.sqs.create_queue(QueueName=self.name + "-dead")["QueueUrl"]
        redrive = {"deadLetterTargetArn": f"arn:aws:sqs:{aws.REGION}:{ACCOUNT}:{self.name}-dead",
                   "maxReceiveCount": attempts}
        self.dead = dead
        self.queue = self.sqs.create_queue(QueueName=self.name, Attributes={
            "VisibilityTimeout": str(hidden), "RedrivePolicy": json.dumps(redrive)})["QueueUrl"]
        self.arn = f"arn:aws:sqs:{aws.REGION}:{ACCOUNT}:{self.name}"
        if subscribe:
            subscribe(self)
        self.project = Project(config=CONFIG.format(bucket=self.bucket, queue=self.name, more=more))

    def put(self, key, rows):
        body = rows if isinstance(rows, bytes) else json.dumps(rows).encode()
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def tell(self, key, bucket=None, **more):
        record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {
            "bucket": {"name": bucket or self.bucket}, "object": {"key": key, "size": 1, **more}}}
        self.send(json.dumps({"Records": [record]}))

    def send(self, text):
        self.sqs.send_message(QueueUrl=self.queue, MessageBody=text)

    def numbers(self, queue):
        found = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        return int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])

    def is_empty(self):
        return self.numbers(self.queue) == (0, 0)

    def rows(self, table="things"):
        try:
            return sorted(self.project.sql("site", f"SELECT id, name FROM {table}"))
        except Exception:
            return []

    def wherry(self, *args, **words):
        return self.project.wherry(*args, env=self.server.env(), **words)

    @contextlib.contextmanager
    def up(self, *args):
        process = self.project.start("up", *args, env=self.server.env())
        said = process.stdout
        line = b"-"
        while line and not line.startswith(b"Up."):
            line = said.readline()
        assert line, "it ended before it was up"
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                self.said = process.communicate(timeout=60)[0].decode()
                tap.equal(process.returncode, 0, self.said)


def wait_for(what, condition, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"{what} did not happen within {seconds} s")


def thing(number, name="a"):
    return {"id": number, "name": name}


def by_s3(place):
    place.s3.put_bucket_notification_configuration(Bucket=place.bucket, NotificationConfiguration={
        "QueueConfigurations": [{"QueueArn": place.arn, "Events": ["s3:ObjectCreated:*"]}]})


def by_sns(raw):
    def subscribe(place):
        sns = place.server.client("sns")
        topic = sns.create_topic(Name=place.name)["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=place.arn,
                      Attributes={"RawMessageDelivery": "true"} if raw else {})
        place.s3.put_bucket_notification_configuration(Bucket=place.bucket, NotificationConfiguration={
            "TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]})
    return subscribe


def check_uploads_arrive(place):
    with place.up():
        place.put("in/a b/über+x.json", [thing(1)])
        wait_for("the first load", lambda: place.rows() == [(1, "a")])
        place.put("in/y.json", [thing(2)])
        wait_for("the second load", lambda: place.rows() == [(1, "a"), (2, "a")])
        wait_for("the queue's end", place.is_empty)
    tap.equal(place.numbers(place.dead), (0, 0))


def test_a_message_stays_hidden_while_its_object_is_loaded():
    # `wherry run` has one thread for both, and the load takes longer than the queue hides a message.
    p = Place(hidden=6)
    p.project.config(CONFIG.format(bucket=p.bucket, queue=p.name, more="").replace(
        "    attempts: 1\n", "    attempts: 1\n    batch: 25\n").replace("type: sqlite, path: site.db", "type: dynamodb"))
    p.put("elsewhere/large.json", [thing(n) for n in range(2400)])
    process = p.project.start("run", env=p.server.env())
    wait_for("the listing", lambda: f"GET /{p.bucket}?list-type=2" in p.server.log)
    p.s3.copy_object(Bucket=p.bucket, Key="in/large.json", CopySource={"Bucket": p.bucket, "Key": "elsewhere/large.json"})
    p.tell("in/large.json")
    wait_for("the message's receipt", lambda: p.numbers(p.queue)[0] == 0)
    while process.poll() is None:
        tap.equal(p.sqs.receive_message(QueueUrl=p.queue, VisibilityTimeout=0).get("Messages", []), [])
        time.sleep(0.1)
    said = process.stdout.read().decode()
    tap.equal(process.returncode, 0, said)
    tap.contains(said, "2,400 rows -> site:things")
    assert p.is_empty()


def test_s3_announces_to_the_queue():
    check_uploads_arrive(Place(subscribe=by_s3))


def test_s3_announces_through_sns():
    check_uploads_arrive(Place(subscribe=by_sns(raw=False)))


def test_s3_announces_through_sns_raw():
    check_uploads_arrive(Place(subscribe=by_sns(raw=True)))


def test_eventbridge_and_messages_about_nothing():
    place = Place()
    place.put("in/a+b.json", [thing(1)])
    place.send(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": place.bucket}))
    place.send(json.dumps({"source": "aws.s3", "detail-type": "Object Created", "detail": {
        "bucket": {"name": place.bucket}, "object": {"key": "in/a+b.json", "size": 3}}}))
    with place.up():
        wait_for("the load", lambda: place.rows() == [(1, "a")])
        wait_for("the queue's end", place.is_empty)


def test_doubled_reordered_and_foreign_events():
    place = Place()
    place.put("in/1.json", [thing(1)])
    place.put("in/2.json", [thing(2)])
    place.put("elsewhere/3.json", [thing(3)])
    for key in ("in/2.json", "in/1.json", "in/2.json", "in/1.json"):
        place.tell(key, sequencer="00")
    for key in ("elsewhere/3.json", "in/../../etc/passwd", "/in/1.json", "_wherry/x.json"):
        place.tell(key)
    place.tell("in/1.json", bucket="somebody-elses")
    with place.up():
        wait_for("the loads", lambda: len(place.rows()) == 2)
        wait_for("the queue's end", place.is_empty)
    runs = place.wherry("runs", "--json").lines()
    tap.equal(len(runs), 2, "each object is loaded once")
    tap.equal(place.said.count("which no pipeline reads"), 1, place.said)


def test_two_pipelines_share_a_queue():
    place = Place(more=SECOND)
    place.put("in/both/1.json", [thing(1)])
    place.put("in/2.json", [thing(2)])
    place.tell("in/both/1.json")
    place.tell("in/2.json")
    with place.up():
        wait_for("the loads", lambda: len(place.rows()) == 2 and len(place.rows("others")) == 1)
        wait_for("the queue's end", place.is_empty)


def test_an_object_that_is_gone_is_a_dead_letter():
    place = Place()
    place.tell("in/gone.json")
    with place.up():
        wait_for("the dead letter", lambda: place.numbers(place.dead)[0] == 1)
    shown = place.wherry("status", code=1).out
    assert "in/gone.json" in shown and "1 dead" in shown, shown
    status = place.wherry("status", "--json", code=1).lines()[0]
    tap.equal((status["dead"], status["queue"]["dead"], status["queue"]["waiting"]), (1, 1, 0))
    tap.equal(place.rows(), [])


def test_a_poison_object_ends_in_the_dead_letter_queue():
    place = Place()
    place.put("in/bad.json", b"[{\"id\": 1,")
    place.put("in/good.json", [thing(2)])
    place.tell("in/bad.json")
    place.send("no event at all")
    place.tell("in/good.json")
    with place.up():
        wait_for("the dead letters", lambda: place.numbers(place.dead)[0] == 2)
        wait_for("the good one", lambda: place.rows() == [(2, "a")])
    runs = place.wherry("runs", "--json").lines()
    failed = [run for run in runs if run["status"] == "failed"]
    tap.equal(len(failed), 2, "delivered twice, tried twice")
    assert place.is_empty()


def test_a_killed_worker_leaves_it_to_the_queue():
    place = Place(attempts=5, hidden=2)
    for number in range(20):
        place.put(f"in/{number}.json", [thing(number)])
        place.tell(f"in/{number}.json")
    with place.up() as up:
        wait_for("some load", lambda: len(place.rows()) > 0)
        up.kill()
        up.wait()
    with place.up():
        wait_for("all loads", lambda: len(place.rows()) == 20)
        wait_for("the queue's end", place.is_empty)
    runs = [r for r in place.wherry("runs", "--limit", "0", "--json").lines() if r["status"] == "done"]
    tap.equal(sum(r["rows_written"] for r in runs), 20, "nothing is doubled")


def test_run_lists_and_empties_the_queue():
    place = Place()
    place.put("in/1.json", [thing(1)])  # nobody announced it
    place.put("in/2.json", [thing(2)])
    place.tell("in/2.json")
    place.wherry("run")
    tap.equal(place.rows(), [(1, "a"), (2, "a")])
    assert place.is_empty()


def test_check_and_plan_say_what_starts_it():
    place = Place()
    place.put("in/1.json", [thing(1)])
    shown = place.wherry("plan").out
    assert "for each object that uploads announces" in shown, shown
    shown = place.wherry("check", "--connect")
    assert "messages wait" in shown.out + shown.err, shown
    text = (place.project.folder / "wherry.yaml").read_text()
    for wrong, why in (("event: lake", "event: lake holds the objects itself. Write when: new, or name a queue"),
                       ("event: site", "event: site is no queue: it is of type sqlite"),
                       ("event: upload", "no connection 'upload'. Did you mean 'uploads'?"),
                       ("event: uploads, every: 5m", "needs only one of every, cron, event and gathered"),
                       ("event: uploads, timezone: UTC", "timezone is for cron")):
        place.project.config(text.replace("event: uploads", wrong))
        result = place.wherry("check", code=2)
        assert why in result.err + result.out, (wrong, result)
    place.project.config(text.replace("type: s3, bucket: " + place.bucket + ", path_style: true", "type: local, path: x"))
    result = place.wherry("check", code=2)
    assert "no queue announces objects of lake, which is of type local. Write when: new" in result.err + result.out


tap.run()
