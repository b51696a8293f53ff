#!/usr/bin/env python3
"""What came from a secret, the environment or a file is nowhere but where it is needed."""
import os

import tap
from project import Project, order

KEYRING, ENVIRONMENT, FILE = ("kkkk-from-keyring-0123456789", "eeee-from-environment-0123456789",
                              "ffff-from-file-0123456789")

CONFIG = """\
version: 1
connections:
  erp: { type: sqlite, path: "${ERP_PATH}" }
  lake: { type: local, path: lake }
  website: { type: sqlite, path: "${WEBSITE_PATH}" }
masks:
  one: { normalize: alphanumeric-upper, hmac: "${secret:one}" }
  two: { hmac: "${MASK_KEY}" }
  three: { hmac: "${file:mask.key}" }
pipelines:
  export-orders:
    from: erp:sales_order
    columns:
      OrderNumber: order_number
      A: { from: status, class: personal, mask: one }
      B: { from: status, class: personal, mask: two }
      C: { from: status, class: personal, mask: three }
    to: lake:inbound/orders-{run}.json
  import-orders:
    when: new
    from: lake:inbound/*.json
    columns: all
    expect: { OrderNumber: { in: [A, B] } }
    to: website:orders
    write: { mode: upsert, key: OrderNumber }
serve:
  listen: 127.0.0.1:0
  lookups:
    status: { from: website:orders, by: OrderNumber, proof: { A: one }, show: [B] }
"""


def environment(**more):
    return dict(os.environ, ERP_PATH="erp.db", WEBSITE_PATH="website.db", MASK_KEY=ENVIRONMENT,
                WHERRY_KEY_FILE="key", **more)


def project():
    p = Project(config=CONFIG)
    (p.folder / "mask.key").write_text(FILE + "\n")
    p.make_erp([order("A"), order("B"), order("C", "Shipped")])
    p.wherry("secret", "set", "one", env=environment(), input=KEYRING)
    return p


def hidden(p, text, where):
    for value in (KEYRING, ENVIRONMENT, FILE):
        assert value not in text, f"{where} shows {value}: {text}"


def look_everywhere(p, allowed=("mask.key",)):
    for path in p.folder.rglob("*"):
        if not path.is_file() or path.name in allowed:
            continue
        data = path.read_bytes()
        for value in (KEYRING, ENVIRONMENT, FILE):
            assert value.encode() not in data, f"{path} holds {value}"


def test_values_behind_references_are_nowhere_else():
    p = project()
    for args in (("check",), ("check", "--connect"), ("plan",), ("plan", "--lock"), ("run", "--verbose"), ("status",),
                 ("runs",), ("quarantine", "show", "import-orders"), ("verify",), ("discover", "website"),
                 ("quarantine", "replay", "import-orders"), ("run", "--full", "--json"), ("schema",), ("secret", "list")):
        got = p.wherry(*args, code=None, env=environment())
        assert got.code in (0, 3), got
        hidden(p, got.out + got.err, args)
    up = p.start("up", "--verbose", env=environment())
    line = b"-"
    output = b""
    while line and not line.startswith(b"Up."):
        line = up.stdout.readline()
        output += line
    up.terminate()
    hidden(p, (output + up.communicate(timeout=60)[0]).decode(), "up")
    look_everywhere(p)


def test_a_value_that_does_not_fit_is_not_told():
    p = project()
    # In its place a value that is no key, no port, no address: told by its name, not by itself.
    for old, new, said in (
            ('hmac: "${MASK_KEY}"', 'hmac: "${SHORT}"', "at least 16"),
            ("listen: 127.0.0.1:0", 'listen: "${SHORT}"', "something else behind ${...}"),
            ("erp: { type: sqlite,", 'erp: { type: sqlite, busy_timeout: "${SHORT}",', "something else behind ${...}")):
        p.config(CONFIG.replace(old, new))
        command = "up" if "listen" in old else "run"
        got = p.wherry(command, code=None, env=environment(SHORT="zzz-short"))
        assert got.code in (1, 2), got
        tap.contains(got.out + got.err, said)
        assert "zzz-short" not in got.out + got.err, got
    p.config(CONFIG)
    got = p.wherry("run", code=None, env={k: v for k, v in environment().items() if k != "MASK_KEY"})
    tap.contains(got.err, "the environment variable MASK_KEY is not set")


def test_a_path_behind_a_reference_is_useful():
    p = project()
    got = p.wherry("run", code=None, env=environment() | {"ERP_PATH": "elsewhere/erp.db"})
    tap.contains(got.err, "elsewhere/erp.db")


def test_no_secret_stands_where_it_would_be_shown():
    p = project()
    for old, new, at in (('path: "${ERP_PATH}"', 'path: "${secret:one}"', "path"),
                         ("listen: 127.0.0.1:0", 'listen: "${secret:one}"', "listen"),
                         ("listen: 127.0.0.1:0", 'trusted_proxies: [10.0.0.1, "x${secret:one}"]', "trusted_proxies"),
                         ("listen: 127.0.0.1:0", 'tls: { certificate: "${secret:one}", key: k }', "tls: certificate"),
                         ("from: erp:sales_order", 'from: erp\n    read: { query: "SELECT \'${secret:one}\'" }', "query")):
        p.config(CONFIG.replace(old, new))
        got = p.wherry("check", code=2, env=environment())
        tap.contains(got.err, f"{at} is shown in messages, so no secret can stand in it")


tap.run()
