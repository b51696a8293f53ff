#!/usr/bin/env python3
"""An OpenSSH server of a test's own, for SFTP alone: on loopback and a free port, as a user without
privileges, with keys that it makes.

    server = Sshd()                # Skip where it is not installed
    server.files                   # the folder that who logs in is put into
    server.words()                 # of a connection in wherry.yaml
    server.key("rsa")              # the file of a private key that it takes

As a program it says its values, one a line as NAME=VALUE, and ends with its input (sshd in
tests/support/aws_server.h).
"""
import atexit
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import servers
import tap

KINDS = {"ed25519": ["-t", "ed25519"], "rsa": ["-t", "rsa", "-b", "3072"], "ecdsa": ["-t", "ecdsa"]}


def make_key(path, kind="ed25519", *more):
    subprocess.run(["ssh-keygen", "-q", *KINDS[kind], "-N", "", "-C", "test", "-f", path, *more], check=True)
    return path


def fingerprint(path):
    said = subprocess.run(["ssh-keygen", "-lf", path], check=True, capture_output=True, text=True).stdout
    return said.split()[1]


class Sshd:
    def __init__(self, *config, host_keys=("ed25519",), subsystem="internal-sftp", folder="/tmp"):
        self.program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", ""))
        if not self.program or not shutil.which("ssh-keygen"):
            raise tap.Skip("OpenSSH's server is not installed")
        self.uid, self.gid = servers.unprivileged("postgres", "daemon")  # nobody counts as locked
        self.user = pwd.getpwuid(self.uid).pw_name
        self.has_shell = "nologin" not in pwd.getpwuid(self.uid).pw_shell
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="wherry-sshd-", dir=folder))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        atexit.register(self.stop)
        self.files = self.folder / "files"
        self.files.mkdir()
        self.host_keys = [make_key(self.folder / f"host_{kind}", kind) for kind in host_keys]
        self.keys = {}
        (self.folder / "authorized").touch()
        self.process, self.port = None, servers.free_port()
        self.config = [*config, f"AuthorizedKeysFile {self.folder}/authorized", f"Subsystem sftp {subsystem} -d {self.files}",
                       f"PidFile {self.folder}/pid", "ListenAddress 127.0.0.1", "UsePAM no", "StrictModes no",
                       "PasswordAuthentication no", "KbdInteractiveAuthentication no", "MaxStartups 200", "LogLevel ERROR",
                       *(f"HostKey {key}" for key in self.host_keys)]
        self.chown()
        self.start()

    def chown(self):
        for top, folders, files in os.walk(self.folder):
            for name in (".", *folders, *files):
                os.chown(os.path.join(top, name), self.uid, self.gid, follow_symlinks=False)

    def key(self, kind="ed25519"):
        """A private key that it takes; the test's own file."""
        if kind not in self.keys:
            self.keys[kind] = make_key(self.folder / f"user_{kind}", kind)
            with open(self.folder / "authorized", "a") as authorized:
                authorized.write(pathlib.Path(f"{self.keys[kind]}.pub").read_text())
        return self.keys[kind]

    def write(self, name, data, age=None):
        """A file of its user's; `age` in seconds."""
        path = self.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        if age is not None:
            os.utime(path, (time.time() - age,) * 2)
        for one in (path, *path.parents):
            if self.files in one.parents:
                os.chown(one, self.uid, self.gid)
        return path

    def start(self):
        config = self.folder / "config"
        config.write_text("\n".join([*self.config, f"Port {self.port}", ""]))
        log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(
            [self.program, "-D", "-e", "-f", str(config)], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            preexec_fn=lambda: servers.become(self.uid, self.gid, signal.SIGTERM))
        end = time.monotonic() + 60
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as line:
                    if line.recv(4) == b"SSH-":
                        return
            except OSError:
                pass
            assert self.process.poll() is None and time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.05)

    def stop(self):
        """Its lines break, too."""
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def fingerprint(self, number=0):
        return fingerprint(self.host_keys[number])

    def words(self, key="ed25519", **more):
        """The words of a connection to it, as YAML in braces."""
        words = dict(type="sftp", host="127.0.0.1", port=self.port, user=self.user, host_key=self.fingerprint())
        if key:
            words["private_key_file"] = self.key(key)
        words.update(more)
        return "{ " + ", ".join(f"{k}: {v}" for k, v in words.items() if v is not None) + " }"


def main():
    try:
        server = Sshd()
    except tap.Skip as why:
        print("skip", why, flush=True)
        return
    print(f"URL=sftp://127.0.0.1:{server.port}", f"USER={server.user}", f"KEY={server.key()}",
          f"HOST_KEY={server.fingerprint()}", f"FILES={server.files}", "", sep="\n", flush=True)
    for _ in sys.stdin:
        print("no", flush=True)


if __name__ == "__main__":
    main()
