#!/usr/bin/env python3
"""A partner's SFTP server, a real one of OpenSSH's: read by pipelines, copied to and from, with every way of
logging in; host keys that are not what they should be; lines that break; odd names."""
import itertools
import os
import random
import socket
import subprocess
import time

import cutter
import sshd
import tap
from project import Project

CONFIG = """\
version: 1
connections:
  partner: {partner}
  disk: {{ type: local, path: disk }}
  website: {{ type: sqlite, path: website.db }}
pipelines:
  orders:
    when: new
    from: "partner:outbox/*.csv"
    columns: all
    to: website:orders
    write: {{ mode: upsert, key: number }}
"""

servers, numbers = [], itertools.count(1)


def server():
    """One for most of the tests; each has a folder of its own."""
    if not servers:
        servers.append(sshd.Sshd(host_keys=("ed25519", "rsa", "ecdsa")))
    return servers[0]


class Place:
    def __init__(self, s=None, path=None, **words):
        self.server = s or server()
        self.path = path or f"place-{next(numbers)}"
        words = {"path": self.path, "settle": 0, **words}
        self.project = Project(config=CONFIG.format(partner=self.server.words(**words)))

    def write(self, name, data, age=None):
        return self.server.write(f"{self.path}/{name}", data, age)

    def wherry(self, *args, **more):
        return self.project.wherry(*args, **more)

    def copy(self, *args, **more):
        return self.wherry("copy", *args, "--json", **more).lines()[-1]

    def rows(self):
        """Of the table, once it is there."""
        if not self.project.sql("website", "SELECT 1 FROM sqlite_schema WHERE name = 'orders'"):
            return []
        return sorted((int(n), state) for n, state in self.project.sql("website", "SELECT number, state FROM orders"))

    def tree(self, below=""):
        top = self.server.files / self.path / below
        return {str(f.relative_to(top)): f.read_bytes() for f in top.rglob("*") if f.is_file()}


def tree(folder):
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def with_words(**words):
    """What `check --connect` says of a connection with these words."""
    env = words.pop("env", None)
    p = Place(**words)
    p.write("x", "")
    result = p.wherry("check", "--connect", code=None, env=env)
    return result.code, result.out + result.err


# --- pipelines -----------------------------------------------------------------------------------

def test_each_version_of_a_file_is_taken_once():
    p = Place()
    p.write("outbox/1.csv", "number,state\n1,Open\n2,Open\n", age=30)
    p.write("outbox/other.txt", "not,this\n")
    p.write("outbox/below/2.csv", "number,state\n9,Open\n")
    tap.contains(p.wherry("plan", "orders").out, "number")
    p.wherry("run")
    tap.equal(p.rows(), [(1, "Open"), (2, "Open")])
    again = p.wherry("run", "--json")
    assert not [l for l in again.lines() if l.get("rows_read")], again
    p.write("outbox/1.csv", "number,state\n1,Shipped\n2,Open\n", age=20)
    p.write("outbox/3.csv", "number,state\n3,Open\n", age=10)
    p.wherry("run")
    tap.equal(p.rows(), [(1, "Shipped"), (2, "Open"), (3, "Open")])


def test_a_new_file_is_taken_when_it_was_still():
    p = Place(settle="1s")
    p.write("outbox/1.csv", "number,state\n1,Open\n")
    p.wherry("run")
    tap.equal(p.rows(), [(1, "Open")])


def test_a_file_of_long_ago_needs_no_second_look():
    p = Place(settle="1h")
    p.write("outbox/1.csv", "number,state\n1,Open\n", age=3 * 86400)
    p.wherry("run")
    tap.equal(p.rows(), [(1, "Open")])


# --- who we are ----------------------------------------------------------------------------------

def test_keys_of_each_kind():
    for kind in ("ed25519", "rsa", "ecdsa"):
        code, said = with_words(key=kind)
        assert code == 0, said
        tap.contains(said, "is who it should be and takes")


def test_a_key_as_a_secrets_text():
    for kind in ("ed25519", "rsa"):
        env = dict(os.environ, PARTNER_KEY=open(server().key(kind)).read())
        code, said = with_words(key=None, private_key='"${PARTNER_KEY}"', env=env)
        assert code == 0, said


def test_a_key_with_a_passphrase():
    s = server()
    plain = s.key("ed25519")
    locked = s.folder / "locked"
    locked.write_bytes(plain.read_bytes())
    locked.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", locked], check=True)
    env = dict(os.environ, PHRASE="open sesame", WRONG="open barley")
    words = {"key": None, "private_key_file": locked, "env": env}
    code, said = with_words(**words, passphrase='"${PHRASE}"')
    assert code == 0, said
    code, said = with_words(**words)
    assert code == 1, said
    tap.contains(said, "or it needs its passphrase")
    code, said = with_words(**words, passphrase='"${WRONG}"')
    assert code == 1, said
    tap.contains(said, "or passphrase is not its own")
    assert "barley" not in said and "sesame" not in said


def test_the_keys_of_ssh_agent():
    s = server()
    folder = tap.folder()
    sock = folder / "socket"
    keeper = subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.DEVNULL)
    try:
        env = dict(os.environ, SSH_AUTH_SOCK=str(sock))
        while subprocess.run(["ssh-add", "-q", s.key("ed25519")], env=env, capture_output=True).returncode == 2:
            time.sleep(0.05)
            assert keeper.poll() is None
        code, said = with_words(key=None, env=env)
        assert code == 0, said
        subprocess.run(["ssh-add", "-q", "-D"], env=env, check=True, capture_output=True)
        code, said = with_words(key=None, env=env)
        assert code == 1, said
        tap.contains(said, "does not take any key of ssh-agent")
    finally:
        keeper.terminate()
        keeper.wait()


def test_what_the_server_does_not_take():
    s = server()
    other = s.folder / "stranger"
    if not other.exists():
        sshd.make_key(other)
    code, said = with_words(key=None, private_key_file=other)
    assert code == 1, said
    tap.contains(said, f"partner: 127.0.0.1 does not take the key of user {s.user}; it takes keys alone")
    env = dict(os.environ, PASSWORD="not-for-everybody")
    code, said = with_words(key=None, password='"${PASSWORD}"', env=env)
    assert code == 1, said
    tap.contains(said, "does not take the password")
    tap.contains(said, "keys alone")
    assert "not-for-everybody" not in said
    env.pop("SSH_AUTH_SOCK", None)
    code, said = with_words(key=None, env=env)
    assert code == 1, said
    tap.contains(said, "there is nothing to log in with: name a private_key_file")
    code, said = with_words(key=None, private_key_file=s.folder / "no such")
    assert code == 1, said
    tap.contains(said, "private_key_file")


def test_a_wrong_password_is_refused():
    s = sshd.Sshd("PasswordAuthentication yes")
    env = dict(os.environ, PASSWORD="not-for-everybody")
    code, said = with_words(s=s, key=None, password='"${PASSWORD}"', env=env)
    assert code == 1, said
    tap.contains(said, "does not take the password")
    assert "not-for-everybody" not in said


# --- who the server is ---------------------------------------------------------------------------

def known(*entries):
    path = tap.folder() / "known_hosts"
    path.write_text("\n".join([*entries, ""]))
    return path


def entry(number, host=None):
    s = server()
    kind, blob = open(f"{s.host_keys[number]}.pub").read().split()[:2]
    return f"{host or f'[127.0.0.1]:{s.port}'} {kind} {blob}"


def test_an_unknown_host_key_is_refused_and_shown():
    file = known("# nobody")
    code, said = with_words(host_key=None, known_hosts=file)
    assert code == 1, said
    tap.contains(said, "shows a host key that nobody here knows: SHA256:")
    shown = said.split("write host_key: ")[1].split()[0]
    assert shown in [server().fingerprint(i) for i in range(3)], said
    tap.equal(file.read_text(), "# nobody\n")
    code, said = with_words(host_key=shown)
    assert code == 0, said


def test_known_hosts_are_asked():
    for number in range(3):
        code, said = with_words(host_key=None, known_hosts=known(entry(number)))
        assert code == 0, said
    file = known(entry(0))
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
    assert "127.0.0.1" not in file.read_text()
    code, said = with_words(host_key=None, known_hosts=file)
    assert code == 0, said


def test_the_known_hosts_of_the_user_are_asked():
    home = tap.folder()
    (home / ".ssh").mkdir()
    (home / ".ssh/known_hosts").write_text(entry(0) + "\n")
    code, said = with_words(host_key=None, env=dict(os.environ, HOME=str(home)))
    assert code == 0, said


def test_another_host_key_is_somebody_in_between():
    s = server()
    stranger = s.folder / "other_host"
    if not stranger.exists():
        sshd.make_key(stranger)
    kind, blob = open(f"{stranger}.pub").read().split()[:2]
    code, said = with_words(host_key=None, known_hosts=known(f"[127.0.0.1]:{s.port} {kind} {blob}"))
    assert code == 1, said
    tap.contains(said, "shows another host key than")
    tap.contains(said, "Somebody may be in between")
    code, said = with_words(host_key=sshd.fingerprint(stranger))
    assert code == 1, said
    tap.contains(said, "which is not host_key. Somebody may be in between")


def test_any_of_the_servers_keys_may_be_named():
    for number in range(3):
        code, said = with_words(host_key=server().fingerprint(number))
        assert code == 0, said
    code, said = with_words(host_key=f"[{sshd.fingerprint(server().key())}, {server().fingerprint(2)}]")
    assert code == 0, said


def test_a_fingerprint_is_checked_before_anything_else():
    p = Place(host_key="MD5:aa:bb")
    result = p.wherry("check", code=2)
    tap.contains(result.err + result.out, "is no fingerprint: SHA256:")


# --- names ---------------------------------------------------------------------------------------

def test_odd_names():
    p = Place()
    names = ["\u00e6r\u00f8 \u6ce8\u6587.csv", "n" * 251 + ".csv", "-rf ~", "a\\b", "*?<>|\"'", ".hidden"]
    for name in names:
        p.write("in/" + name, name)
    for name in ("line\nfeed", "esc\x1b[31m", "bell\x07", ".wherry-tmp-1"):
        p.write("in/" + name, "x")
    bad = os.fsencode(p.server.files / p.path / "in") + b"/latin-\xe6"
    open(bad, "wb").close()
    p.wherry("copy", "partner:in/", "disk:out/")
    tap.equal(tree(p.project.folder / "disk/out"), {name: name.encode() for name in names})


def test_links_are_not_followed():
    p = Place()
    p.write("in/a", "a")
    folder = p.server.files / p.path
    secret = p.server.write("elsewhere/secret", "secret")
    os.symlink(secret, folder / "in/file")
    os.symlink(secret.parent, folder / "in/folder")
    p.copy("partner:**", "disk:out/")
    tap.equal(tree(p.project.folder / "disk/out"), {"in/a": b"a"})
    for key in ("in/file", "in/folder/secret"):
        said = p.wherry("copy", f"partner:{key}", "disk:stolen", code=None).err
        tap.contains(said, "is a symbolic link, and those are not followed inside a store")
    said = p.wherry("copy", "disk:out/in/a", "partner:in/folder/a", code=None).err
    tap.contains(said, "is a symbolic link")
    tap.equal(sorted(os.listdir(secret.parent)), ["secret"])


HOSTILE = r'''
import os, struct, sys
mode = sys.argv[1]
def read(n):
    data = b""
    while len(data) < n:
        more = os.read(0, n - len(data))
        if not more: sys.exit(0)
        data += more
    return data
def text(t): return struct.pack(">I", len(t)) + t
def send(kind, body):
    os.write(1, struct.pack(">IB", len(body) + 1, kind) + body)
def attrs(mode, size=5): return struct.pack(">IQIII", 13, size, mode, 1700000000, 1700000000)
FILE, FOLDER = 0o100644, 0o040755
NAMES = [b"..", b".", b"../../escape", b"/etc/cron.d/x", b"a/b", b"nul\0byte", b"\x1b[2J", b"", b"_wherry", b"n" * 256, b"good.csv"]
listed = set()
while True:
    size = struct.unpack(">I", read(4))[0]
    packet = read(size)
    kind, rest = packet[0], packet[1:]
    if kind == 1:
        if mode == "old": send(2, struct.pack(">I", 2))
        else: send(2, struct.pack(">I", 3))
        continue
    ident = rest[:4]
    if mode == "huge": os.write(1, b"\xff\xff\xff\xff"); continue
    if mode == "stranger": send(101, struct.pack(">II", 77777, 0)); continue
    if mode == "short": send(105, ident + b"\0\0"); continue
    if mode == "silent": continue
    if mode == "garbage": os.write(1, os.urandom(4096)); sys.exit(0)
    if kind in (7, 17): send(105, ident + attrs(FOLDER))
    elif kind == 11: send(102, ident + text(b"h%d" % len(listed)))
    elif kind == 12:
        handle = rest[4:]
        if handle in listed: send(101, ident + struct.pack(">I", 1) + text(b"") + text(b"")); continue
        listed.add(handle)
        body = b"".join(text(n) + text(b"") + attrs(FILE) for n in NAMES)
        send(104, ident + struct.pack(">I", len(NAMES)) + body)
    elif kind == 8: send(105, ident + attrs(FILE))
    elif kind == 3: send(102, ident + text(b"f"))
    elif kind == 5: send(103, ident + text(b"x" * (1 << 17) if mode == "more" else b"hello"))
    else: send(101, ident + struct.pack(">I", 0) + text(b"") + text(b""))
'''


def hostile(mode):
    script = tap.folder() / "hostile.py"
    script.write_text(HOSTILE)
    script.parent.chmod(0o755)
    if not server().has_shell:
        raise tap.Skip("there is no user with a shell to run such a server as")
    s = sshd.Sshd(subsystem=f"/usr/bin/env python3 {script} {mode}")
    return Place(s, answer_timeout="1s")


def test_names_of_a_hostile_server_lead_nowhere():
    p = hostile("names")
    result = p.wherry("copy", "partner:in/", "disk:out/", "--json", code=None)
    said = result.out + result.err
    assert "escape" not in said and "cron" not in said, said
    assert "good.csv" in said or result.code == 0, said
    assert not [f for f in tree(p.project.folder) if "escape" in f], tree(p.project.folder)


def test_a_server_that_speaks_nonsense_is_told_from_one_that_is_slow():
    for mode, words in {"old": "does not speak version 3 of SFTP", "huge": "which is none of SFTP",
                        "stranger": "the server answers what nobody asked", "short": "none of SFTP",
                        "silent": "has not answered for 1 s"}.items():
        p = hostile(mode)
        result = p.wherry("check", "--connect", code=1)
        tap.contains(result.out + result.err, words)
    p = hostile("garbage")
    p.wherry("check", "--connect", code=1)


# --- writing -------------------------------------------------------------------------------------

SIZES = {"a.csv": 10, "b/empty": 0, "b/o d+d%41 \u00fc.csv": 4096, "large.bin": 5 << 20,
         **{f"many/{i}.json": 100 + i for i in range(20)}}


def fill(p, sizes=None):
    rng = random.Random(tap.SEED)
    for name, size in (sizes or SIZES).items():
        path = p.project.folder / "disk/in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(size))
    return tree(p.project.folder / "disk/in")


def test_up_and_down_again():
    p = Place()
    files = fill(p)
    tap.equal(p.copy("disk:in/", "partner:up/")["objects"], len(SIZES))
    tap.equal(p.tree("up"), files)
    tap.equal(p.copy("partner:up/", "disk:down/")["objects"], len(SIZES))
    tap.equal(tree(p.project.folder / "disk/down"), files)
    tap.equal(p.copy("partner:up/many/", "partner:elsewhere/")["objects"], 20)


def test_what_is_there_is_replaced_only_if_asked():
    p = Place()
    fill(p, {"a": 5})
    p.copy("disk:in/", "partner:up/")
    before = p.tree("up")
    fill(p, {"a": 7})
    p.wherry("copy", "disk:in/", "partner:up/", code=None)
    tap.equal(p.tree("up"), before)


def test_temporary_files_that_nobody_finishes_go_away():
    p = Place()
    fill(p, {"a": 5})
    p.write("up/.wherry-tmp-old", "x", age=3 * 86400)
    p.write("up/.wherry-tmp-new", "x")
    p.copy("disk:in/", "partner:up/")
    tap.equal(sorted(p.tree("up")), [".wherry-tmp-new", "a"])


def test_a_folder_that_cannot_be_written_to():
    p = Place()
    fill(p, {"a": 5})
    p.write("up/x", "x")
    (p.server.files / p.path / "up").chmod(0o555)
    said = p.wherry("copy", "disk:in/", "partner:up/", code=1).err
    tap.contains(said, "the server does not permit it")


def test_a_lake_on_an_sftp_server():
    """Objects with manifests, published by a pipeline."""
    p = Place()
    p.write("outbox/1.csv", "number,state\n1,Open\n2,Open\n", age=30)
    p.project.config((p.project.folder / "wherry.yaml").read_text() + """\
  back:
    from: website:orders
    columns: all
    to: partner:inbox/orders-{run}.json
""")
    p.wherry("run")
    p.wherry("verify", "back")
    found = [name for name in p.tree() if name.startswith("inbox/")]
    tap.equal(len(found), 1)
    tap.equal([name for name in p.tree() if "attempts" in name], [])


# --- lines that break ----------------------------------------------------------------------------

def through(line, **words):
    p = Place(port=line.port, connections=1, **words)
    return p


def cuts(total):
    """Every message, or some of each part of the talk."""
    return range(1, total + 1) if tap.LONG else sorted({1, *range(4, 14, 3), *range(14, total, max(1, total // 8)), total})


def test_a_line_that_breaks_while_reading():
    line = cutter.Cutter(server().port)
    p = through(line)
    for name, size in {"a": 10, "b/large": 3 << 20, "c": 0}.items():
        p.write("in/" + name, random.Random(size).randbytes(size))
    files = p.tree("in")
    p.copy("partner:in/", "disk:whole/")
    total = line.said
    for n in cuts(total):
        line.cut(after=n, answer=n % 2 == 0, once=True)
        result = p.wherry("copy", "partner:in/", f"disk:cut-{n}/", "--json", code=None)
        assert result.code == 0, f"cut after {n} of {total}: {result}"
        tap.equal(tree(p.project.folder / f"disk/cut-{n}"), files, f"cut after {n}")


def test_a_line_that_breaks_while_writing():
    line = cutter.Cutter(server().port)
    p = through(line)
    files = fill(p, {"a": 10, "b/large": 3 << 20, "c": 0})
    line.cut(None)
    p.copy("disk:in/", "partner:whole/")
    total = line.said
    for n in cuts(total):
        line.cut(after=n, answer=n % 2 == 0, once=True)
        result = p.wherry("copy", "disk:in/", f"partner:cut-{n}/", "--json", code=None)
        assert result.code == 0, f"cut after {n} of {total}: {result}"
        tap.equal({k: v for k, v in p.tree(f"cut-{n}").items()}, files, f"cut after {n}")


def test_a_server_that_is_not_there():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    code, said = with_words(port=port, connect_timeout="1s")
    assert code == 1, said
    tap.contains(said, f"no connection to 127.0.0.1, port {port}")


def test_a_server_that_says_nothing():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        p = Place(port=listener.getsockname()[1], connect_timeout="1s")
        result = p.wherry("check", "--connect", code=1)
        tap.contains(result.out + result.err, "the server does not answer in time: exchanging keys")


if __name__ == "__main__":
    tap.run()
