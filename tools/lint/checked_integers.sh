#!/bin/sh
# Each integer that comes from outside has a row in docs/formats/checked-integers.md that says where it is checked: the
# lines of a file of src that read one are as many as its rows say. Prints each file where they are not.
set -u
cd "$(dirname "$0")/../.." || exit
types='(std::)?(u?int(8|16|32|64)_t|size_t|int|long)'
reads="get<$types>\(\)|get_if<std::u?int64_t>|\.integer\(|\bread<std::u?int[0-9]+_t>\(|varint\(\)|from_chars\("
reads="$reads|\bstrto(ul|l|ull|ll)\(|\bsto(i|l|ul|ll|ull)\("
table=docs/formats/checked-integers.md
{
  find src -name '*.cpp' -o -name '*.hpp' | grep -vE '_test\.cpp$|^src/io/ggml/' | sort |
    xargs grep -cE "$reads" /dev/null | sed 's/:\([0-9]*\)$/ found \1/'
  sed -n 's/^| `\([^`]*\)` | \([0-9]*\) |.*/\1 listed \2/p' $table
} | awk -v table=$table '
  { count[$1 " " $2] += $3; files[$1] }
  END {
    for (file in files)
      if (count[file " found"] + 0 != count[file " listed"] + 0)
        print file ": reads " count[file " found"] + 0 " integers from outside, " table " lists " count[file " listed"] + 0
  }' | sort
