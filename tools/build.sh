#!/bin/sh
# Configures and builds one CMake preset. Usage: tools/build.sh release|dev|sanitize [TARGET...]
set -eu
cd "$(dirname "$0")/.."
preset=$1
shift
if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=ccache; fi
cmake --preset "$preset"
cmake --build --preset "$preset" -j "$(nproc)" ${1:+--target "$@"}
