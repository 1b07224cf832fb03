// Typed access to config.json; every message names file, key, what was expected and what was found.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

#include "io/json.hpp"

namespace nibble {

class ConfigReader {
 public:
  ConfigReader(const Json& config, std::string_view place) : config_(config), place_(place) {}

  const Json* find(std::string_view key) const {
    const auto found = config_.find(key);
    return found == config_.end() || found->is_null() ? nullptr : &*found;
  }
  bool absent(std::string_view key) const { return !config_.contains(key); }  // null is a value: "none"
  // Far beyond any model, and so small that no product of sizes overflows 64 bits.
  static constexpr std::int64_t largest = std::int64_t(1) << 20, most_positions = std::int64_t(1) << 28;

  Result<std::int64_t> size(std::string_view key, std::int64_t fallback = -1, std::int64_t limit = largest) const {
    const Json* value = find(key);
    if (!value && fallback >= 0) return fallback;
    if (!value)
      return error(Errc::corrupt_file, "{}: \"{}\" is missing; the config does not say how big the model is", place_,
                   key);
    if (!value->is_number_integer() || *value < 1 || *value > limit)
      return error(Errc::corrupt_file, "{}: \"{}\" is {}, expected a whole number from 1 to {}", place_, key,
                   shown(*value), limit);
    return value->get<std::int64_t>();
  }
  // A count that may be 0.
  Result<std::int64_t> layers(std::string_view key, std::int64_t fallback) const {
    const Json* value = find(key);
    return value && *value == 0 ? Result<std::int64_t>(0) : size(key, fallback);
  }
  Result<double> number(std::string_view key, double fallback) const {
    const Json* value = find(key);
    if (!value) return fallback;
    if (!value->is_number() || !std::isfinite(value->get<double>()) || value->get<double>() <= 0)
      return error(Errc::corrupt_file, "{}: \"{}\" is {}, expected a positive number", place_, key, shown(*value));
    return value->get<double>();
  }
  Result<bool> flag(std::string_view key, bool fallback) const {
    const Json* value = find(key);
    if (!value) return fallback;
    if (!value->is_boolean())
      return error(Errc::corrupt_file, "{}: \"{}\" is {}, expected true or false", place_, key, shown(*value));
    return value->get<bool>();
  }
  Result<std::string> text(std::string_view key, std::string_view fallback) const {
    const Json* value = find(key);
    if (!value) return std::string(fallback);
    if (!value->is_string())
      return error(Errc::corrupt_file, "{}: \"{}\" is {}, expected text", place_, key, shown(*value));
    return value->get<std::string>();
  }
  std::string_view place() const { return place_; }
  template <class Range>
  static bool is_among(const Range& keys, std::string_view key) {
    return std::find(std::begin(keys), std::end(keys), key) != std::end(keys);
  }

 private:
  const Json& config_;
  std::string_view place_;
};

}  // namespace nibble
