"""Whether two threads beside one busy process are as good as one: speed of `nibble bench model` on two processors, with one
and with two threads, alone and beside a process that does nothing but count.

Usage: beside_a_busy_process.py [--program build/nibble] [--model models/gutenberg-16m] [--precision bf16] [--rounds 5]

Everything runs on the first two processors that this script may use, the four cases in turn in each round, so that what
else the machine does meets them alike; figures are medians over the rounds. The exit status is 1 if decode with two threads
beside the busy process is below 0.85 times decode with one thread beside it.
"""
import argparse, json, os, statistics, subprocess, sys

BAR = 0.85

parser = argparse.ArgumentParser(usage=__doc__)
parser.add_argument("--program", default="build/nibble")
parser.add_argument("--model", default="models/gutenberg-16m")
parser.add_argument("--precision", default="bf16")
parser.add_argument("--rounds", type=int, default=5)
options = parser.parse_args()

processors = sorted(os.sched_getaffinity(0))[:2]
if len(processors) < 2:
    sys.exit("beside_a_busy_process.py: needs two processors")
os.sched_setaffinity(0, processors)  # children inherit it


def speed_of(threads):
    """(prefill, decode) in tokens/s."""
    command = [options.program, "bench", "model", options.model, "--precisions", options.precision, "--threads", str(threads),
               "--json", "--quiet"]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["results"][0]
    return result["prefill_tokens_per_s"], result["decode_tokens_per_s"]


def beside_a_busy_one(measure):
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        return measure()
    finally:
        busy.kill()
        busy.wait()


cases = {}  # (situation, threads) -> [(prefill, decode)]
for _ in range(options.rounds):
    for threads in (1, 2):
        cases.setdefault(("alone", threads), []).append(speed_of(threads))
        cases.setdefault(("beside a busy process", threads), []).append(beside_a_busy_one(lambda: speed_of(threads)))

print(f"{options.model} at {options.precision}, processors {processors}, {options.rounds} rounds; tokens/s, median (least to most)")
ratios = {}
for kind, index in (("prefill", 0), ("decode", 1)):
    for situation in ("alone", "beside a busy process"):
        medians, shown = {}, []
        for threads in (1, 2):
            rates = [run[index] for run in cases[situation, threads]]
            medians[threads] = statistics.median(rates)
            shown.append(f"{medians[threads]:8.1f} ({min(rates):.1f} to {max(rates):.1f})")
        ratios[kind, situation] = medians[2] / medians[1]
        print(f"{kind:8s} {situation:22s} 1 thread {shown[0]:28s} 2 threads {shown[1]:28s} ratio {ratios[kind, situation]:.2f}")
reached = ratios["decode", "beside a busy process"]
print(f"two threads beside a busy process decode at {reached:.2f} of one thread; the bar is {BAR}")
sys.exit(0 if reached >= BAR else 1)
