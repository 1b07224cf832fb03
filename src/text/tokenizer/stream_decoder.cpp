// A window of ids is decoded anew with every push and the part already handed out is skipped. The window begins at an
// anchor, an id that is whole characters by itself, so it stays a few ids long and the first token's special treatment
// (a leading space that is dropped) never falls on text in the middle.
#include <algorithm>

#include "base/utf8.hpp"
#include "text/tokenizer/model_tokenizer.hpp"

namespace nibble {

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_special)
    : tokenizer_(tokenizer), skip_special_(skip_special) {}

std::string StreamDecoder::push(std::int32_t id) {
  if (id < 0 || id >= tokenizer_.vocabulary_size() || (skip_special_ && tokenizer_.is_special(id))) return {};
  ids_.push_back(id);
  std::string fresh = take(false);
  // Where this id stands alone, and nothing before it is waiting, the window can begin here.
  const std::string alone = tokenizer_.decode_stream({&id, 1}, skip_special_, false);
  if (!alone.empty() && alone.find(replacement_character) == std::string::npos &&
      tokenizer_.decode_stream({&id, 1}, skip_special_, true) == alone &&
      tokenizer_.decode_stream(ids_, skip_special_, true).size() == printed_) {
    ids_.assign(1, id);
    printed_ = alone.size();
  }
  return fresh;
}

std::string StreamDecoder::flush() {
  std::string rest = take(true);
  ids_.clear();
  printed_ = 0;
  return rest;
}

std::string StreamDecoder::take(bool ended) {
  std::string text = tokenizer_.decode_stream(ids_, skip_special_, ended);
  text.erase(0, printed_);
  printed_ += text.size();
  return text;
}

}  // namespace nibble
