#include "text/tokenizer/json_cursor.hpp"

#include "base/utf8.hpp"

namespace nibble {
namespace {

constexpr int deepest = 200;

bool blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

JsonCursor::JsonCursor(std::string_view text) : text_(text) {
  if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
}

Error JsonCursor::problem(std::string_view what) const {
  return error(Errc::corrupt_file, "not valid JSON at byte {}: {}{}; if it was downloaded, do that again",
               std::min(at_, text_.size()), what, at_ >= text_.size() ? ", but the text ends here" : "");
}

char JsonCursor::peek() {
  while (at_ < text_.size() && blank(text_[at_])) ++at_;
  return at_ < text_.size() ? text_[at_] : '\0';
}

Result<void> JsonCursor::expect(char wanted) {
  if (peek() != wanted) return problem(fmt::format("expected '{}'", wanted));
  ++at_;
  return {};
}

Result<bool> JsonCursor::more(char close) {
  const char next = peek();
  if (next != ',' && next != close) return problem(fmt::format("expected ',' or '{}'", close));
  ++at_;
  return next == ',';
}

Result<std::string_view> JsonCursor::string(std::string& storage) {
  if (peek() != '"') return problem("expected a string");
  const std::size_t begin = ++at_;
  const auto plain = [&] {
    while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
           static_cast<unsigned char>(text_[at_]) >= 32)
      ++at_;
  };
  plain();
  if (at_ < text_.size() && text_[at_] == '"') return text_.substr(begin, at_++ - begin);
  storage = text_.substr(begin, at_ - begin);
  while (at_ < text_.size() && text_[at_] == '\\') {
    const char kind = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    at_ += 2;
    constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
    if (const auto known = kind ? letters.find(kind) : std::string_view::npos; known != std::string_view::npos) {
      storage += meanings[known];
    } else if (kind == 'u') {
      NIBBLE_TRY(std::uint32_t c, escaped_unit());
      if (c >= 0xD800 && c < 0xDC00 && text_.substr(at_, 2) == "\\u") {
        at_ += 2;
        NIBBLE_TRY(const std::uint32_t low, escaped_unit());
        c = low >= 0xDC00 && low < 0xE000 ? 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00) : c;
      }
      if (c >= 0xD800 && c < 0xE000) return problem("half a surrogate pair");
      append_utf8(storage, c);
    } else {
      return problem("an escape that JSON does not have");
    }
    const std::size_t from = at_;
    plain();
    storage += text_.substr(from, at_ - from);
  }
  if (at_ >= text_.size() || text_[at_] != '"') return problem("a string is not closed");
  ++at_;
  return std::string_view(storage);
}

Result<std::uint32_t> JsonCursor::escaped_unit() {
  std::uint32_t unit = 0;
  for (int i = 0; i < 4; ++i, ++at_) {
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    const int value = digit(c)               ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (value < 0) return problem("\\u needs four hexadecimal digits");
    unit = unit * 16 + std::uint32_t(value);
  }
  return unit;
}

Result<std::int64_t> JsonCursor::integer() {
  const bool negative = peek() == '-';
  std::size_t end = at_ + negative;
  std::int64_t value = 0;
  for (; end < text_.size() && digit(text_[end]); ++end) {
    if (end - at_ - negative >= 18) return problem("a number that is too large");  // 18 digits cannot overflow
    value = value * 10 + (text_[end] - '0');
  }
  const char after = end < text_.size() ? text_[end] : '\0';
  if (end == at_ + negative || after == '.' || after == 'e' || after == 'E') return problem("expected a whole number");
  at_ = end;
  return negative ? -value : value;
}

Result<std::string_view> JsonCursor::value() {
  peek();
  const std::size_t begin = at_;
  int depth = 0;
  std::string storage;
  do {
    const char c = peek();
    if (c == '"') {
      NIBBLE_CHECK(string(storage));
    } else if (c == '{' || c == '[') {
      if (++depth > deepest) return problem(fmt::format("nested deeper than {} levels", deepest));
      ++at_;
    } else if (c == '}' || c == ']') {
      if (--depth < 0) return problem("expected a value");
      ++at_;
    } else if (c == ',' || c == ':') {
      if (depth == 0) return problem("expected a value");
      ++at_;
    } else if (c != '\0') {  // a number or a word
      while (at_ < text_.size() && !blank(text_[at_]) &&
             std::string_view("\"{}[],:").find(text_[at_]) == std::string_view::npos)
        ++at_;
    } else {
      return problem("expected a value");
    }
  } while (depth > 0);
  return text_.substr(begin, at_ - begin);
}

Result<void> JsonCursor::end() {
  if (peek() != '\0' || at_ < text_.size()) return problem("something follows the end");
  return {};
}

}  // namespace nibble
