#include "io/json.hpp"

#include <string>

#include "base/printable.hpp"
#include "io/json_builder.hpp"
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

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view place, RepeatedKeys repeated) {
  if (const std::size_t at = too_deep_at(text); at != std::string_view::npos)
    return error(Errc::corrupt_file, "{}: byte {}: nested deeper than {} levels", place, at, depth_limit);
  JsonBuilder builder(json_tree_budget(text.size()), repeated == RepeatedKeys::refuse);
  if (Json::sax_parse(text, &builder)) return builder.take();
  if (!builder.twice().empty()) return error(Errc::corrupt_file, "{}: {} is named twice", place, builder.twice());
  if (builder.is_over_budget())
    return error(Errc::corrupt_file,
                 "{}: {} bytes of JSON that would take more than {} as values; no published file comes near, take it "
                 "again",
                 place, text.size(), json_tree_budget(text.size()));
  if (builder.byte() == 0) return error(Errc::corrupt_file, "{}: not valid JSON: {}", place, builder.cause());
  return error(Errc::corrupt_file, "{}: not valid JSON at byte {}: {}; if it was downloaded, do that again", place,
               builder.byte(), builder.cause());
}

Result<Json> read_json(const std::filesystem::path& path, std::size_t most_bytes) {
  NIBBLE_TRY(const std::string text, read_text(path, most_bytes));
  return parse_json(text, path.string());
}

std::string shown(const Json& value) {
  return printable(value.dump(-1, ' ', false, Json::error_handler_t::replace), 80);
}

}  // namespace nibble
