#!/usr/bin/env python3
"""Files from and to an SFTP server, beside the tools that people use for it.

    bench/data_platform.py BUILD [--runs 3] [--cases get,put,get-many,put-many,get-far,put-far] [--mib 1024] [--files 2000]

Against an OpenSSH server of this machine's:

    get        one file of --mib
    put        the same, to the server
    get-many   --files of 100 KB, a folder
    put-many   the same, to the server
    get-far    the same as get-many, over a line that takes 25 ms there and back
    put-far    the same as put-many over that line

Interleaved: each in turn, then again; every one counts as a whole process (wall clock, CPU, peak resident
memory), from connecting to the end. Files are in memory (/dev/shm) where that is there, on both sides, so that
no disk is measured. What came through is compared after each command. Prints the medians and the median of the
pairs' ratios.
"""
import argparse
import os
import pathlib
import shutil
import sys
import tempfile

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "tests/support"
sys.path.insert(0, str(SUPPORT))
import sshd  # noqa: E402
from beside import measure, show  # noqa: E402
from far_line import FarLine  # noqa: E402

FILE_BYTES = 100_000
FAR_SECONDS = 0.025
CONFIG = """\
version: 1
memory: 64MiB
connections:
  files: {{ type: local, path: {folder} }}
  partner: {partner}
"""


class Server:
    """What beside.py wants to know of it."""

    def __init__(self, memory):
        self.sshd = sshd.Sshd(folder=memory or "/tmp")
        self.env = {**os.environ, "HOME": str(self.sshd.folder)}

    def pid(self):
        return self.sshd.process.pid


class Bench:
    def __init__(self, args, folder, server, port):
        self.args, self.folder, self.server, self.port = args, folder, server, port
        self.wherry = [args.build.resolve() / "src/cli/wherry", "-c", folder / "wherry.yaml"]
        (folder / "wherry.yaml").write_text(CONFIG.format(folder=folder, partner=server.sshd.words(port=port)))

    def command(self, name, get, many):
        """None: it is not here."""
        s, end = self.server.sshd, "/" if many else ""
        key, local = s.key(), self.folder / "files"
        if name == "wherry":
            pair = (f"partner:there{end}", f"files:files{end}") if get else (f"files:files{end}", f"partner:there{end}")
            return [*self.wherry, "copy", *pair]
        if name == "sftp":
            batch = self.folder / "batch"
            flag = "-r " if many else ""
            batch.write_text(f"get {flag}there {local}\n" if get else f"put {flag}{local} there\n")
            return ["sftp", "-q", "-b", batch, "-i", key, "-P", str(self.port), "-o", "StrictHostKeyChecking=no",
                    "-o", "UserKnownHostsFile=/dev/null", f"{s.user}@127.0.0.1"]
        there = f":sftp,host=127.0.0.1,port={self.port},user={s.user},key_file='{key}',shell_type=none:there"
        pair = (there, local) if get else (local, there)
        return shutil.which("rclone") and ["rclone", "--config", "/dev/null", "copy" if many else "copyto", *pair]

    def make(self, many):
        """What is kept, to be laid at one end before each command."""
        self.clear()
        files = self.folder / "files"
        if many:
            files.mkdir()
            for i in range(self.args.files):
                (files / f"{i:08}").write_bytes(os.urandom(FILE_BYTES))
        else:
            with open(files, "wb") as out:
                for _ in range(self.args.mib):
                    out.write(os.urandom(1 << 20))
        os.replace(files, self.folder / "kept")

    def clear(self):
        ends = (self.server.sshd.files / "there", self.folder / "files")
        for path in (*ends, self.folder / ".wherry"):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        return ends

    def lay(self, at):
        """What is to be sent, at one end; nothing at the other."""
        ends, kept = self.clear(), self.folder / "kept"
        shutil.copytree(kept, ends[at]) if kept.is_dir() else shutil.copyfile(kept, ends[at])
        self.server.sshd.chown()

    def check(self, name, at):
        ends = (self.server.sshd.files / "there", self.folder / "files")
        kept = self.folder / "kept"
        pairs = [(p, ends[1 - at] / p.name) for p in kept.iterdir()] if kept.is_dir() else [(kept, ends[1 - at])]
        for sent, came in pairs:
            if not came.exists() or sent.stat().st_size != came.stat().st_size:
                sys.exit(f"{name} did not bring {came.name} over, so that no time counts")

    def run(self, case):
        get, many = case.startswith("get"), case.endswith(("-many", "-far"))
        at = 0 if get else 1
        self.make(many)
        figures = {}
        for _ in range(self.args.runs):
            for name in ("wherry", "sftp", "rclone"):
                command = self.command(name, get, many)
                if not command:
                    continue
                self.lay(at)
                figures.setdefault(name, []).append(measure([command], self.folder, self.server))
                self.check(name, at)
        shutil.rmtree(self.folder / "kept") if many else (self.folder / "kept").unlink()
        show(f"{case:10}", figures)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cases", default="get,put,get-many,put-many,get-far,put-far")
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--files", type=int, default=2000)
    args = parser.parse_args()
    memory = "/dev/shm" if shutil.disk_usage("/dev/shm").free > 4 * (args.mib << 20) else None
    server = Server(memory)
    with (tempfile.TemporaryDirectory(prefix="wherry-bench-", dir=memory) as scratch,
          FarLine(server.sshd.port, FAR_SECONDS) as line):
        for case in args.cases.split(","):
            port = line.port if case.endswith("-far") else server.sshd.port
            Bench(args, pathlib.Path(scratch), server, port).run(case)


main()
