"""Compares Nibble's tokenizers with their references.

    tokenizer_vectors.py check PROGRAM [--vectors FOLDER] [--random N] [--text FILE]... PATH...

check: `PROGRAM tokenize` against the references over full vocabularies. A PATH is a folder with a tokenizer, a .gguf file,
or a folder of either; llama.cpp's vectors are read beside a .gguf file (NAME.gguf.inp, NAME.gguf.out) and from FOLDER
(ggml-vocab.inp, NAME.gguf.out). --text: whole files besides the usual texts; --random: how many random ones.
Needs tokenizers, sentencepiece, protobuf."""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

from tokenizer_oracles import open_oracle, text_of
from tokenizer_strings import read_ggml_texts, texts

SEPARATOR = "\n<<next>>\n"
SEED = 20261125
MODES = {"special": (True, True, []), "bare": (False, True, ["--no-special"]), "plain": (False, False, ["--no-special", "--plain-special"])}


def id_lists(oracle, encoded, count):
    """What is decoded: what was encoded, and ids that no text gives: broken characters, specials anywhere, ids out of range."""
    draw, out = random.Random(SEED), list(encoded)
    for _ in range(count):
        kinds = [lambda: draw.randrange(oracle.size), lambda: draw.choice(oracle.bytes or [0]), lambda: draw.choice(oracle.specials or [0]),
                 lambda: draw.randrange(min(400, oracle.size)), lambda: oracle.size + draw.randrange(1000)]
        weights = draw.choice([(6, 2, 1, 2, 0), (1, 9, 0, 1, 0), (0, 1, 0, 0, 0), (3, 3, 3, 1, 1)])
        out.append([draw.choices(kinds, weights)[0]() for _ in range(draw.randint(1, 14))])
    return out


class Program:
    def __init__(self, path, model):
        self.path, self.model = path, model

    def ask(self, inputs, options):
        with tempfile.NamedTemporaryFile() as file:
            file.write(SEPARATOR.encode().join(inputs))
            file.flush()
            done = subprocess.run([self.path, "tokenize", self.model, "--file", file.name, "--separator", SEPARATOR, "--json", *options],
                                  capture_output=True)
        if done.returncode:
            raise RuntimeError(done.stderr.decode().strip())
        return json.loads(done.stdout)

    def encode(self, inputs, options):
        return [r["ids"] for r in self.ask(inputs, options)]

    def decode(self, lists, skip):
        return self.ask([" ".join(map(str, ids)).encode() for ids in lists], ["--decode"] + (["--skip-special"] if skip else []))


def check_one(program, path, inputs, vectors):
    """Lines about what differs."""
    asked, problems, compared = Program(program, str(path)), [], 0
    try:
        asked.encode([b"a"], [])
    except RuntimeError as refusal:
        return "refused", [str(refusal)], 0

    def differ(what, given, got, wanted):
        problems.append(f"{what}: {given[:300]!r}\n      got      {got!r}\n      expected {wanted!r}")

    oracle = open_oracle(path)
    if oracle:
        for mode, (special, parse, options) in MODES.items():
            got = asked.encode(inputs, options)
            wanted = [oracle.encode(text, special, parse) for text in inputs]
            compared += len(inputs)
            for text, g, w in zip(inputs, got, wanted):
                if g != w:
                    differ("encode " + mode, text_of(text), g, w)
            if mode == "special":
                lists = id_lists(oracle, wanted, 400)
        for skip in (False, True):
            for ids, answer in zip(lists, asked.decode(lists, skip)):
                compared += 2
                wanted, streamed = oracle.decode(ids, skip), oracle.stream(ids, skip)
                if answer["text"] != wanted:
                    differ(f"decode skip={skip}", ids, answer["text"], wanted)
                if "".join(answer["pieces"]) != streamed:
                    differ(f"stream skip={skip}", ids, answer["pieces"], streamed)
    for given, expected in vectors:
        given = read_ggml_texts(given)
        expected = [list(map(int, line.split())) for line in expected.read_text().split("\n")]
        for text, g, w in zip(given, asked.encode(given, ["--no-special"]), expected, strict=True):
            compared += 1
            if g != w:
                differ("vector", text_of(text), g, w)
    return ("references" if oracle else "no reference") + (", vectors" if vectors else ""), problems, compared


def tokenizers_under(path):
    if path.is_file() or any((path / name).exists() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        return [path]
    return [p for p in sorted(path.iterdir()) if p.suffix == ".gguf" or p.is_dir() and tokenizers_under(p)]


def check(program, folder, inputs, paths):
    failed = False
    for path in [t for p in paths for t in tokenizers_under(pathlib.Path(p))]:
        vectors = [(path.with_name(path.name + ".inp"), path.with_name(path.name + ".out"))]
        if folder:
            vectors.append((folder / "ggml-vocab.inp", folder / (path.name + ".out")))
        vectors = [v for v in vectors if all(file.is_file() for file in v)]
        how, problems, compared = check_one(program, path, inputs, vectors)
        if how == "refused":
            print(f"{path.name:32} refused: {problems[0]}")
            continue
        failed |= bool(problems)
        print(f"{path.name:32} {how:24} {compared:6} compared, {len(problems)} differ", flush=True)
        for problem in problems[:12]:
            print("    " + problem)
    return failed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("check")
    verb.add_argument("program")
    verb.add_argument("--vectors", type=pathlib.Path)
    verb.add_argument("paths", nargs="+")
    verb.add_argument("--random", type=int, default=300)
    verb.add_argument("--text", type=pathlib.Path, action="append", default=[])
    arguments = parser.parse_args()
    inputs = texts(arguments.random) + [file.read_bytes() for file in arguments.text]
    sys.exit(check(arguments.program, arguments.vectors, inputs, arguments.paths))
