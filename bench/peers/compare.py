"""Nibble, llama.cpp and bitsandbytes side by side on random weights of one shape: tokens/s, GB/s and shares of the peak.

Usage: compare.py --nibble build/nibble --work FOLDER [--rounds 1] [--only nf4,int8] [--config tinyllama_1.1b.json]

Needs llama-cpp-python (built for this machine), transformers, bitsandbytes, accelerate and gguf. FOLDER keeps the
models of random weights (13 GB). Every measurement is a process of its own, each of Nibble's stands next to its peers',
and the whole sequence runs `rounds` times; the median over rounds is printed. Inside a process: prompt and new tokens
as given, the median of three after one for warming up.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve()
CONFIG = HERE.parent.parent / "configs" / "tinyllama_1.1b.json"
# A precision of Nibble and the peers it is measured against.
GROUPS = [
    ("fp32", ["llama F32"]),
    ("fp16", ["llama F16"]),
    ("bf16", ["llama BF16", "torch bf16"]),
    ("int8", ["llama Q8_0", "torch int8"]),
    ("nf4", ["llama IQ4_NL", "llama Q4_0"]),
    ("nf4-dq", ["torch nf4-dq"]),
    ("fp4", []),
]
PLANTED = 200  # one column in so many is an outlier, as in Nibble's random weights


def timed(step, prompt, new):
    """step(ids, fresh) runs tokens after what it has seen. Returns prefill and decode in tokens/s."""
    prefill, decode = [], []
    for repeat in range(-1, 3):
        start = time.perf_counter()
        step(prompt, True)
        middle = time.perf_counter()
        for i in range(new):
            step([7 + i], False)
        end = time.perf_counter()
        if repeat >= 0:
            prefill.append(len(prompt) / (middle - start))
            decode.append(new / (end - middle))
    return statistics.median(prefill), statistics.median(decode)


def prompt_ids(count, vocabulary):
    return [(i * 7919 + 13) % (vocabulary - 10) + 5 for i in range(count)]


def write_gguf(kind, config, path):
    """Random blocks of a type, with scales that keep values near 0.02."""
    import gguf
    import numpy
    random = numpy.random.default_rng(0)
    quant = gguf.GGMLQuantizationType[kind]
    per_block, block_bytes = gguf.GGML_QUANT_SIZES[quant]

    def tensor(rows, cols):
        if per_block == 1:
            values = random.standard_normal((rows, cols), dtype=numpy.float32) * numpy.float32(0.02)
            return gguf.quants.quantize(values, quant) if kind != "F32" else values
        blocks = random.integers(0, 256, (rows, cols // per_block, block_bytes), dtype=numpy.uint8)
        scale = numpy.array([0.02 / {"Q8_0": 74, "Q4_0": 4.6, "IQ4_NL": 65}[kind]], numpy.float16)
        blocks[:, :, :2] = scale.view(numpy.uint8)
        return blocks.reshape(rows, -1)

    width, inner, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    kv, words = config["num_key_value_heads"] * (width // heads), config["vocab_size"]
    out = gguf.GGUFWriter(path, "llama")
    out.add_block_count(config["num_hidden_layers"])
    out.add_context_length(config["max_position_embeddings"])
    out.add_embedding_length(width)
    out.add_feed_forward_length(inner)
    out.add_head_count(heads)
    out.add_head_count_kv(config["num_key_value_heads"])
    out.add_layer_norm_rms_eps(config["rms_norm_eps"])
    out.add_rope_dimension_count(width // heads)
    out.add_vocab_size(words)
    out.add_tokenizer_model("llama")
    out.add_token_list([b"<unk>", b"<s>", b"</s>"] + [b"w%d" % i for i in range(words - 3)])
    out.add_token_scores([0.0] * words)
    out.add_token_types([2, 3, 3] + [1] * (words - 3))
    for name in ["token_embd.weight", "output.weight"]:
        out.add_tensor(name, tensor(words, width), raw_dtype=quant)
    norms = ["output_norm.weight"]
    shapes = {"attn_q": (width, width), "attn_k": (kv, width), "attn_v": (kv, width), "attn_output": (width, width),
              "ffn_gate": (inner, width), "ffn_up": (inner, width), "ffn_down": (width, inner)}
    made = {name: tensor(*shape) for name, shape in shapes.items()}
    for layer in range(config["num_hidden_layers"]):
        norms += [f"blk.{layer}.attn_norm.weight", f"blk.{layer}.ffn_norm.weight"]
        for name, data in made.items():
            out.add_tensor(f"blk.{layer}.{name}.weight", data, raw_dtype=quant)
    for name in norms:
        out.add_tensor(name, numpy.ones(width, numpy.float32))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def write_torch(config, folder):
    """Random bf16 weights in Hugging Face layout, with outliers planted as Nibble plants them."""
    import torch
    import transformers
    torch.manual_seed(0)
    keys = {k: v for k, v in config.items() if k not in ("architectures", "model_type", "dtype")}
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**keys)).to(torch.bfloat16)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight[PLANTED // 2::PLANTED] = 40
            elif "v_proj" in name or "up_proj" in name:
                factor = torch.full((weight.shape[0], 1), 0.03)
                factor[PLANTED // 2::PLANTED] = 80
                weight.mul_(factor.to(weight.dtype))
    model.save_pretrained(folder)


def measure_llama(kind, config, a):
    import llama_cpp
    path = pathlib.Path(a.work) / f"{a.config.stem}-{kind}.gguf"
    if not path.exists():
        write_gguf(kind, config, path.with_suffix(".part"))
        path.with_suffix(".part").rename(path)
    model = llama_cpp.Llama(str(path), n_ctx=a.prompt + a.new, n_batch=a.prompt, n_ubatch=a.prompt, n_threads=a.threads,
                            n_threads_batch=a.threads, verbose=False)

    def step(ids, fresh):
        if fresh:
            model.reset()
        model.eval(ids)

    rates = timed(step, prompt_ids(a.prompt, config["vocab_size"]), a.new)
    head = config["hidden_size"] * config["vocab_size"]
    # Reading a token's row of the embedding is nothing; all else is read for every token.
    read = path.stat().st_size * (1 - head / parameters(config, embedding=True))
    features = llama_cpp.llama_print_system_info().decode().split("CPU :")[-1].replace(" = 1", "").replace(" |", "")
    return rates + (read, f"llama-cpp-python {llama_cpp.__version__}:{features}".strip())


def measure_torch(kind, config, a):
    import logging
    said = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    logging.getLogger("bitsandbytes.backends.cpu.ops").addHandler(handler)
    import torch
    import transformers
    torch.set_num_threads(a.threads)
    transformers.logging.set_verbosity_error()
    folder = pathlib.Path(a.work) / a.config.stem
    if not (folder / "config.json").exists():
        write_torch(config, folder)
    quantization, note = None, f"transformers {transformers.__version__}, torch {torch.__version__}"
    if kind != "bf16":
        import bitsandbytes
        missing = any("gemm_4bit_forward" in message for message in said)
        note += f", bitsandbytes {bitsandbytes.__version__}"
        if kind == "nf4-dq":
            note += f" (fused CPU kernel from the hub: {'not loaded' if missing else 'loaded'})"
        quantization = transformers.BitsAndBytesConfig(load_in_8bit=True) if kind == "int8" else \
            transformers.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4",
                                            bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.bfloat16)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, device_map="cpu",
                                                              quantization_config=quantization).eval()
    state = {}

    def step(ids, fresh):
        if fresh:
            state["cache"] = transformers.DynamicCache()
        with torch.inference_mode():
            model(torch.tensor([ids]), past_key_values=state["cache"], use_cache=True, logits_to_keep=1)

    rates = timed(step, prompt_ids(a.prompt, config["vocab_size"]), a.new)
    linear, head = parameters(config), config["hidden_size"] * config["vocab_size"]
    bits = {"bf16": 16, "int8": 8, "nf4-dq": 4 + 8 / 64 + 32 / (64 * 256)}[kind]
    return rates + (linear * bits / 8 + 2 * head, note)


def measure_nibble(precision, a):
    out = subprocess.run([a.nibble, "bench", "model", "--random-weights", str(a.config), "--precisions", precision,
                          "--prompt-tokens", str(a.prompt), "--new-tokens", str(a.new), "--threads", str(a.threads),
                          "--json", "--quiet"], check=True, stdout=subprocess.PIPE).stdout
    report = json.loads(out)
    r = report["results"][0]
    note = report["machine"]["kernels"] + (f", outlier columns {100 * r['outlier_share']:.2f} %" if precision == "int8"
                                           else "")
    return (r["prefill_tokens_per_s"], r["decode_tokens_per_s"], r["bytes_per_token"], note), report["machine"]


def parameters(config, embedding=False):
    width, inner = config["hidden_size"], config["intermediate_size"]
    kv = config["num_key_value_heads"] * (width // config["num_attention_heads"])
    linear = config["num_hidden_layers"] * (2 * width * width + 2 * kv * width + 3 * width * inner)
    return linear + (2 * width * config["vocab_size"] if embedding else 0)


def in_a_process(peer, a):
    kept = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    kept |= {"OMP_NUM_THREADS": str(a.threads), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run([sys.executable, str(HERE), *sys.argv[1:], "--peer", peer], env=kept, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{peer}: {done.stderr[-2000:]}")
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def print_table(rates, notes, machine, a, linear):
    read = max([machine["read_gb_per_s"]] + [r[1] * r[2] / 1e9 for r in rates.values()])
    peaks = {"fp32": machine["fp32_gflops"], "bf16": machine["bf16_gflops"], "int8": machine["int8_gops"]}

    def unit(name):  # llama.cpp multiplies 8-bit activations with its block types
        kind = name.split()[-1]
        if kind in ("int8", "Q8_0", "Q4_0", "IQ4_NL"):
            return "int8"
        return "fp32" if kind in ("fp32", "F32", "fp16", "F16") else "bf16"

    for name, r in rates.items():
        peaks[unit(name)] = max(peaks[unit(name)], 2 * linear * r[0] / 1e9)
    print(f"{machine['cpu']}, {a.threads} threads; read {read:.1f} GB/s, fp32 {peaks['fp32']:.0f} GFLOP/s, "
          f"bf16 {peaks['bf16']:.0f} GFLOP/s, int8 {peaks['int8']:.0f} GOP/s")
    print(f"prompt {a.prompt}, new {a.new}, median of {a.rounds} x 3\n")
    print(f"{'':<16}{'prefill t/s':>12}{'TFLOP/s':>9}{'% peak':>8}{'decode t/s':>12}{'GB/s':>7}{'% read':>8}")
    for name, r in rates.items():
        tflops, gbs = 2 * linear * r[0] / 1e12, r[1] * r[2] / 1e9
        print(f"{name:<16}{r[0]:>12.1f}{tflops:>9.3f}{100e3 * tflops / peaks[unit(name)]:>8.0f}{r[1]:>12.1f}"
              f"{gbs:>7.1f}{100 * gbs / read:>8.0f}")
    print()
    for note in dict.fromkeys(notes.values()):
        print(f"{', '.join(name for name, n in notes.items() if n == note)}: {note}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nibble", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--config", type=pathlib.Path, default=CONFIG)
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--new", type=int, default=32)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    a = parser.parse_args()
    config = json.loads(a.config.read_text())
    if a.peer:
        library, kind = a.peer.split()
        print(json.dumps((measure_llama if library == "llama" else measure_torch)(kind, config, a)))
        return
    seen, notes, machine = {}, {}, {}
    only = [p for p in a.only.split(",") if p]
    for _ in range(a.rounds):
        for precision, peers in GROUPS:
            if only and precision not in only:
                continue
            result, here = measure_nibble(precision, a)
            for key, value in here.items():
                machine[key] = max(machine[key], value) if isinstance(value, float) and key in machine else value
            seen.setdefault(f"nibble {precision}", []).append(result[:3])
            notes[f"nibble {precision}"] = result[3]
            for peer in peers:
                *rates, note = in_a_process(peer, a)
                seen.setdefault(peer, []).append(tuple(rates))
                notes[peer] = note
    rates = {name: tuple(statistics.median(column) for column in zip(*runs)) for name, runs in seen.items()}
    print_table(rates, notes, machine, a, parameters(config))


if __name__ == "__main__":
    main()
