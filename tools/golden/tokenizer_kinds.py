"""Every kind of component that Nibble reads from a tokenizer.json, in settings that differ."""

import json

from tokenizer_oracles import DEEPSEEK_V3, GPT4O, LLAMA3, QWEN2, QWEN35
from tokenizers import pre_tokenizers

LETTERS = "a1! ."  # what each character of Unicode is set beside
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
BYTES_DECODER = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
META = "\u2581"


def kinds_base(tokenizer):
    """A byte-level tokenizer.json in which any two bytes, one of them of LETTERS, join: a cut between them shows in the ids."""
    whole = json.loads(tokenizer.to_str())
    vocabulary, merges = whole["model"]["vocab"], whole["model"]["merges"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    known = {tuple(m) for m in merges}
    for letter in LETTERS.replace(" ", "\u0120"):
        for other in alphabet:
            for pair in ((other, letter), (letter, other)):
                if pair not in known:
                    known.add(pair)
                    merges.append(list(pair))
                    vocabulary.setdefault("".join(pair), len(vocabulary))
    return whole


def character_blocks():
    """All characters that are assigned or may be, each set between LETTERS, in blocks."""
    points = [c for c in [*range(0x34000), *range(0xE0000, 0xE0200)] if not 0xD800 <= c < 0xE000]
    one = lambda c: "".join(letter + c for letter in LETTERS)  # noqa: E731
    return ["".join(one(chr(c)) for c in points[i : i + 4096]) for i in range(0, len(points), 4096)]


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": [*steps, BYTES]}


def split(pattern, behavior="Isolated", invert=False):
    kind = "String" if len(pattern) <= 2 else "Regex"
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def words(pattern, **more):
    return {"pre_tokenizer": sequence(split(pattern)), **more}


def token(id, content, **flags):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False} | flags


def normalized(*steps, characters=True):
    return {"normalizer": {"type": "Sequence", "normalizers": list(steps)}, "pre_tokenizer": BYTES, "characters": characters}


AROUND = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
          "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
          "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}, "</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}}

# "characters": False: not over all of Unicode, since the reference follows an older version of it there.
KINDS = {
    "gpt2": {"pre_tokenizer": BYTES | {"use_regex": True}},
    "gpt2 with a space put before": {"pre_tokenizer": BYTES | {"use_regex": True, "add_prefix_space": True}, "characters": False},
    "llama3": words(LLAMA3),
    "qwen2": words(QWEN2, normalizer={"type": "NFC"}),
    "qwen3.5": words(QWEN35),
    "deepseek-v3": words(DEEPSEEK_V3),
    "gpt-4o": words(GPT4O),
    "digits one by one": {"pre_tokenizer": sequence({"type": "Digits", "individual_digits": True})},
    "digits together": {"pre_tokenizer": sequence({"type": "Digits", "individual_digits": False})},
    "falcon": {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Punctuation", "behavior": "Contiguous"}, BYTES | {"use_regex": True},
                                                                      {"type": "Digits", "individual_digits": False}, split("[0-9][0-9][0-9]")]}},
    "punctuation isolated": {"pre_tokenizer": sequence({"type": "Punctuation", "behavior": "Isolated"})},
    "punctuation with the next": {"pre_tokenizer": sequence({"type": "Punctuation", "behavior": "MergedWithNext"}), "characters": False},
    "punctuation with the previous": {"pre_tokenizer": sequence({"type": "Punctuation", "behavior": "MergedWithPrevious"}), "characters": False},
    "punctuation removed": {"pre_tokenizer": sequence({"type": "Punctuation", "behavior": "Removed"}), "characters": False},
    "white space": {"pre_tokenizer": sequence({"type": "Whitespace"})},
    "white space split": {"pre_tokenizer": sequence({"type": "WhitespaceSplit"})},
    "word characters": words(r"\w+"), "other than word characters": words(r"\W+"), "decimal digits": words(r"\d"), "not spaces": words(r"\S+"),
    "spaces removed": {"pre_tokenizer": sequence(split(r"\s+", "Removed"))},
    "letters removed inverted": {"pre_tokenizer": sequence(split(r"\p{L}+", "Removed", True))},
    "a class in a class": words(r"[^\w\s]+|[\d\-]+"),
    "marks": words(r"[\p{L}\p{M}]+"), "not letters": words(r"\P{L}+"), "symbols": words(r"\p{S}"), "line ends": words(r"\s+$"),
    "a literal": {"pre_tokenizer": sequence(split("e", "MergedWithPrevious"), split(" ", "MergedWithNext"), split("a", "Contiguous"))},
    "any case": words("(?i:the|[k-s]+)"),
    "metaspace": {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Metaspace", "replacement": META, "prepend_scheme": "always", "split": True}, BYTES]},
                  "decoder": {"type": "Sequence", "decoders": [BYTES_DECODER, {"type": "Metaspace", "replacement": META, "prepend_scheme": "always", "split": True}]}, "characters": False},
    "metaspace first": {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Metaspace", "replacement": META, "prepend_scheme": "first", "split": False}, BYTES]}, "characters": False},
    "metaspace never": {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Metaspace", "replacement": META, "prepend_scheme": "never", "split": True}, BYTES]}, "characters": False},
    "NFC": normalized({"type": "NFC"}), "NFD": normalized({"type": "NFD"}, characters=False),
    "NFKC": normalized({"type": "NFKC"}, characters=False), "NFKD": normalized({"type": "NFKD"}, characters=False),
    "lower case": normalized({"type": "Lowercase"}, characters=False),
    "accents": normalized({"type": "NFD"}, {"type": "StripAccents"}, characters=False),
    "strip": normalized({"type": "Strip", "strip_left": True, "strip_right": True}, characters=False),
    "strip left": normalized({"type": "Strip", "strip_left": True, "strip_right": False}, characters=False),
    "prepend and replace": normalized({"type": "Prepend", "prepend": META}, {"type": "Replace", "pattern": {"String": " "}, "content": META}, characters=False),
    "replace a pattern": normalized({"type": "Replace", "pattern": {"Regex": "[aeiou]{2,}"}, "content": "*"}, characters=False),
    "added tokens": {"pre_tokenizer": BYTES | {"use_regex": True}, "characters": False, "added_tokens": [
        token(0, "<s>", special=True), token(1, "</s>", special=True), token(3000, " the", lstrip=True), token(3001, "the", rstrip=True), token(3002, "he", single_word=True),
        token(3003, "ab", normalized=True), token(3004, "abab"), token(3005, "<|im_start|>", special=True, lstrip=True, rstrip=True), token(3006, "\n\n"), token(3007, "  ", normalized=True)]},
    "added tokens in lower case": {"normalizer": {"type": "Lowercase"}, "pre_tokenizer": BYTES | {"use_regex": True}, "characters": False,
                                   "added_tokens": [token(0, "<s>", special=True), token(3000, "HELLO", normalized=True), token(3001, "World"), token(3002, "QUICK", special=True)]},
    "whole words first": {"pre_tokenizer": BYTES | {"use_regex": True}, "model": {"ignore_merges": True}, "characters": False},
    "no decoder": {"pre_tokenizer": BYTES | {"use_regex": True}, "decoder": None, "characters": False},
    "decoders": {"pre_tokenizer": BYTES | {"use_regex": True}, "characters": False, "decoder": {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "\u0120"}, "content": " "}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 2, "stop": 0}]}},
    "around": {"pre_tokenizer": BYTES | {"use_regex": True}, "characters": False, "post_processor": AROUND},
}
