#!/usr/bin/env python3
"""Files of songs: all their tables and arrays read, by the codec, by libhdf5 alone and by PyTables.

    bench/songs.py BUILD [--songs 200] [--rounds 3] [--pytables PYTHON]

One song a file, and one file of as many. Processor time of one thread, each way in turn, then again; the
medians. PyTables (of the Python named) reads a tenth of the songs, once, as the data set's own scripts do:
a field or an array of one song at a time.
"""
import argparse
import pathlib
import statistics
import subprocess
import tempfile

GETTERS = '''
import sys, time, tables

def read(file, song):
    for group in (file.root.metadata, file.root.analysis, file.root.musicbrainz):
        songs = group.songs
        for name in songs.colnames:
            if not name.startswith("idx_"):
                getattr(songs.cols, name)[song]
        for array in group:
            if array is songs:
                continue
            name = array.name.removesuffix("_freq").removesuffix("_weight").removesuffix("_count")
            start = getattr(songs.cols, "idx_" + name)
            array[start[song]:] if song + 1 == songs.nrows else array[start[song]:start[song + 1]]

most, began, count = int(sys.argv[1]), time.process_time(), 0
for path in sys.argv[2:]:
    with tables.open_file(path) as file:
        for song in range(file.root.metadata.songs.nrows):
            if count < most:
                read(file, song)
                count += 1
print((time.process_time() - began) / count)
'''


def read(build, files, songs, options):
    done = subprocess.run([build / "bench/hdf5-read", str(options.rounds), *files], check=True, text=True,
                          capture_output=True).stdout
    rounds = {}
    for line in done.splitlines():
        rounds.setdefault(line[:20].strip(), []).append(float(line[20:].split()[0]) / songs)
    figures = {name: statistics.median(values) for name, values in rounds.items()}
    if options.pytables:
        figures["PyTables getters"] = float(subprocess.run(
            [options.pytables, "-c", GETTERS, str(max(songs // 10, 1)), *files], check=True, text=True,
            capture_output=True).stdout)
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--songs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pytables", help="a Python that has the package tables")
    options = parser.parse_args()
    generate = options.build / "examples/million-songs/generate-songs"
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        subprocess.run([generate, folder / "songs", str(options.songs)], check=True)
        subprocess.run([generate, "--aggregate", folder / "all.h5", str(options.songs)], check=True)
        for title, files in (("a file a song", sorted((folder / "songs").rglob("*.h5"))),
                             ("one file", [folder / "all.h5"])):
            figures = read(options.build, files, options.songs, options)
            for name, seconds in figures.items():
                print(f"{title:15} {name:20} {seconds * 1000:8.2f} ms a song   {seconds / figures['wherry']:6.2f} of ours",
                      flush=True)


if __name__ == "__main__":
    main()
