#include "engine/journal.hpp"

#include <cmath>
#include <optional>

#include "base/digest.hpp"

namespace nibble {
namespace {

constexpr int version = 2;
constexpr std::uint64_t most_bytes = std::uint64_t(1) << 60;

std::optional<std::string> text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return {};
  return found->get<std::string>();
}

std::optional<double> sum_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return {};
  const double value = found->get<double>();
  return std::isfinite(value) && value >= 0 ? std::optional(value) : std::nullopt;
}

// Each line begins with its hash: numbers in it are not to be had from the bytes that were written.
constexpr std::size_t hash_digits = 64;
std::string with_hash(const std::string& text) { return sha256(text) + " " + text + "\n"; }

bool read_first(const Json& line, Journal& out) {
  const auto number = line.find("nibble.journal");
  if (number == line.end() || !number->is_number_unsigned() || *number != version) return false;
  const auto to = text_of(line, "to"), recipe = text_of(line, "recipe"), source = text_of(line, "source");
  if (!to || !recipe || recipe->empty() || !source) return false;
  out.to = *to;
  out.recipe = *recipe;
  out.source = *source;
  return true;
}

bool read_record(const Json& line, Journal& out) {
  const auto weight = text_of(line, "weight");
  const auto difference = sum_of(line, "difference"), original = sum_of(line, "original");
  const auto parts = line.find("parts");
  if (!weight || !difference || !original || parts == line.end() || !parts->is_array()) return false;
  Journal::Record record;
  record.error = {*difference, *original};
  std::uint64_t total = 0;
  for (const Json& entry : *parts) {
    Journal::Part part;
    const auto name = entry.is_object() ? text_of(entry, "name") : std::nullopt;
    if (!name || !entry.contains("bytes") || !entry["bytes"].is_number_unsigned() ||
        !Receipt::read_tensor(entry, part.note))
      return false;
    part.name = *name;
    part.bytes = entry["bytes"].get<std::uint64_t>();
    if (part.bytes > most_bytes || (total += part.bytes) > most_bytes) return false;
    record.parts.push_back(std::move(part));
  }
  out.records[*weight] = std::move(record);
  return true;
}

}  // namespace

std::string Journal::first_line() const {
  return with_hash(Json({{"nibble.journal", version}, {"to", to}, {"recipe", recipe}, {"source", source}})
                       .dump(-1, ' ', false, Json::error_handler_t::replace));  // a file's name may be no text
}

std::string Journal::line(const std::string& weight, const Record& record) {
  Json parts = Json::array();
  for (const Part& part : record.parts) {
    Json entry = {{"name", part.name}, {"bytes", part.bytes}, {"sha256", part.note.sha256}};
    if (!part.note.source.empty()) entry["source"] = part.note.source;
    if (part.note.error) entry["error"] = *part.note.error;
    parts.push_back(std::move(entry));
  }
  return with_hash(Json({{"weight", weight},
                         {"parts", parts},
                         {"difference", record.error.difference},
                         {"original", record.error.original}})
                       .dump());
}

Journal Journal::parse(std::string_view text) {
  Journal out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    if (end == std::string_view::npos) break;  // it was being written
    const std::string_view whole = text.substr(at, end - at);
    if (whole.size() <= hash_digits || whole.substr(0, hash_digits) != sha256(whole.substr(hash_digits + 1))) break;
    const auto line = parse_json(whole.substr(hash_digits + 1), "journal");
    if (!line || !line->is_object() || !(at == 0 ? read_first(*line, out) : read_record(*line, out))) break;
    at = end + 1;
  }
  return out;
}

}  // namespace nibble
