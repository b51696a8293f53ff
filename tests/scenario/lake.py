#!/usr/bin/env python3
"""From a lake to a lake: objects of one format become objects of another, checked on the way."""
import hashlib
import json

import tap
from project import Project

ROWS = 300_000
LOST = (77, 100_077, 299_999)  # whose status no rule allows

CONFIG = """\
version: 1
connections:
  lake: {{ type: local, path: lake }}
pipelines:
  shape:
    when: new
    from: lake:in/**/*.{source}
    read: {{ format: {{ {read} }} }}
    columns:
      OrderNumber: order_number
      Status: status
      Total: {{ from: total, type: "decimal(12,2)" }}
      At: at
    expect:
      Status: {{ in: [{allowed}] }}
    to: lake:out/{{name}}-{{run}}.{target}
    write: {{ format: {{ {write} }} }}
  pass-on:
    when: new
    from: lake:out/**/*.{target}
    read: {{ format: {{ {again} }} }}
    columns: all
    to: lake:final/{{name}}-{{run}}.ndjson
"""


def status(i):
    return "Lost" if i in LOST else None if i % 1000 == 5 else ("Open", "Shipped")[i % 2]


def order(i):
    return {"order_number": f"SO{i}", "status": status(i), "total": f"{i % 999}.25",
            "at": f"2026-11-20T08:{i // 60 % 60:02}:{i % 60:02}", "margin": i}


def csv_line(i):
    o = order(i)
    return f"{o['order_number']};{o['status'] or 'NA'};{o['total']};{o['at']};{o['margin']}\n"


def ndjson_line(i):
    o = order(i)
    text = json.dumps(o["status"])
    return f'{{"order_number":"{o["order_number"]}","status":{text},"total":{o["total"]},"at":"{o["at"]}",' \
           f'"margin":{i}}}\n'


class Lake(Project):
    def __init__(self, source, target, read, write, again=""):
        self.words = {"source": source, "target": target, "read": read, "write": write,
                      "again": again or f"type: {target}"}
        super().__init__(config=CONFIG.format(allowed="Open, Shipped", **self.words))
        (self.folder / "lake/in").mkdir(parents=True)

    def allow(self, allowed):
        self.config(CONFIG.format(allowed=allowed, **self.words))

    def rows(self, pattern, *flags):
        """Of the newest object, whatever its format."""
        path = max((self.folder / "lake").glob(pattern), key=lambda p: p.stat().st_mtime_ns)
        self.wherry("convert", path, "shown.ndjson", "--force", *flags)
        return [json.loads(line) for line in (self.folder / "shown.ndjson").read_text().splitlines()]


def expected(skip=LOST):
    for i in range(ROWS):
        if i not in skip:
            o = order(i)
            yield [o["order_number"], o["status"], float(o["total"]), o["at"]]


def check_rows(rows):
    got = [[r["OrderNumber"], r["Status"], float(r["Total"]), r["At"].split(".")[0].rstrip("Z")] for r in rows]
    assert all("margin" not in r for r in rows[:10])
    for g, w in zip(got, expected()):
        tap.equal(g, w)
    tap.equal(len(got), ROWS - len(LOST))


def cross(source, target, read, write, line, head="", again="", flags=()):
    p = Lake(source, target, read, write, again)
    lines = [line(i) for i in range(ROWS)]
    first = 2 if head else 1
    path = p.folder / f"lake/in/orders.{source}"
    path.write_text(head + "".join(lines))

    plan = p.wherry("plan", "shape").out
    tap.contains(plan, "stays     margin")

    runs = p.wherry("run", "--json", code=3).lines()
    tap.equal([r["pipeline"] for r in runs], ["shape", "pass-on"])
    tap.equal([r["status"] for r in runs], ["done", "done"])
    shape = runs[0]
    tap.equal([shape[k] for k in ("rows_read", "rows_written", "rows_quarantined", "adds_up")],
              [ROWS, ROWS - len(LOST), len(LOST), True])
    tap.equal(shape["bytes_read"], path.stat().st_size)
    # Lanes made the object, and what reads it again finds the very rows its manifest tells of.
    tap.equal([runs[1]["rows_read"], runs[1]["rows_written"]], [ROWS - len(LOST)] * 2)
    tap.equal(runs[1]["row_hash"], shape["row_hash"])
    made = p.folder / "lake" / shape["output"].split(":", 1)[1]
    tap.equal(hashlib.sha256(made.read_bytes()).hexdigest(), shape["sha256"])
    check_rows(p.rows(f"out/*.{target}", *flags))
    check_rows(p.rows("final/*.ndjson"))

    # The rows that stayed, with where they stand in the whole object.
    folder = p.folder / ".wherry/quarantine" / shape["rejects"]
    kept = [json.loads(text) for part in sorted(folder.iterdir()) for text in part.read_text().splitlines()[1:]]
    tap.equal([k["row"] for k in kept], [i + 1 for i in LOST])
    tap.equal([k["line"] for k in kept], [i + first for i in LOST])
    for i, k in zip(LOST, kept):
        start = len(head) + sum(map(len, lines[:i]))
        assert start <= k["byte"] < start + len(lines[i]), (k, start)
        tap.equal([k["rule"], k["column"], k["data"]["order_number"]], ["in", "Status", f"SO{i}"])

    receipt = p.wherry("receipt", shape["run"]).out
    tap.contains(receipt, f"{ROWS - len(LOST):,} rows")
    tap.contains(receipt, "adds up       yes")
    tap.contains(p.wherry("verify").out, "every object has the bytes its receipt says")

    p.allow("Open, Shipped, Lost")
    replayed = p.wherry("quarantine", "replay", "shape")
    tap.contains(replayed.out + replayed.err, "3 rows")
    tap.equal([r["OrderNumber"] for r in p.rows(f"out/*.{target}", *flags)], [f"SO{i}" for i in LOST])
    tap.equal(p.wherry("verify").code, 0)
    with open(made, "r+b") as file:
        file.seek(made.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    tap.contains(p.wherry("verify", "shape", code=1).err, "has other bytes than its receipt says")
    return plan


def test_csv_becomes_parquet():
    plan = cross("csv", "parquet", 'delimiter: ";", null: [NA]', "compression: zstd, level: 3", csv_line,
                 "order_number;status;total;at;margin\n")
    tap.contains(plan, 'delimiter ";"')


def test_ndjson_becomes_json():
    cross("ndjson", "json", "type: ndjson", "nulls: keep", ndjson_line)


def test_ndjson_becomes_csv():
    cross("ndjson", "csv", "type: ndjson", 'delimiter: "|", null: "-"', ndjson_line,
          again='delimiter: "|", null: "-"', flags=("--read", "delimiter=|", "--read", "null=-"))


def test_a_late_value_widens_the_whole_object():
    p = Lake("ndjson", "parquet", "type: ndjson", "compression: none")
    lines = [ndjson_line(i) for i in range(ROWS)]
    lines[-1] = lines[-1].replace('"total":', '"extra":{"a":[1.5]},"total":')
    lines[-1] = lines[-1].replace(f'"order_number":"SO{ROWS - 1}"', '"order_number":null')
    (p.folder / "lake/in/orders.ndjson").write_text("".join(lines))
    runs = p.wherry("run", "shape", "--json", code=3).lines()
    tap.equal([runs[0]["rows_read"], runs[0]["rows_quarantined"]], [ROWS, len(LOST)])


def test_a_fault_in_the_middle_publishes_nothing_and_tells_its_place():
    p = Lake("csv", "parquet", 'delimiter: ";", null: [NA]', "compression: snappy")
    with open(p.folder / "lake/in/orders.csv", "w") as out:
        out.write("order_number;status;total;at;margin\n")
        out.writelines(csv_line(i) for i in range(ROWS))
        out.write('SO;"never closed;1;2026-11-20T08:00:00;1\n')
    result = p.wherry("run", "shape", "--json", code=1)
    run = result.lines()[0]
    tap.equal(run["status"], "failed")
    tap.contains(run["error"], "orders.csv: ")
    tap.contains(run["error"], f"line {ROWS + 2}")
    assert not (p.folder / "lake/out").exists() or not list((p.folder / "lake/out").iterdir())


tap.run()
