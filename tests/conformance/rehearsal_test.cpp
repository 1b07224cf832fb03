// What is predicted is what is taken: random small models in files, loaded and run at every precision, byte for byte.
#include "engine/rehearsal.hpp"

#include <gtest/gtest.h>

#include <random>

#include "../made/made_files.hpp"
#include "engine/load.hpp"
#include "nibble/evaluate.hpp"
#include "nibble/generate.hpp"

namespace nibble {
namespace {

constexpr int models = 220;

class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(engine_);
  }
  bool coin() { return between(0, 1) == 1; }
  template <class T>
  T one_of(std::initializer_list<T> all) {
    return all.begin()[between(0, std::int64_t(all.size()) - 1)];
  }

 private:
  std::mt19937 engine_;
};

made::Json random_config(Dice& dice) {
  made::Json config = made::llama_config();
  const std::int64_t kv_heads = dice.between(1, 3), heads = kv_heads * dice.between(1, 4),
                     head_dim = 2 * dice.between(4, 20);
  config.merge_patch({{"hidden_size", dice.between(8, 200)},
                      {"intermediate_size", dice.between(8, 400)},
                      {"num_hidden_layers", dice.between(1, 3)},
                      {"num_attention_heads", heads},
                      {"num_key_value_heads", kv_heads},
                      {"head_dim", head_dim},
                      {"vocab_size", dice.between(16, 3000)},
                      {"max_position_embeddings", dice.one_of({64, 300, 5000})},
                      {"tie_word_embeddings", dice.coin()}});
  if (dice.coin()) {
    config["attention_bias"] = true;
    config["mlp_bias"] = dice.coin();
  }
  if (!config.contains("attention_bias") && dice.coin()) {
    config["architectures"] = {"Qwen3ForCausalLM"};
    config["model_type"] = "qwen3";
  }
  return config;
}

// The modules that the config asks for, with values.
void write_model(const made::fs::path& folder, const made::Json& json, const ModelConfig& config) {
  std::vector<made::NamedShape> tensors;
  for (const ModuleSpec& module : list_modules(config))
    tensors.push_back({module.name, module.cols ? std::vector<std::int64_t>{module.rows, module.cols}
                                                : std::vector<std::int64_t>{module.rows}});
  made::fs::create_directories(folder);
  made::write(folder / "config.json", json.dump());
  made::write(folder / "model.safetensors", made::bf16_file(tensors));
}

void expect_same(const MemoryReport& predicted, const MemoryReport& taken) {
  for (const PurposeFacts& p : purposes) EXPECT_EQ(predicted[p.purpose], taken[p.purpose]) << p.label;
  EXPECT_EQ(predicted.mapped, taken.mapped);
}

// Loads it, reads `batch` prompts into caches of `context`, generates a token, and looks while all of that is held.
void check_generation(const made::fs::path& folder, const ModelConfig& config, const LoadOptions& options,
                      const Workload& workload) {
  const auto checkpoint = Checkpoint::open(folder);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  const DType kept = unquantized_dtype_of(**checkpoint);
  const auto plan = rehearse(config, checkpoint->get(), options, kept, workload);
  ASSERT_TRUE(plan) << plan.error().message;
  const auto loaded = load_model(folder, options);
  ASSERT_TRUE(loaded) << loaded.error().message;
  LoadedModel& model = **loaded;
  EXPECT_EQ(plan->load_peak, model.load_peak);

  std::vector<KvCache> caches;
  for (std::int64_t i = 0; i < workload.batch; ++i) {
    auto cache = KvCache::create(config, *model.backend, model.kv_dtype, workload.context);
    ASSERT_TRUE(cache);
    caches.push_back(std::move(*cache));
  }
  const std::vector<std::int32_t> prompt(std::size_t(workload.tokens / workload.batch), 3);
  std::vector<Slice> slices;
  for (KvCache& cache : caches)
    slices.push_back({&cache, prompt, workload.all_logits ? LogitsOf::all : LogitsOf::last});
  ASSERT_TRUE(model.transformer->forward(slices, [](auto, auto, auto) {}));
  const std::int32_t next = 5;
  for (Slice& slice : slices) {
    slice.tokens = {&next, 1};
    slice.logits = LogitsOf::last;
  }
  if (caches[0].length() < workload.context) {
    ASSERT_TRUE(model.transformer->forward(slices, [](auto, auto, auto) {}));
  }
  expect_same(plan->bytes, model.memory());
  EXPECT_EQ(plan->own.total(), model.backend->memory().use().total);
  EXPECT_EQ(plan->peak(), model.backend->memory().use().peak_total);
}

TEST(Rehearsal, PredictsEveryByteThatARunTakes) {
  const made::Folder folder("rehearsal");
  Dice dice(20260825);
  for (int i = 0; i < models; ++i) {
    const made::Json json = random_config(dice);
    const auto config = read_model_config(json, "made");
    ASSERT_TRUE(config) << config.error().message;
    write_model(folder / "model", json, *config);
    for (const QuantizationConfig& precision :
         {QuantizationConfig(), QuantizationConfig(Precision::fp32), QuantizationConfig(Precision::bf16),
          QuantizationConfig(Precision::fp16), QuantizationConfig::int8(), QuantizationConfig::nf4(),
          QuantizationConfig::nf4({.double_quant = true, .block_size = 32}),
          QuantizationConfig::fp4({.compute_dtype = fp32, .skip = {"down_proj"}})}) {
      LoadOptions options;
      options.precision = precision;
      options.threads = dice.between(1, 4) == 1 ? 2 : 1;
      options.pass_tokens = dice.between(1, 40);
      options.kv_cache = dice.one_of({stored, fp32, bf16});
      Workload workload{.context = dice.between(2, std::min<std::int64_t>(40, config->max_positions)),
                        .batch = dice.between(1, 3)};
      workload.tokens = workload.batch * dice.between(1, workload.context);
      workload.all_logits = dice.coin();
      SCOPED_TRACE(json.dump() + " " + precision.label() + " context " + std::to_string(workload.context) + " batch " +
                   std::to_string(workload.batch) + " tokens " + std::to_string(workload.tokens) + " pass " +
                   std::to_string(options.pass_tokens) + " threads " + std::to_string(options.threads));
      check_generation(folder / "model", *config, options, workload);
      if (HasFailure()) return;
    }
    made::fs::remove_all(folder / "model");
  }
}

// The same from config.json alone, where the weights lie in the type that it names.
TEST(Rehearsal, NeedsNoWeights) {
  const made::Folder folder("rehearsal-config");
  Dice dice(7);
  for (int i = 0; i < 40; ++i) {
    const made::Json json = random_config(dice);
    const auto config = read_model_config(json, "made");
    ASSERT_TRUE(config);
    write_model(folder / "model", json, *config);
    const auto checkpoint = Checkpoint::open(folder / "model");
    ASSERT_TRUE(checkpoint);
    for (const QuantizationConfig& precision : {QuantizationConfig(), QuantizationConfig(Precision::fp32),
                                                QuantizationConfig::int8(), QuantizationConfig::nf4()}) {
      LoadOptions options;
      options.precision = precision;
      const Workload workload{.context = 30};
      const auto with = rehearse(*config, checkpoint->get(), options, DType::bf16, workload),
                 without = rehearse(*config, nullptr, options, DType::bf16, workload);
      ASSERT_TRUE(with && without);
      expect_same(without->bytes, with->bytes);
      EXPECT_EQ(without->load_peak, with->load_peak);
    }
  }
}

}  // namespace
}  // namespace nibble
