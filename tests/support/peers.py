"""Other people's readers and writers: DuckDB, PyArrow and Polars (scripts/install-peers).

A test that needs them begins with

    import peers; peers.require()

which runs it again under the Python that has them, or skips it, saying so.
"""
import importlib.util
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PYTHON = ROOT / ".peers" / "bin" / "python"
NAMES = ("duckdb", "pyarrow", "polars")


def here():
    return all(importlib.util.find_spec(name) for name in NAMES)


def require():
    if here():
        return
    if PYTHON.exists() and pathlib.Path(sys.executable) != PYTHON:
        os.execv(PYTHON, [str(PYTHON), *sys.argv])
    print("1..1\nok 1 needs DuckDB, PyArrow and Polars # SKIP not installed; run scripts/install-peers")
    sys.exit(0)
