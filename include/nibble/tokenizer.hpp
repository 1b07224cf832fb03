// Text to token ids and back, to the id as the model's own tokenizer does it.
//
// Threads: any number, with one tokenizer or with several.
// Implemented in src/engine/model.cpp over src/text/tokenizer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nibble/result.hpp"

namespace nibble {

class Tokenizer;  // implementation

// A shared, immutable handle; cheap to copy, safe to use from several threads.
class TextTokenizer {
 public:
  // A folder with tokenizer.json, tokenizer.model or vocab.json + merges.txt, or a .gguf file. Needs no weights.
  static Result<TextTokenizer> load(const std::filesystem::path& path);

  // add_special: BOS/EOS where the tokenizer adds them. parse_special: "<|im_start|>" in the text becomes its one id.
  std::vector<std::int32_t> encode(std::string_view text, bool add_special = true, bool parse_special = true) const;
  std::string decode(std::span<const std::int32_t> ids, bool skip_special = false) const;
  // What each id adds to the text of those before it, as streaming prints it: whole characters only, so a piece may be
  // empty. One more piece at the end: what was left incomplete, as U+FFFD.
  std::vector<std::string> pieces(std::span<const std::int32_t> ids, bool skip_special = false) const;
  std::int64_t vocabulary_size() const;
  std::string_view kind() const;  // "byte-level BPE", "SentencePiece BPE"

  explicit TextTokenizer(std::shared_ptr<const Tokenizer> implementation)
      : implementation_(std::move(implementation)) {}
  const Tokenizer& implementation() const { return *implementation_; }

 private:
  std::shared_ptr<const Tokenizer> implementation_;
};

}  // namespace nibble
