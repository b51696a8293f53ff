"""Pages in Markdown as the tests see them: fenced blocks, links, anchors, and a shell that runs the
commands of a page.

What stands in an HTML comment right before a fence speaks to the test:

    <!-- test: skip: REASON -->       the block is not run; counted as a skip with its reason
    <!-- test: file NAME -->          the block becomes this file of the page's folder
    <!-- test: over order-status -->  YAML that is laid over the order-status example (as --env does)
    <!-- test: under PATH -->         the same, after it was put under a word: pipelines.export-orders
    <!-- exit: N -->                  the last command of the block ends with N; several: one each
    <!-- run: COMMAND -->             is run before the block, and must succeed
"""
import dataclasses
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import tap
from servers import free_port

COMMAND_SECONDS = 120
PORTS = ("8080", "9090")  # of the pages and the metrics; the tests take free ones


@dataclasses.dataclass
class Block:
    page: pathlib.Path
    line: int
    language: str
    text: str
    notes: list  # of (word, rest)

    def note(self, word, beginning=""):
        for name, rest in self.notes:
            if name == word and rest.startswith(beginning):
                return rest[len(beginning):].strip()
        return None

    @property
    def place(self):
        return f"{self.page.relative_to(tap.ROOT)}:{self.line}"


def blocks(page):
    """The fenced blocks of a page, with the comments right before each."""
    found, notes, fence, start = [], [], None, 0
    for number, line in enumerate(page.read_text().splitlines(), 1):
        opening = re.match(r"^(```+)(\w*)$", line)
        if fence is None and opening:
            fence, language, start, body = opening.group(1), opening.group(2), number, []
        elif fence is not None and line == fence:
            found.append(Block(page, start, language, "\n".join(body) + "\n", notes))
            fence, notes = None, []
        elif fence is not None:
            body.append(line)
        elif comment := re.match(r"^<!-- (test|exit|run): (.*) -->$", line):
            notes.append((comment.group(1), comment.group(2)))
        elif line.strip():
            assert not notes, f"{page}:{number}: a comment for the test, and no block behind it"
    assert fence is None, f"{page}:{start}: a fence that is never closed"
    return found


def prose(page):
    """The page without its fenced blocks."""
    return re.sub(r"^(```+).*?^\1$", "", page.read_text(), flags=re.M | re.S)


def anchors(page):
    """What a link may name behind the #, as GitHub makes it of headings."""
    seen, found = {}, set(re.findall(r'<a (?:id|name)="([^"]+)"', page.read_text()))
    for heading in re.findall(r"^#{1,6} +(.*?) *$", prose(page), re.M):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        found.add(f"{slug}-{count}" if count else slug)
    return found


def links(page):
    text = re.sub(r"`[^`\n]*`", "", prose(page))
    return re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)


# --- what a command prints -----------------------------------------------------------------------

LOOSE = [
    (r"\b01[0-9a-z]{24}\b", "RUN"),
    (r"/(tmp|var/tmp)/[\w./-]+", "PATH"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "TIME"),
    (r"\b\d\d:\d\d:\d\d(\.\d+)?\b", "CLOCK"),
    (r"\b\d{4}([-/])\d\d\1\d\d\b", "DATE"),
    (r"\bjust now\b|\b\d+ (s|min|h|days?) ago\b", "AGO"),
    (r"\b[\d,]+(\.\d+)? (B|kB|MB|GB|KiB|MiB|GiB)(?!\w)", "SIZE"),
    (r"\b[\d,]*\d(\.\d+)? (us|ms|s|min|h)\b", "SPAN"),
    (r"[\d,]*\d(\.\d+)?", "#"),
    (r"\s+", " "),
]


def loose(line):
    for pattern, word in LOOSE:
        line = re.sub(pattern, word, line)
    return line.strip()


def as_pattern(line):
    """A line of a page; ... in it stands for anything."""
    parts = re.split(r"\.\.\.|…", line)
    return ".*".join(re.escape(loose(part)).replace(r"\ ", " ?") for part in parts)


def compare(place, command, expected, printed):
    """Every expected line is there, in this order; what lies between does not matter."""
    rest = iter([loose(line) for line in printed.splitlines()])
    for line in expected:
        if not line.strip() or line.strip() == "...":
            continue
        pattern = re.compile(as_pattern(line))
        if not any(pattern.fullmatch(got) for got in rest):
            raise AssertionError(f"{place}: after `{command}` the page has\n  {line}\nand the command printed\n{printed}")


# --- running -------------------------------------------------------------------------------------

class Shell:
    """Runs commands one after another, as one person in one terminal would; `wherry up` goes on in
    another one. The folder, the home and the port are the page's own."""

    def __init__(self):
        self.top = tap.folder()
        for name in ("work", "home", "bin"):
            (self.top / name).mkdir()
        (self.top / "bin/wherry").symlink_to(tap.WHERRY)
        self.folder = self.top / "work"
        self.env = {"PATH": f"{self.top}/bin:{os.environ['PATH']}", "HOME": str(self.top / "home"),
                    "LC_ALL": "C.UTF-8", "LANG": "C.UTF-8", "TZ": "UTC"}
        for name in os.environ:
            if name.endswith("SAN_OPTIONS") or name == "WHERRY_DUCKDB":
                self.env[name] = os.environ[name]
        self.ports = {port: str(free_port()) for port in PORTS}
        self.up = self.up_log = None

    def _local(self, text):
        return re.sub(rf"\b({'|'.join(PORTS)})\b", lambda m: self.ports[m[1]], text)

    def _public(self, text):
        for port, taken in self.ports.items():
            text = text.replace(taken, port)
        return text.replace(str(self.top / "work"), "/tmp/work")

    def _take_port(self):
        for config in self.folder.glob("wherry*.yaml"):
            config.write_text(self._local(config.read_text()))

    def run(self, command):
        """The exit status, and what was printed."""
        if re.match(r"wherry up\b[^&|;]*$", command):
            return self._start(command)
        state = self.top / "state"
        script = 'eval "$1"\nstatus=$?\n{ pwd; export -p; } >"$2"\nexit $status'
        done = subprocess.run(["bash", "-c", script, "bash", self._local(command), str(state)], cwd=self.folder,
                              env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=COMMAND_SECONDS)
        if state.exists():
            folder, _, exports = state.read_text().partition("\n")
            self.folder = pathlib.Path(folder)
            for name, value in re.findall(r'^declare -x (\w+)="(.*)"$', exports, re.M):
                if name not in ("PWD", "OLDPWD", "SHLVL", "_"):
                    self.env[name] = value
        self._take_port()
        return done.returncode, self._public(done.stdout.decode(errors="replace"))

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._local(text))

    def _start(self, command):
        self.stop()
        self.up_log = tempfile.TemporaryFile("w+b")
        self.up = subprocess.Popen(["bash", "-c", "exec " + self._local(command)], cwd=self.folder, env=self.env,
                                   stdin=subprocess.DEVNULL, stdout=self.up_log, stderr=subprocess.STDOUT)
        until = time.monotonic() + COMMAND_SECONDS
        while time.monotonic() < until:
            code = self.up.poll()
            self.up_log.seek(0)
            printed = self.up_log.read().decode(errors="replace")
            if code is not None:
                self.up = None
                return code, self._public(printed)
            if "Up." in printed:
                time.sleep(0.5)
                return 0, self._public(printed)
            time.sleep(0.05)
        raise AssertionError(f"`{command}` did not come up")

    def stop(self):
        if not self.up:
            return
        process, self.up = self.up, None
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=30)
        assert code == 0, f"wherry up ended with {code}"


def commands(block):
    """(command, printed lines) of a console or sh block."""
    found = []
    lines = iter(block.text.splitlines())
    for line in lines:
        is_command = line.startswith("$ ") if block.language == "console" else line and not line.startswith("#")
        if not is_command:
            if block.language == "console":
                assert found, f"{block.place}: a console block begins with a command"
                found[-1][1].append(line)
            continue
        command = line.removeprefix("$ ") if block.language == "console" else line
        while command.endswith("\\"):
            command += "\n" + next(lines)
        found.append((command, []))
    return found


def run_block(shell, block):
    wanted = [int(n) for n in (block.note("exit") or "0").split()]
    steps = commands(block)
    if len(wanted) == 1:
        wanted = [0] * (len(steps) - 1) + wanted
    assert len(wanted) == len(steps), f"{block.place}: {len(wanted)} exit statuses for {len(steps)} commands"
    for (command, expected), code in zip(steps, wanted):
        program = command.split()[0]
        if not shutil.which(program, path=shell.env["PATH"]) and not re.fullmatch(r"cd|export|printf|echo|\w+=.*", program):
            raise tap.Skip(f"{program} is not here")
        got, printed = shell.run(command)
        if got and "a model needs DuckDB" in printed and "WHERRY_DUCKDB" not in shell.env:
            raise tap.Skip("DuckDB's library is not installed (scripts/install-duckdb)")
        assert got == code, f"{block.place}: `{command}` ended with {got}, expected {code}\n{printed}"
        compare(block.place, command, expected, printed)
