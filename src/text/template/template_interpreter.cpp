#include "text/template/template_interpreter.hpp"

#include <algorithm>

#include "text/template/template_operators.hpp"
#include "text/template/template_print.hpp"

namespace nibble::jinja {

Result<void> Interpreter::define(std::string_view name, const OrderedJson& value) {
  NIBBLE_TRY(Value made, rendering_.from_json(value));
  scope_->set(name, std::move(made));
  return {};
}

Result<std::string> Interpreter::run(const Body& body) {
  NIBBLE_CHECK(execute(body));
  return std::move(out_);
}

Result<void> Interpreter::check_depth() const {
  if (depth_ <= max_depth) return {};
  return error(Errc::unsupported, "macros and blocks call each other more than {} levels deep", max_depth);
}

std::shared_ptr<Scope> Interpreter::enter() {
  auto inner = std::make_shared<Scope>();
  inner->outer = scope_;
  return std::exchange(scope_, std::move(inner));
}

Result<void> Interpreter::write(std::string_view text) {
  NIBBLE_CHECK(check_text_size(out_.size() + text.size()));
  out_ += text;
  return {};
}

Result<Interpreter::Flow> Interpreter::execute(const Body& body) {
  for (const auto& statement : body) {
    NIBBLE_TRY(const Flow flow, execute(*statement));
    if (flow != Flow::on) return flow;
  }
  return Flow::on;
}

Result<Interpreter::Flow> Interpreter::execute(const Statement& statement) {
  const Deeper deeper(depth_);
  line_ = statement.line;
  NIBBLE_CHECK(check_depth());
  NIBBLE_CHECK(rendering_.work());
  switch (statement.action) {
    case Action::text:
      NIBBLE_CHECK(write(statement.text));
      break;
    case Action::print: {
      NIBBLE_TRY(const Value value, evaluate(*statement.expressions[0]));
      NIBBLE_TRY(const std::string text, to_text(rendering_, value));
      NIBBLE_CHECK(write(text));
      break;
    }
    case Action::choose:
      return choose(statement);
    case Action::loop:
      return loop(statement);
    case Action::assign: {
      NIBBLE_TRY(Value value, evaluate(*statement.expressions[1]));
      NIBBLE_CHECK(assign(*statement.expressions[0], std::move(value)));
      break;
    }
    case Action::assign_block:
      NIBBLE_CHECK(assign_block(statement));
      break;
    case Action::macro:
      scope_->set(statement.text, Value(std::make_shared<const Macro>(Macro{&statement, scope_})));
      break;
    case Action::call_block:
      NIBBLE_CHECK(call_block(statement));
      break;
    case Action::filter_block: {
      NIBBLE_TRY(std::string text, captured(statement.bodies[0]));
      NIBBLE_TRY(const Value raw, rendering_.text(std::move(text)));
      NIBBLE_TRY(const Value value, filtered(*statement.expressions[0], &raw));
      NIBBLE_TRY(const std::string shown, to_text(rendering_, value));
      NIBBLE_CHECK(write(shown));
      break;
    }
    case Action::with:
      NIBBLE_CHECK(with(statement));
      break;
    case Action::scope: {
      NIBBLE_TRY(const std::string text, captured(statement.bodies[0]));
      NIBBLE_CHECK(write(text));
      break;
    }
    case Action::leave:
      return Flow::leave;
    case Action::next:
      return Flow::next;
  }
  return Flow::on;
}

Result<Interpreter::Flow> Interpreter::choose(const Statement& statement) {
  for (std::size_t i = 0; i < statement.expressions.size(); ++i) {
    NIBBLE_TRY(const Value condition, evaluate(*statement.expressions[i]));
    if (condition.truthy()) return execute(statement.bodies[i]);
  }
  return statement.bodies.size() > statement.expressions.size() ? execute(statement.bodies.back()) : Flow::on;
}

// The next item that the loop's own condition wants goes into loop.items.
Result<bool> Interpreter::next_item(const Statement& statement, Loop& loop, const Values& source, std::size_t& taken) {
  while (taken < source.size()) {
    const Value& item = source[taken++];
    const auto outer = enter();
    NIBBLE_CHECK(assign(*statement.expressions[0], item));
    NIBBLE_TRY(const Value wanted, evaluate(*statement.expressions[2]));
    scope_ = outer;
    if (!wanted.truthy()) continue;
    loop.items.push_back(item);
    return true;
  }
  return false;
}

Result<Interpreter::Flow> Interpreter::loop(const Statement& statement) {
  NIBBLE_TRY(const Value iterated, evaluate(*statement.expressions[1]));
  NIBBLE_TRY(Values source, iterate(rendering_, iterated));
  const auto loop = std::make_shared<Loop>();
  rendering_.changed.erase(loop.get());  // of a loop that lay at this place before
  loop->depth = iterated.depth() + 1;
  std::size_t taken = 0;
  const auto around = scope_;
  if (statement.expressions[2]) {
    // Asked for only when the item is needed, since the body may change what the condition reads.
    loop->more = [&, this]() -> Result<bool> {
      const auto here = std::exchange(scope_, around);
      auto found = next_item(statement, *loop, source, taken);
      scope_ = here;
      return found;
    };
  } else {
    loop->items = std::move(source);
  }
  bool completed =
      false;  // as jinja2 sees it: break and continue leave a turn incomplete, and the else is for such loops too
  Result<Flow> result = Flow::on;
  for (; result && *result != Flow::leave; ++loop->index) {
    if (loop->more && loop->index == loop->items.size()) {
      auto found = loop->more();
      if (!found) result = found.error();
      if (!result || !*found) break;
    }
    if (loop->index == loop->items.size()) break;
    enter();
    scope_->set("loop", Value(loop));
    auto assigned = rendering_.work();
    if (assigned) assigned = assign(*statement.expressions[0], loop->items[loop->index]);
    result = assigned ? execute(statement.bodies[0]) : assigned.error();
    completed = completed || (result && *result == Flow::on);
    scope_ = around;
  }
  loop->more = nullptr;  // it refers to this function's variables
  if (!result || completed) return result ? Flow::on : result;
  enter();
  result = execute(statement.bodies[1]);
  scope_ = around;
  return result;
}

Result<void> Interpreter::assign(const Expression& target, Value value) {
  if (target.kind == Kind::name) {
    scope_->set(target.text, std::move(value));
    return {};
  }
  if (target.kind == Kind::attribute) {
    NIBBLE_TRY(const Value holder, evaluate(*target.children[0]));
    if (!holder.space()) return error(Errc::bad_request, "only attributes of a namespace can be set");
    if (target.text.starts_with('_')) return error(Errc::bad_request, "a namespace holds no name that begins with _");
    NIBBLE_CHECK(rendering_.made(sizeof(Value) + 96));
    holder.space()->set(target.text, std::move(value));
    return {};
  }
  NIBBLE_TRY(Values parts, iterate(rendering_, value));
  if (parts.size() != target.children.size()) {
    return error(Errc::bad_request, "{} values are unpacked into {} names", parts.size(), target.children.size());
  }
  for (std::size_t i = 0; i < parts.size(); ++i) NIBBLE_CHECK(assign(*target.children[i], std::move(parts[i])));
  return {};
}

Result<std::string> Interpreter::captured(const Body& body) {
  const auto outer = enter();
  std::string before = std::exchange(out_, {});
  const auto done = execute(body);
  scope_ = outer;
  std::string text = std::exchange(out_, std::move(before));
  NIBBLE_CHECK(done);
  NIBBLE_CHECK(rendering_.made(text.size()));
  return text;
}

Result<void> Interpreter::assign_block(const Statement& statement) {
  NIBBLE_TRY(std::string text, captured(statement.bodies[0]));
  NIBBLE_TRY(Value value, rendering_.text(std::move(text)));
  if (statement.expressions[1]) {
    const Value raw = value;
    NIBBLE_TRY(value, filtered(*statement.expressions[1], &raw));
  }
  return assign(*statement.expressions[0], std::move(value));
}

Result<void> Interpreter::with(const Statement& statement) {
  Values values;
  for (std::size_t i = 1; i < statement.expressions.size(); i += 2) {
    NIBBLE_TRY(values.emplace_back(), evaluate(*statement.expressions[i]));
  }
  const auto outer = enter();
  for (std::size_t i = 0; i < values.size(); ++i) scope_->set(statement.expressions[2 * i]->text, std::move(values[i]));
  const auto done = execute(statement.bodies[0]);
  scope_ = outer;
  NIBBLE_CHECK(done);
  return {};
}

Result<void> Interpreter::call_block(const Statement& statement) {
  const Value caller(std::make_shared<const Macro>(Macro{&statement, scope_}));
  NIBBLE_TRY(const Value value, call_value(*statement.expressions[0], &caller));
  NIBBLE_TRY(const std::string text, to_text(rendering_, value));
  return write(text);
}

Result<Value> Interpreter::call_macro(const Macro& macro, Arguments arguments) {
  const Statement& definition = *macro.definition;
  const auto wrong = [&](std::string_view what, std::string_view name) {
    return error(Errc::bad_request, "the macro \"{}\" {}{}", definition.text, what, name);
  };
  const auto scope = macro.scope.lock();
  if (!scope)
    return error(Errc::unsupported, "the macro \"{}\" is called outside of the block it stands in", definition.text);
  if (arguments.positional.size() > definition.parameters.size()) return wrong("is given too many arguments", "");
  auto inner = std::make_shared<Scope>();
  inner->outer = scope;
  Value caller = Value::undefined("no caller is defined");
  for (auto& [name, value] : arguments.named) {
    const auto& known = definition.parameters;
    const auto at = std::size_t(std::find(known.begin(), known.end(), name) - known.begin());
    if (name == "caller" && at == known.size() && definition.names_caller) {
      caller = std::move(value);
    } else if (at == known.size()) {
      return wrong("has no parameter ", name);
    } else if (at < arguments.positional.size()) {
      return wrong("is given two values for ", name);
    } else {
      inner->set(known[at], std::move(value));
    }
  }
  if (definition.names_caller) inner->set("caller", std::move(caller));
  const auto outer = std::exchange(scope_, inner);
  Result<void> bound;
  for (std::size_t i = 0; bound && i < definition.parameters.size(); ++i) {
    const std::string& name = definition.parameters[i];
    if (i < arguments.positional.size()) {
      inner->set(name, std::move(arguments.positional[i]));
    } else if (std::none_of(arguments.named.begin(), arguments.named.end(),
                            [&](const auto& given) { return given.first == name; })) {
      auto value = definition.defaults[i]
                       ? evaluate(*definition.defaults[i])
                       : Result<Value>(Value::undefined(fmt::format("the parameter \"{}\" was not given", name)));
      if (value) inner->set(name, std::move(*value));
      if (!value) bound = value.error();
    }
  }
  auto text = bound ? captured(definition.bodies[0]) : Result<std::string>(bound.error());
  scope_ = outer;
  if (!text) return text.error();
  return rendering_.text(std::move(*text));
}

}  // namespace nibble::jinja
