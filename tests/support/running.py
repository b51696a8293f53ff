"""A project whose `wherry up` runs in the background, with what it says in up.log."""
import signal
import subprocess
import time

import tap
from project import Project


class Running(Project):
    PATIENCE = 60  # seconds, for it to end and for what is waited for
    env = None

    def up(self):
        self.log = open(self.folder / "up.log", "ab")
        self.process = subprocess.Popen([str(tap.WHERRY), "up"], cwd=self.folder, env=self.env,
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def said(self):
        return (self.folder / "up.log").read_text()[-3000:]

    def down(self):
        self.process.send_signal(signal.SIGTERM)
        tap.equal(self.process.wait(self.PATIENCE), 0, self.said())
        self.log.close()

    def until(self, condition, seconds=None):
        end = time.monotonic() + (seconds or self.PATIENCE)
        while not condition():
            assert time.monotonic() < end, "it did not happen in time:\n" + self.said()
            time.sleep(0.05)
