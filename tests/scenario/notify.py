#!/usr/bin/env python3
"""`notify:` at moto: runs are told to topics and queues, again after a crash and under the same id, never not; and
another Wherry loads what it is told of."""
import aws

aws.require()

import contextlib  # noqa: E402
import http.server  # noqa: E402
import json  # noqa: E402
import random  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import sqlite3  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
import urllib.request  # noqa: E402

import servers  # noqa: E402
import tap  # noqa: E402
from project import Project  # noqa: E402

ACCOUNT = "123456789012"
KILLS = 200 if tap.LONG else 12
CONFIG = """\
version: 1
{top}
connections:
  erp: {{ type: sqlite, path: erp.db }}
  lake: {{ {lake} }}
  site: {{ type: sqlite, path: site.db }}
  alerts: {{ type: sns, topic: "arn:aws:sns:eu-west-1:123456789012:{name}", endpoint: "${{TELL}}" }}
  line: {{ type: sqs, queue: "arn:aws:sqs:eu-west-1:123456789012:{name}", endpoint: "${{TELL}}" }}
pipelines:
  export:
    from: erp:orders
    read: {{ cursor: at }}
    columns: {{ Id: id, Status: status, At: at }}
    {more}
    to: lake:out/orders-{{run}}.json
    notify: {notify}
"""
S3 = "type: s3, bucket: {name}, prefix: data/, path_style: true"
CONSUMER = """\
version: 1
connections:
  lake: {{ type: s3, bucket: {name}, path_style: true }}
  news: {{ type: sqs, queue: "arn:aws:sqs:eu-west-1:123456789012:{name}" }}
  site: {{ type: sqlite, path: site.db }}
pipelines:
  load:
    when: {{ event: news }}
    from: lake:data/out/*.json
    columns: all
    to: site:orders
    write: {{ mode: upsert, key: Id, newest_by: At }}
"""


class Place:
    """A project that exports orders and tells of it, and the queue that hears it: subscribed to the topic, or told."""
    count = 0
    server = None

    def __init__(self, notify="alerts", lake="type: local, path: lake", fifo=False, raw=True, more="", subscribe=True, top=""):
        self.more_env = {}
        Place.server = Place.server or aws.Moto()
        Place.count += 1
        self.name = f"news-{Place.count}" + (".fifo" if fifo else "")
        self.bucket = self.name.replace(".", "-")
        self.sqs, self.sns = self.server.client("sqs"), self.server.client("sns")
        kind = {"FifoQueue": "true"} if fifo else {}
        self.queue = self.sqs.create_queue(QueueName=self.name, Attributes=kind)["QueueUrl"]
        topic = self.sns.create_topic(Name=self.name, Attributes={"FifoTopic": "true"} if fifo else {})
        self.topic = topic["TopicArn"]
        if subscribe:
            self.sns.subscribe(TopicArn=self.topic, Protocol="sqs",
                               Endpoint=f"arn:aws:sqs:{aws.REGION}:{ACCOUNT}:{self.name}",
                               Attributes={"RawMessageDelivery": "true"} if raw else {})
        self.project = Project(config=CONFIG.format(name=self.name, lake=lake.format(name=self.bucket), notify=notify,
                                                    more=more, top=top))
        self.project.sql("erp", "CREATE TABLE orders(id INTEGER PRIMARY KEY, status TEXT, at TIMESTAMP)")
        self.orders = 0

    def order(self, status="Open"):
        self.orders += 1
        self.project.sql("erp", "INSERT INTO orders VALUES (?,?,?)", self.orders, status,
                         time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()))

    def env(self, tell=None):
        return {**self.server.env(), "TELL": tell or self.server.url, **self.more_env}

    def wherry(self, *args, tell=None, **words):
        return self.project.wherry(*args, env=self.env(tell), **words)

    def run(self, **words):
        return self.wherry("run", "export", **words)

    def messages(self, attributes=False):
        """All that is in the queue, taken out."""
        found = []
        while True:
            got = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10,
                                           MessageAttributeNames=["All"], AttributeNames=["All"]).get("Messages", [])
            if not got:
                return found
            for m in got:
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=m["ReceiptHandle"])
                found.append(m if attributes else json.loads(m["Body"]))

    def waiting(self):
        try:
            with sqlite3.connect(self.project.folder / ".wherry/ledger.db", timeout=30) as db:
                return db.execute("SELECT count(*) FROM outbox").fetchone()[0]
        except sqlite3.OperationalError:  # there is no ledger yet
            return None

    def written(self):
        """The runs that are to be told of."""
        runs = self.wherry("runs", "--limit", "0", "--json").lines()
        return {r["run"] for r in runs if r["status"] == "done" and r["rows_written"]}


@contextlib.contextmanager
def nobody():
    """An address where whoever asks waits."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def no_answer(server):
    """Passes requests on, and keeps the answers."""
    passed = threading.Event()
    over = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
            urllib.request.urlopen(urllib.request.Request(server.url + self.path, body, kept)).read()
            passed.set()
            over.wait(60)

        def log_message(self, *args):
            pass

    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}", passed
    finally:
        over.set()
        proxy.shutdown()
        proxy.server_close()


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.communicate()


def wait_for(what, condition, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds} s")


def test_a_topic_is_told_of_an_object():
    place = Place(lake=S3)
    place.server.make_bucket(place.bucket, versions=True)
    place.order()
    place.order()
    place.run()
    [message] = place.messages(attributes=True)
    told = json.loads(message["Body"])
    receipt = place.wherry("runs", "--json").lines()[0]
    tap.equal(told["wherry"], 1)
    tap.equal((told["run"], told["pipeline"], told["status"], told["order"]),
              (receipt["run"], "export", "done", receipt["order"]))
    tap.equal(told["id"], receipt["run"] + "-alerts")
    tap.equal((told["rows_read"], told["rows_written"], told["rows_quarantined"]), (2, 2, 0))
    there = told["object"]
    tap.equal((there["address"], there["bucket"], there["sha256"]), (receipt["output"], place.bucket, receipt["sha256"]))
    head = place.server.client("s3").head_object(Bucket=there["bucket"], Key=there["key"])
    tap.equal(head["ContentLength"], there["bytes"])
    etag, seconds = there["version"].rsplit("-", 1)
    tap.equal((etag, int(seconds)), (head["ETag"].strip('"'), int(head["LastModified"].timestamp())))
    assert there["key"].startswith("data/out/orders-"), there
    attributes = {k: v["StringValue"] for k, v in message["MessageAttributes"].items()}
    tap.equal(attributes, {"pipeline": "export", "status": "done"})
    assert "Open" not in message["Body"], "no value of a row"
    tap.equal(place.waiting(), 0)
    place.run()  # the cursor's overlap reads again, and there is nothing to tell
    tap.equal(place.messages(), [])


def test_a_queue_is_told_and_a_list_of_both():
    place = Place(notify="[alerts, line]")
    place.order()
    place.run()
    ids = sorted(m["id"].rsplit("-", 1)[1] for m in place.messages())
    tap.equal(ids, ["alerts", "line"])


def test_fifo_topics_and_queues_keep_order_and_leave_out_what_came_twice():
    place = Place(notify="[alerts, line]", fifo=True)
    for _ in range(3):
        place.order()
        place.run()
    told = place.messages(attributes=True)
    tap.equal({m["Attributes"]["MessageGroupId"] for m in told}, {"export"})
    for m in told:
        tap.equal(m["Attributes"]["MessageDeduplicationId"], json.loads(m["Body"])["id"])
    orders = [json.loads(m["Body"])["order"] for m in told if "-line" in m["Body"]]
    tap.equal((len(told), orders), (6, sorted(orders)))


def test_only_what_was_asked_for_is_told():
    place = Place(notify="[{ to: alerts, on: [failed, quarantined] }]", more="expect: { Status: { in: [Open] } }")
    place.order()
    place.run()
    tap.equal(place.messages(), [], "it is done, and nobody asked")
    place.order("Secret value")
    place.run(code=3)
    [told] = place.messages()
    tap.equal((told["status"], told["rows_quarantined"]), ("quarantined", 1))
    assert "Secret" not in json.dumps(told), told
    place.project.sql("erp", "ALTER TABLE orders RENAME TO other")
    place.run(code=1)
    [told] = place.messages()
    tap.equal((told["status"], "object" in told, "error" in told), ("failed", False, False))


def test_a_subscription_filters_by_status():
    place = Place(notify="{ to: alerts, on: [done, quarantined] }", more="expect: { Status: { in: [Open] } }",
                  subscribe=False)
    place.sns.subscribe(TopicArn=place.topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{aws.REGION}:{ACCOUNT}:{place.name}",
                        Attributes={"RawMessageDelivery": "true", "FilterPolicy": json.dumps({"status": ["quarantined"]})})
    place.order()
    place.run()
    place.order("Bad")
    place.run(code=3)
    tap.equal([m["status"] for m in place.messages()], ["quarantined"])


def load_from(place):
    consumer = Project(config=CONSUMER.format(name=place.bucket))
    env = place.server.env()
    up = consumer.start("up", env=env)
    try:
        def rows():
            try:
                return consumer.sql("site", "SELECT Id, Status FROM orders ORDER BY Id")
            except sqlite3.OperationalError:
                return []
        for number in range(1, 4):
            place.order()
            place.run()
            wait_for("the load", lambda: len(rows()) == number)
    finally:
        up.send_signal(signal.SIGTERM)
        said = up.communicate(timeout=60)[0].decode()
    tap.equal(up.returncode, 0, said)
    left = place.sqs.get_queue_attributes(QueueUrl=place.queue, AttributeNames=["All"])["Attributes"]
    tap.equal((left["ApproximateNumberOfMessages"], left["ApproximateNumberOfMessagesNotVisible"]), ("0", "0"), said)
    runs = consumer.wherry("runs", "--json", env=env).lines()
    tap.equal([(r["status"], r["rows_written"]) for r in runs], [("done", 1)] * 3)
    told = {r["output_version"] for r in place.wherry("runs", "--json").lines()}
    tap.equal({r["object"].rsplit("@", 1)[1] for r in runs}, told, "these versions, and no others")


def test_order_status_from_the_database_over_sns_to_the_load():
    """A bucket without notifications: what another Wherry tells is enough."""
    place = Place(lake=S3, raw=False)
    place.server.make_bucket(place.bucket, versions=True)
    load_from(place)


def test_the_same_straight_to_the_queue():
    place = Place(lake=S3, notify="line")
    place.server.make_bucket(place.bucket)
    load_from(place)


def test_killed_before_it_is_told():
    place = Place()
    place.order()
    with nobody() as tell:
        process = place.project.start("run", "export", env=place.env(tell))
        wait_for("the end of the run", lambda: place.waiting() == 1)
        kill(process)
    tap.equal(place.messages(), [])
    shown = place.wherry("status").out
    assert "alerts" in shown and "1 message to send" in shown, shown
    place.run()
    tap.equal([m["run"] for m in place.messages()], sorted(place.written()))
    tap.equal(place.waiting(), 0)


def test_killed_when_it_was_told():
    place = Place()
    place.order()
    with no_answer(place.server) as (tell, passed):
        process = place.project.start("run", "export", env=place.env(tell))
        assert passed.wait(60)
        kill(process)
    place.run()
    told = place.messages()
    tap.equal(len(told), 2)
    tap.equal(told[0], told[1], "the same, and so it can be left out")


def test_kills_at_random_moments():
    dice = random.Random(tap.SEED)
    place = Place(notify="[alerts, line]")
    place.order()
    started = time.monotonic()
    place.run()
    life = time.monotonic() - started
    told = place.messages()
    for _ in range(KILLS):
        place.order()
        process = place.project.start("run", "export", env=place.env())
        time.sleep(dice.random() * life * 1.2)
        kill(process)
    place.run()
    told += place.messages()
    by_id = {}
    for message in told:
        by_id.setdefault(message["id"], message)
        tap.equal(message, by_id[message["id"]], "one id says one thing")
    want = {f"{run}-{to}" for run in place.written() for to in ("alerts", "line")}
    tap.equal(set(by_id), want, "each is told, to both, and nothing else")
    tap.equal(place.waiting(), 0)
    tap.note(f"{len(want)} to tell, told {len(told)} times")


def test_workers_that_share_a_ledger():
    database = servers.Postgres()
    place = Place(top=f"ledger: {database.words(lease='2s')}")
    place.more_env = {"PG_PASSWORD": database.PASSWORD}
    place.order()
    with nobody() as tell:
        process = place.project.start("run", "export", env=place.env(tell))
        wait_for("the lease of who delivers", lambda: "@outbox" in database.sql(
            "SELECT name FROM wherry.lease" if "lease" in database.sql(
                "SELECT relname FROM pg_class WHERE relname = 'lease'") else "SELECT ''"))
        kill(process)
    place.order()
    wait_for("the other worker", lambda: place.wherry("run", "export", code=None).code == 0
             and not database.sql("SELECT run FROM wherry.outbox"))
    tap.equal({m["run"] for m in place.messages()}, place.written())


def test_nobody_answers():
    place = Place()
    place.order()
    gone = f"http://127.0.0.1:{servers.free_port()}"
    result = place.run(tell=gone)
    assert "1 message for alerts waits" in result.err and "wherry up" in result.err, result
    shown = place.wherry("status")
    assert "1 message to send" in shown.out, shown
    state = [s for s in place.wherry("status", "--json").lines() if s.get("target") == "alerts"]
    tap.equal([(s["state"], s["waiting"], s["dead"]) for s in state], [("waiting", 1, 0)])
    assert "127.0.0.1" in state[0]["error"], state
    place.order()
    place.run()
    tap.equal(len(place.messages()), 2)


def test_a_topic_that_is_gone_is_given_up_and_taken_up_again():
    place = Place(more="attempts: 2")
    place.sns.delete_topic(TopicArn=place.topic)
    place.order()
    result = place.run(code=1)
    assert "1 message for alerts waits" in result.err and "Mend what it says" in result.err, result
    place.run(code=1)
    shown = place.wherry("status", code=1)
    assert "1 given up" in shown.out and "wherry run" in shown.err, shown
    place.sns.create_topic(Name=place.name)
    place.sns.subscribe(TopicArn=place.topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{aws.REGION}:{ACCOUNT}:{place.name}",
                        Attributes={"RawMessageDelivery": "true"})
    place.run()
    tap.equal(len(place.messages()), 1)
    tap.equal(place.wherry("status", "--json").lines()[0]["state"], "ok")


def test_the_service_tells_and_tries_again():
    place = Place(more="when: { every: 1s }")
    place.order()
    with nobody() as tell:
        process = place.project.start("run", env=place.env(tell))
        wait_for("the first", lambda: place.waiting() == 1)
        kill(process)
    up = place.project.start("up", env=place.env())
    try:
        wait_for("what was left", lambda: place.waiting() == 0)
        place.order()
        wait_for("the second", lambda: len(place.written()) == 2 and place.waiting() == 0)
        place.sns.delete_topic(TopicArn=place.topic)
        place.order()
        wait_for("a failure", lambda: place.waiting() == 1)
        place.sns.create_topic(Name=place.name)
        wait_for("the retry", lambda: place.waiting() == 0)
    finally:
        up.send_signal(signal.SIGTERM)
        said = up.communicate(timeout=60)[0].decode()
    tap.equal(up.returncode, 0, said)
    tap.equal(len(place.messages()), 2, said)


def test_check_and_plan_say_who_is_told():
    place = Place(notify="{ to: [alerts, line], on: [failed, quarantined] }")
    shown = place.wherry("plan").out
    assert "tells     alerts of runs that are failed, quarantined" in shown, shown
    tap.equal(place.wherry("plan", "--json").lines()[0]["tells"], ["alerts", "line"])
    shown = place.wherry("check", "--connect").out
    assert f"{place.topic}: confirmed subscriptions: " in shown, shown
    text = (place.project.folder / "wherry.yaml").read_text()
    for wrong, why in (("notify: lake", "notify: lake takes no messages: it is of type local. Name a connection of type "
                        "sns or sqs"),
                       ("notify: alert", "no connection 'alert'. Did you mean 'alerts'?"),
                       ("notify: [alerts, alerts]", "notify: alerts is listed twice"),
                       ("notify: { to: alerts, on: [fail] }", "on: expected done, failed or quarantined"),
                       ("notify: { on: [failed] }", "notify needs 'to'"),
                       ("notify: { to: alerts, at: done }", "no word 'at'")):
        place.project.config(text.replace("notify: { to: [alerts, line], on: [failed, quarantined] }", wrong))
        result = place.wherry("check", code=2)
        assert why in result.err + result.out, (wrong, result)
    place.project.config(CONSUMER.format(name="b") + "    notify: news\n")
    result = place.wherry("check", code=2)
    assert "notify: news is the queue that starts the pipeline" in result.err + result.out, result
    place.project.config(text.replace("arn:aws:sns:eu-west-1:123456789012:" + place.name, "news")
                         .replace(', endpoint: "${TELL}"', ""))
    result = place.wherry("check", code=2)
    assert "topic: 'news' is no ARN. Write it as arn:aws:sns:" in result.err + result.out, result


tap.run()
