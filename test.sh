#!/bin/sh
# Installs what is missing, builds with warnings as errors, and runs every test: the whole suite, then the fast tests and
# the fuzz targets (FUZZ_EXECUTIONS each, default 10000, the same inputs every time) under AddressSanitizer and UndefinedBehaviorSanitizer.
set -eu
cd "$(dirname "$0")"
tools/setup.sh libgtest-dev clang-format

tools/build.sh dev
ctest --test-dir build-dev --output-on-failure -j 2
# The operations that ran on each backend, and whatever was skipped: also where every test passed.
sed -n '/^cases that ran/,/^$/p; /^skipped:/p' build-dev/Testing/Temporary/LastTest.log

tools/build.sh sanitize
for target in build-sanitize/fuzz/*_fuzz; do echo "$target"; done |
  xargs -P 2 -I '{}' env '{}' --executions "${FUZZ_EXECUTIONS:-10000}"
ctest --test-dir build-sanitize --output-on-failure -j 2 -L fast
