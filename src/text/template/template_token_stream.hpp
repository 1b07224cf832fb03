// Where a parser stands in a template's tokens.
#pragma once

#include <initializer_list>

#include "text/template/template_lexer.hpp"

namespace nibble::jinja {

class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& now() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  const Token& take() { return tokens_[now().kind == TokenKind::end ? at_ : at_++]; }

  bool is(TokenKind kind) const { return now().kind == kind; }
  bool is_symbol(std::string_view text) const { return is(TokenKind::symbol) && now().text == text; }
  bool is_name(std::string_view text) const { return is(TokenKind::name) && now().text == text; }
  bool is_any_name(std::initializer_list<std::string_view> names) const {
    for (const std::string_view name : names) {
      if (is_name(name)) return true;
    }
    return false;
  }
  bool skip_symbol(std::string_view text) { return is_symbol(text) && (take(), true); }
  bool skip_name(std::string_view text) { return is_name(text) && (take(), true); }

  Error wrong(std::string_view what) const { return error(Errc::corrupt_file, "line {}: {}", now().line, what); }
  Error unsupported(std::string_view what) const {
    return error(Errc::unsupported, "line {}: {} is not supported", now().line, what);
  }
  Error expected(std::string_view what) const {
    return wrong(fmt::format("expected {}, found \"{}\"", what, now().text.substr(0, 40)));
  }
  Result<void> expect_symbol(std::string_view text) {
    if (skip_symbol(text)) return {};
    return expected(fmt::format("\"{}\"", text));
  }
  Result<std::string> expect_name() {
    if (!is(TokenKind::name)) return expected("a name");
    return take().text;
  }
  Result<void> expect(TokenKind kind, std::string_view what) {
    if (!is(kind)) return expected(what);
    take();
    return {};
  }

 private:
  std::vector<Token> tokens_;  // the last one is the end
  std::size_t at_ = 0;
};

}  // namespace nibble::jinja
