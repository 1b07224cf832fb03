#include "text/tokenizer/bpe.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/utf8.hpp"
#include "text/tokenizer/byte_alphabet.hpp"

namespace nibble {
namespace {

// Whether a metaspace follows another character somewhere in the token.
bool metaspace_inside(std::string_view token) {
  std::size_t lead = 0;
  while (token.substr(lead, metaspace.size()) == metaspace) lead += metaspace.size();
  return token.find(metaspace, lead) != std::string_view::npos;
}

}  // namespace

void Bpe::prepare_symbols() {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = char(byte);
    const auto symbol = options_.bytes ? vocabulary_.id(byte_alphabet()[std::size_t(byte)])
                        : byte < 128   ? vocabulary_.id({&c, 1})
                                       : std::nullopt;
    byte_symbols_[std::size_t(byte)] = symbol.value_or(-1);
    if (!options_.bytes && byte < 128 && !symbol) {
      if (const auto loose = loose_characters_.id({&c, 1})) {
        byte_symbols_[std::size_t(byte)] = std::int32_t(vocabulary_.size() + *loose);
      }
    }
    fallback_symbols_[std::size_t(byte)] = vocabulary_.id(fmt::format("<0x{:02X}>", byte)).value_or(-1);
  }
  splits_at_metaspace_ =
      splits_at_metaspace_ && !options_.bytes && !options_.ignore_merges && vocabulary_.id(metaspace).has_value();
}

Result<Bpe> Bpe::from_merges(Vocabulary vocabulary, std::span<const Merge> merges, const BpeOptions& options) {
  Bpe bpe;
  bpe.options_ = options;
  bpe.pairs_ = PairTable(merges.size());
  bpe.splits_at_metaspace_ = !options.bytes;
  std::string joined;
  std::int64_t guess = 0;  // merges usually stand in the order of the tokens they make: this one's is next to the last
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right] = merges[rank];
    joined = left;
    joined += right;
    const auto a = vocabulary.id(left), b = vocabulary.id(right);
    const auto c = !joined.empty() && vocabulary.token(guess) == joined ? std::optional(std::int32_t(guess))
                                                                        : vocabulary.id(joined);
    if (!a || !b || !c) {
      return error(Errc::corrupt_file, "merge {} is \"{}\" + \"{}\", but \"{}\" is not in the vocabulary", rank, left,
                   right,
                   !a   ? left
                   : !b ? right
                        : joined);
    }
    bpe.pairs_.set(*a, *b, std::uint32_t(rank), *c);
    guess = *c + 1;
    if (bpe.splits_at_metaspace_ && metaspace_inside(joined)) bpe.splits_at_metaspace_ = false;
  }
  bpe.vocabulary_ = std::move(vocabulary);
  bpe.prepare_symbols();
  return bpe;
}

Result<Bpe> Bpe::from_scores(Vocabulary vocabulary, std::span<const float> scores, const std::vector<bool>& mergeable,
                             const BpeOptions& options) {
  Bpe bpe;
  bpe.options_ = options;
  bpe.splits_at_metaspace_ = true;

  std::vector<std::int32_t> pieces;
  for (std::int64_t id = 0; id < vocabulary.size(); ++id) {
    if (!mergeable[std::size_t(id)]) continue;
    if (std::isnan(scores[std::size_t(id)])) {
      return error(Errc::corrupt_file, "the score of piece {} (\"{}\") is not a number", id, vocabulary.token(id));
    }
    pieces.push_back(std::int32_t(id));
  }
  std::stable_sort(pieces.begin(), pieces.end(),
                   [&](std::int32_t a, std::int32_t b) { return scores[std::size_t(a)] > scores[std::size_t(b)]; });

  struct Pair {
    std::int32_t left, right, joined;
    std::uint32_t rank;
  };
  std::vector<Pair> pairs;
  const auto symbol = [&](std::string_view text) -> std::int32_t {
    const auto id = vocabulary.id(text);
    if (id && mergeable[std::size_t(*id)]) return *id;
    if (decode_valid(text.data()).bytes != text.size()) return -1;  // longer symbols only arise as pieces
    if (const auto loose = bpe.loose_characters_.id(text)) return std::int32_t(vocabulary.size() + *loose);
    const std::int64_t next = bpe.loose_characters_.size();
    if (!bpe.loose_characters_.add(std::string(text), next)) return -1;
    return std::int32_t(vocabulary.size() + next);
  };
  std::uint32_t rank = 0;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const auto id = std::size_t(pieces[i]);
    if (i > 0 && scores[id] != scores[std::size_t(pieces[i - 1])]) ++rank;  // equal scores: the leftmost goes first
    const std::string_view piece = vocabulary.token(pieces[i]);
    if (metaspace_inside(piece)) bpe.splits_at_metaspace_ = false;
    if (piece.size() > longest_piece) continue;
    for (std::size_t cut = piece.empty() ? 0 : decode_valid(piece.data()).bytes; cut < piece.size();
         cut += decode_valid(piece.data() + cut).bytes) {
      const std::int32_t left = symbol(piece.substr(0, cut)), right = symbol(piece.substr(cut));
      if (left >= 0 && right >= 0) pairs.push_back({left, right, pieces[i], rank});
    }
  }
  bpe.pairs_ = PairTable(pairs.size());
  for (const Pair& pair : pairs) bpe.pairs_.set(pair.left, pair.right, pair.rank, pair.joined);
  bpe.vocabulary_ = std::move(vocabulary);
  bpe.prepare_symbols();
  return bpe;
}

}  // namespace nibble
