#!/usr/bin/env python3
"""Puts files into the program.

    embed.py OUT.c OUT.h NAME=FILE ...

OUT.h declares, for each NAME, `extern const wh_str NAME;` whose bytes are those of FILE, with a
NUL behind them that does not count. meson calls this; see src/ledger/meson.build for how.
"""
import pathlib
import re
import sys

BYTES_PER_LINE = 20


def parse(arguments):
    files = []
    for argument in arguments:
        name, equals, path = argument.partition("=")
        if not equals or not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
            sys.exit(f"embed.py: '{argument}' is not NAME=FILE with NAME in lower case")
        if name in (known for known, _ in files):
            sys.exit(f"embed.py: {name} is there twice")
        files.append((name, pathlib.Path(path)))
    return files


def source(header, files):
    lines = [f'#include "{header}"', ""]
    for name, path in files:
        data = path.read_bytes()
        lines.append(f"static const unsigned char {name}_bytes[{len(data) + 1}] = {{")
        terminated = data + b"\0"
        for at in range(0, len(terminated), BYTES_PER_LINE):
            lines.append("  " + ",".join(str(b) for b in terminated[at:at + BYTES_PER_LINE]) + ",")
        lines.append("};")
        lines.append(f"const wh_str {name} = {{(const char *){name}_bytes, {len(data)}}};")
        lines.append("")
    return "\n".join(lines)


def header(files):
    lines = ["// Made by scripts/embed.py.", "#pragma once", "", '#include "base/str.h"', ""]
    lines += [f"extern const wh_str {name}; // {path.name}" for name, path in files]
    return "\n".join(lines) + "\n"


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    out_c, out_h = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    files = parse(sys.argv[3:])
    out_h.write_text(header(files))
    out_c.write_text(source(out_h.name, files))


main()
