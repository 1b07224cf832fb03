"""llama.cpp on a GGUF file: prefill of 64 tokens and decode of 24 in tokens/s, the median of three after one for warming up.

Usage: gguf.py FILE.gguf [THREADS]   (needs llama-cpp-python, built for this machine)
"""
import statistics
import sys
import time

import llama_cpp

threads = int(sys.argv[2]) if len(sys.argv) > 2 else 2
model = llama_cpp.Llama(sys.argv[1], n_ctx=256, n_batch=128, n_ubatch=128, n_threads=threads, n_threads_batch=threads, verbose=False)
prompt = [(i * 7919 + 13) % 8000 + 5 for i in range(64)]
prefill, decode = [], []
for repeat in range(4):
    model.reset()
    start = time.perf_counter()
    model.eval(prompt)
    middle = time.perf_counter()
    for i in range(24):
        model.eval([7 + i])
    end = time.perf_counter()
    if repeat:
        prefill.append(64 / (middle - start))
        decode.append(24 / (end - middle))
print(f"{sys.argv[1]}: prefill {statistics.median(prefill):.1f} tokens/s, decode {statistics.median(decode):.1f} tokens/s")
