"""Quantizing to four bits and loading what was quantized, Nibble beside bitsandbytes on the CPU.

Usage: quantize.py --nibble build/nibble --bench build/bench/quantize_bench --model FOLDER   (needs torch, transformers, bitsandbytes)

FOLDER holds a 16-bit model in Hugging Face layout (compare.py makes one of TinyLlama's shape). Rates are of the bf16 side,
one 4096 x 4096 matrix, best of seven. Loads are processes of their own, the page cache warm, the best of three.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time


def rates():
    import bitsandbytes.functional as functional
    import torch

    weight = (torch.randn(4096, 4096) * 0.02).to(torch.bfloat16)

    def best(work):
        seconds = 1e9
        for _ in range(7):
            start = time.perf_counter()
            work()
            seconds = min(seconds, time.perf_counter() - start)
        return weight.numel() * 2e-9 / seconds

    for threads in (1, torch.get_num_threads()):
        torch.set_num_threads(threads)
        for kind in ("nf4", "fp4"):
            for nested in (False, True):
                make = lambda: functional.quantize_4bit(weight, quant_type=kind, blocksize=64, compress_statistics=nested)
                packed, state = make()
                print(f"bitsandbytes, {threads} threads, {kind}{' double-quant' if nested else ''}: quantize_4bit {best(make):.3f} GB/s, "
                      f"dequantize_4bit to bf16 {best(lambda: functional.dequantize_4bit(packed, state)):.3f} GB/s")


def load(folder, kind):
    """Seconds of from_pretrained; what is imported before it does not count."""
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    words = dict(dtype=torch.bfloat16, device_map="cpu")
    if kind != "stored":
        words["quantization_config"] = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type=kind, bnb_4bit_compute_dtype=torch.bfloat16)
    start = time.perf_counter()
    AutoModelForCausalLM.from_pretrained(folder, **words)
    print(time.perf_counter() - start)


def best_load(*words):
    runs = [subprocess.run([sys.executable, __file__, *words], check=True, capture_output=True, text=True).stdout for _ in range(3)]
    return min(float(text.split()[-1]) for text in runs)


def main():
    if sys.argv[1:2] == ["load"]:
        return load(*sys.argv[2:])
    parser = argparse.ArgumentParser()
    for name in ("--nibble", "--bench", "--model"):
        parser.add_argument(name, required=True)
    options = parser.parse_args()
    import bitsandbytes, torch, transformers
    print(f"bitsandbytes {bitsandbytes.__version__}, torch {torch.__version__}, transformers {transformers.__version__}")
    for threads in ("1", "2"):
        print(subprocess.run([options.bench, threads], check=True, capture_output=True, text=True).stdout)
    rates()
    with tempfile.TemporaryDirectory(dir=pathlib.Path(options.model).parent) as folder:
        ready = f"{folder}/nf4"
        made = subprocess.run([options.nibble, "quantize", options.model, ready, "--to", "nf4", "--json"], check=True, capture_output=True)
        report = json.loads(made.stdout)
        print(f"nibble quantize, whole model: {report['seconds']:.2f} s, {report['bytes_read'] / report['seconds'] * 1e-9:.2f} GB/s of input")

        def nibble(model, *words):
            seconds = []
            for _ in range(3):
                run = subprocess.run([options.nibble, "bench", "model", model, "--prompt-tokens", "1", "--new-tokens", "1", "--repeats", "1",
                                      "--json", *words], check=True, capture_output=True)
                seconds.append(json.loads(run.stdout)["results"][0]["load_seconds"])
            return min(seconds)

        fly, prepared = nibble(options.model, "--precision", "nf4"), nibble(ready)
        theirs, theirs_prepared = best_load("load", options.model, "nf4"), best_load("load", ready, "stored")
        print(f"load, nibble: on the fly {fly:.3f} s, pre-quantized {prepared:.4f} s, {fly / prepared:.0f} times faster")
        print(f"load, bitsandbytes: on the fly {theirs:.2f} s, pre-quantized {theirs_prepared:.2f} s; nibble's pre-quantized load is "
              f"{theirs / prepared:.0f} and {theirs_prepared / prepared:.0f} times faster")


if __name__ == "__main__":
    main()
