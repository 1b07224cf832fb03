// Text to ids and back, to the id as the model's own tokenizer does it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "io/gguf.hpp"
#include "text/tokenizer/decoder_stream.hpp"

namespace nibble {

struct EncodeOptions {
  bool add_special = true;    // BOS/EOS (and prefixes) where the tokenizer itself adds them
  bool parse_special = true;  // "<|im_start|>" in the text becomes its one id; false: it is plain text
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // A folder with tokenizer.json, or tokenizer.model, or vocab.json + merges.txt (tokenizer_config.json beside it is
  // honoured).
  static Result<std::unique_ptr<Tokenizer>> open(const std::filesystem::path& folder);
  // From tokenizer.ggml.* metadata.
  static Result<std::unique_ptr<Tokenizer>> from_gguf(const Gguf& file);

  // Invalid UTF-8 is replaced as the reference does (U+FFFD per maximal ill-formed subpart) before encoding.
  virtual std::vector<std::int32_t> encode(std::string_view text, const EncodeOptions& options = {}) const = 0;
  // skip_special drops special tokens. Ids out of range are skipped.
  virtual std::string decode(std::span<const std::int32_t> ids, bool skip_special = false) const = 0;
  // What decode() begins with for one id; nothing where it drops it.
  virtual std::optional<std::string> stored_text(std::int32_t id, bool skip_special) const = 0;
  virtual const TokenDecoder& decoder() const = 0;

  virtual std::int64_t vocabulary_size() const = 0;                          // highest id + 1, added tokens included
  virtual std::string token(std::int32_t id) const = 0;                      // as stored ("Ġthe", "▁the", "<0x0A>")
  virtual std::optional<std::int32_t> id(std::string_view token) const = 0;  // of a stored token
  virtual bool is_special(std::int32_t id) const = 0;
  virtual bool adds_bos() const = 0;  // encode(add_special) starts with bos()
  virtual std::optional<std::int32_t> bos() const = 0;
  virtual std::optional<std::int32_t> eos() const = 0;
  virtual std::string_view kind() const = 0;  // "byte-level BPE", "SentencePiece BPE"
};

// Decodes one id at a time and hands out only whole characters: never half of a UTF-8 sequence, and never a character
// that a later id takes back. All pieces together are decode() of all ids, but that whole characters are kept of a run
// of byte tokens that is not valid as a whole.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special = true)
      : tokenizer_(tokenizer), skip_special_(skip_special), stream_(tokenizer.decoder()) {}
  // Text that became certain with this id (may be empty).
  std::string push(std::int32_t id) {
    auto text = tokenizer_.stored_text(id, skip_special_);
    return text ? stream_.push(std::move(*text)) : std::string();
  }
  // What is left (incomplete sequences as U+FFFD); then a new text may begin.
  std::string flush() { return stream_.end(); }

 private:
  const Tokenizer& tokenizer_;
  bool skip_special_;
  DecoderStream stream_;
};

}  // namespace nibble
