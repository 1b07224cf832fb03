#include "text/template/template_text.hpp"

#include <utility>

namespace nibble::jinja {

Character character_at(std::string_view text, std::size_t byte) {
  const auto at = [&](std::size_t i) { return i < text.size() ? std::uint8_t(text[i]) : std::uint8_t(0); };
  const std::uint8_t lead = at(byte);
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  char32_t code = lead & (0x7F >> bytes);
  bool well_formed = lead >= 0xC2 && lead <= 0xF4;
  for (std::size_t i = 1; i < bytes; ++i) {
    well_formed = well_formed && (at(byte + i) & 0xC0) == 0x80;
    code = code << 6 | (at(byte + i) & 0x3F);
  }
  constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (!well_formed || code < smallest[bytes] || code > 0x10FFFF) return {0xFFFFFFFF, 1};
  return {code, bytes};
}

void append_utf8(std::string& out, char32_t code) {
  if (code < 0x80) {
    out += char(code);
  } else if (code < 0x800) {
    out += char(0xC0 | code >> 6);
    out += char(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += char(0xE0 | code >> 12);
    out += char(0x80 | (code >> 6 & 0x3F));
    out += char(0x80 | (code & 0x3F));
  } else {
    out += char(0xF0 | code >> 18);
    out += char(0x80 | (code >> 12 & 0x3F));
    out += char(0x80 | (code >> 6 & 0x3F));
    out += char(0x80 | (code & 0x3F));
  }
}

std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> result;
  for (std::size_t i = 0; i < text.size(); i += result.back().size()) {
    result.push_back(text.substr(i, character_at(text, i).bytes));
  }
  return result;
}

std::size_t length(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); i += character_at(text, i).bytes) ++count;
  return count;
}

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_printable(char32_t c) {
  if (c == ' ') return true;
  if (c < 0x20 || (c >= 0x7F && c <= 0xA0) || c == 0xAD || is_space(c)) return false;
  const bool format = (c >= 0x600 && c <= 0x605) || c == 0x61C || c == 0x6DD || c == 0x70F || c == 0x180E ||
                      (c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) ||
                      c == 0xFEFF || (c >= 0xFFF0 && c <= 0xFFFB) || (c >= 0xE0000 && c <= 0xE0FFF);
  const bool no_character = (c >= 0xD800 && c <= 0xF8FF) || c >= 0xF0000 || (c & 0xFFFE) == 0xFFFE;
  return !format && !no_character;
}

std::size_t leading_space(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const Character c = character_at(text, i);
    if (!is_space(c.code)) break;
    i += c.bytes;
  }
  return i;
}

std::size_t without_trailing_space(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0) {
    std::size_t start = end - 1;
    while (start > 0 && end - start < 4 && (std::uint8_t(text[start]) & 0xC0) == 0x80) --start;
    const Character c = character_at(text, start);
    if (start + c.bytes != end || !is_space(c.code)) break;
    end = start;
  }
  return end;
}

namespace {

// Runs of letters where upper and lower case alternate, upper first on `parity`.
bool alternating(char32_t c, char32_t& parity) {
  const auto in = [&](char32_t first, char32_t last, char32_t upper_bit) {
    parity = upper_bit;
    return c >= first && c <= last;
  };
  return in(0x100, 0x12F, 0) || in(0x132, 0x137, 0) || in(0x139, 0x148, 1) || in(0x14A, 0x177, 0) ||
         in(0x179, 0x17E, 1) || in(0x1CD, 0x1DC, 1) || in(0x1DE, 0x1EF, 0) || in(0x1F8, 0x21F, 0) ||
         in(0x3D8, 0x3EF, 0) || in(0x460, 0x481, 0) || in(0x48A, 0x4BF, 0) || in(0x4C1, 0x4CE, 1) ||
         in(0x4D0, 0x52F, 0) || in(0x1E00, 0x1E95, 0) || in(0x1EA0, 0x1EFF, 0);
}

template <class Map>
std::string mapped(std::string_view text, Map map) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const Character c = character_at(text, i);
    if (c.code == 0xFFFFFFFF) {
      out += text[i];
    } else {
      append_utf8(out, map(c.code));
    }
    i += c.bytes;
  }
  return out;
}

}  // namespace

char32_t upper(char32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
  if (c == 0xB5) return 0x39C;
  if (c == 0xFF) return 0x178;
  if ((c >= 0xE0 && c <= 0xFE && c != 0xF7) || (c >= 0x3B1 && c <= 0x3CB && c != 0x3C2)) return c - 32;
  if (c == 0x3C2) return 0x3A3;
  if (c == 0x3AC) return 0x386;
  if (c >= 0x3AD && c <= 0x3AF) return c - 37;
  if (c == 0x3CC) return 0x38C;
  if (c == 0x3CD || c == 0x3CE) return c - 63;
  if (c >= 0x430 && c <= 0x44F) return c - 32;
  if (c >= 0x450 && c <= 0x45F) return c - 80;
  if (c >= 0x561 && c <= 0x586) return c - 48;
  if (c == 0x131) return 'I';
  if (char32_t parity; alternating(c, parity)) return (c & 1) == parity ? c : c - 1;
  return c;
}

char32_t lower(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  if (c == 0x178) return 0xFF;
  if ((c >= 0xC0 && c <= 0xDE && c != 0xD7) || (c >= 0x391 && c <= 0x3AB && c != 0x3A2)) return c + 32;
  if (c == 0x386) return 0x3AC;
  if (c >= 0x388 && c <= 0x38A) return c + 37;
  if (c == 0x38C) return 0x3CC;
  if (c == 0x38E || c == 0x38F) return c + 63;
  if (c >= 0x410 && c <= 0x42F) return c + 32;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  if (c >= 0x531 && c <= 0x556) return c + 48;
  if (char32_t parity; alternating(c, parity)) return (c & 1) == parity ? c + 1 : c;
  return c;
}

std::string upper(std::string_view text) {
  std::string out = mapped(text, [](char32_t c) { return upper(c); });
  return replace_all(out, "ß", "SS", -1);
}
std::string lower(std::string_view text) {
  return mapped(text, [](char32_t c) { return lower(c); });
}

std::string capitalize(std::string_view text) {
  bool first = true;
  return mapped(text, [&](char32_t c) { return std::exchange(first, false) ? upper(c) : lower(c); });
}

std::string title(std::string_view text) {
  bool in_word = false;
  return mapped(text, [&](char32_t c) { return std::exchange(in_word, is_letter(c)) ? lower(c) : upper(c); });
}

bool is_letter(char32_t c) { return upper(c) != c || lower(c) != c || c == 0xDF; }

std::string replace_all(std::string_view text, std::string_view from, std::string_view to, std::int64_t count) {
  std::string out;
  std::size_t i = 0;
  if (from.empty()) {  // between all characters, and at both ends
    for (; count != 0; --count) {
      out += to;
      if (i >= text.size()) return out;
      const std::size_t bytes = character_at(text, i).bytes;
      out += text.substr(i, bytes);
      i += bytes;
    }
    return out += text.substr(i);
  }
  for (; count != 0; --count) {
    const std::size_t found = text.find(from, i);
    if (found == text.npos) break;
    out += text.substr(i, found - i);
    out += to;
    i = found + from.size();
  }
  return out += text.substr(i);
}

}  // namespace nibble::jinja
