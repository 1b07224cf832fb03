// Byte-pair encoding: a word starts as its bytes or characters, and the adjacent pair of the lowest rank (leftmost of
// equals) is joined until no pair has a rank. Sennrich et al. 2016; byte-level form from GPT-2.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/tokenizer/pair_table.hpp"
#include "text/tokenizer/vocabulary.hpp"

namespace nibble {

struct BpeOptions {
  bool bytes = true;           // words are raw bytes, the vocabulary is written in GPT-2's byte alphabet
  bool byte_fallback = false;  // an unknown character becomes its "<0xNN>" tokens
  bool fuse_unk = false;       // a run of unknown characters is one unk
  bool ignore_merges = false;  // a word that is a token is that token, whatever the merges say
  std::optional<std::int32_t> unk;
};

// What one encoding thread reuses between words.
struct BpeScratch;
struct BpeScratchDeleter {
  void operator()(BpeScratch* scratch) const;
};
using BpeScratchPtr = std::unique_ptr<BpeScratch, BpeScratchDeleter>;

class Bpe {
 public:
  using Merge = std::pair<std::string_view, std::string_view>;

  // `merges` in order of rank.
  static Result<Bpe> from_merges(Vocabulary vocabulary, std::span<const Merge> merges, const BpeOptions& options);
  // SentencePiece's form: two neighbours may be joined if the result is a piece; the highest score goes first.
  // `mergeable[id]` is false for control, byte and unknown pieces.
  static Result<Bpe> from_scores(Vocabulary vocabulary, std::span<const float> scores,
                                 const std::vector<bool>& mergeable, const BpeOptions& options);

  const Vocabulary& vocabulary() const { return vocabulary_; }
  const BpeOptions& options() const { return options_; }

  // Longer pieces are never joined: cutting a piece is quadratic in its length, and no published piece comes near.
  static constexpr std::size_t longest_piece = 256;

  static BpeScratchPtr scratch();
  static void expect(BpeScratch& scratch, std::size_t text_bytes);  // before the words of a text of so many bytes
  // Appends the ids of one pre-token (valid UTF-8).
  void encode(std::string_view text, BpeScratch& scratch, std::vector<std::int32_t>& out) const;

 private:
  void prepare_symbols();
  std::optional<std::int32_t> whole_word(std::string_view word) const;
  void encode_word(std::string_view word, BpeScratch& scratch, std::vector<std::int32_t>& out) const;
  void first_symbols(std::string_view word, std::vector<std::int32_t>& symbols) const;
  void add_unknown(std::string_view character, std::vector<std::int32_t>& symbols) const;
  void merge_short(BpeScratch& scratch) const;
  void merge_long(BpeScratch& scratch) const;

  Vocabulary vocabulary_;
  BpeOptions options_;
  PairTable pairs_;
  std::array<std::int32_t, 256> byte_symbols_{};      // of raw bytes (byte level) or of ASCII characters
  std::array<std::int32_t, 256> fallback_symbols_{};  // "<0xNN>", -1 where missing
  Vocabulary loose_characters_;  // characters that occur only inside pieces; ids follow the vocabulary
  bool splits_at_metaspace_ = false;
};

}  // namespace nibble
