"""Database servers of a test's own: from the distribution's packages, in a temporary folder, on a free
port, as a user without privileges, stopped when the test program ends.

    server = Postgres()            # Skip where it is not installed
    server.sql("CREATE TABLE t (a int)")
    server.rows("SELECT a FROM t")
    server.words()                 # of a connection in wherry.yaml
"""
import atexit
import ctypes
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import tap

PR_SET_PDEATHSIG = 1


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def die_with_parent(how=signal.SIGKILL):
    """In a child, after it changed its user: whatever ends the test ends it too."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, how)


def unprivileged(*names):
    """(uid, gid) to run a server as: root drops to one of the users."""
    if os.getuid() != 0:
        return os.getuid(), os.getgid()
    for name in names:
        try:
            found = pwd.getpwnam(name)
            return found.pw_uid, found.pw_gid
        except KeyError:
            continue
    raise tap.Skip("there is no user without privileges to run the server as")


def become(uid, gid, when_the_test_dies):
    """In the child that will be the server."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    die_with_parent(when_the_test_dies)


class Postgres:
    USER, PASSWORD = "wherry", "not-for-everybody"

    def __init__(self, database="test", address="127.0.0.1"):
        """Also at another address of this machine, where its whole /24 may log in."""
        found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not found or not shutil.which("psql"):
            raise tap.Skip("PostgreSQL's server is not installed")
        self.bin = found[-1].parent
        self.uid, self.gid = unprivileged("postgres", "nobody")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="wherry-pg-", dir="/tmp"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        atexit.register(self.stop)
        self.process, self.port, self.host, self.database = None, free_port(), address, database
        password = self.folder / "password"
        password.write_text(self.PASSWORD + "\n")
        for path in (self.folder, password):
            os.chown(path, self.uid, self.gid)
        self.run("initdb", "-D", self.folder / "data", "-U", self.USER, "-A", "scram-sha-256", f"--pwfile={password}",
                 "-E", "UTF8", "--no-locale", "--no-sync").wait()
        with open(self.folder / "data/pg_hba.conf", "a") as hba:
            hba.write(f"host all all {address}/24 scram-sha-256\n")
        self.start()
        self.sql(f"CREATE DATABASE {database} TEMPLATE template0", database="postgres")

    def become(self):
        become(self.uid, self.gid, signal.SIGQUIT)

    def run(self, program, *args):
        log = open(self.folder / "log", "ab")
        return subprocess.Popen([str(self.bin / program), *map(str, args)], cwd=self.folder, stdin=subprocess.DEVNULL,
                                stdout=log, stderr=log, preexec_fn=self.become)

    def start(self):
        self.process = self.run("postgres", "-D", self.folder / "data", "-p", self.port, "-k", self.folder,
                                "-c", f"listen_addresses=127.0.0.1,{self.host}", "-c", "fsync=off", "-c", "full_page_writes=off",
                                "-c", "autovacuum=off", "-c", "shared_buffers=32MB")
        end = time.monotonic() + 60
        while subprocess.run([str(self.bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode:
            assert self.process.poll() is None and time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.05)

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()
            self.process = None

    def env(self):
        return dict(os.environ, PGPASSWORD=self.PASSWORD, PGTZ="UTC")

    def psql(self, database=None):
        return ["psql", "-h", self.host, "-p", str(self.port), "-U", self.USER, "-d", database or self.database, "-XqAt",
                "-F", "|", "-v", "ON_ERROR_STOP=1"]

    def sql(self, text, database=None):
        """Runs statements; what they print."""
        done = subprocess.run(self.psql(database), input=text, env=self.env(), capture_output=True, text=True)
        assert done.returncode == 0, f"{text}: {done.stderr}"
        return done.stdout

    def rows(self, text):
        return [tuple(line.split("|")) for line in self.sql(text).splitlines()]

    def words(self, **more):
        """The words of a connection to it, as YAML in braces. The password is in $PG_PASSWORD."""
        words = dict(type="postgres", host=self.host, port=self.port, database=self.database, user=self.USER,
                     password='"${PG_PASSWORD}"', tls="off", **more)
        return "{ " + ", ".join(f"{k}: {v}" for k, v in words.items()) + " }"


class Session:
    """A session that stays open: transactions across runs."""

    def __init__(self, server):
        self.process = subprocess.Popen(server.psql(), env=server.env(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, bufsize=1)

    def sql(self, text):
        """Runs statements and waits until they are done."""
        self.process.stdin.write(text + ";\n\\echo done\n")
        self.process.stdin.flush()
        said = ""
        while (line := self.process.stdout.readline()) != "done\n":
            assert line, f"{text}: {said}"
            said += line
        return said

    def close(self):
        self.process.stdin.close()
        self.process.wait()
