// For tests: tensors of a golden file by name, and what the shipped model makes of its golden ids.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "engine/load.hpp"
#include "io/safetensors.hpp"
#include "measure/divergence.hpp"

namespace nibble {

class GoldenTensors {
 public:
  explicit GoldenTensors(const std::string& name)
      : file_(Safetensors::open(std::string(NIBBLE_SOURCE_DIR) + "/tests/golden/" + name).value()) {}

  bool has(const std::string& name) const { return find(name) != nullptr; }
  // The elements as stored; T must have their size.
  template <class T>
  std::vector<T> get(const std::string& name) const {
    const StoredTensor* tensor = find(name);
    if (!tensor || size_of(tensor->dtype) != sizeof(T)) {
      ADD_FAILURE() << "no golden tensor " << name << " with elements of " << sizeof(T) << " bytes";
      return {};
    }
    std::vector<T> out(tensor->bytes.size() / sizeof(T));
    std::memcpy(out.data(), tensor->bytes.data(), tensor->bytes.size());
    return out;
  }

 private:
  const StoredTensor* find(const std::string& name) const {
    for (const StoredTensor& tensor : file_.tensors())
      if (tensor.name == name) return &tensor;
    return nullptr;
  }
  Safetensors file_;
};

// How far a computation is from the golden one.
struct Deviation {
  double largest = 0, squares = 0;
  std::int64_t count = 0;

  void add(double computed, double golden) {
    const double difference = std::fabs(computed - golden);
    largest = std::max(largest, difference);
    squares += difference * difference;
    ++count;
  }
  double rms() const { return std::sqrt(squares / double(count)); }
};

// The bar of a computation in fp32: twice what transformers' own in fp32 is off by. `theirs` holds its largest and its
// rms deviation from float64, which the golden file has beside what float64 gives.
inline void expect_as_near_as_fp32(const Deviation& ours, const std::vector<float>& theirs) {
  ASSERT_EQ(theirs.size(), 2u);
  ASSERT_GT(ours.count, 0);
  EXPECT_LE(ours.largest, 2 * theirs[0]);
  EXPECT_LE(ours.rms(), 2 * theirs[1]);
}

// Losses of ids[1:], and logits at `positions` of every `column_step`-th id, one position after the other.
struct Computed {
  std::vector<double> nll;
  std::vector<float> logits;
};

inline Computed compute(LoadedModel& model, std::span<const std::int32_t> ids, std::span<const std::int64_t> positions,
                        std::size_t column_step) {
  Computed out;
  const auto count = std::int64_t(ids.size());
  KvCache cache = KvCache::create(model.transformer->config(), *model.backend, model.kv_dtype, count).value();
  const Slice slice{&cache, ids, LogitsOf::all};
  const auto sink = [&](std::size_t, std::int64_t position, std::span<const float> logits) {
    if (position + 1 < count) out.nll.push_back(negative_log_likelihood(logits, ids[std::size_t(position) + 1]));
    if (std::find(positions.begin(), positions.end(), position) != positions.end())
      for (std::size_t i = 0; i < logits.size(); i += column_step) out.logits.push_back(logits[i]);
  };
  const auto done = model.transformer->forward({&slice, 1}, sink);
  EXPECT_TRUE(done) << done.error().message;
  return out;
}

// The linear layers of a loaded model by module name, in the order of the names.
inline std::vector<std::pair<std::string, const PreparedWeight*>> linear_layers(LoadedModel& model) {
  std::vector<std::pair<std::string, const PreparedWeight*>> out;
  for (const ModuleSpec& module : list_modules(model.transformer->config()))
    if (module.role == Role::linear)
      out.emplace_back(module.module(), model.transformer->weights().linear(module).weight.get());
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace nibble
