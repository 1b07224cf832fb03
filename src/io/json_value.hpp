// nlohmann-json's values where memory ends. Version 3.11 takes memory to destroy a value, and an allocation that fails
// in a destructor ends the program; it also loses an object whose filling fails. Both members are replaced here, for
// types that are Nibble's own, so that nobody else's are touched.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

// Makes the types below Nibble's own, so that what is specialized for them is nobody else's.
template <class T, class = void>
struct JsonSerializer : nlohmann::adl_serializer<T> {};

using Json = nlohmann::basic_json<std::map, std::vector, std::string, bool, std::int64_t, std::uint64_t, double,
                                  std::allocator, JsonSerializer>;
using OrderedJson = nlohmann::basic_json<nlohmann::ordered_map, std::vector, std::string, bool, std::int64_t,
                                         std::uint64_t, double, std::allocator, JsonSerializer>;

// Null where making the value failed half-way.
template <class T>
void destroy_json_part(T* part) {
  if (!part) return;
  std::destroy_at(part);
  std::allocator<T>().deallocate(part, 1);
}

// `out` is null, and destroyed whole if this throws.
template <class Value>
void fill_json(Value& out, typename Value::initializer_list_t parts, bool deduce, typename Value::value_t wanted) {
  const bool pairs = std::all_of(parts.begin(), parts.end(), [](const auto& part) {
    return part->is_array() && part->size() == 2 && (*part)[0].is_string();
  });
  if (pairs && (deduce || wanted == Value::value_t::object)) {
    out = Value(Value::value_t::object);
    for (const auto& part : parts) {
      Value pair = part.moved_or_copied();
      out.emplace(std::move(pair[0].template get_ref<std::string&>()), std::move(pair[1]));
    }
  } else {
    out = Value(Value::value_t::array);
    for (const auto& part : parts) out.push_back(part.moved_or_copied());
  }
}

// value == "text" makes a value of the text first, in a function of the library that may not throw.
template <class Value>
bool is_text(const Value& value, std::string_view text) {
  const auto* own = value.template get_ptr<const std::string*>();
  return own && *own == text;
}

}  // namespace nibble

// Written for what 3.11 has inside; with another version values are as that version makes them.
#if NLOHMANN_JSON_VERSION_MAJOR == 3 && NLOHMANN_JSON_VERSION_MINOR == 11

// The library moves children to a heap-allocated list first, so that deep values do not exhaust the stack. Here text is
// refused beyond a depth (json.hpp), and children are destroyed where they lie.
template <>
inline void nibble::Json::json_value::destroy(value_t type) {
  if (type == value_t::object) nibble::destroy_json_part(object);
  if (type == value_t::array) nibble::destroy_json_part(array);
  if (type == value_t::string) nibble::destroy_json_part(string);
  if (type == value_t::binary) nibble::destroy_json_part(binary);
}
template <>
inline void nibble::OrderedJson::json_value::destroy(value_t type) {
  if (type == value_t::object) nibble::destroy_json_part(object);
  if (type == value_t::array) nibble::destroy_json_part(array);
  if (type == value_t::string) nibble::destroy_json_part(string);
  if (type == value_t::binary) nibble::destroy_json_part(binary);
}

// Delegating makes a value that is destroyed when what follows throws.
template <>
inline nibble::Json::basic_json(initializer_list_t parts, bool deduce, value_t wanted) : basic_json(nullptr) {
  nibble::fill_json(*this, parts, deduce, wanted);
}
template <>
inline nibble::OrderedJson::basic_json(initializer_list_t parts, bool deduce, value_t wanted) : basic_json(nullptr) {
  nibble::fill_json(*this, parts, deduce, wanted);
}

#endif
