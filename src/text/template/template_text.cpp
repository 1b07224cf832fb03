#include "text/template/template_text.hpp"

#include <utf8proc.h>

#include <cstdint>
#include <utility>

namespace nibble::jinja {

Character character_at(std::string_view text, std::size_t byte) {
  utf8proc_int32_t code;
  const auto* from = reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + byte;
  const utf8proc_ssize_t bytes = utf8proc_iterate(from, utf8proc_ssize_t(text.size() - byte), &code);
  return bytes > 0 ? Character{char32_t(code), std::size_t(bytes)} : Character{not_utf8, 1};
}

void append_utf8(std::string& out, char32_t code) {
  utf8proc_uint8_t bytes[4];
  out.append(reinterpret_cast<const char*>(bytes),
             std::size_t(utf8proc_encode_char(utf8proc_int32_t(code), static_cast<utf8proc_uint8_t*>(bytes))));
}

std::size_t length(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); i += character_at(text, i).bytes) ++count;
  return count;
}

std::size_t byte_of(std::string_view text, std::size_t index) {
  std::size_t byte = 0;
  for (; index > 0 && byte < text.size(); --index) byte += character_at(text, byte).bytes;
  return byte;
}

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

namespace {
utf8proc_category_t category(char32_t c) {
  return c == not_utf8 ? UTF8PROC_CATEGORY_CN : utf8proc_category(utf8proc_int32_t(c));
}
}  // namespace

bool is_lower(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LL; }
bool is_upper(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LU; }
bool is_cased(char32_t c) { return is_lower(c) || is_upper(c) || category(c) == UTF8PROC_CATEGORY_LT; }

bool is_letter(char32_t c) {
  const auto kind = category(c);
  return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
}

bool is_decimal(char32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; }

bool is_printable(char32_t c) {
  const auto kind = category(c);
  const bool separator = kind >= UTF8PROC_CATEGORY_ZS && kind <= UTF8PROC_CATEGORY_ZP;
  const bool other = kind == UTF8PROC_CATEGORY_CN || kind >= UTF8PROC_CATEGORY_CC;
  return c == ' ' || (!separator && !other);
}

std::string_view strip(std::string_view text, Side side, std::optional<std::string_view> characters) {
  const auto goes = [&](std::size_t at, std::size_t bytes) {
    return characters ? characters->find(text.substr(at, bytes)) != characters->npos
                      : is_space(character_at(text, at).code);
  };
  if (side != Side::right) {
    while (!text.empty()) {
      const std::size_t bytes = character_at(text, 0).bytes;
      if (!goes(0, bytes)) break;
      text.remove_prefix(bytes);
    }
  }
  while (side != Side::left && !text.empty()) {
    std::size_t start = text.size() - 1;
    while (start > 0 && text.size() - start < 4 && (std::uint8_t(text[start]) & 0xC0) == 0x80) --start;
    if (start + character_at(text, start).bytes != text.size()) start = text.size() - 1;  // a stray byte
    if (!goes(start, text.size() - start)) break;
    text.remove_suffix(text.size() - start);
  }
  return text;
}

namespace {

template <class Map>
std::string mapped(std::string_view text, Map map) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const Character c = character_at(text, i);
    if (c.code == not_utf8) {
      out += text[i];
    } else {
      map(c.code, out);
    }
    i += c.bytes;
  }
  return out;
}

void put_upper(char32_t c, std::string& out) {
  if (c == 0xDF) {
    out += "SS";
  } else {
    append_utf8(out, char32_t(utf8proc_toupper(utf8proc_int32_t(c))));
  }
}
void put_lower(char32_t c, std::string& out) {
  if (c == 0x130)
    out += "i\xCC\x87";  // the one character whose lower case is two
  else
    append_utf8(out, char32_t(utf8proc_tolower(utf8proc_int32_t(c))));
}
void put_title(char32_t c, std::string& out) {
  out += c == 0xDF ? "Ss" : "";
  if (c != 0xDF) append_utf8(out, char32_t(utf8proc_totitle(utf8proc_int32_t(c))));
}

}  // namespace

std::string upper(std::string_view text) { return mapped(text, put_upper); }
std::string lower(std::string_view text) { return mapped(text, put_lower); }

std::string capitalize(std::string_view text) {
  bool first = true;
  return mapped(
      text, [&](char32_t c, std::string& out) { std::exchange(first, false) ? put_title(c, out) : put_lower(c, out); });
}

std::string title(std::string_view text) {
  bool in_word = false;
  return mapped(text, [&](char32_t c, std::string& out) {
    std::exchange(in_word, is_cased(c)) ? put_lower(c, out) : put_title(c, out);
  });
}

}  // namespace nibble::jinja
