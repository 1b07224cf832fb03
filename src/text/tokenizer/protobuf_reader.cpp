#include "text/tokenizer/protobuf_reader.hpp"

namespace nibble {

Result<std::uint64_t> ProtobufReader::varint() {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (at_ >= bytes_.size()) return error(Errc::corrupt_file, "a number is cut off at byte {}", at_);
    const auto byte = std::to_integer<std::uint64_t>(bytes_[at_++]);
    value |= (byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  return error(Errc::corrupt_file, "a number before byte {} is longer than ten bytes", at_);
}

Result<ProtobufField> ProtobufReader::next() {
  const std::size_t start = at_;
  NIBBLE_TRY(const std::uint64_t tag, varint());
  ProtobufField field;
  field.number = std::uint32_t(tag >> 3);
  field.wire_type = int(tag & 7);
  if (tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF)
    return error(Errc::corrupt_file, "field number {} at byte {}", tag >> 3, start);
  std::uint64_t length = 0;
  switch (field.wire_type) {
    case 0: {
      NIBBLE_TRY(field.integer, varint());
      return field;
    }
    case 1:
      length = 8;
      break;
    case 5:
      length = 4;
      break;
    case 2: {
      NIBBLE_TRY(length, varint());
      break;
    }
    default:
      return error(Errc::corrupt_file, "field {} at byte {} has wire type {}", field.number, start, field.wire_type);
  }
  if (length > bytes_.size() - at_) {
    return error(Errc::corrupt_file, "field {} at byte {} claims {} bytes, {} are left", field.number, start, length,
                 bytes_.size() - at_);
  }
  const auto content = bytes_.subspan(at_, std::size_t(length));
  at_ += std::size_t(length);
  if (field.wire_type == 2)
    field.bytes = content;
  else
    std::memcpy(&field.integer, content.data(), content.size());
  return field;
}

}  // namespace nibble
