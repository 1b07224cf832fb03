"""Makes tests/golden/sampling.safetensors: what the logits processors of transformers leave of some logits, and what an
inverse-CDF draw with given numbers takes from that.

settings: per case temperature, top-k, top-p, min-p, repetition penalty; probability: per case and row of logits, 0 where
a token was removed; uniforms: DRAWS numbers of [0, 1) that torch made; draws: per case and row, the token that each of
them takes.

Usage: python tools/golden/sampling.py   (needs torch, transformers, safetensors)
"""

import safetensors
import torch
import transformers
from float64 import ROOT, write_manifest
from safetensors.torch import save_file
from transformers import (MinPLogitsWarper, RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper,
                          TopPLogitsWarper)

OUT = ROOT / "tests/golden/sampling.safetensors"
SEED, VOCABULARY, SEEN, DRAWS = 20261126, 120, 20, 48
OFF = dict(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, repetition_penalty=1.0)
CASES = [OFF | case for case in (
    {}, {"temperature": 0.5}, {"temperature": 1.7}, {"top_k": 1}, {"top_k": 7}, {"top_k": 500}, {"top_p": 0.5}, {"top_p": 0.95},
    {"top_p": 0.01}, {"min_p": 0.05}, {"min_p": 0.5}, {"min_p": 1.0}, {"repetition_penalty": 1.3}, {"repetition_penalty": 0.7},
    {"temperature": 0.8, "top_k": 40, "top_p": 0.9}, {"temperature": 1.2, "top_k": 30, "top_p": 0.8, "min_p": 0.1},
    {"temperature": 0.6, "top_k": 20, "top_p": 0.95, "repetition_penalty": 1.1},
    {"temperature": 1.5, "min_p": 0.02, "repetition_penalty": 1.5})]


def filtered(logits, seen, case):
    """In the order in which transformers' generate() applies them; in float64."""
    steps = []
    if case["repetition_penalty"] != 1:
        steps.append(RepetitionPenaltyLogitsProcessor(case["repetition_penalty"]))
    if case["temperature"] != 1:
        steps.append(TemperatureLogitsWarper(case["temperature"]))
    if case["top_k"]:
        steps.append(TopKLogitsWarper(case["top_k"]))
    if case["top_p"] < 1:
        steps.append(TopPLogitsWarper(case["top_p"]))
    if case["min_p"]:
        steps.append(MinPLogitsWarper(case["min_p"]))
    for step in steps:
        logits = step(seen, logits)
    return logits.softmax(-1)


def draw(probability, uniforms):
    """The most likely token first; each number against the running sum."""
    order = torch.argsort(probability, descending=True, stable=True)
    ends = probability[order].cumsum(0)
    assert (ends[:-1, None] - uniforms).abs().min() > 1e-6, "a draw on the border of two tokens"
    return torch.stack([order[int((ends <= u).sum())] for u in uniforms]).int()


def main():
    generator = torch.Generator().manual_seed(SEED)
    logits = torch.randn(3, VOCABULARY, generator=generator) * torch.tensor([[1.0], [3.0], [6.0]])
    seen = torch.randint(0, VOCABULARY, (3, SEEN), generator=generator)
    probability = torch.stack([filtered(logits.double(), seen, case) for case in CASES])
    uniforms = torch.rand(DRAWS, generator=generator, dtype=torch.float64)
    save_file({
        "logits": logits.contiguous(), "seen": seen.int().contiguous(),
        "settings": torch.tensor([list(case.values()) for case in CASES]), "probability": probability.float(),
        "uniforms": uniforms,
        "draws": torch.stack([torch.stack([draw(row, uniforms) for row in case]) for case in probability]),
    }, OUT)
    OUT.chmod(0o644)
    write_manifest("sampling", __file__, [torch, transformers, safetensors], {"seed": SEED}, [OUT])


if __name__ == "__main__":
    main()
