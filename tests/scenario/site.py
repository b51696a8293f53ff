#!/usr/bin/env python3
"""`wherry site` to a folder: what is published, what is refused, and that nobody ever sees a half of it."""
import hashlib
import json
import os
import random
import signal
import threading
import time

import tap
from sites import Reader, Site, of_folder, read, shown

KILLS = 200 if tap.LONG else 30


def place(site):
    return site.folder / "web/report"


def get(site):
    return of_folder(place(site))


def files(folder):
    return {str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()}


def indexes(site):
    return [json.loads(f.read_text()) for f in sorted((site.folder / "web/_wherry/sites/report").glob("*.json"))]


def check_whole(site):
    """Every index's files are there with the bytes that it says; nothing else is but the doors."""
    there, wanted = files(place(site)), {"index.html"}
    for index in indexes(site):
        for f in index["files"]:
            path = f"_versions/{index['folder']}/{f['path']}"
            data = (place(site) / path).read_bytes()
            tap.equal((len(data), hashlib.sha256(data).hexdigest()), (f["bytes"], f["sha256"]), path)
            wanted.add(path)
    wanted |= {f["path"] for f in indexes(site)[-1]["files"] if f["path"].endswith(".html")}
    tap.equal(there, wanted)
    tap.equal(shown(get(site)), indexes(site)[-1]["folder"])


def test_what_is_published_is_what_is_there():
    s = Site()
    done = s.publish(1, {".git/config": "secret", "a/.DS_Store": "x"})
    tap.equal((done["version"], done["new"], done["files"], done["sent"], done["added"], done["hidden"]),
              (1, True, 6, 6, 6, 2))
    check_whole(s)
    tap.equal(read(get(s)), 1)
    assert not any(".git" in f or ".DS" in f for f in files(place(s))), "hidden files went out"
    again = s.site()
    tap.equal((again["version"], again["new"], again["sent"]), (1, False, 0))
    tap.equal(len(indexes(s)), 1)
    s.write(2, {"b.html": "new", "logo.svg": "<svg/>"})
    dry = s.wherry("site", "--dry-run", "--json").lines()
    tap.equal([(c["change"], c["path"]) for c in dry[:-1]], [
        ("changed", "a/orders.html"), ("changed", "app.js"), ("added", "b.html"), ("changed", "data/rows.json"),
        ("changed", "index.html"), ("changed", "style.css")])
    tap.equal((dry[-1]["version"], dry[-1]["dry_run"], read(get(s))), (2, True, 1))
    tap.equal(s.site()["version"], 2)
    check_whole(s)
    tap.equal(read(get(s)), 2)


def test_a_page_that_goes_takes_its_door_along_and_nothing_else():
    s = Site(keep=2)
    (place(s)).mkdir(parents=True)
    (place(s) / "robots.txt").write_text("theirs")
    (place(s) / "theirs.html").write_text("theirs")
    s.publish(1, {"old.html": "old", "sub/old.html": "old"})
    assert (place(s) / "old.html").exists() and (place(s) / "sub/old.html").exists()
    for name in ("old.html", "sub/old.html"):
        (s.report / name).unlink()
    tap.equal(s.publish(2)["gone"], 2)
    assert not (place(s) / "old.html").exists() and not (place(s) / "sub/old.html").exists()
    tap.equal(((place(s) / "robots.txt").read_text(), (place(s) / "theirs.html").read_text()), ("theirs", "theirs"))
    tap.contains((place(s) / "a/orders.html").read_text(), "url=../index.html#/a/orders.html")


def test_versions_are_kept_and_brought_back():
    s = Site(keep=3)
    for n in range(1, 6):
        s.publish(n)
        check_whole(s)
    tap.equal([v["version"] for v in s.versions()], [5, 4, 3])
    done = s.wherry("rollback", "web:report/", "--json").lines()[-1]
    tap.equal((done["version"], done["of"], done["sent"], read(get(s))), (6, 4, 0, 4))
    check_whole(s)
    tap.equal([(v["version"], v["of"], v["latest"]) for v in s.versions()], [(6, 4, True), (5, 0, False), (4, 0, False)])
    tap.contains(s.wherry("rollback", "web:report/", "4").err, "shows version 4 already")
    tap.contains(s.wherry("rollback", "web:report/", "1", code=1).err, "there is no version 1")
    tap.contains(s.wherry("rollback", "web:report/", "x", code=2).err, "'x' is no version")
    tap.equal(s.wherry("rollback", "web:report/", "5", "--json").lines()[-1]["version"], 7)
    tap.equal(read(get(s)), 5)
    check_whole(s)
    tap.equal((s.site()["new"], read(get(s))), (False, 5))
    tap.equal((s.publish(9)["version"], read(get(s))), (8, 9))
    check_whole(s)


def test_no_version_yet():
    s = Site()
    tap.contains(s.wherry("versions", "web:report/", code=1).err, "no version is published yet")
    tap.contains(s.wherry("rollback", "web:report/", code=1).err, "there is no version before the present one")


# --- what is refused -----------------------------------------------------------------------------

def refused(s, why, *args, code=1):
    before = files(s.folder / "web") if (s.folder / "web").exists() else set()
    tap.contains(s.wherry("site", *args, code=code).err, why)
    tap.equal(files(s.folder / "web") if (s.folder / "web").exists() else set(), before, "something was published")


def test_nothing_leads_out_of_the_folder():
    s = Site()
    s.write(1)
    for name, to in (("passwd.txt", "/etc/passwd"), ("up", ".."), ("inside.html", "index.html"), ("gone", "nowhere")):
        (s.report / name).symlink_to(to)
        refused(s, f"{name}: is a symbolic link")
        (s.report / name).unlink()
    os.mkfifo(s.report / "pipe")
    refused(s, "pipe: is neither a file nor a folder")
    (s.report / "pipe").unlink()
    tap.equal(s.site()["version"], 1)


def test_names_that_no_key_can_have():
    s = Site()
    s.write(1)
    for name, why in (("a\nb.html", "control character"), (b"\xff.html", "not UTF-8"), ("_versions/x.html", "Choose another"),
                      ("a/_wherry/x", "Choose another")):
        path = os.path.join(os.fsencode(s.report), name if isinstance(name, bytes) else name.encode())
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w"):
            pass
        refused(s, why)
        os.remove(path)
        if b"/_" in path:
            os.rmdir(os.path.dirname(path))
    (s.report / "index.html").unlink()
    refused(s, "which is where people come in")
    os.rename(s.report, s.folder / "elsewhere")
    refused(s, "there is no folder")


def test_pages_that_are_somebody_elses_stay():
    s = Site()
    for name in ("index.html", "a/orders.html"):
        path = place(s) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("theirs")
        s.write(1)
        refused(s, f"{name} is there, and Wherry did not put it there")
        tap.equal(path.read_text(), "theirs")
        path.unlink()
    (place(s) / "a/orders.html").write_text("theirs")
    tap.equal(s.site("--replace")["version"], 1)
    check_whole(s)
    tap.contains((place(s) / "a/orders.html").read_text(), "#/a/orders.html")


def test_what_nobody_could_read_is_refused():
    s = Site(web=f"{{ type: local, path: web, encryption_key: '{'00' * 32}' }}")
    s.write(1)
    tap.contains(s.wherry("site", code=None).err, "no browser could read it")


def test_the_configuration():
    s = Site(to="web:report")
    for to, why in (("web:report", "'/' at the end"), ("web:r*/", "no pattern"), ("web:_wherry/x/", "Wherry's own"),
                    ("web:a//b/", "empty part"), ("nowhere:x/", "no connection 'nowhere'")):
        s.config((s.folder / "wherry.yaml").read_text().split("sites:")[0] + f'sites: {{ r: {{ from: x, to: "{to}" }} }}\n')
        tap.contains(s.wherry("check", code=2).err, why)
    s.config((s.folder / "wherry.yaml").read_text().split("sites:")[0] +
             'sites: { r: { from: x, to: "web:a/" }, q: { from: x, to: "web:a/b/" }, p: { to: "web:" }, o: }\n')
    said = s.wherry("check", code=2).err
    for part in ("site q: to: site r is there", "site p needs 'from'", "site o: say from where", "one within the other"):
        tap.contains(said, part)
    s = Site()
    tap.contains(s.wherry("site", "reprot", code=2).err, "no site 'reprot'. Did you mean 'report'?")
    s.config("version: 1\npipelines: {}\n")
    tap.contains(s.wherry("site", code=2).err, "wherry.yaml has no sites")


def test_a_whole_store_as_a_site():
    s = Site(to="web:")
    tap.equal(s.publish(1)["version"], 1)
    tap.equal(s.publish(2)["version"], 2)
    tap.equal(read(of_folder(s.folder / "web")), 2)
    tap.equal([v["version"] for v in s.versions()], [2, 1])


# --- while somebody reads ------------------------------------------------------------------------

def test_readers_see_one_version_or_the_next():
    s = Site()
    s.publish(1)
    readers = [Reader(get(s)) for _ in range(3)]
    for n in range(2, 22):
        s.publish(n)
    for reader in readers:
        seen = reader.stop()
        assert set(seen) <= set(range(1, 22)) and len(seen) > 1, seen
    check_whole(s)


def test_a_file_that_changes_while_it_is_read():
    """What is published has the hash that its index says, or nothing is"""
    s = Site(keep=100)
    s.write(1)
    large, over = s.report / "large.bin", threading.Event()
    large.write_bytes(bytes(8 << 20))

    def keep_changing():
        n = 0
        while not over.is_set():
            n += 1
            with open(large, "r+b") as f:
                for at in range(0, 8 << 20, 1 << 20):
                    f.seek(at)
                    f.write(n.to_bytes(8, "big") * 16)

    thread = threading.Thread(target=keep_changing)
    thread.start()
    try:
        for _ in range(6):
            result = s.wherry("site", code=None)
            assert result.code == 0 or "changed while it was read" in result.err, result
    finally:
        over.set()
        thread.join()
    s.site()
    for index in indexes(s):
        data = (place(s) / f"_versions/{index['folder']}/large.bin").read_bytes()
        tap.equal(hashlib.sha256(data).hexdigest(), [f["sha256"] for f in index["files"] if f["path"] == "large.bin"][0])


def test_two_who_publish_at_once():
    """Both are published, one after the other, and the door leads to the later one"""
    one = Site(keep=100)
    other = Site(web=f"{{ type: local, path: {one.folder}/web }}", keep=100)
    for n in range(1, 11):
        one.write(2 * n)
        other.write(2 * n + 1)
        for process in [one.start("site"), other.start("site")]:
            output = process.communicate()[0].decode()
            tap.equal(process.returncode, 0, output)
        last = indexes(one)[-1]
        page = (place(one) / f"_versions/{last['folder']}/index.html").read_text()
        tap.contains(page, f"version {read(get(one))}<")
    tap.equal([i["version"] for i in indexes(one)], list(range(1, 21)))
    check_whole(one)


def age(site, days=2):
    then = time.time() - days * 86400
    for f in place(site).rglob("*"):
        os.utime(f, (then, then))


def test_kills_at_random_moments():
    """kill -9 while it publishes and goes back: the door leads to a whole version, the one before or the new one"""
    dice = random.Random(tap.SEED)
    s = Site(keep=3)
    extra = {f"page{i}.html": "x" * 1000 for i in range(60)}
    started = time.monotonic()
    s.publish(1, extra)
    life = time.monotonic() - started
    reader, kills, n, now = Reader(get(s)), 0, 1, 1
    while kills < KILLS:
        goes_back = dice.random() < 0.2 and len(indexes(s)) > 1
        if goes_back:
            reader.stop()
        else:
            n += 1
            s.write(n, extra)
        process = s.start(*(["rollback", "web:report/"] if goes_back else ["site"]))
        time.sleep(dice.random() * life)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        seen = read(get(s))
        if goes_back:
            assert 1 <= seen <= n
        else:
            assert seen in (now, n), f"{seen}, where {now} was and {n} was coming"
        now = seen
        if goes_back or dice.random() < 0.3:
            n += 1
            s.publish(n, extra)
            now = n
            tap.equal(read(get(s)), n)
        if goes_back:
            reader = Reader(get(s))
    reader.stop()
    tap.equal(s.publish(n + 1, extra)["version"], indexes(s)[-1]["version"])
    age(s)
    s.publish(n + 2, extra)
    check_whole(s)
    tap.equal(read(get(s)), n + 2)


def test_what_is_left_over_goes_after_a_day():
    s = Site()
    s.publish(1)
    left = place(s) / "_versions/01jd3v00000000000000000000/style.css"
    other = place(s) / "_versions/notes/theirs.txt"
    for path in (left, other):
        path.parent.mkdir(parents=True)
        path.write_text("x")
    s.publish(2)
    assert left.exists(), "it may be somebody's who is at it"
    age(s)
    s.publish(3)
    assert not left.exists() and other.exists()
    other.unlink()
    check_whole(s)


tap.run()
