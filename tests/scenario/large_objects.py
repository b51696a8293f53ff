#!/usr/bin/env python3
"""Large objects without a manifest: they are loaded in chunks once they are proven to be whole; nothing
of one that is not is ever committed, and its types are those of all of it."""
import json
import os
import random
import signal
import time

import tap
from project import Project

ROWS = 200_000
CONFIG = """\
version: 1
connections:
  drop: {{ type: local, path: drop }}
  website: {{ type: sqlite, path: website.db }}
pipelines:
  load:
    when: new
    from: drop:*
    columns: all
    chunk: 500
    to: website:rows
    write: {{ mode: {mode} }}
"""


def project(name, text, mode="append"):
    p = Project(config=CONFIG.format(mode=mode))
    (p.folder / "drop").mkdir()
    path = p.folder / "drop" / name
    path.write_text(text)
    os.utime(path, (0, 0))  # still for long enough to be loaded
    return p


def tables(p):
    return [name for name, in p.sql("website", "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'rows'")]


def check_nothing(p):
    tap.equal(tables(p), [])  # it was not even begun


def test_an_array_that_is_not_closed_leaves_nothing():
    for mode in ("append", "replace"):
        rows = ",\n".join(json.dumps({"id": i, "name": f"row {i}"}) for i in range(ROWS))
        p = project("a.json", "[" + rows, mode)
        tap.contains(p.wherry("run", code=1).err, "Nothing of it was loaded")
        check_nothing(p)


def test_the_last_row_widens_what_was_read_before():
    lines = [f"{i},{i % 1000}" for i in range(ROWS)]
    p = project("a.csv", "id,code\n" + "\n".join([*lines, "-1,x17"]) + "\n")
    p.wherry("run")
    tap.equal(p.sql("website", "SELECT count(*), count(DISTINCT id), min(id), sum(code = id % 1000), typeof(max(code)) "
                               "FROM rows WHERE id >= 0"), [(ROWS, ROWS, 0, ROWS, "text")])
    tap.equal(p.sql("website", "SELECT code FROM rows WHERE id = -1"), [("x17",)])


def life_of(p):
    """How long it takes, so that kills fall into all of it."""
    started = time.monotonic()
    p.wherry("run")
    return time.monotonic() - started


def test_killed_at_any_moment_it_is_loaded_once():
    dice = random.Random(tap.SEED)
    text = "id,name\n" + "".join(f"{i},row {i}\n" for i in range(ROWS))
    life, seen = life_of(project("a.csv", text)), set()
    p = project("a.csv", text)
    for _ in range(40 if tap.LONG else 8):
        process = p.start("run")
        time.sleep(dice.random() * life)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if (p.folder / "website.db").exists() and tables(p):
            count, distinct = p.sql("website", "SELECT count(*), count(DISTINCT id) FROM rows")[0]
            tap.equal(count, distinct)
            seen.add(count)
    p.wherry("run")
    tap.equal(p.sql("website", "SELECT count(*), count(DISTINCT id), sum(name = 'row ' || id) FROM rows"),
              [(ROWS, ROWS, ROWS)])
    tap.note(f"rows that were there after a kill: {sorted(seen)}")


def test_stopped_by_a_signal_it_goes_on_where_it_was():
    p = project("a.csv", "id,name\n" + "".join(f"{i},row {i}\n" for i in range(ROWS)))
    for _ in range(5):
        process = p.start("run")
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        output = process.communicate()[0].decode()
        assert process.returncode in (0, -signal.SIGTERM), output  # before it listens to signals, or after
    p.wherry("run")
    tap.equal(p.sql("website", "SELECT count(*), count(DISTINCT id) FROM rows"), [(ROWS, ROWS)])
    p.wherry("verify")


tap.run()
