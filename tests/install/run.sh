#!/bin/sh
# Installs a build into an empty folder and builds and runs a project that has nothing but find_package(nibble).
# Usage: run.sh BUILD_FOLDER
set -eu
here=$(cd "$(dirname "$0")" && pwd)
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
cmake --install "$1" --prefix "$temporary/prefix" >/dev/null
cmake -G Ninja -S "$here/consumer" -B "$temporary/build" -DCMAKE_PREFIX_PATH="$temporary/prefix"
cmake --build "$temporary/build"
for consumer in consumer_static consumer_shared; do
  "$temporary/build/$consumer" "$here/../../models/gutenberg-16m"
done
