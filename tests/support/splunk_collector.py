"""A strict HTTP Event Collector: it looks at every rule of Splunk's protocol, keeps what it took, and does on request
what a real one does on a bad day.

    collector = Collector(ack=True)          # certificate=path: over TLS
    collector.url, collector.TOKEN
    collector.events                         # what is safe: acknowledged, or taken where nothing is acknowledged
    collector.plan = lambda n, path: Fault(503, 9)   # of the nth request with events, from 1; None: as it should
    collector.acks = lambda number, asked: asked > 2 # whether request `number` is acknowledged at the question `asked`

A request that is taken but not acknowledged is held, and is gone with `restart()`, as it may be with a real one.
`broken` lists what no client may do; a test ends with `collector.check()`.
"""
import collections
import dataclasses
import http.server
import json
import re
import ssl
import threading
import time
import urllib.parse
import zlib

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.I)
METADATA = {"time", "host", "source", "sourcetype", "index", "event", "fields"}
# "Troubleshoot HTTP Event Collector": code -> HTTP status, text
CODES = {
    0: (200, "Success"), 1: (403, "Token disabled"), 2: (401, "Token is required"), 3: (401, "Invalid authorization"),
    4: (403, "Invalid token"), 5: (400, "No data"), 6: (400, "Invalid data format"), 7: (400, "Incorrect index"),
    8: (500, "Internal server error"), 9: (503, "Server is busy"), 10: (400, "Data channel is missing"),
    11: (400, "Invalid data channel"), 12: (400, "Event field is required"), 13: (400, "Event field cannot be blank"),
    14: (400, "ACK is disabled"), 15: (400, "Error in handling indexed fields"),
    16: (400, "Query string authorization is not enabled"), 17: (200, "HEC is healthy"),
    18: (503, "HEC is unhealthy, queues are full"), 19: (503, "HEC is unhealthy, ack service unavailable"),
    20: (503, "HEC is unhealthy, queues are full, ack service unavailable"), 21: (400, "Invalid token"),
    22: (400, "Token disabled"), 23: (503, "Server is shutting down"), 24: (200, "HEC queue is approaching capacity"),
    25: (200, "HEC ACK is approaching capacity"), 26: (429, "HEC queue is at capacity"),
    27: (429, "HEC ACK channel is at capacity"),
}


@dataclasses.dataclass
class Fault:
    """What becomes of a request with events instead of what should."""
    status: int = 0
    code: int = None
    headers: dict = dataclasses.field(default_factory=dict)
    body: str = None  # instead of the collector's JSON
    number: int = None  # invalid-event-number
    kept: bool = False  # the events were taken all the same
    cut: bool = False  # the line breaks before an answer
    delay: float = 0


def answer_of(code, **more):
    return CODES[code][0], {"text": CODES[code][1], "code": code, **more}


class Refusal(Exception):
    def __init__(self, code, **more):
        super().__init__(code)
        self.status, self.body = answer_of(code, **more)


class Collector:
    TOKEN = "0e8c53a3-7e4b-4a5e-9d4f-2f4c1c0f5a11"

    def __init__(self, ack=True, certificate=None, indexes=("main", "hr"), max_bytes=1_000_000, enabled=True):
        self.ack, self.indexes, self.max_bytes, self.enabled = ack, indexes, max_bytes, enabled
        self.plan, self.acks = lambda number, path: None, lambda number, asked: True
        self.refuses = lambda event: None  # a code, of an event that this collector does not like
        self.events, self.held, self.broken = [], {}, []
        self.requests = self.polls = self.under_way = self.most_under_way = 0
        self.bytes_sent, self.largest, self.channels = 0, 0, set()
        self.asked, self.next_ack = collections.Counter(), collections.Counter()
        self.lock = threading.RLock()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def restart(self):
        """What was not acknowledged is gone, and so are the channels."""
        with self.lock:
            self.held.clear()
            self.next_ack.clear()

    def check(self):
        assert not self.broken, "\n".join(self.broken[:10])
        by_id = {}
        for event in self.events:
            first = by_id.setdefault(event["id"], event)
            assert first == event, f"two events of one id: {first} and {event}"
        return by_id

    # --- the rules -------------------------------------------------------------------------------

    def wrong(self, what):
        self.broken.append(what)

    def authorize(self, headers):
        given = headers.get("Authorization")
        if given is None:
            raise Refusal(2)
        if not given.startswith("Splunk "):
            raise Refusal(3)
        if given != f"Splunk {self.TOKEN}":
            raise Refusal(4)
        if not self.enabled:
            raise Refusal(1)

    def channel_of(self, headers, query):
        channel = headers.get("X-Splunk-Request-Channel") or query.get("channel", [None])[0]
        if channel is None:
            if self.ack or query.get("raw"):
                raise Refusal(10)
            return None
        if not GUID.fullmatch(channel):
            raise Refusal(11)
        self.channels.add(channel)
        return channel

    def body_of(self, headers, body):
        if len(body) > self.max_bytes:
            return None
        if headers.get("Content-Encoding") == "gzip":
            inflate = zlib.decompressobj(31)
            body = inflate.decompress(body)
            if not inflate.eof or inflate.unused_data:
                self.wrong("a body that is not one whole gzip member")
        elif headers.get("Content-Encoding"):
            self.wrong(f"Content-Encoding: {headers['Content-Encoding']}")
        return body if len(body) <= self.max_bytes else None

    def check_time(self, event, number):
        if "time" not in event:
            return
        if isinstance(event["time"], bool) or not isinstance(event["time"], str) or \
                not re.fullmatch(r"\d{1,11}(\.\d{1,9})?", event["time"]):
            raise Refusal(6, **{"invalid-event-number": number})

    def check_event(self, event, number):
        bad = {"invalid-event-number": number}
        if not isinstance(event, dict) or set(event) - METADATA:
            raise Refusal(6, **bad)
        self.check_time(event, number)
        for name in ("host", "source", "sourcetype", "index"):
            if not isinstance(event.get(name, ""), str) or event.get(name) == "":
                self.wrong(f"{name}: {event[name]!r}")
        if event.get("index", "main") not in self.indexes:
            raise Refusal(7, **bad)
        if "event" not in event:
            raise Refusal(12, **bad)
        if event["event"] in ("", None, {}, []):
            raise Refusal(13, **bad)
        fields = event.get("fields", {})
        if not isinstance(fields, dict) or any(not isinstance(v, (str, int, float)) or isinstance(v, bool) for v in fields.values()):
            raise Refusal(15, **bad)
        if self.refuses(event) is not None:
            raise Refusal(self.refuses(event), **bad)

    def read_events(self, text):
        """Objects one behind the other, with white space between them. Numbers stay as they were written."""
        decoder, at, events = json.JSONDecoder(parse_float=str, parse_int=str), 0, []
        while True:
            while at < len(text) and text[at].isspace():
                at += 1
            if at == len(text):
                return events
            try:
                event, at = decoder.raw_decode(text, at)
            except ValueError:
                raise Refusal(6, **{"invalid-event-number": len(events)}) from None
            self.check_event(event, len(events))
            events.append(event)

    def read(self, path, query, body):
        if not body:
            raise Refusal(5)
        text = body.decode("utf-8", "strict")
        if path.endswith("/raw"):
            said = {name: query[name][0] for name in ("host", "source", "sourcetype", "index") if name in query}
            if said.get("index", "main") not in self.indexes:
                raise Refusal(7)
            return [{**said, "event": line} for line in text.split("\n") if line]
        return self.read_events(text)

    def keep(self, events):
        for event in events:
            inner = event["event"]
            if isinstance(inner, dict):
                number = inner.get("_wherry_id")
            else:
                found = re.search(r'_wherry_id(?:=|":")([0-9a-f]{32})', inner)
                number = found and found.group(1)
            if not number or not re.fullmatch("[0-9a-f]{32}", number):
                self.wrong(f"no _wherry_id: {event}")
            self.events.append({**event, "id": number})

    # --- requests --------------------------------------------------------------------------------

    def take(self, path, query, headers, body):
        """(status, answer, headers, cut) of a request with events."""
        with self.lock:
            self.requests += 1
            number = self.requests
            self.bytes_sent += len(body)
            self.largest = max(self.largest, len(body))
            fault = self.plan(number, path)
        if fault and fault.delay:
            time.sleep(fault.delay)
        with self.lock:
            if not fault or fault.kept or not (fault.status or fault.cut):
                status, answer = self.store(path, query, headers, body, number)
            if not fault or not (fault.status or fault.cut):
                return status, answer, {}, False
            answer = {"text": CODES[fault.code][1], "code": fault.code} if fault.code is not None else {}
            if fault.number is not None:
                answer["invalid-event-number"] = fault.number
            return fault.status, answer if fault.body is None else fault.body, fault.headers, fault.cut

    def store(self, path, query, headers, body, number):
        self.authorize(headers)
        channel = self.channel_of(headers, query)
        plain = self.body_of(headers, body)
        if plain is None:
            return 413, {"text": "The request your client sent was too large", "code": 27}
        events = self.read(path, query, plain)
        if not self.ack:
            self.keep(events)
            return answer_of(0)
        ack = self.next_ack[channel]
        self.next_ack[channel] += 1
        self.held[channel, ack] = (number, events)
        return answer_of(0, ackId=ack)

    def tell_acks(self, query, headers, body):
        self.authorize(headers)
        if not self.ack:
            raise Refusal(14)
        channel, told = self.channel_of(headers, query), {}
        wanted = json.loads(body)["acks"]
        if len(set(wanted)) != len(wanted):
            self.wrong(f"acks asked for twice: {wanted}")
        for ack in wanted:
            held = self.held.get((channel, ack))
            told[str(ack)] = False
            if held:
                self.asked[held[0]] += 1
                told[str(ack)] = bool(self.acks(held[0], self.asked[held[0]]))
            if told[str(ack)]:  # which is said once
                self.keep(self.held.pop((channel, ack))[1])
        if wanted:
            self.polls += 1
        return 200, {"acks": told}

    def respond(self, method, target, headers, body):
        parts = urllib.parse.urlsplit(target)
        query = urllib.parse.parse_qs(parts.query)
        if "token" in query or self.TOKEN in target:
            self.wrong("the token stands in the address")
        path = parts.path
        try:
            if path == "/services/collector/health" and method == "GET":
                return *answer_of(17), {}, False
            if method != "POST":
                return 405, {"text": "Method Not Allowed", "code": 405}, {}, False
            if path == "/services/collector/ack":
                with self.lock:
                    return *self.tell_acks(query, headers, body), {}, False
            if path not in ("/services/collector/event", "/services/collector/raw"):
                return 404, {"text": "The requested URL was not found on this server.", "code": 404}, {}, False
            if body:
                return self.take(path, query, headers, body)
            with self.lock:
                return *self.store(path, query, headers, body, 0), {}, False
        except Refusal as refusal:
            return refusal.status, refusal.body, {}, False

    def handler(collector):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def setup(self):
                if hasattr(self.request, "do_handshake"):
                    try:
                        self.request.do_handshake()
                    except (OSError, ssl.SSLError):
                        pass
                super().setup()

            def handle(self):
                try:
                    super().handle()
                except (OSError, ValueError):
                    pass

            def log_message(self, *args):
                pass

            def do_any(self):
                if self.command == "POST" and "Content-Length" not in self.headers:
                    collector.wrong("no Content-Length")
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                counts = self.path.startswith(("/services/collector/event", "/services/collector/raw"))
                with collector.lock:
                    collector.under_way += counts
                    collector.most_under_way = max(collector.most_under_way, collector.under_way)
                try:
                    status, answer, headers, cut = collector.respond(self.command, self.path, self.headers, body)
                finally:
                    with collector.lock:
                        collector.under_way -= counts
                if cut:
                    self.close_connection = True
                    return
                data = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_any

        return Handler
