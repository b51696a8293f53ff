#!/usr/bin/env python3
"""The worked example order-status, as its README and `make demo` have it."""
import json
import os
import subprocess

import tap


def wherry(folder, *args, code=0):
    done = subprocess.run([str(tap.WHERRY), *args], cwd=folder, env=dict(os.environ, WHERRY_KEY_FILE=str(folder / "key")),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    tap.equal(done.returncode, code, done.stdout + done.stderr)
    return done


def test_order_status_runs_as_its_readme_says():
    folder = tap.folder()
    done = wherry(folder, "init", "order-status", ".")
    tap.contains(done.stderr, "100,000 sample orders")
    for name in ("wherry.yaml", "README.md", ".gitignore"):
        tap.equal((folder / name).read_bytes(), (tap.ROOT / "examples/order-status" / name).read_bytes(), name)
    check = wherry(folder, "check")
    assert "warning" not in check.stderr, check.stderr
    plan = {p["pipeline"]: p for p in map(json.loads, wherry(folder, "plan", "--json").stdout.splitlines())}
    tap.equal({c["name"] for c in plan["export-orders"]["crosses"]},
              {"OrderNumber", "OrderStatus", "OrderDate", "PostcodeProof", "UpdatedAt"})
    assert {"margin", "credit_limit", "customer_name"} <= set(plan["export-orders"]["stays"])
    runs = [json.loads(line) for line in wherry(folder, "run", "--json", code=3).stdout.splitlines()]
    tap.equal([r["pipeline"] for r in runs], ["export-orders", "import-orders"])
    tap.equal([r["rows_read"] for r in runs][0], 100000)
    kept = [json.loads(line) for name in plan for line in
            wherry(folder, "quarantine", "show", name, "--json").stdout.splitlines()]
    assert 10 <= len(kept) <= 20, len(kept)
    for row in kept:
        assert row["reason"] and row["column"] and row["row"], row
    lake = "".join(f.read_text() for f in (folder / "lake/inbound").rglob("*.json"))
    for word in ("margin", "credit", "customer"):
        assert word not in lake.lower(), f"{word} left the house"
    wherry(folder, "verify")


def test_the_demo_tells_its_story():
    folder = tap.folder()
    done = subprocess.run([str(tap.ROOT / "scripts/demo"), str(tap.WHERRY), str(folder / "demo")],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    tap.equal(done.returncode, 0, done.stdout + done.stderr)
    for part in ("What happened", "500 orders changed in the ERP: 500 went out, 500 came in", '"found": true',
                 '{"found": false}', "Keep the page running", "every object has the bytes its receipt says"):
        tap.contains(done.stdout, part)


tap.run()
