#include "text/template/template_parser.hpp"

#include <algorithm>

#include "text/template/template_expression_parser.hpp"

namespace nibble::jinja {
namespace {

using Made = Result<std::unique_ptr<Statement>>;
using Ends = std::initializer_list<std::string_view>;

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)), expressions_(tokens_) {}

  // Statements up to a tag that begins with one of `ends`; that name is the current token then.
  Result<Body> body(Ends ends) {
    if (++expressions_.nesting > ExpressionParser::max_nesting) return tokens_.unsupported("nesting so deep");
    Body body;
    const int line = tokens_.now().line;
    for (;;) {
      if (tokens_.is(TokenKind::end)) {
        if (ends.size() == 0) break;
        return error(Errc::corrupt_file, "line {}: the block has no end; {{% {} %}} is missing", line,
                     *(ends.end() - 1));
      }
      if (tokens_.is(TokenKind::text)) {
        auto text = made(Action::text);
        text->text = tokens_.take().text;
        body.push_back(std::move(text));
      } else if (tokens_.is(TokenKind::print_begin)) {
        tokens_.take();
        auto print = made(Action::print);
        NIBBLE_TRY(print->expressions.emplace_back(), expressions_.tuple());
        NIBBLE_CHECK(tokens_.expect(TokenKind::print_end, "\"}}\""));
        body.push_back(std::move(print));
      } else {
        tokens_.take();
        if (tokens_.is_any_name(ends)) break;
        NIBBLE_TRY(body.emplace_back(), statement());
        NIBBLE_CHECK(end_tag());
      }
    }
    --expressions_.nesting;
    return body;
  }

 private:
  std::unique_ptr<Statement> made(Action action) const {
    auto statement = std::make_unique<Statement>();
    statement->action = action;
    statement->line = tokens_.now().line;
    return statement;
  }
  Result<void> end_tag() { return tokens_.expect(TokenKind::block_end, "\"%}\""); }

  // The rest of the opening tag, and the body to the tag `end`, whose name is read too.
  Result<Body> body_to(std::string_view end) {
    tokens_.skip_symbol(":");
    NIBBLE_CHECK(end_tag());
    NIBBLE_TRY(Body inside, body({end}));
    tokens_.take();
    return inside;
  }

  Made statement() {
    NIBBLE_TRY(const std::string tag, tokens_.expect_name());
    if (tag == "if") return choose();
    if (tag == "for") return loop();
    if (tag == "set") return assign();
    if (tag == "macro") return macro();
    if (tag == "call") return call_block();
    if (tag == "filter") return filter_block();
    if (tag == "with") return with();
    if (tag == "generation") {
      auto scope = made(Action::scope);
      NIBBLE_TRY(scope->bodies.emplace_back(), outside_loops([&] { return body_to("endgeneration"); }));
      return scope;
    }
    if (tag == "break" || tag == "continue") {
      if (loops_ == 0) return tokens_.wrong(fmt::format("{{% {} %}} stands outside of a loop", tag));
      return made(tag == "break" ? Action::leave : Action::next);
    }
    if (tag.starts_with("end") || tag == "else" || tag == "elif") {
      return tokens_.wrong(fmt::format("{{% {} %}} belongs to nothing that is open", tag));
    }
    return tokens_.unsupported(fmt::format("{{% {} %}}", tag));
  }

  Made choose() {
    auto choice = made(Action::choose);
    for (;;) {
      NIBBLE_TRY(choice->expressions.emplace_back(), expressions_.tuple(false));
      tokens_.skip_symbol(":");
      NIBBLE_CHECK(end_tag());
      NIBBLE_TRY(choice->bodies.emplace_back(), body({"elif", "else", "endif"}));
      const std::string tag = tokens_.take().text;
      if (tag == "endif") return choice;
      if (tag == "elif") continue;
      NIBBLE_TRY(choice->bodies.emplace_back(), body_to("endif"));
      return choice;
    }
  }

  Made loop() {
    auto loop = made(Action::loop);
    NIBBLE_TRY(loop->expressions.emplace_back(), expressions_.target(false, "in"));
    if (!tokens_.skip_name("in")) return tokens_.expected("\"in\"");
    NIBBLE_TRY(loop->expressions.emplace_back(), expressions_.tuple(false, "recursive"));
    loop->expressions.emplace_back();
    if (tokens_.skip_name("if")) {
      NIBBLE_TRY(loop->expressions.back(), expressions_.expression());
    }
    if (tokens_.is_name("recursive")) return tokens_.unsupported("a recursive loop");
    tokens_.skip_symbol(":");
    NIBBLE_CHECK(end_tag());
    ++loops_;
    NIBBLE_TRY(loop->bodies.emplace_back(), body({"else", "endfor"}));
    --loops_;
    loop->bodies.emplace_back();
    if (tokens_.take().text == "else") {
      NIBBLE_TRY(loop->bodies.back(), body_to("endfor"));
    }
    return loop;
  }

  Made assign() {
    auto assignment = made(Action::assign);
    NIBBLE_TRY(assignment->expressions.emplace_back(), expressions_.target(true));
    if (tokens_.skip_symbol("=")) {
      NIBBLE_TRY(assignment->expressions.emplace_back(), expressions_.tuple());
      return assignment;
    }
    assignment->action = Action::assign_block;
    NIBBLE_TRY(assignment->expressions.emplace_back(), expressions_.filters(nullptr));
    NIBBLE_TRY(assignment->bodies.emplace_back(), body_to("endset"));
    return assignment;
  }

  // A body that becomes a function of its own: no loop around it can be left from inside.
  template <class Parse>
  Result<Body> outside_loops(Parse parse) {
    const int loops = std::exchange(loops_, 0);
    NIBBLE_TRY(Body inside, parse());
    loops_ = loops;
    return inside;
  }

  Result<void> signature(Statement& macro) {
    NIBBLE_CHECK(tokens_.expect_symbol("("));
    while (!tokens_.is_symbol(")")) {
      if (!macro.parameters.empty()) NIBBLE_CHECK(tokens_.expect_symbol(","));
      NIBBLE_TRY(macro.parameters.emplace_back(), tokens_.expect_name());
      const bool optional = tokens_.skip_symbol("=");
      if (!optional && !macro.defaults.empty() && macro.defaults.back()) {
        return tokens_.wrong("a parameter without a default follows one with a default");
      }
      macro.defaults.emplace_back();
      if (!optional) continue;
      NIBBLE_TRY(macro.defaults.back(), expressions_.expression());
    }
    tokens_.take();
    return {};
  }

  Made macro() {
    auto macro = made(Action::macro);
    NIBBLE_TRY(macro->text, tokens_.expect_name());
    const bool in_macro = std::exchange(expressions_.in_macro, true);
    const bool names_caller = std::exchange(expressions_.names_caller, false);
    NIBBLE_CHECK(signature(*macro));
    NIBBLE_TRY(macro->bodies.emplace_back(), outside_loops([&] { return body_to("endmacro"); }));
    macro->names_caller = std::exchange(expressions_.names_caller, names_caller);
    expressions_.in_macro = in_macro;
    return macro;
  }

  Made call_block() {
    auto block = made(Action::call_block);
    block->text = "caller";
    if (tokens_.is_symbol("(")) NIBBLE_CHECK(signature(*block));
    NIBBLE_TRY(block->expressions.emplace_back(), expressions_.expression());
    if (block->expressions[0]->kind != Kind::call) return tokens_.wrong("{% call %} needs the call of a macro");
    NIBBLE_TRY(block->bodies.emplace_back(), outside_loops([&] { return body_to("endcall"); }));
    return block;
  }

  Made filter_block() {
    auto block = made(Action::filter_block);
    NIBBLE_TRY(block->expressions.emplace_back(), expressions_.filters(nullptr, true));
    NIBBLE_TRY(block->bodies.emplace_back(), body_to("endfilter"));
    return block;
  }

  Made with() {
    auto with = made(Action::with);
    while (!tokens_.is(TokenKind::block_end)) {
      if (!with->expressions.empty()) NIBBLE_CHECK(tokens_.expect_symbol(","));
      ExpressionPtr name = std::make_unique<Expression>();
      name->kind = Kind::name;
      name->line = tokens_.now().line;
      NIBBLE_TRY(name->text, tokens_.expect_name());
      NIBBLE_CHECK(tokens_.expect_symbol("="));
      with->expressions.push_back(std::move(name));
      NIBBLE_TRY(with->expressions.emplace_back(), expressions_.expression());
    }
    NIBBLE_TRY(with->bodies.emplace_back(), body_to("endwith"));
    return with;
  }

  TokenStream tokens_;
  ExpressionParser expressions_;
  int loops_ = 0;
};

}  // namespace

Result<Body> parse_template(std::string_view source) {
  NIBBLE_TRY(std::vector<Token> tokens, tokenize(source));
  return Parser(std::move(tokens)).body({});
}

}  // namespace nibble::jinja
