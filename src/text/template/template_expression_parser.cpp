#include "text/template/template_expression_parser.hpp"

#include <algorithm>
#include <charconv>

namespace nibble::jinja {

ExpressionPtr ExpressionParser::node(Kind kind, std::string text) {
  auto made = std::make_unique<Expression>();
  made->kind = kind;
  made->line = tokens_.now().line;
  made->text = std::move(text);
  return made;
}

Parsed ExpressionParser::grown(ExpressionPtr parent) const {
  for (const auto& child : parent->children) {
    if (child) parent->depth = std::max(parent->depth, child->depth + 1);
  }
  for (const auto& [name, child] : parent->named) parent->depth = std::max(parent->depth, child->depth + 1);
  if (parent->depth > max_tree_depth) return tokens_.unsupported("an expression of so many operators");
  return parent;
}

Parsed ExpressionParser::binary(Kind kind, ExpressionPtr left, ExpressionPtr right) const {
  auto parent = std::make_unique<Expression>();
  parent->kind = kind;
  parent->line = left->line;
  parent->children.push_back(std::move(left));
  parent->children.push_back(std::move(right));
  return grown(std::move(parent));
}

bool ExpressionParser::at_tuple_end(std::string_view end) const {
  return tokens_.is(TokenKind::print_end) || tokens_.is(TokenKind::block_end) || tokens_.is_symbol(")") ||
         (!end.empty() && tokens_.is_name(end));
}

Parsed ExpressionParser::tuple(bool with_conditional, std::string_view end) {
  ExpressionPtr many = node(Kind::tuple);
  bool comma = false;
  while (!at_tuple_end(end)) {
    NIBBLE_TRY(many->children.emplace_back(), with_conditional ? conditional() : logical_or());
    if (!tokens_.skip_symbol(",")) break;
    comma = true;
  }
  if (comma) return grown(std::move(many));
  if (many->children.empty()) return tokens_.expected("an expression");
  return std::move(many->children[0]);
}

Parsed ExpressionParser::target(bool with_namespace, std::string_view end) {
  ExpressionPtr many = node(Kind::tuple);
  bool comma = false;
  while (!at_tuple_end(end)) {
    if (++nesting > max_nesting) return tokens_.unsupported("nesting so deep");
    ExpressionPtr one;
    if (tokens_.skip_symbol("(")) {
      NIBBLE_TRY(one, target(with_namespace));
      NIBBLE_CHECK(tokens_.expect_symbol(")"));
    } else {
      one = node(Kind::name);
      if (tokens_.is_any_name({"true", "false", "none", "True", "False", "None"}))
        return tokens_.expected("a variable");
      NIBBLE_TRY(one->text, tokens_.expect_name());
      if (with_namespace && tokens_.skip_symbol(".")) {
        ExpressionPtr attribute = node(Kind::attribute);
        NIBBLE_TRY(attribute->text, tokens_.expect_name());
        attribute->children.push_back(std::move(one));
        one = std::move(attribute);
      }
    }
    --nesting;
    many->children.push_back(std::move(one));
    if (!tokens_.skip_symbol(",")) break;
    comma = true;
  }
  if (comma) return many;
  if (many->children.empty()) return tokens_.expected("a variable");
  return std::move(many->children[0]);
}

Parsed ExpressionParser::conditional() {
  if (++nesting > max_nesting) return tokens_.unsupported("nesting so deep");
  NIBBLE_TRY(ExpressionPtr value, logical_or());
  while (tokens_.is_name("if")) {
    ExpressionPtr choice = node(Kind::conditional);
    tokens_.take();
    choice->children.push_back(std::move(value));
    NIBBLE_TRY(choice->children.emplace_back(), logical_or());
    choice->children.emplace_back();
    if (tokens_.skip_name("else")) {
      NIBBLE_TRY(choice->children.back(), conditional());
    }
    NIBBLE_TRY(value, grown(std::move(choice)));
  }
  --nesting;
  return value;
}

template <class Operand>
Parsed ExpressionParser::left_to_right(Operand operand,
                                       std::initializer_list<std::pair<std::string_view, Kind>> operators) {
  NIBBLE_TRY(ExpressionPtr left, (this->*operand)());
  for (;;) {
    const auto found = std::find_if(operators.begin(), operators.end(), [&](const auto& candidate) {
      return tokens_.skip_symbol(candidate.first) || tokens_.skip_name(candidate.first);
    });
    if (found == operators.end()) return left;
    NIBBLE_TRY(ExpressionPtr right, (this->*operand)());
    NIBBLE_TRY(left, binary(found->second, std::move(left), std::move(right)));
  }
}

Parsed ExpressionParser::logical_or() {
  return left_to_right(&ExpressionParser::logical_and, {{"or", Kind::logical_or}});
}
Parsed ExpressionParser::logical_and() {
  return left_to_right(&ExpressionParser::logical_not, {{"and", Kind::logical_and}});
}
Parsed ExpressionParser::sum() {
  return left_to_right(&ExpressionParser::concat, {{"+", Kind::add}, {"-", Kind::subtract}});
}
Parsed ExpressionParser::product() {
  return left_to_right(&ExpressionParser::power,
                       {{"*", Kind::multiply}, {"/", Kind::divide}, {"//", Kind::floor_divide}, {"%", Kind::modulo}});
}
Parsed ExpressionParser::power() {
  const auto operand = [](ExpressionParser& p) { return p.unary(); };
  NIBBLE_TRY(ExpressionPtr left, operand(*this));
  while (tokens_.skip_symbol("**")) {
    NIBBLE_TRY(ExpressionPtr right, operand(*this));
    NIBBLE_TRY(left, binary(Kind::power, std::move(left), std::move(right)));
  }
  return left;
}

Parsed ExpressionParser::logical_not() {
  if (!tokens_.is_name("not")) return comparison();
  if (++nesting > max_nesting) return tokens_.unsupported("nesting so deep");
  ExpressionPtr negation = node(Kind::logical_not);
  tokens_.take();
  NIBBLE_TRY(negation->children.emplace_back(), logical_not());
  --nesting;
  return grown(std::move(negation));
}

Parsed ExpressionParser::comparison() {
  static constexpr std::pair<std::string_view, Comparison> symbols[] = {{"==", Comparison::eq}, {"!=", Comparison::ne},
                                                                        {"<", Comparison::lt},  {"<=", Comparison::le},
                                                                        {">", Comparison::gt},  {">=", Comparison::ge}};
  ExpressionPtr chain = node(Kind::compare);
  NIBBLE_TRY(chain->children.emplace_back(), sum());
  for (;;) {
    const auto found = std::find_if(std::begin(symbols), std::end(symbols),
                                    [&](const auto& candidate) { return tokens_.skip_symbol(candidate.first); });
    if (found != std::end(symbols)) {
      chain->comparisons.push_back(found->second);
    } else if (tokens_.skip_name("in")) {
      chain->comparisons.push_back(Comparison::in);
    } else if (tokens_.is_name("not") && tokens_.ahead().kind == TokenKind::name && tokens_.ahead().text == "in") {
      tokens_.take();
      tokens_.take();
      chain->comparisons.push_back(Comparison::not_in);
    } else {
      break;
    }
    NIBBLE_TRY(chain->children.emplace_back(), sum());
  }
  if (chain->comparisons.empty()) return std::move(chain->children[0]);
  return grown(std::move(chain));
}

Parsed ExpressionParser::concat() {
  ExpressionPtr parts = node(Kind::concat);
  do {
    NIBBLE_TRY(parts->children.emplace_back(), product());
  } while (tokens_.skip_symbol("~"));
  if (parts->children.size() == 1) return std::move(parts->children[0]);
  return grown(std::move(parts));
}

Parsed ExpressionParser::unary(bool with_filters) {
  if (++nesting > max_nesting) return tokens_.unsupported("nesting so deep");
  ExpressionPtr value;
  if (tokens_.is_symbol("-") || tokens_.is_symbol("+")) {
    ExpressionPtr sign = node(tokens_.is_symbol("-") ? Kind::negative : Kind::positive);
    tokens_.take();
    NIBBLE_TRY(sign->children.emplace_back(), unary(false));
    NIBBLE_TRY(value, grown(std::move(sign)));
  } else {
    NIBBLE_TRY(value, primary());
  }
  NIBBLE_TRY(value, postfix(std::move(value)));
  while (with_filters) {
    if (tokens_.is_symbol("|")) {
      NIBBLE_TRY(value, filters(std::move(value)));
    } else if (tokens_.is_name("is")) {
      NIBBLE_TRY(value, test(std::move(value)));
    } else if (tokens_.is_symbol("(")) {  // what a filter or test gave is called
      NIBBLE_TRY(value, postfix(std::move(value)));
    } else {
      break;
    }
  }
  --nesting;
  return value;
}

Parsed ExpressionParser::primary() {
  switch (tokens_.now().kind) {
    case TokenKind::name:
      return name();
    case TokenKind::string: {
      ExpressionPtr value = node(Kind::constant);
      std::string text;
      while (tokens_.is(TokenKind::string)) text += tokens_.take().text;  // adjacent ones are one
      value->constant = Value(std::make_shared<const String>(String{std::move(text)}));
      return value;
    }
    case TokenKind::integer:
    case TokenKind::real:
      return number();
    default:
      break;
  }
  if (tokens_.is_symbol("[")) return comma_separated(Kind::list, "]");
  if (tokens_.is_symbol("{")) return dict();
  if (!tokens_.skip_symbol("(")) return tokens_.expected("an expression");
  if (tokens_.is_symbol(")")) {
    ExpressionPtr empty = node(Kind::tuple);
    tokens_.take();
    return empty;
  }
  NIBBLE_TRY(ExpressionPtr inside, tuple());
  NIBBLE_CHECK(tokens_.expect_symbol(")"));
  return inside;
}

Parsed ExpressionParser::name() {
  ExpressionPtr value = node(Kind::name, tokens_.now().text);
  if (in_macro && tokens_.is_any_name({"varargs", "kwargs"})) {
    return tokens_.unsupported(fmt::format("{} in a macro", value->text));
  }
  names_caller = names_caller || tokens_.is_name("caller");
  tokens_.take();
  const std::string& text = value->text;
  if (text == "true" || text == "True" || text == "false" || text == "False") {
    value->kind = Kind::constant;
    value->constant = Value(text == "true" || text == "True");
  } else if (text == "none" || text == "None") {
    value->kind = Kind::constant;
    value->constant = Value(None{});
  }
  return value;
}

Parsed ExpressionParser::number() {
  ExpressionPtr value = node(Kind::constant);
  const std::string& text = tokens_.now().text;
  const char* end = text.data() + text.size();
  std::int64_t whole = 0;
  double real = 0;
  const bool is_whole = tokens_.is(TokenKind::integer);
  const auto read = is_whole ? std::from_chars(text.data(), end, whole) : std::from_chars(text.data(), end, real);
  if (read.ec != std::errc() || read.ptr != end) return tokens_.unsupported("the number " + text.substr(0, 40));
  value->constant = is_whole ? Value(whole) : Value(real);
  tokens_.take();
  return value;
}

Parsed ExpressionParser::comma_separated(Kind kind, std::string_view close) {
  ExpressionPtr list = node(kind);
  tokens_.take();
  while (!tokens_.is_symbol(close)) {
    if (!list->children.empty()) NIBBLE_CHECK(tokens_.expect_symbol(","));
    if (tokens_.is_symbol(close)) break;
    NIBBLE_TRY(list->children.emplace_back(), expression());
  }
  tokens_.take();
  return grown(std::move(list));
}

Parsed ExpressionParser::dict() {
  ExpressionPtr dict = node(Kind::dict);
  tokens_.take();
  while (!tokens_.is_symbol("}")) {
    if (!dict->children.empty()) NIBBLE_CHECK(tokens_.expect_symbol(","));
    if (tokens_.is_symbol("}")) break;
    NIBBLE_TRY(dict->children.emplace_back(), expression());
    NIBBLE_CHECK(tokens_.expect_symbol(":"));
    NIBBLE_TRY(dict->children.emplace_back(), expression());
  }
  tokens_.take();
  return grown(std::move(dict));
}

Parsed ExpressionParser::postfix(ExpressionPtr value) {
  for (;;) {
    if (tokens_.is_symbol(".") || tokens_.is_symbol("[")) {
      NIBBLE_TRY(value, subscript(std::move(value)));
    } else if (tokens_.is_symbol("(")) {
      ExpressionPtr call = node(Kind::call);
      call->children.push_back(std::move(value));
      NIBBLE_CHECK(arguments(*call));
      NIBBLE_TRY(value, grown(std::move(call)));
    } else {
      return value;
    }
  }
}

Parsed ExpressionParser::subscript(ExpressionPtr value) {
  ExpressionPtr access = node(Kind::subscript);
  access->children.push_back(std::move(value));
  if (tokens_.skip_symbol(".")) {
    if (tokens_.is(TokenKind::integer)) {
      NIBBLE_TRY(access->children.emplace_back(), number());
    } else {
      access->kind = Kind::attribute;
      NIBBLE_TRY(access->text, tokens_.expect_name());
    }
    return grown(std::move(access));
  }
  tokens_.take();
  const auto part = [&]() -> Parsed {
    if (tokens_.is_symbol(":") || tokens_.is_symbol("]")) return ExpressionPtr();
    return expression();
  };
  NIBBLE_TRY(access->children.emplace_back(), part());
  if (tokens_.is_symbol(":")) access->kind = Kind::slice;
  while (access->children.size() < 4 && tokens_.skip_symbol(":")) {
    NIBBLE_TRY(access->children.emplace_back(), part());
  }
  if (access->kind == Kind::slice) access->children.resize(4);
  if (access->kind == Kind::subscript && !access->children[1]) return tokens_.expected("a subscript");
  if (tokens_.is_symbol(",")) return tokens_.unsupported("a subscript of several parts");
  NIBBLE_CHECK(tokens_.expect_symbol("]"));
  return grown(std::move(access));
}

Parsed ExpressionParser::filters(ExpressionPtr value, bool begun) {
  while (begun || tokens_.skip_symbol("|")) {
    begun = false;
    ExpressionPtr filter = node(Kind::filter);
    NIBBLE_TRY(filter->text, tokens_.expect_name());
    filter->children.push_back(std::move(value));
    if (tokens_.is_symbol("(")) NIBBLE_CHECK(arguments(*filter));
    NIBBLE_TRY(value, grown(std::move(filter)));
  }
  return value;
}

Parsed ExpressionParser::test(ExpressionPtr value) {
  ExpressionPtr test = node(Kind::test);
  tokens_.take();
  const bool negated = tokens_.skip_name("not");
  NIBBLE_TRY(test->text, tokens_.expect_name());
  test->children.push_back(std::move(value));
  const bool value_follows = tokens_.is(TokenKind::name) || tokens_.is(TokenKind::string) ||
                             tokens_.is(TokenKind::integer) || tokens_.is(TokenKind::real) || tokens_.is_symbol("[") ||
                             tokens_.is_symbol("{");
  if (tokens_.is_symbol("(")) {
    NIBBLE_CHECK(arguments(*test));
  } else if (value_follows && !tokens_.is_any_name({"else", "or", "and"})) {
    if (tokens_.is_name("is")) return tokens_.wrong("tests cannot be chained with is");
    NIBBLE_TRY(ExpressionPtr argument, primary());
    NIBBLE_TRY(test->children.emplace_back(), postfix(std::move(argument)));
  }
  NIBBLE_TRY(test, grown(std::move(test)));
  if (!negated) return test;
  ExpressionPtr negation = node(Kind::logical_not);
  negation->children.push_back(std::move(test));
  return grown(std::move(negation));
}

Result<void> ExpressionParser::arguments(Expression& call) {
  tokens_.take();
  for (bool first = true; !tokens_.is_symbol(")"); first = false) {
    if (!first) NIBBLE_CHECK(tokens_.expect_symbol(","));
    if (tokens_.is_symbol(")")) break;
    if (call.children.size() > 100) return tokens_.unsupported("a call with so many arguments");
    if (tokens_.is_symbol("*") || tokens_.is_symbol("**")) {
      return tokens_.unsupported("handing over arguments with " + tokens_.now().text);
    }
    if (tokens_.is(TokenKind::name) && tokens_.ahead().kind == TokenKind::symbol && tokens_.ahead().text == "=") {
      std::string name = tokens_.take().text;
      tokens_.take();
      NIBBLE_TRY(ExpressionPtr value, expression());
      call.named.emplace_back(std::move(name), std::move(value));
    } else {
      if (!call.named.empty()) return tokens_.wrong("an argument without a name follows one with a name");
      NIBBLE_TRY(call.children.emplace_back(), expression());
    }
  }
  tokens_.take();
  return {};
}

}  // namespace nibble::jinja
