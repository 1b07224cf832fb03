"""Writes src/text/tokenizer/unicode_ranges.inc: which characters `tokenizers` takes for letters, marks, numbers, punctuation,
symbols and spaces. Asked of the library itself, since it follows several versions of Unicode at once.

Usage: python3.11 tools/golden/unicode_ranges.py   (needs tokenizers; Python 3.11 knows Unicode 14, as PCRE2 10.42 does)"""

import pathlib
import textwrap
import unicodedata

import tokenizers
from tokenizers import Regex, pre_tokenizers

OUT = pathlib.Path(__file__).resolve().parents[2] / "src/text/tokenizer/unicode_ranges.inc"
POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
ALL = "".join(map(chr, POINTS))
OLD = "14.0.0"


def ranges(points):
    out = []
    for c in sorted(points):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def matching(pattern):
    """Characters that the regular expression engine of `tokenizers` finds `pattern` (of one character) in."""
    split = pre_tokenizers.Split(Regex(f"(?:{pattern})+"), "removed", invert=True)
    return {POINTS[i] for _, (begin, end) in split.pre_tokenize_str(ALL) for i in range(begin, end)}


def cut_off(pre_tokenizer):
    """Characters that `pre_tokenizer` cuts off a letter."""
    return {c for piece, (begin, end) in pre_tokenizer.pre_tokenize_str(ALL)
            if len(pre_tokenizer.pre_tokenize_str("a" + piece[0])) == 2 for c in POINTS[begin:end]}


def listed(declaration, rows):
    text = ", ".join("{" + ",".join(f"0x{x:X}" if isinstance(x, int) else x for x in row) + "}" for row in rows)
    return textwrap.fill(f"constexpr {declaration}[] = {{{text}}};", 120, subsequent_indent="    ") + "\n"


def quoted(name, points):
    """A piece of a character class as a string constant."""
    pieces = "".join(f" \\x{{{a:X}}}" + (f"-\\x{{{b:X}}}" if b > a else "") for a, b in ranges(points))
    lines = [line.replace(" ", "") for line in textwrap.wrap(pieces, 118)] or [""]
    return f"constexpr std::string_view {name} =\n" + "\n".join(f'    R"({line})"' for line in lines) + ";\n"


def main():
    assert unicodedata.unidata_version == OLD, "the additions below must be counted from Unicode " + OLD
    classes = {name: matching(f"\\p{{{name}}}") for name in "LMNPS"}
    spaces = matching(r"\s")
    table = sorted((a, b, name) for name, points in [*classes.items(), ("Z", spaces)] for a, b in ranges(points))
    digits, punctuation = cut_off(pre_tokenizers.Digits(False)), cut_off(pre_tokenizers.Punctuation("contiguous"))
    ascii_symbols = {c for c in range(128) if chr(c) in "$+<=>^`|~"}
    assert classes["N"] <= digits and ascii_symbols <= punctuation
    text = f"// Made by tools/golden/unicode_ranges.py from tokenizers {tokenizers.__version__}: do not edit.\n\n"
    text += "// First and last character, and what they are.\n" + listed("ClassRange class_ranges", table)
    text += "\n// What the pre-tokenizer Digits takes for a number besides.\n" + listed("Range other_digits", ranges(digits - classes["N"]))
    text += "\n// Where the pre-tokenizer Punctuation, of Unicode 8, is of another opinion about P.\n"
    text += listed("Range other_punctuation", ranges(classes["P"] ^ (punctuation - ascii_symbols)))
    text += f"\n// What Unicode {OLD} did not have in these properties, as a piece of a character class.\n"
    for name in ["L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "N", "Nd", "P", "S"]:
        known = {c for c in POINTS if unicodedata.category(chr(c)).startswith(name)}
        text += quoted("added_" + name, matching(f"\\p{{{name}}}") - known)
    OUT.write_text(text)


if __name__ == "__main__":
    main()
