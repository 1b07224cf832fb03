#include "generate/text_writer.hpp"

namespace nibble {

TextWriter::TextWriter(const Tokenizer* tokenizer, const std::vector<std::string>& stop_strings, OnText on_text)
    : on_text_(std::move(on_text)), stops_(stop_strings) {
  if (tokenizer) decoder_.emplace(*tokenizer);
}

bool TextWriter::push(std::int32_t id) {
  out.ids.push_back(id);
  return !decoder_ || show(stops_.push(decoder_->push(id)));
}

void TextWriter::finish() {
  if (!decoder_) return;
  show(stops_.push(decoder_->flush()));
  show(stops_.flush());
}

bool TextWriter::show(const std::string& text) {
  out.text += text;
  if (!text.empty() && on_text_ && !on_text_(text)) {
    out.stopped = StopReason::cancelled;
    return false;
  }
  if (stops_.found()) out.stopped = StopReason::stop_string;
  return !stops_.found();
}

}  // namespace nibble
