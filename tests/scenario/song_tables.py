#!/usr/bin/env python3
"""Objects that hold several tables, loaded into all of them at once: what is there in the end is
what the files were made of, as another program reads it, whatever came between."""
import math
import os
import random
import shutil
import signal
import sqlite3
import time

import song_files
import tap
from mariadb import MariaDB
from project import Project
from servers import Postgres
from tds_peer import TdsPeer

CONFIG = """\
version: 1
connections:
  lake: {{ type: local, path: lake }}
  music: {music}
pipelines:
  songs:
    when: new
    from: lake:songs/**/*.h5
{more}    tables:
      artist:
        rows: /songs
        columns: {{ artist_id: artist_id, name: artist_name }}
        to: music:artist
        write: {{ mode: upsert, key: artist_id, order: side-table }}
      track:
        rows: /songs
        file: file_name
        steps:
          - null_if: {{ year: 0, hotness: NaN }}
        columns: {{ song_id: song_id, artist_id: artist_id, file: file_name, title: title, year: year, hotness: hotness }}
        expect: {{ title: {{ matches: {titles} }} }}
        to: music:track
        write: {{ mode: upsert, key: song_id, order: side-table }}
      beat:
        rows: [/beats_start, /beats_confidence]
        parent: {{ path: /songs, start: "idx_{{name}}", keep: [song_id] }}
        index: number
        columns: {{ song_id: song_id, number: number, start: beats_start, confidence: beats_confidence }}
        to: music:beat
"""
TABLES = """
CREATE TABLE artist (artist_id {key} NOT NULL PRIMARY KEY, name {text} NOT NULL);
CREATE TABLE track (song_id {key} NOT NULL PRIMARY KEY, artist_id {key} NOT NULL, file {text} NOT NULL, title {text},
                    year INTEGER, hotness {double}, FOREIGN KEY (artist_id) REFERENCES artist (artist_id));
CREATE TABLE beat (beat_id {identity}, song_id {key} NOT NULL, number INTEGER NOT NULL, start {double} NOT NULL,
                   confidence {double} NOT NULL, FOREIGN KEY (song_id) REFERENCES track (song_id));
"""
KILLS = 200 if tap.LONG else 12


class Lite:
    """The targets in SQLite; the others below have the same verbs."""
    words = "{ type: sqlite, path: music.db }"

    def open(self, p):
        self.path = p.folder / "music.db"
        self.sql("PRAGMA journal_mode = WAL")
        for statement in TABLES.format(key="TEXT", text="TEXT", double="REAL", identity="INTEGER PRIMARY KEY").split(";"):
            self.sql(statement)

    def sql(self, text):
        with sqlite3.connect(self.path, timeout=60) as db:
            return db.execute(text).fetchall()

    def env(self):
        return None


class Maria:
    server, count = None, 0

    def __init__(self):
        Maria.server = Maria.server or MariaDB()
        Maria.count += 1
        self.name = f"music{Maria.count}"
        self.words = self.server.create(self.name)

    def open(self, p):
        self.sql(TABLES.format(key="CHAR(18) CHARACTER SET ascii", text="VARCHAR(60) CHARACTER SET utf8mb4",
                               double="DOUBLE", identity="BIGINT AUTO_INCREMENT PRIMARY KEY"))

    def sql(self, text):
        return [tuple(row) for row in self.server.sql(text, self.name)]

    def env(self):
        return self.server.env()


class Pg:
    def __init__(self):
        self.server = Postgres()
        self.words = self.server.words()

    def open(self, p):
        self.sql(TABLES.format(key="text", text="text", double="double precision",
                               identity="bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"))

    def sql(self, text):
        return [tuple(value or None for value in row) for row in self.server.rows(text)]

    def env(self):
        return dict(os.environ, PG_PASSWORD=self.server.PASSWORD)


class Tds:
    """SQL Server's, against the peer, which keeps no foreign keys."""

    def __init__(self):
        if not shutil.which("tsql"):
            raise tap.Skip("freetds-bin is not installed")
        self.server = TdsPeer()
        self.words = self.server.words("music")

    def open(self, p):
        tables = TABLES.format(key="nvarchar(18) COLLATE Latin1_General_100_BIN2", text="nvarchar(60)", double="float",
                               identity="bigint IDENTITY(1,1) PRIMARY KEY").replace("INTEGER", "int")
        self.server.tsql(tables.replace("\n", " ").replace(";", "\n").strip(), "music")

    def sql(self, text):
        return [tuple(None if value == "NULL" else value for value in row) for row in self.server.tsql(text, "music")]

    def env(self):
        return dict(os.environ, TDS_PASSWORD=TdsPeer.PASSWORD)


class Music(Project):
    def __init__(self, place, seed=0, more="", titles='"^Title"'):
        self.place, self.songs, self.dice = place, {}, random.Random(tap.SEED + seed)
        self.more, self.titles = more, titles
        super().__init__(config=self.text())
        (self.folder / "lake/songs").mkdir(parents=True)
        place.open(self)

    def text(self):
        return CONFIG.format(music=self.place.words, more=self.more, titles=self.titles)

    def add(self, files, songs=1, **changes):
        """Files of so many songs each; returns the songs."""
        made = []
        for _ in range(files):
            group = [dict(song_files.song(len(self.songs) + i, self.dice), **changes) for i in range(songs)]
            name = group[0]["song_id"]
            (self.folder / "lake/songs" / name[-1]).mkdir(exist_ok=True)
            for song in group:
                self.songs[song["song_id"]] = dict(song, file=name)
            whole = self.folder / "made.h5"
            song_files.write(whole, group)
            os.replace(whole, self.folder / "lake/songs" / name[-1] / f"{name}.h5")
            made += group
        return made

    def go(self, *args, **more):
        return self.wherry(*args, env=self.place.env(), **more)

    def runs(self, code=0):
        return [line for line in self.go("run", "--json", code=code).lines() if "rows_read" in line]

    def check_equal(self, songs=None):
        """All rows of all tables, and no other."""
        songs = list(self.songs.values()) if songs is None else songs
        same(self.place.sql("SELECT artist_id, name FROM artist"), {(s["artist_id"], s["artist_name"]) for s in songs})
        same(self.place.sql("SELECT song_id, artist_id, file, title, year, hotness FROM track"),
             {(s["song_id"], s["artist_id"], s["file"], s["title"], s["year"] or None,
               None if math.isnan(s["hotness"]) else s["hotness"]) for s in songs})
        same(self.place.sql("SELECT song_id, number, start, confidence FROM beat"),
             {(s["song_id"], i + 1, *beat) for s in songs for i, beat in enumerate(s["beats"])})
        ids = [int(row[0]) for row in self.place.sql("SELECT beat_id FROM beat")]
        tap.equal(len(ids), len(set(ids)), "generated keys")

    def check_whole(self):
        """Whatever happened: a song is there with all its rows, or not at all, and its mark says which."""
        there = {row[0] for row in self.place.sql("SELECT song_id FROM track")}
        self.check_equal([song for key, song in self.songs.items() if key in there])
        marks = self.place.sql("SELECT object FROM _wherry_marks WHERE done = 1")
        tap.equal({mark[0].split("/")[-1].split(".h5")[0] for mark in marks}, {self.songs[key]["file"] for key in there})


def same(rows, want):
    def plain(row):
        return tuple(round(v, 9) if isinstance(v, float) else v for v in row)

    got = sorted((plain(map(number, row)) for row in rows), key=str)
    want = sorted((plain(row) for row in want), key=str)
    assert got == want, f"{len(got)} rows, {len(want)} expected; first {[(g, w) for g, w in zip(got, want) if g != w][:2]}"


def number(value):
    """As the servers' programs print them."""
    if not isinstance(value, str):
        return value
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            pass
    return value


def story(place):
    p = Music(place)
    p.add(40)
    p.add(3, songs=25)
    runs = p.runs()
    tap.equal(len(runs), 43, "a run a file")
    p.check_equal()
    beats = sum(len(s["beats"]) for s in p.songs.values())
    tap.equal(sum(run["rows_read"] for run in runs), 2 * len(p.songs) + beats)
    for run in runs:
        tap.equal(run["rows_read"], run["rows_written"] + run["rows_unchanged"] + run["rows_superseded"])
        tap.equal(run["output"], "music:artist, track, beat")
    tap.equal(p.runs(), [], "nothing twice")
    p.add(2)
    tap.equal(len(p.runs()), 2, "only what is new")
    p.check_equal()
    p.check_whole()
    p.go("verify")
    return p


def test_sqlite():
    """Into SQLite: all rows, once, a receipt a file"""
    p = story(Lite())
    receipt = p.go("receipt", p.go("runs", "--json").lines()[0]["run"]).out
    tap.contains(receipt, "artist: 1 read")
    tap.contains(receipt, "beat: ")


def test_mariadb():
    """Into MariaDB"""
    story(Maria())


def test_postgres():
    """Into PostgreSQL"""
    story(Pg())


def test_sqlserver():
    """Into SQL Server, as far as the peer is one"""
    story(Tds())


def test_plan_tells_of_every_table():
    """plan shows each table, and the lock holds what crosses to each"""
    p = Music(Lite())
    p.add(1)
    plan = p.go("plan", "songs").out
    for text in ("songs: artist", "songs: track", "music:beat", "beats_start", "exists and fits", "idx_beats_start"):
        tap.contains(plan, text)
    tables = [line["table"] for line in p.go("plan", "songs", "--json").lines()]
    tap.equal(tables, ["artist", "track", "beat"])
    p.go("plan", "--lock")
    lock = (p.folder / "wherry.lock").read_text()
    tap.contains(lock, "songs  music:beat  number  from number")
    p.runs()
    p.check_equal()
    p.add(1)
    p.config(p.text().replace("title: title", "title: title, more: year"))
    refused = p.go("run", code=1)
    tap.contains(refused.err, "more (from year")


REFUSED = (
    ("to: music:beat\n", "to: lake:x-{run}.json\n", "lake holds objects. Name a table of a database"),
    ("to: music:beat\n", "to: other:beat\n", "committed together, which takes one connection"),
    ("to: music:beat\n", "to: music:track\n", "track and beat go to the same table"),
    ("to: music:beat\n", "to: music:beat\n        write: { mode: replace }\n", "Here write append or upsert"),
    ("to: music:beat\n", "tow: music:beat\n", "Did you mean 'to'?"),
    ("        index: number\n", "        indx: number\n", "Did you mean 'index'?"),
    ("rows: [/beats_start, /beats_confidence]", "rows: []", "tables: beat"),
    ("song_id: song_id, number", "number: number, number", "twice"),
    ("    tables:", "    columns: all\n    tables:", "has no place beside tables"),
    ("    tables:", "    to: music:song\n    tables:", "has no place beside tables"),
    ("songs/**/*.h5", "songs/**/*.csv", "an object of csv holds one table"),
    ("songs/**/*.h5", "songs/**/*", "say of which format the objects are"),
    ("from: lake:songs/**/*.h5", "from: other:songs", "tables are of objects"),
    ("expect: { title: { matches: \"^Title\" } }", "expect: { at_least_rows: 50% }", "Write a number of rows"),
    ("expect: { title: { matches: \"^Title\" } }", "expect: { titel: [not_null] }", "Did you mean 'title'?"),
    ("- null_if: { year: 0, hotness: NaN }", "- nul_if: { year: 0 }", "null_if"),
)


def test_what_is_refused():
    """What tables cannot be is said where it stands"""
    p = Music(Lite())
    for before, after, message in REFUSED:
        text = p.text().replace("  music:", "  other: { type: sqlite, path: other.db }\n  music:", 1)
        assert before in text, before
        p.config(text.replace(before, after, 1))
        shown = p.wherry("check", code=2)
        tap.contains(shown.err, message)
        tap.contains(shown.err, "wherry.yaml:")


def test_rejected_rows():
    """A row that breaks a rule takes those that refer to it along; a replay brings them back in order"""
    p = Music(Lite())
    p.add(3)
    bad = p.add(2, title="Without", beats=[(0.5, 0.25), (1.0, 0.5)])
    good = [s for s in p.songs.values() if s["title"] != "Without"]
    runs = p.runs(code=3)
    tap.equal(sorted(run["rows_quarantined"] for run in runs), [0, 0, 0, 3, 3])
    artists = {(s["artist_id"], s["artist_name"]) for s in p.songs.values()}
    same(p.place.sql("SELECT artist_id, name FROM artist"), artists)
    tap.equal({row[0] for row in p.place.sql("SELECT song_id FROM track")}, {s["song_id"] for s in good})
    rows = p.go("quarantine", "show", "songs", "--json").lines()
    tap.equal(sorted(row["table"] for row in rows), ["beat"] * 4 + ["track"] * 2)
    tap.equal({row["rule"] for row in rows}, {"matches", "constraint"})
    tap.contains(p.go("quarantine", "show", "songs").out, "beat: FOREIGN KEY")
    p.titles = '"^[TW]"'
    p.config(p.text())
    p.go("quarantine", "replay", "songs")
    tap.equal(p.go("quarantine", "show", "songs", "--json").lines(), [])
    p.check_equal()
    tap.equal(len(bad), 2)


def test_a_damaged_file():
    """What fails of one file is taken back alone: the others are loaded, before it and behind it"""
    p = Music(Lite())
    p.add(12)
    broken = sorted((p.folder / "lake").rglob("*.h5"))[5]
    whole = broken.read_bytes()
    broken.write_bytes(whole[:len(whole) // 2])
    runs = p.runs(code=1)
    tap.equal(sorted(run["status"] for run in runs), ["done"] * 11 + ["failed"])
    p.check_whole()
    p.check_equal([s for s in p.songs.values() if s["file"] != broken.stem])
    broken.write_bytes(whole)
    p.runs()
    p.check_equal()


def kills(place, seed):
    p = Music(place, seed=seed)
    p.add(150)
    p.add(4, songs=30)
    started = time.monotonic()
    p.runs()
    life = time.monotonic() - started
    p.check_equal()
    survived = 0
    for _ in range(KILLS):
        p.add(p.dice.randrange(20, 60))
        process = p.start("run", env=p.place.env())
        time.sleep(p.dice.random() * life)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        survived += process.returncode == 0
        p.check_whole()
    p.runs()
    p.check_equal()
    p.check_whole()
    p.go("verify")
    tap.note(f"{KILLS} kills, {survived} lives ended before theirs")


def test_kills_sqlite():
    """kill -9 at random moments: in SQLite each file is there whole or not at all, and in the end all are"""
    kills(Lite(), 1)


def test_kills_mariadb():
    """The same in MariaDB"""
    kills(Maria(), 2)


tap.run()
