"""Makes tests/golden/ranges.safetensors.

values: fp32 numbers spread over and beyond fp16's range; counts and errors: what PyTorch's conversions make of them.
ids, place_NAME: the largest magnitude at NAME (a place of the forward pass) when the shipped model reads the ids, by
transformers in float64; fp32_error: the largest and the rms share by which transformers in fp32 departs from them.

Usage: python tools/golden/ranges.py   (needs torch, transformers, tokenizers, safetensors)
"""

import safetensors
import tokenizers
import torch
import transformers
from float64 import ROOT, error_of, fp32_logits_of, logits_of, to_float64, write_manifest
from safetensors.torch import save_file

OUT = ROOT / "tests/golden/ranges.safetensors"
MODEL = ROOT / "models/gutenberg-16m"
SEED, COUNT, TOKENS = 20261125, 4096, 96


def spread():
    generator = torch.Generator().manual_seed(SEED)
    exponent = torch.rand(COUNT, generator=generator, dtype=torch.float64) * 18 - 11  # 1e-11 to 1e7
    sign = torch.randint(0, 2, (COUNT,), generator=generator) * 2 - 1
    values = (10**exponent * sign).float()
    values[::97] = 0
    return values


def judged(values):
    magnitude = values.double().abs()
    there = magnitude > 0
    within = magnitude <= 65504
    as_bf16, as_fp16 = values.bfloat16().double().abs(), values.half().double().abs()
    relative = lambda rounded, of: torch.where(there & of, (rounded - magnitude).abs() / magnitude, 0)
    bf16, fp16 = relative(as_bf16, there), relative(as_fp16, within)
    counts = [magnitude > 65504, there & (magnitude < 2**-14), there & (as_fp16 == 0), as_bf16 != magnitude]
    errors = [bf16.max(), bf16.square().mean().sqrt(), (fp16.square().sum() / within.sum()).sqrt(), magnitude.max(),
              magnitude[there].min()]
    return torch.stack([c.sum() for c in counts]), torch.stack(errors)


def places(model, ids, compute):
    largest = {}
    note = lambda name: lambda tensor: largest.__setitem__(name, tensor.detach().abs().max().reshape(1))
    after = lambda name: lambda module, given, made: note(name)(made[0] if isinstance(made, tuple) else made)
    before = lambda name: lambda module, given: note(name)(given[0])
    inner = model.model
    inner.embed_tokens.register_forward_hook(after("model.embed_tokens output"))
    for i, layer in enumerate(inner.layers):
        at = f"model.layers.{i}"
        for name in ("input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "post_attention_layernorm",
                     "mlp.gate_proj", "mlp.up_proj"):
            layer.get_submodule(name).register_forward_hook(after(f"{at}.{name} output"))
        for name in ("self_attn.o_proj", "mlp.down_proj"):
            layer.get_submodule(name).register_forward_pre_hook(before(f"{at}.{name} input"))
        layer.post_attention_layernorm.register_forward_pre_hook(before(f"{at} residual after attention"))
        layer.register_forward_hook(after(f"{at} output"))
    inner.norm.register_forward_hook(after("model.norm output"))
    model.lm_head.register_forward_hook(after("lm_head output"))
    compute(model, ids[None])
    return largest


values = spread()
counts, errors = judged(values)
tokenizer = tokenizers.Tokenizer.from_file(str(MODEL / "tokenizer.json"))
ids = torch.tensor(tokenizer.encode((ROOT / "data/held_out.txt").read_text()).ids[:TOKENS])
load = lambda dtype: transformers.AutoModelForCausalLM.from_pretrained(MODEL, dtype=dtype)
exact = places(to_float64(load(torch.float64)), ids, logits_of)
in_fp32 = places(load(torch.float32), ids, fp32_logits_of)
shares = torch.cat([in_fp32[name].double() / largest for name, largest in exact.items()])
seen = {f"place_{name}": largest for name, largest in exact.items()}
save_file({"values": values, "counts": counts, "errors": errors, "ids": ids, "fp32_error": error_of(shares, torch.ones_like(shares)),
           **seen}, OUT)
write_manifest("ranges", __file__, [torch, transformers, tokenizers, safetensors], {"seed": SEED}, [OUT])
