#include "text/tokenizer/known_patterns.hpp"

#include <array>

#include "base/utf8.hpp"
#include "text/tokenizer/unicode_class.hpp"

namespace nibble {
namespace {

constexpr std::array<std::string_view, 3> texts = {
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
};

class Scan {
 public:
  explicit Scan(std::string_view text) : text_(text) {}

  bool at_end(std::size_t at) const { return at >= text_.size(); }
  CharClass kind(std::size_t at, std::size_t& bytes) const {
    const auto byte = static_cast<unsigned char>(text_[at]);
    bytes = 1;
    if (byte < 0x80) return ascii_classes[byte];
    const CodePoint c = decode_valid(text_.data() + at);
    bytes = c.bytes;
    return classify_wide(c.value);
  }
  bool is(std::size_t at, CharClass wanted) const {
    std::size_t bytes = 0;
    return !at_end(at) && kind(at, bytes) == wanted;
  }
  std::size_t run(std::size_t at, CharClass wanted) const {
    std::size_t bytes = 0;
    while (!at_end(at) && kind(at, bytes) == wanted) at += bytes;
    return at;
  }
  std::size_t line_breaks(std::size_t at) const {
    while (!at_end(at) && (text_[at] == '\r' || text_[at] == '\n')) ++at;
    return at;
  }
  // \s+(?!\S)|\s+ : all spaces at the end of the text; otherwise the last one is left to the word that follows.
  std::size_t spaces(std::size_t at) const {
    std::size_t end = at, last = at, bytes = 0;
    while (!at_end(end) && kind(end, bytes) == CharClass::space) {
      last = end;
      end += bytes;
    }
    return at_end(end) || last == at ? end : last;
  }

 private:
  std::string_view text_;
};

// 's 't 'm 'd 're 've 'll; in any case where the pattern says (?i), which lets U+017F stand for s.
std::size_t contraction(std::string_view text, bool any_case) {
  if (text.size() < 2 || text[0] != '\'') return 0;
  const auto lower = [&](std::size_t i) -> char {
    if (i >= text.size()) return 0;
    return any_case && text[i] >= 'A' && text[i] <= 'Z' ? char(text[i] + 32) : text[i];
  };
  const char a = lower(1), b = lower(2);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
  if (any_case && text.substr(1, 2) == "\xC5\xBF") return 3;
  return 0;
}

}  // namespace

std::string_view pattern_text(KnownPattern pattern) { return texts[std::size_t(pattern)]; }

std::optional<KnownPattern> known_pattern(std::string_view text) {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (text == texts[i]) return KnownPattern(i);
  }
  return {};
}

std::size_t match_gpt2(std::string_view text) {
  if (const std::size_t length = contraction(text, false)) return length;
  const Scan scan(text);
  const std::size_t word = text[0] == ' ' && !scan.at_end(1) ? 1 : 0;
  std::size_t bytes = 0;
  const CharClass kind = scan.kind(word, bytes);
  if (kind != CharClass::space) return scan.run(word + bytes, kind);
  return scan.spaces(0);
}

std::size_t match_cl100k(std::string_view text, int digits) {
  if (const std::size_t length = contraction(text, true)) return length;
  const Scan scan(text);
  std::size_t bytes = 0;
  const CharClass kind = scan.kind(0, bytes);
  if (kind == CharClass::letter) return scan.run(bytes, CharClass::letter);
  if (kind == CharClass::number) {
    std::size_t end = bytes;
    for (int i = 1; i < digits && scan.is(end, CharClass::number); ++i) {
      scan.kind(end, bytes);
      end += bytes;
    }
    return end;
  }
  const bool line_break = text[0] == '\r' || text[0] == '\n';
  if (!line_break && scan.is(bytes, CharClass::letter)) return scan.run(bytes, CharClass::letter);
  const std::size_t other = text[0] == ' ' ? 1 : 0;
  if (scan.is(other, CharClass::other)) return scan.line_breaks(scan.run(other, CharClass::other));
  // \s*[\r\n]+ : through the last line break of the run.
  const std::size_t end = scan.run(0, CharClass::space);
  const std::size_t last = text.substr(0, end).find_last_of("\r\n");
  return last != std::string_view::npos ? last + 1 : scan.spaces(0);
}

}  // namespace nibble
