#!/usr/bin/env python3
"""What may go wrong between runs: files landed as they are, zones, schedules, clocks, crashes in between."""
import json
import os
import time

import tap
from project import Project, order

LAND = """\
version: 1
connections:
  drop: {{ type: local, path: drop }}
  lake: {{ type: local, path: lake }}
  website: {{ type: sqlite, path: website.db }}
pipelines:
  land:
    when: new
    from: drop:*.json
    raw: true
    to: lake:inbound/{name}
  load:
    when: new
    from: lake:inbound/*.json
    columns: all
    to: website:orders
    write: {{ mode: upsert, key: n }}
"""


def put(p, name, rows, age=60):
    """A file that has been still for `age` seconds."""
    path = p.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(rows if isinstance(rows, str) else json.dumps(rows))
    at = time.time() - age
    os.utime(path, (at, at))
    return path


def test_a_file_that_was_landed_as_it_is_can_be_loaded():
    p = Project(config=LAND.format(name="{name}.{ext}"))
    put(p, "drop/a.json", [{"n": 1, "s": "x"}, {"n": 2, "s": "y"}])
    p.wherry("run")
    tap.equal(p.sql("website", "SELECT n, s FROM orders ORDER BY n"), [(1, "x"), (2, "y")])
    tap.equal(p.wherry("verify").code, 0)


def test_the_manifest_of_a_file_that_took_another_name_is_its_own():
    p = Project(config=LAND.format(name="{name}.{ext}"))
    put(p, "lake/inbound/a.json", [{"n": 9}])
    put(p, "drop/a.json", [{"n": 1}, {"n": 2}])
    p.wherry("run", "land")
    landed = [o for o in p.objects("inbound/*.json") if o.name != "a.json"]
    tap.equal(len(landed), 1)
    key = f"inbound/{landed[0].name}"
    manifest = json.loads((p.folder / "lake/_wherry/manifests" / (key + ".json")).read_text())
    tap.equal(manifest["key"], key)
    tap.equal(manifest["bytes"], landed[0].stat().st_size)


def test_a_manifest_crosses_with_the_object_it_speaks_of():
    p = Project(config="""\
version: 1
connections:
  erp: { type: sqlite, path: erp.db }
  here: { type: local, path: here }
  there: { type: local, path: there }
pipelines:
  export: { from: "erp:t", columns: all, to: "here:out/t-{run}.json" }
  move: { when: new, from: "here:out/*.json", raw: true, to: "there:in/{name}.{ext}" }
""")
    p.sql("erp", "CREATE TABLE t(n INTEGER PRIMARY KEY, total DECIMAL(12,2))")
    p.sql("erp", "INSERT INTO t VALUES (1, '10.50')")
    p.wherry("run")
    here, there = (json.loads(next((p.folder / lake / "_wherry/manifests").glob("*/*.json")).read_text())
                   for lake in ("here", "there"))
    for same in ("schema", "rows", "row_hash", "sha256", "order", "codec"):
        tap.equal(there[same], here[same], same)
    tap.equal(there["pipeline"], "move")
    assert there["key"].startswith("in/"), there


def test_local_times_are_cast_in_the_zone_of_the_source():
    p = Project(config="""\
version: 1
connections:
  erp: { type: sqlite, path: erp.db }
  website: { type: sqlite, path: website.db }
pipelines:
  times:
    from: erp:t
    read: { timezone: Europe/London }
    columns:
      n: n
      at: { from: at, type: "timestamp[us,UTC]" }
    to: website:t
    write: { mode: upsert, key: n }
""")
    p.sql("erp", "CREATE TABLE t(n INTEGER PRIMARY KEY, at TEXT)")
    p.sql("erp", "INSERT INTO t VALUES (1, '2026-07-01 12:00:00'), (2, '2026-12-01 12:00:00')")
    p.wherry("run")
    hours = [at[11:13] for (at,) in p.sql("website", "SELECT at FROM t ORDER BY n")]
    tap.equal(hours, ["11", "12"])


tap.run()
