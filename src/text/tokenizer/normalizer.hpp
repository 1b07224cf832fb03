// What happens to text before it is cut: Unicode normal forms, replacements, case.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "text/tokenizer/split_pattern.hpp"

namespace nibble {

struct UnicodeForm {
  bool compose = true, compatibility = false;  // NFC; NFD: neither; NFKC: both; NFKD: compatibility
};
struct ReplaceText {
  SplitPattern pattern;
  std::string content;
};
struct PrependText {
  std::string prefix;  // not to an empty text
};
struct LowercaseText {};
struct StripSpaces {
  bool left = true, right = true;
};
// SentencePiece's: every space becomes U+2581. collapse (remove_extra_whitespaces): runs of spaces become one, both
// ends go. Nothing is put before an empty text.
struct EscapeSpaces {
  enum Prefix { always, first, never } prefix = always;  // U+2581 before the text; first: only where the input begins
  bool collapse = false;
};
struct StripAccents {};

class Normalizer {
 public:
  using Step =
      std::variant<UnicodeForm, ReplaceText, PrependText, LowercaseText, StripSpaces, EscapeSpaces, StripAccents>;

  void add(Step step);
  bool empty() const { return steps_.empty(); }
  std::size_t steps() const { return steps_.size(); }
  // How many times as long a text may become, at most.
  double growth() const;
  // The result is `text` itself or lives in `storage`. `at_start`: the text begins where the whole input does.
  std::string_view apply(std::string_view text, bool at_start, std::string& storage) const;

 private:
  std::vector<Step> steps_;
};

}  // namespace nibble
