#!/usr/bin/env python3
"""Secrets that AWS keeps: asked for when they are needed, shown nowhere, and set from the command line."""
import json
import sqlite3

import aws
import tap
from project import Project, order

aws.require()

PARAMETER, SECRET, MEMBER = "pppp-from-ssm-0123456789", "ssss-from-secrets-manager-0123", "mmmm-of-a-member-0123456789"

CONFIG = """\
version: 1
connections:
  erp: { type: sqlite, path: erp.db }
  lake: { type: local, path: lake }
masks:
  one: { hmac: "${ssm:/wherry/one}" }
  two: { hmac: "${secretsmanager:two}" }
  three: { hmac: "${secretsmanager:three#key}" }
pipelines:
  export:
    from: erp:sales_order
    columns:
      OrderNumber: order_number
      A: { from: status, class: personal, mask: one }
      B: { from: status, class: personal, mask: two }
      C: { from: status, class: personal, mask: three }
    to: lake:orders-{run}.json
  plain:
    from: erp:sales_order
    columns: { OrderNumber: order_number }
    to: lake:plain-{run}.json
"""


class Cloud:
    def __init__(self):
        self.server = aws.Moto()
        self.env = self.server.env()
        self.ssm, self.secrets = self.server.client("ssm"), self.server.client("secretsmanager")
        self.project = Project(config=CONFIG)
        self.project.make_erp([order("A"), order("B")])

    def fill(self):
        self.ssm.put_parameter(Name="/wherry/one", Value=PARAMETER, Type="SecureString")
        self.secrets.create_secret(Name="two", SecretString=SECRET)
        self.secrets.create_secret(Name="three", SecretString=json.dumps({"user": "u", "key": MEMBER}))

    def wherry(self, *args, **more):
        return self.project.wherry(*args, env=self.env, **more)


def masked(p):
    (path,) = (p.folder / "lake").glob("orders-*.json")
    return json.loads(path.read_text())


def hidden(result):
    for value in (PARAMETER, SECRET, MEMBER):
        assert value not in result.out + result.err, result


def test_values_are_fetched_when_they_are_needed():
    c = Cloud()
    c.wherry("run", "plain")  # needs none
    told = c.wherry("run", "export", code=1)
    tap.contains(told.err, "wherry.yaml:6:16: ${ssm:/wherry/one}: it is not there, in region eu-west-1")
    c.fill()
    hidden(c.wherry("plan", "export"))
    hidden(c.wherry("run", "export", "--json"))
    rows = masked(c.project)
    tap.equal(len({row[k] for row in rows[:1] for k in "ABC"}), 3)  # three keys, three hashes
    with sqlite3.connect(c.project.folder / ".wherry/ledger.db") as ledger:
        dump = "\n".join(ledger.iterdump())
    for value in (PARAMETER, SECRET, MEMBER):
        assert value not in dump


def test_the_same_key_from_elsewhere_makes_the_same_hash():
    c = Cloud()
    c.fill()
    c.wherry("run", "export")
    rows = masked(c.project)
    text = CONFIG.replace("${ssm:/wherry/one}", PARAMETER).replace("${secretsmanager:two}", SECRET)
    other = Project(config=text.replace("${secretsmanager:three#key}", MEMBER))
    other.make_erp([order("A"), order("B")])
    other.wherry("run", "export")
    tap.equal(masked(other), rows)


def test_what_is_wrong_is_said():
    c = Cloud()
    c.fill()
    for written, message in (("secretsmanager:three#no", "JSON without a text of that name"),
                             ("secretsmanager:two#key", "not JSON, so that nothing can stand behind '#'"),
                             ("secretsmanager:none", "it is not there, in region eu-west-1")):
        c.project.config(CONFIG.replace("secretsmanager:two", written))
        told = c.wherry("run", "export", code=1)
        tap.contains(told.err, message)
        hidden(told)
    c.project.config(CONFIG.replace("ssm:", "smm:"))
    tap.contains(c.wherry("check", code=2).err, "Did you mean 'ssm'?")
    c.project.config(CONFIG.replace("path: lake", 'path: "${ssm:/lake}"'))
    tap.contains(c.wherry("check", code=2).err, "is shown in messages, so no secret can stand in it")
    c.project.config(CONFIG)
    nobody = {k: v for k, v in c.env.items() if k not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    told = c.project.wherry("run", "export", env=nobody, code=None)
    assert told.code != 0 and "credentials" in told.err, told


def test_a_parameter_is_set_and_removed_from_the_command_line():
    c = Cloud()
    told = c.wherry("secret", "set", "ssm:/wherry/one", input=PARAMETER + "\n")
    tap.contains(told.err, "Use it as ${ssm:/wherry/one}.")
    hidden(told)
    kept = c.ssm.get_parameter(Name="/wherry/one", WithDecryption=True)["Parameter"]
    tap.equal((kept["Type"], kept["Value"]), ("SecureString", PARAMETER))
    c.wherry("secret", "set", "ssm:/wherry/one", input="another \u00fc \"value\"\n")  # replaces
    kept = c.ssm.get_parameter(Name="/wherry/one", WithDecryption=True)["Parameter"]
    tap.equal(kept["Value"], "another \u00fc \"value\"")
    tap.contains(c.wherry("secret", "set", "ssm:/wherry/one", input="x" * 9000, code=1).err, "at most 8192 bytes")
    c.wherry("secret", "remove", "ssm:/wherry/one")
    assert c.wherry("secret", "remove", "ssm:/wherry/one", code=None).code != 0
    tap.equal(c.ssm.describe_parameters()["Parameters"], [])


tap.run()
