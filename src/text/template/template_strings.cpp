#include "text/template/template_strings.hpp"

#include <algorithm>

#include "text/template/template_operators.hpp"
#include "text/template/template_print.hpp"
#include "text/template/template_text.hpp"

namespace nibble::jinja {

Result<std::string> replaced(Rendering& rendering, std::string_view text, std::string_view from, std::string_view to,
                             std::int64_t count) {
  std::size_t times = 0;
  for (std::size_t at = text.find(from); at != text.npos; ++times)
    at = text.find(from, at + from.size() + from.empty());
  NIBBLE_CHECK(rendering.work(text.size() / 64));
  NIBBLE_CHECK(check_text_size(to.size(), times));
  NIBBLE_CHECK(check_text_size(text.size() + times * to.size()));
  std::string out;
  std::size_t i = 0;
  if (count < 0) count = INT64_MAX;
  if (from.empty()) {  // between all characters, and at both ends
    for (; count != 0; --count) {
      out += to;
      if (i >= text.size()) return out;
      const std::size_t bytes = character_at(text, i).bytes;
      out += text.substr(i, bytes);
      i += bytes;
    }
    return out += text.substr(i);
  }
  for (; count != 0; --count) {
    const std::size_t found = text.find(from, i);
    if (found == text.npos) break;
    out += text.substr(i, found - i);
    out += to;
    i = found + from.size();
  }
  return out += text.substr(i);
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    std::size_t end = 0, line_end = 0;
    while (end < text.size() && line_end == 0) {
      const Character c = character_at(text, end);
      const bool ends = (c.code >= 0x0A && c.code <= 0x0D) || (c.code >= 0x1C && c.code <= 0x1E) || c.code == 0x85 ||
                        c.code == 0x2028 || c.code == 0x2029;
      if (ends) line_end = text.substr(end).starts_with("\r\n") ? 2 : c.bytes;
      if (!ends) end += c.bytes;
    }
    lines.push_back(text.substr(0, keep_ends ? end + line_end : end));
    text.remove_prefix(end + line_end);
  }
  return lines;
}

namespace {

template <std::string (*Change)(std::string_view)>
Result<Value> changed(Rendering& rendering, const Value& self, const Bound&) {
  return rendering.text(Change(*self.text()));
}

template <Side Where>
Result<Value> stripped(Rendering& rendering, const Value& self, const Bound& arguments) {
  NIBBLE_TRY(const auto characters, arguments.text(0));
  return rendering.text(std::string(strip(*self.text(), Where, characters)));
}

Result<Value> texts(Rendering& rendering, const std::vector<std::string_view>& parts) {
  Values items;
  for (const std::string_view part : parts) {
    NIBBLE_TRY(items.emplace_back(), rendering.text(std::string(part)));
  }
  return rendering.list(std::move(items));
}

// str.split and str.rsplit. Without a separator: at runs of white space, none at the ends.
template <bool FromRight>
Result<Value> split(Rendering& rendering, const Value& self, const Bound& arguments) {
  NIBBLE_TRY(const auto separator, arguments.text(0));
  NIBBLE_TRY(std::int64_t left, arguments.integer(1, -1));
  if (left < 0) left = INT64_MAX;
  if (separator && separator->empty()) return error(Errc::bad_request, "split: the separator is empty");
  constexpr Side near = FromRight ? Side::right : Side::left;
  std::string_view rest = *self.text();
  std::vector<std::string_view> parts;
  NIBBLE_CHECK(rendering.work(1 + rest.size() / 16));
  if (!separator) rest = strip(rest, near);
  while (left != 0 && (separator || !rest.empty())) {
    std::size_t at = rest.npos, bytes = 0;
    if (separator) {
      at = FromRight ? rest.rfind(*separator) : rest.find(*separator), bytes = separator->size();
    } else if (!FromRight) {
      for (std::size_t i = 0; i < rest.size() && at == rest.npos; i += character_at(rest, i).bytes) {
        if (is_space(character_at(rest, i).code)) {
          at = i;
          bytes = 1;
        }
      }
    } else {
      for (std::size_t i = rest.size(); i > 0 && at == rest.npos; --i) {
        const Character c = character_at(rest, i - 1);
        if (is_space(c.code)) {
          at = i - 1;
          bytes = c.bytes;
        }
      }
    }
    if (at == rest.npos) break;
    parts.push_back(FromRight ? rest.substr(at + bytes) : rest.substr(0, at));
    rest = FromRight ? rest.substr(0, at) : rest.substr(at + (separator ? bytes : 0));
    if (!separator) rest = strip(rest, near);
    --left;
    if (parts.size() > Rendering::max_items) return error(Errc::unsupported, "split makes too many parts");
  }
  if (separator || !rest.empty()) parts.push_back(rest);
  if (FromRight) std::reverse(parts.begin(), parts.end());
  return texts(rendering, parts);
}

template <bool FromRight>
Result<Value> partition(Rendering& rendering, const Value& self, const Bound& arguments) {
  NIBBLE_TRY(const std::string_view separator, arguments.required_text(0));
  if (separator.empty()) return error(Errc::bad_request, "partition: the separator is empty");
  const std::string_view text = *self.text();
  const std::size_t at = FromRight ? text.rfind(separator) : text.find(separator);
  NIBBLE_TRY(const Value all, rendering.text(std::string(text)));
  NIBBLE_TRY(const Value none, rendering.text(""));
  if (at == text.npos)
    return rendering.list(FromRight ? Values{none, none, all} : Values{all, none, none}, Sequence::tuple);
  NIBBLE_TRY(const Value before, rendering.text(std::string(text.substr(0, at))));
  NIBBLE_TRY(const Value after, rendering.text(std::string(text.substr(at + separator.size()))));
  return rendering.list({before, *arguments[0], after}, Sequence::tuple);
}

Result<Value> splitlines(Rendering& rendering, const Value& self, const Bound& arguments) {
  return texts(rendering, split_lines(*self.text(), arguments.truthy(0)));
}

Result<Value> replace(Rendering& rendering, const Value& self, const Bound& arguments) {
  NIBBLE_TRY(const std::string_view from, arguments.required_text(0));
  NIBBLE_TRY(const std::string_view to, arguments.required_text(1));
  NIBBLE_TRY(const std::int64_t count, arguments.integer(2, -1));
  NIBBLE_TRY(std::string out, replaced(rendering, *self.text(), from, to, count));
  return rendering.text(std::move(out));
}

// The part of the text from character `start` to `end`, as the last two arguments of several methods name it.
struct Part {
  std::string_view text;
  std::size_t skipped = 0;  // characters before it
  bool possible = true;     // false: start lies behind the end of the text
};
Result<Part> part_of(const Value& self, const Bound& arguments) {
  const std::string_view text = *self.text();
  if (!arguments[1] && !arguments[2]) return Part{text};
  const auto size = std::int64_t(length(text));
  NIBBLE_TRY(std::int64_t start, arguments.integer(1, 0));
  NIBBLE_TRY(std::int64_t end, arguments.integer(2, size));
  start = std::max<std::int64_t>(start < 0 ? start + size : start, 0);
  end = std::clamp<std::int64_t>(end < 0 ? end + size : end, 0, size);
  if (start > end) return Part{{}, std::size_t(start), false};
  const std::size_t from = byte_of(text, std::size_t(start));
  return Part{text.substr(from, byte_of(text.substr(from), std::size_t(end - start))), std::size_t(start)};
}

template <bool AtEnd>
Result<Value> begins(Rendering& rendering, const Value& self, const Bound& arguments) {
  NIBBLE_TRY(const Part part, part_of(self, arguments));
  Values candidates = {*arguments[0]};
  if (const auto* list = arguments[0]->list(); list && list->sequence == Sequence::tuple) candidates = list->items;
  for (const Value& candidate : candidates) {
    NIBBLE_CHECK(rendering.work());
    if (!candidate.text())
      return error(Errc::bad_request, "a text begins or ends with a text, not with {}", candidate.type_name());
    const std::string& word = *candidate.text();
    if (part.possible && (AtEnd ? part.text.ends_with(word) : part.text.starts_with(word))) return Value(true);
  }
  return Value(false);
}

template <bool FromRight, bool MustBeFound>
Result<Value> find(Rendering& rendering, const Value& self, const Bound& arguments) {
  NIBBLE_TRY(const std::string_view word, arguments.required_text(0));
  NIBBLE_TRY(const Part part, part_of(self, arguments));
  NIBBLE_CHECK(rendering.work(part.text.size() / 16));
  const std::size_t at = !part.possible ? part.text.npos : FromRight ? part.text.rfind(word) : part.text.find(word);
  if (at != part.text.npos) return Value(std::int64_t(part.skipped + length(part.text.substr(0, at))));
  if (MustBeFound) return error(Errc::bad_request, "index: the text is not found");
  return Value(-1);
}

Result<Value> count(Rendering& rendering, const Value& self, const Bound& arguments) {
  NIBBLE_TRY(const std::string_view word, arguments.required_text(0));
  NIBBLE_TRY(const Part part, part_of(self, arguments));
  NIBBLE_CHECK(rendering.work(part.text.size() / 16));
  if (!part.possible) return Value(0);
  if (word.empty()) return Value(std::int64_t(length(part.text)) + 1);
  std::int64_t times = 0;
  for (std::size_t at = part.text.find(word); at != part.text.npos; at = part.text.find(word, at + word.size()))
    ++times;
  return Value(times);
}

template <bool AtEnd>
Result<Value> without(Rendering& rendering, const Value& self, const Bound& arguments) {
  NIBBLE_TRY(const std::string_view word, arguments.required_text(0));
  std::string_view text = *self.text();
  if (!AtEnd && text.starts_with(word)) text.remove_prefix(word.size());
  if (AtEnd && text.ends_with(word)) text.remove_suffix(word.size());
  return rendering.text(std::string(text));
}

template <bool (*Holds)(char32_t)>
Result<Value> all_of(Rendering& rendering, const Value& self, const Bound&) {
  NIBBLE_CHECK(rendering.work(self.text()->size() / 16));
  const std::string& text = *self.text();
  for (std::size_t i = 0; i < text.size(); i += character_at(text, i).bytes) {
    if (!Holds(character_at(text, i).code)) return Value(false);
  }
  return Value(!text.empty());
}

Result<Value> is_case(Rendering& rendering, const Value& self, const Bound&, std::string_view test) {
  NIBBLE_TRY(const bool holds, apply_test(rendering, test, self, {}));
  return Value(holds);
}

Result<Value> join_items(Rendering& rendering, const Value& self, const Bound& arguments) {
  NIBBLE_TRY(const Values items, iterate(rendering, *arguments[0]));
  std::string out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!items[i].text()) return error(Errc::bad_request, "join: item {} is a {}, not a text", i, items[i].type_name());
    NIBBLE_CHECK(check_text_size(out.size() + self.text()->size() + items[i].text()->size()));
    if (i > 0) out += *self.text();
    out += *items[i].text();
  }
  return rendering.text(std::move(out));
}

// str.format with {}, {0} and {name}; what Python allows inside besides is refused.
Result<Value> format(Rendering& rendering, const Value& self, const Bound& arguments) {
  const std::string_view text = *self.text();
  std::string out;
  std::size_t next = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c == '{' || c == '}') && text.substr(i + 1).starts_with(c)) {
      out += c;
      ++i;
    } else if (c == '}') {
      return error(Errc::bad_request, "format: a lonely }}");
    } else if (c != '{') {
      out += c;
    } else {
      const std::size_t end = text.find('}', i);
      if (end == text.npos) return error(Errc::bad_request, "format: a lonely {{");
      const std::string_view field = text.substr(i + 1, end - i - 1);
      if (field.find_first_of("{!:.[") != field.npos) {
        return error(Errc::unsupported, "format: the field \"{}\" is not supported", field);
      }
      const Value* value = nullptr;
      const bool numbered = !field.empty() && field.size() < 6 && field.find_first_not_of("0123456789") == field.npos;
      if (field.empty() || numbered) {
        const std::size_t index = numbered ? std::size_t(std::stoul(std::string(field))) : next++;
        if (index < arguments.all->positional.size()) value = &arguments.all->positional[index];
      }
      for (const auto& [name, given] : arguments.all->named) {
        if (name == field) value = &given;
      }
      if (!value) return error(Errc::bad_request, "format: nothing is given for {{{}}}", field);
      NIBBLE_TRY(const std::string shown, to_text(rendering, *value));
      NIBBLE_CHECK(check_text_size(out.size() + shown.size()));
      out += shown;
      i = end;
    }
  }
  return rendering.text(std::move(out));
}

constexpr Function methods[] = {
    {"capitalize", "", changed<capitalize>},
    {"count", "sub ?start ?end", count},
    {"endswith", "suffix ?start ?end", begins<true>},
    {"find", "sub ?start ?end", find<false, false>},
    {"format", "*", format},
    {"index", "sub ?start ?end", find<false, true>},
    {"isalpha", "", all_of<is_letter>},
    {"isdigit", "", all_of<is_decimal>},
    {"islower", "", [](Rendering& r, const Value& self, const Bound& b) { return is_case(r, self, b, "lower"); }},
    {"isspace", "", all_of<is_space>},
    {"isupper", "", [](Rendering& r, const Value& self, const Bound& b) { return is_case(r, self, b, "upper"); }},
    {"join", "iterable", join_items},
    {"lower", "", changed<lower>},
    {"lstrip", "?chars", stripped<Side::left>},
    {"partition", "sep", partition<false>},
    {"removeprefix", "prefix", without<false>},
    {"removesuffix", "suffix", without<true>},
    {"replace", "old new ?count", replace},
    {"rfind", "sub ?start ?end", find<true, false>},
    {"rpartition", "sep", partition<true>},
    {"rsplit", "?sep ?maxsplit", split<true>},
    {"rstrip", "?chars", stripped<Side::right>},
    {"split", "?sep ?maxsplit", split<false>},
    {"splitlines", "?keepends", splitlines},
    {"startswith", "prefix ?start ?end", begins<false>},
    {"strip", "?chars", stripped<Side::both>},
    {"title", "", changed<title>},
    {"upper", "", changed<upper>}};

}  // namespace

const Function* find_string_method(std::string_view name) { return find_function(methods, name); }

}  // namespace nibble::jinja
