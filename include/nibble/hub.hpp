// Models by their name on the Hugging Face hub, kept in the cache that huggingface_hub and transformers use.
// Layout: <cache>/models--org--name/{blobs/<etag>, refs/<revision>, snapshots/<commit>/<file> -> ../../blobs/<etag>}.
//
// Threads: any number, of one process or of several; who asks for a file that another fetches waits for it. Nobody may
// change the environment meanwhile. on_progress comes on threads of the download, one call at a time.
// Implemented in src/hub/hub.cpp and download.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "nibble/result.hpp"

namespace nibble {

enum class HubFiles {
  all,        // configuration, tokenizer, weights
  config,     // config.json alone, which is enough to estimate
  tokenizer,  // configuration and tokenizer
};

struct HubOptions {
  HubFiles files = HubFiles::all;
  std::string endpoint = {};  // empty: $HF_ENDPOINT (a mirror), else the hub itself
  // Empty: $HF_HUB_CACHE, $HF_HOME/hub, $XDG_CACHE_HOME/huggingface/hub or ~/.cache/huggingface/hub.
  std::filesystem::path cache = {};
  std::string token = {};  // empty: $HF_TOKEN, or the file $HF_TOKEN_PATH or $HF_HOME/token; sent to the endpoint alone
  bool offline = false;    // use what is cached; also with $HF_HUB_OFFLINE=1
  int connections = 8;     // ranges of one file that are fetched at the same time
  std::uint64_t part_bytes = 16 << 20;  // of one range; what is whole survives an interruption
  int attempts = 5;                     // without any progress, before a file is given up
  double first_wait_seconds = 1;        // doubled with each attempt, unless the server says Retry-After
  // Bytes of this model that are there, of how many; return false to stop (what is whole is continued next time).
  std::function<bool(std::uint64_t done, std::uint64_t total)> on_progress = {};
};

// Whether `model` has the form of a name on the hub: "org/name", "org/name@revision", "org/name/file.gguf"; any of them
// behind "hf.co/", or the address that a browser shows of the model, a revision or a file.
bool is_hub_name(std::string_view model);

// The folder (or .gguf file) of a model, downloaded if the cache lacks it. What names an existing path, or has not the
// form of a hub name, is given back as it is. Proxies: $https_proxy, $all_proxy and $no_proxy in either case,
// $http_proxy in lower case alone, as libcurl has it. Errors: not_found (no such model, revision or file; nothing
// cached while offline; "org" is a folder here, so that a path was meant unless "hf.co/" stands before it), bad_request
// (gated: how to ask for access), unsupported (pickled weights alone), corrupt_file (bytes that do not have the hash
// that the hub names), io_failure (network, disk), cancelled.
Result<std::filesystem::path> locate_model(const std::string& model, const HubOptions& options = {});

}  // namespace nibble
