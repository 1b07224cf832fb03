// The text side of a sequence: ids to characters, stop strings, what the caller sees.
#pragma once

#include <functional>
#include <optional>

#include "generate/stop_strings.hpp"
#include "nibble/generate.hpp"
#include "text/tokenizer/model_tokenizer.hpp"

namespace nibble {

class TextWriter {
 public:
  // Whole characters as they become certain; false: the caller has read enough.
  using OnText = std::function<bool(std::string_view text)>;

  // `tokenizer`: outlives this; null: ids are gathered and there is no text.
  TextWriter(const Tokenizer* tokenizer, const std::vector<std::string>& stop_strings, OnText on_text);

  // False: the text ends here, and `out.stopped` says why.
  bool push(std::int32_t id);
  // What was held back, when the text ends without a stop string.
  void finish();

  Generation out;

 private:
  bool show(const std::string& text);

  OnText on_text_;
  std::optional<StreamDecoder> decoder_;
  StopStrings stops_;
};

}  // namespace nibble
