// Values of the template language: Python's, as far as templates can tell. Containers are shared and, as in the sandbox
// that transformers renders in, never change after they were made; only namespaces do.
#pragma once

#include <concepts>
#include <cstdint>
#include <ctime>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "io/json.hpp"

namespace nibble::jinja {

struct Function;
struct Statement;
struct List;
struct Dict;
struct Namespace;
struct Loop;
struct Macro;
struct Method;

struct None {};
// `why` is the sentence that using the value (other than printing or testing it) gives.
struct Undefined {
  std::shared_ptr<const std::string> why;
};
// `safe` is markupsafe's Markup: what is added to it gets its < > & ' " escaped.
struct String {
  std::string text;
  bool safe = false;
};

class Value {
 public:
  // A namespace belongs to the Rendering, so that namespaces that hold each other are no leak.
  using Storage = std::variant<Undefined, None, bool, std::int64_t, double, std::shared_ptr<const String>,
                               std::shared_ptr<List>, std::shared_ptr<const Dict>, Namespace*, std::shared_ptr<Loop>,
                               std::shared_ptr<const Macro>, std::shared_ptr<const Method>, const Function*>;

  Value() = default;
  Value(None) : storage_(None{}) {}
  template <std::integral T>
  Value(T value) : storage_(std::conditional_t<std::same_as<T, bool>, bool, std::int64_t>(value)) {}
  Value(double value) : storage_(value) {}
  Value(std::shared_ptr<const String> text) : storage_(std::move(text)) {}
  Value(std::shared_ptr<List> list) : storage_(std::move(list)) {}
  Value(std::shared_ptr<const Dict> dict) : storage_(std::move(dict)) {}
  Value(std::shared_ptr<Loop> loop) : storage_(std::move(loop)) {}
  Value(std::shared_ptr<const Macro> macro) : storage_(std::move(macro)) {}
  Value(std::shared_ptr<const Method> method) : storage_(std::move(method)) {}
  Value(Namespace* space) : storage_(space) {}
  Value(const Function* function) : storage_(function) {}
  static Value undefined(std::string why);

  bool is_undefined() const { return is<Undefined>(); }
  bool is_none() const { return is<None>(); }
  bool is_bool() const { return is<bool>(); }
  bool is_float() const { return is<double>(); }
  // Null or empty where the value is of another kind. Python's bool is an int, and both are numbers.
  std::optional<std::int64_t> integer() const;
  std::optional<double> number() const;
  const String* string() const { return pointed<const String>(); }
  const std::string* text() const { return string() ? &string()->text : nullptr; }
  List* list() const { return pointed<List>(); }
  const Dict* dict() const { return pointed<const Dict>(); }
  Namespace* space() const { return plain<Namespace*>(); }
  Loop* loop() const { return pointed<Loop>(); }
  const Macro* macro() const { return pointed<const Macro>(); }
  const Method* method() const { return pointed<const Method>(); }
  const Function* function() const { return plain<const Function*>(); }

  bool truthy() const;
  int depth() const;  // how many containers deep
  std::string_view type_name() const;
  Error use_of_undefined() const;
  bool same_object(const Value& other) const;  // Python's `is`, of containers and constants

 private:
  template <class T>
  bool is() const {
    return std::holds_alternative<T>(storage_);
  }
  template <class T>
  T* pointed() const {
    const auto* found = std::get_if<std::shared_ptr<T>>(&storage_);
    return found ? found->get() : nullptr;
  }
  template <class T>
  T plain() const {
    const auto* found = std::get_if<T>(&storage_);
    return found ? *found : nullptr;
  }
  Storage storage_;
};

using Values = std::vector<Value>;

// What Python can tell apart: a view has no items by number; a generator is true even when empty, has no length, and
// can be read once.
enum class Sequence { list, tuple, range, view, generator };

struct List {
  Values items;
  Sequence sequence = Sequence::list;
  int depth = 1;
};

struct Dict {
  using Items = std::vector<std::pair<Value, Value>>;
  Items items;  // in order of insertion
  int depth = 1;
  const Value* find(std::string_view key) const;
};

struct Namespace {
  std::map<std::string, Value, std::less<>> attributes;
  void set(std::string_view name, Value value);
  const Value* find(std::string_view name) const;
};

// The variable `loop`. `more` takes one further item from the source, if one is left that the loop's condition wants.
struct Loop {
  Values items;
  std::size_t index = 0;
  int depth = 1;  // how many containers deep
  std::function<Result<bool>()> more;
};

// A method bound to the value it was taken from: "abc".upper
struct Method {
  Value self;
  const Function* function;
};

struct Scope {
  std::map<std::string_view, Value> names;
  std::shared_ptr<Scope> outer;
  void set(std::string_view name, Value value);
  const Value* find(std::string_view name) const;  // here or outside
};

// The scope is the one it was defined in, and outlives no call of it that makes sense.
struct Macro {
  const Statement* definition;
  std::weak_ptr<Scope> scope;
};

// One rendering. Templates and variables come from outside, so all that they make is made here, counted and bounded.
class Rendering {
 public:
  static constexpr std::size_t max_text = 16 << 20, max_items = 1 << 20;
  static constexpr int max_nesting = 200;

  Rendering(std::time_t now, std::int64_t max_steps, std::int64_t max_bytes)
      : now_(now), steps_(max_steps), bytes_(max_bytes), max_bytes_(max_bytes) {}
  Result<Value> text(std::string text, bool safe = false);
  Result<Value> list(Values items, Sequence sequence = Sequence::list);
  Result<Value> dict(Dict::Items items);
  Result<Value> space();
  Result<Value> from_json(const OrderedJson& json, int depth = 0);
  Result<void> work(std::size_t steps = 1);
  Result<void> made(std::size_t bytes);
  std::time_t now() const { return now_; }
  // What each loop's changed() was given last. Here and not in the loop, which may be among it: that would be a leak.
  std::unordered_map<const Loop*, Values> changed;

 private:
  std::time_t now_;
  std::int64_t steps_, bytes_;  // what is left
  std::int64_t max_bytes_;
  std::deque<Namespace> spaces_;
};
// Asked before a text of that size is made.
Result<void> check_text_size(std::size_t bytes, std::size_t times = 1);

}  // namespace nibble::jinja
