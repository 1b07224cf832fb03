// Pair of symbols -> rank and joined symbol: one probe into a flat table, since this look-up is most of the time of
// BPE.
#pragma once

#include <cstdint>
#include <vector>

namespace nibble {

class PairTable {
 public:
  struct Merge {
    std::uint32_t rank = none;
    std::int32_t joined = -1;
  };
  static constexpr std::uint32_t none = 0xFFFFFFFFu;

  explicit PairTable(std::size_t pairs = 0) {
    std::size_t slots = 16;
    while (slots * 3 < pairs * 5) slots *= 2;
    slots_.resize(slots);
  }

  // A pair that is there already takes the new rank.
  void set(std::int32_t left, std::int32_t right, std::uint32_t rank, std::int32_t joined) {
    std::size_t at = place(key(left, right));
    for (; slots_[at].merge.rank != none && slots_[at].key != key(left, right); at = (at + 1) & (slots_.size() - 1)) {
    }
    slots_[at] = {key(left, right), {rank, joined}};
  }

  Merge find(std::int32_t left, std::int32_t right) const {
    const std::uint64_t wanted = key(left, right);
    for (std::size_t at = place(wanted); slots_[at].merge.rank != none; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].key == wanted) return slots_[at].merge;
    }
    return {};
  }

 private:
  struct Slot {
    std::uint64_t key = 0;
    Merge merge;
  };
  static std::uint64_t key(std::int32_t left, std::int32_t right) {
    return std::uint64_t(std::uint32_t(left)) << 32 | std::uint32_t(right);
  }
  std::size_t place(std::uint64_t key) const {
    const std::uint64_t mixed = (key ^ key >> 29) * 0x9E3779B97F4A7C15u;
    return (mixed ^ mixed >> 32) & (slots_.size() - 1);
  }
  std::vector<Slot> slots_;
};

}  // namespace nibble
