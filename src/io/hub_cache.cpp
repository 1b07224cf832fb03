#include "io/hub_cache.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "io/mapped_file.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

fs::path cache_folder() {
  const auto set = [](const char* name) {
    const char* value = std::getenv(name);
    return value && *value ? fs::path(value) : fs::path();
  };
  if (const fs::path cache = set("HF_HUB_CACHE"); !cache.empty()) return cache;
  if (const fs::path home = set("HF_HOME"); !home.empty()) return home / "hub";
  return set("HOME") / ".cache/huggingface/hub";
}

bool plain(const std::string& part) {
  return !part.empty() && part[0] != '.' && std::all_of(part.begin(), part.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_' || c == '.';
  });
}

}  // namespace

Result<fs::path> find_model(const fs::path& model) {
  std::error_code ignored;
  const std::string text = model.string();
  const std::size_t slash = text.find('/');
  if (fs::exists(model, ignored) || slash == std::string::npos) return model;
  const std::string org = text.substr(0, slash), name = text.substr(slash + 1);
  if (!plain(org) || !plain(name)) return model;
  const fs::path kept = cache_folder() / ("models--" + org + "--" + name);
  if (!fs::exists(kept / "refs/main", ignored))
    return error(Errc::not_found,
                 "{}: no such folder or file, and not in the Hugging Face cache ({} does not exist); Nibble does not "
                 "download yet: fetch it with `hf download {}`, or name a folder or file",
                 text, kept.string(), text);
  NIBBLE_TRY(std::string commit, read_text(kept / "refs/main", 4096));
  while (!commit.empty() && std::isspace(static_cast<unsigned char>(commit.back()))) commit.pop_back();
  if (!plain(commit))
    return error(Errc::corrupt_file, "{}: holds no name of a commit; fetch the model again",
                 (kept / "refs/main").string());
  const fs::path snapshot = kept / "snapshots" / commit;
  if (!fs::exists(snapshot, ignored))
    return error(Errc::not_found, "{}: the cache names this snapshot but does not have it; fetch the model again",
                 snapshot.string());
  return snapshot;
}

}  // namespace nibble
