// Quantizing a plain checkpoint gives, tensor for tensor, the bytes that transformers and bitsandbytes saved of it on a
// CPU. Only fp4 codes and nested codes may differ, as ops/quantize_differences_test.cpp lists.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "base/digest.hpp"
#include "base/numeric.hpp"
#include "golden_tensors.hpp"
#include "io/codecs/bnb.hpp"
#include "nibble/quantize.hpp"
#include "ops/quantization.hpp"

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

template <class T>
std::vector<T> bytes_as(std::span<const std::byte> bytes) {
  std::vector<T> out(bytes.size() / sizeof(T));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

TEST(QuantizedLikeTransformers, ASavedFolderIsLoadedWithTheseVeryBytes) {
  for (const std::string name : {"llama-nf4", "llama-nf4-double", "llama-fp4", "llama-int8"}) {
    SCOPED_TRACE(name);
    const auto saved = Safetensors::open(folder / name / "model.safetensors").value();
    std::map<std::string, std::span<const std::byte>> stored;
    for (const StoredTensor& tensor : saved.tensors()) stored[tensor.name] = tensor.bytes;
    const auto model = load_model(folder / name, {});
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ(fmt::format("llama-{}", name_of((*model)->precision.format)), name.substr(0, name.find("-double")));
    std::size_t compared = 0;
    for (const auto& [layer, prepared] : linear_layers(**model)) {
      const Weight& w = prepared->canonical();
      EXPECT_EQ(bytes_as<std::byte>({w.codes, w.code_bytes}), bytes_as<std::byte>(stored.at(layer + ".weight")));
      if (w.format == "int8") {
        EXPECT_EQ(std::vector<float>(w.scales.begin(), w.scales.end()), bytes_as<float>(stored.at(layer + ".SCB")));
      } else if (w.nested.empty()) {
        EXPECT_EQ(std::vector<float>(w.scales.begin(), w.scales.end()),
                  bytes_as<float>(stored.at(layer + ".weight.absmax")));
      } else {
        EXPECT_EQ(std::vector<std::uint8_t>(w.nested.codes.begin(), w.nested.codes.end()),
                  bytes_as<std::uint8_t>(stored.at(layer + ".weight.absmax")));
        EXPECT_EQ(std::vector<float>(w.nested.absmax.begin(), w.nested.absmax.end()),
                  bytes_as<float>(stored.at(layer + ".weight.nested_absmax")));
        EXPECT_EQ(std::vector<float>(w.nested.map.begin(), w.nested.map.end()),
                  bytes_as<float>(stored.at(layer + ".weight.nested_quant_map")));
      }
      ++compared;
    }
    EXPECT_EQ(compared % 7, 0u);
    EXPECT_GT(compared, 0u);
  }
}

TEST(QuantizedLikeTransformers, ASavedFolderComputesWhatQuantizingTheOriginalDoes) {
  const std::vector<std::int32_t> ids = {1, 5, 9, 2, 30, 11, 7};
  const std::vector<std::int64_t> positions = {0, 1, 2, 3, 4, 5, 6};
  for (const auto& [name, precision] :
       {std::pair{"llama-nf4", QuantizationConfig::nf4()}, {"llama-int8", QuantizationConfig::int8()}}) {
    LoadOptions quantize;
    quantize.precision = precision;
    const auto stored = load_model(folder / name, {}), made = load_model(folder / "llama-bf16", quantize);
    ASSERT_TRUE(stored && made) << name;
    EXPECT_EQ(compute(**stored, ids, positions, 1).logits, compute(**made, ids, positions, 1).logits) << name;
  }
}

// Nothing promises that a tensor lies at a multiple of its element: one byte in front, and all are off. A layer that
// was left out of quantization must not be quantized because of that.
TEST(QuantizedLikeTransformers, ASkippedLayerStaysPlainWhereverItLies) {
  const std::string skipped = "model.layers.0.self_attn.q_proj";
  const auto quantized = Safetensors::open(folder / "llama-nf4" / "model.safetensors").value(),
             original = Safetensors::open(folder / "llama-bf16" / "model.safetensors").value();
  std::vector<StoredTensor> tensors;
  const std::byte padding{};
  tensors.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", DType::u8, {1}, {&padding, 1}});
  for (const StoredTensor& tensor : original.tensors())
    if (tensor.name == skipped + ".weight") tensors.push_back(tensor);
  for (const StoredTensor& tensor : quantized.tensors())
    if (!tensor.name.starts_with(skipped + ".")) tensors.push_back(tensor);

  const std::filesystem::path copy =
      std::filesystem::temp_directory_path() / fmt::format("nibble-skipped-{}", ::getpid());
  std::filesystem::create_directories(copy);
  std::filesystem::copy_file(folder / "llama-nf4" / "config.json", copy / "config.json",
                             std::filesystem::copy_options::overwrite_existing);
  std::vector<SafetensorsWriter::Entry> entries;
  for (const StoredTensor& tensor : tensors) entries.push_back({tensor.name, tensor.dtype, tensor.shape});
  auto writer = SafetensorsWriter::create(copy / "model.safetensors", entries, {{"format", "pt"}});
  ASSERT_TRUE(writer) << writer.error().message;
  for (const StoredTensor& tensor : tensors) ASSERT_TRUE(writer->write(tensor.bytes));
  ASSERT_TRUE(writer->commit());
  {
    const auto model = load_model(copy, {});
    ASSERT_TRUE(model) << model.error().message;
    for (const auto& [layer, prepared] : linear_layers(**model)) {
      const Weight& w = prepared->canonical();
      EXPECT_EQ(w.format, layer == skipped ? "bf16" : "nf4") << layer;
      if (layer == skipped) {
        EXPECT_EQ(bytes_as<std::byte>({w.codes, w.code_bytes}), bytes_as<std::byte>(tensors[1].bytes));
      }
    }
  }
  std::filesystem::remove_all(copy);
}

// Safetensors to 4 or 8 bits (saved by transformers) and to bf16 again: the bytes that bitsandbytes dequantizes to.
TEST(QuantizedLikeTransformers, ASavedFolderIsDequantizedToTheseVeryBytes) {
  const auto golden = read_json(NIBBLE_SOURCE_DIR "/tests/golden/dequantized.json");
  ASSERT_TRUE(golden) << golden.error().message;
  const auto out = std::filesystem::temp_directory_path() / ("nibble-dequantized-" + std::to_string(::getpid()));
  for (const auto& [name, weights] : golden->items()) {
    SCOPED_TRACE(name);
    QuantizeCheckpointOptions options;
    options.precision.format = Precision::bf16;
    options.allow_requantize = true;
    const auto done = quantize_checkpoint(folder / name, out, options);
    ASSERT_TRUE(done) << done.error().message;
    const auto file = Safetensors::open(out / "model.safetensors");
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->tensors().size(), weights.size());
    for (const StoredTensor& tensor : file->tensors())
      EXPECT_EQ(sha256(tensor.bytes), weights.value(tensor.name, "")) << tensor.name;
    std::filesystem::remove_all(out);
  }
}

}  // namespace
}  // namespace nibble
