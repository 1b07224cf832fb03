#include "text/template/template_lexer.hpp"

#include <algorithm>
#include <optional>

#include "text/template/template_text.hpp"

namespace nibble::jinja {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80); }

// jinja2 splits on every kind of line end, and drops one at the end of the source.
std::string normalized(std::string_view source) {
  std::string out;
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string source) : source_(std::move(source)), rest_(source_) {}

  Result<std::vector<Token>> run() {
    while (!rest_.empty()) NIBBLE_CHECK(next_tag());
    add(TokenKind::end, "end of template");
    return std::move(tokens_);
  }

 private:
  void add(TokenKind kind, std::string text) { tokens_.push_back({kind, line_, std::move(text)}); }
  void take(std::size_t bytes) {
    line_ += int(std::count(rest_.begin(), rest_.begin() + std::ptrdiff_t(bytes), '\n'));
    rest_.remove_prefix(bytes);
  }
  Error wrong(std::string what) const { return error(Errc::corrupt_file, "line {}: {}", line_, what); }

  // The text before a tag: stripped by "-", kept by "+", and otherwise a tag alone on its line loses its indent.
  void add_text(std::string_view text, char sign, bool may_strip_indent) {
    std::size_t keep = text.size();
    if (sign == '-') {
      keep = without_trailing_space(text);
    } else if (sign != '+' && may_strip_indent) {
      const std::size_t line_start = text.rfind('\n') + 1;
      if ((line_start > 0 || at_line_start_) && leading_space(text.substr(line_start)) == text.size() - line_start) {
        keep = line_start;
      }
    }
    if (keep > 0) add(TokenKind::text, std::string(text.substr(0, keep)));
  }

  // What follows the end of a tag: "-" eats white space, and a block or comment eats one line end.
  void after_tag(char sign, bool trims) {
    const std::size_t bytes = sign == '-' ? leading_space(rest_) : trims && sign != '+' && rest_.starts_with('\n');
    at_line_start_ = bytes > 0 && rest_[bytes - 1] == '\n';
    take(bytes);
  }

  Result<void> next_tag() {
    std::size_t open = rest_.find('{');
    while (open != rest_.npos && (open + 1 == rest_.size() || !std::string_view("%{#").contains_any(rest_[open + 1]))) {
      open = rest_.find('{', open + 1);
    }
    return {};
  }

  std::string source_;
  std::string_view rest_;
  std::vector<Token> tokens_;
  int line_ = 1;
  bool at_line_start_ = true;
};

}  // namespace

}  // namespace nibble::jinja
