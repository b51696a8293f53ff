#!/usr/bin/env python3
"""The worked examples order-status and employees as their wherry.prod.yaml has them: S3, SNS, SQS, DynamoDB,
Systems Manager and CloudWatch (moto), and PostgreSQL or SQL Server (the TDS peer); as functions of Lambda, too; and
many times over a line that loses, delays, repeats and refuses requests. What is there in the end is what a careful hand
would have put."""
import concurrent.futures
import datetime
import json
import random
import shutil
import sqlite3
import subprocess
import threading

import aws

aws.require()

import fault_proxy  # noqa: E402
import lambda_api  # noqa: E402
import servers  # noqa: E402
import tap  # noqa: E402
import tds_peer  # noqa: E402
from project import Project  # noqa: E402

ROUNDS = 1000 if tap.LONG else 30
ROUNDS_OF_A_SECOND_DATABASE = 1000 if tap.LONG else 8
RATE = 0.05  # of requests that something happens to
TRIES_MAX = 40
AT_ONCE = 6  # most of a round is waiting
ACCOUNT = "123456789012"
started, one_at_a_time = {}, threading.Lock()


def moto():
    """One for all; made before anything goes on side by side."""
    if "moto" not in started:
        started["moto"] = aws.Moto()
    return started["moto"]


def postgres():
    if "postgres" not in started:
        started["postgres"] = Postgres()
    return started["postgres"]


def sql_server():
    if "sql server" not in started:
        started["sql server"] = SqlServer()
    return started["sql server"]


class Line:
    """To moto, disturbed or not."""

    def __init__(self, seed, proxied):
        self.proxy = fault_proxy.FaultProxy(moto().port, seed=seed, rate=RATE) if proxied else None
        self.env = moto().env(url=self.proxy.url if proxied else None)

    def story(self):
        return self.proxy.story()[-3000:] if self.proxy else ""


def in_rounds(play, rounds=ROUNDS):
    seeds = [(int(tap.SEED) + n) % 10**9 for n in range(rounds)]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(play, seed) for seed in seeds]:
            done.result()


def example(name, **replaced):
    """A project with the example's files, in which what is another here is replaced."""
    folder = tap.folder()
    for file in ("wherry.yaml", "wherry.prod.yaml"):
        text = (tap.ROOT / "examples" / name / file).read_text()
        if file == "wherry.prod.yaml":
            for old, new in replaced.items():
                assert old in text, f"{old} is not in {text}"
                text = text.replace(old, new)
        (folder / file).write_text(text)
    p = Project.__new__(Project)
    p.folder = folder
    return p


def go(p, env, *args, code=0):
    return p.wherry(args[0], "--env", "prod", *args[1:], env=env, code=code)


def until_done(p, env, story, *args):
    """As somebody does who is told that it did not work: again."""
    for _ in range(TRIES_MAX):
        done = go(p, env, *args, code=None)
        if done.code in (0, 3):
            return
    raise AssertionError(f"{args}: {done}\n{story()}")


# --- order status --------------------------------------------------------------------------------

ORDERS = ("CREATE TABLE sales_order(id INTEGER PRIMARY KEY, order_number TEXT, customer_name TEXT, postcode TEXT, "
          "status_code INTEGER, order_date TEXT, margin REAL, updated_at TIMESTAMP)")
WORDS = {1: "Open", 2: "Back ordered", 3: "Shipped", 4: "Cancelled"}


class Postgres:
    """The website's database as the example has it."""
    short = "pg"

    def __init__(self):
        self.server = servers.Postgres()
        self.host, self.password = self.server.host, self.server.PASSWORD

    def make(self, database):
        with one_at_a_time:
            self.server.sql(f"CREATE DATABASE {database} TEMPLATE template0", database="postgres")

    def words(self, database):
        return {"database: website": f"database: {database}\n    port: {self.server.port}\n    tls: off"}

    def orders(self, database):
        return [tuple(line.split("|")) for line in self.server.sql(
            'SELECT "OrderNumber", "OrderStatus", to_char("UpdatedAt", \'YYYY-MM-DD HH24:MI:SS\') FROM orders',
            database=database).splitlines()]

    def columns(self, database):
        return set(self.server.sql("SELECT column_name FROM information_schema.columns WHERE table_name = 'orders'",
                                   database=database).split())

    def drop(self, database):
        self.server.sql(f"DROP DATABASE {database}", database="postgres")


class SqlServer:
    """What examples/order-status/README.md says of SQL Server."""
    short, host = "tds", "127.0.0.1"

    def __init__(self):
        if not shutil.which("tsql"):
            raise tap.Skip("freetds-bin is not installed")
        self.server = tds_peer.TdsPeer()
        self.password = self.server.PASSWORD

    def make(self, database):
        """It makes them as they are asked for."""

    def words(self, database):
        return {"type: postgres": "type: sqlserver", "user: wherry": "user: sa",
                "database: website": f"database: {database}\n    port: {self.server.port}\n    tls: off"}

    def orders(self, database):
        rows = self.server.tsql("SELECT OrderNumber, OrderStatus, CONVERT(nvarchar(30), UpdatedAt, 126) FROM orders", database)
        return [(number, word, at[:19].replace("T", " ")) for number, word, at in rows]

    def columns(self, database):
        return {name for name, in self.server.tsql("SELECT COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'orders'",
                                                   database)}

    def drop(self, database):
        """It goes with the peer."""


class OrderStatus:
    """An office that exports, and a website's side that loads what it is told of."""

    def __init__(self, seed, proxied=False, db=None):
        self.server, self.dice, self.db = moto(), random.Random(f"orders {seed}"), db or postgres()
        self.name = f"orders-{self.db.short}-{seed}"
        self.server.make_bucket(self.name)
        sns, sqs, ssm = (self.server.client(s) for s in ("sns", "sqs", "ssm"))
        topic = sns.create_topic(Name=self.name)["TopicArn"]
        self.queue = sqs.create_queue(QueueName=self.name, Attributes={"VisibilityTimeout": "2"})["QueueUrl"]
        queue_arn = f"arn:aws:sqs:{aws.REGION}:{ACCOUNT}:{self.name}"
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
        self.database = f"orders_{seed}"  # with marks of its own
        self.db.make(self.database)
        password = f"/order-status/{self.db.short}/website-password"
        ssm.put_parameter(Name=password, Value=self.db.password, Type="SecureString", Overwrite=True)
        ssm.put_parameter(Name="/order-status/postcode-proof", Value="5e" * 32, Type="SecureString", Overwrite=True)
        replaced = {"acme-orders": self.name, **self.db.words(self.database), "/order-status/website-password": password,
                    f"arn:aws:sns:eu-west-1:{ACCOUNT}:orders-published": topic,
                    f"arn:aws:sqs:eu-west-1:{ACCOUNT}:orders-arrivals": queue_arn}
        self.office, self.site = (example("order-status", **replaced) for _ in range(2))
        self.line = Line(seed, proxied)
        self.env = {**self.line.env, "WEBSITE_HOST": self.db.host}
        self.truth, self.minute = {}, 0
        self.office.sql("erp", ORDERS)

    def change(self):
        """Some orders are new, some others are changed."""
        self.minute += 1
        at = (datetime.datetime(2026, 11, 20) + datetime.timedelta(minutes=self.minute)).strftime("%Y-%m-%d %H:%M:%S")
        with sqlite3.connect(self.office.folder / "erp.db") as db:
            for n in self.dice.sample(range(40), 15):
                number, status = f"SO{n:05}", self.dice.choice(list(WORDS))
                known = db.execute("UPDATE sales_order SET status_code = ?, updated_at = ? WHERE order_number = ?",
                                   (status, at, number)).rowcount
                if not known:
                    db.execute("INSERT INTO sales_order(order_number, customer_name, postcode, status_code, order_date, margin, "
                               "updated_at) VALUES (?, 'Secret', 'BT1 1AA', ?, '2026-11-01', 0.3, ?)", (number, status, at))
                self.truth[number] = (WORDS[status], at)
        db.close()

    def check(self):
        tap.equal(sorted(self.db.orders(self.database)), sorted((n, *what) for n, what in self.truth.items()), self.line.story())


def go_through(p):
    for _ in range(3):
        p.change()
        go(p.office, p.env, "run", "export-orders")
        go(p.site, p.env, "run", "import-orders")
        p.check()
    tap.equal(p.db.columns(p.database), {"OrderNumber", "OrderStatus", "OrderDate", "PostcodeProof", "UpdatedAt", "_wherry_order"})
    go(p.site, p.env, "verify", "import-orders")
    left = p.server.client("sqs").get_queue_attributes(QueueUrl=p.queue, AttributeNames=["All"])["Attributes"]
    tap.equal((left["ApproximateNumberOfMessages"], left["ApproximateNumberOfMessagesNotVisible"]), ("0", "0"))


def test_order_status():
    go_through(OrderStatus("plain"))


def test_order_status_in_sql_server():
    go_through(OrderStatus("plain", db=sql_server()))


def play_order_status(seed, db=None):
    p = OrderStatus(seed, proxied=True, db=db)
    for _ in range(2):
        p.change()
        until_done(p.office, p.env, p.line.story, "run", "export-orders")
        until_done(p.site, p.env, p.line.story, "run", "import-orders")
    p.check()
    p.db.drop(p.database)


def test_order_status_over_a_bad_line():
    moto(), postgres()
    in_rounds(play_order_status)


def test_order_status_in_sql_server_over_a_bad_line():
    moto()
    db = sql_server()
    in_rounds(lambda seed: play_order_status(seed, db), ROUNDS_OF_A_SECOND_DATABASE)


# --- employees -----------------------------------------------------------------------------------


def record(n, minute, dice):
    return {"emp_id": n, "name": f"Größe {n}", "department": dice.choice([" Sales", "Works"]), "salary": 100000 + n,
            "rate": float(f"{dice.randrange(1000)}.{dice.randrange(100):02}"), "iban": "XX00", "manager": {"emp_id": 1},
            "updated_at": f"2026-11-21T08:{minute:02}:00Z"}


class Employees:
    def __init__(self, seed, proxied=False):
        self.server, self.dice = moto(), random.Random(f"employees {seed}")
        self.name = f"employees-{seed}"
        self.server.make_bucket(self.name, versions=True)
        self.s3 = self.server.client("s3")
        self.sqs = self.server.client("sqs")
        self.queue = self.sqs.create_queue(QueueName=self.name, Attributes={"VisibilityTimeout": "2"})["QueueUrl"]
        self.queue_arn = f"arn:aws:sqs:{aws.REGION}:{ACCOUNT}:{self.name}"
        self.s3.put_bucket_notification_configuration(Bucket=self.name, NotificationConfiguration={"QueueConfigurations": [
            {"QueueArn": self.queue_arn, "Events": ["s3:ObjectCreated:*"]}]})
        self.group = f"/wherry/{self.name}"
        self.project = example("employees", **{
            "acme-employees": self.name, "type: dynamodb": f"type: dynamodb\n    marks: marks-{seed}", "/wherry/employees": self.group, f"arn:aws:sqs:eu-west-1:{ACCOUNT}:employees": self.queue_arn})
        self.table = f"Employees-{seed}"
        path = self.project.folder / "wherry.yaml"
        path.write_text(path.read_text().replace("staff:Employees", f"staff:{self.table}"))
        self.line = Line(seed, proxied)
        self.env, self.truth = self.line.env, {}

    def upload(self, name, minute, count=20):
        rows = [record(n, minute, self.dice) for n in self.dice.sample(range(60), count)]
        self.s3.put_object(Bucket=self.name, Key=f"inbound/hr/a b+ü/{name}.json", Body=json.dumps(rows).encode())
        for row in rows:
            if row["updated_at"] > self.truth.get(row["emp_id"], {"updated_at": ""})["updated_at"]:
                self.truth[row["emp_id"]] = row

    def check(self):
        pages = self.server.client("dynamodb").get_paginator("scan").paginate(TableName=self.table)
        there = {int(item["emp_id"]["N"]): item for page in pages for item in page["Items"]}
        tap.equal(sorted(there), sorted(self.truth), self.line.story())
        for n, row in self.truth.items():
            tap.equal(sorted(there[n]), ["_wherry_order", "department", "emp_id", "hourly_rate", "name", "updated_at"])
            tap.equal((there[n]["name"]["S"], there[n]["department"]["S"]), (row["name"], row["department"].strip()))
            tap.equal((float(there[n]["hourly_rate"]["N"]), there[n]["updated_at"]["S"][:16]), (row["rate"], row["updated_at"][:16]))


def test_employees():
    p = Employees("plain")
    p.upload("one", 1)
    p.upload("three", 3)
    go(p.project, p.env, "run")
    p.upload("two", 2)  # an older one that comes late
    p.s3.put_object(Bucket=p.name, Key="inbound/hr/bad.json", Body=b'[{"emp_id": null, "name": "x", "updated_at": "2026-11-21T09:00:00Z"}]')
    go(p.project, p.env, "run", code=3)
    p.check()
    logs = p.server.client("logs")
    stream = logs.describe_log_streams(logGroupName=p.group)["logStreams"][-1]["logStreamName"]
    lines = [json.loads(e["message"]) for e in logs.get_log_events(logGroupName=p.group, logStreamName=stream)["events"]]
    assert any(line.get("_aws") and line.get("rows_quarantined") == 1 for line in lines), lines
    kept = p.s3.list_objects_v2(Bucket=p.name, Prefix="_wherry/quarantine/employees/")["Contents"]
    tap.equal(len(kept), 1)


def test_employees_as_a_function():
    p = Employees("lambda")
    f = lambda_api.Function(p.project.folder, p.env, handler="wherry.prod", program=tap.BUILD / "src/cli/bootstrap")
    for n, minute in enumerate((2, 3, 1)):
        p.upload(f"{n}", minute)
        messages = p.sqs.receive_message(QueueUrl=p.queue, MaxNumberOfMessages=10)["Messages"]
        event = lambda_api.sqs(*((m["MessageId"], m["Body"]) for m in messages))
        tap.equal(lambda_api.failures(f.invoke(event)), [])
        tap.equal(lambda_api.failures(f.invoke(event)), [])  # it comes at least once
    p.check()
    tap.equal(f.stop(), 0)


def play_employees(seed):
    p = Employees(seed, proxied=True)
    for minute in (1, 3, 2):
        p.upload(f"{minute}", minute)
        until_done(p.project, p.env, p.line.story, "run")
    p.check()
    p.server.client("dynamodb").delete_table(TableName=p.table)


def test_employees_over_a_bad_line():
    moto()
    in_rounds(play_employees)


def test_employees_begins_on_a_laptop():
    folder = tap.folder()
    for args in (["init", "employees", "hr"],):
        subprocess.run([str(tap.WHERRY), *args], cwd=folder, check=True, capture_output=True, timeout=60)
    p = Project.__new__(Project)
    p.folder = folder / "hr"
    for name in ("wherry.yaml", "wherry.prod.yaml", "wherry.splunk.yaml", "splunk/dashboard.xml", "splunk/savedsearches.conf",
                 "README.md", ".gitignore"):
        tap.equal((p.folder / name).read_bytes(), (tap.ROOT / "examples/employees" / name).read_bytes(), name)
    runs = p.wherry("run", "--json", code=3).lines()
    tap.equal([(r["rows_read"], r["rows_written"], r["rows_quarantined"]) for r in runs], [(40, 39, 1)])
    tap.equal(p.sql("staff", "SELECT count(*), count(department), max(length(department)) FROM Employees"), [(39, 39, 5)])
    everything = (p.folder / "staff.db").read_bytes()
    for word in (b"iban", b"salary", b"XX0"):
        assert word not in everything, f"{word} got into the table"


tap.run()
