"""A proxy before an HTTP server on loopback that does to requests what happens to them on bad days.

    proxy = FaultProxy(server.port, seed=7, rate=0.2)    # one request in five, as the seed says
    proxy.at("PUT partNumber,uploadId", 2, "cut-answer") # or what a test names: the second upload of a part
    server.env(url=proxy.url)                            # the clients' way to it
    proxy.story()                                        # what it did, a line each: print it when a test fails

A request's kind is its action where it names one ("BatchWriteItem"), else its method and the names of its
query's parameters. What happens to the n-th request of a kind depends on seed, kind and n alone, so that a
client that asks for the same again meets the same again. No request fails more than IN_A_ROW times in a row,
however high the rate: who tries thrice gets through.

S3 requests are judged on their way with strict=True, as S3 does and the peers of the tests do not: a body
that has another SHA-256 or checksum than its headers say is refused.
"""
import base64
import collections
import hashlib
import json
import random
import socket
import struct
import threading
import time
import urllib.parse
import zlib

FAULTS = {
    "delay": "passes late",
    "cut-before": "the line is cut before the server hears of it",
    "cut-request": "the server gets a part of the request, then the line is reset on both sides",
    "cut-answer": "the server has done it; the line is cut before its answer",
    "cut-head": "the line is cut within the head of the answer",
    "cut-body": "the line is cut within the body of the answer",
    "repeat": "the server gets it twice, one after the other; the client hears one of the answers",
    "500": "the server never hears of it; 500 InternalError",
    "500-after": "the server has done it; 500 InternalError",
    "503": "the server never hears of it; 503 SlowDown, or what the service says instead",
    "throttle": "the server never hears of it; 400 ThrottlingException, or what the service says instead",
    "provisioned": "the server never hears of it; 400 ProvisionedThroughputExceededException",
    "truncate": "the answer's body is shorter, and its length says so",
    "flip": "one bit of the answer's body is another",
    "flip-request": "one bit of the request's body is another",
}
# The last three can be seen by checksums alone, which most peers do not give: a test names them.
SEEDED = [name for name in FAULTS if name not in ("truncate", "flip", "flip-request")]
IN_A_ROW = 2
DELAY_SECONDS = 0.2
TIMEOUT_SECONDS = 60


class Message:
    """A request or an answer: the lines of its head, and its body as it came."""

    def __init__(self, lines, body=b""):
        self.lines, self.body = lines, body

    @classmethod
    def read(cls, file, asked=None, proceed=None):
        """The next one; None: there is none. `asked` is the method that it answers. `proceed` is called before
        the body of a request whose client waits to be told."""
        lines = []
        while (line := file.readline().rstrip(b"\r\n")):
            lines.append(line)
        if not lines:
            return None
        message = cls(lines)
        if proceed and message.header("expect"):
            proceed()
        if asked != "HEAD" and message.first()[1] not in ("204", "304"):
            message.body = message.read_body(file, is_answer=asked is not None)
        return message

    def read_body(self, file, is_answer):
        length = self.header("content-length")
        if length is not None:
            return file.read(int(length))
        if (self.header("transfer-encoding") or "").lower() != "chunked":
            return file.read() if is_answer else b""
        body = b""
        while True:
            line = file.readline()
            body += line + file.read(int(line.split(b";")[0], 16) + 2)
            if int(line.split(b";")[0], 16) == 0:
                return body

    def first(self):
        return self.lines[0].decode("latin-1").split(" ", 2)

    def header(self, name):
        for line in self.lines[1:]:
            key, _, value = line.decode("latin-1").partition(":")
            if key.strip().lower() == name:
                return value.strip()
        return None

    def without(self, *names):
        kept = [line for line in self.lines[1:] if line.decode("latin-1").partition(":")[0].strip().lower() not in names]
        return Message([self.lines[0], *kept], self.body)

    def head(self):
        return b"".join(line + b"\r\n" for line in self.lines) + b"\r\n"

    def bytes(self):
        return self.head() + self.body


def kind_of(request):
    method, target, *_ = request.first()
    if action := request.header("x-amz-target"):
        return action.rpartition(".")[2]
    if (request.header("content-type") or "").startswith("application/x-www-form-urlencoded"):
        return dict(urllib.parse.parse_qsl(request.body.decode())).get("Action", method)
    names = sorted(name for name, _ in urllib.parse.parse_qsl(urllib.parse.urlsplit(target).query, keep_blank_values=True))
    return " ".join([method, ",".join(names)]).strip()


def refusal(request, status, code):
    """As the service that is asked would say it."""
    why = "said by the fault proxy"
    if request.header("x-amz-target"):
        body, content_type = json.dumps({"__type": f"com.amazon.coral.service#{code}", "message": why}), "application/x-amz-json-1.0"
    else:
        error = f"<Error><Code>{code}</Code><Message>{why}</Message></Error>"
        is_query = (request.header("content-type") or "").startswith("application/x-www-form-urlencoded")
        body, content_type = f"<ErrorResponse>{error}</ErrorResponse>" if is_query else error, "application/xml"
    if request.first()[0] == "HEAD":
        body = ""
    return Message([f"HTTP/1.1 {status} {code}".encode(), f"Content-Type: {content_type}".encode(),
                    f"Content-Length: {len(body)}".encode(), b"x-amzn-RequestId: fault"], body.encode())


def refusal_of(request, fault):
    is_json = request.header("x-amz-target") is not None
    is_s3 = not is_json and kind_of(request).split()[0] in ("GET", "PUT", "HEAD", "POST", "DELETE")
    status, code = {
        "500": (500, "InternalServerError" if is_json else "InternalError"),
        "503": (503, "SlowDown" if is_s3 else "ServiceUnavailable"),
        "throttle": (503, "SlowDown") if is_s3 else (400, "ThrottlingException" if is_json else "Throttling"),
        "provisioned": (503, "SlowDown") if is_s3 else (400, "ProvisionedThroughputExceededException"),
    }[fault.removesuffix("-after")]
    return refusal(request, status, code)


def crc32c(body):
    from awscrt import checksums  # of boto3's own
    return struct.pack(">I", checksums.crc32c(body))


DIGESTS = {
    "x-amz-checksum-sha256": lambda body: hashlib.sha256(body).digest(),
    "x-amz-checksum-crc32": lambda body: struct.pack(">I", zlib.crc32(body)),
    "x-amz-checksum-crc32c": crc32c,
    "content-md5": lambda body: hashlib.md5(body).digest(),
}


def judge(request):
    """What S3 says to a body that is not what its headers promise; None: it is. A body in chunks that are
    signed each is the server's to judge."""
    said = request.header("x-amz-content-sha256") or ""
    if len(said) == 64 and said != hashlib.sha256(request.body).hexdigest():
        return refusal(request, 400, "XAmzContentSHA256Mismatch")
    for name, digest in DIGESTS.items():
        if not said.startswith("STREAMING") and request.header(name) and \
                request.header(name) != base64.b64encode(digest(request.body)).decode():
            return refusal(request, 400, "BadDigest")
    return None


def flipped(body, rng):
    if not body:
        return body
    at = rng.randrange(len(body))
    return body[:at] + bytes([body[at] ^ 1 << rng.randrange(8)]) + body[at + 1:]


def reset_when_closed(line):
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Cut(Exception):
    """The client's line ends here, after these bytes."""

    def __init__(self, sent=b""):
        self.sent = sent


class FaultProxy:
    def __init__(self, server_port, seed=0, rate=0.0, faults=SEEDED, strict=False):
        self.server_port, self.seed, self.rate, self.faults, self.strict = server_port, seed, rate, faults, strict
        self.log, self.planned = [], {}
        self.seen, self.failed = collections.Counter(), collections.Counter()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def at(self, kind, number, fault):
        """What happens to the number-th request (from 1) of a kind from here on."""
        assert fault in FAULTS, fault
        self.planned[kind, self.seen[kind] + number] = fault

    def story(self):
        return "\n".join(self.log)

    # --- What is to happen -----------------------------------------------------------------------

    def _plan(self, request):
        """(fault or None, its dice). The same request in a row is the client trying again."""
        kind = kind_of(request)
        same = (*request.first()[:2], hashlib.sha256(request.body).digest())
        with self.lock:
            self.seen[kind] += 1
            number = self.seen[kind]
            rng = random.Random(f"{self.seed} {kind} {number}")
            fault = self.planned.get((kind, number))
            if not fault and rng.random() < self.rate and self.failed[same] < IN_A_ROW:
                fault = rng.choice(self.faults)
            self.failed[same] = self.failed[same] + 1 if fault else 0
            if fault:
                self.log.append(f"{kind} #{number}: {fault}  {request.lines[0].decode('latin-1')}")
        return fault, rng

    def _ask(self, request, part=None):
        """The server's answer; None: it got a part alone."""
        with socket.create_connection(("127.0.0.1", self.server_port), timeout=TIMEOUT_SECONDS) as server:
            # Each request has a line of its own to the server: nobody's line but the client's is kept.
            server.sendall(request.without("expect").bytes()[:part])
            if part is not None:
                # Reset, not closed: peers take an orderly end for the end of the request and store what came.
                reset_when_closed(server)
                return None
            with server.makefile("rb") as said:
                answer = Message.read(said, asked=request.first()[0])
        if answer is None:
            raise Cut
        return answer.without("connection", "keep-alive")

    def _answer(self, request, fault, rng):
        """The answer that the client gets, or Cut."""
        if fault == "cut-before":
            raise Cut
        if fault == "cut-request":
            length = len(request.without("expect").bytes())
            self._ask(request, rng.randrange(length // 4, length))
            raise Cut
        if fault in ("500", "503", "throttle", "provisioned"):
            return refusal_of(request, fault)
        if fault == "delay":
            time.sleep(rng.uniform(0, DELAY_SECONDS))
        if fault == "flip-request":
            request = Message(request.lines, flipped(request.body, rng))
        if self.strict and (refused := judge(request)):
            return refused
        answers = [self._ask(request) for _ in range(2 if fault == "repeat" else 1)]
        return self._spoilt(request, rng.choice(answers), fault, rng)

    def _spoilt(self, request, answer, fault, rng):
        head = answer.head()
        if fault == "500-after":
            return refusal_of(request, fault)
        if fault == "cut-answer":
            raise Cut
        if fault == "cut-head" or fault == "cut-body" and not answer.body:
            raise Cut(head[:rng.randrange(1, len(head))])
        if fault == "cut-body":
            raise Cut(head + answer.body[:rng.randrange(len(answer.body))])
        if fault == "truncate" and answer.body and answer.header("content-length"):
            short = answer.without("content-length")
            short.body = answer.body[:rng.randrange(len(answer.body))]
            short.lines.append(f"Content-Length: {len(short.body)}".encode())
            return short
        if fault == "flip":
            return Message(answer.lines, flipped(answer.body, rng))
        return answer

    # --- The client's line -----------------------------------------------------------------------

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client):
        client.settimeout(TIMEOUT_SECONDS)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with client, client.makefile("rb") as said:
            try:
                while self._exchange(client, said):
                    pass
            except (OSError, ValueError):  # the client or the server left
                return

    def _exchange(self, client, said):
        """Whether the line is still there."""
        request = Message.read(said, proceed=lambda: client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n"))
        if request is None:
            return False
        fault, rng = self._plan(request)
        try:
            answer = self._answer(request, fault, rng)
        except Cut as cut:
            client.sendall(cut.sent)
            if rng.random() < 0.5:  # reset, or closed in order
                reset_when_closed(client)
            return False
        client.sendall(answer.bytes())
        # An answer of no said length ends with the line.
        return request.first()[0] == "HEAD" or answer.first()[1] in ("204", "304") or \
            bool(answer.header("content-length") or answer.header("transfer-encoding"))


class Gate(FaultProxy):
    """Passes everything on, but keeps the first request of a kind until it is opened."""

    def __init__(self, server_port, kind):
        self.kind, self.reached, self.opened = kind, threading.Event(), threading.Event()
        super().__init__(server_port)

    def _answer(self, request, fault, rng):
        if kind_of(request) == self.kind and not self.reached.is_set():
            self.reached.set()
            self.opened.wait(TIMEOUT_SECONDS)
        return super()._answer(request, fault, rng)
