"""Makes tests/golden/quantization_cuda: what bitsandbytes' CUDA kernels make of the weights in tests/golden/quantization.

vectors.bin and vectors.txt as there: codes and absmax of every matrix, format and block size, int8 rows, nested scales,
and what the kernels read back. Weights that 16 bits hold exactly are quantized from those 16 bits as well, and must give
the same bytes.

Usage: python tools/golden/quantization_cuda.py [OUT]   (needs a GPU, torch, bitsandbytes)
"""

import hashlib
import json
import pathlib
import sys

import bitsandbytes
import bitsandbytes.functional as bnb
import numpy as np
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
FROM = ROOT / "tests/golden/quantization"
OUT = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "tests/golden/quantization_cuda"
BLOCKS = (32, 64, 128, 256, 512, 1024, 2048, 4096)


def golden():
    data, arrays = (FROM / "vectors.bin").read_bytes(), {}
    for line in (FROM / "vectors.txt").read_text().splitlines():
        name, dtype, offset, count = line.split()
        arrays[name] = np.frombuffer(data, dtype, int(count), int(offset))
    return arrays


class Vectors:
    def __init__(self):
        self.data, self.lines = b"", []

    def add(self, name, tensor):
        array = np.ascontiguousarray(tensor.detach().cpu().numpy())
        self.lines.append(f"{name} {array.dtype} {len(self.data)} {array.size}")
        self.data += array.tobytes() + b"\0" * (-array.nbytes % 8)


def main():
    source, out = golden(), Vectors()
    for name in ("normal", "bf16", "odd", "special", "huge"):
        x = torch.from_numpy(source[f"{name}.values"].copy()).reshape(*source[f"{name}.shape"]).cuda()
        for block in BLOCKS:
            for kind in ("nf4", "fp4"):
                codes, state = bnb.quantize_4bit(x, blocksize=block, quant_type=kind)
                for dtype in (torch.bfloat16, torch.float16):
                    if torch.equal(x.to(dtype).float(), x):
                        same, same_state = bnb.quantize_4bit(x.to(dtype), blocksize=block, quant_type=kind)
                        assert torch.equal(codes, same) and torch.equal(state.absmax, same_state.absmax), (name, kind, block, dtype)
                out.add(f"{name}.{kind}.{block}.codes", codes)
                out.add(f"{name}.{kind}.{block}.absmax", state.absmax)
                if name == "special":
                    out.add(f"{name}.{kind}.{block}.read", bnb.dequantize_4bit(codes, state))
        if name != "huge":
            codes, absmax, _ = bnb.int8_vectorwise_quant(x.half())
            out.add(f"{name}.int8.codes", codes)
            out.add(f"{name}.int8.absmax", absmax)
    for name in ("many", "wide", "five", "equal", "one"):
        scales = torch.from_numpy(source[f"{name}.scales"].copy()).cuda()
        weights = scales[:, None].expand(-1, 32).contiguous()
        _, state = bnb.quantize_4bit(weights, blocksize=32, quant_type="nf4", compress_statistics=True)
        out.add(f"{name}.nested.codes", state.absmax)
        out.add(f"{name}.nested.absmax", state.state2.absmax)
        out.add(f"{name}.nested.offset", state.offset.reshape(1))
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "vectors.bin").write_bytes(out.data)
    (OUT / "vectors.txt").write_text("\n".join(out.lines) + "\n")
    manifest = {
        "script": "tools/golden/quantization_cuda.py",
        "script_sha256": hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest(),
        "versions": {"bitsandbytes": bitsandbytes.__version__, "torch": torch.__version__, "cuda": torch.version.cuda},
        "gpu": torch.cuda.get_device_name(),
        "weights": "tests/golden/quantization",
        "folder": "tests/golden/quantization_cuda",
        "sha256": {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(OUT.glob("vectors.*"))},
    }
    (OUT.parent / "MANIFEST.quantization_cuda.json").write_text(json.dumps(manifest, indent=1) + "\n")
    print(f"{len(out.lines)} arrays, {len(out.data)} bytes")


if __name__ == "__main__":
    main()
