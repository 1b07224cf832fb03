#include "hub/hub_answers.hpp"

#include <algorithm>
#include <charconv>

#include "base/error.hpp"
#include "io/shard_index.hpp"

namespace nibble {

Result<HubListing> read_listing(std::string_view body, std::string_view place, std::string_view endpoint) {
  NIBBLE_TRY(const Json json, parse_json(body, place));
  HubListing out;
  const auto commit = json.find("sha"), siblings = json.find("siblings");
  if (commit != json.end() && commit->is_string()) out.commit = commit->get<std::string>();
  if (out.commit.size() != 40 || out.commit.find_first_not_of("0123456789abcdef") != std::string::npos)
    return error(Errc::corrupt_file, "{}: {} did not answer with a commit; is it a mirror of the hub?", place,
                 endpoint);
  if (siblings == json.end() || !siblings->is_array()) return out;
  for (const Json& entry : *siblings)
    if (const auto file = entry.find("rfilename"); entry.is_object() && file != entry.end() && file->is_string())
      if (is_plain_file_name(file->get_ref<const std::string&>())) out.files.push_back(file->get<std::string>());
  return out;
}

Result<FileFacts> read_file_facts(const HttpResponse& answer, std::string_view place) {
  constexpr std::uint64_t most = std::uint64_t(1) << 46;
  const std::string linked = answer.header("x-linked-etag");
  FileFacts out;
  out.etag = linked.empty() ? answer.header("etag") : linked;
  if (out.etag.starts_with("W/")) out.etag.erase(0, 2);
  std::erase(out.etag, '"');
  const std::string size = linked.empty() ? answer.header("content-length") : answer.header("x-linked-size");
  const auto [end, code] = std::from_chars(size.data(), size.data() + size.size(), out.bytes);
  if (code != std::errc() || end != size.data() + size.size() || out.bytes > most || !is_plain_file_name(out.etag) ||
      out.etag.size() > 128)
    return error(Errc::corrupt_file,
                 "{}: the server names no usable size and etag (\"{}\", \"{}\"); is it a mirror of the hub?", place,
                 size.substr(0, 80), out.etag.substr(0, 80));
  return out;
}

std::optional<std::string> redirected_within_host(const std::string& url, const HttpResponse& answer) {
  const std::string place = answer.header("location");
  if (answer.status / 100 != 3 || !place.starts_with('/') || !answer.header("x-linked-etag").empty()) return {};
  const std::size_t scheme = url.find("://"), host = scheme == url.npos ? 0 : scheme + 3;
  return url.substr(0, url.find('/', host)) + place;
}

std::optional<double> read_retry_after(const HttpResponse& answer) {
  const std::string text = answer.header("retry-after");
  double seconds = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (code != std::errc() || end != text.data() + text.size() || !(seconds >= 0)) return {};
  return std::min(seconds, 300.0);
}

}  // namespace nibble
