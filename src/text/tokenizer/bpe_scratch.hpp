// Buffers of one encoding thread.
#pragma once

#include <cstdint>
#include <vector>

#include "text/tokenizer/bpe.hpp"
#include "text/tokenizer/word_cache.hpp"

namespace nibble {

struct BpeScratch {
  struct Candidate {
    std::uint32_t rank;
    std::int64_t left;  // position of its left symbol
    std::int32_t left_symbol, right_symbol, joined;
  };
  WordCache cache;
  std::vector<std::int32_t> symbols;
  std::vector<PairTable::Merge> merges;      // merge_short: of symbol i and i + 1
  std::vector<std::int64_t> previous, next;  // merge_long: a linked list over symbols
  std::vector<Candidate> heap;
};

}  // namespace nibble
