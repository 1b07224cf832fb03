"""Checks GGUF files that Nibble writes against the gguf package, llama.cpp and transformers, on a CPU. Run by a developer; the
results are recorded in docs/measurements/interop-gguf.md.

For each type the shipped model becomes a GGUF file: the gguf package reads it, every tensor's bytes are those that
ggml_quantize_chunk gives for the original's rows, llama.cpp loads it and gives the same token ids, and its perplexity is
set beside Nibble's on the same file. Then the file becomes a folder again: transformers gives the logits of Nibble on it.

Usage: python tools/golden/check_gguf.py PROGRAM [TYPE ...]   (needs gguf, llama-cpp-python, torch, transformers, safetensors)
"""

import ctypes
import json
import logging
import pathlib
import subprocess
import sys
import tempfile

import gguf
import llama_cpp
import numpy as np
import torch
import transformers
from float64 import ROOT
from safetensors import safe_open

MODEL = ROOT / "models/gutenberg-16m"
TEXT = ROOT / "data/held_out.txt"
WINDOW, TOKENS = 512, 1024
TYPES = ["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "iq4_nl", "q4_k_s", "q4_k_m", "q5_k_s", "q5_k_m"]
NAMES = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q",
         "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
         "self_attn.k_norm": "attn_k_norm", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
         "mlp.down_proj": "ffn_down"}


def program(*arguments):
    done = subprocess.run([sys.argv[1], *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def original():
    """Rows by GGUF's names, in fp32."""
    out = {}
    for path in sorted(MODEL.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():
                module, kind = name.rsplit(".", 1)
                layer = f"blk.{module.split('.')[2]}." if module.startswith("model.layers.") else ""
                key = module.split(".", 3)[3] if layer else module
                out[f"{layer}{NAMES[key]}.{kind}"] = file.get_tensor(name).float().numpy()
    return out


def ggml_bytes(rows, kind):
    """What ggml makes of them."""
    library = ctypes.CDLL(next(pathlib.Path(llama_cpp.__file__).parent.joinpath("lib").glob("libggml-base.so*")))
    library.ggml_row_size.restype = ctypes.c_size_t
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    if rows.ndim == 1:
        rows = rows[None]
    if kind == gguf.GGMLQuantizationType.F32:
        return rows.tobytes()
    size = library.ggml_row_size(int(kind), ctypes.c_int64(rows.shape[1])) * rows.shape[0]
    out = ctypes.create_string_buffer(size)
    pointer = np.ascontiguousarray(rows).ctypes.data_as(ctypes.c_void_p)
    library.ggml_quantize_chunk(int(kind), pointer, out, ctypes.c_int64(0), ctypes.c_int64(rows.shape[0]), ctypes.c_int64(rows.shape[1]), None)
    return out.raw[:size]


def nll_of(logits, ids):
    logits = logits.astype(np.float64)
    logits -= logits.max(-1, keepdims=True)
    return np.log(np.exp(logits).sum(-1)) - logits[np.arange(len(ids)), ids]


def llama_perplexity(path, ids):
    model = llama_cpp.Llama(str(path), n_ctx=WINDOW, n_batch=WINDOW, n_threads=1, logits_all=True, verbose=False)
    texts = ["It was a dark and stormy night", "  1234 spaces\n\nand it's UPPER'S <|im_start|>user", "Größe, 世界 🚀!"]
    for text in texts:
        mine = json.loads(program("tokenize", path, text, "--json"))["ids"]
        assert model.tokenize(text.encode(), add_bos=True, special=True) == mine, (text, mine)
    losses = []
    for begin in range(0, len(ids) - 1, WINDOW):
        window = ids[begin : begin + WINDOW]
        model.reset()
        model.eval(window)
        losses += list(nll_of(np.array(model.scores[: len(window) - 1]), window[1:]))
    return np.exp(np.mean(losses)), model.metadata.get("tokenizer.chat_template")


@torch.no_grad()
def folder_difference(folder, ids):
    """Largest difference of a logit between transformers and Nibble, over the spread of logits."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    text = "It's 1234 o'clock\n\n  and it WAS dark; Größe 世界"
    assert tokenizer.encode(text) == json.loads(program("tokenize", folder, text, "--json"))["ids"]
    chat = [{"role": "user", "content": "Hello"}]
    assert tokenizer.apply_chat_template(chat, tokenize=False) == "<|im_start|>user\nHello<|im_end|>\n"
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    theirs = model(input_ids=torch.tensor([ids])).logits[0].numpy()
    with tempfile.TemporaryDirectory() as scratch:
        listed, stored = pathlib.Path(scratch, "ids"), pathlib.Path(scratch, "logits")
        listed.write_text(" ".join(map(str, ids)))
        program("eval", folder, "--ids", listed, "--context", len(ids), "--bos", "never", "--precision", "fp32", "--logits", stored, "--json")
        with safe_open(stored, "np") as file:
            ours = file.get_tensor("logits")
    return np.abs(ours - theirs[: len(ours)]).max(), theirs.std()


def main():
    logging.disable(logging.WARNING)
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    print(f"gguf 0.19, llama-cpp-python {llama_cpp.__version__}, torch {torch.__version__}, transformers {transformers.__version__}\n")
    print("| type | MB | types in it | tensors with ggml's bytes | perplexity of Nibble | of llama.cpp | ratio | folder made of it: largest difference of a logit |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    rows = original()
    with tempfile.TemporaryDirectory() as scratch:
        ids_file = pathlib.Path(scratch, "ids")
        ids = json.loads(program("tokenize", MODEL, "--file", TEXT, "--no-special", "--json"))["ids"][:TOKENS]
        ids_file.write_text(" ".join(map(str, ids)))
        for kind in sys.argv[2:] or TYPES:
            path, folder = pathlib.Path(scratch, kind + ".gguf"), pathlib.Path(scratch, kind)
            program("quantize", MODEL, path, "--to", kind, "--quiet")
            reader = gguf.GGUFReader(path)
            assert {t.name for t in reader.tensors} == set(rows)
            for t in reader.tensors:
                assert list(t.shape[::-1]) == list(rows[t.name].shape), t.name
                assert t.data.tobytes() == ggml_bytes(rows[t.name], t.tensor_type), (kind, t.name)
            types = sorted({t.tensor_type.name for t in reader.tensors})
            mine = json.loads(program("eval", path, "--ids", ids_file, "--context", WINDOW, "--bos", "never", "--precision", "fp32", "--json"))
            theirs, template = llama_perplexity(path, ids)
            assert template, "the chat template is there"
            program("quantize", path, folder, "--to", "fp32", "--quiet")
            difference, spread = folder_difference(folder, ids[:256])
            assert difference < 1e-4 * spread, (kind, difference)  # an fp32 model: some hundred roundings of 2^-24
            ratio = theirs / mine["perplexity"]
            assert abs(ratio - 1) < (0.001 if kind == "f32" else 0.01), (kind, ratio)
            print(f"| {kind} | {path.stat().st_size / 1e6:.1f} | {' '.join(types)} | {len(rows)} of {len(rows)} | {mine['perplexity']:.4f} | "
                  f"{theirs:.4f} | {ratio:.5f} | {difference:.1e} |", flush=True)


if __name__ == "__main__":
    main()
