"""Makes tests/golden/gguf: tiny random models as GGUF files, in every type that Nibble decodes and every architecture that
it runs, and beside each NAME.gguf a NAME.expected.safetensors:

  input_ids, logits    two sequences, and the logits of the decoded model in float64, stored as fp32
  fp32_error           the largest and the rms error of transformers' own logits in fp32
  q_proj, down_proj    of layer 0, decoded by gguf.quants, rows in the order of Hugging Face

Usage: python tools/golden/gguf_models.py   (needs gguf, torch, transformers, safetensors)
"""

import importlib.metadata
import shutil

import gguf
import numpy as np
import safetensors
import torch
import transformers
from float64 import ROOT, error_of, files_under, fp32_logits_of, logits_of, to_float64, write_manifest
from models import randomise
from safetensors.torch import save_file

OUT = ROOT / "tests/golden/gguf"
SEED = 20261126
SMALL = dict(vocab_size=64, hidden_size=64, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2,
             max_position_embeddings=64, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2)
TWO = SMALL | dict(num_hidden_layers=2, intermediate_size=96, tie_word_embeddings=True)
LLAMA3 = dict(rope_type="llama3", rope_theta=500.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=32)
TYPE = gguf.GGMLQuantizationType

# name: (class, config, type of matrices)
MODELS = {
    **{f"llama_{t.name.lower()}": ("Llama", SMALL, t) for t in (TYPE.F32, TYPE.F16, TYPE.BF16, TYPE.Q8_0, TYPE.Q4_0, TYPE.Q4_1,
                                                                TYPE.Q5_0, TYPE.Q5_1)},
    "llama3_q8_0": ("Llama", TWO | dict(rope_parameters=LLAMA3), TYPE.Q8_0),
    "qwen2_q4_1": ("Qwen2", TWO | dict(use_sliding_window=False), TYPE.Q4_1),
    "qwen3_q4_0": ("Qwen3", TWO | dict(head_dim=32), TYPE.Q4_0),
}
NAMES = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output", "input_layernorm": "attn_norm",
         "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
         "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "post_attention_layernorm": "ffn_norm",
         "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}


def gguf_name(name):
    for ours, theirs in NAMES.items():
        module, _, kind = name.rpartition(".")
        if module == ours:
            return f"{theirs}.{kind}"
        if module.startswith("model.layers.") and module.endswith("." + ours):
            return f"blk.{module.split('.')[2]}.{theirs}.{kind}"
    raise KeyError(name)


def interleave(weight, heads):
    """Rows of each head from (half, pair) to (pair, half): llama.cpp turns neighbours, Hugging Face turns halves."""
    return np.ascontiguousarray(
        weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape))


def rope_factors(config):
    """What every rotary frequency is divided by under "llama3" scaling."""
    head = config.hidden_size // config.num_attention_heads
    plain = 1 / 500.0 ** (np.arange(0, head, 2) / head)
    wavelength, context = 2 * np.pi / plain, LLAMA3["original_max_position_embeddings"]
    low, high, factor = LLAMA3["low_freq_factor"], LLAMA3["high_freq_factor"], LLAMA3["factor"]
    smooth = np.clip((context / wavelength - low) / (high - low), 0, 1)
    return (1 / ((1 - smooth) / factor + smooth)).astype(np.float32)


def write(name, model, kind, matrix_type):
    """Writes NAME.gguf and puts into the model what a reader of it sees."""
    config, arch = model.config, {"Llama": "llama", "Qwen2": "qwen2", "Qwen3": "qwen3"}[kind]
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    out = gguf.GGUFWriter(OUT / f"{name}.gguf", arch)
    out.add_embedding_length(config.hidden_size)
    out.add_block_count(config.num_hidden_layers)
    out.add_feed_forward_length(config.intermediate_size)
    out.add_head_count(config.num_attention_heads)
    out.add_head_count_kv(config.num_key_value_heads)
    out.add_key_length(head)
    out.add_value_length(head)
    out.add_context_length(config.max_position_embeddings)
    out.add_layer_norm_rms_eps(config.rms_norm_eps)
    out.add_rope_freq_base(config.rope_parameters["rope_theta"])
    if kind == "Llama":
        out.add_rope_dimension_count(head)
    if config.rope_parameters["rope_type"] == "llama3":
        out.add_tensor("rope_freqs.weight", rope_factors(config))
    decoded = {}
    for full, parameter in model.named_parameters():
        weight, t = parameter.detach().float().numpy(), matrix_type if parameter.dim() == 2 else TYPE.F32
        data = gguf.quants.quantize(weight, t)
        decoded[full] = torch.from_numpy(gguf.quants.dequantize(data, t).reshape(weight.shape).copy())
        parameter.data = decoded[full]
        if kind == "Llama" and ("q_proj" in full or "k_proj" in full):
            heads = config.num_attention_heads if "q_proj" in full else config.num_key_value_heads
            data = interleave(data, heads)  # rows are quantized one by one, so their order may change afterwards
        out.add_tensor(gguf_name(full), data, raw_dtype=t)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return decoded


def main():
    torch.set_num_threads(1)
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    for index, (name, (kind, settings, matrix_type)) in enumerate(MODELS.items()):
        torch.manual_seed(SEED + index)
        model = getattr(transformers, kind + "ForCausalLM")(getattr(transformers, kind + "Config")(**settings))
        model.config._attn_implementation = "eager"
        randomise(model, SEED + index)
        decoded = write(name, model, kind, matrix_type)
        ids = torch.randint(3, 64, (2, 20), generator=torch.Generator().manual_seed(SEED + index))
        in_fp32 = fp32_logits_of(model, ids)
        logits = logits_of(to_float64(model), ids)
        error = error_of(in_fp32, logits)
        layer = "model.layers.0."
        save_file({"input_ids": ids, "logits": logits.float().contiguous(), "fp32_error": error,
                   "q_proj": decoded[layer + "self_attn.q_proj.weight"],
                   "down_proj": decoded[layer + "mlp.down_proj.weight"]}, OUT / f"{name}.expected.safetensors")
        print(f"{name:14} {(OUT / f'{name}.gguf').stat().st_size:7} bytes  logits max {logits.abs().max():.2f}  fp32 error {error[0]:.1e}", flush=True)
    write_manifest("gguf", __file__, [torch, transformers, safetensors], {"gguf": importlib.metadata.version("gguf"), "seed": SEED}, files_under(OUT))


if __name__ == "__main__":
    main()
