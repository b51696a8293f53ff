#!/usr/bin/env python3
"""What those who operate a service read: /healthz, /readyz, /metrics."""
import contextlib
import math
import os
import pathlib
import re
import threading
import time
import urllib.error
import urllib.request

import tap
from lookups import KEY, make_table
from project import Project, order

PAGES = f"""\
masks:
  postcode-proof: {{ normalize: alphanumeric-upper, hmac: "{KEY}" }}
"""
LOOKUP = """\
  listen: 127.0.0.1:0
  lookups:
    order-status:
      from: shop:orders
      by: OrderNumber
      proof: { PostcodeProof: postcode-proof }
      show: [OrderStatus]
"""
API_KEY = "scrape-0123456789abcdef"

# --- the format ------------------------------------------------------------------------------------

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"^({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? ([-+]?[0-9.]+(?:e[-+]?[0-9]+)?)$")


def unescape(text):
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], text)


def parse(text):
    """A strict reading of the text format 0.0.4: {name: {labels: value}}, and the types."""
    assert text.endswith("\n"), "the last line has no end"
    samples, types, helped, family, closed = {}, {}, set(), None, set()
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name, words = line[7:].split(" ", 1)
            assert re.fullmatch(NAME, name) and words and name not in helped, line
            if family:
                closed.add(family)
            assert name not in closed, f"{name} is torn apart"
            helped.add(name)
            family = name
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert name == family and name not in types and kind in ("counter", "gauge", "summary"), line
            assert kind != "counter" or name.endswith("_total"), name
            types[name] = kind
        else:
            found = SAMPLE.match(line)
            assert found, f"no sample: {line!r}"
            name, labels, value = found.groups()
            ends = ("_sum", "_count") if types[family] == "summary" else ("",)
            assert name in [family + end for end in ends], f"{name} stands under {family}"
            pairs = tuple((pair.split("=", 1)[0], unescape(pair.split("=", 1)[1][1:-1]))
                          for pair in re.findall(LABEL, labels or ""))
            assert len(dict(pairs)) == len(pairs), line
            values = samples.setdefault(name, {})
            assert pairs not in values, f"twice: {line}"
            values[pairs] = float(value)
            assert math.isfinite(values[pairs]), line
    assert helped == set(types)
    return samples, types


class Scrape:
    def __init__(self, text):
        self.samples, self.types = parse(text)

    def __call__(self, name, **labels):
        return self.samples[name][tuple(labels.items())]

    def never_less_than(self, before):
        for name, values in before.samples.items():
            if before.types.get(name) != "counter" and not name.endswith(("_sum", "_count")):
                continue
            for labels, value in values.items():
                assert self.samples[name][labels] >= value, f"{name}{labels} fell"


# --- the service -----------------------------------------------------------------------------------


def wait_for(what, condition, seconds=30):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body.decode()


def get(url, headers=None, method="GET"):
    request = urllib.request.Request(url, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as answer:
        return Answer(answer.code, answer.headers, answer.read())


class Service:
    """`wherry up` whose lines are read as they come."""

    def __init__(self, project):
        self.process = project.start("up")
        self.lines, self.base, self.pages = [], None, None
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        wait_for("the start", lambda: any("Up." in x for x in self.lines) or self.process.poll() is not None)
        assert self.process.poll() is None, self.lines

    def read(self):
        for line in self.process.stdout:
            line = line.decode()
            found = re.match(r"metrics are at (http://[^/]+)/metrics$", line.strip())
            page = re.match(r"order-status is at (http://[^/]+)/order-status$", line.strip())
            self.base = found[1] if found else self.base
            self.pages = page[1] if page else self.pages
            self.lines.append(line)

    def stop(self):
        self.process.terminate()
        code = self.process.wait(60)
        self.reader.join()
        tap.equal(code, 0, "".join(self.lines))

    def get(self, path, **more):
        return get(self.base + path, **more)

    def ready(self):
        wait_for("readiness", lambda: self.get("/readyz").status == 200)

    def scrape(self, **more):
        answer = self.get("/metrics", **more)
        tap.equal(answer.status, 200, answer.body)
        tap.equal(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        return Scrape(answer.body)


@contextlib.contextmanager
def service(project):
    s = Service(project)
    try:
        yield s
    finally:
        s.stop()


def make(serve, orders, top=""):
    p = Project(top=top + "serve:\n" + serve)
    config = p.folder / "wherry.yaml"
    text = config.read_text().replace("every: 5m", "every: 1s")
    if "shop:" in serve:
        text = text.replace("connections:\n", "connections:\n  shop: { type: sqlite, path: shop.db }\n")
        make_table(p.folder / "shop.db")
    config.write_text(text)
    p.make_erp(orders)
    return p


def test_a_scrape_says_what_the_ledger_says():
    p = make("  metrics: 127.0.0.1:0\n", [order(f"SO{i}") for i in range(100)] + [order("BAD", status="Shiped")])
    with service(p) as s:
        s.ready()
        wait_for("the load", lambda: p.wherry("status", "--json").lines()[1].get("last", {}).get("status") == "done")
        time.sleep(1.1)
        m = s.scrape()
        status = {x["pipeline"]: x for x in p.wherry("status", "--json", code=None).lines() if "pipeline" in x}
        tap.equal(m("wherry_quarantined_rows", pipeline="import-orders"), status["import-orders"]["quarantined"])
        tap.equal(m("wherry_quarantined_rows", pipeline="import-orders"), 1)
        tap.equal(m("wherry_rows_read_total", pipeline="import-orders"), 101)
        outcomes = {o: m("wherry_rows_total", pipeline="import-orders", outcome=o)
                    for o in ("written", "unchanged", "superseded", "filtered", "quarantined")}
        tap.equal(outcomes, {"written": 100, "unchanged": 0, "superseded": 0, "filtered": 0, "quarantined": 1})
        tap.equal(m("wherry_runs_total", pipeline="import-orders", state="done"), 1)
        tap.equal(m("wherry_run_duration_seconds_count", pipeline="import-orders"), 1)
        assert m("wherry_run_duration_seconds_sum", pipeline="import-orders") > 0
        assert m("wherry_runs_total", pipeline="export-orders", state="done") >= 1
        assert m("wherry_bytes_written_total", pipeline="export-orders") > 1000
        tap.equal(m("wherry_pipeline_failed", pipeline="import-orders"), 0)
        tap.equal(m("wherry_objects_waiting", pipeline="import-orders"), 0)
        tap.equal(m("wherry_lag_seconds", pipeline="import-orders"), 0)
        assert 0 <= m("wherry_lag_seconds", pipeline="export-orders") < 20
        assert abs(m("wherry_last_run_timestamp_seconds", pipeline="import-orders") - time.time()) < 60
        assert abs(m("process_start_time_seconds") - time.time()) < 60
        assert 1e6 < m("process_resident_memory_bytes") < 1e9
        tap.equal(m("wherry_memory_limit_bytes"), 64 << 20)
        tap.equal(m("wherry_ledger_readable"), 1)
        tap.equal(list(m.samples["wherry_build_info"].values()), [1])
        tap.equal(s.get("/healthz").body, "ok\n")
        tap.equal(s.get("/readyz").body, "ready\n")
        tap.equal(s.get("/").status, 404)
        tap.equal(s.get("/metrics", method="POST").status, 405)
        tap.equal(s.get("/metrics", method="HEAD").body, "")


def test_a_pipeline_that_fails_is_seen():
    p = make("  metrics: 127.0.0.1:0\n", [order("A")])
    p.sql("erp", "ALTER TABLE sales_order RENAME COLUMN status TO state")
    with service(p) as s:
        wait_for("the failure", lambda: s.scrape()("wherry_runs_total", pipeline="export-orders", state="failed") >= 1)
        tap.equal(s.scrape()("wherry_pipeline_failed", pipeline="export-orders"), 1)
        tap.equal(s.get("/readyz").status, 200)  # the service itself is well


def listening(pid):
    sockets = {os.readlink(f)[8:-1] for f in pathlib.Path(f"/proc/{pid}/fd").iterdir()
               if os.readlink(f).startswith("socket:[")}
    rows = [line.split() for name in ("tcp", "tcp6") for line in pathlib.Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return [row[1].rsplit(":", 1)[0] for row in rows if row[3] == "0A" and row[9] in sockets]


def test_each_listener_is_there_only_when_it_is_asked_for():
    loopback = "0100007F"
    p = make("  metrics: 127.0.0.1:0\n", [])
    with service(p) as s:
        tap.equal(listening(s.process.pid), [loopback])
    p = make(LOOKUP, [], top=PAGES)
    with service(p) as s:
        tap.equal(listening(s.process.pid), [loopback])
        tap.equal(s.base, None)
        tap.equal(get(s.pages + "/metrics").status, 404)
        tap.equal(get(s.pages + "/readyz").status, 404)
    p = make("  metrics: 127.0.0.1:0\n" + LOOKUP, [], top=PAGES)
    with service(p) as s:
        tap.equal(listening(s.process.pid), [loopback, loopback])


def test_lookups_are_counted_by_their_outcome():
    p = make("  metrics: 127.0.0.1:0\n" + LOOKUP + "      rate: { by_address: 6, by_key: 100 }\n", [], top=PAGES)
    with service(p) as s:
        s.ready()
        for number, postcode, want in (("SO1001", "SW1A 1AA", 200), ("SO1001", "wrong", 404), ("SO1", "x", 404)):
            body = f'{{"OrderNumber":"{number}","PostcodeProof":"{postcode}"}}'.encode()
            request = urllib.request.Request(s.pages + "/order-status", body, {"Content-Type": "application/json"})
            try:
                tap.equal(urllib.request.urlopen(request, timeout=10).status, want)
            except urllib.error.HTTPError as answer:
                tap.equal(answer.code, want)
        time.sleep(1.1)
        m = s.scrape()
        counts = {r: m("wherry_lookup_requests_total", lookup="order-status", result=r)
                  for r in ("found", "missed", "limited", "failed")}
        tap.equal(counts, {"found": 1, "missed": 2, "limited": 0, "failed": 0})


def test_metrics_may_need_a_key():
    p = make(f'  metrics:\n    listen: 127.0.0.1:0\n    auth: {{ api_key: "{API_KEY}" }}\n', [])
    with service(p) as s:
        refused = s.get("/metrics")
        tap.equal(refused.status, 401)
        tap.equal(refused.headers["WWW-Authenticate"], 'Bearer realm="wherry"')
        assert "wherry_" not in refused.body
        tap.equal(s.get("/metrics", headers={"Authorization": "Bearer " + API_KEY[:-1]}).status, 401)
        s.scrape(headers={"Authorization": "Bearer " + API_KEY})
        s.scrape(headers={"X-Api-Key": API_KEY})
        tap.equal(s.get("/healthz").status, 200)
        s.ready()
    assert API_KEY not in "".join(s.lines)
    tap.contains("".join(s.lines), "/metrics 401: no key was sent")


def test_addresses_may_be_kept_out():
    p = make("  metrics:\n    listen: 127.0.0.1:0\n    auth: { allow: [10.0.0.0/8] }\n", [])
    with service(p) as s:
        tap.equal(s.get("/metrics").status, 403)
        tap.equal(s.get("/healthz").status, 200)
    p = make("  metrics:\n    listen: 127.0.0.1:0\n    auth: { allow: 127.0.0.1 }\n", [])
    with service(p) as s:
        s.scrape()


def test_an_address_that_is_taken_is_told():
    p = make("  metrics: 127.0.0.1:0\n", [])
    with service(p) as s:
        config = p.folder / "wherry.yaml"
        config.write_text(config.read_text().replace("127.0.0.1:0", s.base[7:]))
        refused = p.wherry("up", code=None)
        assert refused.code != 0, refused
        tap.contains(refused.err, f"serve: cannot listen on {s.base[7:]}: another program does already. Stop it, or "
                                  "change serve.metrics")


def test_many_ask_while_runs_go_on():
    p = make("  metrics: 127.0.0.1:0\n" + LOOKUP, [order(f"SO{i}") for i in range(3000)], top=PAGES)
    with service(p) as s:
        s.ready()
        end, slow, count, troubles = time.monotonic() + 4, [0.0], [0], []

        def ask():
            before = None
            try:
                while time.monotonic() < end:
                    begun = time.monotonic()
                    now = s.scrape()
                    slow[0] = max(slow[0], time.monotonic() - begun)
                    count[0] += 1
                    if before:
                        now.never_less_than(before)
                    before = now
                    tap.equal(s.get("/readyz").status, 200)
            except Exception as why:
                troubles.append(why)

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        round = 0
        while time.monotonic() < end:
            round += 1
            p.add_orders([order(f"N{round}-{i}", at=time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())) for i in range(200)])
            time.sleep(0.5)
        for thread in threads:
            thread.join()
        assert not troubles, troubles
        assert count[0] > 50 and slow[0] < 5, (count, slow)
        tap.note(f"{count[0]} scrapes, the slowest {slow[0] * 1000:.0f} ms")


tap.run()
