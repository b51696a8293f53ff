#!/usr/bin/env python3
"""The OpenAPI document and the documentation page: whether other people's programs read them, and what they say is so."""
import contextlib
import html
import http.server
import json
import os
import pathlib
import subprocess
import threading

import tap
from inlets import Inlets
from looks import check_looks
from lookups import make_table
from project import Project
from webdriver import Browser

PEERS = pathlib.Path(tap.__file__).resolve().parents[2] / ".openapi-peers"
VALIDATOR = PEERS / "bin/openapi-spec-validator"
SWAGGER_UI = PEERS / "swagger-ui/node_modules/swagger-ui-dist"
NOT_INSTALLED = "needs openapi-spec-validator and Swagger UI; run scripts/install-openapi-peers"

SECRETS = {"API_KEY": "a-key-that-nobody-guesses", "SECRET": "a-secret-that-nobody-guesses",
           "MASK": "a key for tests that is long enough"}
ENDPOINTS = """\
    payments:
      columns:
        event_id: { type: text, required: true }
        amount: decimal(12,2)
        share: decimal(4,4)
        units: decimal(1)
        paid_at: timestamp
        local_at: "timestamp[ms]"
        day: date
        hour: time
        n: int64
        u: uint8
        f: float64
        paid: bool
        picture: binary
        "it's $HOME <b>`id`</b>": text
        lines: "list<struct<sku: text, count: int32?>>"
      auth: { api_key: "${API_KEY}" }
    signed:
      columns: { n: int64, note: text }
      auth: { hmac: { secret: "${SECRET}", prefix: "sha256=", header: X-Hub-Signature } }
    base64:
      columns: { n: int64 }
      auth: { hmac: { secret: "${SECRET}", encoding: base64, timestamp: none } }
    open:
      columns: { n: int64 }
"""
LOOKUP = """\
  lookups:
    order-status:
      from: shop:orders
      by: OrderNumber
      proof: { PostcodeProof: postcode-proof }
      show: [OrderStatus, OrderDate]
"""
PIPELINES = """\
  land:
    from: ingest:payments
    columns: all
    to: lake:{run}.ndjson
"""
MASK = 'masks:\n  postcode-proof: { normalize: alphanumeric-upper, hmac: "${MASK}" }\n'


def service(**more):
    os.environ.update(SECRETS)
    s = Inlets(endpoints=ENDPOINTS, pipelines=PIPELINES, top=MASK, serve=LOOKUP + more.pop("serve", ""), **more)
    make_table(s.folder / "shop.db")
    return s


def operations(document):
    return {(method.upper(), path): operation for path, item in document["paths"].items()
            for method, operation in item.items()}


def paste(s, source, **variables):
    """Runs an example as a person would: in a shell, with what it says is to be known."""
    done = subprocess.run(["bash", "-ec", source], cwd=s.folder, env={**os.environ, **SECRETS, **variables},
                          capture_output=True, text=True, timeout=60)
    tap.equal(done.returncode, 0, done.stderr)
    return json.loads(done.stdout)


def document_of(s):
    answer = s.request("GET", "/openapi.json")
    tap.equal((answer.status, answer.headers["Content-Type"]), (200, "application/json"))
    return answer.json()


def test_a_validator_finds_nothing_wrong():
    if not VALIDATOR.exists():
        raise tap.Skip(NOT_INSTALLED)
    with service() as s:
        served = document_of(s)
        written = json.loads(s.wherry("openapi").out)
        tap.equal(served.pop("servers"), [{"url": "/"}])
        tap.equal(written.pop("servers"), [{"url": f"http://127.0.0.1:{s.port}"}])
        tap.equal(served, written)
        (s.folder / "openapi.json").write_bytes(s.request("GET", "/openapi.json").body)
        done = subprocess.run([str(VALIDATOR), "--schema", "3.1", "openapi.json"], cwd=s.folder, capture_output=True,
                              text=True, timeout=120)
        tap.equal(done.returncode, 0, done.stdout + done.stderr)
        tap.equal(sorted(operations(served)), [
            ("GET", "/receipts/{id}"), ("POST", "/ingest/base64"), ("POST", "/ingest/open"),
            ("POST", "/ingest/payments"), ("POST", "/ingest/signed"), ("POST", "/order-status")])


def test_examples_fit_their_schemas():
    """The examples are what their schemas say, as a validator of JSON Schema judges"""
    python = PEERS / "bin/python"
    if not python.exists():
        raise tap.Skip(NOT_INSTALLED)
    judge = """
import json, sys
from openapi_schema_validator import OAS31Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
document = json.load(open("openapi.json"))
registry = Registry().with_resource("urn:doc", Resource.from_contents(document, default_specification=DRAFT202012))
def at(value):
    return json.loads(json.dumps(value).replace('"#/', '"urn:doc#/'))
count = 0
def check(schema, value):
    global count
    OAS31Validator(at(schema), registry=registry).validate(value)
    count += 1
bodies = [o["requestBody"]["content"] for item in document["paths"].values() for o in item.values() if "requestBody" in o]
bodies += [r.get("content", {}) for r in document["components"]["responses"].values()]
for content in bodies:
    media = content.get("application/json") or content.get("application/problem+json") or {}
    for example in [media.get("example")] + [e["value"] for e in media.get("examples", {}).values()]:
        if example is not None:
            check(media["schema"], example)
event = document["components"]["schemas"]["payments-event"]
good = next(iter(bodies))["application/json"]["examples"]["one"]["value"]
for wrong in ({**good, "event_id": None}, {k: v for k, v in good.items() if k != "event_id"}, {**good, "n": "x"}):
    assert not OAS31Validator(at(event), registry=registry).is_valid(wrong), wrong
print(count)
"""
    with service() as s:
        (s.folder / "openapi.json").write_bytes(s.request("GET", "/openapi.json").body)
        done = subprocess.run([str(python), "-c", judge], cwd=s.folder, capture_output=True, text=True, timeout=120)
        tap.equal(done.returncode, 0, done.stderr)
        tap.equal(int(done.stdout), 4 * 2 + 1 + 3)


def test_examples_work_when_pasted():
    with service() as s:
        found = operations(document_of(s))
        receipts = {}
        for name in ("payments", "signed", "base64", "open"):
            samples = found["POST", f"/ingest/{name}"]["x-codeSamples"]
            tap.equal([x["label"] for x in samples],
                      ["One event"] + ["An event a line"] * (name in ("payments", "open")))
            for count, sample in enumerate(samples, 1):
                answer = paste(s, sample["source"])
                tap.equal(answer.get("events"), count, answer)
                receipts[name] = answer["receipt"]
        asked = {x["label"]: x["source"] for x in found["GET", "/receipts/{id}"]["x-codeSamples"]}
        tap.equal(list(asked), ["payments", "signed", "open"])
        for name, source in asked.items():
            answer = paste(s, source, RECEIPT=receipts[name])
            tap.equal((answer["endpoint"], answer["delivered"]), (name, False))
            tap.equal(set(answer), set(document_of(s)["components"]["schemas"]["Receipt"]["required"]))
        sample = found["POST", "/order-status"]["x-codeSamples"][0]["source"]
        tap.equal(paste(s, sample), {"found": False})
        sample = sample.replace('"OrderNumber":"OrderNumber"', '"OrderNumber":"SO1001"')
        sample = sample.replace('"PostcodeProof":"PostcodeProof"', '"PostcodeProof":"SW1A 1AA"')
        answer = paste(s, sample)
        tap.equal((answer["found"], answer["OrderStatus"]), (True, "Shipped"))
        schema = found["POST", "/order-status"]["responses"]["200"]["content"]["application/json"]["schema"]
        tap.equal(list(answer), list(schema["properties"]))
        tap.equal(paste(s, found["POST", "/ingest/payments"]["x-codeSamples"][0]["source"], API_KEY="x" * 20)["status"],
                  401)


def test_every_answer_is_in_the_document():
    """What the server answers is listed, with the type and the headers that it has"""
    with service() as s:
        document = document_of(s)
        found = operations(document)
        key = {"Authorization": "Bearer " + SECRETS["API_KEY"]}
        body = json.dumps({"event_id": "a"})
        kind = {"Content-Type": "application/json"}
        for method, path, place, headers, sent, status in (
                ("POST", "/ingest/payments", "/ingest/payments", {**key, **kind}, body, 202),
                ("POST", "/ingest/payments", "/ingest/payments", {**key, **kind}, "{", 400),
                ("POST", "/ingest/payments", "/ingest/payments", kind, body, 401),
                ("POST", "/ingest/payments", "/ingest/payments", {**key, **kind}, "{}", 422),
                ("POST", "/ingest/payments", "/ingest/payments", key, body, 415),
                ("POST", "/ingest/payments", "/ingest/payments", {**key, **kind, "Content-Length": "1048577"}, None, 413),
                ("GET", "/receipts/{id}", "/receipts/" + "0" * 26, {}, None, 404),
                ("POST", "/order-status", "/order-status", kind, "{}", 400),
                ("POST", "/order-status", "/order-status", {**kind, "Content-Length": "5000"}, None, 413),
                ("POST", "/order-status", "/order-status", {"Content-Type": "text/plain"}, "x", 415),
                ("POST", "/order-status", "/order-status", kind,
                 '{"OrderNumber":"a","PostcodeProof":"b"}', 404)):
            answer = s.request(method, place, sent, headers)
            tap.equal(answer.status, status, f"{method} {place}: {answer}")
            listed = found[method, path]["responses"][str(status)]
            if "$ref" in listed:
                listed = document["components"]["responses"][listed["$ref"].rpartition("/")[2]]
            kinds = [k.split(";")[0] for k in listed["content"]]
            assert answer.headers["Content-Type"].split(";")[0] in kinds, (status, answer.headers["Content-Type"], kinds)
            for name in listed.get("headers", {}):
                assert answer.headers[name], (status, name)


SWAGGER_PAGE = b"""<!doctype html><meta charset=utf-8><div id=ui></div><script src="/bundle.js"></script>
<script>window.ui = SwaggerUIBundle({ url: '/openapi.json', dom_id: '#ui', docExpansion: 'full',
  onComplete: () => { window.done = true; } });</script>"""


@contextlib.contextmanager
def swagger(s):
    """Swagger UI at an address of its own, beside the service's document."""
    files = {"/": ("text/html", SWAGGER_PAGE),
             "/bundle.js": ("text/javascript", (SWAGGER_UI / "swagger-ui-bundle.js").read_bytes()),
             "/openapi.json": ("application/json", s.request("GET", "/openapi.json").body)}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            kind, body = files.get(self.path, ("text/plain", b""))
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_swagger_ui_reads_it():
    if not SWAGGER_UI.exists():
        raise tap.Skip(NOT_INSTALLED)
    with service() as s, swagger(s) as address, Browser() as b:
        b.go(address)
        b.until(lambda: b.run("return window.done || false"))
        b.until(lambda: b.run("return document.querySelectorAll('.opblock').length") == 6)
        tap.equal(b.run("return ui.getSystem().errSelectors.allErrors().toJS().map(e => e.message)"), [])
        text = b.run("return document.body.innerText")
        for part in ("Events and lookups", "/ingest/payments", "Idempotency-Key", "OAS 3.1", "/receipts/{id}"):
            tap.contains(text, part)
        b.run("document.querySelector('.btn.authorize').click()")
        b.until(lambda: "X-Hub-Signature" in b.run("return document.body.innerText"))


def test_a_person_reads_the_page():
    with service() as s, Browser() as b:
        b.go(f"http://127.0.0.1:{s.port}/docs")
        tap.equal((b.title(), b.text("h1")), ("Events and lookups", "Events and lookups"))
        tap.equal(b.run("return [...document.querySelectorAll('h2')].map(h => h.textContent)"),
                  ["Payments", "Signed", "Base64", "Open", "What became of a request", "Order status"])
        # every link of the list leads somewhere, and every label is of something
        tap.equal(b.run("return [...document.querySelectorAll('nav a')].map(a => !!document.querySelector(a.hash))"), [True] * 6)
        tap.equal(b.run("return [...document.querySelectorAll('[aria-labelledby]')].filter(e => "
                        "!document.getElementById(e.getAttribute('aria-labelledby'))).length"), 0)
        tap.equal(b.run("const ids = [...document.querySelectorAll('[id]')].map(e => e.id); return new Set(ids).size == ids.length"), True)
        tap.equal(b.run("return document.documentElement.lang"), "en")
        tap.equal((b.role(b.find("nav")), b.name(b.find("nav"))), ("navigation", "What there is"))
        region = b.find("#ingest-payments pre")
        tap.equal((b.role(region), b.name(region)), ("region", "One event"))
        tap.equal(b.run("return [...document.querySelectorAll('table')].every(t => t.caption && t.querySelector('th[scope=col]'))"), True)
        text = b.text("#ingest-payments")
        for part in ("POST /ingest/payments", "X-Api-Key", "event_id", "text; required", "decimal(12,2)", "Idempotency-Key",
                     "it's $HOME <b>`id`</b>", "422"):
            tap.contains(text, part)
        # what stands there works as it stands there
        sources = b.run("return [...document.querySelectorAll('#ingest-payments pre')].map(p => p.textContent)")
        tap.equal([paste(s, source)["events"] for source in sources], [1, 2])
        tap.equal(b.run("return document.scripts.length + document.querySelectorAll('[style], iframe, object').length"), 0)
        asked = {url for _, url in b.requests() if not url.startswith(("chrome:", "data:"))}
        assert asked <= {f"http://127.0.0.1:{s.port}/docs", f"http://127.0.0.1:{s.port}/icon.svg"}, asked
        tap.equal(b.console(), [])
        for width in (320, 1200):
            b.phone(width)
            for dark in (False, True):
                b.dark(dark)
                check_looks(b, f"{width} px, {'dark' if dark else 'light'}")


def test_nothing_secret_is_told():
    """Neither keys nor what stays inside are in the document or on the page, and no secret is needed for it"""
    with service() as s:
        told = s.request("GET", "/openapi.json").body.decode() + s.request("GET", "/docs").body.decode()
        for secret in SECRETS.values():
            assert secret not in told
        assert "Margin" not in told and "PostcodeProof" in told
        for name in SECRETS:
            os.environ.pop(name, None)
        hidden = (s.folder / "wherry.yaml").read_text()
        for name in SECRETS:
            hidden = hidden.replace("${" + name + "}", "${secret:" + name.lower() + "}")
        (s.folder / "wherry.hidden.yaml").write_text("version: 1\n")
        (s.folder / "hidden.yaml").write_text(hidden)
        written = json.loads(s.wherry("openapi", "-c", "hidden.yaml").out)
        tap.equal(written["paths"], document_of(s)["paths"])


def test_where_the_page_is():
    """It is there where only this machine sees it, or where it was asked for"""
    one = "    open:\n      columns: { n: int64 }\n      auth: none\n"
    land = "  land:\n    from: ingest:open\n    columns: all\n    to: lake:{run}.ndjson\n"
    for serve, there in (("", True), ("  docs: false\n", False), ("  trusted_proxies: [10.0.0.1]\n", False),
                         ("  trusted_proxies: [10.0.0.1]\n  docs: true\n", True)):
        with Inlets(endpoints=one, pipelines=land, serve=serve) as s:
            tap.equal([s.request("GET", path).status for path in ("/docs", "/openapi.json", "/")],
                      [200, 200, 302] if there else [404, 404, 200], serve)
            tap.equal("The documentation is at" in (s.folder / "up.log").read_text(), there)
            if there:
                tap.equal(s.request("GET", "/").headers["Location"], "/docs")
                tap.equal(s.request("POST", "/docs", "x").status, 405)
    with Inlets(endpoints=one, pipelines=land, serve="  url: https://data.example.com/\n") as s:
        document = document_of(s)
        tap.equal(document["servers"], [{"url": "https://data.example.com"}])
        tap.contains(s.request("GET", "/docs").body.decode(), html.escape('"https://data.example.com/ingest/open"'))
    every = Inlets(endpoints=one, pipelines=land)
    every.config((every.folder / "wherry.yaml").read_text().replace("listen: 127.0.0.1", "listen: 0.0.0.0"))
    with every as s:
        tap.equal(s.request("GET", "/docs").status, 404)
        tap.equal(json.loads(s.wherry("openapi").out)["servers"], [{"url": f"http://localhost:{s.port}"}])


def test_what_cannot_be_documented_is_said():
    p = Project(config="version: 1\nconnections:\n  lake: { type: local, path: lake }\n")
    tap.contains(p.wherry("openapi", code=2).err, "`serve` has neither lookups nor ingest")
    for url in ("ftp://x", "https://", "https://a b", "https://x/$(id)", "https://x/'"):
        p = Inlets(serve=f'  url: "{url}"\n')
        tap.contains(p.wherry("check", code=2).err, "serve: url: expected where clients reach it")
    p = Inlets(serve=LOOKUP.replace("order-status", "docs"), top=MASK)
    tap.contains(p.wherry("check", code=2).err, "/docs is the documentation")


tap.run()
