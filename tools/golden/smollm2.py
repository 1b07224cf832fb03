"""Makes tests/golden/smollm2: what transformers in fp32 and llama.cpp make of SmolLM2-135M-Instruct's Q4_1 GGUF.

  generation.json  ten prompts (Apache-2.0, self-instruct's user-oriented tasks): text, ids, 64 greedy ids, and at each
                   step how far the best logit was ahead of the second
  losses.json      the first WINDOW tokens of data/held_out.txt: ids, negative log-likelihoods by transformers in float64,
                   and by llama.cpp, which rounds activations to 8 bits; and the largest and the rms error of transformers
                   in fp32, of losses and of all logits

Usage: python tools/golden/smollm2.py MODEL.gguf INSTRUCTIONS.jsonl   (needs torch, transformers, gguf, llama-cpp-python)
"""

import hashlib
import json
import pathlib
import sys

import llama_cpp
import numpy as np
import torch
import transformers
from float64 import ROOT, error_of, files_under, fp32_logits_of, logits_of, nll_of, to_float64, write_manifest

OUT = ROOT / "tests/golden/smollm2"
PROMPTS, NEW, WINDOW = 10, 64, 512


@torch.no_grad()
def greedy(model, ids):
    """The loop written out: no generation config, no early end, and the margin of every choice."""
    past, feed, chosen, margins = None, torch.tensor([ids]), [], []
    for _ in range(NEW):
        out = model(input_ids=feed, past_key_values=past, use_cache=True)
        past, top = out.past_key_values, out.logits[0, -1].topk(2)
        chosen.append(int(top.indices[0]))
        margins.append(float(top.values[0] - top.values[1]))
        feed = top.indices[:1][None]
    return chosen, margins


def llama_cpp_losses(path, ids):
    model = llama_cpp.Llama(str(path), n_ctx=WINDOW, n_batch=WINDOW, n_threads=2, logits_all=True, verbose=False)
    model.eval(ids)
    return nll_of(torch.from_numpy(np.array(model.scores[: len(ids)])), torch.tensor(ids))


def rounded(values):
    return [float(np.float32(v)) for v in values]


@torch.no_grad()
def main():
    path, instructions = map(pathlib.Path, sys.argv[1:])
    how = {"gguf_file": path.name}
    tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, **how)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, dtype=torch.float32, attn_implementation="eager", **how).eval()
    model.is_quantized = False  # its weights were decoded, and may be widened
    OUT.mkdir(parents=True, exist_ok=True)

    prompts = []
    for line in instructions.read_text().splitlines()[:PROMPTS]:
        text = json.loads(line)["instruction"]
        ids = tokenizer(text).input_ids
        chosen, margins = greedy(model, ids)
        print(f"{min(margins):.5f} least margin   {tokenizer.decode(chosen)[:80]!r}", flush=True)
        prompts.append({"text": text, "ids": ids, "greedy": chosen, "margin": rounded(margins)})
    (OUT / "generation.json").write_text(json.dumps(prompts, ensure_ascii=False).replace("}, {", "},\n{") + "\n")

    ids = tokenizer((ROOT / "data/held_out.txt").read_text()).input_ids[:WINDOW]
    batch = torch.tensor([ids])
    in_fp32 = fp32_logits_of(model, batch)[0]
    logits = logits_of(to_float64(model), batch)[0]
    exact = nll_of(logits, batch[0])
    rough = llama_cpp_losses(path, ids)
    errors = {"nll": error_of(nll_of(in_fp32, batch[0]), exact), "logits": error_of(in_fp32, logits)}
    print(f"perplexity: transformers {exact.mean().exp():.4f}, llama.cpp {rough.mean().exp():.4f}")
    losses = {"ids": ids, "float64_nll": rounded(exact), "llama_cpp_nll": rounded(rough),
              "fp32_error": {name: rounded(error) for name, error in errors.items()}}
    (OUT / "losses.json").write_text(json.dumps(losses) + "\n")
    write_manifest("smollm2", __file__, [torch, transformers, llama_cpp],
                   {"model_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}, files_under(OUT))


if __name__ == "__main__":
    main()
