"""Clients of a server beside each other: whole processes, and what the server spent on them.

A server here has pid() and env, the environment of its clients.
"""
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import time
import urllib.request

MEASURE = [sys.executable, "-S", pathlib.Path(__file__).resolve().parent.parent / "tests/support/measure.py"]


class Discarding:
    """bench/discard-server.c: takes everything and looks at nothing."""

    def __init__(self, build, object_bytes=0, objects=0):
        self.process = subprocess.Popen([build / "bench/discard-server", str(object_bytes), str(objects)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{self.process.stdout.readline().split()[1]}"
        self.env = dict(os.environ)

    def pid(self):
        return self.process.pid

    def discarded(self):
        return int(urllib.request.urlopen(self.url).read())

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def spent(pid):
    """CPU seconds of a process and of those of its children that have ended."""
    words = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(words[i]) for i in (11, 12, 13, 14)) / os.sysconf("SC_CLK_TCK")


def measure(commands, folder, server):
    """Of one command, or of several in a pipe: wall, CPU of all, the server's, peak MiB of the largest."""
    os.sync()
    before = spent(server.pid())
    started = time.monotonic()
    processes, reports, stdin = [], [], None
    for i, command in enumerate(commands):
        reports.append(folder / f"report-{i}")
        out = subprocess.DEVNULL if i == len(commands) - 1 else subprocess.PIPE
        p = subprocess.Popen([*MEASURE, reports[-1], "0", *command], stdin=stdin, stdout=out, stderr=subprocess.PIPE,
                             env=server.env)
        if stdin:
            stdin.close()
        stdin = p.stdout
        processes.append(p)
    errors = [p.communicate()[1] if p is processes[-1] else p.stderr.read() for p in reversed(processes)]
    for p in processes:
        p.wait()
    wall = time.monotonic() - started
    figures = [[float(word) for word in report.read_text().split()] for report in reports]
    if any(f[0] for f in figures):
        sys.exit(f"{shlex.join(map(str, commands[0]))}: {b''.join(errors).decode(errors='replace')[-800:]}")
    time.sleep(0.1)  # until the session has ended
    return wall, sum(f[3] for f in figures), spent(server.pid()) - before, max(f[1] for f in figures) / 2**20


def show(title, figures):
    """The medians of each one's rounds, and of the pairs of a round with ours, where that is among them."""
    for name, rounds in figures.items():
        wall, cpu, theirs, peak = (statistics.median(column) for column in zip(*rounds))
        line = f"{title} {name:15} {wall:8.2f} s {cpu:7.2f} s CPU {theirs:7.2f} s server {peak:7.1f} MiB"
        if name != "wherry" and "wherry" in figures:
            pairs = sorted(theirs[0] / ours[0] for ours, theirs in zip(figures["wherry"], rounds))
            line += f"   wherry has {statistics.median(pairs):.2f} of its rate ({pairs[0]:.2f} to {pairs[-1]:.2f})"
        print(line, flush=True)
