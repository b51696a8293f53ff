#!/usr/bin/env python3
"""Events that senders post, on their way through the log into a lake and into tables."""
import contextlib
import hashlib
import hmac
import os
import socket
import threading
import time
import urllib.request

import tap
from inlets import ENDPOINT, Inlets, LAND, LINES
from servers import Postgres, free_port

LOOSE = """\
    loose:
      on_invalid: quarantine
      columns: { event_id: { type: text, required: true }, n: int64 }
"""
LAND_LOOSE = """\
  loose:
    when: { gathered: { age: 100ms } }
    from: ingest:loose
    columns: { event_id: event_id, n: n }
    to: lake:loose/{run}.ndjson
"""
NOTHING = "  none:\n    from: ingest:payments\n    columns: all\n    to: lake:none/{run}.ndjson\n"


def raw(port, data, wait=5):
    """Sends bytes as they are; gives what comes until the other side is silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as s:
        s.sendall(data)
        got = b""
        try:
            while piece := s.recv(65536):
                got += piece
        except TimeoutError:
            pass
        return got


# --- taking ----------------------------------------------------------------------------------------


def test_events_of_all_shapes_land():
    with Inlets() as s:
        one = s.post({"event_id": "a", "amount": 9999999999.99, "tags": ["x", None], "iban": "stays out"})
        tap.equal((one.status, one.json()["events"]), (202, 1))
        tap.equal(one.headers["Location"], "/receipts/" + one.json()["receipt"])
        many = s.take([{"event_id": "b", "amount": "1.5"}, {"event_id": "c", "at": "2026-11-21T08:55:00.123456+01:00"}])
        lines = s.take('{"event_id":"d"}\n\n{"event_id":"e","amount":0.10}\r\n', kind=LINES)
        s.until(lambda: len(s.landed()) == 5)
        rows = {row["event_id"]: row for row in s.landed()}
        tap.equal([rows[k]["receipt"] for k in "abcde"], [one.json()["receipt"], many, many, lines, lines])
        tap.equal(rows["a"]["tags"], ["x", None])
        tap.equal(rows["c"]["at"], "2026-11-21T07:55:00.123456Z")
        text = "".join(p.read_text() for p in s.objects())
        for number in ("9999999999.99", "1.50", "0.10"):
            tap.contains(text, f'"amount":{number}')
        tap.equal(list(rows["a"]), ["event_id", "amount", "at", "tags", "receipt", "number"])
        numbers = [rows[k]["number"] for k in "abcde"]
        tap.equal(numbers, list(range(numbers[0], numbers[0] + 5)))
        s.until(lambda: s.request("GET", "/receipts/" + lines).json()["delivered"])
        receipt = s.request("GET", "/receipts/" + lines).json()
        tap.equal((receipt["endpoint"], receipt["events"], receipt["rejected"]), ("payments", 2, 0))
        assert receipt["received_at"].endswith("Z"), receipt
        for path in (s.folder / ".wherry/ingest").glob("payments.db*"):
            assert b"stays out" not in path.read_bytes(), "a field that is not declared was stored"
    s.wherry("verify", "land")


def test_requests_may_follow_each_other_on_a_connection():
    with Inlets() as s:
        body = b'{"event_id":"%d"}'
        request = b"POST /ingest/payments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 18\r\n\r\n"
        got = raw(s.port, b"".join(request + body % (100 + i) for i in range(20)), wait=2)
        tap.equal(got.count(b"HTTP/1.1 202"), 20, got)
        s.until(lambda: len(s.landed()) == 20)
        tap.equal([row["event_id"] for row in sorted(s.landed(), key=lambda r: r["number"])],
                  [str(100 + i) for i in range(20)])


def test_many_connections_at_once():
    """64 senders at once are all served, and what they send arrives once"""
    with Inlets(serve="  connections: 256\n  connections_per_address: 128\n") as s:
        def post(event):
            # A connection counts until the server has seen that it is closed: on a busy machine one
            # too many may come, which a sender tries again.
            for _ in range(100):
                with contextlib.suppress(OSError):
                    return s.post({"event_id": event}, headers={"Idempotency-Key": event}).status
                time.sleep(0.1)

        def send(k):
            answers.extend(post(f"{k}-{i}") for i in range(25))
        answers = []
        threads = [threading.Thread(target=send, args=(k,)) for k in range(64)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        tap.equal(answers, [202] * 64 * 25)
        s.until(lambda: len(s.landed()) == 64 * 25)
        tap.equal(len({row["event_id"] for row in s.landed()}), 64 * 25)


# --- refusing --------------------------------------------------------------------------------------


def test_what_is_wrong_is_said():
    """Every refusal is a problem that says what is wrong, and stores nothing"""
    with Inlets(pipelines=NOTHING) as s:
        def refused(answer, status, part, **headers):
            tap.equal(answer.status, status, answer)
            tap.equal(answer.headers["Content-Type"], "application/problem+json")
            problem = answer.json()
            tap.equal(problem["status"], status)
            tap.contains(problem["detail"], part)
            for name, value in headers.items():
                tap.equal(answer.headers[name], value)
            return problem
        refused(s.post('[{"event_id":"a"}'), 400, "opened at byte 0 is never closed")
        refused(s.post("[]"), 400, "no event")
        refused(s.post(""), 400, "no event")
        refused(s.post('{"event_id":"a"} {"event_id":"b"}'), 400, "more text behind")
        problem = refused(s.post('{"event_id":"a"}\n{"event_id":\n', kind=LINES), 400, "cannot be read")
        tap.equal(problem["errors"][0]["pointer"], "/1/event_id")
        problem = refused(s.post([{"event_id": "a"}, {"amount": 1}, {"event_id": "c", "amount": 1.234},
                                  {"event_id": "d", "at": "yesterday"}, {"event_id": None}]), 422, "nothing was stored")
        tap.equal([e["pointer"] for e in problem["errors"]], ["/1/event_id", "/2/amount", "/3/at", "/4/event_id"])
        tap.contains(problem["errors"][1]["detail"], "keeps 2")
        tap.equal(refused(s.post({"event_id": "a", "amount": "x"}), 422, "")["errors"][0]["pointer"], "/amount")
        refused(s.post({"event_id": "a"}, kind={"Content-Type": "text/plain"}), 415, "application/json")
        refused(s.post({"event_id": "a"}, kind={"Content-Type": "application/json; charset=latin1"}), 415, "UTF-8")
        refused(s.post({"event_id": "a"}, headers={"Content-Encoding": "gzip"}), 415, "not compressed")
        got = raw(s.port, b"POST /ingest/payments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                          b"Content-Length: 1048577\r\n\r\n")
        tap.contains(got.decode(), "413 Content Too Large")
        refused(s.post({"event_id": "a"}, headers={"Idempotency-Key": "k" * 256}), 400, "255")
        refused(s.post({"event_id": "a"}, endpoint="nobody"), 404, "nothing at this address")
        refused(s.request("GET", "/ingest/payments"), 405, "POST", Allow="POST")
        refused(s.request("POST", "/receipts/" + "0" * 26, ""), 405, "GET", Allow="GET")
        refused(s.request("GET", "/receipts/" + "0" * 26), 404, "no such receipt")
        refused(s.request("GET", "/receipts/short"), 404, "nothing at this address")
        got = raw(s.port, b"POST /ingest/payments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                          b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
        tap.contains(got.decode(), "411 Length Required")
        got = raw(s.port, b"POST /ingest/payments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                          b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}")
        tap.contains(got.decode(), "400 Bad Request")
        tap.equal(s.log_rows(), [(0,)])
        tap.equal(s.log_rows("SELECT count(*) FROM receipt"), [(0,)])
        tap.equal(s.take({"event_id": "a"}) and s.log_rows(), [(1,)])
    log = (s.folder / "up.log").read_text()
    tap.contains(log, "/ingest/payments 422, from 127.0.0.0/24")
    assert "yesterday" not in log and "1.234" not in log, "the log repeats what was sent"


def test_only_who_has_the_key_may_send():
    key = '      auth: { api_key: "${KEY}" }\n'
    s = Inlets(endpoints=ENDPOINT + key, pipelines=NOTHING)
    os.environ["KEY"] = "a-key-that-nobody-guesses"
    with s:
        for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic a-key-that-nobody-guesses"},
                        {"Authorization": "Bearer a-key-that-nobody-guesse"}):
            answer = s.post({"event_id": "a"}, headers=headers)
            tap.equal(answer.status, 401)
            tap.contains(answer.headers["WWW-Authenticate"], 'Bearer realm="wherry"')
        good = {"Authorization": "Bearer a-key-that-nobody-guesses"}
        receipt = s.take({"event_id": "a"}, headers=good)
        tap.equal(s.request("GET", "/receipts/" + receipt).status, 401)
        tap.equal(s.request("GET", "/receipts/" + receipt, headers=good).status, 200)
        assert "a-key" not in (s.folder / "up.log").read_text()
    os.environ.pop("KEY")


def signed(secret, body, at=None):
    at = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
    return {"X-Timestamp": at, "X-Signature": digest}


def test_signed_requests():
    """A signed request is taken once, whatever is said beside it; another body, an old one and a forged one are not"""
    os.environ["SECRET"] = secret = "a-secret-that-nobody-guesses"
    auth = "      auth: { hmac: { secret: \"${SECRET}\", header: X-Signature, timestamp: X-Timestamp } }\n"
    with Inlets(endpoints=ENDPOINT + auth, pipelines=NOTHING) as s:
        body = '{"event_id":"a"}'
        headers = signed(secret, body)
        first = s.take(body, headers=headers)
        for more in ({}, {"Idempotency-Key": "1"}, {"Idempotency-Key": "2"}):
            tap.equal(s.take(body, headers=headers | more), first)
        for bad in ({}, signed("another-secret-of-theirs", body), signed(secret, '{"event_id":"b"}'),
                    signed(secret, body, time.time() - 3600), headers | {"X-Timestamp": str(int(time.time()) + 1)}):
            tap.equal(s.post(body, headers=bad).status, 401, bad)
        tap.equal(s.log_rows("SELECT count(*) FROM receipt"), [(1,)])
        tap.equal(s.request("GET", "/receipts/" + first).status, 401)
        tap.equal(s.request("GET", "/receipts/" + first, headers=signed(secret, "")).status, 200)
        assert secret not in (s.folder / "up.log").read_text()
    os.environ.pop("SECRET")


def test_each_sender_has_keys_of_its_own():
    """The same Idempotency-Key of two senders is two requests"""
    os.environ |= {"KEY_A": "the-key-of-sender-a-1", "KEY_B": "the-key-of-sender-b-2"}
    auth = "      auth: { api_keys: { a: \"${KEY_A}\", b: \"${KEY_B}\" }, allow: [127.0.0.0/8] }\n"
    with Inlets(endpoints=ENDPOINT + auth, pipelines=NOTHING) as s:
        def take(key, event):
            return s.take({"event_id": event}, headers={"X-Api-Key": key, "Idempotency-Key": "1"})
        one, two = take("the-key-of-sender-a-1", "a"), take("the-key-of-sender-b-2", "b")
        assert one != two
        tap.equal(take("the-key-of-sender-a-1", "a"), one)
        tap.equal(s.log_rows("SELECT count(*) FROM receipt"), [(2,)])
    elsewhere = auth.replace("127.0.0.0/8", "10.0.0.0/8")
    with Inlets(endpoints=ENDPOINT + elsewhere, pipelines=NOTHING) as s:
        tap.equal(s.post({"event_id": "a"}, headers={"X-Api-Key": "the-key-of-sender-a-1"}).status, 403)


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_monitoring_counts_events():
    """/metrics says what was taken, what was refused, and what waits"""
    port = free_port()
    with Inlets(serve=f"  metrics: 127.0.0.1:{port}\n", pipelines=NOTHING) as s:
        s.take([{"event_id": "a"}, {"event_id": "b"}])
        s.post({"amount": 1})
        s.until(lambda: is_open(port))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        values = {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("wherry_ingest_")}
        tap.equal([values[f'wherry_ingest_{what}{{endpoint="payments"}}'] for what in
                   ("requests_total", "refused_total", "events_total")], [2, 1, 2])
        assert values['wherry_ingest_waiting_bytes{endpoint="payments"}'] > 0, values
        assert 0 < values['wherry_ingest_oldest_seconds{endpoint="payments"}'] < 300, values


def test_limits():
    """Past a limit senders are told when to come again, and others are served"""
    slow = ENDPOINT.replace("payments", "slow") + "      rate: 2\n"
    narrow = ENDPOINT.replace("payments", "narrow") + "      concurrency: 2\n      max_body: 64KiB\n"
    full = ENDPOINT.replace("payments", "full") + "      backlog: 1MiB\n"
    with Inlets(endpoints=ENDPOINT + slow + narrow + full, pipelines=NOTHING) as s:
        answers = [s.post({"event_id": "a"}, endpoint="slow") for _ in range(30)]
        limited = [a for a in answers if a.status == 429]
        assert answers[0].status == 202 and limited, answers
        tap.equal(limited[0].headers["Retry-After"], "1")
        big = {"event_id": "a", "tags": ["x" * 900000]}
        tap.equal([s.post(big, endpoint="full").status for _ in range(2)], [202, 202])
        answer = s.post({"event_id": "a"}, endpoint="full")
        tap.equal((answer.status, answer.headers["Retry-After"]), (503, "10"))
        tap.contains(answer.json()["detail"], "behind")
        # Two senders who never end take the places of one endpoint, and nobody else's.
        head = (b"POST /ingest/narrow HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: 1000\r\n\r\n{")
        halves = [socket.create_connection(("127.0.0.1", s.port)) for _ in range(8)]
        for half in halves:
            half.sendall(head)
        time.sleep(0.3)
        answer = s.post({"event_id": "a"}, endpoint="narrow")
        tap.equal((answer.status, answer.headers["Retry-After"]), (503, "1"))
        tap.equal(s.post({"event_id": "a"}).status, 202)
        for half in halves:
            half.close()
        s.until(lambda: s.post({"event_id": "a"}, endpoint="narrow").status == 202)


# --- once ------------------------------------------------------------------------------------------


def test_a_key_makes_it_happen_once():
    """What is sent again under its key is answered again, and stored once, after a restart too"""
    with Inlets() as s:
        key = {"Idempotency-Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}
        first = s.post({"event_id": "a"}, headers=key)
        again = s.post({"event_id": "a"}, headers=key)
        tap.equal((again.status, again.body), (202, first.body))
        other = s.post({"event_id": "b"}, headers=key)
        tap.equal(other.status, 422)
        tap.contains(other.json()["detail"], "another body")
        tap.equal(s.post({"event_id": "a"}).status, 202)  # without a key it is another event
        s.down()
        s.up()
        tap.equal(s.post({"event_id": "a"}, headers=key).body, first.body)
        tap.equal(s.post({"event_id": "b"}, headers=key).status, 422)
        bodies, barrier = [], threading.Barrier(12)

        def send():
            barrier.wait()
            answer = s.post({"event_id": "same"}, headers={"Idempotency-Key": "one"})
            bodies.append((answer.status, answer.body))
        threads = [threading.Thread(target=send) for _ in range(12)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        tap.equal(len(bodies), 12)
        tap.equal(len(set(bodies)), 1, bodies)
        tap.equal(bodies[0][0], 202)
        s.until(lambda: len(s.landed()) == 3)
        time.sleep(0.5)
        tap.equal(sorted(row["event_id"] for row in s.landed()), ["a", "a", "same"])


# --- what does not fit -----------------------------------------------------------------------------


def test_what_does_not_fit_waits_in_quarantine():
    with Inlets(endpoints=LOOSE, pipelines=LAND_LOOSE) as s:
        odd = s.post(b" 0\0\0\n\x0b\n", endpoint="loose", kind=LINES)  # what no reader may stumble over
        tap.equal((odd.status, odd.json()["rejected"]), (202, 2))
        answer = s.post([{"event_id": "a", "n": 1}, {"n": 2}, {"event_id": "c", "n": "x"}, 5], endpoint="loose")
        tap.equal((answer.status, answer.json()["events"], answer.json()["rejected"]), (202, 4, 3))
        bad = s.post('{"event_id":"d"}\n{"event_id"\n', endpoint="loose", kind=LINES)
        tap.equal((bad.status, bad.json()["rejected"]), (202, 1))
        tap.equal(s.post('[{"event_id":"a"}', endpoint="loose").status, 400)  # where an event ends is not known
        s.until(lambda: len(s.landed("loose/*.ndjson")) == 2)
        tap.equal(s.landed("loose/*.ndjson"), [{"event_id": "a", "n": 1}, {"event_id": "d", "n": None}])
    shown = s.wherry("quarantine", "show", "loose", "--json").lines()
    reasons = sorted(line["reason"] for line in shown if "reason" in line)
    tap.equal(len(reasons), 6, shown)
    tap.contains(" ".join(reasons), "'event_id' is missing")
    run = s.wherry("runs", "loose", "--json").lines()
    for r in run:
        tap.equal(r["rows_read"], r["rows_written"] + r["rows_quarantined"], r)
    # Another type: what did not fit it fits now.
    s.config((s.folder / "wherry.yaml").read_text().replace("n: int64", "n: text"))
    s.wherry("quarantine", "replay", "loose", code=3)
    rows = s.landed("loose/*.ndjson")
    tap.contains(rows, {"event_id": "c", "n": "x"})
    tap.equal(len(rows), 3)


# --- batches, and what is left behind ----------------------------------------------------------------


def test_batches_and_pruning():
    """A run starts when enough has gathered or the first has waited; what was taken leaves the log"""
    many = LAND.replace("rows: 1000, age: 100ms", "rows: 50, age: 1h")
    with Inlets(pipelines=many) as s:
        s.until(lambda: "land: 0 rows" in (s.folder / "up.log").read_text())  # what was there at the start
        for i in range(49):
            s.take({"event_id": str(i)})
        time.sleep(0.5)
        tap.equal(s.landed(), [])
        status = [line for line in s.wherry("status", "--json").lines() if "ingest" in line]
        tap.equal((status[0]["waiting"], status[0]["state"]), (49, "ok"))
        s.take({"event_id": "49"})
        s.until(lambda: len(s.landed()) == 50)
        tap.equal(len(s.objects()), 1)
        s.until(lambda: s.log_rows() == [(0,)])
        tap.equal(s.log_rows("SELECT count(*) FROM receipt"), [(50,)])
        s.until(lambda: [l for l in s.wherry("status", "--json").lines() if "ingest" in l][0]["events_today"] == 50)
        tap.contains(s.wherry("status").out, "/ingest/payments   50 events today")


def test_events_wait_for_all_who_read_them():
    by_hand = LAND.replace("land:", "later:").replace("    when: { gathered: { rows: 1000, age: 100ms } }\n", "") \
                  .replace("inbound", "later")
    with Inlets(pipelines=LAND + by_hand) as s:
        for i in range(10):
            s.take({"event_id": str(i)})
        s.until(lambda: len(s.landed()) == 10)
        time.sleep(6)  # the service looks every 5 s
        tap.equal(s.log_rows(), [(10,)])
        s.wherry("run", "later")
        tap.equal(len(s.landed("later/**/*.ndjson")), 10)
        s.until(lambda: s.log_rows() == [(0,)])
        s.wherry("run", "later")
        tap.equal(len(s.landed("later/**/*.ndjson")), 10)


# --- tables ----------------------------------------------------------------------------------------

HOT = """\
  hot:
    when: { gathered: { rows: 200, age: 100ms } }
    from: ingest:payments
    columns: { event_id: event_id, amount: amount, at: at }
    to: %s
"""


def test_straight_into_sqlite():
    with Inlets(pipelines=HOT % "shop:payments") as s:
        for i in range(20):
            s.take([{"event_id": f"{i}-{k}", "amount": f"{k}.25"} for k in range(50)])
        s.until(lambda: s.sql("shop", "SELECT count(*) FROM sqlite_master WHERE name='payments'") == [(1,)])
        s.until(lambda: s.sql("shop", "SELECT count(*) FROM payments") == [(1000,)])
        tap.equal(s.sql("shop", "SELECT count(DISTINCT event_id), round(sum(amount), 2) FROM payments"),
                  [(1000, 20 * sum(k + 0.25 for k in range(50)))])
    tap.contains(s.wherry("plan", "hot").out, "writes    exact: append")


def test_straight_into_postgres():
    server = Postgres()
    os.environ["PG_PASSWORD"] = server.PASSWORD
    try:
        with Inlets(pipelines=HOT % "pg:payments", connections="  pg: " + server.words() + "\n") as s:
            for i in range(10):
                s.take([{"event_id": f"{i}-{k}", "amount": f"{k}.25", "at": "2026-11-21T08:55:00Z"} for k in range(50)])
            s.until(lambda: server.rows("SELECT 1 FROM pg_tables WHERE tablename = 'payments'"))
            count = "SELECT count(*), count(DISTINCT event_id) FROM payments"
            s.until(lambda: server.rows(count) == [("500", "500")])
    finally:
        server.stop()


# --- the configuration -----------------------------------------------------------------------------


def test_check_knows_what_cannot_work():
    def problems(endpoints=ENDPOINT, pipelines=NOTHING, **more):
        return Inlets(endpoints=endpoints, pipelines=pipelines, **more).wherry("check", code=2).err

    s = Inlets()
    s.wherry("check")
    public = (s.folder / "wherry.yaml").read_text().replace("127.0.0.1:", "0.0.0.0:")
    s.config(public)
    tap.contains(s.wherry("check", code=2).err, "anybody could send events. Say who may")
    s.config(public.replace("      columns:\n", "      auth: none\n      columns:\n"))
    s.wherry("check")
    s.config(public.replace("      columns:\n", "      auth:\n      columns:\n"))
    tap.contains(s.wherry("check", code=2).err, "auth needs api_key, api_keys, hmac, bearer or allow")
    wrong = NOTHING.replace("ingest:payments", "ingest:payment")
    tap.contains(problems(pipelines=wrong), "serve.ingest has no endpoint 'payment'. Did you mean 'payments'?")
    tap.contains(problems(pipelines=NOTHING.replace("    from", "    when: new\n    from")), "Write { gathered:")
    tap.contains(problems(pipelines=NOTHING.replace("    from", "    read: { cursor: at }\n    from")),
                 "cursor has no meaning for events")
    table = NOTHING.replace("    from: ingest:payments", "    when: { gathered: {} }\n    from: shop:orders")
    tap.contains(problems(pipelines=table), "gathered waits for events of serve.ingest")
    tap.contains(problems(endpoints=ENDPOINT + "        _receipt: text\n"), "this name is Wherry's own")
    tap.contains(problems(endpoints=ENDPOINT + "        odd: nonsense\n"), "nonsense")
    tap.contains(problems(endpoints=ENDPOINT + "      max_body: 32MiB\n"), "an eighth of `memory`")
    tap.contains(problems(connections="  ingest: { type: sqlite, path: x.db }\n"), "taken by what serve.ingest takes")
    tap.contains(problems(top="ledger: postgres://w@localhost/ledger\n"), "on the machine that took it")


def test_discover_and_plan_know_the_endpoint():
    s = Inlets()
    tap.contains(s.wherry("discover", "ingest").out, "decimal(12,2)")
    plan = s.wherry("plan", "land").out
    tap.contains(plan, "once 1,000 events or 16.8 MB wait, or the oldest has for")
    tap.contains(plan, "cursor _event is exact")
    tap.contains(s.wherry("check", "--connect").out, "1 endpoint of serve.ingest")
    s.wherry("add", "ingest:payments", "lake:added/{run}.ndjson")
    text = (s.folder / "wherry.yaml").read_text()
    tap.contains(text, "# when: { gathered: { rows: 10000, age: 10s } }")
    tap.contains(text, "amount: amount")
    s.wherry("check")


tap.run()
