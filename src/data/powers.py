#!/usr/bin/env python3
"""Writes the table of powers of ten that data/powers.h describes: powers.py OUTPUT

Each is 10^q = c * 2^e with c of 128 bits, the highest set: cut off for q >= 0 (exact up to 55),
rounded up for q < 0, as D. Lemire has them ("Number Parsing at a Gigabyte per Second", 2021).
"""
import sys

LEAST, MOST, BITS = -342, 324, 128


def leading_bits(q):
    if q >= 0:
        power = 5**q
        excess = power.bit_length() - BITS
        return power >> excess if excess > 0 else power << -excess
    power = 5**-q
    bits = BITS + power.bit_length() - 1
    quotient = -(-(1 << bits) // power)
    assert quotient.bit_length() == BITS
    return quotient


def main():
    lines = ['#include "data/powers.h"', "", "const wh_power wh_powers[] = {"]
    for q in range(LEAST, MOST + 1):
        c = leading_bits(q)
        lines.append(f"    {{0x{c >> 64:016X}u, 0x{c & (1 << 64) - 1:016X}u}}, // 10^{q}")
    lines.append("};\n")
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write("\n".join(lines))


main()
