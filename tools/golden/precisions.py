"""Makes tests/golden/precisions.safetensors: what the shipped model computes at every precision, on the 256 ids of
gutenberg_16m_fp32.safetensors.

Per precision and length (long: 256 ids, short: 32), all of next-token losses and of logits at a few positions and every
16th id:
  meaning  float64 arithmetic on the weights that bitsandbytes' CPU backend stored, decoded exactly. For int8 the
           activations are rounded as LLM.int8() says (fp16, absmax per token, 127 steps), all else is float64.
  own      the same for weights encoded by the rules that Nibble follows where bitsandbytes' CPU backend departs from
           its CUDA kernel (docs/formats); only where these bytes differ.
  fp32, bf16, fp16   what transformers and bitsandbytes themselves compute with that compute type.
linear.*: one layer's product alone, for int8 (see one_layer). patch.*: the bytes to change to get from Nibble's codes to those of bitsandbytes' CPU backend; hash: of the latter.

Usage: python tools/golden/precisions.py   (needs torch, transformers, bitsandbytes, accelerate, safetensors; no GPU)
"""

import logging

import bitsandbytes
import numpy as np
import safetensors
import torch
import transformers
from float64 import ROOT, logits_of, nll_of, to_float64, write_manifest
from quantization import fp4_cuda
from safetensors.torch import load_file, save_file

MODEL = ROOT / "models/gutenberg-16m"
OUT = ROOT / "tests/golden/precisions.safetensors"
LENGTHS = {"long": (256, [63, 127, 191, 255]), "short": (32, [31])}
COLUMN_STEP = 16
F32, BF16, F16 = torch.float32, torch.bfloat16, torch.float16  # float64.wide() renames them
FOUR_BIT = {"nf4": ("nf4", False), "nf4_double": ("nf4", True), "fp4": ("fp4", False), "fp4_double": ("fp4", True)}
EIGHT_BIT = {"int8": 6.0, "int8_plain": 0.0}
NF4 = bitsandbytes.functional.get_4bit_type("nf4", device="cpu").numpy()
FP4 = bitsandbytes.functional.get_4bit_type("fp4", device="cpu").numpy()
MAP = bitsandbytes.functional.create_dynamic_map().numpy().astype(np.float32)


class Int8Linear(torch.nn.Module):
    """LLM.int8() of bitsandbytes 0.50.2 with sums and products in float64."""

    def __init__(self, codes, absmax, threshold):
        super().__init__()
        self.codes, self.absmax, self.threshold = codes, absmax, threshold
        self.outliers = None

    def forward(self, x):
        a = x.reshape(-1, x.shape[-1])
        half = a.to(F16)
        far = half.abs() >= self.threshold if self.threshold else torch.zeros_like(half, dtype=torch.bool)
        self.outliers = far.any(0)
        near = half.masked_fill(far, 0)
        absmax = near.abs().amax(1, keepdim=True).to(F32)
        codes = torch.round(near * (127.0 / absmax))
        codes[:, self.outliers] = 0
        out = (codes.double() @ self.codes.double().T) * (absmax.double() * self.absmax.double()) / 127**2
        weights = self.codes[:, self.outliers].double() * self.absmax.double()[:, None] / 127
        out += a[:, self.outliers] @ weights.T
        return out.reshape(*x.shape[:-1], -1)


def unpack(packed, count):
    packed = packed.reshape(-1)
    return np.stack([packed >> 4, packed & 15], 1).reshape(-1)[:count]


def scales_of(state, nested_codes):
    """fp32, as bitsandbytes decodes them: code times absmax, rounded, plus the offset, rounded."""
    absmax = np.repeat(state["nested_absmax"], 256)[: nested_codes.size]
    return MAP[nested_codes] * absmax + np.float32(state["offset"])


def decode(table, codes, scales, shape):
    return torch.from_numpy((table.astype(np.float64)[codes].reshape(-1, 64) * scales.astype(np.float64)[:, None]).reshape(shape))


def nearest(t):
    """Index of the map's value nearest to t; a tie goes to the even one."""
    after = np.clip(np.searchsorted(MAP, t), 1, 255)
    low, high = t.astype(np.float64) - MAP[after - 1], MAP[after].astype(np.float64) - t
    return np.where((low < high) | ((low == high) & (after % 2 == 1)), after - 1, after).astype(np.uint8)


def fnv(arrays):
    """64-bit FNV-1a over 8-byte words (lengths here are multiples of 8)."""
    value = 14695981039346656037
    for array in arrays:
        for word in np.frombuffer(array.tobytes(), np.uint64).tolist():
            value = (value ^ word) * 1099511628211 & (2**64 - 1)
    return torch.tensor([value - 2**64 if value >= 2**63 else value])


def linears(model):
    kinds = (torch.nn.Linear, bitsandbytes.nn.Linear4bit, bitsandbytes.nn.Linear8bitLt)
    return sorted((name, module) for name, module in model.named_modules() if isinstance(module, kinds) and name != "lm_head")


def load(quantization=None, dtype=F32):
    return transformers.AutoModelForCausalLM.from_pretrained(
        MODEL, quantization_config=quantization, dtype=dtype, device_map="cpu", attn_implementation="eager").eval()


@torch.no_grad()
def results(out, name, logits_for):
    """logits_for: ids (1, n) to logits (1, n, vocabulary)."""
    for length, (count, positions) in LENGTHS.items():
        logits = logits_for(IDS[None, :count])[0]
        out[f"{length}.{name}.nll"] = nll_of(logits, IDS[:count]).float().contiguous()
        out[f"{length}.{name}.logits"] = logits[positions, ::COLUMN_STEP].float().contiguous()


def exact(out, name, model):
    results(out, name, lambda ids: logits_of(model, ids))


def theirs(out, quantization, dtypes):
    for label, dtype in dtypes.items():
        model = load(quantization(dtype) if quantization else None, dtype)
        for module in model.modules():  # the same arithmetic on every machine: no hidden detour through bf16
            if isinstance(module, bitsandbytes.nn.Linear4bit):
                module.support_avx512bf16_for_cpu = False
        results(out, label, lambda ids: model(input_ids=ids, use_cache=False).logits)


def four_bit(case, kind, nested):
    out, table = {}, NF4 if kind == "nf4" else FP4
    config = lambda dtype: transformers.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type=kind, bnb_4bit_use_double_quant=nested, bnb_4bit_compute_dtype=dtype)
    quantized, plain = load(config(F32)), to_float64(load())
    originals, own, hashed, patches = dict(linears(plain)), {}, [], {"tensor": [], "index": [], "value": []}

    def patch(which, index, value):
        patches["tensor"].append(np.full(index.size, which, np.int32))
        patches["index"].append(index.astype(np.int32))
        patches["value"].append(value.astype(np.uint8))

    # Tensor 2i: the codes of the i-th linear layer by name; 2i + 1: its nested codes.
    differing_codes = differing_scales = 0
    for i, (name, module) in enumerate(linears(quantized)):
        state, shape = module.weight.quant_state, tuple(module.weight.quant_state.shape)
        packed, count = module.weight.data.numpy().reshape(-1), int(np.prod(shape))
        codes, original = unpack(packed, count), originals[name].weight.data.to(F32).numpy().reshape(-1)
        if kind == "fp4":
            own_codes = unpack(fp4_cuda(original, 64)[0], count)
            # The sign of a zero is no difference in value: 8 counts as 0.
            codes, own_codes = np.where(codes == 8, 0, codes), np.where(own_codes == 8, 0, own_codes)
            differ = np.flatnonzero(codes != own_codes)
            differing_codes += differ.size
            patch(2 * i, differ, codes[differ])
        else:
            own_codes = codes
        hashed.append(codes.astype(np.uint8))
        scales = own_scales = state.absmax.numpy()
        if nested:
            fields = {"nested_absmax": state.state2.absmax.numpy(), "offset": state.offset.item()}
            theirs_nested = state.absmax.numpy()
            absmax = np.abs(original.reshape(-1, 64)).max(1)
            inverse = np.float32(1) / np.repeat(fields["nested_absmax"], 256)[: absmax.size]
            own_nested = nearest((absmax - np.float32(fields["offset"])) * inverse)
            differ = np.flatnonzero(theirs_nested != own_nested)
            differing_scales += differ.size
            patch(2 * i + 1, differ, theirs_nested[differ])
            hashed.append(theirs_nested)
            scales, own_scales = scales_of(fields, theirs_nested), scales_of(fields, own_nested)
        decoded = bitsandbytes.functional.dequantize_4bit(module.weight.data, state)
        meaning = decode(table, codes, scales, shape)
        assert (decoded.double() - meaning).abs().max() <= 2**-23 * meaning.abs().max(), name
        own[name] = decode(table, own_codes, own_scales, shape)
        originals[name].weight.data = meaning
    exact(out, "meaning", plain)
    if differing_codes or differing_scales:
        for name, weight in own.items():
            originals[name].weight.data = weight
        exact(out, "own", plain)
    for field, dtype in (("tensor", np.int32), ("index", np.int32), ("value", np.uint8)):
        arrays = patches[field] or [np.zeros(0, dtype)]
        out[f"patch.{field}"] = torch.from_numpy(np.concatenate(arrays))
    out["hash"] = fnv(hashed)
    theirs(out, config, {"fp32": F32, "bf16": BF16, "fp16": F16})
    print(f"{case}: {differing_codes} codes and {differing_scales} nested codes differ")
    return out


def eight_bit(case, threshold):
    out = {}
    config = lambda dtype: transformers.BitsAndBytesConfig(load_in_8bit=True, llm_int8_threshold=threshold)
    quantized, plain = load(config(F32)), to_float64(load())
    hashed, columns, outliers = [], 0, 0
    for name, module in linears(quantized):
        codes, absmax = module.weight.data, module.weight.SCB
        hashed += [codes.numpy(), absmax.numpy()]
        parent, _, child = name.rpartition(".")
        setattr(plain.get_submodule(parent), child, Int8Linear(codes, absmax, threshold))
    exact(out, "meaning", plain)
    inputs = {}
    for name in LINEAR_LAYERS:
        plain.get_submodule(name).register_forward_pre_hook(lambda module, args, name=name: inputs.update({name: args[0][0]}))
    logits_of(plain, IDS[None])
    for name, module in plain.named_modules():
        if isinstance(module, Int8Linear):
            columns += module.outliers.numel()
            outliers += int(module.outliers.sum())
            if name == OUTLIER_LAYER and threshold:
                out["outlier_columns"] = torch.nonzero(module.outliers)[:, 0].int()
    for name in LINEAR_LAYERS:
        one_layer(out, name, plain.get_submodule(name), quantized.get_submodule(name), inputs[name][LINEAR_TOKENS])
    out["hash"] = fnv(hashed)
    out["outlier_share"] = torch.tensor([outliers / columns], dtype=F32)
    theirs(out, config, {"fp32": F32, "bf16": BF16})
    print(f"{case}: product of one layer, largest relative difference to bitsandbytes "
          + ", ".join(f"{name} {out[f'linear.{name}.difference'].item():.1e}" for name in LINEAR_LAYERS))
    for name in LINEAR_LAYERS:
        del out[f"linear.{name}.difference"]
    print(f"{case}: {outliers} of {columns} columns hold an outlier"
          + (f", {OUTLIER_LAYER} {out['outlier_columns'].numel()}" if threshold else ""))
    return out


@torch.no_grad()
def one_layer(out, name, exact_layer, module, x):
    """Activations of a few tokens (rounded to bf16, so that every compute type sees the same), their product with the
    layer for all together and for the first alone, in float64. The codes and scales are those of bitsandbytes' own
    function; its CPU code multiplies sums by 6.200124e-05 where 1 / 127^2 is 6.200012e-05 (as its CUDA kernel has it),
    so that its product of codes is larger by 1.8e-5."""
    x = x.to(BF16)
    codes, absmax, _ = bitsandbytes.functional.int8_vectorwise_quant(x.to(F16), threshold=exact_layer.threshold)
    out[f"linear.{name}.x"] = x.to(F32).contiguous()
    out[f"linear.{name}.x_codes"], out[f"linear.{name}.x_absmax"] = codes, absmax
    out[f"linear.{name}.together"] = exact_layer(x.double()).to(F32)
    out[f"linear.{name}.alone"] = exact_layer(x[:1].double()).to(F32)
    theirs = module(x.to(F32)[None])[0]
    together = out[f"linear.{name}.together"]
    out[f"linear.{name}.difference"] = (theirs - together).abs().max() / together.abs().max()


LINEAR_LAYERS = ("model.layers.4.self_attn.k_proj", "model.layers.4.mlp.down_proj")
LINEAR_TOKENS = slice(100, 108)
OUTLIER_LAYER = "model.layers.4.mlp.down_proj"
IDS = load_file(ROOT / "tests/golden/gutenberg_16m_fp32.safetensors")["input_ids"].long()


def main():
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    plain = {}
    exact(plain, "meaning", to_float64(load()))
    theirs(plain, None, {"fp32": F32, "bf16": BF16, "fp16": F16})
    cases = {"plain": plain}
    cases |= {case: four_bit(case, *how) for case, how in FOUR_BIT.items()}
    cases |= {case: eight_bit(case, threshold) for case, threshold in EIGHT_BIT.items()}
    print(f"{'':12} mean nll: meaning, own, fp32, bf16, fp16; largest error of nll and logits to meaning")
    for case, out in cases.items():
        line = f"{case:12}"
        for which in ("meaning", "own", "fp32", "bf16", "fp16"):
            if f"long.{which}.nll" in out:
                nll, logits = (out[f"long.{which}.{x}"] - out[f"long.meaning.{x}"] for x in ("nll", "logits"))
                line += f"  {which} {out[f'long.{which}.nll'].mean():.5f} ({nll.abs().max():.1e} {logits.abs().max():.1e})"
        print(line)
    save_file({f"{case}.{key}": value for case, out in cases.items() for key, value in out.items()}, OUT)
    OUT.chmod(0o644)
    write_manifest("precisions", __file__, [torch, transformers, bitsandbytes, safetensors],
                   {"torch_cpu_capability": torch.backends.cpu.get_cpu_capability()}, [OUT])


if __name__ == "__main__":
    main()
