// From a checkpoint to a model that computes: every weight is used where it lies, or quantized into a buffer of its
// own.
#pragma once

#include "engine/loaded_model.hpp"
#include "engine/loader.hpp"
#include "engine/placement.hpp"

namespace nibble {

Result<void> check_threads(int threads);
Result<void> check_workload(std::int64_t context, std::int64_t batch);
// Loads `path` as options say.
Result<std::shared_ptr<LoadedModel>> load_model(const std::filesystem::path& path, const LoadOptions& options);
// The same shape with seeded random weights. `outliers`: share of hidden columns whose activations exceed the int8
// threshold.
Result<std::shared_ptr<LoadedModel>> load_random_model(const ModelConfig& config, const LoadOptions& options,
                                                       std::uint64_t seed, double outliers);

}  // namespace nibble
