"""Makes tests/golden/gguf_mixes.json: for small models whose weights a formula gives, the type that llama.cpp chooses for each
tensor under each of its mixes and pure types, and the first 16 digits of the SHA-256 of the bytes it writes.

Usage: python tools/golden/gguf_mixes.py   (needs gguf, llama-cpp-python, numpy)
"""

import ctypes
import hashlib
import importlib.metadata
import json
import pathlib
import sys
import tempfile

import gguf
import llama_cpp
import numpy as np
from float64 import ROOT, write_manifest

OUT = ROOT / "tests/golden/gguf_mixes.json"
QUANTIZED = {"q8_0": 7, "q4_0": 2, "q4_1": 3, "q5_0": 8, "q5_1": 9, "iq4_nl": 25, "q4_k": 14, "q5_k": 16, "q6_k": 18}
PURE = {"f16": 1, "bf16": 32} | QUANTIZED
MIXES = {"q4_k_s": 14, "q4_k_m": 15, "q5_k_s": 16, "q5_k_m": 17}
SHAPE = dict(heads=4, kv_heads=2, vocab=64)
# name: (architecture, tied, sizes, recipes)
MODELS = {
    "whole": ("llama", False, SHAPE | dict(hidden=512, ffn=1024, head_dim=64, layers=4), PURE | MIXES),
    "tied_of_32": ("qwen3", True, SHAPE | dict(hidden=96, ffn=256, head_dim=64, layers=9), MIXES),
    "tied_of_16": ("qwen2", True, SHAPE | dict(hidden=80, ffn=176, head_dim=20, layers=2), MIXES),
}


def values(count, salt):
    """Sums of four bytes of a hash: near enough to normal, exact in fp32."""
    with np.errstate(over="ignore"):
        x = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(salt) * np.uint32(0x85EBCA77)
        for shift, factor in ((15, 0x2C1B3C6D), (12, 0x297A2D39)):
            x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
        x ^= x >> np.uint32(15)
    total = sum((x >> np.uint32(8 * i) & np.uint32(255)).astype(np.int32) for i in range(4)) - 510
    return total.astype(np.float32) / np.float32(4096)


def tensors(arch, tied, s):
    """(name, shape) in the order that counts the salts."""
    q, kv = s["heads"] * s["head_dim"], s["kv_heads"] * s["head_dim"]
    out = [("token_embd.weight", (s["vocab"], s["hidden"]))]
    for i in range(s["layers"]):
        layer = [("attn_norm.weight", (s["hidden"],)), ("attn_q.weight", (q, s["hidden"])), ("attn_k.weight", (kv, s["hidden"])),
                 ("attn_v.weight", (kv, s["hidden"])), ("attn_output.weight", (s["hidden"], q)), ("ffn_norm.weight", (s["hidden"],)),
                 ("ffn_gate.weight", (s["ffn"], s["hidden"])), ("ffn_up.weight", (s["ffn"], s["hidden"])),
                 ("ffn_down.weight", (s["hidden"], s["ffn"]))]
        if arch == "qwen2":
            layer += [("attn_q.bias", (q,)), ("attn_k.bias", (kv,)), ("attn_v.bias", (kv,))]
        if arch == "qwen3":
            layer += [("attn_q_norm.weight", (s["head_dim"],)), ("attn_k_norm.weight", (s["head_dim"],))]
        out += [(f"blk.{i}.{name}", shape) for name, shape in layer]
    return out + [("output_norm.weight", (s["hidden"],))] + ([] if tied else [("output.weight", (s["vocab"], s["hidden"]))])


def write(path, arch, tied, s):
    out = gguf.GGUFWriter(path, arch)
    out.add_embedding_length(s["hidden"])
    out.add_block_count(s["layers"])
    out.add_feed_forward_length(s["ffn"])
    out.add_head_count(s["heads"])
    out.add_head_count_kv(s["kv_heads"])
    out.add_key_length(s["head_dim"])
    out.add_value_length(s["head_dim"])
    out.add_context_length(64)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_rope_freq_base(10000.0)
    if arch == "llama":
        out.add_rope_dimension_count(s["head_dim"])
    for salt, (name, shape) in enumerate(tensors(arch, tied, s)):
        out.add_tensor(name, values(int(np.prod(shape)), salt).reshape(shape))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def quantized(source, path, number, pure):
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.pure, params.nthread = number, pure, 1
    assert llama_cpp.llama_model_quantize(str(source).encode(), str(path).encode(), ctypes.byref(params)) == 0
    return {t.name: [t.tensor_type.name, hashlib.sha256(t.data.tobytes()).hexdigest()[:16]] for t in gguf.GGUFReader(path).tensors}


def main():
    llama_cpp.llama_backend_init()
    out = {}
    with tempfile.TemporaryDirectory() as folder:
        source, made = pathlib.Path(folder, "source.gguf"), pathlib.Path(folder, "made.gguf")
        for name, (arch, tied, sizes, recipes) in MODELS.items():
            write(source, arch, tied, sizes)
            out[name] = {"architecture": arch, "tied": tied, **sizes, "recipes": {}}
            for recipe, number in recipes.items():
                out[name]["recipes"][recipe] = quantized(source, made, number, recipe not in MIXES)
                print(name, recipe, sorted({kind for kind, _ in out[name]["recipes"][recipe].values()}), file=sys.stderr)
    OUT.write_text(json.dumps(out, indent=0, separators=(",", ":")).replace('",\n"', '","').replace("[\n", "[").replace("\n]", "]") + "\n")
    write_manifest("gguf_mixes", __file__, [np], {"gguf": importlib.metadata.version("gguf"), "llama_cpp_python": llama_cpp.__version__}, [OUT])


if __name__ == "__main__":
    main()
