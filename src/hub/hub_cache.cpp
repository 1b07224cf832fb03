#include "hub/hub_cache.hpp"

#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/error.hpp"
#include "io/folder.hpp"
#include "io/mapped_file.hpp"
#include "io/shard_index.hpp"

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

bool is_inside(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

Error leads_out(const fs::path& path) {
  return error(Errc::corrupt_file,
               "{}: leads out of the model's folder in the cache; remove it, and look who put it there", path.string());
}

}  // namespace

namespace {

// What a browser shows, as org/name says it; empty: it is no address of the hub. A page of a file or of a revision
// names both: org/name/blob/REVISION/FILE.gguf.
std::string from_address(std::string_view text) {
  for (const std::string_view scheme : {"https://", "http://"})
    if (text.starts_with(scheme)) {
      text.remove_prefix(scheme.size());
      break;
    }
  bool found = false;
  for (const std::string_view host : {"huggingface.co/", "www.huggingface.co/", "hf.co/"})
    if (!found && text.starts_with(host)) {
      text.remove_prefix(host.size());
      found = true;
    }
  if (!found) return {};
  text = text.substr(0, text.find_first_of("?#"));
  while (text.ends_with('/')) text.remove_suffix(1);
  for (const std::string_view kind : {"/tree/", "/blob/", "/resolve/"}) {
    const std::size_t at = text.find(kind);
    if (at == text.npos) continue;
    const std::string_view behind = text.substr(at + kind.size());
    const std::size_t slash = kind == "/tree/" ? behind.npos : behind.find('/');
    return fmt::format("{}{}@{}", text.substr(0, at), slash == behind.npos ? "" : behind.substr(slash),
                       behind.substr(0, slash));
  }
  return std::string(text);
}

std::optional<HubName> plain_name(std::string_view model) {
  HubName name;
  std::string_view id = model;
  if (const std::size_t at = model.find('@'); at != model.npos) {
    const std::string_view revision = model.substr(at + 1);
    const bool plain = revision.find("//") == revision.npos && revision.find("/.") == revision.npos;
    if (!is_word(revision, "._-/", 128) || revision.back() == '/' || !plain) return {};
    name.revision = revision;
    id = model.substr(0, at);
  }
  const std::size_t slash = id.find('/');
  if (slash == id.npos) return {};
  const std::string_view org = id.substr(0, slash);
  std::string_view rest = id.substr(slash + 1);
  if (const std::size_t second = rest.find('/'); second != rest.npos) {
    const std::string_view file = rest.substr(second + 1);
    if (!file.ends_with(".gguf") || !is_plain_file_name(file)) return {};
    name.file = file;
    rest = rest.substr(0, second);
  }
  if (!is_word(org, "._-", 96) || !is_word(rest, "._-", 96)) return {};
  name.id = fmt::format("{}/{}", org, rest);
  return name;
}

}  // namespace

std::optional<HubName> parse_hub_name(std::string_view model) {
  const std::string address = from_address(model);
  if (address.empty()) return plain_name(model);
  auto name = plain_name(address);
  if (name) name->explicitly = true;
  return name;
}

HubCache::HubCache(const fs::path& root, const std::string& id) {
  std::string name = "models--" + id;
  name.replace(name.find('/'), 1, "--");
  folder_ = root / name;
}

std::optional<std::string> HubCache::commit_of(const std::string& revision) const {
  std::error_code code;
  if (fs::is_directory(snapshot(revision), code)) return revision;
  const auto text = read_text(folder_ / "refs" / revision, 256);
  if (!text) return {};
  const std::string commit = text->substr(0, text->find_first_of(" \r\n"));
  if (!is_word(commit, "", 64)) return {};
  return commit;
}

Result<void> HubCache::remember(const std::string& revision, const std::string& commit) {
  if (revision == commit) return {};
  const fs::path path = folder_ / "refs" / revision;
  NIBBLE_CHECK(make_folder(path.parent_path()));
  NIBBLE_TRY(AtomicFile file, AtomicFile::create(path));
  NIBBLE_CHECK(file.write(commit));
  return file.commit();
}

Result<void> HubCache::check_inside(const std::string& commit, const std::string& revision) const {
  for (const fs::path& path : {folder_ / "blobs", snapshot(commit), (folder_ / "refs" / revision).parent_path()}) {
    std::error_code code;
    const fs::path real = fs::weakly_canonical(path, code);
    if (code || !is_inside(real, fs::weakly_canonical(folder_, code))) return leads_out(path);
  }
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
    const fs::path real = fs::canonical(at, code);
    if (code || !is_inside(real, fs::canonical(folder_, code))) return leads_out(at);
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
  NIBBLE_TRY(const Json json, read_json(index, large_json_limit));
  NIBBLE_TRY(const auto map, parse_shard_index(json, index.string()));
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : map) shards.insert(shard);
  return std::vector<std::string>(shards.begin(), shards.end());
}

}  // namespace nibble
