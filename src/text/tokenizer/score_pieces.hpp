// A SentencePiece vocabulary as tokenizer.model and GGUF both carry it, and the pipeline that it makes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "text/tokenizer/tokenizer_loaders.hpp"

namespace nibble {

struct ScorePieces {
  enum Type : std::uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
  std::vector<std::string> texts;
  std::vector<float> scores;
  std::vector<std::uint8_t> types;
  bool add_space_prefix = true, remove_extra_spaces = false, byte_fallback = true;
  bool prefix_only_first = false;  // not after a special token
  bool user_defined_in_text =
      true;  // found before spaces are escaped, as control pieces are; false: as SentencePiece does
  std::optional<std::int32_t> bos, eos, unk;
  bool add_bos = true, add_eos = false;
  std::vector<AddedToken> added;     // on top of the pieces
  std::vector<std::string> special;  // pieces that are special whatever their type
};

Result<ScorePieces> read_sentencepiece(std::span<const std::byte> bytes, const TokenizerConfig& config);
TokenizerResult make_score_tokenizer(ScorePieces pieces);

}  // namespace nibble
