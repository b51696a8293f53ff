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

# They import modules of the standard library that some of our tests are named like (secrets).
sys.path[:] = [path for path in sys.path if not path or pathlib.Path(path) not in
               (ROOT / "tests" / "scenario", ROOT / "tests" / "contract", ROOT / "tests" / "crash")]


def here():
    return all(importlib.util.find_spec(name) for name in NAMES)


def under(python):
    """Runs the program again under this Python, unless that is what it runs under."""
    if pathlib.Path(sys.executable) != python:
        os.execv(python, [str(python), *sys.argv])


def prefer():
    """Runs the test again under the Python that has them, if there is one; else goes on without."""
    if not here() and PYTHON.exists():
        under(PYTHON)


def require():
    prefer()
    if here():
        return
    print("1..1\nok 1 needs DuckDB, PyArrow and Polars # SKIP not installed; run scripts/install-peers")
    sys.exit(0)
