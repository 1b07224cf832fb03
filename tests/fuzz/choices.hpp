// Structure-aware fuzzing: the engine's bytes are not the input but decisions about it. A target takes a well-formed
// value, changes it at the places and in the ways that the bytes choose, and writes it well-formed; so any engine that
// mutates bytes drives it, and what it finds lies behind the parser.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

class Choices {
 public:
  explicit Choices(std::string_view bytes) : bytes_(bytes) {}

  bool at_end() const { return at_ >= bytes_.size(); }
  // 0 to end - 1; 0 behind the last byte.
  std::size_t below(std::size_t end) {
    if (end <= 1) return 0;
    std::size_t value = byte();
    if (end > 256) value = value << 8 | byte();
    return value % end;
  }
  template <class List>
  const auto& one_of(const List& list) {
    return list[below(std::size(list))];
  }

 private:
  std::size_t byte() { return at_end() ? 0 : static_cast<unsigned char>(bytes_[at_++]); }

  std::string_view bytes_;
  std::size_t at_ = 0;
};

using FuzzJson = nlohmann::ordered_json;

// Changes `tree` until the choices end: values at the edges of their types or of another type, members and elements
// dropped, doubled, exchanged, renamed to one of `words`, texts that are words, long or empty.
void change_json(FuzzJson& tree, Choices& choices, const std::vector<std::string>& words);

// A number at the edge of some type, as 64 bits.
std::uint64_t edge_of_integers(Choices& choices);
