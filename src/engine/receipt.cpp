#include "engine/receipt.hpp"

#include <algorithm>
#include <cmath>

#include "base/digest.hpp"
#include "io/codecs/bnb.hpp"

namespace nibble {
namespace {

bool is_hash(const Json& value) {
  return value.is_string() && value.get_ref<const std::string&>().size() == 64 &&
         value.get_ref<const std::string&>().find_first_not_of("0123456789abcdef") == std::string::npos;
}

// Always as long: two digits of exponent hold every error that means something.
std::string number(double value) { return fmt::format("{:.6e}", value < 1e-99 ? 0.0 : std::min(value, 1e99)); }

}  // namespace

std::string Receipt::text() const {
  std::string out = fmt::format(R"({{"nibble":{},"recipe":{},"source_type":{})", Json(version).dump(),
                                Json(recipe).dump(), Json(source_type).dump());
  if (!files.empty()) out += ",\"files\":" + Json(files).dump(-1, ' ', false, Json::error_handler_t::replace);
  out += ",\"tensors\":{";
  bool first = true;
  for (const auto& [name, tensor] : tensors) {
    out += fmt::format(R"({}{}:{{"sha256":"{}")", first ? "" : ",", Json(name).dump(), tensor.sha256);
    if (!tensor.source.empty()) out += fmt::format(R"(,"source":"{}")", tensor.source);
    if (tensor.error) out += ",\"error\":" + number(*tensor.error);
    out += "}";
    first = false;
  }
  return out + "}}";
}

bool Receipt::read_tensor(const Json& entry, Tensor& out) {
  if (!entry.is_object() || !entry.contains("sha256") || !is_hash(entry["sha256"])) return false;
  out.sha256 = entry["sha256"].get<std::string>();
  if (entry.contains("source")) {
    if (!is_hash(entry["source"])) return false;
    out.source = entry["source"].get<std::string>();
  }
  if (entry.contains("error")) {
    if (!entry["error"].is_number()) return false;
    out.error = entry["error"].get<double>();
    if (!(*out.error >= 0 && std::isfinite(*out.error))) return false;
  }
  return true;
}

Result<Receipt> Receipt::parse(std::string_view text, std::string_view place) {
  const auto damaged = [&](std::string_view what) {
    return error(Errc::corrupt_file, "{}: the receipt {}; the file is damaged, convert the model again", place, what);
  };
  NIBBLE_TRY(const Json json, parse_json(text, fmt::format("{}: the receipt", place), RepeatedKeys::refuse));
  Receipt out;
  if (!json.is_object()) return damaged("is not an object");
  for (const auto& [name, into] :
       {std::pair{"nibble", &out.version}, {"recipe", &out.recipe}, {"source_type", &out.source_type}}) {
    if (!json.contains(name) || !json[name].is_string()) return damaged(fmt::format("has no text \"{}\"", name));
    *into = json[name].get<std::string>();
  }
  for (const auto& [key, value] : json.items())
    if (key != "nibble" && key != "recipe" && key != "source_type" && key != "tensors" && key != "files")
      return error(Errc::unsupported, "{}: the receipt says \"{}\", which Nibble {} does not know; it is of version {}",
                   place, key.substr(0, 80), NIBBLE_VERSION, out.version.substr(0, 80));
  if (const auto files = json.find("files"); files != json.end()) {
    if (!files->is_object()) return damaged("is wrong about files");
    for (const auto& [name, hash] : files->items()) {
      if (!is_hash(hash)) return damaged(fmt::format("is wrong about file \"{}\"", name));
      out.files.emplace(name, hash.get<std::string>());
    }
  }
  if (!json.contains("tensors") || !json["tensors"].is_object()) return damaged("lists no tensors");
  for (const auto& [name, entry] : json["tensors"].items()) {
    Tensor tensor;
    if (!read_tensor(entry, tensor)) return damaged(fmt::format("is wrong about tensor \"{}\"", name));
    out.tensors.emplace(name, std::move(tensor));
  }
  return out;
}

std::string source_hash(const Checkpoint& checkpoint, std::string_view weight) {
  Digest hash;
  for (const CheckpointTensor* tensor : checkpoint.parts_of(weight)) hash.add(tensor->bytes);
  return hash.finish();
}

}  // namespace nibble
