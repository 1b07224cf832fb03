#include "text/template/template_value.hpp"

#include <algorithm>

namespace nibble::jinja {

Value Value::undefined(std::string why) {
  Value value;
  value.storage_ = Undefined{std::make_shared<const std::string>(std::move(why))};
  return value;
}

Error Value::use_of_undefined() const {
  const auto& why = std::get<Undefined>(storage_).why;
  return error(Errc::bad_request, "{}", why ? *why : "an undefined value is used");
}

std::optional<std::int64_t> Value::integer() const {
  if (const auto* flag = std::get_if<bool>(&storage_)) return *flag;
  if (const auto* whole = std::get_if<std::int64_t>(&storage_)) return *whole;
  return {};
}

std::optional<double> Value::number() const {
  if (const auto* real = std::get_if<double>(&storage_)) return *real;
  if (const auto whole = integer()) return double(*whole);
  return {};
}

bool Value::truthy() const {
  if (is_undefined() || is_none()) return false;
  if (const auto value = number()) return *value != 0;
  if (const auto* value = text()) return !value->empty();
  if (const auto* value = list()) return value->sequence == Sequence::generator || !value->items.empty();
  if (const auto* value = dict()) return !value->items.empty();
  return true;
}

int Value::depth() const {
  if (const auto* value = list()) return value->depth;
  if (const auto* value = dict()) return value->depth;
  if (const auto* value = method()) return value->self.depth() + 1;
  if (const auto* value = loop()) return value->depth;
  return 0;
}

std::string_view Value::type_name() const {
  static constexpr std::string_view names[] = {"undefined", "None",      "bool", "int",   "float",  "str",     "list",
                                               "dict",      "namespace", "loop", "macro", "method", "function"};
  static constexpr std::string_view sequences[] = {"list", "tuple", "range", "dict view", "generator"};
  return list() ? sequences[int(list()->sequence)] : names[storage_.index()];
}

bool Value::same_object(const Value& other) const {
  if (storage_.index() != other.storage_.index()) return false;
  if (is_bool()) return integer() == other.integer();
  return is_none() || (list() && list() == other.list()) || (dict() && dict() == other.dict()) ||
         (string() && string() == other.string()) || (space() && space() == other.space()) ||
         (loop() && loop() == other.loop()) || (macro() && macro() == other.macro()) ||
         (function() && function() == other.function());
}

const Value* Dict::find(std::string_view key) const {
  for (const auto& [name, value] : items) {
    if (name.text() && *name.text() == key) return &value;
  }
  return nullptr;
}

void Namespace::set(std::string_view name, Value value) {
  const auto found = attributes.find(name);
  if (found != attributes.end())
    found->second = std::move(value);
  else
    attributes.emplace(name, std::move(value));
}

const Value* Namespace::find(std::string_view name) const {
  const auto found = attributes.find(name);
  return found == attributes.end() ? nullptr : &found->second;
}

void Scope::set(std::string_view name, Value value) { names.insert_or_assign(name, std::move(value)); }

const Value* Scope::find(std::string_view name) const {
  for (const Scope* scope = this; scope; scope = scope->outer.get()) {
    if (const auto found = scope->names.find(name); found != scope->names.end()) return &found->second;
  }
  return nullptr;
}

Result<void> check_text_size(std::size_t bytes, std::size_t times) {
  if (bytes == 0 || times <= Rendering::max_text / bytes) return {};
  return error(Errc::unsupported, "the template makes a text longer than {} MiB; shorten the messages",
               Rendering::max_text >> 20);
}

Result<void> Rendering::work(std::size_t steps) {
  steps_ -= std::int64_t(std::min<std::size_t>(steps, 1u << 30));
  if (steps_ >= 0) return {};
  return error(Errc::unsupported, "the template did more work than any chat needs; does a loop multiply?");
}

Result<void> Rendering::made(std::size_t bytes) {
  bytes_ -= std::int64_t(std::min<std::size_t>(bytes, 1u << 30));
  if (bytes_ >= 0) return {};
  return error(Errc::unsupported, "the template made more than {} MiB of values; shorten the messages",
               max_bytes_ >> 20);
}

Result<Value> Rendering::text(std::string text, bool safe) {
  NIBBLE_CHECK(check_text_size(text.size()));
  NIBBLE_CHECK(made(sizeof(String) + 32 + text.size()));
  return Value(std::make_shared<const String>(String{std::move(text), safe}));
}

Result<Value> Rendering::list(Values items, Sequence sequence) {
  auto list = std::make_shared<List>();
  for (const Value& item : items) list->depth = std::max(list->depth, item.depth() + 1);
  if (items.size() > max_items) return error(Errc::unsupported, "a list of {} items is too long", items.size());
  if (list->depth > max_nesting) return error(Errc::unsupported, "a list is nested over {} deep", max_nesting);
  NIBBLE_CHECK(made(sizeof(List) + items.size() * sizeof(Value)));
  list->items = std::move(items);
  list->sequence = sequence;
  return Value(std::move(list));
}

Result<Value> Rendering::dict(Dict::Items items) {
  auto dict = std::make_shared<Dict>();
  for (const auto& [key, value] : items) dict->depth = std::max({dict->depth, key.depth() + 1, value.depth() + 1});
  if (dict->depth > max_nesting) return error(Errc::unsupported, "a dict is nested over {} deep", max_nesting);
  NIBBLE_CHECK(made(sizeof(Dict) + items.size() * 2 * sizeof(Value)));
  dict->items = std::move(items);
  return Value(std::shared_ptr<const Dict>(std::move(dict)));
}

Result<Value> Rendering::space() {
  NIBBLE_CHECK(made(sizeof(Namespace)));
  return Value(&spaces_.emplace_back());
}

Result<Value> Rendering::from_json(const OrderedJson& json, int depth) {
  if (depth > max_nesting) return error(Errc::bad_request, "variables are nested over {} deep", max_nesting);
  switch (json.type()) {
    case OrderedJson::value_t::boolean:
      return Value(json.get<bool>());
    case OrderedJson::value_t::number_integer:
      return Value(json.get<std::int64_t>());
    case OrderedJson::value_t::number_unsigned:
      if (json.get<std::uint64_t>() > std::uint64_t(INT64_MAX)) {
        return error(Errc::unsupported, "the integer {} does not fit in 64 bits", json.get<std::uint64_t>());
      }
      return Value(json.get<std::int64_t>());
    case OrderedJson::value_t::number_float:
      return Value(json.get<double>());
    case OrderedJson::value_t::string:
      return text(json.get_ref<const std::string&>());
    case OrderedJson::value_t::array: {
      Values items;
      for (const auto& item : json) {
        NIBBLE_TRY(items.emplace_back(), from_json(item, depth + 1));
      }
      return list(std::move(items));
    }
    case OrderedJson::value_t::object: {
      Dict::Items items;
      for (const auto& [key, item] : json.items()) {
        NIBBLE_TRY(Value name, text(key));
        NIBBLE_TRY(Value value, from_json(item, depth + 1));
        items.emplace_back(std::move(name), std::move(value));
      }
      return dict(std::move(items));
    }
    default:
      return Value(None{});
  }
}

}  // namespace nibble::jinja
