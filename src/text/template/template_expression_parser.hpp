// The expression half of the parser.
#pragma once

#include <optional>

#include "text/template/template_ast.hpp"
#include "text/template/template_token_stream.hpp"

namespace nibble::jinja {

using Parsed = Result<ExpressionPtr>;

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  Parsed expression() { return conditional(); }
  // One expression, or several with commas between them. `end`: a name that ends the list.
  Parsed tuple(bool with_conditional = true, std::string_view end = {});
  // What may be assigned to: a name, a tuple of such, or (in set) an attribute of a namespace.
  Parsed target(bool with_namespace, std::string_view end = {});
  // Filters applied to `value` (null: to a block's text). `begun`: the "|" of the first is left out.
  Parsed filters(ExpressionPtr value, bool begun = false);

  // Of the macro that is being parsed: whether its body uses caller.
  bool in_macro = false, names_caller = false;
  // Parsers recurse, stacks end: how deep brackets, operators and statements may nest.
  static constexpr int max_nesting = 100, max_tree_depth = 250;
  int nesting = 0;

 private:
  ExpressionPtr node(Kind kind, std::string text = {});
  Parsed grown(ExpressionPtr parent) const;  // refuses a tree that is too deep
  Parsed binary(Kind kind, ExpressionPtr left, ExpressionPtr right) const;
  template <class Operand>
  Parsed left_to_right(Operand operand, std::initializer_list<std::pair<std::string_view, Kind>> operators);

  Parsed conditional();
  Parsed logical_or();
  Parsed logical_and();
  Parsed logical_not();
  Parsed comparison();
  Parsed sum();
  Parsed concat();
  Parsed product();
  Parsed power();
  Parsed unary(bool with_filters = true);
  Parsed primary();
  Parsed name();
  Parsed number();
  Parsed dict();
  Parsed comma_separated(Kind kind, std::string_view close);
  Parsed postfix(ExpressionPtr value);
  Parsed subscript(ExpressionPtr value);
  Parsed test(ExpressionPtr value);
  Result<void> arguments(Expression& call);
  bool at_tuple_end(std::string_view end) const;

  TokenStream& tokens_;
};

}  // namespace nibble::jinja
