"""Compares a GGUF model's predictions by Nibble with those by llama.cpp on the same token ids: perplexities, and the mean
Kullback-Leibler divergence of llama.cpp's next-token distribution from Nibble's.

Usage: python tools/measure/against_llama_cpp.py NIBBLE MODEL.gguf TEXT [TOKENS] [PRECISION]   (needs llama-cpp-python, safetensors)

TEXT is cut to TOKENS (default 4096) and read in windows of 512 without overlap, no BOS; every token but the first of a
window is predicted.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import llama_cpp
import numpy as np
import safetensors

WINDOW = 512


def log_softmax(logits):
    logits = logits.astype(np.float64)
    logits -= logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def main():
    nibble, model, text = sys.argv[1:4]
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 4096
    precision = sys.argv[5] if len(sys.argv) > 5 else "fp32"
    content = pathlib.Path(text).read_text()[: 8 * count]
    ask = lambda *words: json.loads(subprocess.run([nibble, *words, "--json"], check=True, capture_output=True).stdout)
    with tempfile.TemporaryDirectory() as folder:
        part, ids_file, logits_file = (pathlib.Path(folder, name) for name in ("text", "ids", "logits"))
        part.write_text(content)
        ids = ask("tokenize", model, "--file", str(part), "--no-special")["ids"][:count]
        ids_file.write_text(" ".join(map(str, ids)))
        ours = ask("eval", model, "--ids", str(ids_file), "--context", str(WINDOW), "--bos", "never", "--precision", precision,
                   "--logits", str(logits_file))
        theirs = llama_cpp.Llama(model, n_ctx=WINDOW, n_batch=WINDOW, n_threads=2, logits_all=True, verbose=False)
        kl, nll, top1 = [], [[], []], 0
        with safetensors.safe_open(logits_file, "np") as file:
            stored, row = file.get_slice("logits"), 0
            for begin in range(0, len(ids) - 1, WINDOW):
                window = ids[begin : begin + WINDOW]
                theirs.reset()
                theirs.eval(window)
                p = log_softmax(stored[row : row + len(window) - 1])
                q = log_softmax(theirs.scores[: len(window) - 1])
                row += len(window) - 1
                kl += list((np.exp(p) * (p - q)).sum(-1))
                top1 += int((p.argmax(-1) == q.argmax(-1)).sum())
                for values, logs in ((nll[0], p), (nll[1], q)):
                    values += list(-logs[np.arange(len(window) - 1), window[1:]])
    a, b = np.exp(np.mean(nll[0])), np.exp(np.mean(nll[1]))
    assert abs(np.log(a) - ours["mean_nll"]) < 1e-5, "the logits belong to the evaluation"
    print(f"llama-cpp-python {llama_cpp.__version__}, {len(ids)} tokens, {len(kl)} predicted")
    print(f"perplexity: nibble {precision} {a:.4f}, llama.cpp {b:.4f}, ratio {b / a:.5f}")
    print(f"KL of llama.cpp from nibble: mean {np.mean(kl):.6f}, p99 {np.quantile(kl, 0.99):.6f}, max {max(kl):.6f}; "
          f"top-1 agreement {100 * top1 / len(kl):.2f} %")


if __name__ == "__main__":
    main()
