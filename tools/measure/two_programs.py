"""Speed of two builds of nibble, in turn, in one run: prompts and generating, medians, and their ratio.

Usage: two_programs.py OLD NEW --threads N [--rounds N] -- ARGUMENTS OF `nibble bench model`
e.g.   two_programs.py old/nibble build/nibble --threads 16 -- --random-weights bench/configs/tinyllama_1.1b.json \\
           --precisions bf16,nf4 --prompt-tokens 128 --new-tokens 24
The programs are bound to the first N processors. A ratio means something only where it is further from 1 than the spread.
"""
import argparse, json, statistics, subprocess

parser = argparse.ArgumentParser(usage=__doc__)
parser.add_argument("old")
parser.add_argument("new")
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--rounds", type=int, default=4)
parser.add_argument("bench", nargs="+")
options = parser.parse_args()

speeds = {}  # (precision, "old" or "new") -> [(prefill, decode)]
for _ in range(options.rounds):
    for name, program in (("old", options.old), ("new", options.new)):
        processors = ",".join(map(str, range(options.threads)))
        command = ["taskset", "-c", processors, program, "bench", "model", *options.bench,
                   "--threads", str(options.threads), "--json", "--quiet"]
        answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for result in answer["results"]:
            key = result.get("held_as", result["precision"]), name
            speeds.setdefault(key, []).append((result["prefill_tokens_per_s"], result["decode_tokens_per_s"]))

print(f"{'':20s} {'prefill old':>12s} {'new':>8s} {'ratio':>6s}   {'decode old':>10s} {'new':>8s} {'ratio':>6s}   spread of old")
for precision in dict.fromkeys(key for key, _ in speeds):
    old, new = speeds[precision, "old"], speeds[precision, "new"]
    columns = []
    for i in (0, 1):
        before, after = (statistics.median(run[i] for run in runs) for runs in (old, new))
        columns += [f"{before:12.1f} {after:8.1f} {after / before:6.3f}"]
    spread = [f"{min(run[i] for run in old):.0f} to {max(run[i] for run in old):.0f}" for i in (0, 1)]
    print(f"{precision:20s} {'  '.join(columns)}   {spread[0]}, {spread[1]}")
