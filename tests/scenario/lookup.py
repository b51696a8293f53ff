#!/usr/bin/env python3
"""The lookup page and its JSON API, asked over HTTP by friends and by others."""
import contextlib
import hashlib
import hmac
import json
import os
import random
import re
import shutil
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
import warnings

import tap
from lookups import CONFIG, KEY, Server, make_table, proof, trusting

LOOSE = "      rate: { by_address: 100000, by_key: 100000 }\n"
PAGE = "/order-status"


def same_answer(a, b):
    tap.equal(a.status, b.status)
    tap.equal(a.body, b.body)
    skip = ("Date",)
    tap.equal([h for h in a.all_headers if h[0] not in skip], [h for h in b.all_headers if h[0] not in skip])


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


# --- answers ---------------------------------------------------------------------------------------


def test_a_hit_shows_the_columns_that_were_listed_and_no_others():
    with Server() as s:
        answer = s.ask("SO1001", "sw1a1aa")
        tap.equal(answer.status, 200)
        tap.equal(answer.json(), {"found": True, "OrderStatus": "Shipped", "OrderDate": "2026-11-21",
                                  "UpdatedAt": "2026-11-21T08:55:00", "Carrier": "Narrow & Broad <Boats>"})
        tap.equal(list(answer.json()), ["found", "OrderStatus", "OrderDate", "UpdatedAt", "Carrier"])
        page = s.post({"OrderNumber": "SO1001", "PostcodeProof": "SW1A 1AA"})
        tap.equal(page.status, 200)
        text = page.body.decode()
        tap.contains(text, "<dt>Order status</dt><dd>Shipped</dd>")
        tap.contains(text, '<time datetime="2026-11-21">21 November 2026</time>')
        tap.contains(text, '<time datetime="2026-11-21T08:55:00">21 November 2026, 08:55</time>')
        tap.contains(text, "Narrow &amp; Broad &lt;Boats&gt;")
        for body in (answer.body, page.body):
            for secret in (b"47.11", b"Margin", proof("SW1A 1AA").encode(), b"SO1001", b"SW1A", b"sw1a"):
                assert secret not in body, secret
        nothing = s.post({"OrderNumber": "SO1002", "PostcodeProof": "eh1 1yz"}).body.decode()
        tap.contains(nothing, '<dt>Order date</dt><dd><span class="none">Not set</span></dd>')
        tap.equal(s.ask("SO1002", "EH11YZ").json()["OrderDate"], None)


def test_white_space_around_a_key_does_not_matter_its_case_does():
    with Server() as s:
        tap.equal(s.ask("  SO1001\t", " sw1a-1aa ").status, 200)
        tap.equal(s.ask("\u00a0SO1001\u2003", "SW1A1AA").status, 200)
        tap.equal(s.ask("so1001", "SW1A1AA").status, 404)
        tap.equal(s.ask("SO 1001", "SW1A1AA").status, 404)


def test_a_miss_is_the_same_whatever_was_wrong():
    """A miss is the same, byte for byte, whether key or proof is wrong"""
    with Server(lookup=LOOSE) as s:
        misses = [("SO1001", "SW1A 1AB"), ("SO9999", "SW1A 1AA"), ("SO1001", ""), ("SO9999", ""), ("", "SW1A 1AA"),
                  ("SO1003", "SW1A 1AA"), ("SO1003", ""), ("SO1003", "!!"), ("SO1002", "SW1A 1AA"),
                  ("x" * 3000, "y"), ("SO1001", proof("SW1A 1AA")), ("' OR 1=1 --", "' OR 1=1 --"), ("%", "%"),
                  ("\u0130\U0001f600", "\U0001f600")]
        first = s.ask(*misses[0])
        tap.equal((first.status, first.body), (404, b'{"found":false}\n'))
        page = s.post({"OrderNumber": "SO1001", "PostcodeProof": "SW1A 1AB"})
        tap.equal(page.status, 404)
        tap.contains(page.body.decode(), "Nothing found")
        for number, postcode in misses[1:]:
            same_answer(first, s.ask(number, postcode))
            same_answer(page, s.post({"OrderNumber": number, "PostcodeProof": postcode}))
        tap.equal(s.counts(), {"asked": 2 * len(misses), "found": 0, "missed": 2 * len(misses), "limited": 0,
                               "failed": 0})


def test_a_row_that_cannot_be_read_looks_like_a_miss():
    with Server(lookup=LOOSE) as s:
        miss = s.ask("SO1001", "wrong")
        s_db = s.folder / "website.db"
        with sqlite3.connect(s_db) as db:
            db.execute("UPDATE orders SET OrderDate='not a day' WHERE OrderNumber='SO1001'")
            db.executemany("INSERT INTO orders(OrderNumber, OrderDate) VALUES (?, '2026-01-01')",
                           [(f"N{i}",) for i in range(100)])
        same_answer(miss, s.ask("SO1001", "wrong"))
        same_answer(miss, s.ask("SO1001", "SW1A 1AA"))
        tap.equal(s.ask("SO1002", "EH1 1YZ").status, 200)


def test_all_of_several_proofs_are_needed():
    lookup = """\
    both:
      from: website:people
      by: Number
      label: Membership number
      proof:
        PostcodeProof: postcode-proof
        EmailProof: { mask: email-proof, label: "Email address <yours>" }
      show: [Name]
"""
    with Server(lookup=LOOSE + lookup) as s:
        with sqlite3.connect(s.folder / "website.db") as db:
            email = hmac.new(KEY.encode(), b"ann@example.org", hashlib.sha256).hexdigest()
            db.execute("CREATE TABLE people(Number INTEGER PRIMARY KEY, Name TEXT, PostcodeProof TEXT, EmailProof TEXT)")
            db.execute("INSERT INTO people VALUES (7, 'Ann', ?, ?)", (proof("EH1 1YZ"), email))
        ask = lambda fields: s.request("POST", "/both", json.dumps(fields), {"Content-Type": "application/json"})
        good = {"Number": 7, "PostcodeProof": "eh1 1yz", "EmailProof": " Ann@Example.org "}
        tap.equal(ask(good).json(), {"found": True, "Name": "Ann"})
        tap.equal(ask({**good, "Number": "7"}).status, 200)
        for wrong in ({"PostcodeProof": "x"}, {"EmailProof": "x"}, {"EmailProof": ""}, {"Number": 8}, {"Number": "x"}):
            tap.equal(ask({**good, **wrong}).body, b'{"found":false}\n', wrong)
        tap.equal(ask({"Number": 7, "PostcodeProof": "eh1 1yz"}).status, 400)
        page = s.get("/both").body.decode()
        tap.contains(page, "Membership number</label>")
        tap.contains(page, "Email address &lt;yours&gt;</label>")
        tap.contains(page, 'type="email" inputmode="email" autocomplete="email"')
        root = s.get("/")
        tap.equal(root.status, 200)
        tap.contains(root.body.decode(), '<a href="/both">Both</a>')
        tap.contains(root.body.decode(), '<a href="/order-status">Order status</a>')


def test_before_anything_was_loaded_every_key_gets_the_same_not_yet():
    with Server(table=False) as s:
        answers = [s.ask("SO1001", "SW1A 1AA"), s.ask("SO9999", "x")]
        for answer in answers:
            tap.equal(answer.status, 503)
            assert int(answer.headers["Retry-After"]) > 0
            tap.equal(answer.json()["error"], "not ready yet")
        same_answer(*answers)
        page = s.post({"OrderNumber": "SO1001", "PostcodeProof": "x"})
        tap.equal(page.status, 503)
        tap.contains(page.body.decode(), "Not ready yet")
        with sqlite3.connect(s.folder / "website.db") as db:
            db.execute("CREATE TABLE other(x)")
        tap.equal(s.ask("SO1001", "SW1A 1AA").status, 503)
        make_table(s.folder / "website.db")
        tap.equal(s.ask("SO1001", "SW1A 1AA").status, 200)
        tap.equal(s.counts()["failed"], 4)


def test_a_locked_database_is_told_at_once():
    with Server() as s:
        database = s.folder / "website.db"
        with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as db:
            tap.equal(db.execute("PRAGMA journal_mode = DELETE").fetchone(), ("delete",))
            db.execute("BEGIN EXCLUSIVE")
            began = time.monotonic()
            for _ in range(4):
                got = s.ask("SO1001", "SW1A 1AA")
                tap.equal((got.status, got.headers["Retry-After"]), (503, "30"))
            took = time.monotonic() - began
            assert took < 3, f"it waited {took:.1f} s"
            db.execute("ROLLBACK")
        tap.equal(s.ask("SO1001", "SW1A 1AA").status, 200)


def test_a_table_that_is_made_anew_is_found_again():
    with Server(lookup=LOOSE) as s:
        path = s.folder / "website.db"
        tap.equal(s.ask("SO1001", "SW1A 1AA").json()["OrderStatus"], "Shipped")
        make_table(path, {"SO1001": ("Cancelled", None, None, None, "SW1A 1AA")})
        tap.equal(s.ask("SO1001", "SW1A 1AA").json()["OrderStatus"], "Cancelled")
        with sqlite3.connect(path) as db:
            db.execute("DROP TABLE orders")
        tap.equal(s.ask("SO1001", "SW1A 1AA").status, 503)
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE orders(OrderNumber INTEGER, OrderStatus INTEGER, OrderDate TEXT, UpdatedAt TEXT, "
                       "Carrier REAL, PostcodeProof TEXT)")
            db.execute("INSERT INTO orders VALUES (5, 3, 'soon', '2026-11-21T08:55:00+01:00', 1.5, ?)", (proof("X1"),))
        tap.equal(s.ask(5, "x1").json(), {"found": True, "OrderStatus": 3, "OrderDate": "soon",
                                          "UpdatedAt": "2026-11-21T08:55:00+01:00", "Carrier": 1.5})
        tap.contains(s.post({"OrderNumber": 5, "PostcodeProof": "x1"}).body.decode(), "21 November 2026, 08:55 UTC+1:00<")
        # another file under the same name: no error would tell
        for name in ("website.db", "website.db-wal", "website.db-shm"):
            (s.folder / name).unlink(missing_ok=True)
        make_table(path)
        until(lambda: s.ask("SO1001", "SW1A 1AA").status == 200)


# --- limits ----------------------------------------------------------------------------------------


def test_501_order_numbers_in_a_row_find_nothing_and_end_in_429():
    orders = {f"SO{n}": ("Shipped", None, None, None, "AB1 2CD") for n in range(501)}
    with Server(table=False) as s:
        make_table(s.folder / "website.db", orders)
        statuses = []
        for n in range(501):
            answer = s.ask(f"SO{n}", "AB1 2CE")
            statuses.append(answer.status)
            assert not answer.json().get("found")
        tap.equal(statuses[0], 404)
        tap.equal(statuses[-1], 429)
        tap.equal(sorted(set(statuses)), [404, 429])
        assert statuses.count(404) < 60, statuses.count(404)
        late = s.ask("SO1", "AB1 2CD")  # even the right answer
        tap.equal(late.status, 429)
        assert 1 <= int(late.headers["Retry-After"]) <= 60
        tap.equal(late.json()["retry_after"], int(late.headers["Retry-After"]))
        page = s.post({"OrderNumber": "SO1", "PostcodeProof": "AB1 2CD"})
        tap.equal(page.status, 429)
        tap.contains(page.body.decode(), "Too many tries")
        assert int(page.headers["Retry-After"]) > 0
        tap.equal(s.get(PAGE).status, 200)  # the form is not limited
        counts = s.counts()
        tap.equal((counts["found"], counts["asked"]), (0, 503))
        # somebody else is not
        tap.equal(s.ask("SO1", "AB1 2CD", source="127.0.0.2").status, 200)


def test_many_postcodes_on_one_order_are_limited_wherever_they_come_from():
    with Server(lookup="      rate: { by_key: 10 }\n") as s:
        statuses = [s.ask("SO1001", f"AB1 {n}", source=f"127.0.0.{n + 10}").status for n in range(40)]
        tap.equal(statuses, [404] * 10 + [429] * 30)
        late = s.ask("SO1001", "SW1A 1AA", source="127.0.0.99")
        tap.equal(late.status, 429)
        assert 60 < int(late.headers["Retry-After"]) <= 360
        # of a key that does not exist too
        statuses = [s.ask("nowhere", f"AB1 {n}", source=f"127.0.1.{n + 10}").status for n in range(12)]
        tap.equal(statuses, [404] * 10 + [429] * 2)
        tap.equal(s.ask("SO1002", "EH1 1YZ", source="127.0.0.99").status, 200)


def test_right_answers_do_not_use_up_the_key():
    with Server(lookup="      rate: { by_address: 1000, by_key: 3 }\n") as s:
        tap.equal([s.ask("SO1001", "SW1A 1AA").status for _ in range(20)], [200] * 20)
        tap.equal([s.ask("SO1001", "no").status for _ in range(4)], [404] * 3 + [429])


def test_questions_asked_at_the_same_time_cannot_pass_together():
    with Server(lookup="      rate: { by_address: 1000, by_key: 5 }\n") as s:
        statuses = []

        def ask(n):
            statuses.append(s.ask("SO1001", f"wrong {n}").status)

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(12)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        tap.equal((statuses.count(404), statuses.count(429)), (5, 7))


def test_only_trusted_proxies_are_believed_about_who_asks():
    limits = "      rate: { by_address: 3, by_key: 1000 }\n"
    ask = lambda s, forwarded, source="127.0.0.1": s.ask("SO1001", "no", {"X-Forwarded-For": forwarded}, source=source).status
    with Server(serve="  trusted_proxies: [127.0.0.1, 10.0.0.0/8]\n", lookup=limits) as s:
        tap.equal([ask(s, "198.51.100.7") for _ in range(4)], [404] * 3 + [429])
        tap.equal(ask(s, "198.51.100.8"), 404)
        # what the asker wrote in front is not believed
        tap.equal([ask(s, f"203.0.113.{n}, 198.51.100.9, 10.1.2.3") for n in range(4)], [404] * 3 + [429])
        # an IPv6 network is one asker
        tap.equal([ask(s, f"2001:db8:1:2::{n}") for n in range(4)], [404] * 3 + [429])
        tap.equal(ask(s, "2001:db8:1:3::1"), 404)
        # not a proxy: the header means nothing
        tap.equal([ask(s, f"198.51.100.{n}", "127.0.0.5") for n in range(20, 24)], [404] * 3 + [429])
        log = s.log()
        tap.contains(log, "from 198.51.100.0/24")
        tap.contains(log, "from 2001:db8:1::/48")
    with Server(lookup=limits) as s:
        tap.equal([ask(s, f"198.51.100.{n}") for n in range(4)], [404] * 3 + [429])


# --- requests --------------------------------------------------------------------------------------


def test_headers_forbid_scripts_frames_storing_and_telling_others():
    with Server() as s:
        answers = [s.get(PAGE), s.post({"OrderNumber": "SO1001", "PostcodeProof": "SW1A1AA"}), s.ask("SO1001", "no"),
                   s.get("/nothing"), s.get("/healthz"), s.request("DELETE", PAGE), s.get("/")]
        for a in answers:
            policy = a.headers["Content-Security-Policy"]
            tap.contains(policy, "default-src 'none'")
            tap.contains(policy, "frame-ancestors 'none'")
            tap.contains(policy, "base-uri 'none'")
            assert "unsafe" not in policy and "*" not in policy and "http" not in policy, policy
            tap.equal(a.headers["Cache-Control"], "no-store")
            tap.equal(a.headers["Referrer-Policy"], "no-referrer")
            tap.equal(a.headers["X-Content-Type-Options"], "nosniff")
            tap.equal(a.headers["X-Frame-Options"], "DENY")
            tap.equal(a.headers["Cross-Origin-Opener-Policy"], "same-origin")
            tap.equal(a.headers["Cross-Origin-Resource-Policy"], "same-origin")
            assert a.headers["Permissions-Policy"]
            for absent in ("Server", "Set-Cookie", "Access-Control-Allow-Origin", "Strict-Transport-Security", "X-Powered-By"):
                assert absent not in a.headers, absent
        tap.contains(answers[0].headers["Content-Security-Policy"], "form-action 'self'")
        page = answers[1].body.decode()
        assert "<script" not in page and "http" not in page and "style=" not in page


def test_a_question_in_a_url_is_not_answered():
    with Server() as s:
        form = s.get(PAGE)
        asked = s.get(PAGE + "?OrderNumber=SO1001&PostcodeProof=SW1A1AA")
        same_answer(form, asked)
        tap.equal(s.request("POST", PAGE + "?OrderNumber=SO1001&PostcodeProof=SW1A1AA", "",
                            {"Content-Type": "application/x-www-form-urlencoded"}).status, 400)
        tap.equal(s.counts()["asked"], 0)


def test_paths_and_methods():
    with Server() as s:
        root = s.get("/")
        tap.equal((root.status, root.headers["Location"]), (302, PAGE))
        tap.equal(s.get("/healthz").body, b"ok\n")
        for path in ("/order-statu", "/order-status/", "/order-status/logo", "/order-status/x", "/Order-Status", "//order-status",
                     "/order%2Dstatus", "/order-status%00", "/../order-status", "/order-status/../healthz", "/.env", "/x" * 500):
            tap.equal(s.get(path).status, 404, path)
        head = s.request("HEAD", PAGE)
        tap.equal((head.status, head.body), (200, b""))
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"):
            answer = s.request(method, PAGE)
            tap.equal((answer.status, answer.headers["Allow"]), (405, "GET, HEAD, POST"), method)
        answer = s.request("POST", "/healthz", "x")
        tap.equal((answer.status, answer.headers["Allow"]), (405, "GET, HEAD"))
        tap.equal(s.request("POST", "/nothing", "x").status, 404)
        error = s.get("/nothing", headers={"Accept": "application/json"})
        tap.equal((error.status, error.json()), (404, {"error": "no such page"}))


def test_bodies_that_are_no_question():
    with Server() as s:
        def post(body, kind="application/json", **headers):
            return s.request("POST", PAGE, body, {"Content-Type": kind, **headers})

        for body in (b"", b"{", b"[]", b"{}", b"null", b'{"OrderNumber":"a"}', b'{"OrderNumber":"a","PostcodeProof":null}',
                     b'{"OrderNumber":{"$gt":""},"PostcodeProof":"x"}', b'{"OrderNumber":"a","OrderNumber":"b","PostcodeProof":"x"}',
                     b'{"OrderNumber":"a","PostcodeProof":"\xff"}', b'{"OrderNumber":"\\u0000","PostcodeProof":"x"}',
                     b'{"OrderNumber":1.5,"PostcodeProof":"x"}', b'{"OrderNumber":"a","PostcodeProof":"x"}x', b"[" * 4000):
            answer = post(body)
            tap.equal(answer.status, 400, body)
            tap.equal(list(answer.json()), ["error"], body)
        form = "application/x-www-form-urlencoded"
        for body in (b"", b"OrderNumber=a", b"OrderNumber=a&PostcodeProof=%", b"OrderNumber=a&PostcodeProof=%zz",
                     b"OrderNumber=%ff&PostcodeProof=b", b"OrderNumber=a&PostcodeProof=b&PostcodeProof=c",
                     b"OrderNumber=%00&PostcodeProof=b", b"&" * 200):
            answer = post(body, form)
            tap.equal(answer.status, 400, body)
            tap.contains(answer.body.decode(), "could not be read")
        tap.equal(post(b"OrderNumber=SO1001&PostcodeProof=sw1a+1aa&extra=1&&=", form + "; charset=UTF-8").status, 200)
        tap.equal(post(b"OrderNumber=SO%31001&PostcodeProof=sw1a%201aa", form, Accept="application/json").json()["found"], True)
        for kind in ("text/plain", "multipart/form-data; boundary=x", "application/xml", form + "; charset=latin1", ""):
            tap.equal(post(b"OrderNumber=a&PostcodeProof=b", kind).status, 415, kind)
        tap.equal(s.counts()["asked"], 2)


def test_bodies_that_are_too_long():
    with Server() as s:
        good = json.dumps({"OrderNumber": "SO1001", "PostcodeProof": "sw1a1aa"})
        tap.equal(s.request("POST", PAGE, good.ljust(4096), {"Content-Type": "application/json"}).status, 200)
        tap.equal(s.request("POST", PAGE, good.ljust(4097), {"Content-Type": "application/json"}).status, 413)
        got = s.raw(b"POST /order-status HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                    b"Content-Length: 99999999999\r\n\r\n" + b"x" * 1000)
        assert got.startswith(b"HTTP/1.1 413"), got[:200]
        assert s.raw(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 40000 + b"\r\n\r\n")[:12] in (
            b"HTTP/1.1 431", b"HTTP/1.1 413", b"HTTP/1.1 414", b"HTTP/1.1 400", b"")
        tap.equal(s.ask("SO1001", "sw1a1aa").status, 200)


def test_messages_that_two_programs_could_read_in_two_ways():
    """Smuggling: messages that two programs could read in two ways are refused"""
    body = b"OrderNumber=SO1001&PostcodeProof=sw1a1aa"
    head = b"POST /order-status HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    n = str(len(body)).encode()
    inner = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    bad = [
        head + b"Content-Length: " + n + b"\r\nContent-Length: 0\r\n\r\n" + body + inner,
        head + b"Content-Length: 0\r\nContent-Length: " + n + b"\r\n\r\n" + body + inner,
        head + b"Content-Length: " + n + b", " + n + b"\r\n\r\n" + body + inner,
        head + b"Content-Length: " + n + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked + inner,
        head + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + chunked + inner,
        head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked + inner,
        head + b"Transfer-Encoding: xchunked\r\n\r\n" + chunked + inner,
        head + b"Transfer-Encoding : chunked\r\nContent-Length: " + n + b"\r\n\r\n" + body + inner,
        head + b"Content-Length : " + n + b"\r\n\r\n" + body + inner,
        head + b"Content-Length: +" + n + b"\r\n\r\n" + body + inner,
        head + b"Content-Length: -1\r\n\r\n" + body + inner,
        head + b"Content-Length: 0x28\r\n\r\n" + body + inner,
        head + b"Content-Length: \r\n\r\n" + body + inner,
        head + b"Content-Length: 99999999999999999999999\r\n\r\n" + body + inner,
        head + b"\r\n" + body + inner,
        b"GET /order-status HTTP/1.1\r\nHost: x\r\nContent-Length: 36\r\n\r\n" + inner,
        b"GET /order-status HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" + inner,
        b"GET /order-status HTTP/1.1\r\n\r\n" + inner,
    ]
    with Server() as s:
        for message in bad:
            got = s.raw(message, wait=3)
            statuses = re.findall(rb"HTTP/1\.1 (\d+)", got)
            assert all(status.startswith(b"4") for status in statuses), (message, got)
            assert b"ok\n" not in got, (message, got)
        tap.equal(s.counts()["asked"], 0)
        # two whole requests in one go are two answers
        got = s.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        tap.equal(got.count(b"200 OK"), 2)
        tap.equal(s.get("/healthz").status, 200)


def test_rubbish_on_the_wire():
    with Server() as s:
        alphabet = [b"GET ", b"POST ", b"/", PAGE.encode(), b" HTTP/1.1", b"\r\n", b"Host: x", b"Content-Length: 5", b"\0", b"\xff",
                    b":", b" ", b"%", b"?", b"Transfer-Encoding: chunked", b"a" * 100, b"\n", b"HTTP/9.9"]
        for _ in range(300 if tap.LONG else 60):
            data = b"".join(random.choice(alphabet) for _ in range(random.randrange(1, 30)))
            with contextlib.suppress(OSError):
                s.raw(data + b"\r\n\r\n", wait=0.2)
        tap.equal(s.get("/healthz").status, 200)
        tap.equal(s.counts()["asked"], 0)


def test_what_is_no_request_gets_nothing_of_itself_back():
    with Server() as s:
        for message in (b"MARKER\r\n\r\n", b"GET /MARKER\r\n\r\n", b"GET /MARKER HTTP/9.9\r\nHost: x\r\n\r\n",
                        b"GET /MARKER" + b"x" * 40000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                        b"GET / HTTP/1.1\r\nHost: x\r\nMARKER: " + b"MARKER" * 8000 + b"\r\n\r\n"):
            got = s.raw(message, wait=3)
            assert b"MARKER" not in got and b"HTTP/1.1 2" not in got, (message[:40], got)


def test_the_log_tells_no_values():
    with Server() as s:
        s.ask("SO1001", "SW1A 1AA")
        s.post({"OrderNumber": "SO4711", "PostcodeProof": "ZZ9 9ZZ"})
        s.get("/order-status?OrderNumber=SO4711")
        s.get("/secret-path", headers={"User-Agent": "agent-007", "Referer": "http://elsewhere/"})
        s.request("POST", PAGE, b'{"OrderNumber":"SO4711"', {"Content-Type": "application/json"})
        log = s.log()
        tap.contains(log, "POST /order-status 200, ")
        tap.contains(log, "POST /order-status 404, ")
        tap.contains(log, "GET - 404, ")
        tap.contains(log, "from 127.0.0.0/24")
        for secret in ("SO1001", "SO4711", "SW1A", "ZZ9", "secret-path", "agent-007", "elsewhere", "127.0.0.1", proof("SW1A 1AA")):
            assert secret not in log, secret


def test_title_and_logo():
    folder = tap.folder()
    (folder / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    with Server(folder=folder, lookup="      title: \"Where's <it>?\"\n      logo: logo.svg\n") as s:
        page = s.get(PAGE).body.decode()
        tap.contains(page, "<h1>Where&#39;s &lt;it&gt;?</h1>")
        tap.contains(page, '<img class="logo" src="/order-status/logo" alt="">')
        (folder / "logo.svg").unlink()
        logo = s.get(PAGE + "/logo")
        tap.equal((logo.status, logo.headers["Content-Type"]), (200, "image/svg+xml"))
        tap.contains(logo.headers["Content-Security-Policy"], "sandbox")
        tap.equal(s.request("POST", PAGE + "/logo", "x").headers["Allow"], "GET, HEAD")


# --- connections -----------------------------------------------------------------------------------


def test_slow_and_idle_connections_do_not_keep_others_out():
    with Server() as s, contextlib.ExitStack() as stack:
        for n in range(160):  # more than there are places, from ten addresses that each may have some
            with contextlib.suppress(OSError):
                c = socket.create_connection((s.host, s.port), timeout=5, source_address=(f"127.0.2.{n % 10 + 1}", 0))
                stack.enter_context(c)
                c.sendall(b"POST /order-status HTTP/1.1\r\nHost: x\r\nContent-Le")
        for _ in range(20):
            tap.equal(s.ask("SO1001", "SW1A 1AA", source="127.0.0.9").status, 200)


def test_a_request_that_drips_is_cut_off_at_its_deadline():
    with Server() as s:
        started = time.monotonic()
        with socket.create_connection((s.host, s.port), timeout=5) as c:
            c.sendall(b"POST /order-status HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            with contextlib.suppress(OSError):
                while time.monotonic() - started < 40:
                    c.sendall(b"x")
                    c.settimeout(0.5)
                    try:
                        if not c.recv(100):
                            break
                    except TimeoutError:
                        pass
        took = time.monotonic() - started
        assert 10 < took < 30, took


def test_stopping_finishes_the_request_in_hand():
    with Server() as s:
        body = json.dumps({"OrderNumber": "SO1001", "PostcodeProof": "SW1A1AA"}).encode()
        with socket.create_connection((s.host, s.port), timeout=10) as c:
            c.sendall(b"POST /order-status HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
            time.sleep(0.3)
            s.process.stdin.close()
            time.sleep(0.3)
            c.sendall(body)
            got = c.recv(65536)
            assert got.startswith(b"HTTP/1.1 200"), got
        tap.equal(s.stop()[-1], "stopped")
        with contextlib.suppress(OSError):
            socket.create_connection((s.host, s.port), timeout=1).close()
            raise AssertionError("it still listens")


def test_a_taken_address_and_a_strange_configuration_are_told():
    with Server() as s:
        second = Server(listen=f"127.0.0.1:{s.port}")
        tap.contains(second.error, f"cannot listen on 127.0.0.1:{s.port}: another program does already")
    folder = tap.folder()
    (folder / "logo.png").write_text("no picture")
    tap.contains(Server(folder=folder, lookup="      logo: logo.png\n").error, "is neither SVG nor PNG")
    tap.contains(Server(lookup="      logo: absent.svg\n").error, "lookup order-status: logo: ")
    bad = CONFIG.format(key=KEY, listen="127.0.0.1:0", serve="", lookup="").replace("Carrier]", "found]")
    tap.contains(Server(config=bad).error, "the answer has a word 'found' of its own")


def test_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        raise tap.Skip("this machine has no IPv6") from None
    with Server(listen="'[::1]:0'") as s:
        assert s.address.startswith("http://[::1]:"), s.address
        tap.equal(s.ask("SO1001", "SW1A 1AA").status, 200)
        tap.contains(s.log(), "from ::/48")


# --- TLS -------------------------------------------------------------------------------------------


def openssl(folder, *arguments):
    if not shutil.which("openssl"):
        raise tap.Skip("needs the openssl command")
    return subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


NEW_KEY = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def make_certificate(folder, name, prefix=""):
    openssl(folder, *NEW_KEY, "-x509", "-days", "30", "-subj", f"/CN={name}", "-keyout", f"{prefix}key.pem",
            "-out", f"{prefix}cert.pem")


def make_late_certificate(folder):
    openssl(folder, *NEW_KEY, "-subj", "/CN=late", "-keyout", "key.pem", "-out", "request.pem")
    openssl(folder, "x509", "-req", "-in", "request.pem", "-signkey", "key.pem", "-days", "-1", "-out", "cert.pem")


def name_of(s):
    der = None
    with socket.create_connection((s.host, s.port), timeout=10) as c, trusting().wrap_socket(c) as t:
        der = t.getpeercert(binary_form=True)
    text = subprocess.run(["openssl", "x509", "-inform", "der", "-noout", "-subject"], input=der, capture_output=True, check=True)
    return text.stdout.decode().split("=")[-1].strip()


TLS = "  tls: { certificate: cert.pem, key: key.pem }\n"


def test_tls_and_a_certificate_that_is_replaced_while_it_runs():
    folder = tap.folder()
    make_certificate(folder, "first")
    with Server(serve=TLS, folder=folder) as s:
        assert s.address.startswith("https://"), s.address
        answer = s.ask("SO1001", "SW1A 1AA", context=trusting())
        tap.equal(answer.status, 200)
        tap.equal(answer.headers["Strict-Transport-Security"], "max-age=31536000")
        tap.equal(name_of(s), "first")
        old = s.connect(context=trusting())
        old.request("GET", "/healthz")
        tap.equal(old.getresponse().read(), b"ok\n")
        # half of a change, and rubbish: the certificate before stays
        make_certificate(folder, "second", "new-")
        os.replace(folder / "new-cert.pem", folder / "cert.pem")
        tap.equal(s.tell("refresh"), "refreshed")
        until(lambda: "is not that of" in s.log())
        tap.equal(name_of(s), "first")
        os.replace(folder / "new-key.pem", folder / "key.pem")
        until(lambda: name_of(s) == "second")
        old.request("GET", "/healthz")  # a connection from before goes on
        tap.equal(old.getresponse().read(), b"ok\n")
        old.close()
        (folder / "cert.pem").write_text("rubbish")
        until(lambda: "holds no certificate" in s.log())
        tap.equal(name_of(s), "second")
        # by symbolic links, as certificates are often kept
        make_certificate(folder, "third", "third-")
        for part in ("cert", "key"):
            (folder / f"link-{part}").symlink_to(f"third-{part}.pem")
            os.replace(folder / f"link-{part}", folder / f"{part}.pem")
        until(lambda: name_of(s) == "third")
        tap.equal(s.ask("SO1001", "SW1A 1AA", context=trusting()).status, 200)


def test_asking_goes_on_while_certificates_change():
    folder = tap.folder()
    make_certificate(folder, "c0")
    rounds = 12 if tap.LONG else 4
    with Server(serve=TLS, lookup=LOOSE, folder=folder) as s:
        stop, wrong = threading.Event(), []

        def ask():
            while not stop.is_set():
                try:
                    answer = s.ask("SO1001", "SW1A 1AA", context=trusting())
                    if answer.status != 200:
                        wrong.append(answer)
                except OSError as error:
                    wrong.append(error)

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for t in threads:
            t.start()
        for n in range(1, rounds + 1):
            make_certificate(folder, f"c{n}", "new-")
            os.replace(folder / "new-key.pem", folder / "key.pem")
            os.replace(folder / "new-cert.pem", folder / "cert.pem")
            s.tell("refresh")
            until(lambda: name_of(s) == f"c{n}")
        stop.set()
        for t in threads:
            t.join()
        assert not wrong, wrong[:3]


def test_old_tls_and_plain_text_are_refused():
    folder = tap.folder()
    make_certificate(folder, "here")
    with Server(serve=TLS, folder=folder) as s:
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            context = trusting()
            context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings(action="ignore"):
                context.minimum_version = context.maximum_version = version
            try:
                s.get("/healthz", context=context)
                raise AssertionError(f"{version} was taken")
            except (ssl.SSLError, OSError):
                pass
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = trusting()
            context.minimum_version = context.maximum_version = version
            tap.equal(s.get("/healthz", context=context).status, 200)
        assert b"200 OK" not in s.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", wait=1)
        tap.equal(s.get("/healthz", context=trusting()).status, 200)


def test_certificates_that_cannot_work_are_told_at_the_start():
    folder = tap.folder()
    start = lambda: Server(serve=TLS, folder=folder).error
    tap.contains(start(), "cert.pem: no such file")
    make_certificate(folder, "a")
    make_certificate(folder, "b", "other-")
    shutil.copy(folder / "other-key.pem", folder / "key.pem")
    tap.contains(start(), "is not that of")
    (folder / "key.pem").write_text("no key")
    tap.contains(start(), "holds no private key")
    make_late_certificate(folder)
    tap.contains(start(), "has run out")


tap.run()
