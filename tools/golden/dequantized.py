"""Makes tests/golden/dequantized.json: the sha256 of every weight of the folders in tests/golden/quantization, dequantized to
bf16 by bitsandbytes on a CPU.

bitsandbytes 0.50.2's AVX-512 decoder of 4 bits is wrong where a row is not a whole number of blocks, so a weight is handed
to it as rows of one block each: the same numbers, another shape.

Usage: python tools/golden/dequantized.py   (needs torch, transformers, bitsandbytes, accelerate; no GPU)
"""

import hashlib
import json
import pathlib

import bitsandbytes
import bitsandbytes.functional as bnb
import torch
import transformers
from safetensors import safe_open

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ROOT / "tests/golden/quantization"
OUT = ROOT / "tests/golden"


def four_bit(file, name):
    parts = {key[len(name) + 1 :]: file.get_tensor(key) for key in file.keys() if key.startswith(name + ".")}
    state = bnb.QuantState.from_dict(parts, device="cpu")
    shape, state.shape = state.shape, torch.Size((state.shape.numel() // state.blocksize, state.blocksize))
    return bnb.dequantize_4bit(file.get_tensor(name), state).reshape(shape)


def eight_bit(file, name):
    return bnb.int8_vectorwise_dequant(file.get_tensor(name), file.get_tensor(name.removesuffix("weight") + "SCB")).to(torch.bfloat16)


def main():
    result = {}
    for folder in ("llama-nf4", "llama-nf4-double", "llama-fp4", "llama-int8"):
        with safe_open(FOLDERS / folder / "model.safetensors", "pt") as file:
            weights = {}
            for name in file.keys():
                if name.endswith("_proj.weight"):
                    weights[name] = eight_bit(file, name) if folder == "llama-int8" else four_bit(file, name)
                elif name.endswith(("layernorm.weight", "norm.weight", "embed_tokens.weight")):
                    weights[name] = file.get_tensor(name)
        assert all(value.dtype == torch.bfloat16 for value in weights.values())
        result[folder] = {name: hashlib.sha256(value.contiguous().view(torch.uint8).numpy().tobytes()).hexdigest()
                          for name, value in sorted(weights.items())}
    path = OUT / "dequantized.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    manifest = {
        "script": "tools/golden/dequantized.py",
        "script_sha256": hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest(),
        "versions": {"bitsandbytes": bitsandbytes.__version__, "torch": torch.__version__, "transformers": transformers.__version__},
        "sha256": {path.name: hashlib.sha256(path.read_bytes()).hexdigest()},
    }
    (OUT / "MANIFEST.dequantized.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main()
