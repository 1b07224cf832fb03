#include "models/config_rope.hpp"

#include <cmath>

namespace nibble {
namespace {

constexpr std::string_view known[] = {
    "rope_theta",       "rope_type", "type",      "factor",           "low_freq_factor",
    "high_freq_factor", "beta_fast", "beta_slow", "attention_factor", "original_max_position_embeddings"};

struct Rope {
  double theta = 10000;
  RopeScaling scaling;
  bool operator==(const Rope&) const = default;
};

// What transformers fills in by itself is not asked for.
Result<void> check_complete(const ConfigReader& rope, std::string_view type) {
  std::vector<std::string_view> needed = {"factor"};
  if (type == "llama3") needed.insert(needed.end(), {"low_freq_factor", "high_freq_factor"});
  for (const std::string_view key : needed)
    if (!rope.find(key))
      return error(Errc::corrupt_file,
                   "{}: \"{}\" is missing, which rope type \"{}\" needs; take it from the model's card", rope.place(),
                   key, type);
  return {};
}

Result<RopeScaling::Kind> kind_of(std::string_view type, std::string_view place) {
  if (type == "default") return RopeScaling::Kind::none;
  if (type == "linear") return RopeScaling::Kind::linear;
  if (type == "llama3") return RopeScaling::Kind::llama3;
  if (type == "yarn") return RopeScaling::Kind::yarn;
  return error(Errc::unsupported, "{}: rope type \"{}\" is not supported; Nibble has default, linear, llama3, yarn",
               place, type);
}

Result<Rope> read_object(const Json& object, const std::string& place, double theta, std::int64_t max_positions) {
  if (!object.is_object()) return error(Errc::corrupt_file, "{}: expected an object, found {}", place, shown(object));
  const ConfigReader reader(object, place);
  for (const auto& [name, value] : object.items())
    if (!ConfigReader::is_among(known, name) && !value.is_null())
      return error(Errc::unsupported, "{}: \"{}\": {} is not understood", place, name, shown(value));
  Rope out;
  NIBBLE_TRY(out.theta, reader.number("rope_theta", theta));
  NIBBLE_TRY(std::string type, reader.text("type", "default"));
  NIBBLE_TRY(type, reader.text("rope_type", type));
  RopeScaling& scaling = out.scaling;
  NIBBLE_TRY(scaling.kind, kind_of(type, place));
  if (scaling.kind == RopeScaling::Kind::none) return out;
  NIBBLE_CHECK(check_complete(reader, type));
  NIBBLE_TRY(scaling.factor, reader.number("factor", 1));
  NIBBLE_TRY(scaling.low_freq_factor, reader.number("low_freq_factor", 1));
  NIBBLE_TRY(scaling.high_freq_factor, reader.number("high_freq_factor", 4));
  NIBBLE_TRY(scaling.beta_fast, reader.number("beta_fast", 32));
  NIBBLE_TRY(scaling.beta_slow, reader.number("beta_slow", 1));
  if (reader.find("attention_factor")) {
    NIBBLE_TRY(scaling.attention_factor, reader.number("attention_factor", 1));
  }
  NIBBLE_TRY(scaling.original_positions,
             reader.size("original_max_position_embeddings", max_positions, ConfigReader::most_positions));
  // Each would divide by zero.
  if (type == "yarn" && out.theta <= 1)
    return error(Errc::corrupt_file, "{}: \"rope_theta\" is {}, yarn needs more than 1", place, out.theta);
  if (type == "llama3" && scaling.low_freq_factor >= scaling.high_freq_factor)
    return error(Errc::corrupt_file, "{}: \"low_freq_factor\" {} should be below \"high_freq_factor\" {}", place,
                 scaling.low_freq_factor, scaling.high_freq_factor);
  return out;
}

}  // namespace

// "rope_parameters" is how transformers 5 spells it, "rope_scaling" beside "rope_theta" what was before. Where a file
// has both, transformers takes the old one and forgets the theta of the new: whoever added one to the other meant
// neither.
Result<void> read_rope(const ConfigReader& reader, ModelConfig& out) {
  NIBBLE_TRY(const double theta, reader.number("rope_theta", 10000));
  Rope found{theta, {}};
  std::string_view read;
  for (const std::string_view key : {"rope_parameters", "rope_scaling"}) {
    const Json* object = reader.find(key);
    if (!object || (object->is_object() && object->empty())) continue;
    NIBBLE_TRY(const Rope rope,
               read_object(*object, fmt::format("{}: {}", reader.place(), key), theta, out.max_positions));
    if (!read.empty() && rope != found)
      return error(
          Errc::corrupt_file,
          "{}: \"{}\" and \"{}\" contradict each other; keep one, with \"rope_theta\" in \"rope_parameters\" or "
          "beside \"rope_scaling\"",
          reader.place(), read, key);
    found = rope;
    read = key;
  }
  out.rope_theta = found.theta;
  out.rope_scaling = found.scaling;
  for (const double frequency : rope_frequencies(out).frequencies)
    if (!std::isfinite(frequency))
      return error(Errc::corrupt_file, "{}: \"rope_theta\" is {}, with which a rotary frequency is no number",
                   reader.place(), out.rope_theta);
  return {};
}

}  // namespace nibble
