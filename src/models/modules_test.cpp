// The list of modules: what runs finds the place that its part names, and every part has a name of its own.
#include "models/modules.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "models/transformer.hpp"
#include "ops/reference.hpp"

namespace nibble {
namespace {

ModelShape small() {
  ModelShape shape;
  shape.hidden_size = 8;
  shape.intermediate_size = 12;
  shape.layers = 3;
  shape.heads = 4;
  shape.kv_heads = 2;
  shape.head_dim = 2;
  shape.vocab_size = 10;
  return shape;
}

std::uint64_t elements(const ModelShape& shape) {
  std::uint64_t all = 0;
  for (const ModuleSpec& module : list_modules(shape)) all += module.elements();
  return all;
}

TEST(Modules, EveryPartHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < part_count; ++i)
    EXPECT_TRUE(names.insert(name_of(Part(i))).second) << name_of(Part(i)) << " names two parts";
}

TEST(Modules, EveryTensorIsListedOnceUnderItsOwnName) {
  for (const int variant : {0, 1, 2}) {
    ModelShape shape = small();
    shape.qkv_bias = shape.output_bias = shape.mlp_bias = shape.qk_norm = shape.four_norms = shape.sinks = true;
    shape.fused = variant == 1;
    if (variant == 2) {
      shape.experts = 3;
      shape.expert_width = 5;
      shape.shared_expert_width = 6;
      shape.expert_biases = true;
    }
    std::set<std::string> names;
    for (const ModuleSpec& module : list_modules(shape)) EXPECT_TRUE(names.insert(module.name).second) << module.name;
  }
}

TEST(Modules, EveryLinearLayerHasASlotThatNoOtherHas) {
  ModelShape shape = small();
  shape.qk_norm = true;
  TransformerWeights weights;
  weights.layers.resize(std::size_t(shape.layers));
  std::map<const Linear*, std::string> owners;
  for (const ModuleSpec& module : list_modules(shape)) {
    if (module.role != Role::linear) continue;
    const auto [owner, first] = owners.emplace(&weights.linear(module), module.name);
    EXPECT_TRUE(first) << module.name << " would overwrite " << owner->second;
  }
  EXPECT_EQ(owners.size(), std::size_t(7 * shape.layers));
}

TEST(ModulesDeathTest, AWeightThatNoStepReadsIsNotLeftInSilence) {
  ModelConfig config;
  static_cast<ModelShape&>(config) = small();
  config.windows.assign(std::size_t(config.layers), 0);
  for (const Part part : {Part::qkv, Part::gate_up, Part::router, Part::shared_gate, Part::experts_down}) {
    const auto backend = make_reference_backend();
    const std::vector<float> numbers(std::size_t(config.hidden_size * config.hidden_size), 0.5f);
    Weight weight;
    weight.format = "fp32";
    weight.rows = weight.cols = config.hidden_size;
    weight.codes = reinterpret_cast<const std::byte*>(numbers.data());
    const auto load = [&](bool extra) {
      TransformerWeights weights;
      weights.layers.resize(std::size_t(config.layers));
      for (const ModuleSpec& module : list_modules(config))
        if (module.role == Role::linear)
          weights.linear(module).weight = backend->prepare(weight, {}, Purpose::linear_weights).value();
      if (extra) weights.layers[1].linear(part).weight = backend->prepare(weight, {}, Purpose::linear_weights).value();
      return Transformer::create(config, {}, *backend, std::move(weights), 8).has_value();
    };
    EXPECT_TRUE(load(false));
    EXPECT_DEATH(load(true), "a step of the block reads") << name_of(part);
  }
}

TEST(Modules, FusingAndExpertsOfOneChangeNoCount) {
  const std::uint64_t plain = elements(small());
  ModelShape fused = small();
  fused.fused = true;
  EXPECT_EQ(elements(fused), plain);
  ModelShape expert = small();
  expert.experts = 1;
  expert.expert_width = expert.intermediate_size;
  EXPECT_EQ(elements(expert), plain + std::uint64_t(expert.layers * expert.hidden_size)) << "and its router";
}

}  // namespace
}  // namespace nibble
