#include "text/tokenizer/vocabulary.hpp"

#include <cstring>

namespace nibble {

std::uint64_t hash_bytes(const char* data, std::size_t size) {
  std::uint64_t hash = 0x9E3779B97F4A7C15u ^ size;
  const auto mix = [&](std::uint64_t word) {
    hash = (hash ^ word) * 0xD6E8FEB86659FD93u;
    hash ^= hash >> 32;
  };
  for (; size >= 8; data += 8, size -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, data, 8);
    mix(word);
  }
  if (size > 0) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < size; ++i) word |= std::uint64_t(static_cast<unsigned char>(data[i])) << (8 * i);
    mix(word);
  }
  return hash;
}

void Vocabulary::reserve(std::size_t tokens) {
  places_.reserve(tokens);
  texts_.reserve(tokens * 8);
  std::size_t slots = 64;
  while (slots < tokens * 2) slots *= 2;
  if (slots > slots_.size()) grow(slots);
}

void Vocabulary::grow(std::size_t slots) {
  std::vector<Slot> old(slots);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.id < 0) continue;
    std::size_t at = slot.hash & (slots - 1);
    while (slots_[at].id >= 0) at = (at + 1) & (slots - 1);
    slots_[at] = slot;
  }
}

Result<void> Vocabulary::add(std::string_view token, std::int64_t id) {
  if (id < 0 || id >= limit) {
    return error(Errc::corrupt_file, "token \"{}\" has id {}; ids go from 0 to {}", token, id, limit - 1);
  }
  if (token.size() > longest)
    return error(Errc::unsupported, "token {} has {} bytes; the limit is {}", id, token.size(), longest);
  if (has(id)) {
    return error(Errc::corrupt_file, "id {} is given to both \"{}\" and \"{}\"", id, this->token(id), token);
  }
  if ((used_ + 1) * 2 > slots_.size()) grow(slots_.empty() ? 64 : slots_.size() * 2);
  const auto hash = std::uint32_t(hash_bytes(token.data(), token.size()));
  std::size_t at = hash & (slots_.size() - 1);
  for (; slots_[at].id >= 0; at = (at + 1) & (slots_.size() - 1)) {
    if (slots_[at].hash == hash && this->token(slots_[at].id) == token) {
      return error(Errc::corrupt_file, "token \"{}\" has two ids, {} and {}", token, slots_[at].id, id);
    }
  }
  slots_[at] = {std::int32_t(id), hash};
  if (id >= size()) places_.resize(std::size_t(id) + 1);
  places_[std::size_t(id)] = {texts_.size(), token.size()};
  texts_ += token;
  ++used_;
  return {};
}

std::optional<std::int32_t> Vocabulary::id(std::string_view token) const {
  if (slots_.empty()) return {};
  const auto hash = std::uint32_t(hash_bytes(token.data(), token.size()));
  for (std::size_t at = hash & (slots_.size() - 1); slots_[at].id >= 0; at = (at + 1) & (slots_.size() - 1)) {
    if (slots_[at].hash == hash && this->token(slots_[at].id) == token) return slots_[at].id;
  }
  return {};
}

}  // namespace nibble
