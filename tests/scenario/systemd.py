#!/usr/bin/env python3
"""`wherry up` as systemd's service: what it tells its supervisor, and the unit."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

import tap
from project import Project, order

EXPOSURE_MAX = 20  # tenths, of what systemd-analyze security finds


# --- what it tells -------------------------------------------------------------------------------

def listener(name):
    """systemd's end: a datagram socket at a path, or with '@' at an abstract name."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.settimeout(30)
    s.bind("\0" + name[1:] if name.startswith("@") else name)
    return s


def start(name):
    p = Project()
    p.make_erp([order("A")])
    return p.start("up", env=dict(os.environ, NOTIFY_SOCKET=name))


def end(process):
    process.send_signal(signal.SIGTERM)
    output = process.communicate(timeout=60)[0].decode()
    tap.equal(process.returncode, 0, output)
    return output


def follow(name):
    with listener(name) as supervisor:
        up = start(name)
        try:
            told = [supervisor.recv(100)]
            told.append(supervisor.recv(100))  # five seconds later
        finally:
            output = end(up)
        told.append(supervisor.recv(100))
        tap.equal(told, [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"])
        assert "supervisor" not in output, output
        supervisor.setblocking(False)
        try:
            raise AssertionError(f"and then {supervisor.recv(100)}")
        except BlockingIOError:
            pass


def test_a_supervisor_hears_ready_alive_and_stopping():
    follow(str(tap.folder() / "notify"))


def test_its_socket_may_have_an_abstract_name():
    follow(f"@wherry-test-{os.getpid()}")


def test_it_goes_on_where_the_supervisor_is_gone():
    for name, why in [(str(tap.folder() / "gone"), "cannot send READY=1"), ("vsock:2:1", "neither a path nor"),
                      ("/" + "x" * 200, "longer than the 107 bytes")]:
        up = start(name)
        line = b"-"
        while line and b"NOTIFY_SOCKET" not in line:
            line = up.stdout.readline()
        tap.contains(line.decode(), why)
        tap.contains(end(up), "Stopped.")


def test_ready_is_said_again_until_it_is_heard():
    name = str(tap.folder() / "late")
    up = start(name)
    while b"NOTIFY_SOCKET" not in (line := up.stdout.readline()):
        assert line, "it ended"
    with listener(name) as supervisor:
        try:
            tap.equal(supervisor.recv(100), b"READY=1")
        finally:
            end(up)


# --- the unit ------------------------------------------------------------------------------------

def unit():
    """The unit as it is installed, but for the program's path; an instance of it for systemd-analyze."""
    text = (tap.ROOT / "contrib/systemd/wherry@.service.in").read_text()
    tap.equal(text.count("@bindir@/wherry"), 1)
    folder = tap.folder()
    (folder / "wherry@.service").write_text(text.replace("@bindir@/wherry", str(tap.WHERRY)))
    (folder / "wherry@shop.service").symlink_to("wherry@.service")
    return text, folder / "wherry@shop.service"


def analyze(*args):
    if not shutil.which("systemd-analyze"):
        raise tap.Skip("systemd-analyze is not here")
    return subprocess.run(["systemd-analyze", *map(str, args)], capture_output=True, text=True, timeout=60)


def test_systemd_takes_the_unit():
    _, path = unit()
    done = analyze("verify", "--man=no", path)
    tap.equal((done.returncode, done.stdout + done.stderr), (0, ""))
    path.parent.joinpath("wherry@.service").write_text(path.read_text().replace("ProtectSystem=", "ProtectSytem="))
    tap.contains(analyze("verify", "--man=no", path).stderr, "ProtectSytem")  # so silence means something


def test_systemd_finds_it_hardened():
    _, path = unit()
    done = analyze("security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE_MAX}", path)
    if "nknown" in done.stderr or "unrecognized" in done.stderr:
        raise tap.Skip("this systemd-analyze is too old to judge a file")
    tap.equal(done.returncode, 0, done.stdout + done.stderr)
    tap.note(done.stdout.strip().splitlines()[-1])


def test_the_ceilings_of_the_unit_are_above_ours():
    text, _ = unit()
    words = dict(re.findall(r"^(\w+)=(.*)$", text, re.M))
    tap.equal(words["MemoryMax"], "128M", "twice the default of `memory`")
    tap.contains((tap.ROOT / "docs/guide/operating.md").read_text(), "`memory` is the ceiling of the resident size of the "
                 "whole process, 64 MiB")
    tap.equal((words["KillSignal"], words["RestartPreventExitStatus"]), ("SIGTERM", "2"))


def test_the_unit_gives_the_keyring_its_key():
    text, _ = unit()
    credential = re.search(r"^LoadCredential=(\S+)$", text, re.M).group(1)
    tap.contains(text, f"Environment=WHERRY_KEY_FILE=%d/{credential}\n")
    folder = tap.folder()
    p = Project()
    key = folder / credential.replace("%i", "shop")
    env = dict(os.environ, WHERRY_KEY_FILE=str(key))
    p.wherry("secret", "set", "x", env=env, input="y\n")
    key.chmod(0o440)  # as systemd hands it over
    tap.contains(p.wherry("secret", "list", env=env).out, "x")


tap.run()
