// Every tokenizer is the same pipeline with other parts:
// added tokens -> normalizer -> pre-tokenizer -> BPE -> prefix and suffix; and the decoder for the way back.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "text/tokenizer/added_tokens.hpp"
#include "text/tokenizer/bpe.hpp"
#include "text/tokenizer/model_tokenizer.hpp"
#include "text/tokenizer/normalizer.hpp"
#include "text/tokenizer/pre_tokenizer.hpp"
#include "text/tokenizer/token_decoder.hpp"

namespace nibble {

struct PipelineParts {
  AddedTokens added;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  Bpe bpe;
  TokenDecoder decoder;
  std::vector<std::int32_t> prefix, suffix;  // what add_special puts around the text
  std::optional<std::int32_t> bos, eos;
  std::string_view kind;
};

// What a tokenizer's file may ask for; real ones ask for a fraction of it. Errors name the part and its limit.
struct PipelineLimits {
  static constexpr std::size_t steps = 64;         // of the normalizer, the pre-tokenizer, the decoder each
  static constexpr double growth = 256;            // of a text in one of them
  static constexpr std::size_t around = 1024;      // ids before and behind a text together
  static constexpr std::size_t added = 1 << 22;    // bytes of all added tokens
  static constexpr std::size_t longest = 1 << 12;  // bytes of one of them
};
Result<std::unique_ptr<Tokenizer>> make_pipeline(PipelineParts parts);

class Pipeline final : public Tokenizer {
 public:
  explicit Pipeline(PipelineParts parts);
  ~Pipeline() override;

  std::vector<std::int32_t> encode(std::string_view text, const EncodeOptions& options) const override;
  std::string decode(std::span<const std::int32_t> ids, bool skip_special) const override;
  std::optional<std::string> stored_text(std::int32_t id, bool skip_special) const override;
  const TokenDecoder& decoder() const override { return parts_.decoder; }
  std::int64_t vocabulary_size() const override;
  std::string token(std::int32_t id) const override;
  std::optional<std::int32_t> id(std::string_view token) const override;
  bool is_special(std::int32_t id) const override;
  bool adds_bos() const override;
  std::optional<std::int32_t> bos() const override { return parts_.bos; }
  std::optional<std::int32_t> eos() const override { return parts_.eos; }
  std::string_view kind() const override { return parts_.kind; }

 private:
  struct Scratch;
  std::unique_ptr<Scratch> take_scratch() const;
  void give_scratch(std::unique_ptr<Scratch> scratch) const;
  void encode_text(std::string_view text, bool at_start, bool parse_special, Scratch& scratch,
                   std::vector<std::int32_t>& out) const;

  PipelineParts parts_;
  // Word caches outlive a call: each thread takes one and gives it back.
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Scratch>> idle_;
};

}  // namespace nibble
