#!/bin/sh
# How much of each source file a fuzz target's inputs reached: basic blocks, many of which only clean up after exceptions
# that are never thrown, and lines of which some block was reached.
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
    blocks[file]++; all_blocks++
    if (!($2 in line)) { line[$2] = 1; lines[file]++; all_lines++ }
    if (!($1 in hit)) next
    seen[file]++; all_seen++
    if (line[$2] == 1) { line[$2] = 2; seen_lines[file]++; all_seen_lines++ }
  }
  function show(a, b, c, d, name) {
    return sprintf("%6d of %6d blocks %3d %%  %5d of %5d lines %3d %%  %s", a, b, 100 * a / b, c, d, 100 * c / d, name)
  }
  END {
    for (file in blocks) print show(seen[file], blocks[file], seen_lines[file], lines[file], file) | "sort -k11"
    close("sort -k11")
    if (all_blocks) print show(all_seen, all_blocks, all_seen_lines, all_lines, "together")
  }' "$reached" -
