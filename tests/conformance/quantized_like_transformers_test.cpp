// Quantizing a plain checkpoint gives, tensor for tensor, the bytes that transformers and bitsandbytes saved of it on a
// CPU. Only fp4 codes and nested codes may differ, as ops/quantize_differences_test.cpp lists.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/numeric.hpp"
#include "io/codecs/bnb.hpp"
#include "ops/quantize.hpp"

namespace nibble {
namespace {

const std::filesystem::path folder = NIBBLE_SOURCE_DIR "/tests/golden/quantization";

ElementReader bf16_reader(const StoredTensor& tensor) {
  return [&tensor](std::int64_t first, std::int64_t count, float* out) {
    const auto* bits = reinterpret_cast<const std::uint16_t*>(tensor.bytes.data()) + first;
    for (std::int64_t i = 0; i < count; ++i) out[i] = bf16_to_float(bits[i]);
  };
}

struct Case {
  const char* folder;
  QuantizeOptions options;
  std::vector<std::string_view> may_differ;  // ends of tensor names
};

TEST(QuantizedLikeTransformers, EveryTensorOfASavedFolderHasItsBytes) {
  const std::vector<Case> cases = {{"llama-nf4", {"nf4"}, {}},
                                   {"llama-nf4-double", {"nf4", 64, true}, {"_proj.weight.absmax"}},
                                   {"llama-fp4", {"fp4"}, {"_proj.weight"}},
                                   {"llama-int8", {"int8"}, {}}};
  const auto source = Safetensors::open(folder / "llama-bf16" / "model.safetensors");
  ASSERT_TRUE(source) << source.error().message;
  HostAllocator memory;
  ThreadPool pool(2);
  for (const Case& c : cases) {
    SCOPED_TRACE(c.folder);
    const auto saved = Safetensors::open(folder / c.folder / "model.safetensors");
    ASSERT_TRUE(saved) << saved.error().message;
    std::map<std::string, const StoredTensor*> expected;
    for (const StoredTensor& tensor : saved->tensors()) expected[tensor.name] = &tensor;
    for (const StoredTensor& tensor : source->tensors()) {
      if (!tensor.name.ends_with("_proj.weight")) continue;
      auto ours = allocate_quantized(memory, c.options, tensor.shape[0], tensor.shape[1], Purpose::linear_weights,
                                     Purpose::scales);
      ASSERT_TRUE(ours && quantize(bf16_reader(tensor), *ours, pool));
      const auto stored = write_bnb_weight(tensor.name, ours->weight, DType::bf16);
      ASSERT_TRUE(stored) << stored.error().message;
      for (std::size_t i = 0; i < stored->entries.size(); ++i) {
        const auto& entry = stored->entries[i];
        ASSERT_TRUE(expected.contains(entry.name)) << entry.name;
        const StoredTensor& theirs = *expected[entry.name];
        EXPECT_EQ(entry.dtype, theirs.dtype) << entry.name;
        EXPECT_EQ(entry.shape, theirs.shape) << entry.name;
        const bool same =
            std::equal(theirs.bytes.begin(), theirs.bytes.end(), stored->bytes[i].begin(), stored->bytes[i].end());
        const bool listed =
            std::any_of(c.may_differ.begin(), c.may_differ.end(), [&](auto end) { return entry.name.ends_with(end); });
        EXPECT_TRUE(same || listed) << entry.name;
        expected.erase(entry.name);
      }
    }
    for (const auto& [name, tensor] : expected) EXPECT_EQ(bnb_companion_of(name), "") << name << " was not written";
  }
}

}  // namespace
}  // namespace nibble
