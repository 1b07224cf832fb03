#!/bin/sh
# One model at several precisions, measured in one run: size, memory, speed, quality, and what it answers.
# Usage: ./demo.sh            the small model that ships with Nibble
#        ./demo.sh smollm2    SmolLM2-135M-Instruct (a 93 MB download, kept in ~/.cache/nibble), and a chat answer
set -eu
cd "$(dirname "$0")"
precisions=fp32,bf16,fp16,int8,nf4,fp4

case "${1:-}" in
  "") ;;
  smollm2) precisions=stored,int8,nf4 ;;  # the file is quantized: what else could be made of it
  *) echo "demo.sh: unknown model '$1'; leave it out, or say: ./demo.sh smollm2" >&2; exit 2 ;;
esac

echo "demo.sh: 1 of 3: what building needs and this machine lacks"
tools/setup.sh
echo "demo.sh: 2 of 3: building (a first time takes minutes)"
tools/build.sh release nibble_program nibble_shared   # what cmake --install needs

report=build/report
if [ "${1:-}" = smollm2 ]; then
  model=$(tools/fetch_smollm2.sh)
  report=build/report-smollm2
else
  model=models/gutenberg-16m
fi
echo "demo.sh: 3 of 3: build/nibble compare $model --precisions $precisions --stored-copy --report $report"
build/nibble compare "$model" --precisions "$precisions" --stored-copy --report "$report"
if [ "${1:-}" = smollm2 ]; then
  echo
  echo "demo.sh: build/nibble run $model --chat \"Explain in two sentences why the sky is blue.\""
  build/nibble run "$model" --chat "Explain in two sentences why the sky is blue."
fi
echo
echo "The whole report, with charts: $PWD/$report.html"
