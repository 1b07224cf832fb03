// What loading and quantizing hold in memory: bf16 nothing of the weights, quantizing one tensor at a time.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/wait.h>

#include "../made/made_files.hpp"
#include "engine/load.hpp"
#include "measure/process_memory.hpp"
#include "nibble/generate.hpp"
#include "nibble/quantize.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

// A Llama of two layers, 21 MB in bf16; its largest tensor is the embedding with 8.4 MB.
constexpr std::uint64_t largest_tensor = 8192ull * 512 * 2;

fs::path write_medium_llama(const made::Folder& folder) {
  made::Json config = made::llama_config();
  config.merge_patch({{"hidden_size", 512},
                      {"intermediate_size", 1408},
                      {"num_hidden_layers", 2},
                      {"num_attention_heads", 8},
                      {"num_key_value_heads", 8},
                      {"vocab_size", 8192}});
  std::vector<made::NamedShape> tensors = {{"model.embed_tokens.weight", {8192, 512}}, {"model.norm.weight", {512}}};
  for (const char* layer : {"model.layers.0.", "model.layers.1."})
    for (const made::NamedShape& tensor : made::llama_tensors()) {
      if (!tensor.name.starts_with("model.layers.0.")) continue;
      std::vector<std::int64_t> shape;
      for (const std::int64_t size : tensor.shape) shape.push_back(size == 64 ? 1408 : 512);
      tensors.push_back({layer + tensor.name.substr(15), shape});
    }
  fs::create_directories(folder / "model");
  made::write(folder / "model/config.json", config.dump());
  made::write(folder / "model/model.safetensors", made::bf16_file(tensors));
  return folder / "model";
}

// Bytes that the largest quantized weight takes where it is put together for writing.
std::uint64_t output_buffer(const QuantizationConfig& to) {
  const std::uint64_t linear = 1408 * 512, embedding = 8192 * 512;
  switch (to.format) {
    case Precision::fp32:
      return embedding * 4;
    case Precision::fp16:
      return embedding * 2;
    case Precision::int8:
      return linear + 1408 * 4;
    default:
      return linear / 2 + linear / 64 * 4;
  }
}

const std::vector<QuantizationConfig>& targets() {
  static const std::vector<QuantizationConfig> all = {
      QuantizationConfig::nf4(), QuantizationConfig::nf4({.double_quant = true}), QuantizationConfig(Precision::int8),
      QuantizationConfig(Precision::fp16), QuantizationConfig(Precision::fp32)};
  return all;
}

TEST(LoadingMemory, QuantizingHoldsAtMostTheLargestTensorBesideItsOutput) {
  const made::Folder folder("quantize-buffers");
  const fs::path model = write_medium_llama(folder);
  for (const QuantizationConfig& to : targets()) {
    SCOPED_TRACE(to.label());
    QuantizeCheckpointOptions options;
    options.precision = to;
    options.threads = 2;
    const auto report = quantize_checkpoint(model, folder / "out", options);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_GE(report->peak_buffer_bytes, output_buffer(to)) << "the output was made in memory";
    EXPECT_LE(report->peak_buffer_bytes, output_buffer(to) + largest_tensor);
    // In truth it is far less: two threads' scratch, and plain scales beside nested ones.
    EXPECT_LE(report->peak_buffer_bytes, output_buffer(to) + (2u << 20));
    fs::remove_all(folder / "out");
  }
}

// The same seen from outside: pages of its own that a process which only quantizes has at its highest.
TEST(LoadingMemory, AProcessThatQuantizesGrowsByNoMoreThanThat) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer keeps freed memory";
#endif
  const made::Folder folder("quantize-process");
  const fs::path model = write_medium_llama(folder);
  for (const QuantizationConfig& to : targets()) {
    SCOPED_TRACE(to.label());
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      std::uint64_t grown = ~std::uint64_t(0);
      {
        PeakMemory peak;
        const std::uint64_t before = process_memory().anonymous;
        QuantizeCheckpointOptions options;
        options.precision = to;
        options.threads = 2;
        if (quantize_checkpoint(model, folder / "out", options)) grown = peak.peak().anonymous - before;
      }
      ::_exit(::write(ends[1], &grown, sizeof grown) == sizeof grown ? 0 : 1);
    }
    std::uint64_t grown = 0;
    ASSERT_EQ(::read(ends[0], &grown, sizeof grown), ssize_t(sizeof grown));
    ::waitpid(child, nullptr, 0);
    ::close(ends[0]);
    ::close(ends[1]);
    EXPECT_LE(grown, output_buffer(to) + largest_tensor);
    fs::remove_all(folder / "out");
  }
}

// Predictions go through the allocators that count; what goes past them (JSON, names, lists of tokens, staging) is seen
// from outside alone.
TEST(LoadingMemory, AProcessThatLoadsAndAnswersTakesLittleThatIsNotCounted) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer keeps freed memory";
#endif
  const made::Folder folder("load-process");
  const fs::path model = write_medium_llama(folder);
  for (const QuantizationConfig& precision :
       {QuantizationConfig(Precision::fp32), QuantizationConfig(Precision::int8), QuantizationConfig::nf4()}) {
    SCOPED_TRACE(precision.label());
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      std::uint64_t seen[2] = {};  // by the system, by the allocators
      ::malloc_trim(0);            // what earlier tests left would be used again, and not be seen
      {
        PeakMemory peak;
        const std::uint64_t before = process_memory().anonymous;
        LoadOptions options;
        options.precision = precision;
        options.threads = 2;
        const auto loaded = load_model(model, options);
        const std::vector<std::int32_t> prompt(40, 3);
        if (loaded && generate_ids(Model(*loaded), {prompt}, {.max_new_tokens = 4, .ignore_eos = true})) {
          seen[0] = peak.peak().anonymous - before;
          seen[1] = (*loaded)->backend->memory().use().peak_total;
        }
      }
      ::_exit(::write(ends[1], seen, sizeof seen) == sizeof seen ? 0 : 1);
    }
    std::uint64_t seen[2] = {};
    ASSERT_EQ(::read(ends[0], seen, sizeof seen), ssize_t(sizeof seen));
    ::waitpid(child, nullptr, 0);
    ::close(ends[0]);
    ::close(ends[1]);
    ASSERT_GT(seen[1], 5u << 20);
    EXPECT_LE(seen[0], seen[1] + (4u << 20));
    EXPECT_GE(seen[0], seen[1] * 4 / 5) << "what is counted is taken";
  }
}

TEST(LoadingMemory, InBf16EveryMatrixIsUsedWhereTheFileIsMapped) {
  const auto loaded = load_model(NIBBLE_SOURCE_DIR "/models/gutenberg-16m", {});
  ASSERT_TRUE(loaded) << loaded.error().message;
  const MemoryReport memory = (*loaded)->memory();
  EXPECT_EQ((*loaded)->precision.label(), "bf16");
  EXPECT_EQ(memory.mapped, memory[Purpose::linear_weights] + memory[Purpose::embeddings]);
  EXPECT_EQ(memory.mapped, 31457280u);
  for (const Buffer& buffer : (*loaded)->buffers) EXPECT_LE(buffer.bytes(), 384u * sizeof(float)) << "norms alone";
}

}  // namespace
}  // namespace nibble
