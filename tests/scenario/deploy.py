#!/usr/bin/env python3
"""`wherry deploy`: the worked examples run on what their stacks make in moto, under the policies that are in them;
cfn-lint finds nothing; Terraform is told the same, resource by resource; and no secret gets into either."""
import aws

aws.require()

import io  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import time  # noqa: E402
import zipfile  # noqa: E402

import gateway_events  # noqa: E402
import iam_judge  # noqa: E402
import lambda_api  # noqa: E402
import servers  # noqa: E402
import stacks  # noqa: E402
import tap  # noqa: E402
from project import Project  # noqa: E402

EXAMPLES = ("order-status", "employees", "data-platform")
SENTINEL = "s3ntinel-that-nobody-may-see"
started = []
EVERYTHING = """\
version: 1
ledger: dynamodb:Ledgers
catalog: staff:Objects
quarantine: lake
log: { to: cloudwatch, group: /wherry/all, region: eu-west-1 }
memory: 128MiB
connections:
  lake: { type: s3, bucket: acme-all, prefix: prod, region: eu-west-1, encryption: kms, encryption_key: alias/all }
  archive: { type: s3, bucket: acme-archive, region: eu-west-1, encryption: s3 }
  sealed: { type: s3, bucket: acme-sealed, region: eu-west-1, encryption: envelope, encryption_key: alias/all }
  staff: { type: dynamodb, region: eu-west-1, ttl: left_at, read_capacity: 5, write_capacity: 5 }
  website: { type: postgres, host: "${WEBSITE_HOST}", user: wherry, database: w, password: "${ssm:/all/website}" }
  alerts: { type: sns, topic: "arn:aws:sns:eu-west-1:123456789012:alerts.fifo" }
  uploads: { type: sqs, queue: "arn:aws:sqs:eu-west-1:123456789012:uploads" }
  told: { type: sqs, queue: "https://sqs.eu-west-1.amazonaws.com/123456789012/told.fifo" }
pipelines:
  people:
    when: { event: uploads }
    from: lake:in/people/**/*.json
    columns:
      emp_id: { from: emp_id, type: int64 }
      unit: { from: unit, type: text }
      left_at: { from: left_at, type: timestamp }
    to: staff:People
    write: { mode: upsert, key: [unit, emp_id] }
    attempts: 9
  visits:
    when: new
    from: lake:in/visits/*.json
    columns: all
    to: archive:visits/{year}/visits-{run}.parquet
    notify: alerts
  nightly:
    when: { cron: "30 2 * * mon-fri", timezone: Europe/London, jitter: 10m }
    from: staff:People
    columns: { emp_id: emp_id }
    to: sealed:people/people-{run}.csv
    notify: { to: told, on: [failed] }
  hourly:
    when: { every: 2h }
    from: staff:People
    columns: { emp_id: emp_id }
    to: sealed:hourly/people-{run}.csv
  to-website:
    when: { every: 5m }
    from: staff:People
    columns: { emp_id: emp_id }
    to: website:people
teams:
  fleet: { read: ["lake:mart/fleet/**"], write: ["lake:mart/fleet/in/**"] }
"""


ENDPOINTS = """\
version: 1
connections:
  events: { type: sqs, queue: "arn:aws:sqs:eu-west-1:123456789012:events" }
  orders: { type: sqs, queue: "arn:aws:sqs:eu-west-1:123456789012:orders.fifo" }
  shop: { type: postgres, host: db.example, user: wherry, database: shop, password: "${ssm:/shop/database}" }
serve:
  lookups:
    order: { from: shop:orders, by: number, show: [status], proof: { postcode: proof } }
  ingest:
    payments:
      columns: { event_id: { type: text, required: true } }
      auth: { api_key: "${ssm:/events/key}" }
      to: events
      rate: 50
      concurrency: 20
    shop-orders:
      columns: { event_id: text }
      auth: { hmac: { secret: "${SIGNING}" } }
      to: orders
    kept:
      columns: { event_id: text }
      auth: { api_key: "${secret:key}" }
masks:
  proof: { hmac: "${ssm:/shop/proof}" }
"""


def moto():
    if not started:
        started.append(aws.Moto())
    started[0].reset()
    return started[0]


def example(name):
    """A project with the example's files."""
    folder = tap.folder()
    for file in ("wherry.yaml", "wherry.prod.yaml"):
        shutil.copy(tap.ROOT / "examples" / name / file, folder)
    if (tap.ROOT / "examples" / name / "models").exists():
        shutil.copytree(tap.ROOT / "examples" / name / "models", folder / "models")
    p = Project.__new__(Project)
    p.folder = folder
    return p


def everything():
    return Project(config=EVERYTHING)


def endpoints(text=ENDPOINTS):
    return Project(config=text)


def deploy(p, *args, env=None, code=0):
    """Without anything of AWS's in the environment: nothing may be asked."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    return p.wherry("deploy", *args, env={**kept, "AWS_CONFIG_FILE": "/none", "AWS_SHARED_CREDENTIALS_FILE": "/none", **(env or {})},
                    code=code)


def both(p, *args):
    return (stacks.template(deploy(p, *args).out, WebsiteHost="db.example", Signing="k" * 32),
            stacks.terraform(deploy(p, *args, "--format", "terraform").out, WebsiteHost="db.example", Signing="k" * 32))


def projects():
    """Of each what a stack is asked for with."""
    yield from ((name, example(name), ["--env", "prod"]) for name in EXAMPLES)
    yield "machines", example("employees"), ["--env", "prod", "--no-function", "--name", "hr"]
    yield "everything", everything(), []
    yield "endpoints", endpoints(), ["--name", "hooks"]
    yield "named", everything(), ["people", "to-website"]
    yield "existing", everything(), ["--existing", "lake", "--existing", "uploads", "--existing", "ledger"]


# --- the writers ---------------------------------------------------------------------------------


def lint(text):
    file = tap.folder() / "stack.json"
    file.write_text(text)
    done = subprocess.run([aws.INSTALLED / "bin/cfn-lint", "-t", file, "-r", aws.REGION, "--format", "parseable"],
                          capture_output=True, text=True, timeout=300, cwd=file.parent)
    return done.returncode, done.stdout + done.stderr


def test_cfn_lint_finds_nothing():
    if not (aws.INSTALLED / "bin/cfn-lint").exists():
        raise tap.Skip("cfn-lint is not installed (scripts/install-aws-peers)")
    for name, p, args in projects():
        tap.equal(lint(deploy(p, *args).out), (0, ""), name)
    spoiled = deploy(example("employees"), "--env", "prod").out.replace('"VisibilityTimeout"', '"VisibilityTimeOut"')
    code, said = lint(spoiled)
    assert code and "VisibilityTimeOut" in said, "the linter sleeps"


def test_terraform_says_the_same():
    for name, p, args in projects():
        cloudformation, terraform = both(p, *args)
        assert len(cloudformation.resources) > 8, cloudformation.resources
        tap.equal(sorted(terraform.resources), sorted(cloudformation.resources), name)
        for id_, resource in cloudformation.resources.items():
            tap.equal(repr(terraform.resources[id_]), repr(resource), f"{name}: {id_}")
        tap.equal(terraform.parameters, cloudformation.parameters, name)
        tap.equal(terraform.before, cloudformation.before, name)


def run_terraform(folder, *args):
    env = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    return subprocess.run(["terraform", *args, "-no-color"], cwd=folder, env={**env, "CHECKPOINT_DISABLE": "1"}, capture_output=True,
                          text=True, timeout=300)


def terraform_folder(p, *args):
    if not shutil.which("terraform"):
        raise tap.Skip("terraform is not installed")
    folder = tap.folder()
    deploy(p, *args, "--format", "terraform", "-o", folder / "main.tf.json")
    return folder


def test_terraform_reads_it():
    """Terraform itself takes it for a configuration; resources are not looked into without the provider"""
    for name, p, args in projects():
        done = run_terraform(terraform_folder(p, *args), "providers")
        tap.equal((done.returncode, done.stderr), (0, ""), name)
        tap.contains(done.stdout, "hashicorp/aws] >= 5.0.0, < 7.0.0")


def test_terraform_validates_it():
    for name, p, args in projects():
        folder = terraform_folder(p, *args)
        providers = os.environ.get("TERRAFORM_PROVIDERS")  # a folder of them, where there is no registry
        done = run_terraform(folder, "init", "-backend=false", *([f"-plugin-dir={providers}"] if providers else []))
        if done.returncode:
            raise tap.Skip("the provider hashicorp/aws cannot be had here: terraform init fails (TERRAFORM_PROVIDERS "
                           "names a folder that has it)")
        done = run_terraform(folder, "validate")
        tap.equal(done.returncode, 0, f"{name}: {done.stdout}{done.stderr}")


def test_same_configuration_same_document():
    for format_ in ("cloudformation", "terraform"):
        texts = {deploy(everything(), "--format", format_).out for _ in range(3)}
        tap.equal(len(texts), 1)
        line = deploy(everything(), "--format", format_, "--json").out
        tap.equal(line.count("\n"), 1)
        tap.equal(json.loads(line), json.loads(texts.pop()))


def test_account_and_region_are_not_in_it():
    for _, p, args in projects():
        for format_ in ("cloudformation", "terraform"):
            text = deploy(p, *args, "--format", format_).out
            assert stacks.ACCOUNT not in text and "eu-west-1" not in text and "arn:aws:" not in text, text


def test_no_secret_is_in_it():
    """A secret is a name there, whatever its value is, and wherever it stands"""
    text = EVERYTHING.replace("${ssm:/all/website}", SENTINEL)
    p = Project(config=text.replace("user: wherry", "user: wherry-app"))
    shown = set()
    for project, env in ((p, {}), (everything(), {"WEBSITE_HOST": SENTINEL, "AWS_SECRET_ACCESS_KEY": SENTINEL})):
        for format_ in ("cloudformation", "terraform"):
            for more in ((), ("people", "to-website"), ("--deployer",)):
                done = deploy(project, *more, "--format", format_, env=env)
                assert SENTINEL not in done.out + done.err, (format_, more)
                shown.add(done.out)
    assert any("/all/website" in one for one in shown)
    for format_ in (stacks.template(deploy(everything(), "to-website").out, WebsiteHost="x"),
                    stacks.terraform(deploy(everything(), "to-website", "--format", "terraform").out, WebsiteHost="x")):
        tap.equal(format_.before, ["The parameter /all/website has its value: wherry secret set 'ssm:/all/website'"])
        tap.equal(format_.parameters, {"CodeBucket": False, "CodeKey": False, "WebsiteHost": True})
        function = next(iter(format_.of_type("AWS::Lambda::Function").values()))
        tap.equal(function["Environment"], {"Variables": {"WEBSITE_HOST": "x"}})
        assert not format_.of_type("AWS::SSM::Parameter")


# --- what is in it -------------------------------------------------------------------------------


def test_places():
    """Buckets, keys, queues, topics, tables and the log: each as it has to be"""
    stack = stacks.template(deploy(everything()).out)
    buckets = stack.of_type("AWS::S3::Bucket")
    tap.equal(sorted(buckets), ["ArchiveBucket", "LakeBucket", "SealedBucket"])
    for id_, bucket in buckets.items():
        assert stack.resources[id_].keeps
        tap.equal(bucket["VersioningConfiguration"], {"Status": "Enabled"})
        tap.equal(set(bucket["PublicAccessBlockConfiguration"].values()), {True})
    def encryption(id_):
        return buckets[id_]["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]["ServerSideEncryptionByDefault"]
    keys = stack.of_type("AWS::KMS::Key")
    tap.equal((len(keys), keys["AllKey"]["EnableKeyRotation"]), (1, True))
    tap.equal(stack.of_type("AWS::KMS::Alias")["AllAlias"]["AliasName"], "alias/all")
    tap.equal(encryption("LakeBucket"), {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": stacks.arn("AWS::KMS::Key", keys["AllKey"])})
    tap.equal(encryption("ArchiveBucket"), {"SSEAlgorithm": "AES256"})
    queues = stack.of_type("AWS::SQS::Queue")
    tap.equal(sorted(q["QueueName"] for q in queues.values()),
              ["told-dead.fifo", "told.fifo", "uploads", "uploads-dead", "wherry-new", "wherry-new-dead"])
    tap.equal(queues["UploadsQueue"]["RedrivePolicy"],
              {"deadLetterTargetArn": f"arn:aws:sqs:{aws.REGION}:{stacks.ACCOUNT}:uploads-dead", "maxReceiveCount": 9})
    tap.equal((queues["UploadsQueue"]["VisibilityTimeout"], queues["ToldQueue"]["VisibilityTimeout"]), (1800, 300))
    tap.equal((queues["ToldQueue"]["FifoQueue"], queues["ToldDeadLetters"]["FifoQueue"]), (True, True))
    tap.equal(stack.of_type("AWS::SNS::Topic")["AlertsTopic"],
              {"TopicName": "alerts.fifo", "KmsMasterKeyId": "alias/aws/sns", "FifoTopic": True})
    tables = {t["TableName"]: t for t in stack.of_type("AWS::DynamoDB::Table").values()}
    def keys_of(name):
        kinds = {a["AttributeName"]: a["AttributeType"] for a in tables[name]["AttributeDefinitions"]}
        return [(k["AttributeName"], k["KeyType"], kinds[k["AttributeName"]]) for k in tables[name]["KeySchema"]]
    tap.equal(keys_of("People"), [("unit", "HASH", "S"), ("emp_id", "RANGE", "N")])
    tap.equal(keys_of("Objects"), [("id", "HASH", "S")])
    tap.equal(keys_of("Ledgers"), [("ledger", "HASH", "S"), ("part", "RANGE", "N")])
    tap.equal(keys_of("_wherry_marks"), [("pipeline", "HASH", "S"), ("id", "RANGE", "S")])
    tap.equal(tables["People"]["TimeToLiveSpecification"], {"AttributeName": "left_at", "Enabled": True})
    tap.equal(tables["People"]["BillingMode"], "PROVISIONED")
    assert all(t["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] and t["SSESpecification"]["SSEEnabled"]
               for t in tables.values())


def test_keys_that_are_there():
    """AWS's own aliases, and keys that an id or an ARN names, are used and not made"""
    arn = "arn:aws:kms:eu-west-1:999999999999:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    for key, before in (("alias/aws/s3", False), (arn, True), (arn.rsplit("/", 1)[1], True)):
        p = Project(config=EVERYTHING.replace("alias/all", key))
        stack = stacks.template(deploy(p).out)
        assert not stack.of_type("AWS::KMS::Key") and not stack.of_type("AWS::KMS::Alias"), key
        rule = stack.of_type("AWS::S3::Bucket")["LakeBucket"]["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]
        tap.equal(rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"], key)
        tap.equal(f"The key {key} of KMS is there." in stack.before, before, key)


def test_tables_that_are_only_read():
    p = Project(config=EVERYTHING.replace("from: staff:People\n    columns: { emp_id: emp_id }\n    to: website:people",
                                          "from: staff:Visitors\n    columns: { emp_id: emp_id }\n    to: website:people"))
    assert "The table Visitors is there: it is only read." in stacks.template(deploy(p).out).before


def changes():
    """A table whose changes a pipeline reads."""
    stream = "  changes: { type: dynamodb-stream, region: eu-west-1, table: People, columns: { emp_id: int64 } }\npipelines:\n"
    reader = "  follow:\n    when: { gathered: {} }\n    from: changes\n    columns: all\n    to: sealed:changes/{run}.json\n"
    # What is gathered is on a disk of one machine, and a ledger is shared.
    config = "\n".join(line for line in EVERYTHING.split("\n") if not line.startswith("ledger:"))
    return Project(config=config.replace("pipelines:\n", stream + reader, 1))


def test_a_stream_is_switched_on_where_it_is_read():
    for stack in both(changes(), "--no-function"):
        tables = {t["TableName"]: t for t in stack.of_type("AWS::DynamoDB::Table").values()}
        tap.equal(tables["People"]["StreamSpecification"], {"StreamViewType": "NEW_AND_OLD_IMAGES"})
        assert not any("StreamSpecification" in t for name, t in tables.items() if name != "People"), tables
    p = changes()
    p.config((p.folder / "wherry.yaml").read_text().replace("table: People,", "table: Others,"))
    assert any("The table Others is there, with a stream" in line for line in stacks.template(deploy(p, "--no-function").out).before)


def test_only_tls():
    stack = stacks.template(deploy(everything()).out)
    for id_, policy in stack.of_type("AWS::S3::BucketPolicy").items():
        statement = policy["PolicyDocument"]["Statement"][0]
        arn = f"arn:aws:s3:::{policy['Bucket']}"
        tap.equal((statement["Effect"], statement["Principal"], statement["Action"], statement["Resource"], statement["Condition"]),
                  ("Deny", "*", "s3:*", [arn, f"{arn}/*"], {"Bool": {"aws:SecureTransport": "false"}}), id_)
    tap.equal(len(stack.of_type("AWS::S3::BucketPolicy")), 3)


def test_what_starts_the_function():
    stack = stacks.template(deploy(everything()).out)
    sources = {p["EventSourceArn"].rsplit(":", 1)[1]: p for p in stack.of_type("AWS::Lambda::EventSourceMapping").values()}
    tap.equal(sorted(sources), ["uploads", "wherry-new"])
    assert all(p["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for p in sources.values())
    schedules = {p["Name"]: p for p in stack.of_type("AWS::Scheduler::Schedule").values()}
    tap.equal({n: (p["ScheduleExpression"], p["ScheduleExpressionTimezone"], p["Target"]["Input"]) for n, p in schedules.items()},
              {"wherry-nightly": ("cron(30 2 ? * MON,TUE,WED,THU,FRI *)", "Europe/London", '{"pipeline":"nightly"}'),
               "wherry-hourly": ("rate(2 hours)", "UTC", '{"pipeline":"hourly"}')})
    tap.equal({n: p["FlexibleTimeWindow"] for n, p in schedules.items()},
              {"wherry-nightly": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 10}, "wherry-hourly": {"Mode": "OFF"}})
    bucket = stack.of_type("AWS::S3::Bucket")["LakeBucket"]
    told = {t["Queue"].rsplit(":", 1)[1]: {r["Name"]: r["Value"] for r in t["Filter"]["S3Key"]["Rules"]}
            for t in bucket["NotificationConfiguration"]["QueueConfigurations"]}
    tap.equal(told, {"uploads": {"prefix": "prod/in/people/", "suffix": ".json"}, "wherry-new": {"prefix": "prod/in/visits/", "suffix": ".json"}})
    tap.equal(stack.resources["LakeBucket"].depends, ["NewObjectsQueuePolicy", "UploadsQueuePolicy"])
    function = stack.of_type("AWS::Lambda::Function")["Function"]
    tap.equal((function["Runtime"], function["Handler"], function["MemorySize"]), ("provided.al2023", "wherry", 320))
    roles = {p["RoleName"]: p for p in stack.of_type("AWS::IAM::Role").values()}
    tap.equal(sorted(roles), ["wherry-function", "wherry-schedule", "wherry-team-fleet"])
    tap.equal(stack.documents()["wherry-schedule"]["Statement"][0]["Resource"], function_arn())


def function_arn():
    return f"arn:aws:lambda:{aws.REGION}:{stacks.ACCOUNT}:function:wherry"


WHENS = {
    "{ every: 1m }": "rate(1 minute)", "{ every: 90m }": "rate(90 minutes)", "{ every: 1h }": "rate(1 hour)", "{ every: 7d }": "rate(7 days)",
    '{ cron: "*/15 8-10 * jan,mar *" }': "cron(0,15,30,45 8,9,10 * 1,3 ? *)", '{ cron: "0 0 1 * *" }': "cron(0 0 1 * ? *)",
    '{ cron: "@weekly" }': "cron(0 0 ? * SUN *)", '{ cron: "0 6 * * 7" }': "cron(0 6 ? * SUN *)",
}


def test_schedules():
    for when, expression in WHENS.items():
        p = Project(config=EVERYTHING.replace("{ every: 2h }", when))
        stack = stacks.template(deploy(p).out)
        tap.equal(stack.of_type("AWS::Scheduler::Schedule")["HourlySchedule"]["ScheduleExpression"], expression, when)
    for when, why in (("{ every: 30s }", "whole minutes"), ('{ cron: "0 6 1 * mon" }', "not both")):
        p = Project(config=EVERYTHING.replace("{ every: 2h }", when))
        done = deploy(p)
        tap.contains(done.err, "hourly runs on a machine")
        tap.contains(done.err, why)
        tap.contains(deploy(p, "hourly", code=2).err, "hourly cannot run as a function")


def test_where_pipelines_run():
    """By themselves those of AWS's services alone; others when they are named, and can"""
    said = deploy(everything()).err
    for name in ("people", "visits", "nightly", "hourly"):
        tap.contains(said, f"{name} runs as a function.")
    tap.contains(said, "to-website runs on a machine: website is no service of AWS's")
    stack = stacks.template(deploy(everything(), "to-website").out, WebsiteHost="x")
    tap.equal(sorted(p["ManagedPolicyName"] for p in stack.of_type("AWS::IAM::ManagedPolicy").values()),
              ["wherry-hourly", "wherry-nightly", "wherry-people", "wherry-visits"])
    none = stacks.template(deploy(everything(), "--no-function").out)
    assert not none.of_type("AWS::Lambda::Function") and not none.of_type("AWS::Scheduler::Schedule")
    tap.equal(len(none.of_type("AWS::IAM::ManagedPolicy")), 5)
    tap.contains(deploy(example("order-status"), "export-orders", "--env", "prod", code=2).err, "erp is on the disk of a machine")
    tap.contains(deploy(example("data-platform"), "clean-cars", "--env", "prod", code=2).err, "ledger: dynamodb:TABLE")
    keyring = EVERYTHING.replace("${ssm:/all/website}", "${secret:website}")
    tap.contains(deploy(Project(config=keyring), "to-website", code=2).err, "in the keyring of a machine")


def test_who_publishes_a_site():
    """A policy of its own: what publishing takes, in the site's place alone"""
    p = Project(config="version: 1\nconnections:\n  web: { type: s3, bucket: acme-web, region: eu-west-1 }\n"
                       "pipelines: {}\nsites:\n  report: { from: report, to: \"web:report/\" }\n")
    stack = stacks.template(deploy(p).out)
    policy, = stack.of_type("AWS::IAM::ManagedPolicy").values()
    tap.equal(policy["ManagedPolicyName"], "wherry-site-report")
    puts = {r for s in policy["PolicyDocument"]["Statement"] if "s3:PutObject" in s["Action"] for r in s["Resource"]}
    tap.equal({r.split(":::")[1] for r in puts}, {"acme-web/report/*", "acme-web/_wherry/sites/report/*.json", "acme-web/_wherry/attempts/*"})


def test_who_waits_for_the_same_objects_stays_together():
    more = """\
  to-site:
    when: { event: uploads }
    from: lake:in/people/**/*.json
    columns: { emp_id: emp_id }
    to: website:site
"""
    p = Project(config=EVERYTHING.replace("teams:\n", f"{more}teams:\n"))
    done = deploy(p)
    tap.contains(done.err, "people runs on a machine: to-site waits for the same objects, and runs on a machine")
    tap.contains(deploy(p, "people", code=2).err, "people cannot run as a function: to-site waits")
    tap.equal(deploy(p, "people", "to-site").err.count("as a function."), 2)


def test_a_queue_is_told_once():
    """Patterns of one queue that overlap are one notification; those of two queues are refused, as by S3"""
    more = """\
  again:
    when: { event: uploads }
    from: lake:in/people/2026/*.json
    columns: { emp_id: emp_id }
    to: archive:again/again-{run}.json
"""
    p = Project(config=EVERYTHING.replace("teams:\n", f"{more}teams:\n"))
    told = stacks.template(deploy(p).out).of_type("AWS::S3::Bucket")["LakeBucket"]["NotificationConfiguration"]["QueueConfigurations"]
    tap.equal(sorted(t["Filter"]["S3Key"]["Rules"][0]["Value"] for t in told), ["prod/in/people/", "prod/in/visits/"])
    p = Project(config=EVERYTHING.replace("teams:\n", more.replace("event: uploads", "event: told") + "teams:\n"))
    tap.equal(len(stacks.template(deploy(p).out).of_type("AWS::Lambda::EventSourceMapping")), 3)  # the function takes all
    tap.contains(deploy(p, "--no-function", code=2).err, "which S3 refuses")


def test_what_is_there_already():
    """Nothing is made of a connection that is there; what it has to be told is said"""
    done = deploy(everything(), "--existing", "lake", "--existing", "uploads", "--existing", "ledger")
    stack = stacks.template(done.out)
    tap.equal(sorted(stack.of_type("AWS::S3::Bucket")), ["ArchiveBucket", "SealedBucket"])
    names = {q["QueueName"] for q in stack.of_type("AWS::SQS::Queue").values()}
    assert "uploads" not in names and "Ledgers" not in {t["TableName"] for t in stack.of_type("AWS::DynamoDB::Table").values()}
    tap.contains(done.err, "lake is there already: let its bucket tell the queue")
    assert any("lets s3.amazonaws.com send to it" in one for one in stack.before), stack.before
    document = stack.documents()["wherry-function"]
    made = [s for s in document["Statement"] if "dynamodb:CreateTable" in s["Action"]]
    tap.equal([s["Resource"] for s in made], [[f"arn:aws:dynamodb:{aws.REGION}:{stacks.ACCOUNT}:table/Ledgers"]])
    tap.contains(deploy(everything(), "--existing", "lke", code=2).err, "no such connection")
    other = EVERYTHING.replace("bucket: acme-archive, region: eu-west-1", "bucket: acme-archive, region: us-east-1")
    tap.contains(deploy(Project(config=other), code=2).err, "a stack has one")
    deploy(Project(config=other), "--existing", "archive")
    elsewhere = EVERYTHING.replace("bucket: acme-archive,", "bucket: acme-archive, endpoint: 'https://s3.example',")
    done = deploy(Project(config=elsewhere))
    tap.contains(done.err, "archive is not AWS's, but at https://s3.example")
    assert "acme-archive" not in json.dumps(stacks.template(done.out).of_type("AWS::S3::Bucket"))


def test_a_key_whose_type_nobody_knows():
    p = Project(config=EVERYTHING.replace("{ from: emp_id, type: int64 }", "emp_id"))
    done = deploy(p)
    tap.contains(done.err, "the table People is made by the first run")
    stack = stacks.template(done.out)
    assert "People" not in {t["TableName"] for t in stack.of_type("AWS::DynamoDB::Table").values()}
    document = stack.documents()["wherry-function"]
    made = [s["Resource"] for s in document["Statement"] if "dynamodb:CreateTable" in s["Action"]]
    tap.equal(made, [[f"arn:aws:dynamodb:{aws.REGION}:{stacks.ACCOUNT}:table/People"]])


def test_misuse():
    p = everything()
    for args, said in ((["--format", "pulumi"], "cloudformation or terraform"), (["--name", "1x"], "a letter first"),
                       (["--name", "x" * 33], "32"), (["--account", "1"], "12 digits"), (["nobody"], "no pipeline"),
                       (["--no-function", "people"], "exclude each other")):
        tap.contains(deploy(p, *args, code=2).err, said)
    long = EVERYTHING.replace("fleet: {", "f" * 60 + ": {")
    tap.contains(deploy(Project(config=long), code=None).err, "shorter --name")
    tap.equal(deploy(Project()).out.count("AWS::"), 0)


# --- the examples on their stacks ----------------------------------------------------------------


def prepare_code(server):
    server.make_bucket("code")
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("bootstrap", "")
    server.client("s3").put_object(Bucket="code", Key="wherry-lambda.zip", Body=data.getvalue())


def create(server, p, *args, name="wherry", **parameters):
    prepare_code(server)
    # Where S3 is not AWS's own, whoever publishes first tries whether it keeps its conditions.
    text = deploy(p, *args, env={"AWS_ENDPOINT_URL_S3": server.url}).out
    return stacks.create(server, name, text, **parameters)


def listed(document):
    return {**document, "Statement": [{**s, "Resource": s["Resource"] if isinstance(s["Resource"], list) else [s["Resource"]]}
                                      for s in document["Statement"]]}


class Holder:
    """Who has one of the stack's policies, and nothing else: the judge knows what moto does not (see aws.Moto)."""

    def __init__(self, server, document):
        self.server, self.judge = server, iam_judge.Judge(server.port, listed(document))
        self.env = server.env(url=self.judge.url)

    def check(self):
        # What is asked for a hint, and the group of the log, which is there.
        denied = [d for d in self.judge.denied if d[0] not in ("dynamodb:ListTables", "logs:CreateLogGroup")]
        assert not denied, denied

    def status(self, service, call, **words):
        import botocore.exceptions
        try:
            client = self.server.client(service, url=self.judge.url)
            return getattr(client, call)(**words)["ResponseMetadata"]["HTTPStatusCode"]
        except botocore.exceptions.ClientError as refused:
            return refused.response["ResponseMetadata"]["HTTPStatusCode"]

    def check_denied(self, service, call, **words):
        before = len(self.judge.denied)
        assert self.status(service, call, **words) in (400, 403), f"{call} {words} is allowed"
        assert len(self.judge.denied) > before, "it was not the policy that denied it"


def record(n, minute):
    return {"emp_id": n, "name": f"Größe {n}", "department": " Sales", "salary": 100000 + n, "rate": 12.5, "iban": "XX00",
            "updated_at": f"2026-11-21T08:{minute:02}:00Z"}


def stop_starting(server):
    """moto would run the function in a container."""
    client = server.client("lambda")
    for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
        client.delete_event_source_mapping(UUID=mapping["UUID"])


def test_employees_on_its_stack():
    """An upload comes through the stack's bucket and queue to the function, which has the stack's role"""
    s, p = moto(), example("employees")
    stack = create(s, p, "--env", "prod", name="employees")
    function = s.client("lambda").get_function(FunctionName="wherry")["Configuration"]
    tap.equal((function["Runtime"], function["Handler"], function["Role"]),
              ("provided.al2023", "wherry.prod", f"arn:aws:iam::{stacks.ACCOUNT}:role/wherry-function"))
    tap.equal(len(s.client("lambda").list_event_source_mappings()["EventSourceMappings"]), 1)
    tap.equal([t for t in s.client("dynamodb").list_tables()["TableNames"]], ["Employees", "_wherry_marks"])
    stop_starting(s)
    document = stack.documents()["wherry-function"]
    role = s.client("iam").get_role_policy(RoleName="wherry-function", PolicyName="pipelines")["PolicyDocument"]
    tap.equal(role, str(document))  # moto does not make JSON of it
    sqs = s.client("sqs")
    queue = sqs.get_queue_url(QueueName="employees")["QueueUrl"]
    holder = Holder(s, document)
    f = lambda_api.Function(p.folder, holder.env, handler="wherry.prod", program=tap.BUILD / "src/cli/bootstrap")
    for n, (name, minute) in enumerate((("a b+ü", 3), ("late", 1))):
        rows = [record(i, minute) for i in range(20 + n)]
        s.client("s3").put_object(Bucket="acme-employees", Key=f"inbound/hr/{name}.json", Body=json.dumps(rows).encode())
        s.client("s3").put_object(Bucket="acme-employees", Key=f"elsewhere/{name}.json", Body=b"[]")
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        keys = [r["s3"]["object"]["key"] for m in messages for r in json.loads(m["Body"]).get("Records", [])]
        assert len(keys) == 1 and keys[0].startswith("inbound"), keys
        tap.equal(lambda_api.failures(f.invoke(lambda_api.sqs(*((m["MessageId"], m["Body"]) for m in messages)))), [])
    tap.equal(f.stop(), 0)
    holder.check()
    items = s.client("dynamodb").scan(TableName="Employees")["Items"]
    tap.equal((len(items), {tuple(sorted(i)) for i in items}),
              (21, {("_wherry_order", "department", "emp_id", "hourly_rate", "name", "updated_at")}))
    unused = {a for st in document["Statement"] for a in st["Action"]} - holder.judge.used
    # What Lambda does with the role, not the function; a table that has rows; and what has no trouble needs none of.
    assert unused <= {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "s3:AbortMultipartUpload", "s3:DeleteObject",
                      "s3:PutObject", "s3:GetObjectVersion", "dynamodb:Scan", "logs:CreateLogStream", "logs:PutLogEvents",
                      "s3:ListBucket"}, unused
    holder.check_denied("s3", "get_object", Bucket="acme-employees", Key="elsewhere/late.json")
    holder.check_denied("s3", "put_object", Bucket="acme-employees", Key="inbound/hr/x.json", Body=b"x")
    holder.check_denied("dynamodb", "scan", TableName="Salaries")
    holder.check_denied("dynamodb", "delete_table", TableName="Employees")
    holder.check_denied("sqs", "send_message", QueueUrl=queue, MessageBody="x")


def count_of(server, queue):
    found = server.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
    return int(found["Attributes"]["ApproximateNumberOfMessages"])


def until(holds, process):
    end = time.monotonic() + 60
    while not holds():
        assert process.poll() is None and time.monotonic() < end, process.stdout.read() if process.poll() is not None else "too late"
        time.sleep(0.1)


def test_order_status_on_its_stack():
    """An office exports into the stack's bucket, the topic tells the queue, and the website's side loads from it; each
    has the policy that the stack has for it"""
    s, p, db = moto(), example("order-status"), servers.Postgres()
    stack = create(s, p, "--env", "prod", name="orders")
    for name, value in (("postcode-proof", "k" * 32), ("website-password", db.PASSWORD)):
        s.client("ssm").put_parameter(Name=f"/order-status/{name}", Value=value, Type="SecureString")
    db.sql("CREATE DATABASE website TEMPLATE template0", database="postgres")
    prod = p.folder / "wherry.prod.yaml"
    prod.write_text(prod.read_text().replace("database: website", f"database: website\n    port: {db.port}\n    tls: off"))
    p.sql("erp", "CREATE TABLE sales_order(id INTEGER PRIMARY KEY, order_number TEXT, customer_name TEXT, postcode TEXT, "
                 "status_code INTEGER, order_date TEXT, margin REAL, updated_at TIMESTAMP)")
    p.sql("erp", "INSERT INTO sales_order(order_number, customer_name, postcode, status_code, order_date, margin, updated_at) "
                 "VALUES ('SO1', 'Secret', 'BT1 1AA', 1, '2026-11-01', 0.3, '2026-11-20 08:00:00'), "
                 "('SO2', 'Secret', 'BT1 1AB', 3, '2026-11-01', 0.3, '2026-11-20 09:00:00')")
    documents = stack.documents()
    tap.equal(sorted(documents), ["wherry-export-orders", "wherry-import-orders", "wherry-serve"])
    office, site = (Holder(s, documents[f"wherry-{name}"]) for name in ("export-orders", "import-orders"))
    up = p.start("up", "export-orders", "--env", "prod", env={**office.env, "WEBSITE_HOST": db.host})
    queue = s.client("sqs").get_queue_url(QueueName="orders-arrivals")["QueueUrl"]
    until(lambda: count_of(s, queue) == 1, up)
    up.terminate()
    tap.equal(up.wait(60), 0)
    p.wherry("run", "import-orders", "--env", "prod", env={**site.env, "WEBSITE_HOST": db.host})
    office.check(), site.check()
    tap.equal(db.sql('SELECT "OrderNumber", "OrderStatus" FROM orders ORDER BY 1', database="website").splitlines(),
              ["SO1|Open", "SO2|Shipped"])
    office.check_denied("ssm", "get_parameter", Name="/order-status/website-password", WithDecryption=True)
    site.check_denied("s3", "put_object", Bucket="acme-orders", Key="inbound/erp/orders/x.json", Body=b"x")
    site.check_denied("sns", "publish", TopicArn=f"arn:aws:sns:{aws.REGION}:{stacks.ACCOUNT}:orders-published", Message="x")
    bucket = stack.of_type("AWS::S3::Bucket")["LakeBucket"]
    assert "NotificationConfiguration" not in bucket, "the queue would be told of everything twice"


def test_data_platform_on_its_stack():
    """The lake's pipelines and its catalogue on the stack's bucket, key and table; teams see their own prefix"""
    s, p = moto(), example("data-platform")
    stack = create(s, p, "--env", "prod", name="platform")
    tap.equal(sorted(t["TableName"] for t in stack.of_type("AWS::DynamoDB::Table").values()), ["_wherry_marks", "objects"])
    key = s.client("kms").describe_key(KeyId="alias/platform")["KeyMetadata"]
    tap.equal(s.client("kms").get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"], True)
    rule = s.client("s3").get_bucket_encryption(Bucket="acme-platform")["ServerSideEncryptionConfiguration"]["Rules"][0]
    tap.equal(rule["ApplyServerSideEncryptionByDefault"], {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key["Arn"]})
    s.client("s3").put_object(Bucket="acme-platform", Key="inbound/partner/2026/11/20/cars.csv",
                              Body=b"customer_id,car_model,colour,registration_plate\n" + b"1,Micra,Red,ab12 cde\n" * 2)
    policies = {n: d for n, d in stack.documents().items() if n.startswith("wherry-clean") or n.startswith("wherry-mart")}
    tap.equal(len(policies), 7)
    machine = Holder(s, {"Statement": [one for document in policies.values() for one in document["Statement"]]})
    p.wherry("run", "clean-cars", "--env", "prod", env=machine.env)  # and what that makes due
    machine.check()
    keys = [o["Key"] for o in s.client("s3").list_objects_v2(Bucket="acme-platform")["Contents"]]
    made = [k for k in keys if k.startswith("mart/fleet/cars/")]
    tap.equal(len(made), 1, keys)
    tap.equal(s.client("dynamodb").scan(TableName="objects")["Count"], 2)
    fleet, marketing = (Holder(s, stack.documents()[f"wherry-team-{team}"]) for team in ("fleet", "marketing"))
    tap.equal(fleet.status("s3", "get_object", Bucket="acme-platform", Key=made[0]), 200)
    marketing.check_denied("s3", "get_object", Bucket="acme-platform", Key=made[0])
    fleet.check_denied("s3", "put_object", Bucket="acme-platform", Key=made[0], Body=b"x")


def test_everything_in_moto():
    """A stack with one of each kind is made, schedules and all"""
    s = moto()
    stack = create(s, everything(), "people", "visits", "nightly", "hourly", "to-website", WebsiteHost="db.example")
    named = {x["Name"] for x in s.client("scheduler").list_schedules()["Schedules"]}
    tap.equal(named, {"wherry-nightly", "wherry-hourly", "wherry-to-website"})
    told = s.client("s3").get_bucket_notification_configuration(Bucket="acme-all")["QueueConfigurations"]
    tap.equal(len(told), 2)
    tap.equal(len(stack.of_type("AWS::IAM::ManagedPolicy")), 0)
    attributes = s.client("sqs").get_queue_attributes(QueueUrl=s.client("sqs").get_queue_url(QueueName="uploads")["QueueUrl"],
                                                      AttributeNames=["All"])["Attributes"]
    tap.equal(json.loads(attributes["RedrivePolicy"])["maxReceiveCount"], 9)


# --- endpoints -----------------------------------------------------------------------------------


def test_endpoints_behind_an_api():
    """Each endpoint whose events go to a queue is a route of an HTTP API in front of the function, with its limits"""
    done = deploy(endpoints(), "--name", "hooks")
    stack = stacks.template(done.out, Signing="x" * 32)
    tap.contains(done.err, "/ingest/payments is served by the function.")
    tap.contains(done.err, "/ingest/kept is served by a machine: its events are kept on a disk; with to: QUEUE they need none.")
    function = f"arn:aws:lambda:{aws.REGION}:{stacks.ACCOUNT}:function:hooks"
    tap.equal(stack.of_type("AWS::ApiGatewayV2::Api"), {"Api": {"Name": "hooks", "ProtocolType": "HTTP"}})
    integration = stack.of_type("AWS::ApiGatewayV2::Integration")["Integration"]
    tap.equal((integration["IntegrationUri"], integration["PayloadFormatVersion"]), (function, "2.0"))
    routes = stack.of_type("AWS::ApiGatewayV2::Route")
    tap.equal({r["RouteKey"] for r in routes.values()}, {"POST /ingest/payments", "POST /ingest/shop-orders"})
    assert all(r["Target"] == f"integrations/integration-of-{function}" for r in routes.values())
    stage = stack.of_type("AWS::ApiGatewayV2::Stage")["Stage"]
    tap.equal((stage["StageName"], stage["AutoDeploy"]), ("$default", True))
    tap.equal(stage["RouteSettings"], {"POST /ingest/payments": {"ThrottlingBurstLimit": 20, "ThrottlingRateLimit": 50}})
    tap.equal(stack.resources["Stage"].depends, ["PaymentsRoute"])
    tap.equal(list(stack.of_type("AWS::Lambda::Permission").values()), [{
        "FunctionName": "hooks", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com",
        "SourceArn": f"arn:aws:execute-api:{aws.REGION}:{stacks.ACCOUNT}:api-hooks/*/POST/ingest/*"}])
    tap.equal(stack.parameters, {"CodeBucket": False, "CodeKey": False, "Signing": True})
    tap.equal(stack.of_type("AWS::Lambda::Function")["Function"]["Environment"], {"Variables": {"SIGNING": "x" * 32}})
    assert not stack.of_type("AWS::Lambda::EventSourceMapping")
    queues = {q["QueueName"] for q in stack.of_type("AWS::SQS::Queue").values()}
    tap.equal(queues, {"events", "events-dead", "orders.fifo", "orders-dead.fifo"})


def test_the_function_may_send_to_its_queues_alone():
    stack = stacks.template(deploy(endpoints(), "--name", "hooks").out, Signing="x")
    at = f"{aws.REGION}:{stacks.ACCOUNT}"
    documents = stack.documents()
    tap.equal(sorted(documents), ["hooks-function", "hooks-serve"])
    rights = [(action, resource) for s in documents["hooks-function"]["Statement"] for action in s["Action"]
              for resource in (s["Resource"] if isinstance(s["Resource"], list) else [s["Resource"]])]
    tap.equal(sorted(r for r in rights if r[0].startswith("sqs:")),
              [("sqs:SendMessage", f"arn:aws:sqs:{at}:events"), ("sqs:SendMessage", f"arn:aws:sqs:{at}:orders.fifo")])
    tap.equal([r for r in rights if r[0] == "ssm:GetParameter"], [("ssm:GetParameter", f"arn:aws:ssm:{at}:parameter/events/key")])
    tap.equal({a for a, _ in rights}, {"sqs:SendMessage", "ssm:GetParameter", "kms:Decrypt", "logs:CreateLogStream", "logs:PutLogEvents"})
    assert not any(a.startswith("sqs:") for s in documents["hooks-serve"]["Statement"] for a in s["Action"])


WHY_A_MACHINE = (
    ("to: events", "to: elsewhere", "elsewhere is not AWS's"),
    ('auth: { api_key: "${ssm:/events/key}" }', 'auth: { api_key: "${secret:key}" }', "is in the keyring of a machine"),
    ('auth: { api_key: "${ssm:/events/key}" }', "auth: { bearer: { jwks: keys.json, issuer: https://i.example, audience: a } }",
     "its keys are on the disk of a machine"),
    ('      auth: { api_key: "${ssm:/events/key}" }\n', "", "it does not say who may send"),
    ("masks:\n", 'pipelines:\n  land:\n    from: ingest:payments\n    columns: { event_id: event_id }\n    to: shop:payments\nmasks:\n',
     "a pipeline reads its events from the disk that took them"))


def test_where_endpoints_are_served():
    elsewhere = 'connections:\n  elsewhere: { type: sqs, queue: "http://queue.example/123456789012/q", endpoint: "http://queue.example" }\n'
    for old, new, why in WHY_A_MACHINE:
        text = ENDPOINTS.replace("connections:\n", elsewhere)
        assert old in text
        done = deploy(endpoints(text.replace(old, new, 1)))
        tap.contains(done.err, "/ingest/payments is served by a machine: ")
        tap.contains(done.err, why)
        tap.contains(done.err, "/ingest/shop-orders is served by the function.")
    done = deploy(endpoints(), "--no-function")
    tap.contains(done.err, "/ingest/payments is served by a machine: no function is wanted.")
    stack = stacks.template(done.out)
    tap.equal((stack.of_type("AWS::ApiGatewayV2::Api"), stack.of_type("AWS::Lambda::Function")), ({}, {}))
    rights = {a for s in stack.documents()["wherry-serve"]["Statement"] for a in s["Action"]}
    assert "sqs:SendMessage" in rights, rights


def test_endpoints_on_their_stack():
    """A request of the stack's API comes through the function, with the stack's role, into the stack's queue"""
    database = next(line for line in ENDPOINTS.splitlines() if "postgres" in line)
    s, p = moto(), endpoints(ENDPOINTS.replace(database, "  shop: { type: sqlite, path: shop.db }"))  # which a function's build has
    stack = create(s, p, "--name", "hooks", name="hooks", Signing="k" * 32)
    s.client("ssm").put_parameter(Name="/events/key", Value="a-key-nobody-guesses", Type="SecureString")
    apis = s.client("apigatewayv2")
    api = apis.get_apis()["Items"][0]
    tap.equal((api["Name"], api["ProtocolType"]), ("hooks", "HTTP"))
    routes = {r["RouteKey"]: r["Target"] for r in apis.get_routes(ApiId=api["ApiId"])["Items"]}
    tap.equal(sorted(routes), ["POST /ingest/payments", "POST /ingest/shop-orders"])
    integrations = apis.get_integrations(ApiId=api["ApiId"])["Items"]
    tap.equal({i["IntegrationUri"] for i in integrations}, {s.client("lambda").get_function(FunctionName="hooks")["Configuration"]["FunctionArn"]})
    tap.equal(set(routes.values()), {f"integrations/{integrations[0]['IntegrationId']}"})
    holder = Holder(s, stack.documents()["hooks-function"])
    f = lambda_api.Function(p.folder, {**holder.env, "SIGNING": "k" * 32}, program=tap.BUILD / "src/cli/bootstrap")
    headers = {"Content-Type": "application/json", "X-Api-Key": "a-key-nobody-guesses"}
    for shape in gateway_events.SHAPES:
        kind, said = f.invoke(shape("/ingest/payments", '{"event_id":"a"}', headers))
        tap.equal((kind, said["statusCode"]), ("response", 202), (said, f.log))
    tap.equal(f.stop(), 0)
    holder.check()
    sqs = s.client("sqs")
    queue = sqs.get_queue_url(QueueName="events")["QueueUrl"]
    tap.equal(count_of(s, queue), 2)
    holder.check_denied("sqs", "receive_message", QueueUrl=queue)
    holder.check_denied("sqs", "send_message", QueueUrl=sqs.get_queue_url(QueueName="events-dead")["QueueUrl"], MessageBody="x")
    holder.check_denied("ssm", "get_parameter", Name="/shop/database", WithDecryption=True)


# --- who makes it --------------------------------------------------------------------------------


def deployer(p, *args):
    return json.loads(deploy(p, "--deployer", "--account", stacks.ACCOUNT, *args, "--json").out)


def allowed(document, action, resource, **context):
    """As iam_judge has it, and with wildcards in actions."""
    exact = {**document, "Statement": [{**s, "Action": [action] if any(iam_judge.like(a, action) for a in s["Action"]) else []}
                                       for s in document["Statement"]]}
    return iam_judge.allows(exact, action, resource, {k.replace("_", ":"): [v] for k, v in context.items()})


def test_the_deployer():
    """What the stack's own names take, and nothing of the same kind beside them"""
    document = deployer(everything(), "--name", "all")
    at = f"{aws.REGION}:{stacks.ACCOUNT}"
    for action, resource in (
            ("s3:CreateBucket", "arn:aws:s3:::acme-all"), ("s3:PutBucketPolicy", "arn:aws:s3:::acme-all"),
            ("sqs:CreateQueue", f"arn:aws:sqs:{at}:uploads-dead"), ("sns:Subscribe", f"arn:aws:sns:{at}:alerts.fifo"),
            ("dynamodb:UpdateContinuousBackups", f"arn:aws:dynamodb:{at}:table/People"),
            ("lambda:CreateFunction", f"arn:aws:lambda:{at}:function:all"), ("iam:PutRolePolicy", f"arn:aws:iam::{stacks.ACCOUNT}:role/all-function"),
            ("iam:CreatePolicy", f"arn:aws:iam::{stacks.ACCOUNT}:policy/all-to-website"), ("kms:CreateAlias", f"arn:aws:kms:{at}:alias/all"),
            ("scheduler:CreateSchedule", f"arn:aws:scheduler:{at}:schedule/default/all-nightly"),
            ("cloudformation:ExecuteChangeSet", f"arn:aws:cloudformation:{at}:stack/all/1-2-3")):
        assert allowed(document, action, resource), (action, resource)
        assert not allowed(document, action, resource.replace("all", "other").replace("uploads", "x").replace("People", "x").replace(
            "alerts", "x")), (action, resource)
    for action in ("s3:GetObject", "s3:PutObject", "dynamodb:GetItem", "sqs:ReceiveMessage", "kms:Decrypt", "lambda:InvokeFunction",
                   "ssm:GetParameter", "iam:AttachRolePolicy", "iam:CreateUser"):
        assert not any(allowed(document, action, r) for s in document["Statement"] for r in s["Resource"]), action
    function = f"arn:aws:iam::{stacks.ACCOUNT}:role/all-function"
    assert iam_judge.allows(document, "iam:PassRole", function, {"iam:PassedToService": ["lambda.amazonaws.com"]})
    assert not iam_judge.allows(document, "iam:PassRole", function, {"iam:PassedToService": ["ec2.amazonaws.com"]})
    assert not iam_judge.allows(document, "iam:PassRole", f"arn:aws:iam::{stacks.ACCOUNT}:role/all-team-fleet",
                                {"iam:PassedToService": ["lambda.amazonaws.com"]})
    assert "cloudformation:" not in json.dumps(deployer(everything(), "--format", "terraform"))


def test_the_deployer_of_an_api():
    document = deployer(endpoints(), "--name", "hooks")
    for action in ("apigateway:POST", "apigateway:GET", "apigateway:DELETE"):
        assert allowed(document, action, f"arn:aws:apigateway:{aws.REGION}::/apis/abc/routes/x"), action
    assert allowed(document, "apigateway:POST", f"arn:aws:apigateway:{aws.REGION}::/apis")
    assert not allowed(document, "apigateway:POST", f"arn:aws:apigateway:{aws.REGION}::/restapis")
    function = f"arn:aws:lambda:{aws.REGION}:{stacks.ACCOUNT}:function:"
    assert allowed(document, "lambda:AddPermission", function + "hooks") and not allowed(document, "lambda:AddPermission", function + "x")
    assert "apigateway:" not in json.dumps(deployer(everything()))


def test_the_deployer_makes_what_there_is():
    """Each of the stack's queues, tables, topics and groups can be made by who has that policy, and no other"""
    s = moto()
    stack = stacks.template(deploy(example("employees"), "--env", "prod").out)
    document = deployer(example("employees"), "--env", "prod")
    holder = Holder(s, document)
    for p in stack.of_type("AWS::SQS::Queue").values():
        assert allowed(document, "sqs:CreateQueue", f"arn:aws:sqs:{aws.REGION}:{stacks.ACCOUNT}:{p['QueueName']}")
    for p in stack.of_type("AWS::DynamoDB::Table").values():
        tap.equal(holder.status("dynamodb", "create_table", **{k: p[k] for k in (
            "TableName", "AttributeDefinitions", "KeySchema", "BillingMode")}), 200)
    holder.check_denied("dynamodb", "create_table", TableName="Other", BillingMode="PAY_PER_REQUEST",
                        KeySchema=[{"AttributeName": "a", "KeyType": "HASH"}], AttributeDefinitions=[{"AttributeName": "a", "AttributeType": "S"}])
    for p in stack.of_type("AWS::Logs::LogGroup").values():
        tap.equal(holder.status("logs", "create_log_group", logGroupName=p["LogGroupName"]), 200)
    holder.check_denied("logs", "create_log_group", logGroupName="/other")


def test_long_templates():
    """CloudFormation takes 51,200 bytes by themselves; what is longer says so"""
    done = deploy(example("data-platform"), "--env", "prod")
    assert len(done.out) > 51200, len(done.out)
    tap.contains(done.err, "51,200")
    short = deploy(example("data-platform"), "--env", "prod", "--json")
    assert len(short.out) < 51200 and not re.search("51,200", short.err)


tap.run()
