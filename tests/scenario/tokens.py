#!/usr/bin/env python3
"""Masks that make tokens, and `wherry reveal`, which leads back for whoever has the key."""
import base64
import hashlib
import hmac
import json
import os

import aws
import peers

if aws.PYTHON.exists():
    peers.under(aws.PYTHON)

import tap  # noqa: E402
from project import Project  # noqa: E402

CONFIG = """\
version: 1
connections:
  erp: {{ type: sqlite, path: erp.db }}
  lake: {{ type: local, path: lake }}
masks:
  customer: {{ token: "${{secret:customer}}"{more} }}
  proof: {{ hmac: "${{secret:customer}}" }}
pipelines:
  export:
    from: erp:sale
    columns: {{ Customer: {{ from: customer, class: personal, mask: customer }}, Amount: amount }}
    to: lake:out/{{run}}.json
"""


class Shop(Project):
    def __init__(self, rows):
        super().__init__(config=CONFIG.format(more=""))
        self.env = {**os.environ, "WHERRY_KEY_FILE": str(self.folder / "key")}
        self.key = os.urandom(32)
        self.run("secret", "set", "customer", input=self.key.hex())
        self.sql("erp", "CREATE TABLE sale (customer TEXT, amount INTEGER)")
        self.sql("erp", "INSERT INTO sale VALUES (?, ?)", list(rows))

    def run(self, *args, **words):
        return self.wherry(*args, env=self.env, **words)

    def export(self):
        self.run("run")
        newest = max((self.folder / "lake/out").glob("*.json"), key=lambda p: p.stat().st_mtime_ns)
        return [(row["Customer"], row["Amount"]) for row in json.loads(newest.read_text())]

    def reveal(self, *tokens, code=0):
        return self.run("reveal", "customer", input="".join(f"{t or ''}\n" for t in tokens), code=code)


def derived(key):
    return b"".join(hmac.new(key, b"wherry token: " + what, hashlib.sha256).digest() for what in (b"authenticate", b"encrypt"))


ROWS = [("anna@example.com", 1), ("Bob", 2), ("anna@example.com", 3), (None, 4), ("", 5), ("Ünï\ncode", 6), ("x" * 3000, 7)]


def test_tokens_cross_and_lead_back():
    """Equal values cross as equal tokens, and reveal gives the values back in order"""
    shop = Shop(ROWS)
    rows = shop.export()
    tokens = [token for token, _ in rows]
    tap.equal(tokens[0], tokens[2])
    tap.equal((tokens[3], tokens[4]), (None, None), "NULL and empty")
    tap.equal(len({t for t in tokens if t}), 4)
    text = (shop.folder / "lake").rglob("*.json")
    assert all("anna@example.com" not in p.read_text() for p in text)
    tap.equal(shop.reveal(tokens[0], None, tokens[1]).out, "anna@example.com\n\nBob\n")
    back = shop.run("reveal", "customer", "--json", input=tokens[5] + "\n" + tokens[6]).lines()
    tap.equal([x["value"] for x in back], ["Ünï\ncode", "x" * 3000])


def test_another_program_reads_them():
    """Tokens are AES-256-SIV in base64url, under keys that HMAC-SHA-256 derives"""
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV
    except ImportError as why:
        raise tap.Skip("Python's cryptography is not here") from why
    shop = Shop(ROWS)
    siv = AESSIV(derived(shop.key))
    for (token, amount), (value, _) in zip(shop.export(), ROWS):
        if token:
            tap.equal(siv.decrypt(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)), None).decode(), value)
            made = base64.urlsafe_b64encode(siv.encrypt(value.encode(), None)).rstrip(b"=").decode()
            tap.equal(made, token, f"row {amount}")


def test_another_key():
    """With another key tokens are others; old ones are revealed with token_old, and only so"""
    shop = Shop(ROWS[:1])
    before = shop.export()[0][0]
    shop.run("secret", "set", "customer-2027", "--random")
    config = CONFIG.format(more="").replace("secret:customer}\" }", "secret:customer-2027}\" }", 1)
    shop.config(config)
    after = shop.export()[0][0]
    assert before != after
    tap.equal(shop.reveal(after).out, "anna@example.com\n")
    told = shop.reveal(after, before, code=1)
    tap.contains(told.err, "line 2: this is no token of mask customer")
    shop.config(config.replace('customer-2027}"', 'customer-2027}", token_old: ["${secret:customer}"]'))
    tap.equal(shop.reveal(before, after).out, "anna@example.com\n" * 2)


def test_words_that_are_wrong():
    """Masks without a way back, keys that are none and lines that are no token are refused"""
    shop = Shop(ROWS[:1])
    tap.contains(shop.run("reveal", "proof", input="", code=2).err, "makes no tokens")
    shop.run("reveal", "nobody", input="", code=None)
    tap.contains(shop.reveal("anna@example.com", code=1).err, "line 1: this is no token")
    assert "anna" not in shop.reveal("anna@example.com", code=1).err
    shop.run("secret", "set", "customer", input="a passphrase that is long enough")
    told = shop.run("run", code=1)
    tap.contains(told.err + told.out, "the key of a token is 32 bytes")


tap.run()
