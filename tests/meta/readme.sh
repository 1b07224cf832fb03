#!/bin/sh
# What README.md and the other pages tell a reader to run or open exists. Usage: readme.sh PROGRAM
set -u
program=$1
cd "$(dirname "$0")/../.." || exit
pages=$(find . -maxdepth 1 -name '*.md'; find docs -name '*.md')
failed=0
complain() { echo "$1"; failed=1; }

for verb in $(grep -ohE '(build/)?nibble +[a-z]+ ' $pages | grep '^build/' | awk '{ print $2 }' | sort -u); do
  "$program" "$verb" --help >/dev/null 2>&1 || complain "a page shows 'build/nibble $verb', which the program does not know"
done
for script in $(grep -ohE '(^|[ `])(\./)[a-z_/]+\.sh|tools/[a-z_/]+\.(sh|py)' $pages | tr -d '` ' | sort -u); do
  [ -e "$script" ] || complain "a page mentions $script, which does not exist"
done
for page in $pages; do
  for link in $(grep -oE '\]\([^)#: ]+' "$page" | cut -c 3-); do
    [ -e "$(dirname "$page")/$link" ] || complain "$page links to $link, which does not exist"
  done
done
exit $failed
