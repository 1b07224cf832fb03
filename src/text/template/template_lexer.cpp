#include "text/template/template_lexer.hpp"

#include <algorithm>
#include <optional>

#include "text/template/template_text.hpp"

namespace nibble::jinja {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c); }

// Every kind of line end becomes \n, and one at the end of the source is dropped.
std::string normalized(std::string_view source) {
  std::string out;
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    out += source[i] == '\r' ? '\n' : source[i];
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : rest_(source) {}

  Result<std::vector<Token>> run() {
    while (!rest_.empty()) NIBBLE_CHECK(text_and_tag());
    add(TokenKind::end, "the end of the template");
    return std::move(tokens_);
  }

 private:
  void add(TokenKind kind, std::string text) { tokens_.push_back({kind, line_, std::move(text)}); }
  Error wrong(std::string what) const { return error(Errc::corrupt_file, "line {}: {}", line_, what); }

  std::string_view take(std::size_t bytes) {
    const std::string_view taken = rest_.substr(0, bytes);
    line_ += int(std::count(taken.begin(), taken.end(), '\n'));
    rest_.remove_prefix(taken.size());
    if (!taken.empty()) at_line_start_ = taken.back() == '\n';
    return taken;
  }
  bool skip(std::string_view word) { return rest_.starts_with(word) && !take(word.size()).empty(); }
  void skip_space() { take(rest_.size() - strip(rest_, Side::left).size()); }
  char sign() { return rest_.starts_with('-') || rest_.starts_with('+') ? take(1)[0] : ' '; }

  // The end of a tag, if it stands here: "-" eats white space; without a sign a block or comment eats one line end.
  bool skip_end(std::string_view end, bool plus_allowed, bool eats_line_end) {
    if (rest_.starts_with('-') && rest_.substr(1).starts_with(end)) {
      take(1 + end.size());
      skip_space();
      return true;
    }
    if (plus_allowed && rest_.starts_with('+') && rest_.substr(1).starts_with(end)) {
      take(1 + end.size());
      return true;
    }
    if (!skip(end)) return false;
    if (eats_line_end) skip("\n");
    return true;
  }

  // The text before a tag with this sign: "-" strips it, "+" keeps it, and otherwise a tag that only white space
  // precedes on its line takes that away, unless it is a {{.
  void add_text(std::string_view text, char sign, bool strips_indent, bool at_line_start) {
    std::string_view kept = text;
    if (sign == '-') {
      kept = strip(text, Side::right);
    } else if (sign != '+' && strips_indent) {
      const std::size_t start = text.rfind('\n') + 1;
      if ((start > 0 || at_line_start) && strip(text.substr(start), Side::left).empty()) kept = text.substr(0, start);
    }
    if (!kept.empty()) add(TokenKind::text, std::string(kept));
  }

  Result<void> text_and_tag() {
    std::size_t open = rest_.find('{');
    while (open != rest_.npos && rest_.substr(open + 1).find_first_of("{%#") != 0) open = rest_.find('{', open + 1);
    const bool at_line_start = at_line_start_;
    const std::string_view text = take(open);
    if (rest_.empty()) {
      add_text(text, ' ', false, at_line_start);
      return {};
    }
    const char what = take(2)[1], how = sign();
    add_text(text, how, what != '{', at_line_start);
    if (what == '#') return comment();
    if (const auto end = lone_word(rest_, "raw"); what == '%' && end) {
      take(*end);
      skip_end("%}", false, false);
      return raw_text();
    }
    add(what == '{' ? TokenKind::print_begin : TokenKind::block_begin, "{");
    return tag(what == '{');
  }

  Result<void> comment() {
    const std::size_t end = rest_.find("#}");
    if (end == rest_.npos) return wrong("a comment has no end; #} is missing");
    take(end > 0 && (rest_[end - 1] == '-' || rest_[end - 1] == '+') ? end - 1 : end);
    skip_end("#}", true, true);
    return {};
  }

  // Where the end of a tag stands that holds this word and nothing else.
  static std::optional<std::size_t> lone_word(std::string_view tag, std::string_view word) {
    std::string_view rest = strip(tag, Side::left);
    if (!rest.starts_with(word)) return {};
    rest = strip(rest.substr(word.size()), Side::left);
    if (!rest.starts_with("%}") && !rest.starts_with("-%}") && !rest.starts_with("+%}")) return {};
    return tag.size() - rest.size();
  }

  Result<void> raw_text() {
    for (std::size_t open = rest_.find("{%"); open != rest_.npos; open = rest_.find("{%", open + 2)) {
      const std::string_view inside = rest_.substr(open + 2);
      const bool is_signed = inside.starts_with('-') || inside.starts_with('+');
      const auto end = lone_word(inside.substr(is_signed), "endraw");
      if (!end) continue;
      const bool at_line_start = at_line_start_;
      const std::string_view text = take(open);
      take(2);
      add_text(text, sign(), true, at_line_start);
      take(*end);
      skip_end("%}", true, true);
      return {};
    }
    return wrong("{% raw %} has no end; {% endraw %} is missing");
  }

  // Everything between {{ and }}, or {% and %}. Inside brackets the end of the tag is no end.
  Result<void> tag(bool is_print) {
    std::string open;
    for (;;) {
      if (open.empty() && skip_end(is_print ? "}}" : "%}", !is_print, !is_print)) {
        add(is_print ? TokenKind::print_end : TokenKind::block_end, is_print ? "}}" : "%}");
        return {};
      }
      if (rest_.empty()) return wrong(is_print ? "{{ has no end; }} is missing" : "{% has no end; %} is missing");
      const char c = rest_[0];
      if (is_space(character_at(rest_, 0).code)) {
        skip_space();
      } else if (is_digit(c)) {
        NIBBLE_CHECK(number());
      } else if (is_name(c)) {
        std::size_t bytes = 1;
        while (bytes < rest_.size() && is_name(rest_[bytes])) ++bytes;
        add(TokenKind::name, std::string(take(bytes)));
      } else if (c == '"' || c == '\'') {
        NIBBLE_CHECK(string(c));
      } else {
        NIBBLE_CHECK(symbol(open));
      }
    }
  }

  Result<void> symbol(std::string& open) {
    static constexpr std::string_view doubled[] = {"//", "**", "==", "!=", ">=", "<="}, single = "+-/*%~[](){}><=.:|,;";
    for (const std::string_view word : doubled) {
      if (rest_.starts_with(word)) {
        add(TokenKind::symbol, std::string(take(2)));
        return {};
      }
    }
    const char c = rest_[0];
    if (single.find(c) == single.npos) {
      return wrong(fmt::format("unexpected character \"{}\"", rest_.substr(0, character_at(rest_, 0).bytes)));
    }
    if (c == '(' || c == '[' || c == '{') open += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty() || open.back() != c) return wrong(fmt::format("unexpected \"{}\"", c));
      open.pop_back();
    }
    add(TokenKind::symbol, std::string(take(1)));
    return {};
  }

  // Digits of a base, single underscores between them, from `at` on; returns where they end.
  std::size_t digits(std::size_t at, std::string_view allowed = "0123456789") const {
    const auto is_one = [&](std::size_t i) { return i < rest_.size() && allowed.find(rest_[i]) != allowed.npos; };
    while (is_one(at) || (at > 0 && at < rest_.size() && rest_[at] == '_' && is_one(at - 1) && is_one(at + 1))) ++at;
    return at;
  }

  Result<void> number() {
    const bool after_dot = !tokens_.empty() && tokens_.back().text == "." && tokens_.back().kind == TokenKind::symbol;
    if (rest_.size() > 1 && rest_[0] == '0' && std::string_view("bBoOxX").find(rest_[1]) != std::string_view::npos) {
      return wrong("an integer that is not decimal is not supported");
    }
    const std::size_t whole = digits(0);
    std::size_t end = whole;
    if (!after_dot && end < rest_.size() && rest_[end] == '.' && digits(end + 1) > end + 1) end = digits(end + 1);
    if (!after_dot && end < rest_.size() && (rest_[end] == 'e' || rest_[end] == 'E')) {
      const std::size_t exponent =
          end + 1 + (end + 1 < rest_.size() && (rest_[end + 1] == '+' || rest_[end + 1] == '-'));
      if (digits(exponent) > exponent) end = digits(exponent);
    }
    std::string text(take(end));
    std::erase(text, '_');
    if (end == whole && text.size() > 1 && text.find_first_not_of('0') != text.npos && text[0] == '0') {
      return wrong("an integer begins with 0");
    }
    add(end == whole ? TokenKind::integer : TokenKind::real, std::move(text));
    return {};
  }

  Result<void> string(char quote) {
    std::size_t end = 1;
    while (end < rest_.size() && rest_[end] != quote) end += rest_[end] == '\\' ? 2 : 1;
    if (end >= rest_.size()) return wrong("a string has no end");
    const int line = line_;
    const std::string_view body = take(end + 1).substr(1, end - 1);
    std::string text;
    for (std::size_t i = 0; i < body.size();) {
      if (body[i] != '\\') {
        text += body[i++];
      } else if (!escape(body, ++i, text)) {
        return error(Errc::corrupt_file, "line {}: an escape in the string is not understood: {}", line,
                     body.substr(i - 1, 10));
      }
    }
    tokens_.push_back({TokenKind::string, line, std::move(text)});
    return {};
  }

  // Python's escapes; `at` stands behind the backslash and is moved past the escape.
  static bool escape(std::string_view body, std::size_t& at, std::string& out) {
    static constexpr std::string_view from = "\\'\"abfnrtv", to = "\\'\"\a\b\f\n\r\t\v";
    const char c = body[at];
    if (const std::size_t i = from.find(c); i != from.npos) {
      out += to[i];
      ++at;
      return true;
    }
    const bool octal = c >= '0' && c <= '7';
    const std::size_t width = octal ? 3 : c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (c == '\n') {
      ++at;
      return true;
    }
    if (c == 'N') return false;
    if (width == 0) {  // not an escape: both characters stand
      out += '\\';
      return true;
    }
    const std::string_view digits = body.substr(octal ? at : at + 1, width);
    char32_t code = 0;
    std::size_t used = 0;
    for (; used < digits.size(); ++used) {
      std::size_t value = std::string_view("0123456789abcdefABCDEF").find(digits[used]);
      if (value != std::string_view::npos && value > 15) value -= 6;
      if (value >= (octal ? 8 : 16)) break;
      code = code * (octal ? 8 : 16) + char32_t(value);
    }
    if ((!octal && used < width) || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return false;
    append_utf8(out, code);
    at += used + !octal;
    return true;
  }

  std::string_view rest_;
  std::vector<Token> tokens_;
  int line_ = 1;
  bool at_line_start_ = true;
};

}  // namespace

Result<std::vector<Token>> tokenize(std::string_view source) {
  const std::string text = normalized(source);
  return Lexer(text).run();
}

}  // namespace nibble::jinja
