#include "text/template/template_value.hpp"

#include <algorithm>

namespace nibble::jinja {

Value Value::undefined(std::string why) {
  Value value;
  value.storage_ = Undefined{std::make_shared<const std::string>(std::move(why))};
  return value;
}

const std::string& Value::why_undefined() const {
  static const std::string nothing = "an undefined value was used";
  const auto* undefined = std::get_if<Undefined>(&storage_);
  return undefined && undefined->why ? *undefined->why : nothing;
}

bool Value::truthy() const {
  if (is_undefined() || is_none()) return false;
  if (is_integral()) return integer() != 0;
  if (is<double>()) return real() != 0;
  if (is_string()) return !string().empty();
  if (const auto* list = get<List>()) return list->sequence == Sequence::generator || !list->items.empty();
  if (const auto* dict = get<Dict>()) return !dict->items.empty();
  return true;
}

int Value::depth() const {
  if (const auto* list = get<List>()) return list->depth;
  if (const auto* dict = get<Dict>()) return dict->depth;
  if (const auto* loop = get<Loop>()) return loop->items->depth + 1;
  if (const auto* method = get<Method>()) return method->self.depth() + 1;
  return 0;
}

std::int64_t Value::bytes() const {
  if (is_string()) return 32 + std::int64_t(string().size());
  if (const auto* list = get<List>()) return 64 + 32 * std::int64_t(list->items.size());
  if (const auto* dict = get<Dict>()) return 64 + 64 * std::int64_t(dict->items.size());
  return 32;
}

std::string_view Value::type_name() const {
  if (is_undefined()) return "Undefined";
  if (is_none()) return "None";
  if (is<bool>()) return "bool";
  if (is<std::int64_t>()) return "int";
  if (is<double>()) return "float";
  if (is_string()) return "str";
  if (const auto* list = get<List>()) {
    static constexpr std::string_view names[] = {"list", "tuple", "range", "dict view", "generator"};
    return names[int(list->sequence)];
  }
  if (get<Dict>()) return "dict";
  if (get<Namespace>()) return "namespace";
  if (get<Loop>()) return "loop";
  if (get<Macro>()) return "macro";
  return "function";
}

const Value* Dict::find(std::string_view key) const {
  for (const auto& [name, value] : items) {
    if (name.is_string() && name.string() == key) return &value;
  }
  return nullptr;
}

Value* Namespace::find(std::string_view name) {
  for (auto& [key, value] : attributes) {
    if (key == name) return &value;
  }
  return nullptr;
}

Value make_list(Values items, Sequence sequence) {
  auto list = std::make_shared<List>();
  for (const Value& item : items) list->depth = std::max(list->depth, item.depth() + 1);
  list->items = std::move(items);
  list->sequence = sequence;
  return list;
}

Value make_dict(std::vector<std::pair<Value, Value>> items) {
  auto dict = std::make_shared<Dict>();
  for (const auto& [key, value] : items) dict->depth = std::max({dict->depth, key.depth() + 1, value.depth() + 1});
  dict->items = std::move(items);
  return dict;
}

Result<void> Budget::check() const {
  if (work_ < 0) return error(Errc::unsupported, "the template did more work than any chat needs; is a loop endless?");
  if (bytes_ < 0)
    return error(Errc::unsupported, "the template made more than 256 MiB of values; shorten the messages");
  return {};
}

Error text_too_long() {
  return error(Errc::unsupported, "the template makes a text longer than {} MiB; shorten the messages",
               Budget::max_text >> 20);
}

Result<Value> from_json(const OrderedJson& json, int depth) {
  if (depth > 200) return error(Errc::bad_request, "variables are nested more than 200 deep");
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
      return Value(json.get_ref<const std::string&>());
    case OrderedJson::value_t::array: {
      Values items;
      for (const auto& item : json) {
        NIBBLE_TRY(Value value, from_json(item, depth + 1));
        items.push_back(std::move(value));
      }
      return make_list(std::move(items));
    }
    case OrderedJson::value_t::object: {
      std::vector<std::pair<Value, Value>> items;
      for (const auto& [key, item] : json.items()) {
        NIBBLE_TRY(Value value, from_json(item, depth + 1));
        items.emplace_back(key, std::move(value));
      }
      return make_dict(std::move(items));
    }
    default:
      return Value(None{});
  }
}

bool equal(const Value& a, const Value& b, Budget& budget) {
  budget.work(1);
  if (budget.exhausted()) return false;
  if (a.is_number() && b.is_number()) {
    return a.is_integral() && b.is_integral() ? a.integer() == b.integer() : a.real() == b.real();
  }
  if (a.is_string() && b.is_string()) {
    budget.work(std::int64_t(a.string().size()) / 64);
    return a.string() == b.string();
  }
  if (a.is_none() || a.is_undefined()) return a.is_none() == b.is_none() && a.is_undefined() == b.is_undefined();
  if (const auto* x = a.get<List>(), *y = b.get<List>(); x && y) {
    if (x == y) return true;
    if (x->sequence != y->sequence || x->items.size() != y->items.size()) return false;
    return std::equal(x->items.begin(), x->items.end(), y->items.begin(),
                      [&](const Value& p, const Value& q) { return equal(p, q, budget); });
  }
  if (const auto* x = a.get<Dict>(), *y = b.get<Dict>(); x && y) {
    if (x == y) return true;
    if (x->items.size() != y->items.size()) return false;
    return std::all_of(x->items.begin(), x->items.end(), [&](const auto& entry) {
      return std::any_of(y->items.begin(), y->items.end(), [&](const auto& other) {
        return equal(entry.first, other.first, budget) && equal(entry.second, other.second, budget);
      });
    });
  }
  if (a.get<Namespace>()) return a.get<Namespace>() == b.get<Namespace>();
  if (a.get<Macro>()) return a.get<Macro>() == b.get<Macro>();
  if (a.get<Loop>()) return a.get<Loop>() == b.get<Loop>();
  return a.builtin() && a.builtin() == b.builtin();
}

Result<int> order(const Value& a, const Value& b, Budget& budget) {
  budget.work(1);
  NIBBLE_CHECK(budget.check());
  if (a.is_undefined()) return error(Errc::bad_request, "{}", a.why_undefined());
  if (b.is_undefined()) return error(Errc::bad_request, "{}", b.why_undefined());
  if (a.is_integral() && b.is_integral()) return (a.integer() > b.integer()) - (a.integer() < b.integer());
  if (a.is_number() && b.is_number()) return (a.real() > b.real()) - (a.real() < b.real());
  if (a.is_string() && b.is_string()) {
    // Bytes of UTF-8 sort as code points do.
    const int sign = a.string().compare(b.string());
    return (sign > 0) - (sign < 0);
  }
  const auto *x = a.get<List>(), *y = b.get<List>();
  if (x && y && x->sequence == y->sequence && x->sequence <= Sequence::tuple) {
    for (std::size_t i = 0; i < std::min(x->items.size(), y->items.size()); ++i) {
      if (equal(x->items[i], y->items[i], budget)) continue;
      return order(x->items[i], y->items[i], budget);
    }
    return (x->items.size() > y->items.size()) - (x->items.size() < y->items.size());
  }
  return error(Errc::bad_request, "{} and {} have no order", a.type_name(), b.type_name());
}

}  // namespace nibble::jinja
