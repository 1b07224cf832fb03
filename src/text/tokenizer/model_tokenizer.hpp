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
  // What of that is certain while more ids follow: whole characters only. With `ended` nothing follows, and the result
  // still begins with what was certain before; it differs from decode() only where a run of byte tokens is malformed.
  virtual std::string decode_stream(std::span<const std::int32_t> ids, bool skip_special, bool ended) const = 0;

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
// that a later id takes back. All pieces together are decode_stream() of all ids.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special = true);
  // Text that became certain with this id (may be empty).
  std::string push(std::int32_t id);
  // What is left (incomplete sequences as U+FFFD).
  std::string flush();

 private:
  std::string take(bool ended);

  const Tokenizer& tokenizer_;
  bool skip_special_;
  std::vector<std::int32_t> ids_;
  std::size_t printed_ = 0;
};

}  // namespace nibble
