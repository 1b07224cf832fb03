// Token texts and their ids, both ways.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace nibble {

std::uint64_t hash_bytes(const char* data, std::size_t size);

class Vocabulary {
 public:
  // Larger ids are refused: the largest published vocabularies hold about a million tokens, and the table is dense.
  static constexpr std::int64_t limit = std::int64_t(1) << 22;

  // No published token has a thousand bytes. A text is never longer than its ids times this.
  static constexpr std::size_t longest = 1 << 16;

  void reserve(std::size_t tokens);
  // Refuses an id that is out of range or taken, and a text that is there already.
  Result<void> add(std::string_view token, std::int64_t id);
  std::optional<std::int32_t> id(std::string_view token) const;
  // Empty where no token has this id. Valid until the next add.
  std::string_view token(std::int64_t id) const {
    return has(id) ? std::string_view(texts_).substr(places_[std::size_t(id)].begin, places_[std::size_t(id)].size)
                   : std::string_view();
  }
  bool has(std::int64_t id) const { return id >= 0 && id < size() && places_[std::size_t(id)].begin != absent; }
  std::int64_t size() const { return std::int64_t(places_.size()); }  // highest id + 1

 private:
  static constexpr std::uint64_t absent = ~std::uint64_t(0);
  struct Place {
    std::uint64_t begin = absent, size = 0;  // in texts_
  };
  struct Slot {
    std::int32_t id = -1;    // -1 is free
    std::uint32_t hash = 0;  // spares most comparisons of texts
  };
  void grow(std::size_t slots);

  std::string texts_;  // all of them, in the order they came
  std::vector<Place> places_;
  std::vector<Slot> slots_;  // open addressing
  std::size_t used_ = 0;
};

}  // namespace nibble
