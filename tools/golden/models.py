"""Makes tests/golden/models: tiny random models of every architecture that runs, as transformers writes them, and beside
each folder NAME a file NAME.expected.safetensors: two prompts, their logits in float64 (stored as fp32), the largest and
the rms error of transformers' own logits in fp32, and what greedy decoding adds to each prompt.

Usage: python tools/golden/models.py   (needs torch, transformers, safetensors)
"""

import json
import math
import shutil

import safetensors
import torch
import transformers
from float64 import ROOT, error_of, files_under, fp32_logits_of, logits_of, to_float64, write_manifest
from safetensors.torch import save_file

OUT = ROOT / "tests/golden/models"
SEED = 20261125
PROMPT, NEW = 24, 8
LEAST_MARGIN = 0.01
SMALL = dict(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             max_position_embeddings=128, bos_token_id=1, eos_token_id=2)
HALF = SMALL | dict(vocab_size=96, hidden_size=48, intermediate_size=80)
rope = lambda **how: {"rope_type": "default", "rope_theta": 10000.0} | how

# name: (class, config, dtype, {old: the spelling of transformers 4, shards: bytes per shard})
MODELS = {
    "llama2": ("Llama", SMALL | dict(num_key_value_heads=4, rms_norm_eps=1e-5), "float32", {"old": True}),
    "llama3": ("Llama", HALF | dict(rms_norm_eps=1e-5, rope_parameters=rope(
        rope_type="llama3", rope_theta=500.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)),
        "bfloat16", {}),
    "llama3_old_spelling": ("Llama", HALF | dict(tie_word_embeddings=True, head_dim=16, rope_parameters=rope(
        rope_type="llama3", rope_theta=500.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)),
        "bfloat16", {"old": True}),
    "llama_linear_rope": ("Llama", SMALL | dict(rope_parameters=rope(rope_type="linear", factor=4.0)), "float32", {"old": True}),
    "llama_yarn_rope": ("Llama", HALF | dict(head_dim=16, rope_parameters=rope(
        rope_type="yarn", factor=4.0, original_max_position_embeddings=32)), "float16", {}),
    "llama_biases": ("Llama", HALF | dict(attention_bias=True, mlp_bias=True, tie_word_embeddings=True), "float16", {}),
    "mistral": ("Mistral", HALF | dict(head_dim=20, sliding_window=8), "float16", {"shards": "40KB"}),
    "qwen2": ("Qwen2", HALF | dict(tie_word_embeddings=True, use_sliding_window=False, rms_norm_eps=1e-6), "bfloat16", {}),
    "qwen2_window": ("Qwen2", SMALL | dict(num_hidden_layers=3, intermediate_size=48, use_sliding_window=True, sliding_window=8,
                                           max_window_layers=1), "bfloat16", {}),
    "qwen3": ("Qwen3", HALF | dict(head_dim=16, tie_word_embeddings=True, num_hidden_layers=3, rope_parameters=rope(rope_theta=1e6)),
              "bfloat16", {"shards": "50KB"}),
    "qwen3_untied": ("Qwen3", SMALL | dict(head_dim=12), "float32", {}),
}


@torch.no_grad()
def randomise(model, seed):
    """Weights whose every part matters: norms away from 1, biases away from 0, logits spread over several nats."""
    generator = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        if "norm" in name:
            p.copy_(1 + 0.3 * noise)
        elif p.dim() == 1:
            p.copy_(0.3 * noise)
        elif "embed_tokens" in name or "lm_head" in name:
            p.copy_(0.35 * noise)
        else:
            p.copy_(noise * 1.2 / math.sqrt(p.shape[1]))


def old_spelling(config):
    """What transformers 4 wrote: rope_theta and rope_scaling, torch_dtype, no layer_types."""
    scaling = dict(config.pop("rope_parameters"))
    config["rope_theta"] = scaling.pop("rope_theta")
    kind = scaling.pop("rope_type")
    # Before "rope_type" the key was "type".
    config["rope_scaling"] = None if kind == "default" else {"type" if kind == "linear" else "rope_type": kind, **scaling}
    config["torch_dtype"] = config.pop("dtype")
    config.pop("layer_types", None)
    config["transformers_version"] = "4.43.0"
    config["pretraining_tp"] = 1


def write_model(name, seed, kind, settings, dtype, how):
    torch.manual_seed(seed)
    config = getattr(transformers, kind + "Config")(**settings)
    model = getattr(transformers, kind + "ForCausalLM")(config)
    randomise(model, seed)
    model = model.to(getattr(torch, dtype))
    folder = OUT / name
    model.save_pretrained(folder, **({"max_shard_size": how["shards"]} if "shards" in how else {}))
    (folder / "generation_config.json").unlink(missing_ok=True)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config.pop("_name_or_path", None)
    if how.get("old"):
        old_spelling(config)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    return folder


def greedy(model, ids):
    """What greedy decoding adds to each prompt, and by how much each choice leads."""
    text, margins = ids, []
    for _ in range(NEW):
        top = logits_of(model, text)[:, -1].topk(2, -1)
        margins.append(top.values[:, 0] - top.values[:, 1])
        text = torch.cat([text, top.indices[:, :1]], 1)
    return text[:, ids.shape[1]:].contiguous(), torch.stack(margins, 1)


def expect(name, folder, seed):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="auto", attn_implementation="eager")
    stored = next(model.parameters()).dtype
    in_fp32 = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    model = to_float64(model)
    # Prompts after which no choice is a near tie, so that fp32 must give the same text.
    for attempt in range(20):
        generator = torch.Generator().manual_seed(seed + 1000 * attempt)
        ids = torch.randint(3, model.config.vocab_size, (2, PROMPT), generator=generator)
        text, margins = greedy(model, ids)
        if margins.min() > LEAST_MARGIN:
            break
    else:
        raise AssertionError(f"{name}: no prompts without a near tie")
    logits = logits_of(model, ids)
    error = error_of(fp32_logits_of(in_fp32, ids), logits)
    save_file({"input_ids": ids, "logits": logits.float().contiguous(), "fp32_error": error, "greedy": text},
              OUT / f"{name}.expected.safetensors")
    size = sum(p.stat().st_size for p in folder.iterdir())
    print(f"{name:20} {str(stored):15} {model.num_parameters():7} parameters {size:7} bytes  logits std {logits.std():.2f} "
          f"max {logits.abs().max():.2f}  fp32 error {error[0]:.1e}  least margin {margins.min():.4f}", flush=True)


def main():
    torch.set_num_threads(1)
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    for index, (name, spec) in enumerate(MODELS.items()):
        folder = write_model(name, SEED + index, *spec)
        expect(name, folder, SEED + 100 + index)
    write_manifest("models", __file__, [torch, transformers, safetensors], {"seed": SEED}, files_under(OUT))


if __name__ == "__main__":
    main()
