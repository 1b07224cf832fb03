// What the parser makes and the interpreter walks. Two plain node types: what the children mean stands beside each
// kind.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/template/template_value.hpp"

namespace nibble::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

enum class Kind {
  constant,     // constant
  name,         // text
  list,         // children
  tuple,        // children
  dict,         // children: key, value, key, value ...
  attribute,    // children[0] . text
  subscript,    // children[0] [ children[1] ]
  slice,        // children[0] [ children[1] : children[2] : children[3] ], absent ones null
  call,         // children[0] ( children[1...], named )
  filter,       // children[0] | text ( children[1...], named ); in a filter block children[0] is null
  test,         // children[0] is text ( children[1...], named )
  negative,     // - children[0]
  positive,     // + children[0]
  logical_not,  // not children[0]
  logical_and,
  logical_or,
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  modulo,
  power,
  concat,       // children joined by ~
  compare,      // children[0] comparisons[0] children[1] comparisons[1] children[2] ...
  conditional,  // children[0] if children[1] else children[2], which may be null
};
enum class Comparison { eq, ne, lt, le, gt, ge, in, not_in };

struct Expression {
  Kind kind;
  int line;
  int depth = 1;
  std::string text;
  Value constant;
  std::vector<ExpressionPtr> children;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  std::vector<Comparison> comparisons;
};

struct Statement;
using Body = std::vector<std::unique_ptr<Statement>>;

enum class Action {
  text,          // text
  print,         // expressions[0]
  choose,        // if expressions[i] then bodies[i]; one body more is the else
  loop,          // for expressions[0] in expressions[1] if expressions[2] (or null): bodies[0]; bodies[1] is the else
  assign,        // set expressions[0] = expressions[1]
  assign_block,  // set expressions[0], through the filters expressions[1] (or null): bodies[0]
  macro,         // text(parameters with defaults): bodies[0]
  call_block,    // expressions[0] is the call; bodies[0] with parameters is its caller()
  filter_block,  // expressions[0]: bodies[0]
  with,          // expressions[2i] = expressions[2i + 1]: bodies[0]
  scope,         // {% generation %}: bodies[0]
  leave,         // break
  next,          // continue
};

struct Statement {
  Action action;
  int line;
  std::string text;
  std::vector<ExpressionPtr> expressions;
  std::vector<Body> bodies;
  std::vector<std::string> parameters;
  std::vector<ExpressionPtr> defaults;  // as long as parameters; null where there is none
  bool names_caller = false;            // a macro whose body uses caller
};

}  // namespace nibble::jinja
