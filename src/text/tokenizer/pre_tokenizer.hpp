// Cuts normalized text into the words that BPE merges inside. A chain of steps, each cutting the pieces of the one
// before.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "text/tokenizer/split_pattern.hpp"

namespace nibble {

// What becomes of a match (as in Hugging Face's tokenizers).
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

struct SplitByPattern {
  SplitPattern pattern;
  SplitBehavior behavior = SplitBehavior::isolated;
  bool invert = false;  // the text between matches counts as the match
};
struct SplitByClass {
  enum Class { digit, punctuation, white_space } wanted = digit;
  SplitBehavior behavior = SplitBehavior::isolated;
};
struct ByteLevelSplit {
  bool add_prefix_space = false, use_regex = true;
  bool map_bytes = false;  // a later step reads GPT-2's alphabet instead of the text (Falcon)
};
struct MetaspaceSplit {
  enum Prepend { always, first, never } prepend = always;
  std::string replacement = "\xE2\x96\x81";
  bool split = true;
};

class PreTokenizer {
 public:
  using Step = std::variant<SplitByPattern, SplitByClass, ByteLevelSplit, MetaspaceSplit>;

  void add(Step step);
  bool empty() const { return steps_.empty(); }
  const std::vector<Step>& steps() const { return steps_; }
  // How many times as long the pieces together may be as the text, at most.
  double growth() const;
  // To be called once all steps are there: decides where bytes must be spelled out in GPT-2's alphabet.
  void finish();
  bool is_byte_level() const;

  // Texts that a step had to write; pieces point into them or into the input.
  struct Storage {
    std::deque<std::string> texts;
    std::vector<std::string_view> pieces, next;
    std::vector<Span> matches;
  };
  // Fills storage.pieces. `at_start`: the text begins where the whole input does.
  void apply(std::string_view text, bool at_start, Storage& storage) const;

 private:
  std::vector<Step> steps_;
  bool mapped_ = false;
};

}  // namespace nibble
