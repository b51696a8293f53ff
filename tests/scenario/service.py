#!/usr/bin/env python3
"""`wherry up`: schedules, events, two processes at once, signals."""
import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import time
import urllib.error
import urllib.request

import tap
from project import Project, order


def every_second(text):
    return text.replace("every: 5m", "every: 1s")


def wait_for(what, condition, seconds=30):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds} s")


def until_up(process):
    """Reads what it says until it is up: from then on it handles signals."""
    line = b"-"
    while line and not line.startswith(b"Up."):
        line = process.stdout.readline()
    assert line, "it ended before it was up"
    return process


def stop(process, code=0):
    process.send_signal(signal.SIGTERM)
    output = process.communicate(timeout=60)[0].decode()
    tap.equal(process.returncode, code, output)
    return output


def loaded(p, count):
    try:
        return len(p.orders()) == count
    except Exception:
        return False


def test_a_schedule_exports_and_the_event_loads():
    p = Project()
    p.config(every_second((p.folder / "wherry.yaml").read_text()))
    p.make_erp([order(f"SO{i}") for i in range(100)])
    up = p.start("up")
    try:
        wait_for("the first load", lambda: loaded(p, 100))
        p.add_orders([order("NEW", at=time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()))])
        wait_for("the next export", lambda: loaded(p, 101))
    finally:
        stop(up)
    p.check_equal()


def test_a_foreign_file_counts_when_it_is_still():
    p = Project()
    p.make_erp([])
    inbound = p.folder / "lake/inbound"
    inbound.mkdir(parents=True)
    up = p.start("up", "import-orders")
    try:
        time.sleep(1)
        with open(inbound / "partner.json", "w") as out:
            out.write("[")
            out.flush()
            for i in range(6):  # somebody writes slowly
                time.sleep(0.7)
                out.write(("," if i else "") + json.dumps({"OrderNumber": f"P{i}", "OrderStatus": "Open",
                                                          "Total": 1.5, "UpdatedAt": "2026-11-20T08:00:00Z"}))
                out.flush()
            out.write("]")
        wait_for("the load", lambda: loaded(p, 6))
        # a new folder, made while it is watched
        (inbound / "deep/er").mkdir(parents=True)
        (inbound / "deep/er/x.json").write_text(json.dumps(
            [{"OrderNumber": "X", "OrderStatus": "Open", "Total": 1.5, "UpdatedAt": "2026-11-20T08:00:00Z"}]))
        wait_for("the load from a new folder", lambda: loaded(p, 7))
    finally:
        stop(up)
    tap.equal(p.wherry("status", "--json").lines()[1]["dead"], 0)


def test_files_that_came_while_nobody_watched_are_found():
    p = Project()
    p.make_erp([order("A")])
    p.wherry("run", "export-orders")
    tap.equal(len(p.orders()), 1)
    (p.folder / "lake/inbound/late.json").write_text(json.dumps(
        [{"OrderNumber": "L", "OrderStatus": "Open", "Total": 1.5, "UpdatedAt": "2026-11-20T08:00:00Z"}]))
    up = p.start("up", "import-orders")
    try:
        wait_for("the load", lambda: loaded(p, 2))
    finally:
        stop(up)


def test_sigterm_in_the_middle_of_a_load_loses_nothing():
    p = Project(pipeline="    chunk: 1000\n")
    p.make_erp([order(f"SO{i}") for i in range(60000)])
    for pause in (0.05, 0.15, 0.3, 0.5, 0.8):
        up = until_up(p.start("up"))
        time.sleep(pause)
        stop(up)
    p.wherry("run")
    p.check_equal()
    tap.equal(p.wherry("verify").code, 0)


def test_two_processes_share_a_project():
    p = Project(pipeline="    chunk: 500\n")
    p.config(every_second((p.folder / "wherry.yaml").read_text()))
    p.make_erp([order(f"SO{i}") for i in range(5000)])
    ups = [p.start("up"), p.start("up")]
    try:
        for round in range(3):
            p.add_orders([order(f"R{round}-{i}", at=time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())) for i in range(50)])
            wait_for("the load", lambda: loaded(p, 5000 + 50 * (round + 1)))
    finally:
        for up in ups:
            stop(up)
    p.check_equal()


def test_many_open_a_new_ledger_at_once():
    p = Project()
    for _ in range(40):
        shutil.rmtree(p.folder / ".wherry", ignore_errors=True)
        for process in [p.start("status") for _ in range(5)]:
            output = process.communicate(timeout=60)[0].decode()
            tap.equal(process.returncode, 0, output)


def test_kill_minus_nine_and_again():
    p = Project()
    p.config(every_second((p.folder / "wherry.yaml").read_text()))
    p.make_erp([order(f"SO{i}") for i in range(3000)])
    for pause in (0.2, 0.4, 0.9, 1.5):
        up = p.start("up")
        time.sleep(pause)
        os.kill(up.pid, signal.SIGKILL)
        up.communicate()
        p.add_orders([order(f"K{pause}", at=time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()))])
    up = p.start("up")
    try:
        wait_for("everything", lambda: loaded(p, 3004))
    finally:
        stop(up)
    p.check_equal()


def test_a_bad_object_does_not_hold_up_the_others():
    p = Project()
    p.make_erp([])
    inbound = p.folder / "lake/inbound"
    inbound.mkdir(parents=True)
    up = p.start("up", "import-orders")
    try:
        (inbound / "a-bad.json").write_text('[{"OrderNumber": "A"')
        (inbound / "b-good.json").write_text(json.dumps(
            [{"OrderNumber": "B", "OrderStatus": "Open", "Total": 1.5, "UpdatedAt": "2026-11-20T08:00:00Z"}]))
        wait_for("the good one", lambda: loaded(p, 1))
    finally:
        stop(up)
    status = p.wherry("status", "--json", code=1).lines()[1]
    tap.equal((status["state"], status["dead"]), ("failed", 1))
    tap.contains(status["dead_error"], "never closed")
    # mended under the same name: a new version, new work
    time.sleep(0.01)
    (inbound / "a-bad.json").write_text(json.dumps(
        [{"OrderNumber": "A", "OrderStatus": "Open", "Total": 1.5, "UpdatedAt": "2026-11-20T08:00:00Z"}]))
    p.wherry("run", "import-orders", code=None)
    tap.equal(len(p.orders()), 2)


def test_up_says_where_the_page_is():
    p = Project()
    secret = "0123456789abcdef0123456789abcdef"
    p.config((p.folder / "wherry.yaml").read_text() + f"""
masks:
  proof: {{ normalize: alphanumeric-upper, hmac: {secret} }}
serve:
  listen: 127.0.0.1:0
  lookups:
    order-status:
      from: website:orders
      by: OrderNumber
      proof: {{ OrderStatus: proof }}
      show: [Total]
""")
    p.make_erp([order("A")])
    p.wherry("run", code=None)
    up = p.start("up")
    try:
        line = b""
        while b"http://" not in line:
            line = up.stdout.readline()
            assert line, "it ended without saying where the page is"
        url = re.search(rb"http://[0-9.:]+", line).group().decode()
        tap.equal(urllib.request.urlopen(url + "/healthz").status, 200)
        tap.contains(urllib.request.urlopen(url + "/order-status").read().decode(), "<form")
        # Another process sees it.
        status = p.wherry("status").out
        tap.contains(status, f"lookup          ok        {url}/order-status   not asked today")
        assert re.search(r"ledger [0-9.]+ .?B, memory [0-9]+ of 64 MiB, up [0-9]+ s\n", status), status
        for _ in range(3):
            try:
                urllib.request.urlopen(url + "/order-status", b"OrderNumber=A&OrderStatus=Open")
            except urllib.error.HTTPError as no:
                tap.equal(no.code, 404)
        wait_for("three questions", lambda: "   3 asked today" in p.wherry("status").out)
    finally:
        stop(up)
    status = p.wherry("status").out
    tap.contains(status, "lookup          stopped   /order-status   3 asked today   start it with: wherry up")
    assert "memory" not in status and "not running" not in status, status


def test_a_service_that_was_killed_is_not_running():
    p = Project()
    p.make_erp([order("A")])
    up = until_up(p.start("up"))
    service = p.wherry("status", "--json").lines()[-1]
    tap.equal((service["service"], service["pid"]), ("up", up.pid))
    wait_for("the load", lambda: loaded(p, 1))  # one that is killed in the middle has failed
    up.kill()
    up.wait()
    tap.contains(p.wherry("status").out, "not running: the service ended at ")
    tap.equal(p.wherry("status", "--json").lines()[-1]["service"], "gone")
    stop(until_up(p.start("up")))
    tap.equal([l for l in p.wherry("status", "--json").lines() if "service" in l], [])


def takes(p):
    with contextlib.closing(sqlite3.connect(p.folder / ".wherry/ledger.db", timeout=10)) as db:
        return [n for (n,) in db.execute("SELECT takes FROM work WHERE pipeline = 'import-orders' AND state <> 2")]


def test_an_object_that_nobody_survives_becomes_a_dead_letter():
    p = Project()
    p.make_erp([order("A")])
    p.wherry("run")
    p.add_orders([order("B")])
    lock = sqlite3.connect(p.folder / "website.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    for want in (1, 20):
        run = p.start("run")
        wait_for("the object is taken", lambda: takes(p) == [want])
        run.kill()
        run.wait()
        with contextlib.closing(sqlite3.connect(p.folder / ".wherry/ledger.db", isolation_level=None)) as db:
            db.execute("UPDATE work SET takes = 19 WHERE takes = 1 AND state <> 2")
    lock.execute("ROLLBACK")
    lock.close()
    done = p.wherry("run", "import-orders", code=1)
    tap.contains(done.err, "the process ended 20 times in a row while it loaded this object")
    status = p.wherry("status", code=1).out
    tap.contains(status, "1 dead")
    tap.contains(status, "the process ended 20 times in a row")
    p.wherry("quarantine", "replay", "import-orders")
    tap.equal(len(p.orders()), 2)
    tap.equal(takes(p), [])


tap.run()
