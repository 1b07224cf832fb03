// huggingface_hub's cache: where things lie, and what of a model is there already.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "nibble/hub.hpp"

namespace nibble {

// "org/name@revision" or "org/name/file.gguf", in parts.
struct HubName {
  std::string id;                 // "org/name"
  std::string revision = "main";  // a branch, a tag or a commit
  std::string file;               // empty, or one .gguf file
  bool explicitly = false;        // it was written as an address of the hub, and can mean nothing here
};
// "org/name[@revision]", "org/name/FILE.gguf", and the same behind "hf.co/" or as the address of a page of the hub.
std::optional<HubName> parse_hub_name(std::string_view model);

class HubCache {
 public:
  HubCache(const std::filesystem::path& root, const std::string& id);

  // The commit that a revision stood for when it was last asked for.
  std::optional<std::string> commit_of(const std::string& revision) const;
  Result<void> remember(const std::string& revision, const std::string& commit);

  std::filesystem::path blob(const std::string& etag) const { return folder_ / "blobs" / etag; }
  std::filesystem::path snapshot(const std::string& commit) const { return folder_ / "snapshots" / commit; }
  // Whether what is about to be written stays in the model's own folder: no part of the way may be a link out of it.
  Result<void> check_inside(const std::string& commit, const std::string& revision) const;
  // Makes the snapshot's file point to a blob that is whole.
  Result<void> link(const std::string& commit, const std::string& file, const std::string& etag);
  // What loading needs, if all of it is there: the snapshot's folder or its .gguf file. An error if a link leads out of
  // the model's own folder.
  Result<std::optional<std::filesystem::path>> complete(const std::string& commit, const HubName& name,
                                                        HubFiles files) const;
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

// The files of a folder in Hugging Face layout that Nibble reads, out of those that there are; shards of an index come
// later. unsupported: only pickled weights; not_found: no weights, or several .gguf files and none named.
Result<std::vector<std::string>> choose_files(const std::vector<std::string>& there, const HubName& name,
                                              HubFiles files);
// The shards that an index names, each once.
Result<std::vector<std::string>> shards_of_index(const std::filesystem::path& index);

}  // namespace nibble
