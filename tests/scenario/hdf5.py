#!/usr/bin/env python3
"""HDF5: what the codec reads is what h5py reads, of the generated songs and of files laid out quite
differently; what it refuses, it refuses with a reason."""
import base64
import json
import math
import os
import subprocess

import peers
import tap

peers.prefer()
try:
    import h5py
    import numpy as np
except ImportError:
    h5py = None

GENERATE = tap.BUILD / "examples/million-songs/generate-songs"
MARKS = ["bars", "beats", "sections", "tatums"]


class Place:
    def __init__(self):
        if not h5py:
            raise tap.Skip("h5py is not here; scripts/install-peers installs it")
        self.folder = tap.folder()

    def run(self, name, *options, code=0):
        out = self.folder / "out.ndjson"
        args = [part for option in options for part in ("--read", option)]
        done = subprocess.run([tap.WHERRY, "convert", self.folder / name, out, "--force", *args], text=True,
                              capture_output=True, timeout=120)
        assert done.returncode == code, f"{name} {options}: exit {done.returncode}\n{done.stderr}"
        return done.stderr if code else [json.loads(line) for line in out.read_text().splitlines()]

    def refuses(self, name, *options, says, code=1):
        said = self.run(name, *options, code=code)
        for part in [says] if isinstance(says, str) else says:
            tap.contains(said, part)

    def songs(self, *args):
        if not GENERATE.exists():
            raise tap.Skip("generate-songs was not built")
        subprocess.run([GENERATE, *map(str, args)], cwd=self.folder, check=True, timeout=120)
        return sorted(str(p.relative_to(self.folder)) for p in self.folder.rglob("*.h5"))


def same(got, want):
    """A value as JSON has it and as h5py reads it; NaN equals NaN."""
    if isinstance(want, (bytes, np.bytes_)):
        return got == want.decode()
    if isinstance(want, (float, np.floating)):
        return got == "NaN" if math.isnan(want) else got == float(want) or np.float32(got) == want
    if isinstance(want, (bool, np.bool_)):
        return got is bool(want)
    return got == (want.item() if isinstance(want, np.generic) else want)


def same_rows(got, want, what):
    tap.equal(len(got), len(want), what)
    for i, (a, b) in enumerate(zip(got, want)):
        tap.equal(list(a), list(b), f"{what}, columns")
        for name in b:
            assert same(a[name], b[name]), f"{what}, row {i + 1}, {name}: got {a[name]!r}, expected {b[name]!r}"


# --- songs -------------------------------------------------------------------------------------------

def slices(file, parent, start, array):
    starts = list(file[parent][start]) + [len(file[array])]
    return [file[array][a:b] for a, b in zip(starts, starts[1:])]


def check_songs(p, name):
    file = h5py.File(p.folder / name)
    stem = os.path.basename(name)[:-3]
    tables = ["/metadata/songs", "/analysis/songs", "/musicbrainz/songs"]
    rows = [{f: t[i][f] for t in (file[path] for path in tables) for f in t.dtype.names}
            for i in range(len(file[tables[0]]))]
    got = p.run(name, f"rows=[{', '.join(tables)}]", "file=name")
    same_rows(got, [{"name": stem} | row for row in rows], "songs")
    ids = file["/analysis/songs"]["track_id"]
    for mark in MARKS:
        arrays = [f"/analysis/{mark}_{kind}" for kind in ("start", "confidence")]
        want = [{"track_id": ids[k], "at": i + 1, f"{mark}_start": a, f"{mark}_confidence": b}
                for k, both in enumerate(zip(*(slices(file, tables[1], "idx_" + a[10:], a) for a in arrays)))
                for i, (a, b) in enumerate(zip(*both))]
        got = p.run(name, f"rows=[{', '.join(arrays)}]", "index=at",
                    "parent={path: /analysis/songs, start: 'idx_{name}', keep: track_id}")
        same_rows(got, want, mark)
    parts = ["start", "confidence", "loudness_max", "loudness_max_time", "loudness_start", "pitches", "timbre"]
    each = [slices(file, tables[1], f"idx_segments_{part}", f"/analysis/segments_{part}") for part in parts]
    want = []
    for k, arrays in enumerate(zip(*each)):
        for i, values in enumerate(zip(*arrays)):
            row = {"track_id": ids[k], "at": i}
            for part, value in zip(parts, values):
                if part in ("pitches", "timbre"):
                    row |= {f"{part[0]}{n + 1}": v for n, v in enumerate(value)}
                else:
                    row[f"segments_{part}"] = value
            want.append(row)
    paths = [f"/analysis/segments_{part}" for part in parts]
    paths[5] = f"{{path: {paths[5]}, prefix: p}}"
    paths[6] = f"{{path: {paths[6]}, prefix: t}}"
    got = p.run(name, f"rows=[{', '.join(paths)}]", "index=at", "index_from=0",
                "parent={path: /analysis/songs, start: 'idx_{name}', keep: [track_id]}")
    same_rows(got, want, "segments")
    got = p.run(name, "rows={path: /metadata/artist_terms, name: term, start: idx_artist_terms}",
                "parent={path: /metadata/songs, keep: {artist: artist_id}}")
    want = [{"artist": row["artist_id"], "term": term} for row, terms in
            zip(rows, slices(file, tables[0], "idx_artist_terms", "/metadata/artist_terms")) for term in terms]
    same_rows(got, want, "terms")


def test_files_of_one_song_are_what_h5py_reads():
    p = Place()
    for name in p.songs("songs", 6):
        check_songs(p, name)


def test_a_file_of_many_songs_is_what_h5py_reads():
    p = Place()
    [name] = p.songs("--aggregate", "all.h5", 40)
    check_songs(p, name)


# --- a quite different layout ------------------------------------------------------------------------

def write_station(path):
    """A weather station's file: structures of newer kinds, big-endian numbers, texts of variable
    length, enumerations, nested compounds, and values that stand alone."""
    with h5py.File(path, "w", libver=("v108", "v110")) as f:
        kind = np.dtype([("at", ">u8"), ("ok", "?"), ("sky", h5py.enum_dtype({"clear": 1, "fog": -3}, "i2")),
                         ("note", h5py.string_dtype()), ("wind", [("speed", "<f2"), ("from", "u1")]),
                         ("gusts", ">f4", (3,)), ("raw", "V4")])
        log = np.zeros(5000, kind)
        for i in range(len(log)):
            log[i] = (2**63 + i, i % 3 == 0, (1, -3)[i % 2], "" if i % 7 == 0 else f"n\u00ba {i} " + "x" * (i % 90),
                      (i / 8, i % 256), (i, i / 2, math.nan), bytes([i % 256, 1, 2, 3]))
        f.create_dataset("year/2026/log", data=log, chunks=(700,), maxshape=(None,), fletcher32=True)
        f.create_dataset("grid", data=np.arange(2 * 3 * 4, dtype="<i8").reshape(2, 3, 4))
        f.create_dataset("site/name", data="K\u00f8ge")
        f.create_dataset("site/height", data=np.array([12.5], ">f8"))
        f["site"].attrs["code"] = np.bytes_("DK-17")
        f.attrs["version"] = np.int16(-4)
        f["grid"].attrs["empty"] = h5py.Empty("<f4")
        f["grid/"].attrs["many"] = [1, 2]
        f.create_dataset("none", shape=(0,), dtype="<f8", maxshape=(None,), chunks=(10,))


def test_another_layout_is_what_h5py_reads():
    p = Place()
    write_station(p.folder / "s.hdf5")
    got = p.run("s.hdf5", "rows=/year/2026/log",
                "repeat={site: /site/name, height: /site/height, code: /site@code, v: /@version, e: /grid@empty}")
    log = h5py.File(p.folder / "s.hdf5")["year/2026/log"][:]
    sky = {1: "clear", -3: "fog"}
    want = [{"site": "K\u00f8ge", "height": 12.5, "code": "DK-17", "v": -4, "e": None, "at": r["at"], "ok": r["ok"],
             "sky": sky[int(r["sky"])], "note": r["note"], "wind.speed": r["wind"]["speed"],
             "wind.from": r["wind"]["from"], "gusts1": r["gusts"][0], "gusts2": r["gusts"][1],
             "gusts3": r["gusts"][2]} for r in log]
    for a, b in zip(got, log):
        tap.equal(base64.b64decode(a.pop("raw")), b["raw"].tobytes())
    same_rows(got, want, "log")
    grid = p.run("s.hdf5", "rows={path: /grid, prefix: g_}", "index=i")
    same_rows(grid, [{"i": i + 1} | {f"g_{k + 1}": 12 * i + k for k in range(12)} for i in range(2)], "grid")
    same_rows(p.run("s.hdf5", "repeat={code: /site@code}"), [{"code": "DK-17"}], "one row of attributes")
    tap.equal(p.run("s.hdf5", "rows=/none"), [])


def test_one_dataset_needs_no_name_and_several_do():
    p = Place()
    with h5py.File(p.folder / "one.h5", "w") as f:
        f["a/b"] = np.arange(3)
    same_rows(p.run("one.h5"), [{"b": i} for i in range(3)], "one")
    write_station(p.folder / "s.h5")
    p.refuses("s.h5", says=["several datasets", "/grid, /none, /site/height, /site/name, /year/2026/log"], code=2)


# --- what is refused ---------------------------------------------------------------------------------

def test_nothing_outside_of_the_file_is_read():
    p = Place()
    with h5py.File(p.folder / "other.h5", "w") as f:
        f["x"] = np.arange(3)
    (p.folder / "secret").write_bytes(b"12345678")
    with h5py.File(p.folder / "a.h5", "w") as f:
        f["link"] = h5py.ExternalLink(str(p.folder / "other.h5"), "/x")
        f["soft"] = h5py.SoftLink("/link")
        f.create_dataset("raw", shape=(1,), dtype="<i8", external=str(p.folder / "secret"))
        layout = h5py.VirtualLayout(shape=(3,), dtype="<i8")
        layout[:] = h5py.VirtualSource(str(p.folder / "other.h5"), "x", shape=(3,))
        f.create_virtual_dataset("virtual", layout)
    for path in ("/link", "/soft"):
        p.refuses("a.h5", f"rows={path}", says="cannot be opened")
    for path in ("/raw", "/virtual"):
        p.refuses("a.h5", f"rows={path}", says="keeps its values in other files")


def test_what_cannot_be_a_column_says_why():
    p = Place()
    with h5py.File(p.folder / "a.h5", "w") as f:
        f["x"] = np.arange(3)
        f["y"] = np.arange(4)
        f["z"] = np.zeros(3, [("x", "i4")])
        f.create_dataset("ref", data=np.array([f["x"].ref], h5py.ref_dtype))
        f.create_dataset("vlen", shape=(1,), dtype=h5py.vlen_dtype("i4"))
        f.create_dataset("wide", data=np.zeros((1, 5000), "i1"))
        f.create_dataset("long", data=np.zeros(1, np.longdouble))
        f["x"].attrs["many"] = [1, 2]
    p.refuses("a.h5", "rows=/ref", says="references")
    p.refuses("a.h5", "rows=/vlen", says="sequences of variable length")
    p.refuses("a.h5", "rows=/wide", says="5000 values")
    p.refuses("a.h5", "rows=/long", says="IEEE 754")
    p.refuses("a.h5", "rows=/no", says=["/no cannot be opened", "doesn't exist"])
    p.refuses("a.h5", "rows=/", says="no dataset")
    p.refuses("a.h5", "rows=[/x, /y]", says="/x has 3 rows and /y 4")
    p.refuses("a.h5", "rows=[/x, /z]", says="two columns are named x")
    p.refuses("a.h5", "rows=/x", "repeat={a: /x@many}", says="/x@many is no single value: it has 2")
    p.refuses("a.h5", "rows=/x", "repeat={a: /x@none}", says="no attribute /x@none")
    p.refuses("a.h5", "rows=x", says="begins with /", code=2)
    p.refuses("a.h5", "rows={path: /x, nam: a}", says="no word 'nam'", code=2)
    p.refuses("a.h5", "rows={path: /x, start: i}", says="there is none", code=2)
    done = subprocess.run([tap.WHERRY, "convert", p.folder / "a.h5", p.folder / "b.h5"], text=True,
                          capture_output=True, timeout=60)
    tap.equal(done.returncode, 2)
    tap.contains(done.stderr, "no codec writes")


def test_slices_that_do_not_fit_are_refused():
    p = Place()

    def write(starts, others, values=6):
        with h5py.File(p.folder / "a.h5", "w") as f:
            songs = np.zeros(len(starts), [("s", "<i4"), ("t", "<i8")])
            songs["s"], songs["t"] = starts, others
            f["songs"], f["a"], f["b"] = songs, np.arange(values), np.arange(values)
    rows = "rows=[{path: /a, start: s}, {path: /b, start: t}]"
    parent = "parent={path: /songs}"
    write([0, 2, 2, 6], [0, 2, 2, 6])
    tap.equal(len(p.run("a.h5", rows, parent, "index=i")), 6)
    for starts, others, says in [([0, 7], [0, 7], "is 7"), ([0, -1], [0, -1], "is -1"), ([1, 2], [1, 2], "is 1"),
                                 ([0, 3, 2], [0, 3, 2], "is 2"), ([0, 2], [0, 3], "cannot stand side by side"),
                                 ([], [], "no row that owns them")]:
        write(starts, others)
        p.refuses("a.h5", rows, parent, says=says)


def test_a_filter_that_is_not_there_is_named():
    p = Place()
    with h5py.File(p.folder / "a.h5", "w") as f:
        f.create_dataset("x", data=np.arange(100), chunks=(100,), compression="lzf")
    p.refuses("a.h5", "rows=/x", says=["filter 32000 (lzf)", "h5repack"])


def test_a_bad_text_rejects_its_row():
    p = Place()
    with h5py.File(p.folder / "a.h5", "w") as f:
        f["t"] = np.array([(1, b"good"), (2, b"b\xffd"), (3, b"\xe9"), (4, b"four")], [("i", "i4"), ("s", "S4")])
        kind = np.dtype([("c", h5py.enum_dtype({"a": 1, "b": 2}, "i4"))])
        f["e"] = np.array([(1,), (7,), (2,)], kind)
    p.run("a.h5", "rows=/t", code=3)
    tap.equal([json.loads(line)["i"] for line in (p.folder / "out.ndjson").read_text().splitlines()], [1, 4])
    rejects = (p.folder / "out.ndjson.rejected.ndjson").read_text()
    tap.contains(rejects, "not UTF-8")
    tap.contains(rejects, '"row":2')
    tap.contains(rejects, '"row":3')
    p.run("a.h5", "rows=/e", code=3)
    tap.contains((p.folder / "out.ndjson.rejected.ndjson").read_text(), "7 is no value of its enumeration")


def test_a_file_that_is_cut_or_no_hdf5_is_refused():
    p = Place()
    write_station(p.folder / "s.h5")
    whole = (p.folder / "s.h5").read_bytes()
    for cut in [0, 7, 100, 1000, len(whole) // 2, len(whole) - 1]:
        (p.folder / "cut.h5").write_bytes(whole[:cut])
        p.refuses("cut.h5", "rows=/grid", says="not an HDF5 file that can be read" if cut else "file")


def test_a_large_file_is_read_in_blocks_within_its_memory():
    p = Place()
    with h5py.File(p.folder / "a.h5", "w") as f:
        x = np.random.default_rng(tap.SEED).integers(0, 2**62, 3_000_000)
        f.create_dataset("x", data=x, chunks=(20000,), compression="gzip", compression_opts=1, shuffle=True)
        f.create_dataset("y", data=x[::-1])
    assert os.path.getsize(p.folder / "a.h5") > 40 << 20
    rows = p.run("a.h5", "rows=[/x, /y]", "index=i")
    tap.equal(len(rows), len(x))
    for i in range(0, len(x), 9973):
        tap.equal(rows[i], {"i": i + 1, "x": int(x[i]), "y": int(x[-1 - i])})


if __name__ == "__main__":
    tap.run()
