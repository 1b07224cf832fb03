// The two ways to merge a word: a scan for the lowest rank while it is short, a heap over a linked list when it is long
// (O(n log n): a megabyte of one letter is a legal word).
#include <algorithm>

#include "base/utf8.hpp"
#include "text/tokenizer/bpe_scratch.hpp"
#include "text/tokenizer/byte_alphabet.hpp"

namespace nibble {
namespace {

constexpr std::size_t longest_scanned = 48;

}  // namespace

BpeScratchPtr Bpe::scratch() { return BpeScratchPtr(new BpeScratch); }
void Bpe::expect(BpeScratch& scratch, std::size_t text_bytes) { scratch.cache.expect(text_bytes); }
void BpeScratchDeleter::operator()(BpeScratch* scratch) const { delete scratch; }

void Bpe::encode(std::string_view text, BpeScratch& scratch, std::vector<std::int32_t>& out) const {
  if (!splits_at_metaspace_) return encode_word(text, scratch, out);
  // No piece goes from a character on to a metaspace, so no merge crosses that border and words can be taken one by
  // one.
  std::size_t begin = 0;
  while (begin < text.size()) {
    std::size_t end = begin;
    while (text.substr(end, metaspace.size()) == metaspace) end += metaspace.size();
    end = std::min(text.find(metaspace, end), text.size());
    encode_word(text.substr(begin, end - begin), scratch, out);
    begin = end;
  }
}

void Bpe::encode_word(std::string_view word, BpeScratch& scratch, std::vector<std::int32_t>& out) const {
  if (word.empty()) return;
  const bool cacheable = word.size() <= WordCache::longest_word;
  std::size_t place = 0;
  if (cacheable) {
    place = scratch.cache.place(word);
    const auto known = scratch.cache.find(place, word);
    if (!known.empty()) {
      out.insert(out.end(), known.begin(), known.end());
      return;
    }
  }
  auto& symbols = scratch.symbols;
  symbols.clear();
  if (const auto whole = options_.ignore_merges ? whole_word(word) : std::nullopt) {
    symbols.push_back(*whole);
  } else {
    first_symbols(word, symbols);
    if (symbols.size() <= longest_scanned) {
      merge_short(scratch);
    } else {
      merge_long(scratch);
    }
  }
  const std::size_t begin = out.size();
  for (const std::int32_t symbol : symbols) {
    if (symbol < vocabulary_.size()) {
      out.push_back(symbol);
    } else {
      add_unknown(loose_characters_.token(symbol - vocabulary_.size()), out);
    }
  }
  if (cacheable) scratch.cache.store(place, word, std::span(out).subspan(begin));
}

std::optional<std::int32_t> Bpe::whole_word(std::string_view word) const {
  return vocabulary_.id(options_.bytes ? std::string_view(to_byte_alphabet(word)) : word);
}

void Bpe::first_symbols(std::string_view word, std::vector<std::int32_t>& symbols) const {
  if (options_.bytes) {
    for (const char c : word) {
      const std::int32_t symbol = byte_symbols_[static_cast<unsigned char>(c)];
      if (symbol >= 0)
        symbols.push_back(symbol);
      else
        add_unknown({&c, 1}, symbols);
    }
    return;
  }
  for (std::size_t at = 0; at < word.size();) {
    const std::uint32_t bytes = decode_valid(word.data() + at).bytes;
    const auto character = word.substr(at, bytes);
    at += bytes;
    std::int32_t symbol = -1;
    if (bytes == 1) {
      symbol = byte_symbols_[static_cast<unsigned char>(character[0])];
    } else if (const auto id = vocabulary_.id(character)) {
      symbol = *id;
    } else if (const auto loose = loose_characters_.id(character)) {
      symbol = std::int32_t(vocabulary_.size() + *loose);
    }
    if (symbol >= 0)
      symbols.push_back(symbol);
    else
      add_unknown(character, symbols);
  }
}

void Bpe::add_unknown(std::string_view character, std::vector<std::int32_t>& symbols) const {
  if (options_.byte_fallback) {
    const bool all = std::all_of(character.begin(), character.end(),
                                 [&](char c) { return fallback_symbols_[static_cast<unsigned char>(c)] >= 0; });
    if (all) {
      for (const char c : character) symbols.push_back(fallback_symbols_[static_cast<unsigned char>(c)]);
      return;
    }
  }
  if (!options_.unk) return;  // as the reference does: the character is dropped
  if (options_.fuse_unk && !symbols.empty() && symbols.back() == *options_.unk) return;
  symbols.push_back(*options_.unk);
}

void Bpe::merge_short(BpeScratch& scratch) const {
  auto& symbols = scratch.symbols;
  auto& merges = scratch.merges;
  std::size_t count = symbols.size();
  merges.resize(count);
  for (std::size_t i = 0; i + 1 < count; ++i) merges[i] = pairs_.find(symbols[i], symbols[i + 1]);
  while (count > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < count; ++i) {
      if (merges[i].rank < merges[best].rank) best = i;
    }
    if (merges[best].rank == PairTable::none) break;
    symbols[best] = merges[best].joined;
    for (std::size_t i = best + 1; i + 1 < count; ++i) {
      symbols[i] = symbols[i + 1];
      merges[i] = merges[i + 1];
    }
    --count;
    if (best > 0) merges[best - 1] = pairs_.find(symbols[best - 1], symbols[best]);
    if (best + 1 < count) merges[best] = pairs_.find(symbols[best], symbols[best + 1]);
  }
  symbols.resize(count);
}

void Bpe::merge_long(BpeScratch& scratch) const {
  auto& symbols = scratch.symbols;
  auto& heap = scratch.heap;
  const auto count = std::int64_t(symbols.size());
  scratch.previous.resize(symbols.size());
  scratch.next.resize(symbols.size());
  for (std::int64_t i = 0; i < count; ++i) {
    scratch.previous[std::size_t(i)] = i - 1;
    scratch.next[std::size_t(i)] = i + 1 < count ? i + 1 : -1;
  }
  const auto later = [](const BpeScratch::Candidate& a, const BpeScratch::Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
  };
  heap.clear();
  const auto propose = [&](std::int64_t left, std::int64_t right) {
    const std::int32_t a = symbols[std::size_t(left)], b = symbols[std::size_t(right)];
    const PairTable::Merge merge = pairs_.find(a, b);
    if (merge.rank != PairTable::none) heap.push_back({merge.rank, left, a, b, merge.joined});
    return merge.rank != PairTable::none;
  };
  for (std::int64_t i = 0; i + 1 < count; ++i) propose(i, i + 1);
  std::make_heap(heap.begin(), heap.end(), later);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const auto top = heap.back();
    heap.pop_back();
    const std::int64_t left = top.left, right = scratch.next[std::size_t(left)];
    // A candidate goes stale when either side was merged meanwhile; a merged-away symbol is -1.
    if (right < 0 || symbols[std::size_t(left)] != top.left_symbol || symbols[std::size_t(right)] != top.right_symbol) {
      continue;
    }
    symbols[std::size_t(left)] = top.joined;
    symbols[std::size_t(right)] = -1;
    const std::int64_t after = scratch.next[std::size_t(right)], before = scratch.previous[std::size_t(left)];
    scratch.next[std::size_t(left)] = after;
    if (after >= 0) scratch.previous[std::size_t(after)] = left;
    if (before >= 0 && propose(before, left)) std::push_heap(heap.begin(), heap.end(), later);
    if (after >= 0 && propose(left, after)) std::push_heap(heap.begin(), heap.end(), later);
  }
  std::erase(symbols, -1);
}

}  // namespace nibble
