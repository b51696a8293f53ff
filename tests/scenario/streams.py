#!/usr/bin/env python3
"""`type: dynamodb-stream` at DynamoDB Local: every item first, then each change once, in order, through kills."""
import aws

aws.require()

import json  # noqa: E402
import random  # noqa: E402
import signal  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

import tap  # noqa: E402
from running import Running  # noqa: E402

CONFIG = """\
version: 1
connections:
  lake: {{ type: local, path: lake }}
  shop: {{ type: sqlite, path: shop.db }}
  staff:
    type: dynamodb-stream
    table: Employees
    columns: {{ emp_id: int64, name: text, rate: "decimal(9,2)", tags: list<text> }}
    {more}
pipelines:
{pipelines}"""
KEYED = """\
  keyed:
    when: { gathered: { rows: 10000, age: 200ms } }
    from: staff
    columns: { emp_id: emp_id, name: name, rate: rate, version: _event }
    to: shop:employees
    write: { mode: upsert, key: emp_id, newest_by: version }
"""
LAND = """\
  land:
    when: { gathered: { rows: 10000, age: 200ms } }
    from: staff
    columns: { number: _event, change: _change, sequence: _sequence, emp_id: emp_id, name: name, old: _old, at: _changed_at }
    to: lake:inbound/{run}.ndjson
"""
HISTORY = """\
  history:
    when: { gathered: { rows: 10000, age: 200ms } }
    from: staff
    columns: { number: _event, change: _change, sequence: _sequence, emp_id: emp_id, name: name }
    to: shop:history
"""
# Through a lake, and from there: what is deleted is deleted.
FROM_LAKE = """\
  from-lake:
    when: new
    from: lake:inbound/*.ndjson
    columns: { emp_id: emp_id, name: name, number: number }
    to: shop:copy
    write: { mode: upsert, key: emp_id, newest_by: number }
"""


class Place(Running):
    PATIENCE = 120

    server = None

    def __init__(self, pipelines=KEYED, more="", view="NEW_AND_OLD_IMAGES"):
        Place.server = Place.server or aws.DynamodbLocal()
        super().__init__(config=CONFIG.format(pipelines=pipelines, more=more))
        self.env = self.server.env()
        self.dynamodb = self.server.client("dynamodb")
        if "Employees" in self.dynamodb.list_tables()["TableNames"]:
            self.dynamodb.delete_table(TableName="Employees")
        stream = {"StreamEnabled": True, "StreamViewType": view} if view else {"StreamEnabled": False}
        self.dynamodb.create_table(
            TableName="Employees", BillingMode="PAY_PER_REQUEST", StreamSpecification=stream,
            AttributeDefinitions=[{"AttributeName": "emp_id", "AttributeType": "N"}],
            KeySchema=[{"AttributeName": "emp_id", "KeyType": "HASH"}])

    def wherry(self, *args, **more):
        return super().wherry(*args, env=self.env, **more)

    def put(self, number, name, **more):
        self.dynamodb.put_item(TableName="Employees", Item={
            "emp_id": {"N": str(number)}, "name": {"S": name}, "salary": {"N": "100000"}, **more})

    def delete(self, number):
        self.dynamodb.delete_item(TableName="Employees", Key={"emp_id": {"N": str(number)}})

    def items(self):
        pages = self.dynamodb.get_paginator("scan").paginate(TableName="Employees", ConsistentRead=True)
        return {int(i["emp_id"]["N"]): i["name"]["S"] for page in pages for i in page["Items"]}

    def landed(self):
        rows = [json.loads(line) for path in self.objects("inbound/*.ndjson") for line in path.read_text().splitlines()]
        return sorted(rows, key=lambda row: row["number"])

    def table(self, name="employees"):
        return dict(self.sql("shop", f"SELECT emp_id, name FROM {name}"))

    def run_until(self, condition, code=0, seconds=120):
        """A stream tells of a change a moment after it was made."""
        end = time.monotonic() + seconds
        while True:
            done = self.wherry("run", code=code)
            if condition():
                return done
            assert time.monotonic() < end, f"it did not happen in time: {done}"

    def changes(self):
        return [(row["change"], row["emp_id"]) for row in self.landed()]


def test_items_first_then_changes():
    """What there is, then what is put, changed and deleted: typed, with its old image, and nothing else"""
    p = Place(KEYED + LAND + FROM_LAKE)
    for n in range(3):
        p.put(n, f"first {n}", rate={"N": "25.50"}, tags={"SS": ["a"]})
    plan = p.wherry("plan", "land")
    tap.contains(plan.out, "_change")
    p.run_until(lambda: len(p.landed()) == 6)  # changes of the last 15 minutes come, too
    tap.equal(p.table(), {n: f"first {n}" for n in range(3)})
    tap.equal(sorted(p.changes()[:3]), [("export", n) for n in range(3)])
    tap.equal(p.changes()[3:], [("insert", n) for n in range(3)])
    before = 6
    p.put(1, "changed", rate={"N": "12345.67"})
    p.put(3, "Größe \"3\"\n")
    p.delete(0)
    p.run_until(lambda: len(p.landed()) >= before + 3)
    tap.equal(p.table(), p.items())
    tap.equal(p.table("copy"), p.items())
    new = p.landed()[before:]
    tap.equal(p.changes()[before:], [("modify", 1), ("insert", 3), ("remove", 0)])
    old = [row["old"] and json.loads(row["old"]) for row in new]
    tap.equal(old, [{"emp_id": 1, "name": "first 1", "rate": 25.5, "tags": ["a"]}, None,
                    {"emp_id": 0, "name": "first 0", "rate": 25.5, "tags": ["a"]}])
    tap.equal((new[2]["name"], new[2]["_wherry_deleted"]), (None, True))
    assert all(row["sequence"].isdigit() and row["at"].endswith("Z") for row in new), new
    log = b"".join(path.read_bytes() for path in (p.folder / ".wherry/queues").glob("*"))
    assert b"100000" not in log and b"salary" not in log, "what is not declared is stored"
    tap.equal(p.sql("shop", "SELECT rate FROM employees WHERE emp_id = 1"), [(12345.67,)])
    p.wherry("run")
    tap.equal(len(p.landed()), before + 3)
    verified = p.wherry("verify", "keyed")
    tap.contains(verified.out + verified.err, "0 missing")


def test_a_deletion_ends_a_run():
    """A row and its deletion are never in one run, in a table and through a lake: what was gone last is gone"""
    p = Place(KEYED + LAND + FROM_LAKE, more="export: false")
    for turn in range(4):
        p.put(1, f"turn {turn}")
        p.delete(1)
    p.put(2, "stays")
    p.put(3, "goes")
    p.delete(3)
    p.run_until(lambda: len(p.landed()) == 11)
    tap.equal(p.table(), {2: "stays"})
    tap.equal(p.table("copy"), {2: "stays"})
    tap.equal([row["change"] for row in p.landed() if row["emp_id"] == 1], ["insert", "remove"] * 4)
    assert len(p.objects("inbound/*.ndjson")) >= 5


def test_seconds_after_it_was_put():
    p = Place(KEYED)
    p.up()
    p.until(lambda: "lag" in p.wherry("status").out)
    p.put(1, "new")
    start = time.monotonic()
    p.until(lambda: (p.folder / "shop.db").exists() and p.sql(
        "shop", "SELECT name FROM sqlite_master WHERE name = 'employees'") and p.table() == {1: "new"})
    tap.note(f"delivered after {time.monotonic() - start:.1f} s")
    p.delete(1)
    p.until(lambda: p.table() == {})
    status = p.wherry("status", "--json").lines()[0]["feed"]
    assert status["waiting"] == 0 and abs(time.time() * 10**6 - status["read_to_us"]) < 60 * 10**6, status
    p.down()


def test_one_that_does_not_fit():
    """An item whose attribute has another type goes to quarantine; the others of its page stay in order"""
    p = Place(KEYED, more="export: false")
    p.put(1, "one", rate={"S": "cheap"})
    p.put(2, "two", rate={"N": "2"})
    p.put(1, "one again", rate={"N": "1"})
    p.run_until(lambda: (p.folder / "shop.db").exists() and len(p.table()) == 2, code=None)
    tap.equal(p.table(), {1: "one again", 2: "two"})
    shown = p.wherry("quarantine", "show", "keyed")
    tap.contains(shown.out, "rate")


def test_no_stream():
    """Off, or with a view that does not say what an item is: said, with what to do, and never switched on"""
    for view, words in ((None, ("has no stream", "StreamViewType=NEW_AND_OLD_IMAGES")),
                        ("KEYS_ONLY", ("has the view KEYS_ONLY", "StreamEnabled=false")),
                        ("OLD_IMAGE", ("has the view OLD_IMAGE", "NEW_IMAGE"))):
        p = Place(view=view)
        done = p.wherry("run", code=1)
        for word in words:
            tap.contains(done.err, word)
        done = p.wherry("check", "--connect", code=None)
        tap.contains(done.out + done.err, words[0])
        tap.contains(p.wherry("status", code=None).out, words[0])
        found = p.dynamodb.describe_table(TableName="Employees")["Table"].get("StreamSpecification", {})
        tap.equal(found.get("StreamViewType"), view)
    p.dynamodb.delete_table(TableName="Employees")
    tap.contains(p.wherry("run", code=1).err, "no table 'Employees'")


def test_full_again():
    """run --full reads every item again; a process that reads already is named"""
    p = Place(KEYED + LAND)
    p.put(1, "one")
    p.run_until(lambda: len(p.landed()) == 2)
    p.sql("shop", "DELETE FROM employees")
    p.wherry("run")
    tap.equal(p.table(), {})
    p.wherry("run", "--full", "keyed")
    tap.equal(p.table(), {1: "one"})
    p.up()
    p.until(lambda: "lag" in p.wherry("status").out)
    tap.contains(p.wherry("run", "--full", "keyed", code=1).err, "another process reads it")
    p.down()


def test_kill_while_items_change():
    """kill -9 in a loop beside a writer: the table equals DynamoDB's in the end, and no change is there twice"""
    dice = random.Random(tap.SEED)
    p = Place(KEYED + LAND + HISTORY + FROM_LAKE)
    for n in range(50):
        p.put(n, f"first {n}")
    writing, written = threading.Event(), []
    writing.set()

    def write():
        mine, count = random.Random(tap.SEED + 1), 0
        while writing.is_set():
            number = mine.randrange(60)
            if mine.random() < 0.3:
                p.delete(number)
            else:
                count += 1
                p.put(number, f"change {count}")
            time.sleep(0.002)
        written.append(count)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for turn in range(60 if tap.LONG else 12):
            process = p.start("run" if turn % 2 else "up", env=p.env)
            time.sleep(dice.random() * 2.5)
            process.send_signal(signal.SIGKILL)
            process.communicate()
    finally:
        writing.clear()
        writer.join()
    last = "the last one"
    p.put(99, last)  # in a stream of one shard all is there when it is
    p.run_until(lambda: p.table().get(99) == last and p.table("copy").get(99) == last)
    tap.equal(p.table(), p.items())
    tap.equal(p.table("copy"), p.items())
    landed = p.landed()
    sequences = [row["sequence"] for row in landed if row["change"] != "export"]
    tap.equal(len(sequences), len(set(sequences)), "a change is doubled in the lake")
    numbers = [row["number"] for row in landed]
    tap.equal(len(numbers), len(set(numbers)), "an event is doubled in the lake")
    history = p.sql("shop", "SELECT number FROM history ORDER BY number")
    tap.equal([row[0] for row in history], numbers)
    names = [row["name"] for row in landed if row["name"] and row["name"].startswith("change") and
             row["change"] != "export"]
    tap.equal(len(names), len(set(names)))
    tap.equal(len(names), written[0], "changes that were written")
    tap.note(f"{len(landed)} events, {written[0]} puts")


if __name__ == "__main__":
    tap.run()
