#include "text/template/template_sequence_filters.hpp"

#include <algorithm>

#include "text/template/template_operators.hpp"
#include "text/template/template_print.hpp"
#include "text/template/template_text.hpp"

namespace nibble::jinja {
namespace {

// "a.b.0", or an integer, or nothing: what the parameter `attribute` of many filters asks for in each item.
Result<Value> look_up(Rendering& rendering, Value item, const Value* path, const Value* absent = nullptr) {
  if (!path || path->is_none()) return item;
  if (!path->text()) {
    NIBBLE_TRY(item, subscript_of(rendering, item, *path));
    return item.is_undefined() && absent ? *absent : item;
  }
  for (std::string_view rest = *path->text();;) {
    const std::size_t dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    Value key;
    if (!part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == part.npos) {
      key = Value(std::stoll(std::string(part)));
    } else {
      NIBBLE_TRY(key, rendering.text(std::string(part)));
    }
    NIBBLE_TRY(item, subscript_of(rendering, item, key));
    if (item.is_undefined() && absent) item = *absent;
    if (dot == rest.npos) return item;
    rest.remove_prefix(dot + 1);
  }
}

Result<Value> sort_key(Rendering& rendering, const Value& item, const Value* path, bool case_sensitive) {
  NIBBLE_TRY(Value key, look_up(rendering, item, path));
  if (case_sensitive || !key.text()) return key;
  return rendering.text(lower(*key.text()));
}

// A merge sort, since comparing can fail; stable in both directions, as Python's is.
Result<Values> sorted(Rendering& rendering, Values items, Values keys, bool reverse) {
  std::vector<std::size_t> order_now(items.size()), merged(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) order_now[i] = i;
  for (std::size_t width = 1; width < items.size(); width *= 2) {
    for (std::size_t start = 0; start < items.size(); start += 2 * width) {
      std::size_t a = start, b = std::min(start + width, items.size()), out = start;
      const std::size_t a_end = b, b_end = std::min(start + 2 * width, items.size());
      while (a < a_end || b < b_end) {
        bool take_b = a == a_end;
        if (a < a_end && b < b_end) {
          NIBBLE_TRY(const int sign, order(rendering, keys[order_now[b]], keys[order_now[a]]));
          take_b = reverse ? sign > 0 : sign < 0;
        }
        merged[out++] = order_now[take_b ? b++ : a++];
      }
    }
    std::swap(order_now, merged);
  }
  Values result;
  for (const std::size_t i : order_now) result.push_back(items[i]);
  NIBBLE_CHECK(rendering.made(result.size() * (sizeof(Value) + 16)));
  return result;
}

Result<Value> sort(Rendering& rendering, const Value& value, const Bound& arguments) {
  const Value* path = arguments[2];
  if (path && path->text() && path->text()->find(',') != std::string::npos) {
    return error(Errc::unsupported, "sorting by several attributes is not supported");
  }
  NIBBLE_TRY(Values items, iterate(rendering, value));
  Values keys;
  for (const Value& item : items) {
    NIBBLE_TRY(keys.emplace_back(), sort_key(rendering, item, path, arguments.truthy(1)));
  }
  NIBBLE_TRY(Values result, sorted(rendering, std::move(items), std::move(keys), arguments.truthy(0)));
  return rendering.list(std::move(result));
}

Result<void> add_pairs(Rendering& rendering, const Dict& dict, Values& pairs) {
  for (const auto& [key, item] : dict.items) {
    NIBBLE_TRY(pairs.emplace_back(), rendering.list({key, item}, Sequence::tuple));
  }
  return {};
}

Result<Value> dictsort(Rendering& rendering, const Value& value, const Bound& arguments) {
  NIBBLE_TRY(const auto by, arguments.text(1));
  if (by && *by != "key" && *by != "value") return error(Errc::bad_request, "dictsort sorts by key or by value");
  if (value.is_undefined()) return value.use_of_undefined();
  if (!value.dict()) return error(Errc::bad_request, "dictsort is for dicts, not for a {}", value.type_name());
  Values pairs, keys;
  NIBBLE_CHECK(rendering.work(value.dict()->items.size()));
  NIBBLE_CHECK(add_pairs(rendering, *value.dict(), pairs));
  for (const auto& [key, item] : value.dict()->items) {
    NIBBLE_TRY(keys.emplace_back(),
               sort_key(rendering, by && *by == "value" ? item : key, nullptr, arguments.truthy(0)));
  }
  NIBBLE_TRY(Values result, sorted(rendering, std::move(pairs), std::move(keys), arguments.truthy(2)));
  return rendering.list(std::move(result));
}

Result<Value> items(Rendering& rendering, const Value& value, const Bound&) {
  Values pairs;
  if (!value.is_undefined() && !value.dict()) {
    return error(Errc::bad_request, "items is for dicts, not for a {}", value.type_name());
  }
  if (value.dict()) NIBBLE_CHECK(add_pairs(rendering, *value.dict(), pairs));
  return rendering.list(std::move(pairs), Sequence::generator);
}

template <int Sign>
Result<Value> extreme(Rendering& rendering, const Value& value, const Bound& arguments) {
  NIBBLE_TRY(const Values items, iterate(rendering, value));
  if (items.empty()) return Value::undefined("no aggregated item, the sequence was empty");
  std::size_t best = 0;
  NIBBLE_TRY(Value best_key, sort_key(rendering, items[0], arguments[1], arguments.truthy(0)));
  for (std::size_t i = 1; i < items.size(); ++i) {
    NIBBLE_TRY(Value key, sort_key(rendering, items[i], arguments[1], arguments.truthy(0)));
    NIBBLE_TRY(const int sign, order(rendering, key, best_key));
    if (sign == Sign) {
      best = i;
      best_key = std::move(key);
    }
  }
  return items[best];
}

Result<Value> first(Rendering& rendering, const Value& value, const Bound&) {
  if (const auto* text = value.text(); text && !text->empty()) {
    return rendering.text(text->substr(0, character_at(*text, 0).bytes));
  }
  if (auto* list = value.list(); list && list->sequence == Sequence::generator && !list->items.empty()) {
    NIBBLE_CHECK(rendering.work(1 + list->items.size() / 8));
    const Value item = list->items.front();
    list->items.erase(list->items.begin());
    return item;
  }
  NIBBLE_TRY(const Values items, iterate(rendering, value));
  return items.empty() ? Value::undefined("no first item, the sequence was empty") : items.front();
}

Result<Value> last(Rendering& rendering, const Value& value, const Bound&) {
  if (value.is_undefined()) return value.use_of_undefined();
  if (value.list() && value.list()->sequence == Sequence::generator) {
    return error(Errc::bad_request, "last cannot take the last item of a generator; put |list before it");
  }
  NIBBLE_TRY(const Values items, iterate(rendering, value));
  return items.empty() ? Value::undefined("no last item, the sequence was empty") : items.back();
}

Result<Value> list(Rendering& rendering, const Value& value, const Bound&) {
  NIBBLE_TRY(Values items, iterate(rendering, value));
  return rendering.list(std::move(items));
}

Result<Value> reverse(Rendering& rendering, const Value& value, const Bound&) {
  NIBBLE_TRY(Values items, iterate(rendering, value));
  std::reverse(items.begin(), items.end());
  if (!value.text()) {
    const bool was_generator = value.list() && value.list()->sequence == Sequence::generator;
    return rendering.list(std::move(items), was_generator ? Sequence::list : Sequence::generator);
  }
  std::string text;
  for (const Value& item : items) text += *item.text();
  return rendering.text(std::move(text), value.string()->safe);
}

Result<Value> join(Rendering& rendering, const Value& value, const Bound& arguments) {
  NIBBLE_TRY(const std::string separator, arguments[0] ? to_text(rendering, *arguments[0]) : std::string());
  NIBBLE_TRY(const Values items, iterate(rendering, value));
  std::string out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    NIBBLE_TRY(const Value part, look_up(rendering, items[i], arguments[1]));
    NIBBLE_TRY(const std::string text, to_text(rendering, part));
    NIBBLE_CHECK(check_text_size(out.size() + separator.size() + text.size()));
    if (i > 0) out += separator;
    out += text;
  }
  return rendering.text(std::move(out));
}

Result<Value> sum(Rendering& rendering, const Value& value, const Bound& arguments) {
  NIBBLE_TRY(const Values items, iterate(rendering, value));
  Value total = arguments[1] ? *arguments[1] : Value(0);
  if (total.text()) return error(Errc::bad_request, "sum adds no texts; use join");
  for (const Value& item : items) {
    NIBBLE_TRY(const Value part, look_up(rendering, item, arguments[0]));
    NIBBLE_TRY(total, arithmetic(rendering, Kind::add, total, part));
  }
  return total;
}

Result<Value> unique(Rendering& rendering, const Value& value, const Bound& arguments) {
  NIBBLE_TRY(const Values items, iterate(rendering, value));
  Values kept, seen;
  for (const Value& item : items) {
    NIBBLE_TRY(Value key, sort_key(rendering, item, arguments[1], arguments.truthy(0)));
    if (!hashable(key)) return error(Errc::bad_request, "unique cannot tell values of type {} apart", key.type_name());
    bool known = false;
    for (std::size_t i = 0; i < seen.size() && !known; ++i) {
      NIBBLE_TRY(known, equal(rendering, seen[i], key));
    }
    if (known) continue;
    seen.push_back(std::move(key));
    kept.push_back(item);
  }
  return rendering.list(std::move(kept), Sequence::generator);
}

Result<Value> map(Rendering& rendering, const Value& value, const Bound& arguments) {
  Values results;
  if (!value.truthy()) return rendering.list({}, Sequence::generator);
  const Value *attribute = nullptr, *absent = nullptr;
  if (arguments.all->positional.empty()) {
    for (const auto& [name, given] : arguments.all->named) {
      if (name == "attribute") {
        attribute = &given;
      } else if (name != "default") {
        return error(Errc::bad_request, "map: unexpected \"{}\"", name);
      } else if (!given.is_none()) {
        absent = &given;
      }
    }
  }
  if (!attribute && (arguments.all->positional.empty() || !arguments.all->positional[0].text())) {
    return error(Errc::bad_request, "map needs the name of a filter, or attribute=");
  }
  Arguments further = *arguments.all;
  if (!attribute) further.positional.erase(further.positional.begin());
  NIBBLE_TRY(const Values items, iterate(rendering, value));
  for (const Value& item : items) {
    NIBBLE_TRY(results.emplace_back(),
               attribute ? look_up(rendering, item, attribute, absent)
                         : apply_filter(rendering, *arguments.all->positional[0].text(), item, further));
  }
  return rendering.list(std::move(results), Sequence::generator);
}

template <bool OfAttribute, bool Wanted>
Result<Value> choose(Rendering& rendering, const Value& value, const Bound& arguments) {
  if (!value.truthy()) return rendering.list({}, Sequence::generator);
  Arguments further = *arguments.all;
  if (OfAttribute && further.positional.empty()) return error(Errc::bad_request, "the name of an attribute is missing");
  Value path, test;
  if (OfAttribute) {
    path = further.positional[0];
    further.positional.erase(further.positional.begin());
  }
  const bool has_test = !further.positional.empty();
  if (has_test) {
    test = further.positional[0];
    further.positional.erase(further.positional.begin());
  }
  if (has_test && !test.text()) return error(Errc::bad_request, "the name of a test is a text");
  NIBBLE_TRY(const Values items, iterate(rendering, value));
  Values kept;
  for (const Value& item : items) {
    NIBBLE_TRY(const Value asked, look_up(rendering, item, OfAttribute ? &path : nullptr));
    NIBBLE_TRY(const bool holds, has_test ? apply_test(rendering, *test.text(), asked, further) : asked.truthy());
    if (holds == Wanted) kept.push_back(item);
  }
  return rendering.list(std::move(kept), Sequence::generator);
}

constexpr Function filters[] = {{"dictsort", "?case_sensitive ?by ?reverse", dictsort},
                                {"first", "", first},
                                {"items", "", items},
                                {"join", "?d ?attribute", join},
                                {"last", "", last},
                                {"list", "", list},
                                {"map", "*", map},
                                {"max", "?case_sensitive ?attribute", extreme<1>},
                                {"min", "?case_sensitive ?attribute", extreme<-1>},
                                {"reject", "*", choose<false, false>},
                                {"rejectattr", "*", choose<true, false>},
                                {"reverse", "", reverse},
                                {"select", "*", choose<false, true>},
                                {"selectattr", "*", choose<true, true>},
                                {"sort", "?reverse ?case_sensitive ?attribute", sort},
                                {"sum", "?attribute ?start", sum},
                                {"unique", "?case_sensitive ?attribute", unique}};

}  // namespace

const Function* find_sequence_filter(std::string_view name) { return find_function(filters, name); }

}  // namespace nibble::jinja
