"""A small harness for tests in Python. A test is a function whose name begins with test_; its first
docstring line, or its name, is what is printed. `run()` at the end of the file runs them all as TAP.

A test that cannot run here raises Skip with the reason. `folder` gives a fresh folder that is gone
afterwards. SEED is this run's seed (WHERRY_TEST_SEED replays it), LONG says whether the large counts
are wanted.
"""
import atexit
import os
import pathlib
import random
import shutil
import sys
import tempfile
import traceback

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("WHERRY_BUILD") or ROOT / "build").resolve()
WHERRY = BUILD / "src/cli/wherry"
LONG = os.environ.get("WHERRY_TEST_LONG") == "1"
SEED = int(os.environ.get("WHERRY_TEST_SEED") or random.randrange(1, 2**63))


class Skip(Exception):
    pass


def shared(path):
    """A file of the public test data, which stands beside the project; Skip where it is absent."""
    for top in (os.environ.get("WHERRY_SHARED"), ROOT.parent / "shared", ROOT.parent.parent / "shared"):
        if top and (pathlib.Path(top) / path).exists():
            return pathlib.Path(top) / path
    raise Skip(f"the test data {path} is not here")


def folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="wherry-test-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def note(text):
    for line in str(text).splitlines():
        print("#", line)


def equal(got, want, what=""):
    assert got == want, f"{what}: got {got!r}, expected {want!r}"


def contains(text, part):
    assert part in text, f"{part!r} is not in {text!r}"


def run():
    module = sys.modules["__main__"]
    tests = [(name, value) for name, value in vars(module).items() if name.startswith("test_")]
    if len(sys.argv) > 1:
        tests = [t for t in tests if sys.argv[1] in t[0]]
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, (name, test) in enumerate(tests, 1):
        title = (test.__doc__ or name[5:].replace("_", " ")).splitlines()[0].strip().rstrip(".")
        random.seed(SEED)
        try:
            test()
            print(f"ok {number} {title}", flush=True)
        except Skip as why:
            print(f"ok {number} {title} # SKIP {why}", flush=True)
        except Exception:
            failed += 1
            note(traceback.format_exc())
            note(f"replay with WHERRY_TEST_SEED={SEED}")
            print(f"not ok {number} {title}", flush=True)
    sys.exit(1 if failed else 0)
