#!/bin/sh
# How much of each source file a fuzz target's inputs reached: basic blocks, as the compiler placed them.
# Usage: build-sanitize/fuzz/NAME_fuzz --corpus FOLDER --executions 0 --places FILE
#        tools/fuzz/coverage.sh build-sanitize/fuzz/NAME_fuzz FILE [PATTERN]    (of file names; default: all of src)
set -eu
program=$1 reached=$2 pattern=${3:-.}
all=$(mktemp)
trap 'rm -f "$all"' EXIT
# The callback's return address is that of the instruction behind the call.
objdump -d --no-show-raw-insn "$program" |
  awk 'called { sub(":", "", $1); print $1; called = 0 } /call.*<__sanitizer_cov_trace_pc>/ { called = 1 }' >"$all"
addr2line -e "$program" <"$all" | paste "$all" - | awk -v pattern="$pattern" '
  FILENAME != "-" { hit[$1] = 1; next }
  match($2, /\/src\/[^:]*/) {
    file = substr($2, RSTART + 1, RLENGTH - 1)
    if (file !~ pattern) next
    total[file]++; sum++
    if ($1 in hit) { seen[file]++; reached++ }
  }
  END {
    for (file in total) printf "%6d of %6d  %5.1f %%  %s\n", seen[file], total[file], 100 * seen[file] / total[file], file | "sort -k6"
    close("sort -k6")
    printf "%6d of %6d  %5.1f %%  together\n", reached, sum, sum ? 100 * reached / sum : 0
  }' "$reached" -
