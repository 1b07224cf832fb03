#include "text/template/template_interpreter.hpp"
#include "text/template/template_operators.hpp"
#include "text/template/template_print.hpp"

namespace nibble::jinja {

Result<Value> Interpreter::look_up(const std::string& name) {
  if (const Value* found = scope_->find(name)) return *found;
  if (const Function* global = find_global(name)) return Value(global);
  return Value::undefined(fmt::format("\"{}\" is undefined", name));
}

Result<Value> Interpreter::evaluate(const Expression& expression) {
  const Deeper deeper(depth_);
  line_ = expression.line;
  NIBBLE_CHECK(check_depth());
  NIBBLE_CHECK(rendering_.work());
  auto value = compute(expression);
  if (value) line_ = expression.line;  // not where a macro that was called ended
  return value;
}

Result<Value> Interpreter::compute(const Expression& expression) {
  switch (expression.kind) {
    case Kind::constant:
      return expression.constant;
    case Kind::name:
      return look_up(expression.text);
    case Kind::attribute: {
      NIBBLE_TRY(const Value object, evaluate(*expression.children[0]));
      return attribute_of(rendering_, object, expression.text);
    }
    case Kind::subscript: {
      NIBBLE_TRY(const Value object, evaluate(*expression.children[0]));
      NIBBLE_TRY(const Value key, evaluate(*expression.children[1]));
      return subscript_of(rendering_, object, key);
    }
    case Kind::logical_and:
    case Kind::logical_or: {
      NIBBLE_TRY(const Value left, evaluate(*expression.children[0]));
      if (left.truthy() == (expression.kind == Kind::logical_or)) return left;
      return evaluate(*expression.children[1]);
    }
    case Kind::logical_not: {
      NIBBLE_TRY(const Value value, evaluate(*expression.children[0]));
      return Value(!value.truthy());
    }
    case Kind::list:
    case Kind::tuple:
    case Kind::dict:
      return collection(expression);
    case Kind::slice:
      return slice_of(expression);
    case Kind::call:
      return call_value(expression);
    case Kind::filter:
      return filtered(expression, nullptr);
    case Kind::test:
      return tested(expression);
    case Kind::concat:
      return concat(expression);
    case Kind::compare:
      return compare_chain(expression);
    case Kind::conditional:
      return conditional(expression);
    default:
      return operation(expression);
  }
}

Result<Value> Interpreter::collection(const Expression& expression) {
  Values items;
  for (const auto& child : expression.children) {
    NIBBLE_TRY(items.emplace_back(), evaluate(*child));
  }
  if (expression.kind == Kind::list) return rendering_.list(std::move(items));
  if (expression.kind == Kind::tuple) return rendering_.list(std::move(items), Sequence::tuple);
  Dict::Items entries;
  for (std::size_t i = 0; i < items.size(); i += 2) {
    NIBBLE_CHECK(put(rendering_, entries, std::move(items[i]), std::move(items[i + 1])));
  }
  return rendering_.dict(std::move(entries));
}

Result<Value> Interpreter::operation(const Expression& expression) {
  NIBBLE_TRY(const Value left, evaluate(*expression.children[0]));
  if (expression.kind == Kind::negative) return negated(left);
  if (expression.kind == Kind::positive) {
    if (left.is_undefined()) return left.use_of_undefined();
    if (!left.number()) return error(Errc::bad_request, "+ {} is not defined", left.type_name());
    return left.is_bool() ? Value(*left.integer()) : left;
  }
  NIBBLE_TRY(const Value right, evaluate(*expression.children[1]));
  return arithmetic(rendering_, expression.kind, left, right);
}

Result<Value> Interpreter::compare_chain(const Expression& expression) {
  NIBBLE_TRY(Value left, evaluate(*expression.children[0]));
  for (std::size_t i = 0; i < expression.comparisons.size(); ++i) {
    NIBBLE_TRY(Value right, evaluate(*expression.children[i + 1]));
    NIBBLE_TRY(const bool holds, compare(rendering_, expression.comparisons[i], left, right));
    if (!holds) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Result<Value> Interpreter::conditional(const Expression& expression) {
  NIBBLE_TRY(const Value condition, evaluate(*expression.children[1]));
  if (condition.truthy()) return evaluate(*expression.children[0]);
  if (expression.children[2]) return evaluate(*expression.children[2]);
  return Value::undefined("the inline if is false and has no else");
}

Result<Value> Interpreter::concat(const Expression& expression) {
  std::string joined;
  for (const auto& child : expression.children) {
    NIBBLE_TRY(const Value part, evaluate(*child));
    NIBBLE_TRY(const std::string text, to_text(rendering_, part));
    NIBBLE_CHECK(check_text_size(joined.size() + text.size()));
    joined += text;
  }
  return rendering_.text(std::move(joined));
}

Result<Value> Interpreter::slice_of(const Expression& expression) {
  Values parts;
  for (const auto& child : expression.children) {
    NIBBLE_TRY(parts.emplace_back(), child ? evaluate(*child) : Result<Value>(Value(None{})));
  }
  return slice(rendering_, parts[0], parts[1], parts[2], parts[3]);
}

Result<Arguments> Interpreter::arguments_of(const Expression& call) {
  Arguments arguments;
  for (std::size_t i = 1; i < call.children.size(); ++i) {
    NIBBLE_TRY(arguments.positional.emplace_back(), evaluate(*call.children[i]));
  }
  for (const auto& [name, child] : call.named) {
    NIBBLE_TRY(Value value, evaluate(*child));
    arguments.named.emplace_back(name, std::move(value));
  }
  return arguments;
}

Result<Value> Interpreter::call_value(const Expression& expression, const Value* caller) {
  NIBBLE_TRY(const Value callee, evaluate(*expression.children[0]));
  NIBBLE_TRY(Arguments arguments, arguments_of(expression));
  if (caller) arguments.named.emplace_back("caller", *caller);
  line_ = expression.line;
  if (const Macro* macro = callee.macro()) return call_macro(*macro, std::move(arguments));
  if (const Method* method = callee.method()) return call(rendering_, *method->function, method->self, arguments);
  if (const Function* function = callee.function()) return call(rendering_, *function, Value(), arguments);
  if (callee.is_undefined()) return callee.use_of_undefined();
  return error(Errc::bad_request, "a value of type {} cannot be called", callee.type_name());
}

Result<Value> Interpreter::filtered(const Expression& expression, const Value* text) {
  // Filters of a block stand in a chain whose innermost value is the block's text.
  NIBBLE_TRY(const Value value, !expression.children[0] ? Result<Value>(*text)
                                : text && expression.children[0]->kind == Kind::filter
                                    ? filtered(*expression.children[0], text)
                                    : evaluate(*expression.children[0]));
  NIBBLE_TRY(const Arguments arguments, arguments_of(expression));
  line_ = expression.line;
  return apply_filter(rendering_, expression.text, value, arguments);
}

Result<Value> Interpreter::tested(const Expression& expression) {
  NIBBLE_TRY(const Value value, evaluate(*expression.children[0]));
  NIBBLE_TRY(const Arguments arguments, arguments_of(expression));
  line_ = expression.line;
  NIBBLE_TRY(const bool holds, apply_test(rendering_, expression.text, value, arguments));
  return Value(holds);
}

}  // namespace nibble::jinja
