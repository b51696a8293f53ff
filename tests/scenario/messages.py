#!/usr/bin/env python3
"""`from: QUEUE` at moto: the messages of a queue as rows, each once, deleted when they are where they belong."""
import aws

aws.require()

import json  # noqa: E402
import random  # noqa: E402
import shutil  # noqa: E402
import time  # noqa: E402

import tap  # noqa: E402
from running import Running  # noqa: E402

HIDDEN = 2  # seconds: the queue's
CONFIG = """\
version: 1
{top}connections:
  lake: {{ type: local, path: lake }}
  shop: {{ type: sqlite, path: shop.db }}
  callbacks:
    type: sqs
    queue: "arn:aws:sqs:eu-west-1:123456789012:{queue}"
    columns:
      event_id: {{ type: text, required: true }}
      amount: decimal(12,2)
      at: timestamp
pipelines:
{pipelines}"""
LAND = """\
  land:
    when: { gathered: { rows: 1000, age: 200ms } }
    from: callbacks
    columns: { event_id: event_id, amount: amount, at: at, receipt: _receipt, number: _event }
    to: lake:inbound/{run}.ndjson
"""
HOT = """\
  hot:
    when: { gathered: { rows: 1000, age: 200ms } }
    from: callbacks
    columns: { event_id: event_id, amount: amount }
    to: shop:payments
"""


class Place(Running):
    count = 0
    server = None

    def __init__(self, pipelines=LAND, hidden=HIDDEN, top="", fifo=False):
        Place.server = Place.server or aws.Moto()
        Place.count += 1
        self.name = f"callbacks-{Place.count}" + (".fifo" if fifo else "")
        self.sqs, self.fifo = self.server.client("sqs"), fifo
        more = {"FifoQueue": "true"} if fifo else {}
        self.queue = self.sqs.create_queue(QueueName=self.name, Attributes={
            "VisibilityTimeout": str(hidden), **more})["QueueUrl"]
        super().__init__(config=CONFIG.format(queue=self.name, pipelines=pipelines, top=top))
        self.env = self.server.env()

    def wherry(self, *args, **more):
        return super().wherry(*args, env=self.env, **more)

    def send(self, *bodies):
        bodies = [b if isinstance(b, str) else json.dumps(b) for b in bodies]
        for at in range(0, len(bodies), 10):
            self.sqs.send_message_batch(QueueUrl=self.queue, Entries=[
                {"Id": str(i), "MessageBody": body,
                 **({"MessageGroupId": "g", "MessageDeduplicationId": f"{at + i}"} if self.fifo else {})}
                for i, body in enumerate(bodies[at:at + 10])])

    def depth(self):
        found = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["All"])["Attributes"]
        return int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])

    def landed(self):
        return [json.loads(line) for path in self.objects("inbound/*.ndjson") for line in path.read_text().splitlines()]

    def ids(self):
        return sorted(row["event_id"] for row in self.landed())

    def break_lake(self):
        (self.folder / "lake").write_text("not a folder")

    def mend_lake(self):
        (self.folder / "lake").unlink()


def numbered(count, start=0):
    return [{"event_id": f"{i:05d}", "amount": i / 100} for i in range(start, start + count)]


def test_messages_are_rows():
    p = Place()
    p.send({"event_id": "a", "amount": 9999999999.99, "iban": "stays out"}, '{\n  "event_id": "b",\r\n  "amount": "1.5"\n}\n',
           {"event_id": "c", "at": "2026-11-21T08:55:00.123456+01:00"}, {"event_id": "line\nbreak \u00e4\U0001f6f6"})
    tap.contains(p.wherry("plan").out, "ingest:callbacks")
    tap.equal(p.depth(), (4, 0))  # nothing was received for that
    p.wherry("run")
    rows = {row["event_id"]: row for row in p.landed()}
    tap.equal(sorted(rows), ["a", "b", "c", "line\nbreak \u00e4\U0001f6f6"])
    tap.contains("".join(path.read_text() for path in p.objects("inbound/*.ndjson")), '"amount":9999999999.99')
    tap.equal((rows["b"]["amount"], rows["c"]["at"]), (1.5, "2026-11-21T07:55:00.123456Z"))
    tap.equal(len({row["number"] for row in rows.values()}), 4)
    tap.equal(p.depth(), (0, 0))
    for path in (p.folder / ".wherry/queues").glob("callbacks.db*"):
        assert b"stays out" not in path.read_bytes(), "a field that is not declared was stored"
    p.wherry("run")
    tap.equal(len(p.landed()), 4)
    p.wherry("verify", "land")


def test_many_messages_by_hand():
    p = Place()
    p.send(*numbered(237))
    p.wherry("run")
    tap.equal(p.ids(), [f"{i:05d}" for i in range(237)])
    tap.equal(len(p.objects("inbound/*.ndjson")), 1)
    tap.equal(p.depth(), (0, 0))


def test_a_fifo_queue():
    p = Place(fifo=True)
    p.send(*numbered(25))
    p.wherry("run")
    tap.equal([row["event_id"] for row in sorted(p.landed(), key=lambda r: r["number"])], [f"{i:05d}" for i in range(25)])
    tap.equal(p.depth(), (0, 0))


def test_bad_bodies_are_kept_with_their_reason():
    p = Place()
    p.send({"event_id": "good"}, "hello", {"amount": 1}, {"event_id": "x", "amount": 1.234}, '{"event_id":', "[1]", " ")
    tap.equal(p.wherry("run", code=3).code, 3)
    tap.equal(p.ids(), ["good"])
    shown = p.wherry("quarantine", "show", "land", code=None).out
    for reason in ("'event_id' is missing", "has 3 decimal places"):
        tap.contains(shown, reason)
    tap.contains(p.wherry("quarantine", "list").out, "6")
    tap.equal(p.depth(), (0, 0))
    p.config((p.folder / "wherry.yaml").read_text().replace("decimal(12,2)", "decimal(12,3)"))
    p.wherry("quarantine", "replay", "land", code=None)
    tap.equal(p.ids(), ["good", "x"])


def test_nothing_is_deleted_before_it_is_published():
    p = Place()
    p.send(*numbered(12))
    p.break_lake()
    p.wherry("run", code=1)
    tap.equal(sum(p.depth()), 12)
    tap.contains(p.wherry("status", code=None).out, "about 12 messages in callbacks")
    p.mend_lake()
    time.sleep(HIDDEN + 0.5)
    tap.equal(p.depth(), (12, 0))  # they are back
    p.wherry("run")
    tap.equal(p.ids(), [f"{i:05d}" for i in range(12)])
    tap.equal(p.depth(), (0, 0))


def test_a_machine_that_is_lost_loses_nothing():
    """What was received and not published comes again to another machine"""
    p = Place()
    p.send(*numbered(12))
    p.break_lake()
    p.wherry("run", code=1)
    shutil.rmtree(p.folder / ".wherry")
    p.mend_lake()
    time.sleep(HIDDEN + 0.5)
    p.wherry("run")
    tap.equal(p.ids(), [f"{i:05d}" for i in range(12)])
    tap.equal(p.depth(), (0, 0))


def test_messages_stay_hidden_while_they_gather():
    """They are hidden for longer than the queue hides them, and published together"""
    p = Place(pipelines=LAND.replace("rows: 1000, age: 200ms", "rows: 30, age: 1h"))
    p.up()
    p.send(*numbered(10))
    p.until(lambda: p.depth() == (0, 10))
    end = time.monotonic() + 3 * HIDDEN
    while time.monotonic() < end:
        tap.equal(p.depth(), (0, 10))
        time.sleep(0.1)
    tap.equal(p.landed(), [])
    p.send(*numbered(20, start=10))
    p.until(lambda: len(p.landed()) == 30)
    p.until(lambda: p.depth() == (0, 0))
    tap.equal(len(p.objects("inbound/*.ndjson")), 1)
    p.down()


def test_every_pipeline_gets_them():
    """They are deleted when all that read the queue have taken them"""
    p = Place(pipelines=LAND + HOT)
    p.send(*numbered(12))
    p.wherry("run", "land")
    tap.equal((len(p.landed()), sum(p.depth())), (12, 12))
    p.wherry("run", "hot")
    tap.equal(p.sql("shop", "SELECT count(*), count(DISTINCT event_id) FROM payments"), [(12, 12)])
    time.sleep(HIDDEN + 0.5)
    p.wherry("run")
    tap.equal((len(p.landed()), p.depth()), (12, (0, 0)))
    tap.equal(p.sql("shop", "SELECT count(*) FROM payments"), [(12,)])


def test_kill_at_any_time():
    """Killed again and again while messages come, every message lands once, in the lake and in the table"""
    p = Place(pipelines=LAND + HOT, hidden=1)
    dice, total = random.Random(tap.SEED), 0
    for _ in range(40 if tap.LONG else 8):
        p.up()
        for _ in range(dice.randrange(1, 6)):
            count = dice.randrange(1, 30)
            p.send(*numbered(count, start=total))
            total += count
            time.sleep(dice.random() * 0.3)
        time.sleep(dice.random() * 0.5)
        p.process.kill()
        p.process.wait()
        p.log.close()
    p.up()
    p.until(lambda: len(p.landed()) >= total and p.depth() == (0, 0), 120)
    p.down()
    tap.equal(p.ids(), [f"{i:05d}" for i in range(total)])
    tap.equal(p.sql("shop", "SELECT count(*), count(DISTINCT event_id) FROM payments"), [(total, total)])
    p.wherry("verify", "land")


def test_one_process_takes_from_a_queue():
    """What `run` finds beside a service is what the service has received"""
    p = Place()
    p.up()
    p.until(lambda: (p.folder / ".wherry/queues/callbacks.db").exists())
    p.send(*numbered(5))
    p.until(lambda: len(p.landed()) == 5)
    p.wherry("run", code=None)
    tap.equal(len(p.landed()), 5)
    p.down()


def test_a_service_leaves_alone_what_it_does_not_run():
    p = Place(pipelines=LAND.replace("    when: { gathered: { rows: 1000, age: 200ms } }\n", ""))
    p.send(*numbered(5))
    p.up()
    p.until(lambda: "Up." in (p.folder / "up.log").read_text())
    time.sleep(1)
    tap.equal(p.depth(), (5, 0))
    p.wherry("run")
    tap.equal((len(p.landed()), p.depth()), (5, (0, 0)))
    p.down()


def test_what_is_wrong_is_said():
    def refused(text, old, new, part):
        p = Place()
        p.config(text.replace(old, new))
        tap.contains(p.wherry("check", code=2).err, part)
    text = CONFIG.format(queue="q", pipelines=LAND, top="")
    refused(text, "    columns:\n      event_id: { type: text, required: true }\n      amount: decimal(12,2)\n      at: timestamp\n", "",
            "callbacks does not say what its messages hold")
    refused(text, "from: callbacks", "from: callbacks:x", "Write from: callbacks")
    refused(text, "amount: decimal(12,2)", "amount: money", "connection callbacks: columns: amount")
    refused(text, "when: { gathered: { rows: 1000, age: 200ms } }", "when: new", "waits for objects")
    refused(text, "pipelines:", "serve:\n  ingest:\n    callbacks:\n      columns: { n: int64 }\npipelines:", "an endpoint of this name")
    refused(text, "    to: lake", "    notify: callbacks\n    to: lake", "would hear itself")
    refused(text, "from: callbacks", "from: lake:x/*.json", "gathered waits for events of serve.ingest or of a queue")
    refused(text, "when: { gathered: { rows: 1000, age: 200ms } }\n    from: callbacks", "when: { event: callbacks }\n    from: lake:x/*.json",
            "the messages of callbacks are rows")
    refused(text, "version: 1\n", "version: 1\nledger: postgres://x@127.0.0.1/y\n", "read of the queue callbacks")


def test_the_policy_lets_it():
    p = Place()
    p.config((p.folder / "wherry.yaml").read_text().replace("  shop:", "  other: { type: postgres, host: x, database: y, user: z, "
                                                            "password: '${ssm:/other}' }\n  shop:"))
    allowed = {action for s in json.loads(p.wherry("policy", "--json").out)["Statement"] for action in s["Action"]}
    tap.equal(allowed, {"sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"})


tap.run()
