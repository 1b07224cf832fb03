"""Makes tests/golden/gutenberg_16m_fp32.safetensors: what the shipped model makes of the 256 ids that the file holds (from a
book that it was not trained on) in float64, stored as fp32, and how far transformers' own fp32 is from that.

  nll, logits_last16      losses of ids[1:], and the logits at the last 16 positions
  fp32_error.nll, .logits of the same: the largest and the rms error

Usage: python tools/golden/shipped_model.py   (needs torch, transformers, safetensors)
"""

import safetensors
import torch
import transformers
from float64 import ROOT, error_of, fp32_logits_of, logits_of, nll_of, to_float64, write_manifest
from safetensors.torch import load_file, save_file

OUT = ROOT / "tests/golden/gutenberg_16m_fp32.safetensors"
LAST = 16


def load(dtype):
    return transformers.AutoModelForCausalLM.from_pretrained(
        ROOT / "models/gutenberg-16m", dtype=dtype, attn_implementation="eager")


def main():
    torch.set_num_threads(1)
    stored = load_file(OUT)["input_ids"]
    ids = stored.long()
    in_fp32 = fp32_logits_of(load(torch.float32), ids[None])[0]
    logits = logits_of(to_float64(load(torch.float32)), ids[None])[0]
    errors = {"nll": error_of(nll_of(in_fp32, ids), nll_of(logits, ids)), "logits": error_of(in_fp32[-LAST:], logits[-LAST:])}
    save_file({"input_ids": stored, "nll": nll_of(logits, ids).float().contiguous(),
               "logits_last16": logits[-LAST:].float().contiguous(),
               **{f"fp32_error.{name}": error for name, error in errors.items()}}, OUT)
    OUT.chmod(0o644)
    print({name: error.tolist() for name, error in errors.items()})
    write_manifest("shipped_model", __file__, [torch, transformers, safetensors], {}, [OUT])


if __name__ == "__main__":
    main()
