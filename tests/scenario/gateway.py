#!/usr/bin/env python3
"""An endpoint of serve.ingest in a function of AWS Lambda: requests of API Gateway in both formats, answered when the
queue (moto) has accepted their events."""
import aws

aws.require()

import base64  # noqa: E402
import hashlib  # noqa: E402
import hmac  # noqa: E402
import http.server  # noqa: E402
import json  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

from cryptography.hazmat.primitives import hashes  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: E402

import fault_proxy  # noqa: E402
import lambda_api  # noqa: E402
import tap  # noqa: E402
from gateway_events import SHAPES, http as http_api, rest  # noqa: E402
from project import Project  # noqa: E402

KEY = "a-key-nobody-guesses"
SECRET = "s" * 32
CONFIG = """\
version: 1
connections:
  out: {{ type: sqs, queue: "arn:aws:sqs:eu-west-1:123456789012:{queue}" }}
{more}
serve:
  ingest:
    open:
      columns: {{ event_id: {{ type: text, required: true }}, amount: "decimal(12,2)" }}
      auth: none
      to: out
      max_body: 8MiB
    keyed:
      columns: {{ event_id: text }}
      auth: {{ api_key: "${{KEY}}", allow: [203.0.113.0/24] }}
      to: out
      max_body: 1KiB
    signed:
      columns: {{ event_id: text }}
      auth: {{ hmac: {{ secret: "${{SECRET}}", header: X-Signature, prefix: "sha256=", timestamp: X-Timestamp }} }}
      to: out
    tokens:
      columns: {{ event_id: text }}
      auth: {{ bearer: {{ jwks: "{jwks}", issuer: "https://id.example", audience: "wherry" }} }}
      to: out
    unsafe:
      columns: {{ event_id: text }}
      to: out
    nowhere:
      columns: {{ event_id: text }}
      auth: none
pipelines:
{pipelines}
"""
JSON = {"Content-Type": "application/json"}


class Place:
    count = 0
    server = None

    def __init__(self, fifo=False, url=None, more="", pipelines="  {}", jwks="https://id.example/keys"):
        Place.server = Place.server or aws.Moto()
        Place.count += 1
        self.sqs = self.server.client("sqs")
        name = f"events-{Place.count}" + (".fifo" if fifo else "")
        self.queue = self.sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if fifo else {})["QueueUrl"]
        project = Project(config=CONFIG.format(queue=name, more=more, pipelines=pipelines, jwks=jwks))
        self.function = lambda_api.Function(project.folder, {**self.server.env(url=url), "KEY": KEY, "SECRET": SECRET},
                                            program=tap.BUILD / "src/cli/bootstrap")

    def ask(self, event, seconds=60):
        kind, said = self.function.invoke(event, seconds)
        tap.equal((kind, said["isBase64Encoded"], said["headers"]["Cache-Control"]), ("response", False, "no-store"), said)
        return said["statusCode"], json.loads(said["body"]), said["headers"]

    def receive(self):
        return [(m["MessageAttributes"]["_wherry_id"]["StringValue"], json.loads(m["Body"]))
                for m in aws.drain(self.sqs, self.queue)]

    def stop(self):
        tap.equal(self.function.stop(), 0, self.function.log)


def test_both_formats():
    """202 with a receipt once the events are in the queue, whatever the case of headers and the way of the body"""
    p = Place()
    for shape in SHAPES:
        status, said, headers = p.ask(shape("/ingest/open", '{"event_id":"a ü","amount":12.3,"iban":"DE"}', {"cOnTent-tYpe": "application/json"}))
        tap.equal((status, said["events"], headers["Content-Type"]), (202, 1, "application/json"))
        tap.equal(p.receive(), [(f"{said['receipt']}-0", {"event_id": "a ü", "amount": 12.3})])
        status, said, _ = p.ask(shape("/ingest/open", '{"event_id":"b"}\n{"event_id":"c"}\n',
                                      {"Content-Type": "application/x-ndjson; charset=utf-8"}, encoded=True, stage="dev"))
        tap.equal((status, said["events"]), (202, 2))
        tap.equal([e["event_id"] for _, e in p.receive()], ["b", "c"])
        many = [{"event_id": f"{i}"} for i in range(35)]
        status, said, _ = p.ask(shape("/base/ingest/open", json.dumps(many), JSON))
        tap.equal((status, said["events"]), (202, 35))
        tap.equal(sorted(p.receive()), sorted((f"{said['receipt']}-{i}", {"event_id": f"{i}"}) for i in range(35)))
    p.stop()


def test_refusals_are_problems():
    p = Place()
    cases = (("/ingest/open", '{"event_id":1.5,"amount":"x"}', JSON, 422), ("/ingest/open", '{"amount":1}', JSON, 422),
             ("/ingest/open", '{"event_id":', JSON, 400), ("/ingest/open", "", JSON, 400), ("/ingest/open", "[]", JSON, 400),
             ("/ingest/open", '{"event_id":"\x00"}', JSON, 400), ("/ingest/open", "{}", {}, 415), ("/ingest/open", "{}", {"Content-Type": "text/plain"}, 415),
             ("/ingest/open", "{}", {**JSON, "content-encoding": "gzip"}, 415), ("/ingest/open", '{"event_id":"a"}', {**JSON, "Idempotency-Key": "k" * 256}, 400),
             ("/ingest/open", '{"event_id":"' + "x" * 300000 + '"}', JSON, 413), ("/ingest/nothing", "{}", JSON, 404), ("/ingest/", "{}", JSON, 404),
             ("/open", "{}", JSON, 404), ("", "{}", JSON, 404), ("/receipts/01m81j4h5e7j0qwphmh3xzcmva", "", {}, 404))
    for shape in SHAPES:
        for path, body, headers, want in cases:
            status, said, answered = p.ask(shape(path, body, headers))
            tap.equal((status, said["status"], answered["Content-Type"]), (want, want, "application/problem+json"), (path, body[:40], said))
        tap.equal(p.ask(shape("/ingest/open", '{"event_id":""}\n' * 10001, {"Content-Type": "application/x-ndjson"}))[0], 413)
        status, said, answered = p.ask(shape("/ingest/open", method="GET"))
        tap.equal((status, answered["Allow"]), (405, "POST"))
        status, said, _ = p.ask(shape("/ingest/open", '[{"event_id":"a"},{"event_id":"b","amount":1.234}]', JSON))
        tap.equal([e["pointer"] for e in said["errors"]], ["/1/amount"])
    tap.equal(p.receive(), [])
    p.stop()


def test_who_may_send():
    """Keys and addresses as on a machine; the address is the one that the gateway saw"""
    p = Place()
    for shape in SHAPES:
        send = lambda headers, **more: p.ask(shape("/ingest/keyed", '{"event_id":"a"}', [*JSON.items(), *headers], **more))  # noqa: B023,E731
        tap.equal(send([("authorization", f"Bearer {KEY}")])[0], 202)
        tap.equal(send([("X-API-KEY", KEY)])[0], 202)
        status, said, headers = send([("Authorization", f"Bearer {KEY}x")])
        tap.equal(status, 401)
        tap.contains(headers["WWW-Authenticate"], "Bearer")
        tap.equal(send([])[0], 401)
        tap.equal(send([("X-Api-Key", KEY), ("x-api-key", KEY)])[0], 401)
        for source in ("198.51.100.1", "2001:db8::1", "", "test-invoke-source-ip"):
            tap.equal(send([("X-Api-Key", KEY), ("X-Forwarded-For", "203.0.113.9")], source=source)[0], 403, source)
        tap.equal(p.ask(shape("/ingest/keyed", "x" * 1025, {**JSON, "X-Api-Key": KEY}))[0], 413)
        tap.equal(p.ask(shape("/ingest/keyed", "x" * 1025, JSON))[0], 401, "who may not send is told first")
    tap.equal(len(p.receive()), 4)
    p.stop()


def sign(body, at):
    return {**JSON, "X-Timestamp": str(at),
            "X-Signature": "sha256=" + hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()}


def test_signatures():
    """Over the bytes that were sent; what was recorded and is sent again is the same messages"""
    p, body = Place(), '{"event_id":"ü"}'.encode()
    for shape in SHAPES:
        for encoded in (False, True):
            headers = sign(body, int(time.time()))
            answers = [p.ask(shape("/ingest/signed", body, {**headers, **more}, encoded=encoded))
                       for more in ({}, {"Idempotency-Key": "another"})]
            tap.equal([a[0] for a in answers], [202, 202])
            tap.equal(answers[0][1]["receipt"], answers[1][1]["receipt"])
            tap.equal(p.ask(shape("/ingest/signed", body + b" ", headers, encoded=encoded))[0], 401)
    tap.equal(p.ask(http_api("/ingest/signed", body, sign(body, int(time.time()) - 3600)))[0], 401)
    tap.equal({e["event_id"] for _, e in p.receive()}, {"ü"})
    p.stop()


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Keys(http.server.BaseHTTPRequestHandler):
    """A JWK Set, which comes late: a function that has just begun has to wait for it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def log_message(self, *_):
        pass

    def do_GET(self):
        time.sleep(1)
        public = self.key.public_key().public_numbers()
        n, e = (base64url(x.to_bytes((x.bit_length() + 7) // 8, "big")) for x in (public.n, public.e))
        body = json.dumps({"keys": [{"kty": "RSA", "kid": "k", "alg": "RS256", "use": "sig", "n": n, "e": e}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def token(**claims):
    head, body = ({"alg": "RS256", "kid": "k", "typ": "JWT"},
                  {"iss": "https://id.example", "aud": "wherry", "sub": "shop", "exp": int(time.time()) + 300, **claims})
    text = f"{base64url(json.dumps(head).encode())}.{base64url(json.dumps(body).encode())}"
    return f"{text}.{base64url(Keys.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def test_tokens():
    """The keys of a URL are waited for by the first request; then they are there"""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    p = Place(jwks=f"http://127.0.0.1:{server.server_port}/keys")
    for shape in SHAPES:
        send = lambda t: p.ask(shape("/ingest/tokens", '{"event_id":"a"}', {**JSON, "Authorization": f"Bearer {t}"}))  # noqa: B023,E731
        tap.equal(send(token())[0], 202)
        tap.equal(send(token(aud="other"))[0], 401)
        tap.equal(send(token()[:-4] + "AAAA")[0], 401)
    tap.equal(len(p.receive()), 2)
    p.stop()
    server.shutdown()


def test_sending_again():
    """The key and the body make the ids: a queue that keeps order leaves out what it has; another body is another request"""
    for fifo in (False, True):
        p = Place(fifo=fifo)
        ask = lambda body, key, shape=http_api: p.ask(shape("/ingest/open", json.dumps(body), {**JSON, "idempotency-KEY": key}))  # noqa: B023,E731
        body = [{"event_id": f"{i}"} for i in range(12)]
        first, second, other = ask(body, "k1"), ask(body, "k1", rest), ask(body, "k2")
        tap.equal([a[0] for a in (first, second, other)], [202] * 3)
        tap.equal(first[1], second[1])
        assert other[1]["receipt"] != first[1]["receipt"]
        changed = ask([{"event_id": "changed"}], "k1")
        tap.equal(changed[0], 202)
        assert changed[1]["receipt"] != first[1]["receipt"]
        found = p.receive()
        tap.equal(len({i for i, _ in found}), 25)
        tap.equal(len(found), 25 if fifo else 37)
        if fifo:
            tap.equal([e["event_id"] for _, e in found][:12], [e["event_id"] for e in body])
        p.stop()


def test_a_queue_that_does_not_accept():
    """No 202 before SQS has it: a cut line is tried again, a queue that is not there is 503 with Retry-After"""
    server = Place.server = Place.server or aws.Moto()
    proxy = fault_proxy.FaultProxy(server.port, seed=1, rate=0)
    proxy.at("SendMessageBatch", 1, "cut-answer")
    proxy.at("SendMessageBatch", 2, "503")
    p = Place(url=proxy.url)
    status, said, _ = p.ask(http_api("/ingest/open", '{"event_id":"a"}', JSON))
    tap.equal(status, 202)
    tap.equal({i for i, _ in p.receive()}, {f"{said['receipt']}-0"})
    p.sqs.delete_queue(QueueUrl=p.queue)
    status, said, headers = p.ask(http_api("/ingest/open", '{"event_id":"a"}', JSON), seconds=4)
    tap.equal((status, headers["Retry-After"], said["detail"]), (503, "10", "the queue has not accepted all of it"))
    tap.contains(p.function.log, "out: 127.0.0.1:")
    p.stop()


def test_what_a_function_cannot_serve():
    """An address of this machine protects nothing there, and no disk keeps events"""
    p = Place()
    for name, why in (("unsafe", "everybody could send events"), ("nowhere", "Say which queue they go to")):
        status, said, _ = p.ask(http_api(f"/ingest/{name}", "{}", JSON))
        tap.equal((status, said["detail"]), (503, "this endpoint cannot take events now"))
        tap.contains(p.function.log, why)
    tap.equal(p.ask(http_api("/ingest/open", '{"event_id":"a"}', JSON))[0], 202)
    p.stop()


def test_beside_other_events():
    """The same function loads what S3 and SQS announce: neither is taken for the other"""
    p = Place(more="  lake: { type: s3, bucket: gateway-lake, path_style: true }\n  site: { type: sqlite, path: site.db }",
              pipelines="  copy:\n    when: new\n    from: lake:in/*.json\n    columns: all\n    to: site:people\n    write: { mode: append }\n")
    p.server.make_bucket("gateway-lake")
    p.server.client("s3").put_object(Bucket="gateway-lake", Key="in/a.json", Body=b'[{"id":1}]')
    said = lambda_api.s3("gateway-lake", "in/a.json")
    run = ("response", {"runs": 1, "failed": 0, "rows_quarantined": 0})
    tap.equal(p.ask(http_api("/ingest/open", json.dumps(said), JSON))[0], 422)
    tap.equal(p.function.invoke(said), run)
    tap.equal(p.ask(rest("/ingest/open", json.dumps({"pipeline": "copy", "event_id": "a"}), JSON))[0], 202)
    inside = json.dumps(http_api("/ingest/open", '{"event_id":"b"}', JSON))
    tap.equal(p.function.invoke(lambda_api.sqs(("m", inside)))[0], "error")  # no event of an object
    p.server.client("s3").put_object(Bucket="gateway-lake", Key="in/b.json", Body=b'[{"id":2}]')
    tap.equal(p.function.invoke(lambda_api.sqs(("m", json.dumps(lambda_api.s3("gateway-lake", "in/b.json")))))[0], "response")
    tap.equal([e["event_id"] for _, e in p.receive()], ["a"])
    p.stop()


def test_an_event_that_is_none():
    p = Place()
    for event in ({**http_api("/ingest/open", "{}", JSON), "body": "%%", "isBase64Encoded": True},
                  {"requestContext": {"http": {}}}, {"httpMethod": "POST", "requestContext": {"identity": {}}, "headers": 7, "body": []}):
        kind, said = p.function.invoke(event)
        assert kind == "error" or said["statusCode"] == 404, (kind, said)
    tap.equal(p.ask(http_api("/ingest/open", '{"event_id":"a"}', JSON))[0], 202)
    p.stop()


tap.run()
