#include "io/json.hpp"

#include "io/mapped_file.hpp"

namespace nibble {
namespace {

constexpr int depth_limit = 200;

// The first byte at which brackets nest deeper than the limit; npos: nowhere. Parsers recurse, stacks end.
std::size_t too_deep_at(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      else if (c == '"') quoted = false;
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

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view place) {
  if (const std::size_t at = too_deep_at(text); at != std::string_view::npos)
    return error(Errc::corrupt_file, "{}: byte {}: nested deeper than {} levels", place, at, depth_limit);
  // The parser's own message names byte and cause; it is caught here and nowhere else.
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const Json::exception& problem) {
    std::string message = problem.what();
    if (const auto bracket = message.find("] "); bracket != std::string::npos) message.erase(0, bracket + 2);
    return error(Errc::corrupt_file, "{}: not valid JSON: {}", place, message.substr(0, 300));
  }
}

Result<Json> read_json(const std::filesystem::path& path) {
  NIBBLE_TRY(const std::string text, read_text(path));
  return parse_json(text, path.string());
}

}  // namespace nibble
