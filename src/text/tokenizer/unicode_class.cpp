#include "text/tokenizer/unicode_class.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

namespace nibble {
namespace {

enum Fine : std::uint8_t { none, L, N, Z, M, P, S };  // letter, number, space, mark, punctuation, symbol

struct Range {
  std::uint32_t first, last;
};
struct ClassRange {
  std::uint32_t first, last;
  Fine fine;
};

#include "text/tokenizer/unicode_ranges.inc"

// Beyond it lie only the tags and variation selectors of plane 14.
constexpr std::uint32_t table_end = 0x34000;

const Fine* table() {
  static const std::vector<Fine> classes = [] {
    std::vector<Fine> filled(table_end, none);
    for (const ClassRange& range : class_ranges) {
      for (std::uint32_t c = range.first; c <= range.last && c < table_end; ++c) filled[c] = range.fine;
    }
    return filled;
  }();
  return classes.data();
}

Fine fine(std::uint32_t c) {
  if (c < table_end) return table()[c];
  const auto* range = std::upper_bound(std::begin(class_ranges), std::end(class_ranges), c,
                                       [](std::uint32_t wanted, const ClassRange& r) { return wanted <= r.last; });
  return range != std::end(class_ranges) && range->first <= c ? range->fine : none;
}

bool in(std::span<const Range> ranges, std::uint32_t c) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const Range& r) { return c >= r.first && c <= r.last; });
}

}  // namespace

CharClass classify_wide(std::uint32_t c) {
  const Fine kind = fine(c);
  return kind <= Z ? CharClass(kind) : CharClass::other;
}

bool is_digit(std::uint32_t c) { return classify(c) == CharClass::number || (c >= 128 && in(other_digits, c)); }

bool is_punctuation(std::uint32_t c) {
  if (c < 128) return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
  return (fine(c) == P) != in(other_punctuation, c);
}

bool is_mark(std::uint32_t c) { return fine(c) == M; }

bool is_word(std::uint32_t c) {
  const Fine kind = fine(c);
  if (kind == L || kind == M) return true;
  const auto category = utf8proc_category(utf8proc_int32_t(c));
  if (category == UTF8PROC_CATEGORY_ND || category == UTF8PROC_CATEGORY_NL || category == UTF8PROC_CATEGORY_PC) {
    return true;
  }
  return c == 0x200C || c == 0x200D || (c >= 0x24B6 && c <= 0x24E9);  // joiners; circled letters are alphabetic
}

std::string_view added_to_property(std::string_view property) {
  constexpr std::pair<std::string_view, std::string_view> known[] = {
      {"L", added_L}, {"Lu", added_Lu}, {"Ll", added_Ll}, {"Lt", added_Lt}, {"Lm", added_Lm}, {"Lo", added_Lo},
      {"M", added_M}, {"N", added_N},   {"Nd", added_Nd}, {"P", added_P},   {"S", added_S},
  };
  for (const auto& [name, added] : known) {
    if (name == property) return added;
  }
  return {};
}

}  // namespace nibble
