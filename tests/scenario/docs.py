#!/usr/bin/env python3
"""The documentation is run: every command, every YAML block, every link. See tests/support/pages.py
for what a page can say to this test."""
import json
import re
import subprocess

import pages
import tap

EXAMPLES = sorted(tap.ROOT.glob("examples/*/README.md"))
GUIDE = sorted(tap.ROOT.glob("docs/guide/*.md"))
RUN = [tap.ROOT / "README.md", *GUIDE, tap.ROOT / "docs/troubleshooting.md", *EXAMPLES]
READ = RUN + [tap.ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "bench/README.md")] + \
    sorted(tap.ROOT.glob("docs/**/*.md"))
LANGUAGES = {"yaml", "console", "sh", "python", "json", "sql", "ini", "nginx", ""}  # the last: a drawing


def name_of(page):
    return str(page.relative_to(tap.ROOT))


# --- YAML ----------------------------------------------------------------------------------------

def is_whole(block):
    return bool(re.search(r"^version:", block.text, re.M))


def under(path, text):
    """Text below the words of a path, so that it can lie over a configuration."""
    lines = []
    for depth, word in enumerate(path.split(".")):
        lines.append("  " * depth + word + ":")
    indent = "  " * len(path.split("."))
    return "\n".join(lines + [indent + line if line else "" for line in text.splitlines()]) + "\n"


def check(shell, block, *flags):
    code, printed = shell.run(" ".join(["wherry", "check", *flags]))
    assert code == 0 and "warning:" not in printed, f"{block.place}: {printed}"


def check_yaml(block):
    shell = pages.Shell()
    shell.run("wherry init order-status .")
    if is_whole(block):
        shell.write("wherry.yaml", block.text)
        return check(shell, block)
    path = block.note("test", "under ")
    assert path or block.note("test", "over order-status") is not None, \
        f"{block.place}: a comment must say how this part is completed"
    shell.write("wherry.docs.yaml", under(path, block.text) if path else block.text)
    return check(shell, block, "--env", "docs")


def is_yaml_to_check(block):
    return block.language == "yaml" and block.note("test", "skip:") is None and block.note("test", "file ") is None


# --- a page, from its top to its end -------------------------------------------------------------

def run_page(page):
    shell = pages.Shell()
    skipped = None
    try:
        for block in pages.blocks(page):
            if (hidden := block.note("run")) is not None:
                code, printed = shell.run(hidden)
                assert code == 0, f"{block.place}: `{hidden}` ended with {code}\n{printed}"
            if block.note("test", "skip:") is not None:
                continue
            if name := block.note("test", "file "):
                shell.write(name, block.text)
            elif block.language in ("console", "sh"):
                try:
                    pages.run_block(shell, block)
                except tap.Skip as why:
                    skipped = skipped or f"{block.place}: {why}"
    finally:
        shell.stop()
    if skipped:
        raise tap.Skip(skipped)


def add_test(name, title, body):
    body.__doc__ = title
    globals()[f"test_{name}"] = body


def add_tests_of(number, page):
    found = pages.blocks(page)
    if any(b.language in ("console", "sh") for b in found):
        add_test(f"{number}_run", f"the commands of {name_of(page)}", lambda: run_page(page))
    checked = [b for b in found if is_yaml_to_check(b)]
    if checked:
        add_test(f"{number}_yaml", f"the {len(checked)} configurations of {name_of(page)}",
                 lambda: [check_yaml(b) for b in checked])
    for block in found:
        reason = block.note("test", "skip:")
        if reason is not None:
            def skip(place=block.place, reason=reason):
                raise tap.Skip(f"{place}: {reason}")
            add_test(f"{number}_skip_{block.line}", f"a block of {name_of(page)} that is not run", skip)


for index, each in enumerate(RUN):
    add_tests_of(index, each)


# --- the picture ---------------------------------------------------------------------------------

def test_the_picture_is_a_session_as_it_is_today():
    session = tap.ROOT / "docs/demo.txt"
    block = pages.Block(session, 1, "console", session.read_text(), [("exit", "0 0 3 0 0 0 0")])
    shell = pages.Shell()
    try:
        pages.run_block(shell, block)
    finally:
        shell.stop()


def test_the_picture_is_drawn_from_it():
    drawn = subprocess.run([str(tap.ROOT / "scripts/draw-terminal"), str(tap.ROOT / "docs/demo.txt")],
                           capture_output=True, text=True, check=True).stdout
    tap.equal((tap.ROOT / "docs/demo.svg").read_text() == drawn, True, "docs/demo.svg is old. Run: make docs")
    assert len(drawn) < 60_000


# --- all pages together --------------------------------------------------------------------------

def test_every_block_says_what_it_is():
    for page in RUN:
        for block in pages.blocks(page):
            assert block.language in LANGUAGES, f"{block.place}: what is '{block.language}'?"


def test_python_blocks_compile():
    for page in RUN:
        for block in pages.blocks(page):
            if block.language == "python":
                compile(block.text, block.place, "exec")


def test_json_blocks_are_json():
    for page in RUN:
        for block in pages.blocks(page):
            if block.language == "json":
                json.loads(block.text)


def test_links_lead_somewhere():
    for page in READ:
        for link in pages.links(page):
            target, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", link):
                continue
            path = (page.parent / target).resolve() if target else page
            assert path.exists(), f"{name_of(page)}: {link} leads nowhere"
            if anchor and path.suffix == ".md":
                assert anchor in pages.anchors(path), f"{name_of(page)}: {link}: no such heading"


def test_the_decisions_index_lists_all_pages():
    folder = tap.ROOT / "docs/decisions"
    listed = set(pages.links(folder / "README.md"))
    tap.equal(listed, {p.name for p in folder.glob("[0-9]*.md")})


def test_the_guide_is_reachable_from_the_readme():
    reachable, todo = set(), [tap.ROOT / "README.md"]
    while todo:
        page = todo.pop().resolve()
        if page in reachable or page.suffix != ".md" or not page.exists():
            continue
        reachable.add(page)
        todo += [page.parent / link.partition("#")[0] for link in pages.links(page)
                 if not re.match(r"[a-z]+:|#", link)]
    for page in READ:
        assert page.resolve() in reachable, f"nothing leads to {name_of(page)}"


def test_commands_and_flags_are_those_of_help():
    lines = subprocess.run([str(tap.WHERRY), "help", "--json"], capture_output=True, text=True, check=True).stdout
    overview = subprocess.run([str(tap.WHERRY), "help"], capture_output=True, text=True, check=True).stdout
    everywhere = set(re.findall(r"^  (-\S+)", overview, re.M))
    flags = {c["command"]: {f["flag"] for f in c["flags"]} | everywhere
             for c in map(json.loads, lines.splitlines())}
    for page in READ:
        if "reference" in page.parts:
            continue
        for code in re.findall(r"`(wherry [^`\n]+)`", pages.prose(page)) + \
                [line.removeprefix("$ ") for b in pages.blocks(page) if b.language in ("console", "sh")
                 for line in b.text.splitlines() if line.removeprefix("$ ").startswith("wherry ")]:
            for call in re.findall(r"\bwherry ((?:[^`|;&#<>\n]|<\()*)", code):
                words = call.split()
                command = next((w for w in words if not w.startswith("-")), None)
                if command is None or command.isupper():
                    continue
                assert command in flags, f"{name_of(page)}: `{code}`: no command {command}"
                for flag in (w.partition("=")[0] for w in words if w.startswith("-") and len(w) > 1):
                    assert flag in flags[command], f"{name_of(page)}: `{code}`: {command} has no {flag}"


def test_the_messages_of_troubleshooting_are_in_the_source():
    source = "".join(p.read_text() for p in sorted((tap.ROOT / "src").rglob("*.[ch]")))
    source = re.sub(r'"\s*\n\s*"', "", source).replace('\\"', '"')
    source = re.sub(r"%(\.\*|ll|z)?[a-z]", "…", source)
    page = tap.ROOT / "docs/troubleshooting.md"
    messages = re.findall(r"^### `(.*)`$", pages.prose(page), re.M)
    assert len(messages) >= 15, "too few messages"
    for message in messages:
        for part in re.split(r"\s*…\s*", message):
            assert part in source, f"{name_of(page)}: no message says '{part}'"


tap.run()
