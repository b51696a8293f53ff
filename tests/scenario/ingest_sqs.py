#!/usr/bin/env python3
"""`serve.ingest.NAME.to`: events go from the log on disk to an SQS queue (moto), each at least once under an id that
stays the same, and leave the log when the queue has accepted them."""
import aws

aws.require()

import collections  # noqa: E402
import http.server  # noqa: E402
import json  # noqa: E402
import subprocess  # noqa: E402
import threading  # noqa: E402
import urllib.request  # noqa: E402

import fault_proxy  # noqa: E402
import inlets  # noqa: E402
import tap  # noqa: E402
from project import Project  # noqa: E402

ENDPOINT = """\
    payments:
      columns: {{ event_id: {{ type: text, required: true }}, note: text }}
      to: {to}
{more}"""
QUEUE = '  outbound: {{ type: sqs, queue: "arn:aws:sqs:eu-west-1:123456789012:{name}" }}\n'
HOURLY = """\
  land:
    when: { every: 1h }
    from: ingest:payments
    columns: { event_id: event_id }
    to: lake:inbound/payments/{run}.ndjson
"""
BATCH = "SendMessageBatch"
MESSAGE_BYTES_MAX = 262144
ID_BYTES = 16 + 128  # that a message's id takes of them


class Place(inlets.Inlets):
    count = 0
    server = None

    def __init__(self, pipelines="  {}\n", more="", fifo=False, url=None):
        Place.server = Place.server or aws.Moto()
        Place.count += 1
        name = f"out-{Place.count}" + (".fifo" if fifo else "")
        self.sqs = self.server.client("sqs")
        self.queue = self.sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if fifo else {})["QueueUrl"]
        super().__init__(endpoints=ENDPOINT.format(to="outbound", more=more), pipelines=pipelines,
                         connections=QUEUE.format(name=name))
        self.env = self.server.env(url=url)

    def up(self):
        launch = subprocess.Popen
        subprocess.Popen = lambda *args, **more: launch(*args, **{**more, "env": self.env})
        try:
            return super().up()
        finally:
            subprocess.Popen = launch

    def wherry(self, *args, **more):
        return super().wherry(*args, env=self.env, **more)

    def until(self, condition, seconds=120):
        super().until(condition, seconds)

    def receive(self):
        """What is in the queue: [(id, event)], taken out of it."""
        return [(m["MessageAttributes"]["_wherry_id"]["StringValue"], json.loads(m["Body"]))
                for m in aws.drain(self.sqs, self.queue)]

    def depth(self):
        found = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["ApproximateNumberOfMessages"])
        return int(found["Attributes"]["ApproximateNumberOfMessages"])

    def drained(self):
        return self.log_rows() == [(0,)]


def events(count, start=0):
    return [{"event_id": f"e-{i:05d}", "note": None} for i in range(start, start + count)]


def ids(found):
    return sorted(event["event_id"] for _, event in found)


def named(sent):
    return [e["event_id"] for e in sent]


def test_events_become_messages():
    """One message an event, whatever the request was; the log keeps none of them; the receipt says so"""
    with Place() as p:
        one = p.take({"event_id": "e-1", "note": "a ü \U0001f6f6 \"\\\n", "iban": "DE00"})
        two = p.take([{"event_id": "e-2"}, {"event_id": "e-3", "note": "￾ and ￿"}])
        p.take('{"event_id":"e-4"}\n{"event_id":"e-5"}\n', kind=inlets.LINES)
        p.until(p.drained)
        found = dict(p.receive())
        tap.equal(len(found), 5)
        tap.equal(found[f"{one}-0"], {"event_id": "e-1", "note": "a ü \U0001f6f6 \"\\\n"})
        tap.equal(found[f"{two}-1"], {"event_id": "e-3", "note": "￾ and ￿"})
        p.until(lambda: p.request("GET", f"/receipts/{two}").json()["delivered"] is True)
        state = [json.loads(line) for line in p.wherry("status", "--json").out.splitlines() if '"ingest"' in line]
        tap.equal([s["waiting"] for s in state], [0])
    tap.contains((p.folder / "up.log").read_text(), "payments takes events at")


def test_many_events_in_batches():
    """Many events, and large ones of which two fill a request: each is there once"""
    with Place() as p:
        large = [{"event_id": f"l-{i}", "note": "x" * 100_000} for i in range(7)]
        p.take(events(350))  # more than are in memory at once
        for event in large:
            p.take(event)
        p.until(p.drained, 120)
        found = p.receive()
        tap.equal(ids(found), sorted(named(events(350)) + named(large)))
        tap.equal(len({i for i, _ in found}), 357)


def test_an_event_that_no_queue_takes():
    """What is larger than SQS allows is refused at the door, with the limit; the largest there is goes through"""
    with Place() as p:
        room = MESSAGE_BYTES_MAX - ID_BYTES - len('{"event_id":"e","note":""}')
        for note in ("x" * (room + 1), "x" * (room - 5) + "￿"):
            answer = p.post({"event_id": "e", "note": note})
            tap.equal(answer.status, 413, answer)
            tap.contains(answer.json()["detail"], "SQS takes 256 KiB a message")
        p.take({"event_id": "e", "note": "x" * room})
        p.take({"event_id": "f", "note": "x" * (room - 6) + "￿"})
        p.until(p.drained)
        tap.equal(ids(p.receive()), ["e", "f"])


def test_order_is_kept_where_the_queue_keeps_it():
    with Place(fifo=True) as p:
        for at in range(0, 60, 3):
            p.take(events(3, at))
        p.until(p.drained)
        found = p.receive()
        tap.equal([e["event_id"] for _, e in found], named(events(60)))


def test_kill_between_send_and_forget():
    """The queue has them, the service does not know it yet, and dies: they come again under the same ids"""
    server = Place.server = Place.server or aws.Moto()
    for fifo in (False, True):
        proxy = fault_proxy.FaultProxy(server.port, seed=1, rate=0)
        for n in range(1, 1000):
            proxy.at(BATCH, n, "cut-answer")
        p = Place(fifo=fifo, url=proxy.url)
        p.up()
        p.take(events(25))
        p.until(lambda: p.depth() >= (10 if fifo else 25))
        p.kill()
        p.env = server.env()
        with p:
            p.take(events(5, 25))
            p.until(p.drained)
        by_id = collections.defaultdict(list)
        for id_, event in p.receive():
            by_id[id_].append(event["event_id"])
        tap.equal(sorted(v[0] for v in by_id.values()), named(events(30)))
        assert all(len(set(v)) == 1 for v in by_id.values()), by_id
        twice = [i for i, v in by_id.items() if len(v) > 1]
        assert fifo != bool(twice), twice  # a queue that keeps order leaves out what it knows


def test_killed_at_any_time():
    """Each event that was acknowledged is in the queue, however often the service dies"""
    p, sent = Place(), []
    for round_ in range(4):
        p.up()
        threads = [threading.Thread(target=lambda n=n: sent.extend(named(post(p, events(20, n))))) for n in
                   range(round_ * 1000, round_ * 1000 + 100, 20)]
        p.take(events(1, round_ * 1000 + 999))
        sent += named(events(1, round_ * 1000 + 999))
        for t in threads:
            t.start()
        p.until(lambda: p.depth() > 0)
        p.kill()
        for t in threads:
            t.join()
    with p:
        p.until(p.drained)
    by_id = collections.defaultdict(set)
    for id_, event in p.receive():
        by_id[id_].add(event["event_id"])
    assert all(len(v) == 1 for v in by_id.values())
    here = {next(iter(v)) for v in by_id.values()}
    assert set(sent) <= here, sorted(set(sent) - here)[:5]
    tap.equal(len(here), len(by_id), "an event has one id")


def post(p, sent):
    """Those that were taken."""
    try:
        return sent if p.post(sent).status == 202 else []
    except OSError:
        return []


def number(entry):
    return int(json.loads(entry["MessageBody"])["event_id"][2:])


class Picky(http.server.BaseHTTPRequestHandler):
    """Before moto: refuses each message of a batch the first two times that it comes."""
    seen, log, target = None, None, None

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = json.loads(body)
        if BATCH not in self.headers["X-Amz-Target"]:
            return self.pass_on(asked)
        keep, failed = [], []
        for e in asked["Entries"]:
            self.seen[e["MessageBody"]] += 1
            (keep if self.seen[e["MessageBody"]] > 2 or number(e) % 2 else failed).append(e)
        self.log.append((len(asked["Entries"]), len(body)))
        asked["Entries"] = keep
        said = json.loads(self.pass_on(asked, send=False)) if keep else {}
        said["Failed"] = [{"Id": e["Id"], "Code": "InternalError", "Message": "later", "SenderFault": False} for e in failed]
        self.say(json.dumps(said).encode())

    def pass_on(self, asked, send=True):
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("content-length", "host", "connection")}
        request = urllib.request.Request(self.target + self.path, json.dumps(asked).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            said = answer.read()
        if send:
            self.say(said)
        return said

    def say(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_part_of_a_batch_is_refused():
    """Only what was not accepted is sent again, and until it is nothing leaves the log"""
    server = Place.server = Place.server or aws.Moto()
    class Here(Picky):
        seen, log, target = collections.Counter(), [], server.url
    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Here)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    with Place(url=f"http://127.0.0.1:{proxy.server_port}") as p:
        p.take(events(40))
        p.until(p.drained)
        found = p.receive()
        tap.equal(ids(found), named(events(40)))
        tap.equal(len({i for i, _ in found}), 40)
        assert max(n for n, _ in Here.log) <= 10, Here.log
        tap.contains((p.folder / "up.log").read_text(), "are not accepted: later (InternalError)")
    proxy.shutdown()


def test_a_queue_that_is_away():
    """Events are taken while there is no queue, wait on disk over restarts, and go when it is back"""
    p = Place()
    url, name = p.queue, p.queue.rsplit("/", 1)[1]
    p.sqs.delete_queue(QueueUrl=url)
    with p:
        first = p.take(events(3))
        p.until(lambda: "outbound: " in (p.folder / "up.log").read_text())
        tap.equal(p.request("GET", f"/receipts/{first}").json()["delivered"], False)
        tap.equal(p.log_rows(), [(1,)])
    with p:
        p.take(events(3, 3))
        p.queue = p.sqs.create_queue(QueueName=name)["QueueUrl"]
        p.until(p.drained, 60)
        tap.equal(ids(p.receive()), named(events(6)))


def test_backlog():
    """What the queue does not accept fills the backlog; then senders are told to wait"""
    p = Place(more="      backlog: 1MiB\n")
    p.sqs.delete_queue(QueueUrl=p.queue)
    with p:
        for _ in range(6):
            p.take({"event_id": "e", "note": "x" * 200_000})
        answer = p.post({"event_id": "e"})
        tap.equal((answer.status, answer.headers["Retry-After"]), (503, "10"), answer)


def test_beside_a_pipeline():
    """A pipeline that reads the endpoint takes its own time: the queue does not get them again meanwhile"""
    p = Place(pipelines=HOURLY)
    with p:
        p.until(lambda: "land: 0 rows" in (p.folder / "up.log").read_text())  # and no other for an hour
        p.take(events(24))
        p.until(lambda: p.depth() == 24)
        p.until(lambda: p.log_rows("SELECT next FROM sent") == p.log_rows("SELECT max(first + events) FROM receipt"))
    with p:
        tap.equal(p.log_rows(), [(1,)])  # of the pipeline
        p.take(events(1, 24))
        p.until(lambda: p.depth() == 25)
    p.wherry("run")
    tap.equal(sorted(row["event_id"] for row in p.landed()), named(events(25)))
    with p:
        p.until(p.drained)
    tap.equal(ids(p.receive()), named(events(25)))


def test_a_restart_sends_nothing_again():
    p = Place()
    for n in range(3):
        with p:
            p.take(events(10, 10 * n))
            p.until(lambda: p.depth() == 10 * (n + 1))
    with p:
        p.until(p.drained)
    tap.equal(p.depth(), 30)


def test_what_check_says():
    base = inlets.CONFIG.format(top="", port=8080, serve="", connections=QUEUE.format(name="q"), pipelines="  {}\n",
                                endpoints=ENDPOINT.format(to="outbound", more=""))
    shared = "ledger: postgres://db.example/ledger\n"
    read = base.replace("pipelines:\n  {}\n", "pipelines:\n" + HOURLY)
    cases = (
        (base, None),
        (base.replace("to: outbound", "to: outbond"), "Did you mean 'outbound'?"),
        (base.replace("to: outbound", "to: lake"), "lake takes no events: it is of type local"),
        (base.replace("to: outbound", "to: outbound\n      on_invalid: quarantine"), "a queue has no quarantine"),
        (base.replace("note: text", "note: { type: text, class: personal }"), "column note is personal, which outbound does not accept"),
        (base.replace("note: text", "note: { type: text, class: personal }").replace(
            "type: sqs,", "type: sqs, accepts: [public, internal, personal],"), None),
        (shared + base, None),
        (shared + read, "what serve.ingest takes is on the machine that took it"),
    )
    for text, problem in cases:
        done = Project(config=text).wherry("check", code=2 if problem else 0)
        if problem:
            tap.contains(done.err, problem)


def test_policy():
    """Sending to that queue, and nothing else"""
    p = Place()
    done = p.wherry("policy", "--account", "123456789012")
    statements = json.loads(done.out)["Statement"]
    tap.equal([(s["Action"], s["Resource"]) for s in statements],
              [(["sqs:SendMessage"], [p.queue and f"arn:aws:sqs:eu-west-1:123456789012:out-{Place.count}"])])


tap.run()
