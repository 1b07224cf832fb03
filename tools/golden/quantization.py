"""Makes tests/golden/quantization: what bitsandbytes' CPU backend makes of weights, and folders saved by transformers.

vectors.bin holds arrays end to end; vectors.txt says, one per line: name, dtype, offset, count. Folders hold one random
Llama, plain and at each precision.

Usage: python tools/golden/quantization.py   (needs torch, transformers, bitsandbytes, accelerate; no GPU)
"""

import hashlib
import json
import pathlib
import shutil

import bitsandbytes
import bitsandbytes.functional as bnb
import numpy as np
import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/golden/quantization"
SEED = 20261124
BLOCKS = (32, 64, 128, 256, 512, 1024, 2048, 4096)
# The thresholds that bitsandbytes' CUDA kernel compares magnitudes with, and the codes between them.
FP4_THRESHOLDS = np.array([0.00260417, 0.0859375, 0.20833333, 0.29166667, 0.4166667, 0.583333, 0.8333333], np.float32)
FP4_CODES = np.array([0, 1, 6, 7, 4, 5, 2, 3], np.uint8)


def fp4_cuda(x, block):
    """The rule of the CUDA kernel in IEEE arithmetic: x * (1 / absmax), strict comparisons, sign bit only below zero."""
    padded = np.zeros(-(-x.size // block) * block, np.float32)
    padded[: x.size] = x
    absmax = np.abs(padded).reshape(-1, block).max(1)
    inverse = np.float32(1) / np.maximum(absmax, np.float32(1e-38))
    t = (padded.reshape(-1, block) * inverse[:, None]).reshape(-1)[: x.size + x.size % 2]
    codes = FP4_CODES[(np.abs(t)[:, None] > FP4_THRESHOLDS).sum(1)] | ((t < 0).astype(np.uint8) << 3)
    return codes[0::2] << 4 | codes[1::2], absmax


def matrices():
    generator = torch.Generator().manual_seed(SEED)
    normal = torch.randn(49, 172, generator=generator) * 0.02
    heavy = torch.randn(25, 172, generator=generator).pow(3) * 0.01
    yield "normal", normal
    yield "bf16", heavy.bfloat16().float()
    yield "odd", normal[:7, :171].contiguous()
    yield "special", special()


def special():
    """Rows of 64, one block each at block size 64."""
    f = np.float32
    nf4 = bnb.get_4bit_type("nf4", device="cpu").numpy()
    nf4_middles = (nf4[:-1] + nf4[1:]) / f(2)
    fp4 = np.sort(np.abs(bnb.get_4bit_type("fp4", device="cpu").numpy()[:8]))
    fp4_middles = (fp4[:-1] + fp4[1:]) / f(2)
    near = lambda v: np.concatenate([v, np.nextafter(v, f(2)), np.nextafter(v, f(-2))])
    rows = []

    def row(values):
        assert len(values) <= 64
        rows.append(np.concatenate([np.asarray(values, f), np.zeros(64 - len(values), f)]))

    row([])  # zeros
    row(np.full(64, -0.0, f))
    row([0.0, -0.0] * 31 + [1.0, -1.0])
    row([1e-40, -1e-40, 3e-41, 1.4e-45])  # absmax below the smallest normal number
    row([1.2e-38, -1e-39, 6e-39])
    row(np.concatenate([[1], near(nf4_middles)]))
    row(np.concatenate([[1], near(fp4_middles), near(-fp4_middles)]))
    row(np.concatenate([[1], near(FP4_THRESHOLDS), near(-FP4_THRESHOLDS)]))
    row(np.concatenate([[1, 0, 1e-5, -1e-5, 1e-3, -1e-3, 0.0026041667, -0.0026041667, 0.0026041702]]))
    row(np.full(64, 0.75, f))  # all equal
    row(np.linspace(-60000, 60000, 64))
    row(np.linspace(-65504, 65504, 64) * f(0.999))
    row((np.arange(64) - 31.5) / 32)
    row([6e-8, -6e-8, 3e-8, 9e-8, 1e-7])  # steps and half steps of denormal fp16
    row((np.arange(64) - 32) * f(0.5) / 127)  # int8: halves of a step are ties
    row(np.concatenate([[127], np.arange(63) - 31.5]))
    return torch.from_numpy(np.stack(rows))


def huge():
    """Beyond fp16, so for 4 bits only; the last block is short and nothing but zeros."""
    values = torch.linspace(-1, 1, 64) * 3.4e38
    return torch.cat([values, torch.zeros(10)]).reshape(2, 37)


class Vectors:
    def __init__(self):
        self.data, self.lines = b"", []

    def add(self, name, array):
        array = np.ascontiguousarray(array.detach().numpy() if isinstance(array, torch.Tensor) else array)
        self.lines.append(f"{name} {array.dtype} {len(self.data)} {array.size}")
        self.data += array.tobytes() + b"\0" * (-array.nbytes % 8)


def make_vectors():
    out = Vectors()
    out.add("dynamic_map", bnb.create_dynamic_map())
    four_bit = list(matrices()) + [("huge", huge())]
    for name, x in four_bit:
        out.add(f"{name}.shape", np.array(x.shape, np.int64))
        out.add(f"{name}.values", x)
        for block in BLOCKS:
            for kind in ("nf4", "fp4"):
                codes, state = bnb.quantize_4bit(x, blocksize=block, quant_type=kind)
                for dtype in (torch.bfloat16, torch.float16):  # 16-bit weights are widened first; scales are always fp32
                    if torch.equal(x.to(dtype).float(), x):
                        same_codes, same_state = bnb.quantize_4bit(x.to(dtype), blocksize=block, quant_type=kind)
                        assert torch.equal(codes, same_codes) and torch.equal(state.absmax, same_state.absmax)
                        assert same_state.absmax.dtype == torch.float32
                out.add(f"{name}.{kind}.{block}.codes", codes)
                out.add(f"{name}.{kind}.{block}.absmax", state.absmax)
            cuda_codes, cuda_absmax = fp4_cuda(x.reshape(-1).numpy(), block)
            out.add(f"{name}.fp4_cuda.{block}.codes", cuda_codes)
            out.add(f"{name}.fp4_cuda.{block}.absmax", cuda_absmax)
    for name, x in matrices():
        codes, absmax, _ = bnb.int8_vectorwise_quant(x.half())
        out.add(f"{name}.int8.codes", codes)
        out.add(f"{name}.int8.absmax", absmax)

    # Scales alone: a block of 32 equal weights has that weight as its absmax.
    generator = torch.Generator().manual_seed(SEED + 1)
    scales = {
        "many": (torch.randn(4096, 32, generator=generator) * 0.02).abs().max(1).values,
        "wide": torch.rand(700, generator=generator).pow(6),
        "five": torch.rand(5, generator=generator),
        "equal": torch.full((300,), 0.1),
        "one": torch.tensor([0.3]),
    }
    for name, s in scales.items():
        weights = s[:, None].expand(-1, 32).contiguous()
        _, state = bnb.quantize_4bit(weights, blocksize=32, quant_type="nf4", compress_statistics=True)
        out.add(f"{name}.scales", s)
        out.add(f"{name}.nested.codes", state.absmax)
        out.add(f"{name}.nested.absmax", state.state2.absmax)
        out.add(f"{name}.nested.offset", state.offset.reshape(1))
    # A sum long enough that PyTorch cascades over several levels; all values are exact in fp32.
    count = 70001
    steps = (np.arange(count, dtype=np.int64) * 7919 % 65521).astype(np.float32) / np.float32(65536)
    out.add("long_mean", torch.from_numpy(steps).mean().reshape(1))
    (OUT / "vectors.bin").write_bytes(out.data)
    (OUT / "vectors.txt").write_text("\n".join(out.lines) + "\n")


def make_folders():
    torch.manual_seed(SEED)
    config = transformers.LlamaConfig(
        vocab_size=48, hidden_size=32, intermediate_size=172, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=64, tie_word_embeddings=True, dtype="bfloat16")
    model = transformers.LlamaForCausalLM(config).to(torch.bfloat16)
    save(model, "llama-bf16")
    folder = OUT / "llama-bf16"
    four = lambda kind, nested: transformers.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type=kind, bnb_4bit_use_double_quant=nested, bnb_4bit_compute_dtype=torch.bfloat16)
    for name, quantization in {
        "llama-nf4": four("nf4", False), "llama-nf4-double": four("nf4", True), "llama-fp4": four("fp4", False),
        "llama-int8": transformers.BitsAndBytesConfig(load_in_8bit=True),
    }.items():
        save(transformers.AutoModelForCausalLM.from_pretrained(folder, quantization_config=quantization, device_map="cpu"), name)


def save(model, name):
    folder = OUT / name
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    config = json.loads((folder / "config.json").read_text())
    config.pop("_name_or_path", None)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def main():
    torch.set_num_threads(1)  # the order of a long sum depends on it
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    make_vectors()
    make_folders()
    files = {str(p.relative_to(OUT)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(OUT.rglob("*")) if p.is_file()}
    manifest = {
        "script": "tools/golden/quantization.py",
        "script_sha256": hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest(),
        "seed": SEED,
        "versions": {"bitsandbytes": bitsandbytes.__version__, "torch": torch.__version__, "transformers": transformers.__version__},
        "torch_cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "folder": "tests/golden/quantization",
        "sha256": files,
    }
    (OUT.parent / "MANIFEST.quantization.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main()
