// The vocabulary and the merges, as JSON and merges.txt carry them.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "text/tokenizer/bpe.hpp"
#include "text/tokenizer/json_cursor.hpp"

namespace nibble {

// Pairs of texts; most point into the file, the others into `texts`.
struct MergeList {
  std::vector<Bpe::Merge> pairs;
  std::deque<std::string> texts;
};

// {"token": id, ...}
Result<Vocabulary> read_vocabulary(JsonCursor& cursor);
// ["a b", ...] or [["a", "b"], ...]
Result<MergeList> read_merges(JsonCursor& cursor);
// A line "a b" per merge; the first line may be "#version...".
Result<MergeList> read_merge_lines(std::string_view text);
// {"Ġ t", ...} as GGUF lists them.
Result<Bpe::Merge> split_merge(std::string_view merge);

}  // namespace nibble
