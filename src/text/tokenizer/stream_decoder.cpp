// A window of ids is decoded anew with every push and the part already handed out is skipped. The window begins at an
// anchor, an id whose own text is complete, so it stays a few ids long and the first token's special treatment
// (a leading space that is dropped) never falls on text in the middle.
#include <algorithm>

#include "text/tokenizer/token_decoder.hpp"
#include "text/tokenizer/tokenizer.hpp"
#include "text/tokenizer/utf8.hpp"

namespace nibble {

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_special)
    : tokenizer_(tokenizer), skip_special_(skip_special) {}

std::string StreamDecoder::push(std::int32_t id) {
  if (id < 0 || id >= tokenizer_.vocabulary_size() || (skip_special_ && tokenizer_.is_special(id))) return {};
  ids_.push_back(id);
  // A run of byte tokens is decoded as a whole: nothing of it is certain before it ends.
  if (byte_of_fallback(tokenizer_.token(id)) >= 0) return {};
  const std::string text = tokenizer_.decode(ids_, skip_special_);
  std::size_t certain = text.size();
  // Half a character at the end decodes to one U+FFFD.
  if (text.ends_with(replacement_character)) certain -= replacement_character.size();
  std::string fresh = certain > printed_ ? text.substr(printed_, certain - printed_) : std::string();
  printed_ = std::max(printed_, certain);
  if (certain == text.size()) {
    const std::string alone = tokenizer_.decode({&id, 1}, skip_special_);
    if (!alone.empty() && alone.find(replacement_character) == std::string::npos) {
      ids_.assign(1, id);
      printed_ = alone.size();
    }
  }
  return fresh;
}

std::string StreamDecoder::flush() {
  const std::string text = tokenizer_.decode(ids_, skip_special_);
  std::string rest = text.size() > printed_ ? text.substr(printed_) : std::string();
  ids_.clear();
  printed_ = 0;
  return rest;
}

}  // namespace nibble
