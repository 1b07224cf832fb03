// Values of the template language: Python's, as far as templates can tell. Containers are shared and, as in the sandbox
// transformers renders in, never change after they were made; only namespaces do.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "io/json.hpp"

namespace nibble::jinja {

struct List;
struct Dict;
struct Namespace;
struct Loop;
struct Macro;
struct Method;
struct Builtin;

struct None {};
// `why` is the sentence that using the value (other than printing or testing it) gives.
struct Undefined {
  std::shared_ptr<const std::string> why;
};

class Value {
 public:
  using Storage = std::variant<Undefined, None, bool, std::int64_t, double, std::shared_ptr<const std::string>,
                               std::shared_ptr<List>, std::shared_ptr<Dict>, std::shared_ptr<Namespace>,
                               std::shared_ptr<Loop>, std::shared_ptr<Macro>, std::shared_ptr<Method>, const Builtin*>;

  Value() = default;
  Value(None) : storage_(None{}) {}
  Value(bool value) : storage_(value) {}
  Value(int value) : storage_(std::int64_t(value)) {}
  Value(std::int64_t value) : storage_(value) {}
  Value(double value) : storage_(value) {}
  Value(std::string value) : storage_(std::make_shared<const std::string>(std::move(value))) {}
  Value(std::string_view value) : Value(std::string(value)) {}
  Value(const char* value) : Value(std::string(value)) {}
  template <class Object>
  Value(std::shared_ptr<Object> object) : storage_(std::move(object)) {}
  Value(const Builtin* builtin) : storage_(builtin) {}

  static Value undefined(std::string why);

  template <class T>
  bool is() const {
    return std::holds_alternative<T>(storage_);
  }
  bool is_undefined() const { return is<Undefined>(); }
  bool is_none() const { return is<None>(); }
  bool is_string() const { return is<std::shared_ptr<const std::string>>(); }
  bool is_integral() const { return is<bool>() || is<std::int64_t>(); }  // Python's bool is an int
  bool is_number() const { return is_integral() || is<double>(); }

  // Each only after asking; a wrong one is a defect.
  const std::string& string() const { return *std::get<std::shared_ptr<const std::string>>(storage_); }
  std::int64_t integer() const { return is<bool>() ? std::get<bool>(storage_) : std::get<std::int64_t>(storage_); }
  double real() const { return is<double>() ? std::get<double>(storage_) : double(integer()); }
  template <class Object>
  const std::shared_ptr<Object>& object() const {
    return std::get<std::shared_ptr<Object>>(storage_);
  }
  template <class Object>
  Object* get() const {  // null when it is another kind
    const auto* found = std::get_if<std::shared_ptr<Object>>(&storage_);
    return found ? found->get() : nullptr;
  }
  const Builtin* builtin() const {
    const auto* found = std::get_if<const Builtin*>(&storage_);
    return found ? *found : nullptr;
  }
  const std::string& why_undefined() const;

  bool truthy() const;
  int depth() const;           // how many containers deep
  std::int64_t bytes() const;  // of its own storage, not of what it contains
  std::string_view type_name() const;

 private:
  Storage storage_;
};

using Values = std::vector<Value>;

// What Python can tell apart: a generator is true even when empty, has no length, and can be read once.
enum class Sequence { list, tuple, range, view, generator };

struct List {
  Values items;
  Sequence sequence = Sequence::list;
  int depth = 1;
};

struct Dict {
  std::vector<std::pair<Value, Value>> items;  // in order of insertion
  int depth = 1;
  const Value* find(std::string_view key) const;
};

struct Namespace {
  std::vector<std::pair<std::string, Value>> attributes;
  Value* find(std::string_view name);
};

struct Loop {
  std::shared_ptr<List> items;
  std::size_t index = 0;
  int depth = 0;
};

// A method bound to the value it was taken from: "abc".upper
struct Method {
  Value self;
  std::string name;
};

Value make_list(Values items, Sequence sequence = Sequence::list);
Value make_dict(std::vector<std::pair<Value, Value>> items);

// Templates and variables come from outside, so everything they make the program do is paid for from here.
class Budget {
 public:
  static constexpr std::int64_t max_text = 16 << 20;

  void work(std::int64_t amount) { work_ -= amount; }
  void made(std::int64_t bytes) { bytes_ -= bytes; }
  bool exhausted() const { return work_ < 0 || bytes_ < 0; }
  Result<void> check() const;

 private:
  std::int64_t work_ = 20'000'000;
  std::int64_t bytes_ = 256 << 20;
};
Error text_too_long();

Result<Value> from_json(const OrderedJson& json, int depth = 0);

bool equal(const Value& a, const Value& b, Budget& budget);
// -1, 0, 1; types that Python does not order are an error.
Result<int> order(const Value& a, const Value& b, Budget& budget);

// Python's str() and repr().
Result<std::string> to_text(const Value& value);
Result<std::string> to_repr(const Value& value);

struct JsonStyle {
  bool ascii = false, sort_keys = false;
  std::optional<std::string> indent;
  std::string item_separator = ", ", key_separator = ": ";
};
Result<std::string> to_json(const Value& value, const JsonStyle& style);

}  // namespace nibble::jinja
