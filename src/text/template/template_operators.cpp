#include "text/template/template_operators.hpp"

#include <algorithm>
#include <cmath>

#include "text/template/template_text.hpp"

namespace nibble::jinja {

Result<bool> equal(Rendering& rendering, const Value& a, const Value& b) {
  NIBBLE_CHECK(rendering.work());
  if (a.number() && b.number()) {
    // Both fit exactly where 64 bits of mantissa are.
    const auto wide = [](const Value& v) {
      return v.is_float() ? (long double)*v.number() : (long double)*v.integer();
    };
    return wide(a) == wide(b);
  }
  if (a.text() && b.text()) {
    NIBBLE_CHECK(rendering.work(a.text()->size() / 64));
    return *a.text() == *b.text();
  }
  if (a.is_undefined() || b.is_undefined()) return a.is_undefined() && b.is_undefined();
  if (a.same_object(b)) return true;
  if (const auto* x = a.list(), *y = b.list(); x && y) {
    if (x->sequence != y->sequence || x->items.size() != y->items.size()) return false;
    if (x->sequence >= Sequence::view) return error(Errc::unsupported, "a {} is compared", a.type_name());
    for (std::size_t i = 0; i < x->items.size(); ++i) {
      NIBBLE_TRY(const bool same, equal(rendering, x->items[i], y->items[i]));
      if (!same) return false;
    }
    return true;
  }
  if (const auto* x = a.dict(), *y = b.dict(); x && y) {
    if (x->items.size() != y->items.size()) return false;
    for (const auto& [key, value] : x->items) {
      bool found = false;
      for (std::size_t i = 0; i < y->items.size() && !found; ++i) {
        NIBBLE_TRY(found, equal(rendering, key, y->items[i].first));
        if (!found) continue;
        NIBBLE_TRY(const bool same, equal(rendering, value, y->items[i].second));
        if (!same) return false;
      }
      if (!found) return false;
    }
    return true;
  }
  return false;
}

Result<int> order(Rendering& rendering, const Value& a, const Value& b) {
  NIBBLE_CHECK(rendering.work());
  for (const Value* value : {&a, &b}) {
    if (value->is_undefined()) return value->use_of_undefined();
  }
  const auto sign = [](auto x, auto y) { return (x > y) - (x < y); };
  if (a.integer() && b.integer()) return sign(*a.integer(), *b.integer());
  if (a.number() && b.number()) return sign(*a.number(), *b.number());
  if (a.text() && b.text()) {  // bytes of UTF-8 sort as code points do
    NIBBLE_CHECK(rendering.work(a.text()->size() / 64));
    return sign(a.text()->compare(*b.text()), 0);
  }
  const auto *x = a.list(), *y = b.list();
  if (x && y && x->sequence == y->sequence && x->sequence <= Sequence::tuple) {
    for (std::size_t i = 0; i < std::min(x->items.size(), y->items.size()); ++i) {
      NIBBLE_TRY(const bool same, equal(rendering, x->items[i], y->items[i]));
      if (!same) return order(rendering, x->items[i], y->items[i]);
    }
    return sign(x->items.size(), y->items.size());
  }
  return error(Errc::bad_request, "{} and {} have no order", a.type_name(), b.type_name());
}

namespace {

Result<bool> contains(Rendering& rendering, const Value& container, const Value& item) {
  if (const auto* text = container.text()) {
    if (item.is_undefined()) return item.use_of_undefined();
    if (!item.text()) return error(Errc::bad_request, "\"in\" a text looks for texts, not for {}", item.type_name());
    NIBBLE_CHECK(rendering.work(text->size() / 64));
    return text->find(*item.text()) != text->npos;
  }
  if (container.dict()) {
    if (!hashable(item)) return error(Errc::bad_request, "a {} is no key of a dict", item.type_name());
    NIBBLE_TRY(const std::optional<Value> found, item_of(rendering, container, item));
    return found.has_value();
  }
  NIBBLE_TRY(const Values items, iterate(rendering, container));
  for (const Value& candidate : items) {
    NIBBLE_TRY(const bool same, equal(rendering, candidate, item));
    if (same) return true;
  }
  return false;
}

}  // namespace

Result<bool> compare(Rendering& rendering, Comparison comparison, const Value& a, const Value& b) {
  switch (comparison) {
    case Comparison::eq:
      return equal(rendering, a, b);
    case Comparison::ne: {
      NIBBLE_TRY(const bool same, equal(rendering, a, b));
      return !same;
    }
    case Comparison::in:
      return contains(rendering, b, a);
    case Comparison::not_in: {
      NIBBLE_TRY(const bool found, contains(rendering, b, a));
      return !found;
    }
    default:
      break;
  }
  const auto x = a.number(), y = b.number();
  if (x && y && (std::isnan(*x) || std::isnan(*y))) return false;
  NIBBLE_TRY(const int sign, order(rendering, a, b));
  if (comparison == Comparison::lt) return sign < 0;
  if (comparison == Comparison::le) return sign <= 0;
  return comparison == Comparison::gt ? sign > 0 : sign >= 0;
}

Result<Values> iterate(Rendering& rendering, const Value& value) {
  Values items;
  if (auto* list = value.list()) {
    NIBBLE_CHECK(rendering.made(list->items.size() * sizeof(Value)));
    if (list->sequence != Sequence::generator) return list->items;
    return std::exchange(list->items, {});
  }
  if (const auto* dict = value.dict()) {
    NIBBLE_CHECK(rendering.made(dict->items.size() * sizeof(Value)));
    for (const auto& [key, item] : dict->items) items.push_back(key);
    return items;
  }
  if (const auto* text = value.text()) {
    for (std::size_t i = 0; i < text->size();) {
      const std::size_t bytes = character_at(*text, i).bytes;
      NIBBLE_TRY(items.emplace_back(), rendering.text(text->substr(i, bytes)));
      i += bytes;
    }
    return items;
  }
  if (value.is_undefined()) return items;
  return error(Errc::bad_request, "a value of type {} cannot be iterated", value.type_name());
}

Result<std::int64_t> length_of(const Value& value) {
  if (value.text()) return std::int64_t(length(*value.text()));
  if (value.dict()) return std::int64_t(value.dict()->items.size());
  if (value.list() && value.list()->sequence != Sequence::generator) return std::int64_t(value.list()->items.size());
  if (value.is_undefined()) return std::int64_t(0);
  return error(Errc::bad_request, "a value of type {} has no length", value.type_name());
}

bool hashable(const Value& value) {
  if (value.dict() || value.space()) return false;
  const auto* list = value.list();
  if (list && list->sequence == Sequence::tuple) return std::all_of(list->items.begin(), list->items.end(), hashable);
  return !list;
}

Result<void> put(Rendering& rendering, Dict::Items& items, Value key, Value value) {
  if (!hashable(key)) return error(Errc::bad_request, "a {} cannot be a key of a dict", key.type_name());
  for (auto& [known, old] : items) {
    NIBBLE_TRY(const bool same, equal(rendering, known, key));
    if (!same) continue;
    old = std::move(value);
    return {};
  }
  items.emplace_back(std::move(key), std::move(value));
  return {};
}

Result<std::optional<Value>> item_of(Rendering& rendering, const Value& value, const Value& key) {
  if (value.is_undefined()) return value.use_of_undefined();
  if (const auto* dict = value.dict()) {
    NIBBLE_CHECK(rendering.work(1 + dict->items.size() / 8));
    if (const auto* name = key.text()) {
      const Value* found = dict->find(*name);
      return found ? std::optional(*found) : std::nullopt;
    }
    if (!hashable(key)) return std::optional<Value>();
    for (const auto& [known, item] : dict->items) {
      NIBBLE_TRY(const bool same, equal(rendering, known, key));
      if (same) return std::optional(item);
    }
    return std::optional<Value>();
  }
  const auto index = key.integer();
  const auto at = [&](std::int64_t size) { return *index < 0 ? *index + size : *index; };
  if (const auto* list = value.list(); list && index && list->sequence < Sequence::view) {
    const std::int64_t size = std::int64_t(list->items.size()), i = at(size);
    return i >= 0 && i < size ? std::optional(list->items[std::size_t(i)]) : std::nullopt;
  }
  if (const auto* text = value.text(); text && index) {
    NIBBLE_CHECK(rendering.work(text->size() / 64));
    const std::int64_t size = std::int64_t(length(*text)), i = at(size);
    if (i < 0 || i >= size) return std::optional<Value>();
    const std::size_t byte = byte_of(*text, std::size_t(i));
    NIBBLE_TRY(Value character,
               rendering.text(text->substr(byte, character_at(*text, byte).bytes), value.string()->safe));
    return std::optional(std::move(character));
  }
  return std::optional<Value>();
}

Result<Value> slice(Rendering& rendering, const Value& value, const Value& start, const Value& stop,
                    const Value& step) {
  if (value.is_undefined()) return value.use_of_undefined();
  const auto* list = value.list();
  const auto* text = value.text();
  if (list && list->sequence >= Sequence::view) list = nullptr;
  if (!list && !text) return error(Errc::bad_request, "a value of type {} has no slices", value.type_name());
  for (const Value* part : {&start, &stop, &step}) {
    if (!part->is_none() && !part->integer()) {
      return error(Errc::bad_request, "a slice begins and ends at integers, not at {}", part->type_name());
    }
  }
  const std::int64_t size = list ? std::int64_t(list->items.size()) : std::int64_t(length(*text));
  const std::int64_t far = std::int64_t(1) << 40;  // past any end, without overflow
  const std::int64_t stride = std::clamp(step.integer().value_or(1), -far, far);
  if (stride == 0) return error(Errc::bad_request, "a slice has step 0");
  const auto bound = [&](const Value& part, std::int64_t absent) {
    if (!part.integer()) return absent;
    const std::int64_t at = *part.integer() < 0 ? *part.integer() + size : *part.integer();
    return std::clamp<std::int64_t>(at, stride < 0 ? -1 : 0, stride < 0 ? size - 1 : size);
  };
  const std::int64_t first = bound(start, stride < 0 ? size - 1 : 0), end = bound(stop, stride < 0 ? -1 : size);
  if (text && stride == 1) {
    const std::size_t from = byte_of(*text, std::size_t(first));
    const std::string_view rest = std::string_view(*text).substr(from);
    return rendering.text(
        std::string(rest.substr(0, byte_of(rest, std::size_t(std::max(end - first, std::int64_t(0)))))),
        value.string()->safe);
  }
  Values items;
  std::string picked;
  std::vector<std::uint32_t> starts;  // of each character
  if (text) {
    NIBBLE_CHECK(rendering.made(std::size_t(size) * sizeof starts[0]));
    for (std::size_t i = 0; i < text->size(); i += character_at(*text, i).bytes) starts.push_back(std::uint32_t(i));
  }
  const std::int64_t apart = stride > 0 ? end - first : first - end;
  const std::int64_t count = apart > 0 ? (apart - 1) / std::abs(stride) + 1 : 0;
  for (std::int64_t k = 0; k < count; ++k) {
    const auto i = std::size_t(first + k * stride);
    if (list) {
      items.push_back(list->items[i]);
    } else {
      picked += text->substr(starts[i], character_at(*text, starts[i]).bytes);
    }
  }
  if (text) return rendering.text(std::move(picked), value.string()->safe);
  return rendering.list(std::move(items), list->sequence);
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&#34;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace nibble::jinja
