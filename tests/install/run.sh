#!/bin/sh
# Installs a build into an empty folder and builds and runs what has nothing but that: a project with
# find_package(nibble), a compiler with pkg-config. Then looks at what else is there, and at a project that takes the
# library in as a part. Usage: run.sh BUILD_FOLDER
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
prefix=$temporary/prefix
complain() { echo "run.sh: $1"; exit 1; }

cmake --install "$1" --prefix "$prefix" >/dev/null
cmake -G Ninja -S "$here/consumer" -B "$temporary/build" -DCMAKE_PREFIX_PATH="$prefix"
cmake --build "$temporary/build"
for consumer in consumer_static consumer_shared; do
  "$temporary/build/$consumer" "$root/models/gutenberg-16m"
done

libraries=$(dirname "$(find "$prefix" -name libnibble.a)")
export PKG_CONFIG_PATH="$libraries/pkgconfig"
c++ -std=c++20 "$here/consumer/main.cpp" -o "$temporary/with_pkg_config" $(pkg-config --cflags --libs nibble)
LD_LIBRARY_PATH=$libraries "$temporary/with_pkg_config" "$root/models/gutenberg-16m"

for file in share/man/man1/nibble.1 share/bash-completion/completions/nibble share/zsh/site-functions/_nibble \
  share/fish/vendor_completions.d/nibble.fish; do
  [ -s "$prefix/$file" ] || complain "$file is not installed"
  for verb in estimate quantize chat kernels; do
    grep -q "$verb" "$prefix/$file" || complain "$file does not know $verb"
  done
  grep -qe max-new-tokens -e 'max\\-new\\-tokens' "$prefix/$file" || complain "$file does not know --max-new-tokens"
done
find "$prefix" -name LICENSE | grep -q . || complain "the licence is not installed"
! command -v man >/dev/null || [ -z "$(man -l --warnings "$prefix/share/man/man1/nibble.1" 2>&1 >/dev/null)" ] ||
  complain "the manual page is not well formed"

# What bash makes of it: words after a verb, values after an option, verbs that begin so.
completed() {
  bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _nibble; echo "${COMPREPLY[*]}"' \
    "$prefix/share/bash-completion/completions/nibble" "$@"
}
[ "$(completed nibble qua)" = quantize ] || complain "bash does not complete a verb"
[ "$(completed nibble run m --max-n)" = --max-new-tokens ] || complain "bash does not complete an option"
[ "$(completed nibble bench model --precision nf4-)" = nf4-dq ] || complain "bash does not complete a precision"

# demo.sh builds as much as an installation takes.
targets=$(sed -n 's/^tools\/build.sh release \([a-z_ ]*[a-z_]\) *#.*/\1/p' "$root/demo.sh")
[ -n "$targets" ] || complain "demo.sh builds nothing that is known here"
if [ -f "$1/build.ninja" ] && command -v ninja >/dev/null; then
  ninja -C "$1" -t inputs $targets >"$temporary/built"
  for file in libnibble.a libnibble.so; do
    grep -qE "(^|/)$file(\.[0-9.]*)?\$" "$temporary/built" ||
      complain "after demo.sh there is no $file to install"
  done
fi

# A project that takes Nibble in has the library and nothing else.
mkdir "$temporary/whole"
printf 'cmake_minimum_required(VERSION 3.25)\nproject(whole LANGUAGES CXX)\nadd_subdirectory("%s" nibble)\n' "$root" \
  >"$temporary/whole/CMakeLists.txt"
cmake -G Ninja -S "$temporary/whole" -B "$temporary/whole/build" >/dev/null
cmake --build "$temporary/whole/build" --target help >"$temporary/targets"
grep -q libnibble.a "$temporary/targets" || complain "a project that takes Nibble in does not get its library"
! grep -qE 'nibble_program|example_|bench_' "$temporary/targets" || complain "a project that takes Nibble in builds its programs"
