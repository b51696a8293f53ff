#!/usr/bin/env python3
"""The proxy that breaks requests: each of its faults, its plan, and what it lets through."""
import base64
import hashlib
import http.client
import http.server
import threading

import fault_proxy
import tap
from fault_proxy import FaultProxy


class Server(http.server.ThreadingHTTPServer):
    """Remembers what it was asked, and answers with it."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []
        self.broken = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        self.broken.set()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            return self.server.broken.set()
        self.server.asked.append((self.command, self.path, body))
        said = f"{len(self.server.asked)}:".encode() + body
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said)

    do_GET = do_PUT = do_HEAD = do_POST

    def log_message(self, *_):
        pass


TARGET = {"X-Amz-Target": "DynamoDB_20120810.BatchWriteItem"}


def ask(proxy, method="PUT", path="/b/k", body=b"0123456789" * 20, headers=()):
    """(status, body); None: the line was cut."""
    line = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    try:
        line.request(method, path, body, dict(headers))
        answer = line.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        line.close()


def with_fault(fault, **more):
    server = Server()
    proxy = FaultProxy(server.server_port)
    kind = more.pop("kind", "PUT")
    proxy.at(kind, 1, fault)
    answer = ask(proxy, **more)
    tap.equal(len(proxy.log), 1, "faults")
    tap.contains(proxy.log[0], f"{kind} #1: {fault}")
    return answer, server


BODY = b"0123456789" * 20


def test_a_quiet_proxy_changes_nothing():
    """Without faults everything passes, over one line, and a client that waits to be told is told"""
    server = Server()
    proxy = FaultProxy(server.server_port)
    line = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    for number, (method, headers) in enumerate([("PUT", {}), ("HEAD", {}), ("POST", {"Expect": "100-continue"}), ("GET", {})], 1):
        line.request(method, "/b/a%20b?x=1&uploads", b"", headers) if method in ("GET", "HEAD") else \
            line.request(method, "/b/a%20b?x=1&uploads", BODY, headers)
        answer = line.getresponse()
        sent = b"" if method in ("GET", "HEAD") else BODY
        tap.equal((answer.status, answer.read()), (200, b"" if method == "HEAD" else f"{number}:".encode() + sent))
    tap.equal(server.asked[2], ("POST", "/b/a%20b?x=1&uploads", BODY))
    tap.equal(dict(proxy.seen), {f"{m} uploads,x": 1 for m in ("PUT", "HEAD", "POST", "GET")})


def test_cuts():
    """A line that is cut: the server has heard nothing, a part, or all of it"""
    for fault, heard in (("cut-before", 0), ("cut-request", 0), ("cut-answer", 1), ("cut-head", 1), ("cut-body", 1)):
        answer, server = with_fault(fault)
        tap.equal((answer, len(server.asked)), (None, heard), fault)


def test_refusals():
    """500, 503 and throttling, as the service that is asked says them"""
    for fault, headers, kind, status, part in (
            ("500", {}, "PUT", 500, b"<Error><Code>InternalError</Code>"),
            ("503", {}, "PUT", 503, b"<Code>SlowDown</Code>"),
            ("throttle", {}, "PUT", 503, b"<Code>SlowDown</Code>"),
            ("500", TARGET, "BatchWriteItem", 500, b"#InternalServerError"),
            ("throttle", TARGET, "BatchWriteItem", 400, b'"__type": "com.amazon.coral.service#ThrottlingException"'),
            ("provisioned", TARGET, "BatchWriteItem", 400, b"#ProvisionedThroughputExceededException")):
        answer, server = with_fault(fault, headers=headers, kind=kind)
        tap.equal((answer[0], server.asked), (status, []), fault)
        tap.contains(answer[1], part)
    form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    answer, _ = with_fault("throttle", method="POST", body=b"Action=Publish&Message=x", headers=form, kind="Publish")
    tap.equal(answer[0], 400)
    tap.contains(answer[1], b"<ErrorResponse><Error><Code>Throttling</Code>")


def test_done_and_not_told():
    """The server did it, and the client hears of an error, or did it twice, and the client hears once"""
    answer, server = with_fault("500-after")
    tap.equal((answer[0], len(server.asked)), (500, 1))
    answer, server = with_fault("repeat")
    tap.equal((answer[0], server.asked), (200, [("PUT", "/b/k", BODY)] * 2))
    assert answer[1] in (b"1:" + BODY, b"2:" + BODY), answer


def test_spoilt_bodies():
    """Shorter, or a bit of them flipped, and nothing says so"""
    answer, _ = with_fault("truncate")
    assert answer[0] == 200 and len(answer[1]) < len(BODY) + 2 and (b"1:" + BODY).startswith(answer[1]), answer
    answer, _ = with_fault("flip")
    changed = [a ^ b for a, b in zip(answer[1], b"1:" + BODY) if a != b]
    assert len(answer[1]) == len(BODY) + 2 and len(changed) == 1 and changed[0].bit_count() == 1, answer
    answer, server = with_fault("flip-request")
    assert server.asked[0][2] != BODY and len(server.asked[0][2]) == len(BODY)


def test_a_strict_proxy_judges_bodies():
    """strict refuses a body that is not what its headers promise, as S3 does"""
    server = Server()
    proxy = FaultProxy(server.server_port, strict=True)
    sha = hashlib.sha256(BODY)
    promises = {"x-amz-content-sha256": sha.hexdigest(), "x-amz-checksum-sha256": base64.b64encode(sha.digest()).decode(),
                "content-md5": base64.b64encode(hashlib.md5(BODY).digest()).decode()}
    tap.equal(ask(proxy, headers=promises)[0], 200)
    for name, value in promises.items():
        status, body = ask(proxy, body=BODY + b"!", headers={name: value})
        tap.equal(status, 400)
        tap.contains(body, b"XAmzContentSHA256Mismatch" if name == "x-amz-content-sha256" else b"BadDigest")
    proxy.at("PUT", 1, "flip-request")
    tap.equal(ask(proxy, headers=promises)[0], 400)
    tap.equal(len(server.asked), 1)


def seeded(seed, paths):
    server = Server()
    proxy = FaultProxy(server.server_port, seed=seed, rate=0.5)
    for path in paths:
        ask(proxy, path=path)
    return proxy.log


def test_a_seed_is_a_plan():
    """One seed is one plan, another is another, and every fault is in it"""
    paths = [f"/b/{i}" for i in range(40)]
    plan = seeded(7, paths)
    tap.equal(seeded(7, paths), plan)
    assert seeded(8, paths) != plan
    assert 8 < len(plan) < 32, plan
    random_faults = [fault_proxy.random.Random(f"7 PUT {n}") for n in range(1, 400)]
    drawn = {rng.choice(fault_proxy.SEEDED) for rng in random_faults if rng.random() < 0.5}
    tap.equal(drawn, set(fault_proxy.SEEDED))


def test_who_tries_thrice_gets_through():
    """The same request fails twice in a row at most"""
    server = Server()
    proxy = FaultProxy(server.server_port, rate=1, faults=["500", "cut-before"])
    for body in (b"one", b"two"):
        answers = [ask(proxy, body=body) for _ in range(6)]
        tap.equal([bool(answer and answer[0] == 200) for answer in answers], [False, False, True] * 2)


tap.run()
