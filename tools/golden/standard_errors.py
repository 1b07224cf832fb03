"""Makes tests/golden/standard_errors.json: perplexity, mean KL and ratios of perplexities with their standard errors, by
torch in float64, from numbers that the file holds.

  losses, reference   losses of 255 tokens: of the shipped model (tests/golden/gutenberg_16m_fp32.safetensors), and the same
                      with noise of a fixed seed, as a model would have that is a little worse
  expected            perplexity and ratio of both with standard errors (delta method); the script checks them against the
                      jackknife, which knows nothing of derivatives
  text_bytes          UTF-8 bytes of what transformers' tokenizer makes of the predicted ids
  logits, others      two small tables of logits; kl: mean KL(softmax(logits) || softmax(others)) and its standard error

Usage: python tools/golden/standard_errors.py   (needs torch, transformers, safetensors)
"""

import json
import math

import safetensors
import torch
import transformers
from float64 import ROOT, write_manifest
from safetensors.torch import load_file

OUT = ROOT / "tests/golden/standard_errors.json"


def with_error(x):
    return x.mean().item(), (x.std(correction=1) / math.sqrt(len(x))).item()


def of_exponential(x):
    """exp(mean) and its standard error, and the jackknife's."""
    mean, error = with_error(x)
    left_out = torch.exp((x.sum() - x) / (len(x) - 1))
    jackknife = torch.sqrt((len(x) - 1) / len(x) * ((left_out - left_out.mean()) ** 2).sum()).item()
    value = math.exp(mean)
    assert abs(value * error / jackknife - 1) < 0.02, (value * error, jackknife)
    return value, value * error


def main():
    golden = load_file(ROOT / "tests/golden/gutenberg_16m_fp32.safetensors")
    noise = torch.Generator().manual_seed(1)
    reference = golden["nll"].double()
    losses = (reference + 0.05 + 0.2 * torch.randn(len(reference), generator=noise, dtype=torch.float64)).clamp(min=0)
    tokenizer = transformers.AutoTokenizer.from_pretrained(ROOT / "models/gutenberg-16m")
    ids = golden["input_ids"].tolist()
    text = [len(tokenizer.decode(part, clean_up_tokenization_spaces=False).encode()) for part in (ids, ids[:1])]
    logits, others = (4 * torch.randn(24, 7, generator=noise, dtype=torch.float32) for _ in range(2))
    others = logits + 0.1 * others
    p, q = (torch.log_softmax(x.double(), 1) for x in (logits, others))
    kl = (p.exp() * (p - q)).sum(1)
    document = {
        "losses": losses.tolist(), "reference": reference.tolist(),
        "expected": {"perplexity": of_exponential(losses), "reference": of_exponential(reference),
                     "ratio": of_exponential(losses - reference), "mean_nll": with_error(losses)},
        "text_bytes": text[0] - text[1],
        "bits_per_byte_of_reference": reference.sum().item() / math.log(2) / (text[0] - text[1]),
        "logits": logits.tolist(), "others": others.tolist(), "kl": with_error(kl)}
    OUT.write_text(json.dumps(document, indent=None, separators=(",", ":")) + "\n")
    print(document["expected"], document["text_bytes"], document["bits_per_byte_of_reference"], document["kl"])
    write_manifest("standard_errors", __file__, [torch, transformers, safetensors], {}, [OUT])


if __name__ == "__main__":
    main()
