"""Seconds from starting a program to the first byte of its standard output: the median of RUNS, after one that warms the page
cache.

Usage: python tools/measure/first_byte.py RUNS PROGRAM [ARGUMENT...]
"""

import os
import statistics
import subprocess
import sys
import time


def once(command):
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        first = os.read(process.stdout.fileno(), 1)
        seconds = time.perf_counter() - start
        process.stdout.read()
    assert first, "the program wrote nothing"
    return seconds


runs, command = int(sys.argv[1]), sys.argv[2:]
once(command)
times = sorted(once(command) for _ in range(runs))
print(f"first byte after {statistics.median(times):.4f} s (median of {runs}, {times[0]:.4f} to {times[-1]:.4f})")
