"""Checks that folders go both ways between Nibble and transformers with bitsandbytes, on a CPU. Run by a developer; the
results are recorded in docs/measurements/interop-bitsandbytes.md.

For each setting: `nibble quantize` writes a folder; transformers loads it and gives the loss of each of the 256 golden
ids; bitsandbytes quantizes the original itself and save_pretrained writes that; every tensor, every field of the 4-bit
state and quantization_config of the two folders are compared; `nibble eval` reads both folders.

Usage: python tools/golden/check_saved_folder.py PROGRAM   (needs torch, transformers, bitsandbytes, accelerate)
"""

import json
import logging
import pathlib
import re
import subprocess
import sys
import tempfile

import bitsandbytes
import torch
import transformers
from bitsandbytes.backends.default.ops import _dequantize_4bit_compute
from float64 import ROOT, nll_of
from safetensors import safe_open
from safetensors.torch import load_file

MODEL = ROOT / "models/gutenberg-16m"
IDS = load_file(ROOT / "tests/golden/gutenberg_16m_fp32.safetensors")["input_ids"].long()
SKIP = "layers\\.0\\.|o_proj"


def four(kind, block=64, nested=False, skip=None):
    nibble = ["--to", kind, "--block-size", str(block)] + ["--double-quant"] * nested + (["--skip", skip] if skip else [])
    return nibble, dict(load_in_4bit=True, bnb_4bit_quant_type=kind, bnb_4bit_use_double_quant=nested), block, skip


def eight(threshold=6.0, skip=None):
    nibble = ["--to", "int8", "--int8-threshold", str(threshold)] + (["--skip", skip] if skip else [])
    return nibble, dict(load_in_8bit=True, llm_int8_threshold=threshold), 64, skip


SETTINGS = {
    "nf4": four("nf4"), "nf4 double-quant": four("nf4", nested=True), "fp4": four("fp4"), "fp4 double-quant": four("fp4", nested=True),
    **{f"nf4 block {b}": four("nf4", b) for b in (32, 128, 256, 512, 1024, 2048, 4096)},
    "nf4 block 32 double-quant": four("nf4", 32, True), "nf4 block 4096 double-quant": four("nf4", 4096, True),
    f"nf4 skip {SKIP}": four("nf4", skip=SKIP), "int8": eight(), "int8 threshold 0": eight(0.0), f"int8 skip {SKIP}": eight(skip=SKIP),
}


def program(*arguments):
    done = subprocess.run([sys.argv[1], *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def nibble_losses(folder, ids):
    out = json.loads(program("eval", folder, "--ids", ids, "--bos", "never", "--per-token", "--json", "--quiet", "--compute-dtype", "fp32"))
    return torch.tensor([token["nll"] for token in out["tokens"]])


def straddles(state):
    """Blocks that lie in two rows: there the AVX-512 decoder of bitsandbytes 0.50.2 is wrong (errors as large as weights;
    it is not used from block size 2048 on)."""
    return state.shape[1] % state.blocksize != 0 and state.blocksize < 2048


def generic_decode(weight):
    """By bitsandbytes' own code for all devices."""
    state = weight.quant_state
    return _dequantize_4bit_compute(weight.data.reshape(-1), state.absmax, state.code, state.blocksize, state.shape, torch.float32)


@torch.no_grad()
def losses(model):
    for module in model.modules():  # without this, a CPU with AVX512-BF16 rounds activations and scales to bf16
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False
            if straddles(module.weight.quant_state):
                module.forward = lambda x, w=module.weight: torch.nn.functional.linear(x, generic_decode(w))
    for p in model.parameters():  # what is not quantized stays bf16 on loading such a folder, whatever dtype asks for
        if p.is_floating_point():
            p.data = p.data.float()
    return nll_of(model.eval()(input_ids=IDS[None]).logits[0], IDS)


def load(folder, **how):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, device_map="cpu", attn_implementation="eager", **how)


def by_bitsandbytes(how, block, skip, compute):
    """The original, quantized by bitsandbytes. transformers has no setting for the block size: there it is patched in."""
    skipped = ["lm_head"] + ([n for n, m in load(MODEL).named_modules() if isinstance(m, torch.nn.Linear) and re.search(skip, n)] if skip else [])
    config = transformers.BitsAndBytesConfig(**how, bnb_4bit_compute_dtype=compute, llm_int8_skip_modules=skipped if skip else None)
    plain = bitsandbytes.nn.Params4bit.__new__

    def with_block(cls, *arguments, **named):
        made = plain(cls, *arguments, **(named | {"blocksize": block}))
        return made

    bitsandbytes.nn.Params4bit.__new__ = with_block
    try:
        return load(MODEL, dtype="auto", quantization_config=config)
    finally:
        bitsandbytes.nn.Params4bit.__new__ = plain


def tensors(folder):
    out = {}
    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            out |= {name: file.get_tensor(name) for name in file.keys()}
    return out


def compare(ours, theirs):
    """Names, types and shapes must agree; returns per kind of tensor how many bytes differ."""
    assert set(ours) == set(theirs), set(ours) ^ set(theirs)
    differ = {}
    for name, a in ours.items():
        b = theirs[name]
        assert a.dtype == b.dtype and a.shape == b.shape, (name, a.dtype, b.dtype, a.shape, b.shape)
        if "quant_state" in name:
            a_state, b_state = (json.loads(bytes(x.tolist())) for x in (a, b))
            assert a_state == b_state, (name, a_state, b_state)
        a, b = (x.reshape(-1).contiguous().view(torch.uint8) for x in (a, b))
        kind = "weight" if name.endswith("weight") else name.rsplit(".", 1)[1]
        total, of = differ.get(kind, (0, 0))
        differ[kind] = (total + int((a != b).sum()), of + a.numel())
    return {kind: counts for kind, counts in differ.items() if counts[0]}


def config_of(folder):
    return json.loads((pathlib.Path(folder) / "config.json").read_text())["quantization_config"]


def main():
    logging.disable(logging.WARNING)
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(2)
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, bitsandbytes {bitsandbytes.__version__}\n")
    print("| setting | mean nll of Nibble | of transformers on Nibble's folder | largest difference of a loss | rms | "
          "bytes unlike those of save_pretrained | largest difference of a loss on that folder |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        ids = scratch / "ids"
        ids.write_text(" ".join(map(str, IDS.tolist())))
        for i, (name, (arguments, how, block, skip)) in enumerate(SETTINGS.items()):
            ours, saved = scratch / f"ours{i}", scratch / f"saved{i}"
            program("quantize", MODEL, ours, *arguments, "--compute-dtype", "fp32", "--quiet")
            mine, theirs = nibble_losses(ours, ids), losses(load(ours, dtype=torch.float32))
            by_bitsandbytes(how, block, skip, torch.float32).save_pretrained(saved)
            differ = compare(tensors(ours), tensors(saved))
            a, b = config_of(ours), config_of(saved)
            if skip:
                assert set(a.pop("llm_int8_skip_modules")) == set(b.pop("llm_int8_skip_modules"))
            a.setdefault("llm_int8_skip_modules", None), b.setdefault("llm_int8_skip_modules", None)
            assert {k: a.get(k) for k in b} == b, {k: (a.get(k), b[k]) for k in b if a.get(k) != b[k]}
            back = (nibble_losses(saved, ids) - losses(load(saved, dtype=torch.float32))).abs().max()
            delta = mine - theirs
            text = ", ".join(f"{kind} {n} of {of}" for kind, (n, of) in differ.items()) or "none"
            print(f"| {name.replace('|', ' or ')} | {mine.mean():.5f} | {theirs.mean():.5f} | {delta.abs().max():.1e} | "
                  f"{delta.square().mean().sqrt():.1e} | {text} | {back:.1e} |", flush=True)


if __name__ == "__main__":
    main()
