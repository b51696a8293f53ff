#!/usr/bin/env python3
"""The worked example million-songs: generated files of the dataset's layout, into SQLite and MariaDB. What
is there is what Python computes from the same files by the dataset's rules."""
import math
import random
import signal
import sqlite3
import subprocess
import time

import tap
from mariadb import MariaDB
from project import Project
from song_files import Songs

EXAMPLE = tap.ROOT / "examples/million-songs"
GENERATE = tap.BUILD / "examples/million-songs/generate-songs"
SONGS = 100 if tap.LONG else 10
KILLS = 50 if tap.LONG else 5
METADATA = (("artist_id", "32s"), ("release", "1024s"), ("song_hotttnesss", "d"), ("title", "1024s"), ("track_7digitalid", "i"))
ANALYSIS = (("analysis_sample_rate", "i"), ("audio_md5", "32s"), ("danceability", "d"), ("duration", "d"),
            ("end_of_fade_in", "d"), ("energy", "d"), ("key", "i"), ("key_confidence", "d"), ("loudness", "d"), ("mode", "i"),
            ("mode_confidence", "d"), ("start_of_fade_out", "d"), ("tempo", "d"), ("time_signature", "i"),
            ("time_signature_confidence", "d"))
TRACK = ("track_id", *(name for name, _ in ANALYSIS), "artist_id", "release", "song_hotness", "title", "track_7digitalid", "year")
MARKS = ("section", "bar", "beat", "tatum")
SEGMENT = ("confidence", "start", "loudness_max", "loudness_max_time", "loudness_start")


def text_rows(path):
    return [line.split("<SEP>") for line in path.read_text().splitlines()]


def side_truth(folder):
    """The tables of the side files."""
    at = folder / "songs/AdditionalFiles"
    places = {row[0]: (float(row[1]), float(row[2])) for row in text_rows(at / "artist_location.txt")}
    truth = {"artist": {(row[0], row[1], row[3], *places.get(row[0], (None, None))) for row in text_rows(at / "unique_artists.txt")},
             "r_term": {tuple(row) for row in text_rows(at / "unique_terms.txt")},
             "r_mbtag": {tuple(row) for i, row in enumerate(text_rows(at / "unique_mbtags.txt")) if i not in (2, 3)}}
    with sqlite3.connect(at / "artist_term.db") as db:
        truth["artist_term"] = set(db.execute("SELECT artist_id, term FROM artist_term"))
        truth["artist_mbtag"] = set(db.execute("SELECT artist_id, mbtag FROM artist_mbtag"))
    with sqlite3.connect(at / "artist_similarity.db") as db:
        truth["artist_similarity"] = set(db.execute("SELECT target, similar FROM similarity"))
    return truth


def known_number(value):
    return None if value == 0 or math.isnan(value) else value


def song_truth(path, truth):
    songs, track = Songs(path), path.stem
    row = {**songs.fields("/metadata/songs", METADATA), **songs.fields("/analysis/songs", ANALYSIS),
           **songs.fields("/musicbrainz/songs", (("year", "i"),)), "track_id": track}
    hotness = row["song_hotttnesss"]
    row["song_hotness"] = None if math.isnan(hotness) else hotness
    for name in ("danceability", "energy", "year"):
        row[name] = known_number(row[name])
    row["track_7digitalid"] = str(row["track_7digitalid"])
    truth["track"].add(tuple(row[name] for name in TRACK))
    for mark in MARKS:
        pairs = zip(songs.numbers(f"/analysis/{mark}s_confidence"), songs.numbers(f"/analysis/{mark}s_start"))
        truth[mark] |= {(track, i + 1, *pair) for i, pair in enumerate(pairs)}
    columns = [songs.numbers(f"/analysis/segments_{name}") for name in SEGMENT]
    wide = [songs.numbers(f"/analysis/segments_{name}") for name in ("pitches", "timbre")]
    for i, values in enumerate(zip(*columns)):
        truth["segment"].add((track, i + 1, *values, *(v for array in wide for v in array[12 * i:12 * i + 12])))
    songs.close()


def truth_of(folder):
    truth = side_truth(folder)
    truth.update({name: set() for name in ("track", "segment", *MARKS)})
    for path in (folder / "songs/data").rglob("*.h5"):
        song_truth(path, truth)
    return truth


SHOWN = {"artist": "artist_id, artist_mbid, artist_name, artist_lat, artist_long", "r_term": "term_name",
         "r_mbtag": "mbtag_name", "artist_term": "artist_id, term_name", "artist_mbtag": "artist_id, mbtag_name",
         "artist_similarity": "artist_id_1, artist_id_2",
         "track": ", ".join("{q}" + name + "{q}" for name in TRACK),
         **{m: f"track_id, track_{m}_id, {m}_confidence, {m}_start" for m in MARKS},
         "segment": ", ".join(["track_id", "track_segment_id", *("segment_" + name for name in SEGMENT),
                               *(f"{letter}{i + 1}" for letter in "pt" for i in range(12))])}


class Lite:
    quote, connection, env = '"', None, None

    def open(self, folder):
        self.path = folder / "music.db"
        with sqlite3.connect(self.path) as db:
            db.executescript((EXAMPLE / "schema-sqlite.sql").read_text())

    def rows(self, text):
        with sqlite3.connect(self.path, timeout=60) as db:
            return db.execute(text).fetchall()


class Maria:
    quote, count = "`", 0

    def __init__(self):
        self.server = MariaDB()
        self.connection = self.server.create("music")
        self.env = self.server.env()

    def open(self, folder):
        self.server.sql((EXAMPLE / "schema-mysql.sql").read_text(), "music")

    def rows(self, text):
        return [tuple(row) for row in self.server.sql(text, "music")]


class Music(Project):
    def __init__(self, place, songs):
        if not GENERATE.exists():
            raise tap.Skip("the generator is not built (libhdf5)")
        self.place = place
        text = (EXAMPLE / "wherry.yaml").read_text()
        if place.connection:
            text = text.replace("    type: sqlite\n    path: music.db\n", "").replace("  music: #", f"  music: {place.connection} #")
        super().__init__(config=text)
        self.generate(songs)
        place.open(self.folder)

    def generate(self, songs):
        subprocess.run([str(GENERATE), "songs", str(songs)], cwd=self.folder, check=True)

    def check_equal(self, truth=None):
        for table, rows in (truth or truth_of(self.folder)).items():
            got = self.place.rows(f"SELECT {SHOWN[table].format(q=self.place.quote)} FROM msd_{table}")
            tap.equal(len(got), len(rows), table)
            same(table, got, rows)

    def go(self, *args, **more):
        return self.wherry(*args, env=self.place.env, **more)


def plain(value):
    return repr(float(value) + 0.0) if isinstance(value, (int, float)) else value  # -0.0 is 0.0


def same(table, got, want):
    """Texts and numbers apart: a server's program prints both as text."""
    kinds = [any(isinstance(row[i], (int, float)) for row in want) for i in range(len(next(iter(want), ())))]
    shown = {tuple(plain(float(v) if is_number and v is not None else v) for v, is_number in zip(row, kinds)) for row in got}
    wanted = {tuple(plain(v) for v in row) for row in want}
    assert shown == wanted, f"{table}: {len(shown - wanted)} not expected, {len(wanted - shown)} missing; " \
                            f"{list(shown - wanted)[:1]} {list(wanted - shown)[:1]}"


def story(place):
    music = Music(place, SONGS)
    check = music.go("check")
    assert "warning" not in check.err, check.err
    done = music.go("run", "--json", code=3).lines()
    music.check_equal()
    songs = [run for run in done if run["pipeline"] == "songs"]
    tap.equal(len(songs), SONGS)
    rejected = music.go("quarantine", "show", "known-mbtags", "--json").lines()
    tap.equal([row["row"] for row in rejected], [3, 4], "the broken rows, counted from 1")
    tap.equal([run for run in music.go("run", "--json").lines() if run.get("pipeline") == "songs"], [])
    music.check_equal()
    music.go("verify")


def test_sqlite():
    """The example in SQLite, compared row by row"""
    story(Lite())


def test_mariadb():
    """The example in MariaDB, compared row by row"""
    story(Maria())


def test_kills():
    """kill -9 while songs are loaded: foreign keys hold at every moment, and in the end nothing is lost or doubled"""
    music = Music(Lite(), 2 * SONGS)
    data, away = music.folder / "songs/data", music.folder / "away"
    data.rename(away)
    music.go("run", code=3)
    away.rename(data)
    dice = random.Random(tap.SEED)
    for _ in range(KILLS):
        process = music.start("run", "songs")
        time.sleep(dice.random())
        process.send_signal(signal.SIGKILL)
        process.communicate()
        tap.equal(music.place.rows("PRAGMA foreign_key_check"), [])
    music.go("run", "songs")
    music.check_equal()


tap.run()
