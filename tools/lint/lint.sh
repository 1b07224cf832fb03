#!/bin/sh
# The rules of the tree that no compiler checks. Prints each breach; the exit status says whether there was one.
set -u
cd "$(dirname "$0")/../.." || exit
breaches=$(mktemp)
trap 'rm -f "$breaches"' EXIT
tracked=$(find . \( -path ./.git -o -path './build*' -o -path './out-*' -o -name __pycache__ -o -path ./.cache \) -prune \
  -o -type f -print | sed 's|^\./||' | sort)
matching() { printf '%s\n' "$tracked" | grep -E "$1"; }

# 1. A folder of src includes only what stands to its left; folders between the same bars are strangers.
layers='base | formats | tensor | ops io | text hub | models cpu cuda | engine | generate train | measure'
matching '^src/.*\.(cpp|hpp|inl|cu|cuh)$' | xargs awk -v layers="$layers" '
  BEGIN { n = split(layers, word, " "); rank = 1; for (i = 1; i <= n; i++) if (word[i] == "|") rank++; else of[word[i]] = rank }
  FNR == 1 { split(FILENAME, part, "/"); here = part[2]; if (!(here in of)) print FILENAME ": folder " here " is in no layer" }
  /^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, quoted, "\""); split(quoted[2], target, "/"); there = target[1]
    if (there in of && there != here && of[there] >= of[here]) print FILENAME ":" FNR ": " here " may not include " there
  }' >>"$breaches"

# 1b. Which devices there are is known to one file: nobody else makes a backend or measures one by name.
matching '^src/.*\.(cpp|hpp|inl|cu|cuh)$' | grep -vE '^src/((cpu|cuda)/|engine/backends\.cpp$)' |
  xargs grep -nE '#include "(cpu|cuda)/' /dev/null | sed 's/$/   (ask engine\/backends.hpp)/' >>"$breaches"

# 2. Programs and examples use the library as anybody would; public headers need the standard library alone, and say
# what may be called by several threads and where to read on.
inside='(base|formats|tensor|ops|io|text|hub|models|cpu|cuda|engine|generate|train|measure)'
matching '^(apps|examples)/.*\.(cpp|hpp)$' | xargs -r grep -nE "#include \"$inside/" /dev/null |
  sed 's/$/   (only nibble\/... here)/' >>"$breaches"
matching '^include/' | xargs grep -nE '#include (<[a-z_]+[./]|"(\.\.|[a-z]+\.hpp))' /dev/null |
  sed 's/$/   (standard or nibble\/... here)/' >>"$breaches"

for line in '// Threads: ' '// Implemented '; do
  matching '^include/' | xargs grep -L "^$line" | sed "s|\$|: a public header has a line \"$line...\"|" >>"$breaches"
done

# 3. Nothing of the machine it was written on, and no package registry.
machine='/wor[k]/|/op[t]/oracle|/tm[p]/nibble|\.\./share[d]|/hom[e]/|/roo[t]/|pyp[i]\.org|pythonhoste[d]|debia[n]\.org|npmj[s]\.'
matching . | grep -v '^models/' | tr '\n' '\0' | xargs -0 grep -nIoE "$machine" /dev/null >>"$breaches"

# 4. A source file holds one idea: at most 400 lines. The exceptions are named here.
long_files=''
sources='^(src|include|apps|examples|bench|tests)/.*\.(cpp|hpp|inl|cu|cuh)$'
matching "$sources" | tr '\n' '\0' | xargs -0 wc -l |
  awk -v allowed="$long_files" '$2 != "total" && $1 > 400 && index(" " allowed " ", " " $2 " ") == 0 {
    print $2 ": " $1 " lines; split it by idea" }' >>"$breaches"

# 5. Functions are at most 60 lines, or say "Long because ..." in the comment above.
matching "$sources" | tr '\n' '\0' | xargs -0 awk '
  FNR == 1 { inside = 0; text = "" }
  inside && substr($0, 1, length(end)) == end {
    inside = 0
    if (FNR - first >= 60 && !reason) print FILENAME ":" first ": a function of " FNR - first + 1 " lines; cut it, or say why not"
    reason = 0
    next
  }
  /\/\/ Long because/ { reason = 1 }
  inside || /^ *(\/\/.*)?$/ || /^#/ { next }
  {
    if (text == "") { match($0, /^ */); end = substr($0, 1, RLENGTH) "}"; first = FNR }
    text = text " " $0
    if ($0 !~ /[;{}:]( *\/\/.*)?$/) next
    inside = text ~ /\).*\{( *\/\/.*)?$/ && text !~ /^ *(namespace|extern|enum|public|private|[.{"])/ &&
             text !~ /(struct|class|union) [^()]*\{/ && text !~ /= *\{$/
    if (!inside) reason = 0
    text = ""
  }' >>"$breaches"

# 6. Half of the files have less than 120 lines.
matching "$sources" | tr '\n' '\0' | xargs -0 wc -l | grep -v ' total$' | sort -n |
  awk '{ lines[NR] = $1 } END { if (lines[int((NR + 1) / 2)] >= 120) print "the median file has " lines[int((NR + 1) / 2)] " lines; the bar is 120" }' >>"$breaches"

# 7. A file name stands once in apps, src and include together, so that it says which file is meant.
matching '^(apps|src|include)/.*\.(cpp|hpp|inl|cu|cuh)$' | sed 's|.*/||' | sort | uniq -d |
  sed 's/$/: two files have this name/' >>"$breaches"

# 8. No circle between files.
matching "$sources" | tr '\n' '\0' | xargs -0 grep -HoE '^ *# *include "[^"]+"' |
  sed -E 's|^(.*/)?([^/]*): *# *include "(.*/)?([^"/]*)"|\2 \4|' | tsort 2>&1 >/dev/null |
  sed -n 's/^tsort: \([^-].*\..*\)/\1: part of a circle of includes/p' >>"$breaches"

# 9. Statements end in semicolons: no "a = b, c = d;", no "return a = b, c;".
matching "$sources" | tr '\n' '\0' | xargs -0 awk '
  { line = $0; gsub(/"([^"\\]|\\.)*"/, "\"\"", line); sub(/\/\/.*/, "", line) }
  line ~ /^ *return [A-Za-z_][A-Za-z0-9_.]* [-+|&^*]?= [^;{]*, [^;]*;$/ ||
  line ~ /(^ *|^ *(if|while) \(.*\) |else )[a-z_][A-Za-z0-9_.\]\[>-]* [-+|&^*]?= [^(;{]*, [a-z_][A-Za-z0-9_.\]\[>-]* [-+|&^*]?= .*;$/ ||
  line ~ /^ *(\+\+|--)[a-z_]*, / { print FILENAME ":" FNR ": two statements joined by a comma" }' >>"$breaches"

# 10. Every golden file is named by a test, in quotes, and its generator recorded what made it. A model or a tokenizer is
# named by its folder; beside folders, a file by what it is about, its name up to the first dot.
tests=$(matching '^(src/.*_(test|vectors)\.(cpp|hpp)|tests/.*\.(cpp|hpp|sh))$')
matching '^tests/golden/' | grep -v '/MANIFEST\.' | while read -r golden; do
  below=${golden#tests/golden/}
  file=$(basename "$golden")
  case $below in
    stories260K/* | templates/* | gguf_split/*) named=${below%%/*} ;; # tests read whatever is there
    tokenizers/gguf/* | tokenizers/kinds/*) named="$file|${file%%.*}" ;;
    */*/*) named=$(basename "$(dirname "$golden")") ;;
    */*) named="$file|${file%%.*}" ;;
    *) named=$file ;;
  esac
  grep -qE "[\"/]($named)[\"/.]" $tests /dev/null || echo "$golden: no test names it"
done >>"$breaches"

# 11. Formatting, by the clang-format of Debian 12: others lay out some lines differently.
if clang-format --version 2>/dev/null | grep -q 'version 14\.'; then
  matching '^(src|include|apps|examples|bench|tests)/.*\.(cpp|hpp|cu|cuh)$' | tr '\n' '\0' |
    xargs -0 clang-format --dry-run 2>&1 | grep -E 'warning:' | sed 's/: warning:.*/: run clang-format -i/' |
    sort -u -t: -k1,1 >>"$breaches"
else
  echo "lint: formatting was not checked, there is no clang-format 14 here"
fi

# 12. Every integer that a file supplies is in the table that says where it is checked.
tools/lint/checked_integers.sh >>"$breaches"

[ -s "$breaches" ] || exit 0
cat "$breaches"
exit 1
