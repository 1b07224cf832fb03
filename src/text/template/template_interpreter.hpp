// Walks the tree that the parser made and writes the text.
#pragma once

#include "text/template/template_ast.hpp"
#include "text/template/template_functions.hpp"

namespace nibble::jinja {

class Interpreter {
 public:
  explicit Interpreter(Rendering& rendering) : rendering_(rendering), scope_(std::make_shared<Scope>()) {}

  Result<void> define(std::string_view name, const OrderedJson& value);
  Result<std::string> run(const Body& body);
  int line() const { return line_; }  // where it stands, or stood when an error came

 private:
  enum class Flow { on, leave, next };  // what a body ends with: its end, break, continue

  // template_interpreter.cpp: statements
  Result<Flow> execute(const Body& body);
  Result<Flow> execute(const Statement& statement);
  Result<void> write(std::string_view text);
  Result<Flow> choose(const Statement& statement);
  Result<Flow> loop(const Statement& statement);
  Result<bool> next_item(const Statement& statement, Loop& loop, const Values& source, std::size_t& taken);
  Result<void> assign(const Expression& target, Value value);
  Result<void> assign_block(const Statement& statement);
  Result<void> with(const Statement& statement);
  Result<void> call_block(const Statement& statement);
  Result<std::string> captured(const Body& body);  // what the body writes, in a scope of its own
  Result<Value> call_macro(const Macro& macro, Arguments arguments);

  // template_evaluation.cpp: expressions
  Result<Value> evaluate(const Expression& expression);
  Result<Value> compute(const Expression& expression);
  Result<Value> collection(const Expression& expression);
  Result<Value> operation(const Expression& expression);
  Result<Value> compare_chain(const Expression& expression);
  Result<Value> conditional(const Expression& expression);
  Result<Value> concat(const Expression& expression);
  Result<Value> slice_of(const Expression& expression);
  Result<Value> call_value(const Expression& expression, const Value* caller = nullptr);
  Result<Value> filtered(const Expression& expression, const Value* text);
  Result<Value> tested(const Expression& expression);
  Result<Arguments> arguments_of(const Expression& call);
  Result<Value> look_up(const std::string& name);

  // Templates may call themselves, stacks end.
  static constexpr int max_depth = 400;
  struct Deeper {
    explicit Deeper(int& depth) : depth(depth) { ++depth; }
    ~Deeper() { --depth; }
    int& depth;
  };
  Result<void> check_depth() const;
  std::shared_ptr<Scope> enter();  // a new innermost scope; returns the one to go back to

  Rendering& rendering_;
  std::shared_ptr<Scope> scope_;
  std::string out_;
  int line_ = 1, depth_ = 0;
};

}  // namespace nibble::jinja
