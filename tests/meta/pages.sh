#!/bin/sh
# What the pages name exists: scripts, files in backticks, links; and the program in README.md is the one that
# tests/install builds and runs.
set -u
cd "$(dirname "$0")/../.." || exit
pages=$(find . -maxdepth 1 -name '*.md'; find docs -name '*.md')
failed=0
complain() { echo "$1"; failed=1; }

for page in $pages; do
  for link in $(grep -oE '\]\([^)#: ]+' "$page" | cut -c 3-); do
    [ -e "$(dirname "$page")/$link" ] || complain "$page links to $link, which does not exist"
  done
  # `src/engine/load.cpp`, or as ARCHITECTURE.md's table has it, `engine/load.cpp`; a bare name may lie anywhere in src.
  for name in $(grep -oE '`[./]*[a-z0-9_/-]+\.(cpp|hpp|inl|cu|md|sh|py|cmake|txt|json)`' "$page" | tr -d '`' | sort -u); do
    case $name in
      */*) [ -e "$name" ] || [ -e "src/$name" ] || complain "$page names $name, which does not exist" ;;
      *) [ -e "$name" ] || [ -n "$(find . -path ./.git -prune -o -name "$name" -print | head -n 1)" ] ||
        case $name in
          config.json | tokenizer.json | tokenizer_config.json | generation_config.json | vocab.json | merges.txt) ;;
          *) complain "$page names $name, which is nowhere" ;;
        esac ;;
    esac
  done
done
for folder in $(grep -oE '^\| `[a-z`, ]+` \|' ARCHITECTURE.md | tr -d '|`,'); do
  [ -d "src/$folder" ] || complain "ARCHITECTURE.md names src/$folder, which does not exist"
done

# Line by line, so that the page may stand between other text.
awk '/^```cpp$/ { inside = 1; next } /^```$/ { inside = 0 } inside' README.md >"${TMPDIR:-/tmp}/readme.$$"
diff "${TMPDIR:-/tmp}/readme.$$" tests/install/consumer/main.cpp || complain "README.md's program is not tests/install/consumer/main.cpp"
rm -f "${TMPDIR:-/tmp}/readme.$$"
exit $failed
