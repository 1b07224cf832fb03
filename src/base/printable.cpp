#include "base/printable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/utf8.hpp"

namespace nibble {
namespace {

constexpr std::string_view elided = "...";

// Commands to a terminal, and characters that make a line read otherwise than it is written.
bool is_deceptive(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x061C || c == 0x200E || c == 0x200F ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x206F) || c == 0xFEFF;
}

// One character of `text` as it is shown: itself, or an escape of several characters.
struct Shown {
  std::string text;
  std::size_t characters = 1;
};

// Takes the first character off `text`, which is not empty.
Shown take(std::string_view& text, bool keep_lines) {
  std::size_t consumed = 1;
  const std::size_t length = well_formed_length(text, consumed);
  if (length == 0) {
    const auto byte = static_cast<unsigned char>(text[0]);
    text.remove_prefix(1);
    return {fmt::format("\\x{:02x}", byte), 4};
  }
  const std::string_view whole = text.substr(0, length);
  const std::uint32_t c = decode_valid(whole.data()).value;
  text.remove_prefix(length);
  if (!is_deceptive(c) || (keep_lines && (c == '\n' || c == '\t'))) return {std::string(whole), 1};
  std::string escape = c == '\n'   ? "\\n"
                       : c == '\r' ? "\\r"
                       : c == '\t' ? "\\t"
                       : c < 0x100 ? fmt::format("\\x{:02x}", c)
                                   : fmt::format("\\u{:04x}", c);
  const std::size_t characters = escape.size();
  return {std::move(escape), characters};
}

// The last characters of `text`, at most `most` as shown.
std::string last_shown(std::string_view text, std::size_t most) {
  std::size_t begin = text.size() - std::min(text.size(), 4 * most);  // a character has at most four bytes
  while (begin < text.size() && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) ++begin;
  std::vector<Shown> all;
  for (text.remove_prefix(begin); !text.empty();) all.push_back(take(text, false));
  std::size_t first = all.size();
  for (std::size_t used = 0; first > 0 && used + all[first - 1].characters <= most; --first)
    used += all[first - 1].characters;
  std::string out;
  for (; first < all.size(); ++first) out += all[first].text;
  return out;
}

}  // namespace

std::string printable(std::string_view text, std::size_t most) {
  const std::size_t room = most - std::min(most, elided.size()), head = room - room / 2;
  std::string out;
  std::size_t characters = 0, cut = 0;  // `cut`: bytes of `out` that stay where it is too long
  for (std::string_view rest = text; !rest.empty();) {
    const Shown shown = take(rest, false);
    characters += shown.characters;
    if (characters > most) return out.substr(0, cut).append(elided) + last_shown(text, room / 2);
    out += shown.text;
    if (characters <= head) cut = out.size();
  }
  return out;
}

std::string printable_lines(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) out += take(text, true).text;
  return out;
}

}  // namespace nibble
