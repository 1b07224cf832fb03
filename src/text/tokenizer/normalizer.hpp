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
struct CollapseSpaces {};  // SentencePiece's remove_extra_whitespaces: runs become one, both ends go
struct StripAccents {};

class Normalizer {
 public:
  using Step =
      std::variant<UnicodeForm, ReplaceText, PrependText, LowercaseText, StripSpaces, CollapseSpaces, StripAccents>;

  void add(Step step);
  bool empty() const { return steps_.empty(); }
  // The result is `text` itself or lives in `storage`.
  std::string_view apply(std::string_view text, std::string& storage) const;

 private:
  std::vector<Step> steps_;
};

}  // namespace nibble
