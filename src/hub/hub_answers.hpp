// What a hub's answers say: text that anybody may have written, read apart from the network that brings it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hub/http.hpp"

namespace nibble {

struct HubListing {
  std::string commit;              // 40 hexadecimal digits
  std::vector<std::string> files;  // at the top of the repository, plain names
};
// `place` is named in errors, `endpoint` as the server that answered. corrupt_file: not JSON, or no commit.
Result<HubListing> read_listing(std::string_view body, std::string_view place, std::string_view endpoint);

struct FileFacts {
  std::string etag;  // a plain file name of at most 128 bytes
  std::uint64_t bytes = 0;
};
// Of a file, from the headers under its address; X-Linked-* where it lies elsewhere. corrupt_file: no usable size and
// etag.
Result<FileFacts> read_file_facts(const HttpResponse& answer, std::string_view place);

// Where a redirection from `url` leads if it stays on that host: a Location that is a path.
std::optional<std::string> redirected_within_host(const std::string& url, const HttpResponse& answer);

// Retry-After in seconds, at most 300; nothing if there is none, or a date.
std::optional<double> read_retry_after(const HttpResponse& answer);

}  // namespace nibble
