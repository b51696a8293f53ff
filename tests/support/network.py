"""Machines of a test's own: network namespaces, each with one cable (veth) to a bridge. The test itself
moves into a namespace of its own first, so that all of it is gone with the test, whatever ends it.

    net = Network(3)               # Skip where they cannot be made
    net.address                    # this test, as they see it
    net.start(0, [program, ...], cwd=...)
    net.cut(0), net.mend(0)        # its cable
"""
import ctypes
import os
import shutil
import subprocess
import time

import tap
from servers import die_with_parent

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


class Network:
    address = "10.213.0.1"

    def __init__(self, machines):
        if not all(shutil.which(program) for program in ("ip", "nsenter", "unshare")):
            raise tap.Skip("network namespaces need the programs ip, nsenter and unshare")
        if libc.unshare(CLONE_NEWNET) != 0:
            raise tap.Skip(f"network namespaces cannot be made here: {os.strerror(ctypes.get_errno())}")
        self.holders = []
        try:
            self.ip("link", "set", "lo", "up")
            self.ip("link", "add", "bridge", "type", "bridge")
            self.ip("addr", "add", f"{self.address}/24", "dev", "bridge")
            self.ip("link", "set", "bridge", "up")
            for i in range(machines):
                self.add(i)
        except subprocess.CalledProcessError as why:
            raise tap.Skip(f"network namespaces cannot be made here: {why.stderr.strip()}")

    def ip(self, *args, inside=()):
        subprocess.run([*inside, "ip", *args], check=True, capture_output=True, text=True)

    def inside(self, i):
        return ["nsenter", "-t", str(self.holders[i].pid), "--net"]

    def add(self, i):
        holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], preexec_fn=die_with_parent)
        self.holders.append(holder)
        mine = os.readlink("/proc/self/ns/net")
        end = time.monotonic() + 10
        while os.readlink(f"/proc/{holder.pid}/ns/net") == mine and time.monotonic() < end:
            time.sleep(0.01)
        self.ip("link", "add", f"cable{i}", "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid))
        self.ip("link", "set", f"cable{i}", "master", "bridge", "up")
        self.ip("addr", "add", f"10.213.0.{i + 10}/24", "dev", "eth0", inside=self.inside(i))
        for device in ("eth0", "lo"):
            self.ip("link", "set", device, "up", inside=self.inside(i))

    def start(self, i, command, **more):
        return subprocess.Popen([*self.inside(i), *map(str, command)], preexec_fn=die_with_parent, **more)

    def cut(self, i):
        self.ip("link", "set", f"cable{i}", "down")

    def mend(self, i):
        self.ip("link", "set", f"cable{i}", "up")
