"""Small HDF5 files as libhdf5 itself writes them: songs with their beats, one or many a file."""
import ctypes
import ctypes.util
import math
import struct

import tap

COMPOUND, TRUNCATE, READ_ONLY, DEFAULT, NUL_PADDED = 6, 2, 0, 0, 1
SONG = (("song_id", "18s"), ("artist_id", "18s"), ("artist_name", "40s"), ("title", "60s"), ("year", "i"),
        ("hotness", "d"), ("idx_beats_start", "i"), ("idx_beats_confidence", "i"))


def library():
    for name in ("hdf5_serial", "hdf5"):
        try:
            lib = ctypes.CDLL(ctypes.util.find_library(name) or f"lib{name}.so.103")
        except OSError:
            continue
        for call in ("H5Fcreate", "H5Fopen", "H5Tcopy", "H5Tcreate", "H5Screate_simple", "H5Dcreate2", "H5Dopen2",
                     "H5Dget_space", "H5Sget_simple_extent_npoints"):
            getattr(lib, call).restype = ctypes.c_int64
        lib.H5open()
        return lib
    raise tap.Skip("libhdf5 is not installed")


def known(lib, name):
    return ctypes.c_int64(ctypes.c_int64.in_dll(lib, name).value)


def member(lib, kind):
    if kind == "i":
        return known(lib, "H5T_STD_I32LE_g")
    if kind == "d":
        return known(lib, "H5T_IEEE_F64LE_g")
    text = ctypes.c_int64(lib.H5Tcopy(known(lib, "H5T_C_S1_g")))
    lib.H5Tset_size(text, ctypes.c_size_t(int(kind[:-1])))
    lib.H5Tset_strpad(text, NUL_PADDED)
    return text


def compound(lib, fields):
    record = struct.Struct("<" + "".join(kind for _, kind in fields))
    made = ctypes.c_int64(lib.H5Tcreate(COMPOUND, ctypes.c_size_t(record.size)))
    at = 0
    for name, kind in fields:
        lib.H5Tinsert(made, name.encode(), ctypes.c_size_t(at), member(lib, kind))
        at += struct.calcsize("<" + kind)
    return made, record


def put(lib, file, name, kind, count, data):
    dims = (ctypes.c_uint64 * 1)(count)
    space = ctypes.c_int64(lib.H5Screate_simple(1, dims, None))
    dataset = ctypes.c_int64(lib.H5Dcreate2(file, name.encode(), kind, space, *[ctypes.c_int64(DEFAULT)] * 3))
    assert dataset.value >= 0, name
    if count:
        lib.H5Dwrite(dataset, kind, *[ctypes.c_int64(DEFAULT)] * 3, data)
    lib.H5Dclose(dataset)
    lib.H5Sclose(space)


def write(path, songs):
    """songs: dicts of SONG's fields but the idx_ ones, and beats: [(start, confidence)]."""
    lib = library()
    file = ctypes.c_int64(lib.H5Fcreate(str(path).encode(), TRUNCATE, *[ctypes.c_int64(DEFAULT)] * 2))
    assert file.value >= 0, path
    kind, record = compound(lib, SONG)
    rows, beats = [], []
    for song in songs:
        values = [song[name] for name, _ in SONG[:-2]]
        rows.append(record.pack(*[v.encode() if isinstance(v, str) else v for v in values], len(beats), len(beats)))
        beats += song["beats"]
    put(lib, file, "/songs", kind, len(rows), b"".join(rows))
    for i, name in enumerate(("/beats_start", "/beats_confidence")):
        put(lib, file, name, known(lib, "H5T_IEEE_F64LE_g"), len(beats),
            struct.pack(f"<{len(beats)}d", *[beat[i] for beat in beats]))
    lib.H5Fclose(file)


def song(number, dice, artists=7):
    """One of a few artists, some values that mean that nobody knows, and sometimes no beats."""
    artist = dice.randrange(artists)
    return {"song_id": f"SO{number:016}", "artist_id": f"AR{artist:016}", "artist_name": f"Größe {artist}",
            "title": f"Title {number}", "year": dice.choice((0, 1999, 2005)),
            "hotness": dice.choice((math.nan, 0.25, 0.5)),
            "beats": [(i * 0.5, dice.random()) for i in range(dice.randrange(0, 40))]}


class Songs:
    """A file of the Million Song Dataset's layout, as libhdf5 reads it."""

    def __init__(self, path):
        self.lib = library()
        self.file = ctypes.c_int64(self.lib.H5Fopen(str(path).encode(), READ_ONLY, ctypes.c_int64(DEFAULT)))
        assert self.file.value >= 0, path

    def close(self):
        self.lib.H5Fclose(self.file)

    def bytes_of(self, name, kind, size):
        dataset = ctypes.c_int64(self.lib.H5Dopen2(self.file, name.encode(), ctypes.c_int64(DEFAULT)))
        assert dataset.value >= 0, name
        space = ctypes.c_int64(self.lib.H5Dget_space(dataset))
        count = self.lib.H5Sget_simple_extent_npoints(space)
        data = ctypes.create_string_buffer(max(count, 1) * size)
        if count:
            self.lib.H5Dread(dataset, kind, *[ctypes.c_int64(DEFAULT)] * 3, data)
        self.lib.H5Sclose(space)
        self.lib.H5Dclose(dataset)
        return data.raw[:count * size]

    def fields(self, name, fields):
        """The first row of a compound dataset."""
        kind, record = compound(self.lib, fields)
        values = record.unpack(self.bytes_of(name, kind, record.size)[:record.size])
        return {field: v.split(b"\0")[0].decode() if isinstance(v, bytes) else v for (field, _), v in zip(fields, values)}

    def numbers(self, name):
        data = self.bytes_of(name, known(self.lib, "H5T_NATIVE_DOUBLE_g"), 8)
        return list(struct.unpack(f"<{len(data) // 8}d", data))
