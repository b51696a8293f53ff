"""Workers that share a PostgreSQL, each on a machine of its own (a network namespace), and what may happen to them."""
import os
import signal
import subprocess
import time

import tap
from network import Network
from servers import Postgres

PATIENCE = 90
DISTURBANCES = ("kill", "pause", "cut", "drain", "nap")

net = server = None


def ground(count):
    """So many machines and the server, made once."""
    global net, server
    if net is None:
        net = Network(count)
    if server is None:
        server = Postgres(address=net.address)
        os.environ["PG_PASSWORD"] = server.PASSWORD
    return net, server


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE
    while not (got := condition()):
        assert time.monotonic() < end, f"{what}: not within {PATIENCE} s"
        time.sleep(0.01)
    return got


class Worker:
    def __init__(self, i, project):
        self.i, self.project, self.path = i, project, project.folder / f"log-{i}"
        self.start()

    def start(self):
        self.said_before = len(self.log())
        with open(self.path, "a") as log:
            self.process = net.start(self.i, [tap.WHERRY, "up"], cwd=self.project.folder, stdin=subprocess.DEVNULL,
                                     stdout=log, stderr=log)

    def log(self):
        return self.path.read_text() if self.path.exists() else ""

    def send(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.send(signal.SIGKILL)
        self.process.wait()

    def until_up(self):
        """Before it is up it may not have heard of signals yet, and ends where there is no ledger."""
        wait_for("a worker is up", lambda: "Up." in self.log()[self.said_before:] or self.process.poll() is not None)

    def drain(self):
        self.until_up()
        self.send(signal.SIGTERM)
        code = self.process.wait(timeout=PATIENCE)
        tap.equal(code, 0, "a worker that drained")

    def disturb(self, what, lease, wait):
        """`wait(least, most)` lets time pass, and things come in."""
        if what == "kill":
            self.kill()
            wait(0, lease * 1.5)
            self.start()
        elif what == "drain":
            self.drain()
            wait(0, 1)
            self.start()
        elif what == "cut":
            self.until_up()
            net.cut(self.i)
            wait(0.2, lease * 2)
            net.mend(self.i)
        else:
            self.send(signal.SIGSTOP)
            wait(*((lease * 1.2, lease * 2) if what == "pause" else (0.1, 0.5)))
            self.send(signal.SIGCONT)


def clean_up(workers, database):
    for worker in workers:
        net.mend(worker.i)
        if worker.process.poll() is None:
            worker.process.kill()
            worker.process.wait()
    server.sql(f"DROP DATABASE {database} WITH (FORCE)", database="postgres")
