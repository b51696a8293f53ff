#!/usr/bin/env python3
"""What the source must look like: its layers, the length of its parts, and what no file may say."""
import pathlib
import re
import subprocess

import tap

SRC = tap.ROOT / "src"
LAYERS = ("base", "data", "codec", "net", "connect", "step", "config", "ledger", "engine", "serve", "lambda", "deploy", "cli")
# One of several, side by side: they know nothing of each other; the registry knows all.
SIBLINGS = ("codec", "connect", "step")
FUNCTION_LINES_MAX = 100
FILE_LINES_MAX = 900


def sources():
    found = sorted(p for p in SRC.rglob("*") if p.suffix in (".c", ".h"))
    assert len(found) > 100, "the source is not where it was"
    return found


def includes(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        named = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if named:
            yield f"{path.relative_to(tap.ROOT)}:{number}", named.group(1)


def none(problems):
    assert not problems, "\n" + "\n".join(problems)


def test_a_folder_includes_only_folders_above_it():
    wrong = []
    for path in sources():
        own = path.relative_to(SRC).parts[0]
        assert own in LAYERS, f"{path}: the folder {own} is no layer"
        for where, name in includes(path):
            layer = name.split("/")[0]
            if "/" not in name:
                continue  # generated, or beside it
            if layer not in LAYERS:
                wrong.append(f"{where}: {name} names no layer")
            elif LAYERS.index(layer) > LAYERS.index(own):
                wrong.append(f"{where}: {own} includes {name}, which lies below it")
    none(wrong)


def step_files():
    """The files of one step each; the others in src/step are shared."""
    return {p.name for p in (SRC / "step").glob("*.c") if re.search(r"^const wh_step_type wh_step_", p.read_text(), re.M)}


def test_siblings_do_not_include_each_other():
    wrong = []
    steps = {name[:-2] for name in step_files()}
    assert len(steps) > 4, steps
    for path in sources():
        parts = path.relative_to(SRC).parts
        if parts[0] not in SIBLINGS or path.name == "registry.c":
            continue
        for where, name in includes(path):
            target = name.split("/")
            if target[0] != parts[0]:
                continue
            if len(target) > 2 and (len(parts) < 3 or target[1] != parts[1]):
                wrong.append(f"{where}: {'/'.join(parts[:2])} includes its sibling {name}")
            if parts[0] == "step" and path.stem in steps and target[-1][:-2] in steps - {path.stem}:
                wrong.append(f"{where}: the step {path.stem} includes the step {name}")
    none(wrong)


def functions(path):
    """(name, first line, lines) of each function. The format puts its braces into the first column."""
    lines = path.read_text().splitlines()
    start = None
    for number, line in enumerate(lines, 1):
        if start is None and re.match(r"[A-Za-z_].*[({,*]$|[A-Za-z_].*\) \{$", line) and not re.match(
                r"(typedef|struct|union|enum)\b.*\{$", line):
            start, opened = number, False
        if start is None:
            continue
        opened = opened or line.endswith("{")
        if not opened and line.endswith(";"):
            start = None  # a declaration, or a macro that makes one
        elif line.endswith(";") and not line.startswith((" ", "}")) or re.match(r"\S.*[=]\s*\{$", line):
            start = None
        elif line.startswith("}"):
            if line == "}":
                yield lines[start - 1], start, number - start + 1
            start = None


def test_functions_fit_on_a_screen():
    count, wrong = 0, []
    for path in sources():
        for name, first, length in functions(path):
            count += 1
            if length > FUNCTION_LINES_MAX:
                wrong.append(f"{path.relative_to(tap.ROOT)}:{first}: {length} lines: {name}")
    assert count > 1000, f"only {count} functions were found"
    none(wrong)


def test_a_file_is_one_idea():
    none([f"{p.relative_to(tap.ROOT)}: {n} lines" for p in sources()
          if (n := len(p.read_text().splitlines())) > FILE_LINES_MAX])


def tracked():
    done = subprocess.run(["git", "ls-files", "-z"], cwd=tap.ROOT, capture_output=True)
    if done.returncode != 0:
        raise tap.Skip("this is no git checkout")
    return [tap.ROOT / name.decode() for name in done.stdout.split(b"\0") if name]


# Split, so that this file may stand among those that are searched.
UNFINISHED = r"\b(TO" "DO|FIX" "ME|X" r"XX)\b|[Nn]ot (yet )?implem" "ented"
ELSEWHERE = "|".join((
    r"/wo" "rk/", r"/ro" "ot/", r"/tmp/[a-z]+_jobs",
    r"(?<![-_/])\b[Aa]ge" r"nts?\b(?![-_])", r"[Cc]la" "ude", r"[Aa]nthro" "pic", r"\bLL" r"M\b", r"[Cc]hat" "GPT",
    r"[Cc]o-authored" "-by", r"the (other )?help" r"ers?\b", r"the le" r"ad's\b", r"this work" "place"))


def search(pattern, but=()):
    found = []
    for path in tracked():
        if not path.is_file() or path.name in but:
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(pattern, line):
                found.append(f"{path.relative_to(tap.ROOT)}:{number}: {line.strip()[:120]}")
    return found


def test_nothing_is_left_unfinished():
    none(search(UNFINISHED))


def test_the_repository_speaks_of_the_project_alone():
    none(search(ELSEWHERE, but=("LICENSE",)))


def test_tests_are_executable_and_listed():
    none([f"{p.relative_to(tap.ROOT)} is not executable" for folder in ("contract", "scenario", "crash")
          for p in sorted((tap.ROOT / "tests" / folder).glob("*.py")) if not p.stat().st_mode & 0o100])


tap.run()
