// What a pre-tokenizer or a Replace looks for: a literal text, one of the published patterns (scanned by hand, several
// times faster), or any other regular expression (PCRE2 with JIT).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "text/tokenizer/known_patterns.hpp"

namespace nibble {

struct Span {
  std::size_t begin = 0, end = 0;
};

class SplitPattern {
 public:
  static SplitPattern literal(std::string text);
  static SplitPattern known(KnownPattern pattern);
  // Written for Oniguruma, as tokenizer.json does. What PCRE2 would read differently is translated or refused.
  static Result<SplitPattern> regex(std::string_view pattern);

  // How many times as long a text may become where each match becomes `replacement_bytes`: at least 1.
  double growth(std::size_t replacement_bytes) const;
  const std::string& literal_text() const { return literal_; }  // empty: no literal
  // Appends all matches in `text` (valid UTF-8), leftmost first, not overlapping, none empty beside the last match.
  void find_all(std::string_view text, std::vector<Span>& matches) const;

 private:
  struct Compiled;
  void find_compiled(std::string_view text, std::vector<Span>& matches) const;

  std::string literal_;
  std::optional<KnownPattern> known_;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace nibble
