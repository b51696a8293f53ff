#!/usr/bin/env python3
"""A lake that is encrypted before it leaves the machine, in a folder and in S3 with KMS."""
import hashlib
import hmac
import os
import pathlib
import signal
import subprocess
import time

import aws
import peers

if aws.PYTHON.exists():
    peers.under(aws.PYTHON)

import tap  # noqa: E402
from project import Project  # noqa: E402

SECRET = "Sentinel-7f3a"
BUCKET = "sealed-bucket"
CHUNK, HEADER, TAG = 65536, 1024, 16

CONFIG = """\
version: 1
connections:
  files: {{ type: local, path: files }}
  lake: {{ {lake} }}
  plain: {{ type: local, path: plain }}
  website: {{ type: sqlite, path: website.db }}
pipelines:
  land:
    from: files:orders.csv
    columns: all
    to: lake:inbound/orders-{{run}}.{ending}
  load:
    from: lake:inbound/*.{ending}
    columns: all
    to: website:orders
    write: {{ mode: upsert, key: number }}
{more}"""
LOCAL = "type: local, path: lake, encryption_key: '${secret:lake}'"
KMS = f"type: s3, bucket: {BUCKET}, prefix: company, encryption: envelope, encryption_key: "


class Encrypted(Project):
    """A project whose lake has a key of its own."""

    def __init__(self, lake=LOCAL, ending="json", more="", env=None):
        super().__init__(config=CONFIG.format(lake=lake, ending=ending, more=more))
        self.env = {**(env or os.environ), "WHERRY_KEY_FILE": str(self.folder / "key")}
        self.run("secret", "set", "lake", "--random")
        (self.folder / "files").mkdir()

    def run(self, *args, code=0, **words):
        return self.wherry(*args, code=code, env=self.env, **words)

    def make_file(self, count):
        lines = ["number,note"] + [f"{i},{SECRET} {i}" for i in range(count)]
        (self.folder / "files/orders.csv").write_text("\n".join(lines) + "\n")

    def check_loaded(self, count):
        rows = self.sql("website", "SELECT number, note FROM orders ORDER BY number")
        tap.equal(len(rows), count, "rows")
        tap.equal(rows[-1], (count - 1, f"{SECRET} {count - 1}"))

    def objects(self, under="lake"):
        return sorted(p for p in (self.folder / under).rglob("*") if p.is_file())


def is_sealed(data, name):
    """Nothing of the rows, nor of the schema, can be read.

    Words of less than six bytes come up in megabytes of ciphertext by chance: Parquet's magic is looked for in its place.
    """
    for word in (SECRET.encode(), b"number", b'"note"', b"sha256"):
        assert word not in data, f"{name} holds {word}"
    assert b"PAR1" not in (data[:4], data[HEADER:HEADER + 4], data[-4:]), f"{name} is Parquet"


def lake_is_sealed(p):
    files = p.objects()
    assert files, "nothing was written"
    for path in files:
        if path.name not in ("lock", "restore.lock"):
            is_sealed(path.read_bytes(), path)


def test_no_plain_text_is_in_the_lake():
    """Rows go through an encrypted lake as JSON, CSV and Parquet, and nothing of them can be read there"""
    for ending in ("json", "csv", "parquet"):
        p = Encrypted(ending=ending)
        p.make_file(20_000)
        p.run("run")
        p.check_loaded(20_000)
        tap.equal(len(p.objects()), 2, "the object and its manifest")
        lake_is_sealed(p)
        p.run("verify")
        size, = [o["bytes"] for o in p.run("discover", "lake", "--json").lines()]
        stored = max(f.stat().st_size for f in p.objects("lake/inbound"))
        chunks = -(-size // CHUNK)
        tap.equal(stored, HEADER + size + chunks * TAG)


def test_a_crash_leaves_no_plain_text():
    """What a killed run leaves of an attempt is encrypted, and the next run goes on"""
    p = Encrypted()
    p.make_file(100_000)
    for delay in (0.02, 0.05, 0.1, 0.15):
        run = p.start("run", env=p.env)
        time.sleep(delay)
        run.send_signal(signal.SIGKILL)
        run.communicate()
        if p.objects():
            lake_is_sealed(p)
    p.run("run")
    p.check_loaded(100_000)
    lake_is_sealed(p)
    tap.equal([f for f in p.objects("lake/_wherry") if "attempts" in f.parts], [])


def test_copies_are_the_same_bytes():
    """Copied in and out again, by parts and whole, objects are the bytes that they were"""
    p = Encrypted()
    want = {"empty": b"", "one": b"x", "chunk": os.urandom(CHUNK), "more": os.urandom(CHUNK + 1),
            "large": os.urandom(3_000_000)}
    for name, data in want.items():
        (p.folder / "files" / name).write_bytes(data)
    p.run("copy", "files:", "lake:in/", "--verify")
    for name, data in want.items():
        if len(data) > 16:
            assert data[:16] not in (p.folder / "lake/in" / name).read_bytes()
    p.run("copy", "lake:in/", "plain:out/", "--verify")
    for name, data in want.items():
        tap.equal((p.folder / "plain/out" / name).read_bytes() == data, True, name)
    shown = {o["object"].split("/")[-1]: o["bytes"] for o in p.run("discover", "lake", "--json").lines()}
    tap.equal(shown, {name: len(data) for name, data in want.items()})
    tap.contains(p.run("copy", "files:", "lake:in/").err, "0 objects")


def test_earlier_versions():
    """Earlier versions of encrypted objects are shown with their own sizes, and restored"""
    p = Encrypted(lake=LOCAL + ", versioning: true")
    for text in ("one", "three"):
        (p.folder / "files/x").write_text(text)
        p.run("copy", "files:x", "lake:x", "--replace")
    shown = p.run("versions", "lake:x", "--json").lines()
    tap.equal([v["bytes"] for v in shown], [5, 3])
    p.run("restore", "lake:x")
    p.run("copy", "lake:x", "plain:x")
    tap.equal((p.folder / "plain/x").read_text(), "one")


def test_keys_are_turned_over():
    """A new key writes, the old one still reads where it is listed, and is named where it is not"""
    p = Encrypted()
    p.make_file(10)
    p.run("run", "land")
    p.run("secret", "set", "lake-2", "--random")
    done = p.run("secret", "set", "lake", "--random", code=1)
    tap.contains(done.err, "there is a secret lake")
    p.config(CONFIG.format(lake=LOCAL.replace("secret:lake", "secret:lake-2"), ending="json", more=""))
    error = p.run("run", "load", code=1).err
    tap.contains(error, "it is encrypted with key local:")
    tap.contains(error, "Add that key to encryption_keys_old")
    both = LOCAL.replace("secret:lake", "secret:lake-2") + ", encryption_keys_old: ['${secret:lake}']"
    p.config(CONFIG.format(lake=both, ending="json", more=""))
    p.run("run")
    p.check_loaded(10)


def test_what_is_wrong_is_said():
    """A passphrase, a plain object, a missing key and a changed object are told apart"""
    p = Encrypted(more="  # end\n")
    p.make_file(10)
    p.run("run", "land")
    sealed, = p.objects("lake/inbound")
    data = bytearray(sealed.read_bytes())
    data[-1] ^= 1
    sealed.write_bytes(data)
    error = p.run("run", "load", code=1).err
    tap.contains(error, "encrypted chunk 1, from byte 0: it was changed, or is not the one that was written there")
    tap.contains(p.run("verify", "land", code=1).err, "encrypted chunk 1, from byte 0: it was changed")
    data[-1] ^= 1
    sealed.write_bytes(data)
    (p.folder / "lake/inbound/stranger.json").write_text('[{"number": 1, "note": "x"}]')
    error = p.run("run", "load", code=1).err
    tap.contains(error, "stranger.json: is not encrypted, and the connection has an encryption_key")
    p.config(CONFIG.format(lake="type: local, path: lake", ending="json", more=""))
    (p.folder / "lake/inbound/stranger.json").write_bytes(data)
    tap.contains(p.run("run", "load", code=1).err, "is encrypted, and the connection has no encryption_key")
    p.config(CONFIG.format(lake=LOCAL.replace("${secret:lake}", "correct horse battery staple"), ending="json", more=""))
    done = p.run("check", code=2)
    tap.contains(done.err, "encryption_key is not 32 bytes")
    assert "correct horse" not in done.out + done.err
    p.config(CONFIG.format(lake=LOCAL.replace("${secret:lake}", "5" * 64), ending="json", more=""))
    tap.contains(p.run("check").err, "encryption_key is written literally")


# --- the same format by another program ----------------------------------------------------------

def aes(key):
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise tap.Skip("Python's cryptography is not here; run scripts/install-aws-peers")
    return AESGCM(key)


def of_header(header):
    assert header[:9] == b"\x89WHRY\r\n\x1a\x01" and header[12:16] == CHUNK.to_bytes(4, "big")
    at, texts = 32, []
    for i in range(3):
        size = int.from_bytes(header[24 + 2 * i:26 + 2 * i], "big")
        texts.append(header[at:at + size])
        at += size
    return texts


def unseal(data, master):
    """As connect/sealed_format.h says, for a key of the configuration."""
    header, body = data[:HEADER], data[HEADER:]
    wrapped, ident, place = of_header(header)
    assert ident == b"local:" + hmac.new(master, b"wherry encrypted object: id", "sha256").hexdigest()[:16].encode()
    kek = hmac.new(master, b"wherry encrypted object: wrap", "sha256").digest()
    key = aes(kek).decrypt(wrapped[:12], wrapped[12:], ident + b"\0" + place)
    return chunks(body, key, header)


def chunks(body, key, header):
    digest, cipher, stored = hashlib.sha256(header).digest(), aes(key), CHUNK + TAG
    count = -(-len(body) // stored)
    return b"".join(cipher.decrypt(header[16:23] + i.to_bytes(4, "big") + bytes([i + 1 == count]),
                                   body[i * stored:(i + 1) * stored], digest) for i in range(count))


def test_another_program_reads_it():
    """Python, with the key, reads what was written"""
    aes(bytes(32))
    p = Encrypted(lake="type: local, path: lake, encryption_key: '${MASTER}'")
    master = os.urandom(32)
    p.env["MASTER"] = master.hex()
    for size in (0, 1, CHUNK, 3 * CHUNK + 17):
        data = os.urandom(size)
        (p.folder / "files/x").write_bytes(data)
        p.run("copy", "files:x", f"lake:x{size}")
        tap.equal(unseal((p.folder / f"lake/x{size}").read_bytes(), master) == data, True, size)


# --- S3 and KMS ----------------------------------------------------------------------------------

servers = {}


def moto():
    if not aws.PYTHON.exists():
        raise tap.Skip(aws.NOT_INSTALLED)
    if "moto" not in servers:
        servers["moto"] = aws.Moto()
    servers["moto"].reset()
    servers["moto"].make_bucket(BUCKET)
    return servers["moto"]


def stored(server, prefix="company/"):
    s3 = server.client("s3")
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return {o["Key"]: s3.get_object(Bucket=BUCKET, Key=o["Key"]) for o in found}


def by_duckdb(statement):
    if not peers.PYTHON.exists():
        raise tap.Skip("DuckDB is not here; run scripts/install-peers")
    program = f"import duckdb; print(duckdb.sql({statement!r}).fetchall())"
    return subprocess.run([peers.PYTHON, "-c", program], capture_output=True, text=True)


def test_a_bucket_with_kms():
    """With a key of KMS nothing can be read in the bucket; a copy in a folder is what DuckDB reads"""
    server = moto()
    arn = server.make_key("alias/lake")
    p = Encrypted(lake=KMS + "alias/lake", ending="parquet", env=server.env())
    p.make_file(50_000)
    p.run("run")
    p.check_loaded(50_000)
    p.run("verify")
    tap.contains(p.run("check", "--connect").out, "encrypted here with key alias/lake")
    for name, answer in stored(server).items():
        if name.endswith("_wherry/conditional"):
            continue
        data = answer["Body"].read()
        is_sealed(data, name)
        tap.equal(answer["Metadata"]["wherry-key"], "alias/lake")
        tap.equal(answer["Metadata"]["wherry-context"], f"wherry-bucket={BUCKET}")
        wrapped, ident, place = of_header(data[:HEADER])
        tap.equal((ident.decode(), place.decode()), (arn, BUCKET))
        key = server.client("kms").decrypt(CiphertextBlob=wrapped, EncryptionContext={"wherry-bucket": BUCKET})
        plain = chunks(data[HEADER:], key["Plaintext"], data[:HEADER])
        assert plain[:4] == b"PAR1" or plain[:1] == b"{", plain[:20]
        if name.endswith(".parquet"):
            (p.folder / "stolen.parquet").write_bytes(data)
            parquet = plain
    p.run("copy", "lake:inbound/", "plain:", "--verify")
    copied = pathlib.Path(next(f for f in p.objects("plain") if f.suffix == ".parquet"))
    assert copied.read_bytes() == parquet
    counted = by_duckdb(f"SELECT count(*), max(note) FROM '{copied}'")
    tap.contains(counted.stdout, f"(50000, '{SECRET} 9999')")
    tap.contains(by_duckdb(f"SELECT * FROM '{p.folder / 'stolen.parquet'}'").stderr, "No magic bytes")


def test_a_key_of_kms_is_turned_over():
    """Where an alias stands for a new key, the old one has to be listed; without it, it is named"""
    server = moto()
    old = server.make_key("alias/lake")
    p = Encrypted(lake=KMS + "alias/lake", env=server.env())
    p.make_file(10)
    p.run("run", "land")
    new = server.make_key("alias/lake")
    p.run("run", "load", code=1)
    p.config(CONFIG.format(lake=KMS + f"'{new}'", ending="json", more=""))
    error = p.run("run", "load", code=1).err
    tap.contains(error, f"it is encrypted with key {old}")
    tap.contains(error, "Add that key to encryption_keys_old")
    p.config(CONFIG.format(lake=KMS + f"alias/lake, encryption_keys_old: ['{old}']", ending="json", more=""))
    p.run("run", "load")
    p.check_loaded(10)


def test_kms_says_no():
    """Without the key, and without permission to use it, what is missing is named"""
    server = moto()
    p = Encrypted(lake=KMS + "alias/lake", env=server.env())
    p.make_file(10)
    tap.contains(p.run("run", "land", code=1).err, "KMS key alias/lake: ")
    arn = server.make_key("alias/lake")
    s3 = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    kms = {"Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": "*"}
    writer = server.user("writer", {"Version": "2012-10-17", "Statement": [s3, kms]})
    p.config(CONFIG.format(lake=KMS + f"'{arn}'", ending="json", more=""))
    server.enforce()
    try:
        p.env.update(server.variables(keys=writer))
        p.run("run", "land")
        error = p.run("run", "load", code=1).err
        tap.contains(error, "kms:Decrypt")
    finally:
        server.admit()


def test_a_bucket_with_a_key_of_our_own():
    """A bucket takes a key of the keyring too, and another bucket's copy reads with it"""
    server = moto()
    p = Encrypted(lake=KMS + "'${secret:lake}'", env=server.env())
    p.make_file(1000)
    p.run("run")
    p.check_loaded(1000)
    for name, answer in stored(server, "company/inbound/").items():
        is_sealed(answer["Body"].read(), name)
        tap.contains(answer["Metadata"]["wherry-key"], "local:")
    server.make_bucket("second-bucket")
    s3 = server.client("s3")
    for name in stored(server):
        s3.copy_object(Bucket="second-bucket", Key=name, CopySource={"Bucket": BUCKET, "Key": name})
    p.config(CONFIG.format(lake=(KMS + "'${secret:lake}'").replace(BUCKET, "second-bucket"), ending="json", more=""))
    p.run("copy", "lake:inbound/", "plain:", "--verify")
    assert SECRET in p.objects("plain")[-1].read_text()


def test_many_small_objects():
    """Each object has a data key of its own"""
    server = moto()
    server.make_key("alias/lake")
    p = Encrypted(lake=KMS + "alias/lake", env=server.env())
    for i in range(60):
        (p.folder / f"files/{i}").write_text(f"{SECRET} {i}")
    p.run("copy", "files:", "lake:in/")
    answers = [a["Body"].read() for a in stored(server, "company/in/").values()]
    tap.equal(len({of_header(a[:HEADER])[0] for a in answers}), 60)
    p.run("copy", "lake:in/", "plain:")
    tap.equal((p.folder / "plain/7").read_text(), f"{SECRET} 7")


def test_a_broken_line():
    """With every tenth request to S3 and KMS broken on its way, the table is right"""
    for seed in range(50 if tap.LONG else 2):
        server = moto()
        server.make_key("alias/lake")
        port = server.disturb(tap.SEED % 1000 + seed, 0.1)
        p = Encrypted(lake=KMS + "alias/lake", env=server.env(url=f"http://127.0.0.1:{port}"))
        p.make_file(500)
        try:
            for attempt in range(20):
                if p.run("run", code=None).code == 0:
                    break
            p.env.update(server.variables())
            p.run("run")
            p.check_loaded(500)
        except AssertionError:
            tap.note(server.story())
            raise


tap.run()
