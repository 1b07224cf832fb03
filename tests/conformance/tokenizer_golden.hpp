// What the tests of tokenizers read from tests/golden/tokenizers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "io/json.hpp"
#include "io/mapped_file.hpp"

namespace nibble {

inline const std::filesystem::path tokenizers_folder =
    std::filesystem::path(NIBBLE_SOURCE_DIR) / "tests/golden/tokenizers";

// The texts of tools/golden/tokenizer_strings.py, some of them not UTF-8.
inline std::vector<std::string> golden_texts() {
  const std::string lines = read_text(tokenizers_folder / "texts.hex").value();
  std::vector<std::string> texts(1);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i] == '\n')
      texts.emplace_back();
    else
      texts.back() += char(std::stoi(lines.substr(i++, 2), nullptr, 16));
  }
  texts.pop_back();
  return texts;
}

inline Json golden_json(const std::string& name) { return read_json(tokenizers_folder / name).value(); }

inline std::vector<std::int32_t> ids_of(const Json& list) { return list.get<std::vector<std::int32_t>>(); }

// As zlib computes it.
inline std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
  }
  return ~crc;
}
inline std::uint32_t crc32(std::span<const std::int32_t> ids) {
  return crc32({reinterpret_cast<const char*>(ids.data()), ids.size_bytes()});
}

// For INSTANTIATE_TEST_SUITE_P: the parameter with the characters that gtest allows in a name.
template <class Info>
std::string instance_name(const Info& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace nibble
