// As much of protobuf's wire format as tokenizer.model needs: fields in order, bounds checked, nothing copied.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "base/error.hpp"

namespace nibble {

struct ProtobufField {
  std::uint32_t number = 0;
  int wire_type = 0;                 // 0 varint, 1 eight bytes, 2 bytes, 5 four bytes
  std::uint64_t integer = 0;         // types 0, 1 and 5
  std::span<const std::byte> bytes;  // type 2

  float number_value() const {
    const auto bits = std::uint32_t(integer);
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
};

class ProtobufReader {
 public:
  explicit ProtobufReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  bool at_end() const { return at_ >= bytes_.size(); }
  Result<ProtobufField> next();

 private:
  Result<std::uint64_t> varint();
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

}  // namespace nibble
