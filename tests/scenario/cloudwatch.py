#!/usr/bin/env python3
"""`log: cloudwatch`: the log's lines and each run's numbers arrive in a stream of CloudWatch Logs, under the policy
that is printed; and a service that does not answer fails nothing."""
import aws

aws.require()

import json  # noqa: E402
import signal  # noqa: E402
import time  # noqa: E402

import botocore.exceptions  # noqa: E402
import iam_judge  # noqa: E402
import servers  # noqa: E402
import tap  # noqa: E402
from project import Project  # noqa: E402

CONFIG = """\
version: 1
log: {log}
connections:
  files: {{ type: local, path: files }}
  out: {{ type: local, path: out }}
pipelines:
  good:
    when: new
    from: files:good*.json
    columns: {{ id: id }}
    expect: {{ id: [not_null] }}
    to: out:good-{{run}}.json
  bad:
    from: files:missing/*.json
    columns: {{ id: id, name: name }}
    to: out:bad-{{run}}.json
"""
METRICS = ["rows_read", "rows_written", "rows_quarantined", "bytes_read", "bytes_written", "seconds", "failed"]
started = []


def server():
    if not started:
        started.append(aws.Moto())
    return started[0]


def project(log):
    p = Project(config=CONFIG.format(log=log))
    (p.folder / "files").mkdir()
    (p.folder / "files/good.json").write_text('[{"id": 1}, {"id": 2}, {"id": null}]')
    return p


def events(group, stream):
    """In the order of the stream; nothing where it is not there."""
    try:
        found = server().client("logs").get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)
    except botocore.exceptions.ClientError:
        return []
    tap.equal([e["timestamp"] for e in found["events"]], sorted(e["timestamp"] for e in found["events"]))
    return [json.loads(e["message"]) for e in found["events"]]


def check_metrics(line, pipeline, **want):
    emf = line["_aws"]["CloudWatchMetrics"]
    tap.equal([(m["Namespace"], m["Dimensions"]) for m in emf], [("Wherry", [["Pipeline"]])])
    tap.equal([m["Name"] for m in emf[0]["Metrics"]], METRICS)
    assert abs(line["_aws"]["Timestamp"] / 1000 - time.time()) < 3600
    assert all(isinstance(line[name], (int, float)) for name in METRICS), line
    tap.equal(line["Pipeline"], pipeline)
    tap.equal({name: line[name] for name in want}, want)


def test_a_run_leaves_its_numbers():
    """Group and stream are made, and the run's numbers are metrics"""
    p = project("{ to: cloudwatch, group: /wherry/prod, stream: office, region: eu-west-1 }")
    p.wherry("run", "good", env=server().env(), code=3)
    line, = events("/wherry/prod", "office")
    check_metrics(line, "good", rows_read=3, rows_written=2, rows_quarantined=1, failed=0)
    assert line["run"] and line["seconds"] > 0 and line["bytes_written"] > 0, line


def test_a_failed_run_says_so():
    p = project("{ to: cloudwatch, group: failed, stream: s }")
    (p.folder / "files/good.json").write_text('[{"id": 1}, {"id": ')
    p.wherry("run", "good", env=server().env(), code=1)
    line = events("failed", "s")[-1]
    check_metrics(line, "good", rows_written=0, failed=1)
    assert line["error"], line


def test_the_service():
    """`up` sends its lines while it goes on, by the short form, under a name of its own"""
    p = project("cloudwatch")
    process = p.start("up", env=server().env())
    logs, found = server().client("logs"), []
    until = time.monotonic() + 60
    while not found and time.monotonic() < until:
        time.sleep(0.1)
        groups = [g["logGroupName"] for g in logs.describe_log_groups()["logGroups"]]
        streams = logs.describe_log_streams(logGroupName="wherry")["logStreams"] if "wherry" in groups else []
        for stream in streams:
            found = events("wherry", stream["logStreamName"])
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)
    assert found, f"nothing came: {said}"
    assert streams[0]["logStreamName"].endswith(f"-{process.pid}"), streams
    levels = [(line["level"], line["topic"]) for line in found if "level" in line]
    tap.equal(levels, [("warn", "good")])
    check_metrics(found[-1], "good", rows_read=3)


def test_under_its_policy():
    """A user who may write to that stream alone"""
    s = server()
    p = project("{ to: cloudwatch, group: narrow, stream: one, region: eu-west-1 }")
    document = json.loads(p.wherry("policy", "good", "--account", iam_judge.ACCOUNT, "--json", env=s.env()).out)
    prefix = f"arn:aws:logs:eu-west-1:{iam_judge.ACCOUNT}:log-group:narrow"
    tap.equal({statement["Sid"]: (statement["Action"], statement["Resource"]) for statement in document["Statement"]},
              {"Log": (["logs:PutLogEvents"], [f"{prefix}:log-stream:one"]),
               "LogGroup": (["logs:CreateLogGroup"], [prefix]),
               "LogStream": (["logs:CreateLogStream"], [prefix, f"{prefix}:log-stream:one"])})
    judge = iam_judge.Judge(s.port, document)
    p.wherry("run", "good", env=s.env(url=judge.url), code=3)
    tap.equal((judge.used, judge.denied), ({"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}, []))
    tap.equal(len(events("narrow", "one")), 1)
    p.config(CONFIG.format(log="{ to: cloudwatch, group: narrow, stream: two, region: eu-west-1 }"))
    (p.folder / "files/good2.json").write_text('[{"id": 7}]')
    denied = p.wherry("run", "good", env=s.env(url=judge.url))
    tap.equal(events("narrow", "two"), [])
    tap.contains(denied.err, "log: CloudWatch Logs does not take it")


def test_nobody_answers():
    """A log that cannot be sent fails no run: one warning, and the count of what was lost"""
    p = project(f'{{ to: cloudwatch, region: eu-west-1, endpoint: "http://127.0.0.1:{servers.free_port()}" }}')
    done = p.wherry("run", "good", env=server().env(), code=3)
    tap.equal(done.err.count("log: CloudWatch Logs does not take it"), 1)
    tap.contains(done.err, "log: 1 line was not sent to CloudWatch Logs")


def test_what_is_refused():
    def said(log):
        return project(log).wherry("check", code=2).err
    tap.contains(said("clodwatch"), "cloudwatch")
    tap.contains(said("{ to: json, group: x }"), "group is for CloudWatch Logs")
    tap.contains(said("{ group: x }"), "log needs 'to'")
    tap.contains(said('{ to: cloudwatch, group: "a b" }'), "cannot be a log group")
    tap.contains(said('{ to: cloudwatch, stream: "a:b" }'), "cannot be a log stream")
    for log in ("text", "json", "{ to: text }"):
        project(log).wherry("check")


tap.run()
