// Words repeat: a direct-mapped table of the words seen last, one cache line each. A full slot is simply replaced.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string_view>

#include "text/tokenizer/vocabulary.hpp"

namespace nibble {

class WordCache {
 public:
  static constexpr std::size_t longest_word = 30, most_ids = 8;

  // Zeroed by the system page by page, as slots are used: a short text should not pay for two megabytes.
  WordCache() : slots_(static_cast<Slot*>(std::calloc(slot_count, sizeof(Slot)))) {
    if (!slots_) throw std::bad_alloc();
  }

  std::size_t place(std::string_view word) const { return hash_bytes(word.data(), word.size()) & (slot_count - 1); }

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
  static constexpr std::size_t slot_count = std::size_t(1) << 15;
  struct Free {
    void operator()(Slot* slots) const { std::free(slots); }
  };
  std::unique_ptr<Slot[], Free> slots_;
};

}  // namespace nibble
