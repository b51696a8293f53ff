#!/usr/bin/env python3
"""The worked example data-platform, as `make demo-platform` has it, and as its wherry.prod.yaml would be on AWS."""
import csv
import os
import pathlib
import shutil
import subprocess

import tap

EXAMPLE = tap.ROOT / "examples/data-platform"
PYTHON = tap.ROOT / ".peers/bin/python"
LIBRARY = pathlib.Path(os.environ.setdefault("WHERRY_DUCKDB", str(tap.ROOT / ".duckdb/libduckdb.so")))
ENV = dict(os.environ, PARTNER_USER="u", PARTNER_KEY="k", PARTNER_HOST_KEY="SHA256:" + "A" * 43)


def require_duckdb():
    if not LIBRARY.exists():
        raise tap.Skip("DuckDB's library is not installed (scripts/install-duckdb)")


def require_servers():
    require_duckdb()
    if not shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ["PATH"]):
        raise tap.Skip("OpenSSH's server is not installed")
    if not list(tap.pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb")) and not shutil.which("initdb"):
        raise tap.Skip("PostgreSQL's server is not installed")


def test_the_demonstration():
    """It tells its story, and what the teams get is what others read"""
    require_servers()
    folder = tap.folder()
    done = subprocess.run([tap.ROOT / "scripts/demo-platform", tap.WHERRY, folder / "demo"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=600)
    tap.equal(done.returncode, 0, done.stdout + done.stderr)
    for part in ("A password is refused", "50,000 cars, 50,000 were exact duplicates", "1,000 of a garage, taken once each",
                 "100 without work left out", "the lake is encrypted", "every object has the bytes its receipt says"):
        tap.contains(done.stdout, part)
    marketing = next((folder / "demo/seen/marketing/persons").glob("*.csv")).read_text()
    assert "Person." not in marketing and "example" in marketing, marketing[:200]
    newest = max((folder / "demo/seen/marketing/owners").glob("*.csv"))
    owners = list(csv.DictReader(newest.open()))
    tap.equal(list(owners[0]), ["customer", "cars", "first_model"])
    tap.equal(len({row["customer"] for row in owners}), len(owners))
    tap.equal(sum(int(row["cars"]) for row in owners), 10000)  # of those that the company knows
    if not PYTHON.exists():
        raise tap.Skip("DuckDB is not installed (scripts/install-peers)")
    query = "select count(*), count(distinct registration_plate) from read_parquet(getenv('F')) where colour = lower(colour)"
    rows = subprocess.run([PYTHON, "-I", "-c", "import duckdb, os, sys; print(duckdb.sql(sys.argv[1].replace(\"getenv('F')\", "
                           "repr(os.environ['F']))).fetchall())", query], capture_output=True, text=True,
                          env=dict(os.environ, F=str(next((folder / "demo/seen/fleet/cars").glob("*.parquet")))))
    tap.contains(rows.stdout, "[(50000, ")


def test_both_configurations_are_in_order():
    """Here and on AWS"""
    require_duckdb()
    for args in ((), ("--env", "prod")):
        done = subprocess.run([tap.WHERRY, "check", *args], cwd=EXAMPLE, env=ENV, capture_output=True, text=True)
        tap.equal(done.returncode, 0, done.stdout + done.stderr)
        assert "warning" not in done.stderr, done.stderr
    policy = subprocess.run([tap.WHERRY, "policy", "--env", "prod", "--account", "123456789012", "--team", "fleet"], cwd=EXAMPLE,
                            env=ENV, capture_output=True, text=True)
    tap.contains(policy.stdout, "arn:aws:s3:::acme-platform/mart/fleet/*")
    assert "marketing" not in policy.stdout


if __name__ == "__main__":
    tap.run()
