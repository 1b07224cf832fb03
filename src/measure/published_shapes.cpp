// Shapes of published models, so that "7b" can be held against something real. The counts that follow from them are the
// published ones (estimate_test).
#include <cmath>

#include "measure/subject.hpp"

namespace nibble {
namespace {

struct Shape {
  const char* name;
  std::int64_t hidden, inner, layers, heads, kv_heads, head_dim, vocabulary, positions;
  bool tied = false, qk_norm = false;
};

constexpr Shape shapes[] = {
    {"SmolLM2-135M", 576, 1536, 30, 9, 3, 64, 49152, 8192, true},
    {"Qwen3-0.6B", 1024, 3072, 28, 16, 8, 128, 151936, 40960, true, true},
    {"TinyLlama-1.1B", 2048, 5632, 22, 32, 4, 64, 32000, 2048},
    {"Llama-3.2-1B", 2048, 8192, 16, 32, 8, 64, 128256, 131072, true},
    {"Qwen3-1.7B", 2048, 6144, 28, 16, 8, 128, 151936, 40960, true, true},
    {"Llama-3.2-3B", 3072, 8192, 28, 24, 8, 128, 128256, 131072, true},
    {"Qwen3-4B", 2560, 9728, 36, 32, 8, 128, 151936, 40960, true, true},
    {"Mistral-7B-v0.3", 4096, 14336, 32, 32, 8, 128, 32768, 32768},
    {"Llama-3.1-8B", 4096, 14336, 32, 32, 8, 128, 128256, 131072},
    {"Llama-2-13B", 5120, 13824, 40, 40, 40, 128, 32000, 4096},
    {"Qwen3-14B", 5120, 17408, 40, 40, 8, 128, 151936, 40960, false, true},
    {"Qwen3-32B", 5120, 25600, 64, 64, 8, 128, 151936, 40960, false, true},
    {"Llama-3.1-70B", 8192, 28672, 80, 64, 8, 128, 128256, 131072},
    {"Llama-3.1-405B", 16384, 53248, 126, 128, 8, 128, 128256, 131072},
};

Subject subject_of(const Shape& shape) {
  ModelConfig config;
  config.architecture = shape.name;
  config.hidden_size = shape.hidden;
  config.intermediate_size = shape.inner;
  config.layers = shape.layers;
  config.heads = shape.heads;
  config.kv_heads = shape.kv_heads;
  config.head_dim = shape.head_dim;
  config.vocab_size = shape.vocabulary;
  config.max_positions = shape.positions;
  config.tied_embeddings = shape.tied;
  config.qk_norm = shape.qk_norm;
  config.windows.assign(std::size_t(shape.layers), 0);
  Subject subject;
  subject.architecture = shape.name;
  for (const ModuleSpec& module : list_modules(config)) subject.parameters += module.elements();
  subject.config = std::move(config);
  subject.stored = Precision::bf16;
  return subject;
}

}  // namespace

std::optional<Subject> nearest_shape(std::uint64_t parameters) {
  std::optional<Subject> best;
  double distance = std::log(1.2);
  for (const Shape& shape : shapes) {
    Subject subject = subject_of(shape);
    const double apart =
        std::abs(std::log(double(subject.parameters) / double(std::max<std::uint64_t>(parameters, 1))));
    if (apart < distance) {
      distance = apart;
      best = std::move(subject);
    }
  }
  return best;
}

}  // namespace nibble
