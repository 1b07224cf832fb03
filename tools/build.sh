#!/bin/sh
# Configures and builds one CMake preset. Usage: tools/build.sh release|dev|sanitize [TARGET...]
# One line says how far it is (on a terminal), or that it builds; what fails is shown whole.
set -eu
cd "$(dirname "$0")/.."
preset=$1
shift
if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=ccache; fi

output=$(mktemp)
trap 'rm -f "$output"' EXIT
cmake --preset "$preset" >"$output" 2>&1 || { cat "$output" >&2; exit 1; }
quiet=
if ! [ -t 1 ]; then
  echo "tools/build.sh: building preset $preset"
  quiet=--quiet
fi
cmake --build --preset "$preset" -j "$(nproc)" ${1:+--target "$@"} -- $quiet
