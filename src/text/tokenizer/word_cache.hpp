// Words repeat: a direct-mapped table of the words seen last, one cache line each. A full slot is simply replaced.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "text/tokenizer/vocabulary.hpp"

namespace nibble {

class WordCache {
 public:
  static constexpr std::size_t longest_word = 30, most_ids = 8;

  // Makes room for the words of a text: two megabytes where it is long, next to nothing for a line.
  void expect(std::size_t text_bytes) {
    const std::size_t wanted = std::bit_ceil(std::clamp(text_bytes / 8, std::size_t(64), std::size_t(1) << 15));
    if (wanted > slots_.size()) slots_ = std::vector<Slot>(wanted);
  }

  std::size_t place(std::string_view word) const { return hash_bytes(word.data(), word.size()) & (slots_.size() - 1); }

  std::span<const std::int32_t> find(std::size_t place, std::string_view word) const {
    const Slot& slot = slots_[place];
    if (slot.count == 0 || slot.bytes != word.size() || std::memcmp(slot.word, word.data(), word.size()) != 0)
      return {};
    return {slot.ids, slot.count};
  }

  void store(std::size_t place, std::string_view word, std::span<const std::int32_t> ids) {
    if (ids.empty() || ids.size() > most_ids) return;
    Slot& slot = slots_[place];
    slot.bytes = std::uint8_t(word.size());
    slot.count = std::uint8_t(ids.size());
    std::memcpy(slot.word, word.data(), word.size());
    std::memcpy(slot.ids, ids.data(), ids.size_bytes());
  }

 private:
  struct Slot {
    std::uint8_t bytes = 0, count = 0;
    char word[longest_word] = {};
    std::int32_t ids[most_ids] = {};
  };
  std::vector<Slot> slots_ = std::vector<Slot>(64);  // a power of two
};

}  // namespace nibble
