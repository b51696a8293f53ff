#!/usr/bin/env python3
"""Employees: a JSON object in a lake, of which only the needed keys go into the DynamoDB table Employees,
key emp_id; through kills, a bad line and an older object that comes late."""
import json
import os
import random
import signal
import time

import aws

aws.require()

import tap  # noqa: E402
from project import Project  # noqa: E402

CONFIG = """\
version: 1
connections:
  lake: { type: local, path: lake }
  cloud: { type: dynamodb }
pipelines:
  staff:
    when: new
    from: lake:inbound/hr/*.json
    chunk: 200
    attempts: 100
    columns:
      emp_id: emp_id
      name: name
      department: department
      rate: { from: rate, type: "decimal(9,2)" }
      UpdatedAt: { from: updated_at, type: timestamp }
    to: cloud:Employees
    write: { mode: upsert, key: emp_id, newest_by: UpdatedAt }
  back:
    from: cloud:Employees
    columns: { emp_id: emp_id, name: name, rate: rate }
    to: lake:back/employees-{run}.json
"""
EMPLOYEES = 5000 if tap.LONG else 400
ROUNDS = 100 if tap.LONG else 6


def employee(n, minute, dice):
    return {"emp_id": n, "name": f"Größe {n}", "department": dice.choice(["Sales", "Works"]),
            "rate": f"{dice.randrange(10000)}.{dice.randrange(100):02}", "salary": 100000 + n, "iban": "DE00",
            "updated_at": f"2026-11-21T08:{minute:02}:00Z"}


class Staff(Project):
    def __init__(self, server):
        super().__init__(config=CONFIG)
        self.server, self.truth = server, {}
        self.uploads, self.began = 0, time.time() - 3600
        self.dynamodb = server.client("dynamodb")
        self.env = server.env()
        for table in self.dynamodb.list_tables()["TableNames"]:
            self.dynamodb.delete_table(TableName=table)
        (self.folder / "lake/inbound/hr").mkdir(parents=True)

    def upload(self, name, rows):
        path = self.folder / f"lake/inbound/hr/{name}.json"
        path.write_text(json.dumps(rows))
        self.uploads += 1  # none is so young that it may still be growing
        os.utime(path, (self.began + self.uploads,) * 2)
        for row in rows:
            if row["updated_at"] >= self.truth.get(row["emp_id"], {"updated_at": ""})["updated_at"]:
                self.truth[row["emp_id"]] = row

    def items(self):
        pages = self.dynamodb.get_paginator("scan").paginate(TableName="Employees", ConsistentRead=True)
        return {int(item["emp_id"]["N"]): item for page in pages for item in page["Items"]}

    def check_equal(self):
        there = self.items()
        tap.equal(len(there), len(self.truth), "items")
        for n, row in self.truth.items():
            item = there[n]
            tap.equal(sorted(item), ["UpdatedAt", "_wherry_order", "department", "emp_id", "name", "rate"])
            tap.equal(item["name"], {"S": row["name"]})
            tap.equal(item["department"], {"S": row["department"]})
            tap.equal(float(item["rate"]["N"]), float(row["rate"]))
            tap.equal(item["UpdatedAt"], {"S": row["updated_at"].replace("Z", ".000000Z")})

    def go(self, *args, **more):
        return self.wherry(*args, env=self.env, **more)


def test_only_the_needed_keys_arrive():
    """Checked, planned, loaded, verified, read back; nothing that was not listed crosses"""
    dice = random.Random(tap.SEED)
    p = Staff(aws.Dynalite())
    p.upload("one", [employee(n, 1, dice) for n in range(EMPLOYEES)])
    tap.contains(p.go("check", "--connect").out + p.go("check", "--connect").err, "0 tables in eu-west-1")
    plan = p.go("plan", "staff")
    tap.contains(plan.out + plan.err, 'CreateTable "Employees" (key emp_id N), on demand')
    p.go("run", "staff")
    p.check_equal()
    p.upload("two", [employee(n, 3, dice) for n in range(0, EMPLOYEES, 3)])
    p.upload("late", [employee(n, 2, dice) for n in range(0, EMPLOYEES, 2)])
    p.go("run", "staff")
    p.check_equal()
    verified = p.go("verify", "staff")
    tap.contains(verified.out + verified.err, "0 missing")
    shown = p.go("discover", "cloud")
    tap.contains(shown.out + shown.err, "Employees")
    p.go("run", "back")
    back = json.loads(next((p.folder / "lake/back").glob("*.json")).read_text())
    tap.equal({row["emp_id"]: float(row["rate"]) for row in back},
              {n: float(row["rate"]) for n, row in p.truth.items()})


def test_kill_in_the_middle():
    """kill -9 at random moments: after the next start nothing is lost and nothing older won"""
    dice = random.Random(tap.SEED)
    p = Staff(aws.Dynalite())
    p.upload("first", [employee(n, 0, dice) for n in range(EMPLOYEES)])
    started = time.monotonic()
    p.go("run", "staff")
    life = time.monotonic() - started
    for turn in range(ROUNDS):
        numbers = dice.sample(range(EMPLOYEES * 2), EMPLOYEES // 2)
        p.upload(f"turn{turn}", [employee(n, dice.randrange(60), dice) for n in numbers])
        process = p.start("run", "staff", env=p.env)
        time.sleep(dice.random() * life)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    p.go("run", "staff")
    p.check_equal()


def test_a_bad_line():
    """Answers that are lost, late, cut, repeated or refused: the table is right in the end"""
    dice = random.Random(tap.SEED)
    server = aws.Moto()  # dynalite does not survive requests that are cut
    p = Staff(server)
    for turn in range(3):
        port = server.disturb(dice.randrange(10**6), 0.05)
        p.env = server.env(url=f"http://127.0.0.1:{port}")
        numbers = dice.sample(range(300), 150)
        p.upload(f"turn{turn}", [employee(n, dice.randrange(60), dice) for n in numbers])
        for _ in range(30):
            done = p.go("run", "staff", code=None)
            if done.code == 0:
                break
        tap.equal(done.code, 0, f"{done}\n{server.story()}")
        p.check_equal()


if __name__ == "__main__":
    tap.run()
