// The cache that huggingface_hub keeps: models--ORG--NAME/snapshots/COMMIT, the commit of a branch in refs/.
#pragma once

#include <filesystem>

#include "base/error.hpp"

namespace nibble {

// `model` itself if it exists; "org/name" is looked up in the cache ($HF_HUB_CACHE, $HF_HOME/hub,
// ~/.cache/huggingface/hub) as its main branch. not_found: says where it was looked for.
Result<std::filesystem::path> find_model(const std::filesystem::path& model);

}  // namespace nibble
