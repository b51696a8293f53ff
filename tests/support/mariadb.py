"""A MariaDB server of the test's own, from Debian's package: a free port of the loopback interface, an
unprivileged user, a temporary folder; it ends with the test. Its certificate is for "localhost"."""
import atexit
import os
import shutil
import signal
import subprocess
import time

import tap
from servers import become, free_port, unprivileged

START_SECONDS = 60


class MariaDB:
    USER, PASSWORD = "wherry", "ship's \\ secret"

    def __init__(self):
        for program in ("mariadbd", "mariadb-install-db", "mariadb", "openssl"):
            if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin"):
                raise tap.Skip("no MariaDB server is installed (scripts/install-deps test)")
        self.folder = tap.folder()
        self.port = free_port()
        self.server = None
        self.folder.chmod(0o755)
        self.uid, self.gid = unprivileged("mysql", "nobody")
        os.chown(self.folder, self.uid, self.gid)
        self.log = open(self.folder / "log", "wb")
        self.make_certificates()
        self.program("mariadb-install-db", "--no-defaults", f"--datadir={self.folder}/data", "--skip-test-db",
                     "--auth-root-authentication-method=normal", "--skip-name-resolve")
        atexit.register(self.stop)
        self.start()
        self.sql("CREATE USER wherry@'%' IDENTIFIED BY 'ship''s \\\\ secret'; GRANT ALL ON *.* TO wherry@'%'")

    def become(self):
        become(self.uid, self.gid, signal.SIGKILL)

    def own_env(self):
        """A server that starts removes what others have in its temporary folder."""
        return {**os.environ, "TMPDIR": str(self.folder)}

    def program(self, *argv):
        done = subprocess.run(argv, cwd="/", env=self.own_env(), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                              preexec_fn=self.become)
        assert done.returncode == 0, (argv[0], (self.folder / "log").read_text(errors="replace")[-2000:])

    def make_certificates(self):
        at = self.folder
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        self.program("openssl", "req", "-x509", *key, "-days", "2", "-subj", "/CN=Test authority",
                     "-keyout", f"{at}/ca.key", "-out", f"{at}/ca.pem")
        self.program("openssl", "req", *key, "-subj", "/CN=localhost", "-keyout", f"{at}/server.key",
                     "-out", f"{at}/server.csr")
        names = at / "names"
        names.write_text("subjectAltName=DNS:localhost\n")
        names.chmod(0o644)
        self.program("openssl", "x509", "-req", "-in", f"{at}/server.csr", "-CA", f"{at}/ca.pem", "-CAkey",
                     f"{at}/ca.key", "-CAcreateserial", "-days", "2", "-extfile", str(names),
                     "-out", f"{at}/server.pem")

    def start(self, *options):
        at = self.folder
        path = os.environ["PATH"] + ":/usr/sbin"
        self.server = subprocess.Popen(
            [shutil.which("mariadbd", path=path), "--no-defaults", f"--datadir={at}/data", f"--socket={at}/socket",
             f"--pid-file={at}/pid", f"--port={self.port}", "--bind-address=127.0.0.1", "--skip-log-bin",
             f"--ssl-ca={at}/ca.pem", f"--ssl-cert={at}/server.pem", f"--ssl-key={at}/server.key",
             "--innodb-flush-log-at-trx-commit=2", "--innodb-flush-method=nosync",
             "--innodb-buffer-pool-size=64M", "--local-infile=1", "--performance-schema=OFF", *options],
            cwd="/", env=self.own_env(), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, preexec_fn=self.become)
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                return self.sql("SELECT 1")
            except AssertionError:
                if self.server.poll() is not None or time.monotonic() > until:
                    raise AssertionError((self.folder / "log").read_text(errors="replace")[-2000:]) from None
                time.sleep(0.05)

    def stop(self):
        """At once. What it committed is with the system by then (flush-log-at-trx-commit), and so is kept."""
        if self.server:
            self.server.kill()
            self.server.wait()
            self.server = None

    def sql(self, text, database=None):
        """Runs statements as the administrator; the rows of the last one, as lists of text (NULL: None)."""
        done = subprocess.run(["mariadb", "--no-defaults", f"--socket={self.folder}/socket", "-uroot", "-N", "-B",
                               "--default-character-set=utf8mb4", *([database] if database else [])],
                              input="SET time_zone = '+00:00';\n" + text, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return [[None if v == "NULL" else v for v in line.split("\t")] for line in done.stdout.splitlines()]

    def create(self, name):
        """An empty database, whose default character set is none of ours; the words that connect to it."""
        self.sql(f"CREATE DATABASE {name} CHARACTER SET latin1 COLLATE latin1_swedish_ci")
        return (f"{{ type: mysql, host: localhost, port: {self.port}, database: {name}, user: wherry, "
                f"password: \"${{MYSQL_PASSWORD}}\", tls_ca: {self.folder}/ca.pem }}")

    def env(self):
        return {**os.environ, "MYSQL_PASSWORD": self.PASSWORD}
