#!/usr/bin/env python3
"""Splunk: rows as events at a collector that looks at every rule of the protocol and has bad days: busy, cut off,
forgetful. Every row arrives at least once, and what comes twice has the same _wherry_id."""
import configparser
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import time
from xml.etree import ElementTree

import tap
from project import Project
from splunk_collector import CODES, Collector, Fault

KILLS = 100 if tap.LONG else 8
CONFIG = """\
version: 1
connections:
  lake: {{ type: local, path: lake }}
  erp: {{ type: sqlite, path: erp.db }}
  splunk:
    type: splunk
    url: {url}
    token: ${{SPLUNK_TOKEN}}
{words}
pipelines:
  staff:
    when: new
    from: lake:in/*.json
{more}
    columns: {columns}
    to: splunk:{endpoint}
"""
COLUMNS = '{ _time: { from: at, type: timestamp }, _host: host, id: id, name: name, rate: { from: rate, type: "decimal(9,2)" } }'


def row(n):
    return {"id": n, "name": f"Größe \"{n}\"\\\n\t", "rate": f"{n}.25", "host": f"web-{n % 3}" if n % 4 else None,
            "at": f"2026-11-21T08:{n // 60 % 60:02}:{n % 60:02}.{n % 1000000:06}Z"}


class Staff(Project):
    def __init__(self, collector, columns=COLUMNS, endpoint="event", more="", **words):
        if collector.url.startswith("http:"):
            words.setdefault("tls", '"off"')
        words = "".join(f"    {name}: {value}\n" for name, value in words.items())
        super().__init__(config=CONFIG.format(url=collector.url, words=words.rstrip("\n"), more=more, columns=columns,
                                              endpoint=endpoint))
        self.collector = collector
        self.env = {**os.environ, "SPLUNK_TOKEN": collector.TOKEN}
        (self.folder / "lake/in").mkdir(parents=True)

    def put(self, rows, name="staff.json"):
        (self.folder / "lake/in" / f".{name}").write_text(json.dumps(rows))
        (self.folder / "lake/in" / f".{name}").rename(self.folder / "lake/in" / name)

    def run(self, code=0):
        return self.wherry("run", "--json", code=code, env=self.env)

    def says(self, code=1):
        """What a run says that does not go well."""
        done = self.wherry("run", code=code, env=self.env)
        return done.out + done.err

    def ids(self, wanted):
        """Each of these is there, and twice only as the very same."""
        unique = self.collector.check()
        tap.equal(sorted(int(e["event"]["id"]) for e in unique.values()), sorted(wanted), "rows at the collector")


def test_rows_arrive_as_events():
    """rows arrive as events, with what says of them, exactly as they are"""
    c = Collector()
    p = Staff(c, index="hr", sourcetype="staff", source="hr:records")
    p.put([row(n) for n in range(500)])
    done = p.run().lines()[0]
    tap.equal((done["status"], done["rows_read"], done["rows_written"]), ("done", 500, 500))
    by_id = {int(e["event"]["id"]): e for e in c.check().values()}
    tap.equal(len(by_id), 500)
    for n, event in by_id.items():
        want = row(n)
        tap.equal((event["index"], event["sourcetype"], event["source"]), ("hr", "staff", "hr:records"))
        tap.equal(event.get("host"), want["host"], f"host of {n}")
        seconds = 1795219200 + (8 * 60 + n // 60 % 60) * 60 + n % 60  # 2026-11-21
        tap.equal(event["time"], f"{seconds}.{n % 1000000:06}", f"time of {n}")
        tap.equal(event["event"], {"_wherry_id": event["id"], "id": str(n), "name": want["name"], "rate": want["rate"]})
    tap.equal(len(c.events), 500, "nothing came twice")
    tap.equal(len(c.channels), 1)
    tap.equal(p.run().lines(), [], "nothing is left to do")


def test_indexed_fields():
    """columns under `fields` are indexed beside the event, NULL as nothing"""
    c = Collector()
    p = Staff(c, columns="{ id: id, name: name, site: host }", fields="[site, name]")
    p.put([{"id": 1, "name": "A", "host": None}, {"id": 2, "name": "B", "host": "web"}])
    p.run()
    told = {int(e["event"]["id"]): (e.get("fields"), sorted(e["event"])) for e in c.check().values()}
    tap.equal(told, {1: ({"name": "A"}, ["_wherry_id", "id"]), 2: ({"name": "B", "site": "web"}, ["_wherry_id", "id"])})


def test_without_acknowledgement():
    """ack: no counts what the collector has taken; plain text where gzip is off"""
    for gzip in ("yes", "no"):
        c = Collector(ack=False)
        p = Staff(c, ack="no", gzip=gzip)
        p.put([row(n) for n in range(3000)])
        p.run()
        p.ids(range(3000))
        tap.equal((len(c.events), c.polls), (3000, 0))


def test_the_token_and_the_words_must_agree():
    """a token without acknowledgement where it is wanted, and one with it where it is not"""
    c = Collector(ack=False)
    p = Staff(c)
    p.put([row(1)])
    tap.contains(p.says(), "the token acknowledges nothing. Turn on indexer acknowledgement for it, or say ack: no")
    tap.contains(p.wherry("check", "--connect", code=1, env=p.env).out, "code 14")
    c = Collector(ack=True)
    p = Staff(c, ack="no")
    p.put([row(1)])
    p.run()
    tap.equal((len(c.held), len(c.events)), (1, 0), "it was taken, and nobody asked")


def test_check_connect_stores_nothing():
    """check --connect tells whether the token is right, and leaves nothing there"""
    c = Collector()
    p = Staff(c)
    said = p.wherry("check", "--connect", env=p.env)
    tap.contains(said.out + said.err, "takes the token, and acknowledges")
    tap.equal((c.events, c.held, c.requests), ([], {}, 0))
    p.env["SPLUNK_TOKEN"] = "no-such-token"
    said = p.wherry("check", "--connect", code=None, env=p.env)
    tap.contains(said.out + said.err, "Splunk does not take the token")
    assert said.code != 0 and "no-such-token" not in said.out + said.err
    c.close()
    said = p.wherry("check", "--connect", code=None, env=p.env)
    tap.contains(said.out + said.err, f"127.0.0.1:{c.server.server_port}")
    assert said.code != 0


def test_what_plan_and_discover_say():
    """plan names the endpoint and says at-least-once; discover says that there is nothing to list"""
    c = Collector()
    p = Staff(c, index="hr")
    p.put([row(1)])
    said = p.wherry("plan", env=p.env).out
    tap.contains(said, "at-least-once: append")
    tap.contains(said, "/services/collector/event, index hr; delivered when the indexers acknowledge it")
    assert c.TOKEN not in said and not c.requests
    tap.contains(p.wherry("discover", "splunk", code=2, env=p.env).err, "splunk holds nothing that can be listed")


def test_what_is_refused():
    """other modes, endpoints and addresses are refused, with the place"""
    c = Collector()
    for more, said in (("    write: { mode: upsert, key: id }\n", "wherry.yaml:15:20: pipeline staff: write: splunk takes rows as they come"),
                       ("    write: { mode: replace }\n", "changes none that it has. Write mode: append")):
        p = Staff(c)
        text = (p.folder / "wherry.yaml").read_text()
        p.config(text + more)
        said_ = p.wherry("check", code=2, env=p.env).err
        tap.contains(said_, said.split("pipeline staff: ")[-1])
        tap.contains(said_, "wherry.yaml:")
    for endpoint, said in (("hr", "there is no endpoint 'hr'. Write splunk:event or splunk:raw"),):
        p = Staff(c, endpoint=endpoint)
        p.put([row(1)])
        tap.contains(p.says(code=None), said)
    for word, value, said in (("tls", "verify", "anybody on the way reads the token"), ("batch_size", "1KiB", "batch_size"),
                              ("connections", "17", "connections"), ("url", "ftp://x", None)):
        p = Staff(c, **{word: value}) if word != "url" else Staff(c)
        if word == "url":
            p.config((p.folder / "wherry.yaml").read_text().replace(c.url, "https://user:pw@host?token=x"))
            said = "no user, query or fragment"
        checked = p.wherry("check", "--connect", code=None, env=p.env)
        tap.contains(checked.out + checked.err, said)
        assert checked.code in (1, 2), checked
    p = Staff(c, columns="{ _time: name, id: id }")
    p.put([row(1)])
    tap.contains(p.says(code=None), "column _time must be a timestamp or a date")


def test_busy():
    """503, 429 with Retry-After, 500: it waits and sends the same again"""
    c = Collector()
    faults = {1: Fault(503, 9), 2: Fault(429, 26, headers={"Retry-After": "1"}), 3: Fault(500, 8), 4: Fault(503, 23)}
    c.plan = lambda number, path: faults.get(number)
    p = Staff(c)
    p.put([row(n) for n in range(10)])
    started = time.monotonic()
    p.run()
    assert time.monotonic() - started >= 1, "it came before Retry-After was over"
    p.ids(range(10))
    tap.equal((c.requests, len(c.events)), (5, 10))


def test_codes():
    """codes of the collector become what to do: wait, a person's turn, or a bad row (all of them: test-splunk.c)"""
    for code in CODES if tap.LONG else (1, 5, 8, 12, 15, 16, 24, 27):
        status = CODES[code][0]
        c = Collector()
        faults = {1: Fault(status, code, number=0)}
        c.plan = lambda number, path: faults.get(number)
        p = Staff(c)
        p.put([row(n) for n in range(3)])
        done = p.run(code=None)
        if status >= 429 or status == 200 and code not in (0, 17, 24, 25):
            tap.equal((done.code, c.requests), (0, 2), f"{code}: {done}")
            p.ids(range(3))
        elif status == 200:  # it says that it has taken them, but gives no number to ask by
            tap.equal(done.code, 1, f"{code}: {done}")
        elif code in (6, 12, 13, 15):
            tap.equal((done.code, done.lines()[0]["rows_quarantined"]), (3, 1), f"{code}: {done}")
            tap.contains(p.wherry("quarantine", "show", "staff", env=p.env).out, f"(code {code})")
            p.ids([1, 2])
        else:
            tap.equal(done.code, 1, f"{code}: {done}")
            tap.contains(done.out, f"code {code}, HTTP {status}")
            tap.equal(c.events, [])
        assert c.TOKEN not in done.out + done.err


def test_what_is_no_collector():
    """a page with 200 has taken nothing; 404 and 301 say what to look at"""
    for fault, said in ((Fault(200, body="<html>Welcome</html>"), "no answer of an HTTP Event Collector"),
                        (Fault(404), "Check the host and port of `url`"),
                        (Fault(301, headers={"Location": "/en-US/"}), "Check the host and port of `url`")):
        c = Collector()
        c.plan = lambda number, path: fault
        p = Staff(c)
        p.put([row(1)])
        tap.contains(p.says(), said)


def test_an_event_that_is_not_taken():
    """one event of many that the collector refuses is quarantined; the others arrive"""
    c = Collector()
    c.refuses = lambda event: 15 if int(event["event"]["id"]) in (7, 8, 400) else None
    p = Staff(c)
    p.put([row(n) for n in range(1000)])
    done = p.run(code=3).lines()[0]
    tap.equal((done["rows_read"], done["rows_written"], done["rows_quarantined"]), (1000, 997, 3))
    p.ids(set(range(1000)) - {7, 8, 400})
    c.refuses = lambda event: None
    p.wherry("quarantine", "replay", "staff", env=p.env)
    p.ids(range(1000))


def test_an_index_that_is_not_the_tokens():
    """a wrong index of one row rejects the row, of the connection it stops the run"""
    c = Collector()
    p = Staff(c, columns="{ _index: name, id: id }")
    p.put([{"id": 1, "name": "hr"}, {"id": 2, "name": "secret"}, {"id": 3, "name": None}])
    tap.equal(p.run(code=3).lines()[0]["rows_quarantined"], 1)
    p.ids([1, 3])
    c = Collector()
    p = Staff(c, index="secret")
    p.put([row(n) for n in range(20000)])
    tap.contains(p.says(), "The token may not write to that index")
    tap.equal(c.events, [])


def test_sizes():
    """no request is longer than batch_size; an event that is goes to quarantine; 413 says what to change"""
    c = Collector(max_bytes=20000)
    p = Staff(c, batch_size="20kB", gzip="no", connections="2")
    p.put([row(n) for n in range(2000)] + [{**row(2000), "name": "x" * 30000}])
    done = p.run(code=3).lines()[0]
    tap.equal((done["rows_written"], done["rows_quarantined"]), (2000, 1))
    p.ids(range(2000))
    assert 10000 < c.largest <= 20000, c.largest
    tap.contains(p.wherry("quarantine", "show", "staff", env=p.env).out, "batch_size")
    c = Collector(max_bytes=20000)
    p = Staff(c)
    p.put([row(n) for n in range(2000)])
    tap.contains(p.says(), "Say batch_size with less")


def test_times():
    """NULL is the time of arrival, a date its midnight; before 1970 is no time of Splunk's"""
    c = Collector()
    p = Staff(c, columns="{ _time: { from: at, type: date }, id: id }")
    p.put([{"id": 1, "at": "2026-11-21"}, {"id": 2, "at": None}, {"id": 3, "at": "1969-12-31"}])
    tap.equal(p.run(code=3).lines()[0]["rows_quarantined"], 1)
    tap.equal({e["event"]["id"]: e.get("time") for e in c.check().values()}, {"1": "1795219200", "2": None})


def test_cut_lines():
    """a line that breaks before the answer, or after the events were taken: they come again as the same"""
    c = Collector()
    faults = {1: Fault(cut=True), 2: Fault(cut=True, kept=True), 4: Fault(503, 9, kept=True)}
    c.plan = lambda number, path: faults.get(number)
    p = Staff(c, ack="no", batch_size="4KiB")
    c.ack = False
    p.put([row(n) for n in range(300)])
    p.run()
    p.ids(range(300))
    assert len(c.events) > 300, "some came twice"


def test_several_at_once():
    """several requests are under way at once, and not more than `connections`"""
    c = Collector()
    c.plan = lambda number, path: Fault(delay=0.05)
    p = Staff(c, batch_size="4KiB", connections=3)
    p.put([row(n) for n in range(1000)])
    p.run()
    p.ids(range(1000))
    tap.equal(c.most_under_way, 3)


def test_acknowledgements_that_come_late():
    """an acknowledgement may take many questions; until then nothing counts as delivered"""
    c = Collector()
    c.acks = lambda number, asked: asked > 4
    p = Staff(c)
    p.put([row(n) for n in range(100)])
    p.run()
    p.ids(range(100))
    tap.equal((len(c.events), c.requests), (100, 1))


def test_acknowledgements_that_are_lost():
    """what is not acknowledged in time is sent again; a collector that lost what it took gets it again"""
    c = Collector()
    c.acks = lambda number, asked: number > 1
    p = Staff(c, ack_timeout="1s")
    p.put([row(n) for n in range(100)])
    p.run()
    p.ids(range(100))
    tap.equal((c.requests, len(c.events)), (2, 100))


def test_nothing_is_ever_acknowledged():
    """after three sendings the run fails and says so; the object is sent again by a later run"""
    c = Collector()
    c.acks = lambda number, asked: False
    p = Staff(c, ack_timeout="1s")
    p.put([row(n) for n in range(100)])
    tap.contains(p.says(), "the indexers acknowledged nothing for 1 s, after each of 3 sendings")
    tap.equal((c.requests, c.events), (3, []))
    c.restart()
    c.acks = lambda number, asked: True
    p.wherry("run", env=p.env)
    p.ids(range(100))


def test_two_collectors_behind_one_address():
    """numbers that two collectors gave out are not taken for each other"""
    c = Collector()
    c.acks = lambda number, asked: False
    counter = c.next_ack

    class Stuck(type(counter)):
        def __getitem__(self, key):
            return 0

        def __setitem__(self, key, value):
            pass
    c.next_ack = Stuck()
    p = Staff(c, batch_size="4KiB")
    p.put([row(n) for n in range(300)])
    tap.contains(p.says(), "more than one behind `url`")


def test_large_object_goes_on():
    """a load that fails halfway goes on behind its last chunk: the ledger remembers, the collector need not"""
    c = Collector()
    p = Staff(c, more="    chunk: 5000\n    batch: 1000", batch_size="64KiB")
    p.put([row(n) for n in range(20000)])
    # The collector fills up for good after some 12,000 rows.
    c.plan = lambda number, path: Fault(403, 1) if sum(len(h[1]) for h in c.held.values()) + len(c.events) > 12000 else None
    p.run(code=1)
    safe = {int(e["event"]["id"]) for e in c.events}
    assert set(range(10000)) <= safe, len(safe)
    before, c.plan = len(c.events), lambda number, path: None
    p.run()
    p.ids(range(20000))
    assert len(c.events) - before <= 10000, "what was acknowledged in whole chunks was not sent again"


def test_stop_goes_on():
    """SIGTERM finishes the chunk in hand, acknowledgements too; the next start goes on behind it"""
    c = Collector()
    c.acks = lambda number, asked: c.stopped
    c.stopped = False
    p = Staff(c, more="    chunk: 1000\n    batch: 500")
    p.put([row(n) for n in range(5000)])
    process = p.start("run", env=p.env)
    end = time.monotonic() + 60
    while c.polls < 1:
        assert time.monotonic() < end, "it never asked"
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    c.stopped = True
    tap.equal(process.wait(timeout=120), 0, "a run that was stopped")
    assert 1000 <= len(c.events) < 5000, len(c.events)
    p.run()
    p.ids(range(5000))
    tap.equal(len(c.events), 5000, "nothing came twice")


def test_killed_at_any_moment():
    """kill -9 while events go out: each row arrives at least once, and comes again under the same id"""
    dice = random.Random(tap.SEED)
    c = Collector()
    c.plan = lambda number, path: Fault(delay=0.002)
    p = Staff(c, more="    chunk: 1000\n    batch: 250\n    attempts: 100", batch_size="16KiB")
    rows, kills = 0, 0
    while kills < KILLS:
        p.put([row(n) for n in range(rows, rows + 4000)], f"staff-{rows}.json")
        rows += 4000
        for _ in range(4):
            process = p.start("run", env=p.env)
            wanted = c.requests + dice.randrange(1, 20)
            while process.poll() is None and c.requests < wanted:
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += process.returncode == -signal.SIGKILL
            if dice.random() < 0.3:
                c.restart()
            if process.returncode == 0:
                break
    for _ in range(3):
        p.wherry("run", env=p.env, code=None)
    p.ids(range(rows))
    tap.note(f"{kills} kills, {len(c.events)} events of {rows} rows")


def test_a_ledger_that_is_lost():
    """without its ledger Wherry cannot know what is there: the events go out once more, under the same ids"""
    c = Collector()
    p = Staff(c)
    p.put([row(n) for n in range(100)])
    p.run()
    shutil.rmtree(p.folder / ".wherry")
    p.wherry("ledger", "rebuild", env=p.env)
    p.run()
    p.ids(range(100))
    tap.equal(len(c.events), 200)


def test_raw():
    """the raw endpoint takes rows as lines, and metadata of the connection with the address"""
    c = Collector()
    p = Staff(c, endpoint="raw", columns="{ id: id, name: name }", index="hr", sourcetype='"my type"')
    p.put([{"id": n, "name": f"a&b {n}"} for n in range(50)])
    p.run()
    events = c.check()
    tap.equal({(e["index"], e["sourcetype"]) for e in events.values()}, {("hr", "my type")})
    tap.equal(sorted(json.loads(e["event"])["id"] for e in events.values()), list(range(50)))


def test_raw_lines():
    """a column _raw is the line as it is, with its id behind it; a line break in it is a bad row"""
    c = Collector()
    p = Staff(c, endpoint="raw", columns="{ _raw: name }")
    p.put([{"name": "Nov 21 08:00:00 sshd[1]: hello"}, {"name": "a\nb"}, {"name": None}, {"name": "same"}, {"name": "same"}])
    tap.equal(p.run(code=3).lines()[0]["rows_quarantined"], 2)
    lines = sorted(e["event"].rsplit(" _wherry_id=", 1)[0] for e in c.check().values())
    tap.equal(lines, ["Nov 21 08:00:00 sshd[1]: hello", "same", "same"], "equal rows of an object have ids of their own")
    p = Staff(c, endpoint="raw", columns="{ _raw: name, _host: name }")
    p.put([{"name": "x"}])
    tap.contains(p.says(code=None), "column _host is for the endpoint `event`")


def test_rows_of_a_database():
    """rows straight from a table are sent with each run, under the same ids"""
    c = Collector()
    p = Staff(c)
    p.config((p.folder / "wherry.yaml").read_text().replace("    when: new\n    from: lake:in/*.json", "    from: erp:staff")
             .replace("_time: { from: at, type: timestamp }, _host: host, ", "").replace('{ from: rate, type: "decimal(9,2)" }', "rate"))
    p.sql("erp", "CREATE TABLE staff(id INTEGER PRIMARY KEY, name TEXT, rate TEXT)")
    p.sql("erp", "INSERT INTO staff VALUES (?,?,?)", [(n, row(n)["name"], row(n)["rate"]) for n in range(1000)])
    p.run()
    p.ids(range(1000))
    p.run()
    p.ids(range(1000))
    tap.equal(len(c.events), 2000)


def test_tls():
    """over TLS the certificate is verified; the token is in no log, no error and no process list"""
    folder = tap.folder()
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "key", "-out",
                           folder / "cert", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
                          capture_output=True)
    if made.returncode:
        raise tap.Skip("there is no openssl to make a certificate with")
    (folder / "both").write_bytes((folder / "key").read_bytes() + (folder / "cert").read_bytes())
    c = Collector(certificate=folder / "both")
    p = Staff(c)
    p.put([row(n) for n in range(100)])
    tap.contains(p.says(), "certificate")
    tap.equal(c.requests, 0)
    p = Staff(c, tls_ca=folder / "cert")
    p.put([row(n) for n in range(100)])
    c.plan = lambda number, path: Fault(503, 9) if number < 3 else None
    process = p.start("run", "--json", env=p.env)
    seen = set()
    while process.poll() is None:
        try:
            seen.add(pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes())
        except OSError:
            pass
        time.sleep(0.01)
    tap.equal(process.returncode, 0, process.stdout.read().decode())
    p.ids(range(100))
    token = c.TOKEN.encode()
    assert not any(token in line for line in seen)
    for path in p.folder.rglob("*"):
        assert not path.is_file() or token not in path.read_bytes(), path


# --- the example ---------------------------------------------------------------------------------

EXAMPLE = tap.ROOT / "examples/employees"
# Simple XML: what may stand in what.
DASHBOARD = {
    "form": {"label", "description", "search", "fieldset", "row"}, "fieldset": {"input"}, "row": {"panel"},
    "input": {"label", "default"}, "default": {"earliest", "latest"}, "search": {"query", "earliest", "latest"},
    "panel": {"single", "chart", "table"}, "single": {"title", "search", "option"}, "chart": {"title", "search", "option"},
    "table": {"title", "search", "option"},
}
COMMANDS = {"spath", "dedup", "fields", "stats", "eval", "timechart", "where", "sort", "index=main"}
ALERT = {
    "description", "search", "dispatch.earliest_time", "dispatch.latest_time", "enableSched", "cron_schedule", "counttype",
    "relation", "quantity", "alert.track", "alert.severity", "alert.suppress", "alert.suppress.period", "action.email",
    "action.email.to",
}


def check_search(text, known):
    """Each command is one of Splunk's, brackets and quotes are closed, and fields are those that are sent or made."""
    assert text.count("(") == text.count(")") and text.count('"') % 2 == 0, text
    made = set()
    for part in text.split("|"):
        command = part.split()[0]
        assert command in COMMANDS, f"{command!r} in {text!r}"
        made |= set(re.findall(r"\bAS (\w+)", part)) | set(re.findall(r"\beval (\w+)=", part)) | set(re.findall(r"output=(\w+)", part))
        for name in re.findall(r"\b(?:dc|avg|max|latest)\((\w+)\)|\bBY (\w+)|\b(?:dedup|sort|where|path=) ?(\w+)", part):
            name = next(n for n in name if n)
            assert name in known | made, f"{name!r} in {text!r} is neither sent nor made"


def example(collector):
    p = Project.__new__(Project)
    p.folder = tap.folder()
    p.wherry("init", "employees", ".")
    text = (p.folder / "wherry.splunk.yaml").read_text().replace("https://splunk.internal:8088", f'{collector.url}\n    tls: "off"')
    (p.folder / "wherry.splunk.yaml").write_text(text)
    p.env = {**os.environ, "SPLUNK_TOKEN": collector.TOKEN}
    return p


def test_the_example_sends_its_records():
    """employees: number, department and rate of each record are at the collector, and nothing else is"""
    c = Collector()
    p = example(c)
    p.wherry("run", "--env", "splunk", code=3, env=p.env)
    events = c.check().values()
    tap.equal(len(events), 39)
    tap.equal({tuple(sorted(e["event"])) for e in events}, {("_wherry_id", "department", "emp_id", "hourly_rate")})
    tap.equal({(e["sourcetype"], e["source"], "time" in e) for e in events}, {("employees", "hr", True)})
    everything = json.dumps(c.events)
    assert not any(word in everything for word in ("iban", "XX", "salary", "Employee"))


def test_the_examples_dashboard():
    """the dashboard is Simple XML, and its searches look for what is sent"""
    root = ElementTree.parse(EXAMPLE / "splunk/dashboard.xml").getroot()
    tap.equal((root.tag, root.get("version")), ("form", "1.1"))
    known = {"_time", "emp_id", "department", "hourly_rate", "_wherry_id"}
    tokens = {i.get("token") for i in root.iter("input")}
    bases = {s.get("id"): s.findtext("query") for s in root.findall("search")}

    def walk(element):
        for child in element:
            assert child.tag in DASHBOARD.get(element.tag, ()), f"<{child.tag}> in <{element.tag}>"
            walk(child)
    walk(root)
    for search in root.iter("search"):
        base = search.get("base")
        assert base is None or base in bases, base
        check_search(f"{bases[base]} | {search.findtext('query')}" if base else search.findtext("query"), known)
        assert base or (search.findtext("earliest") and search.findtext("latest")), "a search over all time"
    for name in re.findall(r"\$(\w+)\.\w+\$", ElementTree.tostring(root, "unicode")):
        assert name in tokens, name


def test_the_examples_alert():
    """the alert is a stanza of savedsearches.conf, and its search looks for what is sent"""
    conf = configparser.ConfigParser(interpolation=None, delimiters=("=",), strict=True)
    conf.optionxform = str
    conf.read_string((EXAMPLE / "splunk/savedsearches.conf").read_text())
    tap.equal(len(conf.sections()), 1)
    alert = conf[conf.sections()[0]]
    tap.equal(set(alert), ALERT)
    tap.equal(len(alert["cron_schedule"].split()), 5)
    assert all(re.fullmatch(r"[\d*,/-]+", part) for part in alert["cron_schedule"].split())
    check_search(alert["search"], {"_wherry_id"})
    for name in ("enableSched", "quantity", "alert.track", "alert.severity", "alert.suppress", "action.email"):
        int(alert[name])


tap.run()
