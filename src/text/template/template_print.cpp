#include "text/template/template_print.hpp"

#include <algorithm>
#include <cmath>

#include "text/template/template_operators.hpp"
#include "text/template/template_text.hpp"

namespace nibble::jinja {
namespace {

// The shortest digits that give the number back; Python and fmt change to exponents at the same places.
std::string float_text(double value, const char* infinity = "inf", const char* nan = "nan") {
  if (std::isnan(value)) return nan;
  if (std::isinf(value)) return value < 0 ? std::string("-") + infinity : infinity;
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == text.npos) text += ".0";
  return text;
}

// One text that grows as values are written into it. Shared values can make it endless, so it is bounded as it grows.
class Writer {
 public:
  explicit Writer(Rendering& rendering) : rendering_(rendering) {}
  std::string out;

  Result<void> grown() {
    NIBBLE_CHECK(rendering_.work());
    return check_text_size(out.size());
  }

  Result<void> repr(const Value& value) {
    NIBBLE_CHECK(grown());
    if (value.is_undefined()) {
      out += "Undefined";
      return {};
    }
    if (value.is_none()) {
      out += "None";
      return {};
    }
    if (value.is_bool()) {
      out += value.truthy() ? "True" : "False";
      return {};
    }
    if (const auto whole = value.integer()) {
      out += std::to_string(*whole);
      return {};
    }
    if (value.is_float()) {
      out += float_text(*value.number());
      return {};
    }
    if (const auto* string = value.string()) {
      if (string->safe) return error(Errc::unsupported, "the repr of a text marked safe is not supported");
      quoted(string->text);
      return {};
    }
    if (const auto* list = value.list(); list && list->sequence <= Sequence::tuple) {
      const bool tuple = list->sequence == Sequence::tuple;
      out += tuple ? '(' : '[';
      for (std::size_t i = 0; i < list->items.size(); ++i) {
        out += i > 0 ? ", " : "";
        NIBBLE_CHECK(repr(list->items[i]));
      }
      out += tuple ? list->items.size() == 1 ? ",)" : ")" : "]";
      return {};
    }
    if (const auto* dict = value.dict()) {
      out += '{';
      for (std::size_t i = 0; i < dict->items.size(); ++i) {
        out += i > 0 ? ", " : "";
        NIBBLE_CHECK(repr(dict->items[i].first));
        out += ": ";
        NIBBLE_CHECK(repr(dict->items[i].second));
      }
      out += '}';
      return {};
    }
    return error(Errc::unsupported, "a {} is printed, which is not supported", value.type_name());
  }

  void quoted(std::string_view text) {
    const bool doubled = text.find('\'') != text.npos && text.find('"') == text.npos;
    const char quote = doubled ? '"' : '\'';
    out += quote;
    for (std::size_t i = 0; i < text.size();) {
      const Character c = character_at(text, i);
      switch (c.code) {
        case '\n':
          out += "\\n";
          break;
        case '\r':
          out += "\\r";
          break;
        case '\t':
          out += "\\t";
          break;
        case '\\':
          out += "\\\\";
          break;
        default:
          if (c.code == char32_t(quote)) {
            out += '\\';
            out += quote;
          } else if (c.code == not_utf8 || is_printable(c.code)) {
            out += text.substr(i, c.bytes);
          } else if (c.code < 0x100) {
            out += fmt::format("\\x{:02x}", unsigned(c.code));
          } else {
            out += c.code < 0x10000 ? fmt::format("\\u{:04x}", unsigned(c.code))
                                    : fmt::format("\\U{:08x}", unsigned(c.code));
          }
      }
      i += c.bytes;
    }
    out += quote;
  }

  void json_quoted(std::string_view text, bool ascii) {
    out += '"';
    for (std::size_t i = 0; i < text.size();) {
      const Character c = character_at(text, i);
      switch (c.code) {
        case '"':
          out += "\\\"";
          break;
        case '\\':
          out += "\\\\";
          break;
        case '\n':
          out += "\\n";
          break;
        case '\r':
          out += "\\r";
          break;
        case '\t':
          out += "\\t";
          break;
        case '\f':
          out += "\\f";
          break;
        case '\b':
          out += "\\b";
          break;
        default:
          if (c.code >= 0x20 && (!ascii || c.code < 0x7F || c.code == not_utf8)) {
            out += text.substr(i, c.bytes);
          } else if (c.code < 0x10000) {
            out += fmt::format("\\u{:04x}", unsigned(c.code));
          } else {
            const unsigned rest = unsigned(c.code) - 0x10000;
            out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
          }
      }
      i += c.bytes;
    }
    out += '"';
  }

  Result<void> line(const JsonStyle& style, int level) {
    if (!style.indent) return {};
    NIBBLE_CHECK(check_text_size(style.indent->size(), std::size_t(level)));
    out += '\n';
    for (int i = 0; i < level; ++i) out += *style.indent;
    return grown();
  }

  Result<void> json(const Value& value, const JsonStyle& style, int level = 0) {
    NIBBLE_CHECK(grown());
    if (const auto* text = value.text()) {
      json_quoted(*text, style.ascii);
      return {};
    }
    if (value.is_none()) {
      out += "null";
      return {};
    }
    if (value.is_bool()) {
      out += value.truthy() ? "true" : "false";
      return {};
    }
    if (value.is_float()) {
      out += float_text(*value.number(), "Infinity", "NaN");
      return {};
    }
    if (value.number()) return repr(value);
    if (const auto* list = value.list(); list && list->sequence <= Sequence::tuple) {
      out += '[';
      for (std::size_t i = 0; i < list->items.size(); ++i) {
        out += i > 0 ? style.item_separator : "";
        NIBBLE_CHECK(line(style, level + 1));
        NIBBLE_CHECK(json(list->items[i], style, level + 1));
      }
      if (!list->items.empty()) NIBBLE_CHECK(line(style, level));
      out += ']';
      return {};
    }
    if (value.dict()) return json_object(value.dict()->items, style, level);
    return error(Errc::bad_request, "a value of type {} cannot be written as JSON", value.type_name());
  }

  Result<void> json_object(Dict::Items items, const JsonStyle& style, int level) {
    NIBBLE_CHECK(rendering_.made(items.size() * sizeof items[0]));
    if (style.sort_keys) {
      for (const auto& [key, item] : items) {
        if (!key.text()) return error(Errc::unsupported, "tojson sorts only keys that are texts");
      }
      std::stable_sort(items.begin(), items.end(),
                       [](const auto& a, const auto& b) { return *a.first.text() < *b.first.text(); });
    }
    out += '{';
    for (std::size_t i = 0; i < items.size(); ++i) {
      out += i > 0 ? style.item_separator : "";
      NIBBLE_CHECK(line(style, level + 1));
      const Value& key = items[i].first;
      if (const auto* text = key.text()) {
        json_quoted(*text, style.ascii);
      } else if (key.is_none() || key.number()) {
        out += '"';
        NIBBLE_CHECK(json(key, style));
        out += '"';
      } else {
        return error(Errc::bad_request, "a key of type {} cannot be written as JSON", key.type_name());
      }
      out += style.key_separator;
      NIBBLE_CHECK(json(items[i].second, style, level + 1));
    }
    if (!items.empty()) NIBBLE_CHECK(line(style, level));
    out += '}';
    return {};
  }

 private:
  Rendering& rendering_;
};

}  // namespace

Result<std::string> to_text(Rendering& rendering, const Value& value) {
  if (const auto* text = value.text()) return *text;
  if (value.is_undefined()) return std::string();
  return to_repr(rendering, value);
}

Result<std::string> to_repr(Rendering& rendering, const Value& value) {
  Writer writer(rendering);
  NIBBLE_CHECK(writer.repr(value));
  return std::move(writer.out);
}

Result<std::string> to_json(Rendering& rendering, const Value& value, const JsonStyle& style) {
  Writer writer(rendering);
  NIBBLE_CHECK(writer.json(value, style));
  return std::move(writer.out);
}

}  // namespace nibble::jinja
