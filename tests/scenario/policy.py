#!/usr/bin/env python3
"""`wherry policy`: a user who has exactly what it prints runs the pipeline, and is denied everything else."""
import aws

aws.require()

import json  # noqa: E402
import urllib.error  # noqa: E402
import urllib.request  # noqa: E402

import botocore.exceptions  # noqa: E402
import iam_judge  # noqa: E402
import tap  # noqa: E402
from project import Project  # noqa: E402

ACCOUNT = iam_judge.ACCOUNT
PLACES = """\
version: 1
connections:
  files: { type: local, path: files }
  lake: { type: s3, bucket: acme-lake, prefix: prod, region: eu-west-1, tags: [owner=data] }
  uploads: { type: sqs, queue: "arn:aws:sqs:eu-west-1:123456789012:uploads" }
  staff: { type: dynamodb, region: eu-west-1 }
"""
PIPELINES = {"publish": """\
    from: files:*.json
    when: new
    columns: all
    to: lake:inbound/hr/{year}/staff-{run}.json
""", "employees": """\
    when: { event: uploads }
    from: lake:inbound/hr/**/*.json
    columns: { emp_id: emp_id, name: name }
    to: staff:Employees
    write: { mode: upsert, key: emp_id }
""", "history": """\
    when: new
    from: lake:inbound/hr/**/*.json
    columns: { emp_id: emp_id, name: name }
    to: staff:History
""", "tidy": """\
    when: new
    from: lake:inbound/notes/*.json
    complete: { marker: "{name}.ok" }
    columns: { emp_id: emp_id, name: name }
    to: staff:History
    after: { move: "done/{name}.{ext}" }
""", "back": """\
    from: staff:Employees
    columns: { emp_id: emp_id, name: name }
    to: lake:back/employees-{run}.json
"""}
TEAMS = """\
teams:
  finance:
    read: ["lake:mart/finance/**"]
    write: ["lake:mart/finance/in/**"]
"""
OTHERS = ["mart/hr/pay.csv", "mart/finance2/x.csv", "mart/Finance/x.csv", "Mart/finance/x.csv", "mart/finance"]
IN_BATCHES = ["sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
started = []


def server():
    """One for all, with what the pipelines need to be there."""
    if not started:
        started.append(aws.Moto())
        started[0].make_bucket("acme-lake")
    return started[0]


def fresh():
    """As if nothing had happened yet."""
    s = server()
    s.admit()
    s.reset()
    s.make_bucket("acme-lake")
    sqs = s.client("sqs")
    queue = sqs.create_queue(QueueName="uploads")["QueueUrl"]
    s.client("s3").put_bucket_notification_configuration(Bucket="acme-lake", NotificationConfiguration={
        "QueueConfigurations": [{"QueueArn": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:uploads", "Events": ["s3:ObjectCreated:*"]}]})
    return s, queue


def project_of(*names):
    pipelines = "".join(f"  {name}:\n{PIPELINES[name]}" for name in names)
    return Project(config=f"{PLACES}pipelines:\n{pipelines}{TEAMS}")


def policy(project, *args, env=None):
    return json.loads(project.wherry("policy", "--account", ACCOUNT, "--json", *args, env=env or server().env()).out)


def for_moto(document):
    """What moto can enforce of it: see aws.Moto."""
    document = json.loads(json.dumps(document))
    for s in document["Statement"]:
        s.pop("Condition", None)
        if s["Action"][0].startswith(("dynamodb:", "kms:", "sns:")):
            s["Resource"] = ["*"]
        s["Resource"] = [r.replace("?", "*") for r in s["Resource"]]
        s["Action"] += [f"{action}Batch" for action in s["Action"] if action in IN_BATCHES]
    return document


class User:
    """Who has the policy: moto enforces what it can of it, the judge before it everything."""

    def __init__(self, s, document):
        self.keys = s.user("user", for_moto(document))
        self.judge = iam_judge.Judge(s.port, document)
        self.env = s.env(keys=self.keys, url=self.judge.url)
        self.server = s
        s.enforce()

    def client(self, service):
        return self.server.client(service, keys=self.keys, url=self.judge.url)

    def status(self, service, call, **words):
        try:
            return getattr(self.client(service), call)(**words)["ResponseMetadata"]["HTTPStatusCode"]
        except botocore.exceptions.ClientError as refused:
            return refused.response["ResponseMetadata"]["HTTPStatusCode"]

    def check_denied(self, service, call, **words):
        assert self.status(service, call, **words) in (400, 403), f"{call} {words} is allowed"
        assert self.judge.denied, "it was not the policy that denied it"


def run_as(user, project, *args, code=0):
    result = project.wherry("run", *args, env=user.env, code=code)
    denied = [one for one in user.judge.denied if one != ("dynamodb:ListTables", "*")]  # for a hint, where it may
    assert not denied, f"{denied}\n{result}"
    return user


def check_all_used(user, document, but=()):
    """Nothing is allowed that was not needed, but what a run without trouble does not need."""
    actions = {action for s in document["Statement"] for action in s["Action"]}
    tap.equal(sorted(actions - user.judge.used), sorted(but))


def look_into(table):
    s, _ = fresh()
    make_table("Units")
    s.client("dynamodb").put_item(TableName="Units", Item={"emp_id": {"N": "1"}, "unit": {"S": "HR"}})
    s.client("s3").put_object(Bucket="acme-lake", Key="prod/ref/units.csv", Body=b"emp_id,unit\n1,HR\n2,IT\n")
    s.client("s3").put_object(Bucket="acme-lake", Key="prod/ref/pay.csv", Body=b"emp_id,pay\n1,2\n")
    p = Project(config=f"""{PLACES}pipelines:
  units:
    from: files:*.json
    steps:
      - lookup: {{ from: "{table}", on: {{ emp_id: emp_id }}, take: {{ unit: unit }}, missing: "null" }}
    columns: {{ emp_id: emp_id, unit: unit }}
    to: files:out/units-{{run}}.csv
""")
    write_staff(p)
    document = policy(p, "units")
    user = run_as(User(s, document), p, "units")
    tap.contains(next((p.folder / "files/out").glob("*.csv")).read_text(), "1,HR")
    user.check_denied("s3", "get_object", Bucket="acme-lake", Key="prod/ref/pay.csv")
    user.check_denied("s3", "list_objects_v2", Bucket="acme-lake", Prefix="prod/ref/")
    user.check_denied("s3", "put_object", Bucket="acme-lake", Key="prod/ref/units.csv", Body=b"x")
    user.check_denied("dynamodb", "scan", TableName="Employees")
    return user, document


def test_a_dataset():
    """Versions are published, compacted, brought back and removed by a user who may do so below that prefix alone"""
    s, _ = fresh()
    p = Project(config=f"""{PLACES}pipelines:
  staff:
    from: files:*.csv
    when: new
    columns: {{ emp_id: emp_id, team: team }}
    to: lake:mart/hr/
    write: {{ partition_by: team, keep: 3 }}
  back:
    from: lake:mart/hr/
    columns: all
    to: files:back/{{run}}.csv
""")
    (p.folder / "files").mkdir()
    for n in range(4):
        (p.folder / f"files/{n}.csv").write_text(f"emp_id,team\n{n},a b\n{n + 10},\n")
    user = User(s, policy(p))
    run_as(user, p)
    p.wherry("compact", "lake:mart/hr/", env=user.env)
    p.wherry("rollback", "lake:mart/hr/", env=user.env)
    run_as(user, p)
    assert not user.judge.denied, user.judge.denied
    tap.equal(len(p.wherry("versions", "lake:mart/hr/", "--json", env=user.env).lines()), 3)
    tap.equal(sorted(len(path.read_text().splitlines()) for path in (p.folder / "files/back").glob("*.csv")), [7, 9])
    for key in ("prod/mart/hr2/x.parquet", "prod/mart/x.parquet", "prod/x"):
        user.check_denied("s3", "put_object", Bucket="acme-lake", Key=key, Body=b"x")
        user.check_denied("s3", "delete_object", Bucket="acme-lake", Key=key)


def test_a_site():
    """A site is published, brought back and tidied by a user who may do that in its place alone"""
    s, _ = fresh()
    p = Project(config=f"""{PLACES}pipelines: {{}}
sites:
  report: {{ from: report, to: "lake:report/", keep: 2 }}
""")
    (p.folder / "report").mkdir()
    document = policy(p, "--site", "report")
    user = User(s, document)
    for n in range(5):
        (p.folder / "report/index.html").write_text(f"version {n}")
        (p.folder / f"report/{n}.html").write_text("the same from now on")
        tap.equal(p.wherry("site", "--json", env=user.env).lines()[-1]["version"], n + 1)
        (p.folder / "report/1.html").unlink(missing_ok=True)
    p.wherry("rollback", "lake:report/", env=user.env)
    tap.equal([v["version"] for v in p.wherry("versions", "lake:report/", "--json", env=user.env).lines()], [6, 5])
    assert not user.judge.denied, user.judge.denied
    # what a publication without trouble does not need: attempts and uploads that were cut short, versions of objects
    check_all_used(user, document, but=["s3:AbortMultipartUpload", "s3:DeleteObjectVersion", "s3:GetObjectVersion",
                                        "s3:GetObjectVersionTagging", "s3:GetObjectTagging"])
    for key in ("prod/report2/x.html", "prod/x.html", "prod/_wherry/sites/other/000000000001.json", "prod/mart/x"):
        user.check_denied("s3", "put_object", Bucket="acme-lake", Key=key, Body=b"x")
        user.check_denied("s3", "delete_object", Bucket="acme-lake", Key=key)
    user.check_denied("s3", "put_object_acl", Bucket="acme-lake", Key="prod/report/index.html", ACL="public-read")


def test_objects_that_steps_look_into():
    """A small table is read by a user who may read that object and no other"""
    check_all_used(*look_into("lake:ref/units.csv"), but=["s3:GetObjectVersion"])


def test_tables_that_steps_look_into():
    """A small table is read by a user who may read that table and no other"""
    check_all_used(*look_into("staff:Units"))


def make_table(name):
    server().client("dynamodb").create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "emp_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "emp_id", "AttributeType": "N"}])


def write_staff(project, count=3):
    (project.folder / "files").mkdir(exist_ok=True)
    (project.folder / "files/staff.json").write_text(json.dumps(
        [{"emp_id": n, "name": f"n{n}", "iban": "secret"} for n in range(count)]))


def test_local_to_s3():
    """Files are published by a user who may write there alone"""
    s, _ = fresh()
    p = project_of("publish")
    write_staff(p)
    document = policy(p, "publish")
    user = run_as(User(s, document), p, "publish")
    check_all_used(user, document, but=["s3:AbortMultipartUpload", "s3:DeleteObjectVersion", "s3:GetObjectVersion"])
    for key in ("prod/inbound/sales/2026/staff-x.json", "inbound/hr/2026/staff-x.json", "prod/inbound/hr/2026/other.json",
                "prod/inbound/hr/2026/staff-x.csv", "PROD/inbound/hr/2026/staff-x.json"):
        user.check_denied("s3", "put_object", Bucket="acme-lake", Key=key, Body=b"x")
    user.check_denied("s3", "delete_object", Bucket="acme-lake", Key="prod/inbound/hr/2026/staff-x.json")
    user.check_denied("s3", "list_objects_v2", Bucket="acme-lake")
    user.check_denied("s3", "list_objects_v2", Bucket="acme-lake", Prefix="prod/inbound/")
    user.check_denied("dynamodb", "scan", TableName="Employees")
    s.admit()
    found = [o["Key"] for o in s.client("s3").list_objects_v2(Bucket="acme-lake")["Contents"]]
    tap.equal(len([k for k in found if k.startswith("prod/inbound/hr/")]), 1)


def test_large_objects():
    """Objects in parts, and such that are read in ranges, of a bucket that keeps versions"""
    s, _ = fresh()
    s.client("s3").put_bucket_versioning(Bucket="acme-lake", VersioningConfiguration={"Status": "Enabled"})
    p = project_of("publish")
    write_staff(p, 400000)
    document = policy(p, "publish")
    user = run_as(User(s, document), p, "publish")
    check_all_used(user, document, but=["s3:AbortMultipartUpload", "s3:DeleteObject"])


def test_s3_to_dynamodb_by_events():
    """Objects that a queue announces are loaded by a user who may touch that queue, prefix and table alone"""
    s, queue = fresh()
    p = project_of("employees")
    document = policy(p, "employees")
    user = User(s, document)
    for name in "ab":
        s.admit()
        s.client("s3").put_object(Bucket="acme-lake", Key=f"prod/inbound/hr/2026/{name}.json",
                                  Body=json.dumps([{"emp_id": 1, "name": name}, {"emp_id": 2, "name": "b"}]).encode())
        s.enforce()
        run_as(user, p, "employees")
    check_all_used(user, document, but=["s3:GetObjectVersion", "sqs:ChangeMessageVisibility"])
    key = {"emp_id": {"N": "1"}}
    user.check_denied("dynamodb", "put_item", TableName="Other", Item=key)
    user.check_denied("dynamodb", "update_item", TableName="Salaries", Key=key)
    user.check_denied("dynamodb", "delete_table", TableName="Employees")
    user.check_denied("dynamodb", "delete_item", TableName="Employees", Key=key)
    user.check_denied("dynamodb", "scan", TableName="History")
    user.check_denied("dynamodb", "update_item", TableName="_wherry_marks",
                      Key={"pipeline": {"S": "history"}, "id": {"S": "lease"}})
    user.check_denied("s3", "get_object", Bucket="acme-lake", Key="prod/inbound/sales/a.json")
    user.check_denied("s3", "put_object", Bucket="acme-lake", Key="prod/inbound/hr/2026/a.json", Body=b"x")
    user.check_denied("sqs", "send_message", QueueUrl=queue, MessageBody="x")
    user.check_denied("sqs", "purge_queue", QueueUrl=queue)
    s.admit()
    tap.equal(s.client("dynamodb").scan(TableName="Employees")["Count"], 2)
    found = s.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
    tap.equal(found["Attributes"]["ApproximateNumberOfMessages"], "0")


EVERYTHING = """\
version: 1
ledger: dynamodb:Ledgers
catalog: staff:Objects
quarantine: lake
connections:
  files: {{ type: local, path: files }}
  lake: {{ type: s3, bucket: acme-lake, region: eu-west-1, encryption: envelope, encryption_key: {key} }}
  staff: {{ type: dynamodb, region: eu-west-1 }}
  alerts: {{ type: sns, topic: "{topic}" }}
  uploads: {{ type: sqs, queue: "arn:aws:sqs:eu-west-1:{account}:uploads" }}
pipelines:
  publish:
    from: files:*.json
    when: new
    columns: all
    to: lake:inbound/hr/staff-{{run}}.json
    notify: [alerts, uploads]
  employees:
    when: new
    from: lake:inbound/hr/*.json
    columns: {{ emp_id: emp_id, name: name }}
    expect: {{ emp_id: {{ in: [0, 1] }} }}
    to: staff:Employees
    write: {{ mode: upsert, key: emp_id }}
"""


def test_all_that_a_pipeline_may_need_besides():
    """Ledger, catalogue, topic, queue, key and quarantine: of each no more than it takes"""
    s, queue = fresh()
    topic = s.client("sns").create_topic(Name="alerts")["TopicArn"]
    key = s.client("kms").create_key()["KeyMetadata"]["Arn"]
    p = Project(config=EVERYTHING.format(topic=topic, key=key, account=ACCOUNT))
    write_staff(p)
    document = policy(p)
    user = User(s, document)
    p.wherry("run", env=user.env, code=3)
    assert not [one for one in user.judge.denied if one != ("dynamodb:ListTables", "*")], user.judge.denied
    p.wherry("quarantine", "show", "employees", env=user.env)
    p.wherry("quarantine", "drop", "employees", env=user.env)
    check_all_used(user, document, but=["s3:AbortMultipartUpload", "s3:DeleteObjectVersion", "s3:GetObjectVersion",
                                        "dynamodb:DeleteItem", "dynamodb:Query", "dynamodb:Scan"])
    user.check_denied("sns", "publish", TopicArn=topic.replace("alerts", "others"), Message="x")
    user.check_denied("sns", "delete_topic", TopicArn=topic)
    user.check_denied("sqs", "receive_message", QueueUrl=queue)
    user.check_denied("kms", "schedule_key_deletion", KeyId=key)
    user.check_denied("kms", "generate_data_key", KeyId=key, KeySpec="AES_256", EncryptionContext={"wherry-bucket": "other"})
    user.check_denied("s3", "get_object", Bucket="acme-lake", Key="_wherry/quarantine/publish/x/part-0.ndjson")
    user.check_denied("dynamodb", "get_item", TableName="Ledgers", Key={"ledger": {"S": "other"}, "part": {"N": "0"}})
    user.check_denied("dynamodb", "delete_table", TableName="Ledgers")


def test_append_to_dynamodb():
    """Objects with markers are appended, and moved, by a user who may move these alone"""
    s, _ = fresh()
    p = project_of("tidy")
    make_table("History")
    s.client("s3").put_object(Bucket="acme-lake", Key="prod/inbound/notes/b.json", Body=b'[{"emp_id":1,"name":"a"}]')
    s.client("s3").put_object(Bucket="acme-lake", Key="prod/inbound/notes/b.ok", Body=b"")
    s.client("s3").put_object(Bucket="acme-lake", Key="prod/inbound/notes/c.json", Body=b'[{"emp_id":2,"na')
    document = policy(p, "tidy")
    user = run_as(User(s, document), p, "tidy")
    check_all_used(user, document, but=["s3:AbortMultipartUpload", "s3:GetObjectTagging", "s3:GetObjectVersion",
                                          "s3:GetObjectVersionTagging", "s3:PutObjectTagging"])
    user.check_denied("s3", "delete_object", Bucket="acme-lake", Key="prod/done/b.json")
    s.admit()
    tap.equal(s.client("dynamodb").scan(TableName="History")["Count"], 1)
    keys = [o["Key"] for o in s.client("s3").list_objects_v2(Bucket="acme-lake")["Contents"]]
    tap.equal([k for k in keys if not k.startswith("prod/_wherry/")], ["prod/done/b.json", "prod/inbound/notes/c.json"])


def test_parts_of_a_shared_extract():
    """Workers that share an extract keep its parts in the lake, and nobody else's"""
    s, _ = fresh()
    p = Project(config=PLACES.replace("connections:\n", "connections:\n  erp: { type: sqlite, path: erp.db }\n") + """pipelines:
  share:
    from: erp:staff
    read: { ranges: 4, shared: true }
    columns: { emp_id: emp_id, name: name }
    expect: { name: [not_null] }
    to: lake:out/{run}.parquet
""")
    p.sql("erp", "CREATE TABLE staff (emp_id INTEGER PRIMARY KEY, name TEXT)")
    p.sql("erp", "INSERT INTO staff VALUES (?, ?)", [(n, None if n == 77 else f"n{n}") for n in range(400)])
    document = policy(p, "share")
    user = run_as(User(s, document), p, "share", code=3)
    check_all_used(user, document, but=["s3:AbortMultipartUpload", "s3:DeleteObjectVersion", "s3:GetObjectVersion"])
    user.check_denied("s3", "delete_object", Bucket="acme-lake", Key="prod/out/x.parquet")
    s.admit()
    keys = [o["Key"] for o in s.client("s3").list_objects_v2(Bucket="acme-lake")["Contents"]]
    tap.equal([k for k in keys if "/parts/" in k], [], "parts left over")
    tap.equal(len([k for k in keys if k.startswith("prod/out/")]), 1)


def test_quarantine_in_the_lake():
    """Rejected rows are kept beside what is read, by a user who may keep only this pipeline's there"""
    s, _ = fresh()
    p = project_of("history")
    p.config("quarantine: lake\n" + (p.folder / "wherry.yaml").read_text().replace(
        "    to: staff:History", "    expect: { name: [not_null] }\n    to: staff:History"))
    make_table("History")
    s.client("s3").put_object(Bucket="acme-lake", Key="prod/inbound/hr/b.json", Body=b'[{"emp_id":1},{"emp_id":2,"name":"b"}]')
    user = run_as(User(s, policy(p, "history")), p, "history", code=3)
    user.check_denied("s3", "put_object", Bucket="acme-lake", Key="prod/_wherry/quarantine/other/x/part-1.ndjson", Body=b"x")
    user.check_denied("s3", "put_object", Bucket="acme-lake", Key="prod/_wherry/attempts/x", Body=b"x")
    s.admit()
    tap.equal(s.client("dynamodb").scan(TableName="History")["Count"], 1)


def test_objects_that_are_let_go():
    """What `retain` lets go is listed and may be removed, with its manifests, and nothing besides"""
    s, _ = fresh()
    s.client("s3").put_object(Bucket="acme-lake", Key="prod/inbound/hr/b.json", Body=b"[]")
    p = Project(config=f"""{PLACES}retain: {{ lake:inbound/hr/: 30d }}
pipelines:
  here:
    from: files:*.json
    columns: all
    to: files:out/{{run}}.csv
""")
    document = policy(p)
    user = User(s, document)
    result = p.wherry("retain", "--json", env=user.env)
    tap.equal(result.lines()[0]["objects"], 0, "it is young")
    assert not user.judge.denied, user.judge.denied
    removed = [r for one in document["Statement"] if "s3:DeleteObject" in one["Action"] for r in one["Resource"]]
    tap.equal(sorted(removed), ["arn:aws:s3:::acme-lake/prod/_wherry/manifests/inbound/hr/*",
                                "arn:aws:s3:::acme-lake/prod/inbound/hr/*"])
    user.check_denied("s3", "delete_object", Bucket="acme-lake", Key="prod/inbound/other.json")
    user.check_denied("s3", "put_object", Bucket="acme-lake", Key="prod/inbound/hr/c.json", Body=b"x")


def test_dynamodb_to_s3():
    """A table is exported by a user who may read it alone"""
    s, _ = fresh()
    p = project_of("back")
    make_table("Employees")
    s.client("dynamodb").put_item(TableName="Employees", Item={"emp_id": {"N": "1"}, "name": {"S": "a"}})
    document = policy(p, "back")
    user = run_as(User(s, document), p, "back")
    check_all_used(user, document, but=["s3:AbortMultipartUpload", "s3:DeleteObjectVersion", "s3:GetObjectVersion"])
    user.check_denied("dynamodb", "scan", TableName="History")
    user.check_denied("dynamodb", "put_item", TableName="Employees", Item={"emp_id": {"N": "1"}})
    user.check_denied("dynamodb", "get_item", TableName="_wherry_marks",
                      Key={"pipeline": {"S": "employees"}, "id": {"S": "lease"}})
    user.check_denied("s3", "get_object", Bucket="acme-lake", Key="prod/inbound/hr/2026/a.json")


def test_changes_of_a_table():
    """Of a stream: to read that table's, and to scan it where all items come first; nothing else"""
    config = """version: 1
connections:
  staff: { type: dynamodb-stream, region: eu-west-1, table: Employees, columns: { emp_id: int64 }, export: %s }
  files: { type: local, path: files }
pipelines:
  changes: { from: staff, columns: all, to: "files:changes-{run}.json" }
"""
    table = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/Employees"
    for export in ("true", "false"):
        statements = policy(Project(config=config % export), "changes")["Statement"]
        allowed = {(a, r) for s in statements for a in s["Action"] for r in s["Resource"]}
        tap.equal(allowed, {("dynamodb:DescribeTable", table), *({("dynamodb:Scan", table)} if export == "true" else ()),
                            *((f"dynamodb:{a}", f"{table}/stream/*") for a in ("DescribeStream", "GetRecords", "GetShardIterator"))})


def test_all_together():
    """The policy of all pipelines runs each, and is the same whoever asks in whatever order"""
    s, _ = fresh()
    p = project_of(*PIPELINES)
    write_staff(p)
    make_table("History")
    document = policy(p)
    tap.equal(policy(p, *reversed(PIPELINES)), document)
    sids = [statement["Sid"] for statement in document["Statement"]]
    tap.equal(sids, sorted(set(sids)))
    assert all(sid.isalnum() for sid in sids), sids
    assert "*" not in [r for statement in document["Statement"] for r in statement["Resource"]]
    run_as(User(s, document), p, "publish")
    s.admit()
    tap.equal(s.client("dynamodb").scan(TableName="Employees")["Count"], 3)


def spelled(key):
    """A key as it is, and as a client might write it to get past a comparison."""
    quoted = urllib.request.quote(key)
    yield quoted
    yield quoted.replace("/", "%2F")
    yield "".join(f"%{b:02X}" for b in key.encode())
    for trick in ("finance/../hr", "finance/%2E%2E/hr", "finance//../hr", "finance/./../hr", "finance/..%2Fhr",
                  "finance/%252e%252e/hr", "/finance/hr", "finance%00/../hr", "finance\\..\\hr".replace("\\", "%5C")):
        yield quoted.replace("mart/hr", f"mart/{trick}")


def fetch(user, path):
    """What a GET of exactly this path, signed as it is, brings; None: nothing."""
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials
    url = f"{user.judge.url}/acme-lake/{path}"
    request = botocore.awsrequest.AWSRequest("GET", url, headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    botocore.auth.S3SigV4Auth(botocore.credentials.Credentials(*user.keys), "s3", aws.REGION).add_auth(request)
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=dict(request.headers)), timeout=60).read()
    except urllib.error.HTTPError:
        return None


def test_teams():
    """A team reaches its own prefixes and no other, however a key is written"""
    s, _ = fresh()
    p = project_of("back")
    s3 = s.client("s3")
    s3.put_object(Bucket="acme-lake", Key="prod/mart/finance/a/b.csv", Body=b"own")
    for key in OTHERS:
        s3.put_object(Bucket="acme-lake", Key=f"prod/{key}", Body=b"foreign")
    s3.put_object(Bucket="acme-lake", Key="mart/finance/x.csv", Body=b"foreign")
    user = User(s, policy(p, "--team", "finance"))
    tap.equal(fetch(user, "prod/mart/finance/a/b.csv"), b"own")
    tap.equal(fetch(user, "prod/mart/finance%2Fa%2Fb.csv"), b"own")
    for key in [*[f"prod/{key}" for key in OTHERS], "mart/finance/x.csv"]:
        for path in spelled(key):
            assert fetch(user, path) != b"foreign", f"{path} is read"
    tap.equal(user.status("s3", "put_object", Bucket="acme-lake", Key="prod/mart/finance/in/x", Body=b"x"), 200)
    user.check_denied("s3", "put_object", Bucket="acme-lake", Key="prod/mart/finance/a/b.csv", Body=b"x")
    user.check_denied("s3", "put_object", Bucket="acme-lake", Key="prod/mart/hr/x", Body=b"x")
    user.check_denied("s3", "delete_object", Bucket="acme-lake", Key="prod/mart/finance/a/b.csv")
    tap.equal(user.status("s3", "list_objects_v2", Bucket="acme-lake", Prefix="prod/mart/finance/"), 200)
    for prefix in ("", "prod/", "prod/mart/", "prod/mart/finance", "prod/mart/hr/", "prod/Mart/finance/", "prod//mart/finance/"):
        user.check_denied("s3", "list_objects_v2", Bucket="acme-lake", Prefix=prefix)


def test_documents():
    """Documents to the letter: one pipeline, a team, keys and secrets; without credentials"""
    p = Project(config="""\
version: 1
connections:
  erp: { type: postgres, host: erp, database: erp, user: w, password: "${ssm:/erp/password:3}" }
  lake: { type: s3, bucket: bbb, prefix: "a*b", region: eu-west-1, encryption: kms, encryption_key: 1234-5678 }
masks:
  proof: { hmac: "${secretsmanager:proof#key}" }
  unused: { hmac: "${secretsmanager:unused}" }
pipelines:
  export:
    from: erp:orders
    columns: { Number: number, Post: { from: post, mask: proof } }
    to: lake:out/{pipeline}-{run}.json
  other:
    from: lake:in/$x/**
    columns: all
    to: erp:t
teams:
  all: { read: "lake:mart/*/x?.csv" }
""")
    env = {"AWS_REGION": "eu-west-1"}
    statements = {s["Sid"]: s for s in policy(p, "export", env=env)["Statement"]}
    tap.equal(statements["ReadSecrets"]["Resource"], [f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:proof-??????"])
    tap.equal(statements["ReadParameters"]["Resource"], [f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/erp/password"])
    tap.equal(statements["DecryptParameters"], {
        "Sid": "DecryptParameters", "Effect": "Allow", "Action": ["kms:Decrypt"],
        "Resource": [f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/*"],
        "Condition": {"StringLike": {
            "kms:EncryptionContext:PARAMETER_ARN": statements["ReadParameters"]["Resource"],
            "kms:ViaService": ["ssm.eu-west-1.amazonaws.com"]}}})
    tap.equal(statements["LakeEncryptionKey"], {
        "Sid": "LakeEncryptionKey", "Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": [f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234-5678"],
        "Condition": {"StringLike": {"kms:ViaService": ["s3.eu-west-1.amazonaws.com"]}}})
    tap.equal(statements["LakeWriteObjects"]["Resource"], ["arn:aws:s3:::bbb/a${*}b/_wherry/manifests/out/export-*.json.json",
                                                           "arn:aws:s3:::bbb/a${*}b/out/export-*.json"])
    other = {s["Sid"]: s for s in policy(p, "other", env=env)["Statement"]}
    tap.equal(other["LakeReadObjects"]["Resource"], ["arn:aws:s3:::bbb/a${*}b/_wherry/manifests/in/${$}x/*.json",
                                                     "arn:aws:s3:::bbb/a${*}b/in/${$}x/*"])
    assert "LakeWriteObjects" not in other and "ReadSecrets" not in other
    team = p.wherry("policy", "--team", "all", env=env)
    tap.equal([s["Resource"] for s in json.loads(team.out)["Statement"]],
              [["arn:aws:kms:eu-west-1:*:key/1234-5678"], ["arn:aws:s3:::bbb"], ["arn:aws:s3:::bbb/a${*}b/mart/*/x?.csv"]])
    tap.contains(team.err, "no account is given, so '*' stands for any. Say --account 123456789012.")
    tap.contains(team.err, "lake:mart/*/x?.csv is finer than IAM, whose wildcards cross '/' and know no classes: "
                           "the policy allows mart/*/x?.csv, and to list what begins with 'mart/'.")
    tap.equal(p.wherry("policy", "--team", "all", "--json", env=env).err, "")


def test_what_is_refused():
    """Patterns that mean nothing, or something else than they seem to, and words that are wrong"""
    def said(teams):
        return Project(config=f"{PLACES}teams: {teams}\n").wherry("policy", code=2).err
    for pattern, why in (("mart/finance/../hr/**", "'.' and '..' are no parts of keys"), ("mart//hr", "no empty parts"),
                         ("mart/finance/", "do not begin or end with '/'"), ("mart/{run}", "names in braces are for `to`")):
        tap.contains(said(f'{{ t: {{ read: ["lake:{pattern}"] }} }}'), why)
    tap.contains(said("{ t: { read: lake } }"), "say which objects of lake, such as lake:mart/finance/**")
    tap.contains(said("{ t: { read: \"staff:x\" } }"), "a dynamodb is no object store")
    tap.contains(said("{ t: { read: \"lak:x\" } }"), "no connection 'lak'. Did you mean 'lake'?")
    tap.contains(said("{ t: { reed: \"lake:x\" } }"), "Did you mean 'read'?")
    tap.contains(said("{ t: }"), "team t: say what it may do")
    p = project_of("back")
    tap.contains(p.wherry("policy", "--team", "finanse", code=2).err, "no team 'finanse'. Did you mean 'finance'?")
    tap.contains(p.wherry("policy", "bak", code=2).err, "Did you mean 'back'?")
    tap.contains(p.wherry("policy", "--account", "12", code=2).err, "--account takes the 12 digits")
    tap.contains(p.wherry("policy", "--team", "finance", "back", code=2).err, "exclude each other")
    none = Project().wherry("policy")
    tap.equal(json.loads(none.out), {"Version": "2012-10-17", "Statement": []})
    tap.contains(none.err, "Nothing here is AWS's")


tap.run()
