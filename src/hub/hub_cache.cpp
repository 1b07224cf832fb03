#include "hub/hub_cache.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>

#include "base/error.hpp"
#include "io/folder.hpp"
#include "io/json.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view index_name = "model.safetensors.index.json";

bool is_word(std::string_view text, std::string_view further, std::size_t longest) {
  return !text.empty() && text.size() <= longest && text.find("..") == text.npos && text[0] != '.' && text[0] != '-' &&
         std::all_of(text.begin(), text.end(), [&](unsigned char c) {
           return (c < 128 && std::isalnum(c)) || further.find(char(c)) != further.npos;
         });
}

Result<void> make_folder(const fs::path& path) {
  std::error_code code;
  fs::create_directories(path, code);
  if (!code) return {};
  return error(Errc::io_failure, "{}: cannot make this folder ({}); HF_HOME names another place", path.string(),
               code.message());
}

}  // namespace

std::optional<HubName> parse_hub_name(std::string_view model) {
  HubName name;
  std::string_view id = model;
  if (const std::size_t at = model.find('@'); at != model.npos) {
    const std::string_view revision = model.substr(at + 1);
    if (!is_word(revision, "._-/", 128) || revision.back() == '/') return {};
    name.revision = revision, id = model.substr(0, at);
  }
  const std::size_t slash = id.find('/');
  if (slash == id.npos) return {};
  const std::string_view org = id.substr(0, slash);
  std::string_view rest = id.substr(slash + 1);
  if (const std::size_t second = rest.find('/'); second != rest.npos) {
    const std::string_view file = rest.substr(second + 1);
    if (!file.ends_with(".gguf") || !is_plain_file_name(file)) return {};
    name.file = file, rest = rest.substr(0, second);
  }
  if (!is_word(org, "._-", 96) || !is_word(rest, "._-", 96)) return {};
  name.id = fmt::format("{}/{}", org, rest);
  return name;
}

bool is_plain_file_name(std::string_view name) {
  return !name.empty() && name.size() <= 200 && name[0] != '.' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return c >= 32 && c != '/' && c != '\\'; });
}

HubCache::HubCache(const fs::path& root, const std::string& id) {
  std::string name = "models--" + id;
  name.replace(name.find('/'), 1, "--");
  folder_ = root / name;
}

std::optional<std::string> HubCache::commit_of(const std::string& revision) const {
  std::error_code code;
  if (fs::is_directory(snapshot(revision), code)) return revision;
  std::ifstream file(folder_ / "refs" / revision);
  std::string commit;
  if (!(file >> commit) || !is_word(commit, "", 64)) return {};
  return commit;
}

Result<void> HubCache::remember(const std::string& revision, const std::string& commit) {
  if (revision == commit) return {};
  const fs::path path = folder_ / "refs" / revision;
  NIBBLE_CHECK(make_folder(path.parent_path()));
  const fs::path temporary = path.string() + ".partial";
  std::error_code code;
  {
    std::ofstream file(temporary);
    file << commit << std::flush;
    if (!file) return error(Errc::io_failure, "{}: cannot be written; is there space?", temporary.string());
  }
  fs::rename(temporary, path, code);
  if (code) return error(Errc::io_failure, "{}: cannot be written ({})", path.string(), code.message());
  return {};
}

Result<void> HubCache::link(const std::string& commit, const std::string& file, const std::string& etag) {
  NIBBLE_CHECK(make_folder(snapshot(commit)));
  const fs::path path = snapshot(commit) / file, target = fs::path("../../blobs") / etag;
  std::error_code code;
  if (fs::read_symlink(path, code) == target) return {};
  const fs::path temporary = path.string() + ".partial";
  fs::remove(temporary, code);
  fs::create_symlink(target, temporary, code);
  if (!code) fs::rename(temporary, path, code);
  if (code) return error(Errc::io_failure, "{}: cannot be linked to its blob ({})", path.string(), code.message());
  return {};
}

Result<std::optional<fs::path>> HubCache::complete(const std::string& commit, const HubName& name,
                                                   HubFiles files) const {
  const fs::path folder = snapshot(commit);
  const std::optional<fs::path> nothing;
  std::error_code code;
  std::vector<std::string> there;
  const auto listed = names_in_folder(folder);
  for (const std::string& file : listed ? *listed : std::vector<std::string>()) {
    const fs::path at = folder / file;
    if (!fs::exists(at, code)) continue;  // a link to a blob that is not there (yet)
    const fs::path real = fs::canonical(at, code), own = fs::canonical(folder_, code);
    if (code || std::mismatch(own.begin(), own.end(), real.begin(), real.end()).first != own.end())
      return error(Errc::corrupt_file,
                   "{}: leads out of the model's folder in the cache; remove it, and look who put it there",
                   at.string());
    there.push_back(file);
  }
  const auto wanted = choose_files(there, name, files);
  const bool config = std::find(there.begin(), there.end(), "config.json") != there.end();
  if (!wanted || (!config && !wanted->front().ends_with(".gguf"))) return nothing;
  for (const std::string& file : *wanted) {
    if (std::find(there.begin(), there.end(), file) == there.end()) return nothing;
    if (file == index_name) {
      NIBBLE_TRY(const auto shards, shards_of_index(folder / file));
      for (const std::string& shard : shards)
        if (std::find(there.begin(), there.end(), shard) == there.end()) return nothing;
    }
    if (file.ends_with(".gguf")) return std::optional(folder / file);
  }
  return std::optional(folder);
}

Result<std::vector<std::string>> choose_files(const std::vector<std::string>& there, const HubName& name,
                                              HubFiles files) {
  const auto has = [&](std::string_view file) { return std::find(there.begin(), there.end(), file) != there.end(); };
  const auto ending = [&](std::string_view end) {
    std::vector<std::string> out;
    for (const std::string& file : there)
      if (file.ends_with(end) && is_plain_file_name(file)) out.push_back(file);
    return out;
  };
  if (!name.file.empty()) {
    if (has(name.file)) return std::vector{name.file};
    return error(Errc::not_found, "{} has no file {}; it has {}", name.id, name.file, fmt::join(ending(".gguf"), ", "));
  }
  if (files == HubFiles::config && has("config.json")) return std::vector<std::string>{"config.json"};
  std::vector<std::string> out;
  for (const char* file :
       {"config.json", "generation_config.json", "tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt",
        "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"})
    if (has(file)) out.push_back(file);
  if (files == HubFiles::tokenizer && (has("tokenizer.json") || has("tokenizer.model") || has("vocab.json")))
    return out;
  if (has("model.safetensors")) {
    out.push_back("model.safetensors");
  } else if (has(index_name)) {
    out.emplace_back(index_name);
  } else if (auto weights = ending(".safetensors"); !weights.empty()) {
    out.insert(out.end(), weights.begin(), weights.end());
  } else if (auto gguf = ending(".gguf"); gguf.size() == 1) {
    return gguf;
  } else if (!gguf.empty()) {
    return error(Errc::not_found, "{} has several files, name one of them as {}/FILE: {}", name.id, name.id,
                 fmt::join(gguf, ", "));
  } else if (!ending(".bin").empty() || !ending(".pth").empty()) {
    return error(Errc::unsupported,
                 "{} has pickled weights only (.bin), which can run code when they are read, so Nibble does not; look "
                 "for a revision with safetensors (often {}@refs/pr/1)",
                 name.id, name.id);
  } else {
    return error(Errc::not_found, "{} has no weights that Nibble reads (no .safetensors, no .gguf)", name.id);
  }
  return out;
}

Result<std::vector<std::string>> shards_of_index(const fs::path& index) {
  NIBBLE_TRY(const Json json, read_json(index));
  const auto map = json.find("weight_map");
  if (map == json.end() || !map->is_object())
    return error(Errc::corrupt_file, "{}: has no \"weight_map\"", index.string());
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : map->items()) {
    if (!shard.is_string() || !is_plain_file_name(shard.get_ref<const std::string&>()))
      return error(Errc::corrupt_file, "{}: tensor \"{}\" lies in {}, which is no file beside the index",
                   index.string(), tensor, shard.dump());
    shards.insert(shard.get<std::string>());
  }
  return std::vector<std::string>(shards.begin(), shards.end());
}

}  // namespace nibble
