#!/bin/sh
# Runs every command line of README.md and of the examples in help: those in indented blocks as they stand, those of its tables (`nibble VERB ...`)
# with the words in capitals filled in. Usage: readme.sh PROGRAM
set -u
program=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit
mkdir build
ln -s "$program" build/nibble
ln -s "$root/models" models
ln -s "$root/bench" bench
ln -s "$root/data" data
echo "It was a dark and stormy night; the rain fell in torrents." >text.txt
echo '[{"role": "user", "content": "Hello"}]' >messages.json
failed=0

# A measurement is shortened: its options are tried, not its figures.
shorten() {
  case $1 in
    *"nibble compare "*) echo "$1 --max-eval-tokens 32 --prompt-tokens 8 --decode-tokens 2 --new-tokens 2 --repeats 1" ;;
    *"nibble bench model "*) echo "$1 --prompt-tokens 8 --new-tokens 2 --repeats 1" ;;
    *"nibble run "*) echo "$1 -n 4" ;;
    *"nibble eval "*) echo "$1 --max-tokens 64" ;;
    *) echo "$1" ;;
  esac
}
try() {
  echo "+ $1"
  if ! sh -c "$1" >.out 2>.err </dev/null; then
    echo "a command that README.md or help shows fails: $1"
    cat .err
    failed=1
  fi
}

grep -E '^    build/nibble ' "$root/README.md" | sed 's/ *#.*//' | while read -r line; do shorten "$line"; done >shown
grep -oE '`nibble [^`]*`' "$root/README.md" | tr -d '`' | grep -E '^nibble [a-z]+ .' |
  sed -e 's/\[//g; s/\]//g; s/\\|/|/g' -e 's/^nibble/build\/nibble/' -e 's/MODEL2/models\/gutenberg-16m/; s/MODEL/models\/gutenberg-16m/' \
    -e "s/PROMPT/'Once upon a time'/; s/FOLDER/out/; s/OUT/out-table/; s/BACK/back/; s/SOURCE/models\/gutenberg-16m/; s/REGEX/lm_head/; s/VERB/run/; s/CONFIG/bench\/configs\/qwen3_4b.json/; s/TEXT/night/" \
    -e 's/--messages FILE/--messages messages.json/; s/FILE/text.txt/' | while read -r line; do shorten "$line"; done >>shown
[ "$(wc -l <shown)" -ge 10 ] || { echo "README.md shows too few commands; has its form changed?"; exit 1; }
while read -r line; do try "$line"; done <shown

# The examples in every verb's help, in a place of their own.
mkdir helped
cd helped || exit
for link in build models bench data; do ln -s "../$link" $link; done
for verb in doctor inspect estimate explain quantize verify run compare eval tokenize "bench model"; do
  "$program" $verb --help | sed -n '/^Examples$/,$p' | sed -n 's/^  //p' |
    sed -E 's/(^|\| )nibble /\1build\/nibble /' | while read -r line; do shorten "$line"; done >examples
  [ -s examples ] || { echo "nibble $verb --help has no examples"; failed=1; }
  while read -r line; do try "$line"; done <examples
done
exit $failed
