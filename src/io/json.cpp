#include "io/json.hpp"

#include <string>
#include <unordered_set>
#include <vector>

#include "io/mapped_file.hpp"

namespace nibble {
namespace {

constexpr int depth_limit = 200;
constexpr std::size_t file_limit = 100'000'000;  // as of a safetensors header; the largest published index has 10 MB

// The first byte at which brackets nest deeper than the limit; npos: nowhere. Parsers recurse, stacks end.
std::size_t too_deep_at(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > depth_limit) return i;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return std::string_view::npos;
}

// "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ..." without what the caller says
// itself.
std::string cause(const Json::exception& problem) {
  std::string message = problem.what();
  if (const auto end = message.find("] "); end != std::string::npos) message.erase(0, end + 2);
  if (const auto end = message.find(": "); end != std::string::npos && message.starts_with("parse error"))
    message.erase(0, end + 2);
  return message.substr(0, 200);
}

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view place, RepeatedKeys repeated) {
  if (const std::size_t at = too_deep_at(text); at != std::string_view::npos)
    return error(Errc::corrupt_file, "{}: byte {}: nested deeper than {} levels", place, at, depth_limit);
  std::vector<std::unordered_set<std::string>> keys;  // of the objects that are open, by depth
  std::string twice;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    const auto level = std::size_t(depth);
    if (event == Json::parse_event_t::object_start) {
      keys.resize(level + 1);
      keys.emplace_back();
    }
    if (event == Json::parse_event_t::key && !keys[level].insert(value.get<std::string>()).second) twice = value;
    return true;
  };
  // The parser's own exceptions are caught here and nowhere else.
  try {
    Json json = repeated == RepeatedKeys::keep_last ? Json::parse(text) : Json::parse(text, watch);
    if (!twice.empty()) return error(Errc::corrupt_file, "{}: \"{}\" is named twice", place, twice.substr(0, 200));
    return json;
  } catch (const Json::parse_error& problem) {
    return error(Errc::corrupt_file, "{}: not valid JSON at byte {}: {}; if it was downloaded, take it again", place,
                 problem.byte, cause(problem));
  } catch (const Json::exception& problem) {  // a number beyond double
    return error(Errc::corrupt_file, "{}: not valid JSON: {}", place, cause(problem));
  }
}

Result<Json> read_json(const std::filesystem::path& path) {
  NIBBLE_TRY(const std::string text, read_text(path, file_limit));
  return parse_json(text, path.string());
}

std::string shown(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 80);
}

}  // namespace nibble
