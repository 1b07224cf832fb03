"""Nibble's tokenizers beside `tokenizers` and `sentencepiece`, each on one thread, the whole text as one string:

    python bench/tokenizer_speed.py BENCH TEXT MODEL...

BENCH is build/bench/tokenizer_bench. A MODEL is a folder with tokenizer.json, vocab.json with merges.txt or tokenizer.model,
or a .gguf file. Per program: the first encoding after loading, one more, decoding, and loading; medians of 5."""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

os.environ.update(TOKENIZERS_PARALLELISM="false", RAYON_NUM_THREADS="1")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools/golden"))
from tokenizer_oracles import Pieces, open_oracle  # noqa: E402

REPEATS = 5


def timed(work):
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def reference(path, text):
    rows = []
    for _ in range(REPEATS):
        load, oracle = timed(lambda: open_oracle(path))
        if isinstance(oracle, Pieces):
            name, encode, decode = "sentencepiece", oracle.model.encode, oracle.model.decode
        else:
            name, encode = "tokenizers", lambda t: oracle.tokenizer.encode(t, add_special_tokens=False)
            decode = lambda e: oracle.tokenizer.decode(e.ids, skip_special_tokens=False)  # noqa: E731
        first, out = timed(lambda: encode(text))
        again, out = timed(lambda: encode(text))
        rows.append((load, first, again, timed(lambda: decode(out))[0]))
    return name, [statistics.median(column) for column in zip(*rows)]


def main(bench, text_path, models):
    text = pathlib.Path(text_path).read_bytes().decode()
    size = len(text.encode()) / 1e6
    print(f"{pathlib.Path(text_path).name}, {size:.2f} MB; MB/s\n")
    print("tokenizer | reference | first: reference | Nibble | times | again: reference | Nibble | times | decode: reference | Nibble | load ms: reference | Nibble")
    print("--- | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --:")
    for model in models:
        line = json.loads(subprocess.run([bench, text_path, str(REPEATS), model], check=True, capture_output=True).stdout)
        name, (load, first, again, decode) = reference(pathlib.Path(model), text)
        print(f"{pathlib.Path(model).name} | {name} | {size / first:.2f} | {size / line['first']:.1f} | {first / line['first']:.1f} | {size / again:.2f} | "
              f"{size / line['again']:.1f} | {again / line['again']:.1f} | {size / decode:.1f} | {size / line['decode']:.1f} | {load * 1e3:.0f} | {line['load'] * 1e3:.1f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
