"""Writes src/io/ggml/ggml_tables.hpp: the value tables that belong to ggml's block types, from the data of the `gguf`
package (MIT licence), each grid entry packed into one 16-bit word.

Usage: python tools/tables/ggml_tables.py   (needs gguf and numpy)
"""

import importlib.metadata
import pathlib
import subprocess

import numpy as np
from gguf import quants

OUT = pathlib.Path(__file__).resolve().parents[2] / "src/io/ggml/ggml_tables.hpp"
HEAD = """// The values that codes of ggml's block types stand for: data of the formats, not code.
// Written by tools/tables/ggml_tables.py from the gguf package {version} (ggml-common.h in ggml); do not edit.
//
// A grid entry is one word: element j has bits [2j, 2j + 2), or [4j, 4j + 4) in the iq3 grids, which index the grid's
// levels.
#pragma once

#include <array>
#include <cstdint>

namespace nibble::ggml {{

"""


def numbers(values):
    return ", ".join(str(v) for v in values)


def table(name, cls):
    """One grid: its levels, then 8 elements of 2 bits or 4 elements of 4 bits per word."""
    cls.init_grid()
    entries, width = cls.grid_shape
    bits = 16 // width
    levels = list(cls.grid_map)
    codes = np.array([levels.index(int(v)) for v in cls.grid.ravel()]).reshape(entries, width)
    words = (codes << (bits * np.arange(width))).sum(1)
    padded = levels + [0] * ((4 if bits == 2 else 8) - len(levels))
    text = f"inline constexpr std::array<std::int8_t, {len(padded)}> {name}_levels = {{{numbers(padded)}}};\n"
    text += f"inline constexpr std::array<std::uint16_t, {entries}> {name}_grid = {{\n"
    return text + ", ".join(f"0x{w:04x}" for w in words) + "};\n\n"


text = HEAD.format(version=importlib.metadata.version("gguf"))
text += f"inline constexpr std::array<std::int8_t, 16> iq4_values = {{{numbers(quants.IQ4_NL.kvalues)}}};\n"
text += "// Twice the values of the four-bit float e2m1.\n"
text += f"inline constexpr std::array<std::int8_t, 16> mxfp4_values = {{{numbers(quants.MXFP4.kvalues)}}};\n\n"
for name, cls in [
    ("iq1", quants.IQ1_S),
    ("iq2_xxs", quants.IQ2_XXS),
    ("iq2_xs", quants.IQ2_XS),
    ("iq2_s", quants.IQ2_S),
    ("iq3_xxs", quants.IQ3_XXS),
    ("iq3_s", quants.IQ3_S),
]:
    text += table(name, cls)
signs = np.frombuffer(quants.IQ2_XXS.ksigns, np.uint8)
assert all(int(s) == i | (bin(i).count("1") & 1) << 7 for i, s in enumerate(signs)), "ksigns is no parity code"
OUT.write_text(text + "}  // namespace nibble::ggml\n")
subprocess.run(["clang-format", "-i", OUT], check=True)
