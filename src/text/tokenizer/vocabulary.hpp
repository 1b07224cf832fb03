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

  void reserve(std::size_t tokens);
  // Refuses an id that is out of range or taken, and a text that is there already.
  Result<void> add(std::string token, std::int64_t id);
  std::optional<std::int32_t> id(std::string_view token) const;
  // Empty where no token has this id.
  std::string_view token(std::int64_t id) const;
  bool has(std::int64_t id) const { return id >= 0 && id < size() && present_[std::size_t(id)]; }
  std::int64_t size() const { return std::int64_t(tokens_.size()); }  // highest id + 1

 private:
  void grow(std::size_t slots);

  std::vector<std::string> tokens_;
  std::vector<bool> present_;
  std::vector<std::int32_t> slots_;  // open addressing, -1 is free
  std::size_t used_ = 0;
};

}  // namespace nibble
