#include "text/tokenizer/byte_alphabet.hpp"

#include "base/utf8.hpp"

namespace nibble {
namespace {

struct Alphabet {
  std::array<std::string, 256> characters;
  std::array<std::int16_t, 0x144> bytes;  // by code point
  Alphabet() {
    bytes.fill(-1);
    std::uint32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const bool itself = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      const std::uint32_t code_point = itself ? std::uint32_t(byte) : next++;
      append_utf8(characters[byte], code_point);
      bytes[code_point] = std::int16_t(byte);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

const std::array<std::string, 256>& byte_alphabet() { return alphabet().characters; }

int byte_of_character(std::uint32_t code_point) {
  return code_point < alphabet().bytes.size() ? alphabet().bytes[code_point] : -1;
}

std::string to_byte_alphabet(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) out += byte_alphabet()[static_cast<unsigned char>(byte)];
  return out;
}

bool from_byte_alphabet(std::string_view token, std::string& out) {
  std::string bytes;
  bytes.reserve(token.size());
  for (std::size_t at = 0; at < token.size();) {
    const CodePoint c = decode_valid(token.data() + at);
    const int byte = byte_of_character(c.value);
    if (byte < 0) return false;
    bytes += char(byte);
    at += c.bytes;
  }
  out += bytes;
  return true;
}

}  // namespace nibble
