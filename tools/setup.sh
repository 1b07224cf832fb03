#!/bin/sh
# Installs the packages that building Nibble needs and this Debian or Ubuntu machine lacks.
# Usage: tools/setup.sh [FURTHER PACKAGE...]
set -eu
wanted="g++ cmake ninja-build pkg-config nlohmann-json3-dev libcli11-dev libfmt-dev libpcre2-dev libutf8proc-dev libcurl4-openssl-dev libssl-dev libedit-dev $*"

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "setup: no apt-get here, so nothing is installed; needed are (by their Debian names): $wanted" >&2
  exit 0  # CMake names what is really missing
fi
missing=
for package in $wanted; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
  as_root=sudo
  command -v sudo >/dev/null || {
    echo "setup: not root and no sudo. Have this run as root, then try again: apt-get install$missing" >&2
    exit 1
  }
fi
echo "setup: installing$missing"
log=$(mktemp)
install_missing() {
  $as_root apt-get update -qq &&
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
}
if ! install_missing >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "setup: apt-get failed (all of its output: $log). Nibble needs Debian 12 or newer, or Ubuntu 22.04 or newer." >&2
  exit 1
fi
rm -f "$log"
