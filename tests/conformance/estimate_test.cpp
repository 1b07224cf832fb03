// Estimates of published models against published figures, and advice that follows the memory and the model.
#include <gtest/gtest.h>

#include "../made/made_files.hpp"
#include "nibble/advise.hpp"

namespace nibble {
namespace {

const std::string configs = NIBBLE_SOURCE_DIR "/bench/configs/";

Estimate estimated(const std::string& name, const EstimateOptions& options = {}) {
  auto out = estimate(configs + name, options);
  EXPECT_TRUE(out) << out.error().message;
  return out ? *out : Estimate{};
}

TEST(Estimates, CountTheParametersThatModelCardsName) {
  for (const auto& [name, billions] : {std::pair{"qwen3_4b.json", 4.022},
                                       {"llama_3.1_8b.json", 8.03},
                                       {"tinyllama_1.1b.json", 1.10},
                                       {"mixtral_8x7b.json", 46.70},
                                       {"qwen3_30b_a3b.json", 30.53},
                                       {"gpt_oss_20b.json", 20.91}})
    EXPECT_NEAR(double(estimated(name).parameters) / 1e9, billions, 0.005) << name;
}

TEST(Estimates, OfQwen3AreThePublishedBytes) {
  const Estimate e =
      estimated("qwen3_4b.json",
                {.precisions = {bf16, QuantizationConfig::nf4(), QuantizationConfig::nf4({.double_quant = true})}});
  const double gigabytes[] = {8.045, 2.822, 2.653};
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_NEAR(double(e.precisions[i].bytes.weights_total()) / 1e9, gigabytes[i], 0.0005);
  EXPECT_EQ(e.precisions[0].bytes.mapped, 2 * e.parameters - e.precisions[0].bytes[Purpose::norms] / 2);
}

TEST(Estimates, AddUp) {
  for (const char* name : {"qwen3_4b.json", "mixtral_8x7b.json", "gpt_oss_20b.json"})
    for (const PrecisionEstimate& p : estimated(name).precisions) {
      EXPECT_EQ(p.resident, p.bytes.total() - p.bytes.mapped);
      EXPECT_GE(p.peak, p.resident);
      EXPECT_GT(p.bytes[Purpose::process], 0u);
      EXPECT_GT(p.bytes[Purpose::activations], 0u);
      EXPECT_NEAR(double(p.disk), double(p.bytes.weights_total()), 0.01 * double(p.disk));
      EXPECT_GT(p.bits_per_weight, 4.0);
    }
}

TEST(Estimates, GrowWithContextAndBatchAsTheCacheDoes) {
  const auto cache = [](std::int64_t context, std::int64_t batch, Precision kv) {
    return estimated("tinyllama_1.1b.json", {.precisions = {bf16}, .context = context, .batch = batch, .kv_cache = kv})
        .precisions[0]
        .bytes[Purpose::kv_cache];
  };
  EXPECT_EQ(cache(1000, 1, stored), 2u * 22 * 4 * 64 * 1000 * 2);
  EXPECT_EQ(cache(1000, 3, fp32), 2u * 22 * 4 * 64 * 1000 * 4 * 3);
}

TEST(Estimates, OfABareSizeNameThePublishedModelNearestToIt) {
  for (const auto& [size, name, parameters] : {std::tuple{7e9, "Mistral-7B-v0.3", 7248023552ull},
                                               {8e9, "Llama-3.1-8B", 8030261248ull},
                                               {1.1e9, "TinyLlama-1.1B", 1100048384ull},
                                               {13e9, "Llama-2-13B", 13015864320ull},
                                               {70e9, "Llama-3.1-70B", 70553706496ull},
                                               {405e9, "Llama-3.1-405B", 405853388800ull},
                                               {32e9, "Qwen3-32B", 32762123264ull},
                                               {135e6, "SmolLM2-135M", 134515008ull}}) {
    const auto nearest = estimate_nearest(std::uint64_t(size));
    ASSERT_TRUE(nearest && *nearest);
    EXPECT_EQ((**nearest).architecture, name);
    EXPECT_EQ((**nearest).parameters, parameters);
  }
  const auto none = estimate_nearest(5'000'000'000'000);
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
}

TEST(Estimates, CountWhatHeadersListOfAModelThatIsNotKnown) {
  const made::Folder folder("unknown-kind");
  made::write(folder / "config.json", R"({"model_type": "stranger", "architectures": ["StrangerModel"]})");
  made::write(folder / "model.safetensors", made::bf16_file({{"embed_tokens.weight", {64, 32}},
                                                             {"layer.0.weight", {32, 32}},
                                                             {"vision_tower.patch.weight", {8, 3, 4, 4}},
                                                             {"norm.weight", {32}}}));
  const auto e = estimate(folder.path(), {.precisions = {bf16}});
  ASSERT_TRUE(e) << e.error().message;
  EXPECT_FALSE(e->runs);
  EXPECT_EQ(e->parameters, 64u * 32 + 32 * 32 + 8 * 3 * 4 * 4 + 32);
  EXPECT_EQ(e->precisions[0].bytes[Purpose::embeddings], 2u * 64 * 32);
  std::string notes;
  for (const std::string& note : e->notes) notes += note + "\n";
  EXPECT_NE(notes.find("384 of the parameters read images"), std::string::npos) << notes;
  EXPECT_NE(notes.find("KV cache and activations are not counted"), std::string::npos) << notes;
}

Advice advised(const std::string& name, const AdviseOptions& options) {
  auto out = advise(configs + name, options);
  EXPECT_TRUE(out) << out.error().message;
  return out ? *out : Advice{};
}
std::string choice(const Advice& a) { return a.choice ? a.fits[*a.choice].precision.label() : "nothing"; }

TEST(TheAdvice, FollowsTheMemory) {
  const auto of = [](double gib) {
    return choice(advised("llama_3.1_8b.json", {.memory = std::uint64_t(gib * (1 << 30)), .threads = 1}));
  };
  EXPECT_EQ(of(24), "bf16");
  EXPECT_EQ(of(12), "int8");
  EXPECT_EQ(of(8), "nf4");
  EXPECT_EQ(of(6.4), "nf4 double-quant");
}

TEST(TheAdvice, FollowsTheModel) {
  const AdviseOptions memory{.memory = std::uint64_t(8) << 30, .threads = 1};
  EXPECT_EQ(choice(advised("tinyllama_1.1b.json", memory)), "bf16");
  EXPECT_EQ(choice(advised("qwen3_4b.json", memory)), "int8");
  EXPECT_EQ(choice(advised("llama_3.1_8b.json", memory)), "nf4");
  const Advice none = advised("mixtral_8x7b.json", memory);
  EXPECT_EQ(choice(none), "nothing");
  EXPECT_NE(none.reason.find("the smallest that works"), std::string::npos) << none.reason;
}

TEST(TheAdvice, ShortensTheContextWhereNothingElseHelps) {
  const Advice a = advised("llama_3.1_8b.json", {.memory = std::uint64_t(8) << 30, .context = 65536, .threads = 1});
  EXPECT_EQ(choice(a), "nf4 double-quant");
  EXPECT_LT(a.context, 65536);
  EXPECT_GE(a.context, 4096);
  EXPECT_NE(a.command.find("--context " + std::to_string(a.context)), std::string::npos) << a.command;
}

// What is said to fit is rehearsed in full: it does, and not much more would.
TEST(TheAdvice, NamesTheLongestContextThatReallyFits) {
  for (const char* name : {"qwen3_4b.json", "llama_3.1_8b.json", "mixtral_8x7b.json"}) {
    const Advice a = advised(name, {.memory = std::uint64_t(40) << 30, .threads = 1});
    for (const Fit& fit : a.fits) {
      if (!fit.fits()) continue;
      const auto need = [&](std::int64_t context) {
        const auto e = estimate(configs + name, {.precisions = {fit.precision}, .context = context, .threads = 1});
        return std::max(e->precisions[0].bytes.total(), e->precisions[0].peak);
      };
      EXPECT_LE(need(fit.longest_context), a.usable) << name << " " << fit.precision.label();
      if (fit.longest_context % 256 == 0 && fit.longest_context < 32768) {
        EXPECT_GT(need(fit.longest_context + 512), std::uint64_t(0.99 * double(a.usable)));
      }
    }
  }
}

TEST(TheAdvice, AgreesWithTheUsualRules) {  // under 12 GB four bits, then more room, above 16 GB 16 bits
  const Advice a = advised("llama_3.1_8b.json", {.memory = std::uint64_t(16) << 30, .threads = 1});
  const auto card = [&](const std::string& name) {
    for (const CardFit& fit : a.cards)
      if (fit.card == name) return fit.choice ? fit.fits[*fit.choice].precision.label() : std::string("none");
    return std::string("unknown");
  };
  EXPECT_EQ(card("RTX 4060"), "nf4");
  EXPECT_EQ(card("RTX 4090"), "bf16");
}

TEST(Sizes, AreReadWithTheirUnits) {
  EXPECT_EQ(*parse_bytes("12GiB"), std::uint64_t(12) << 30);
  EXPECT_EQ(*parse_bytes("1.5 GB"), 1'500'000'000u);
  EXPECT_EQ(*parse_bytes("512MiB"), std::uint64_t(512) << 20);
  EXPECT_EQ(*parse_bytes("12gib"), std::uint64_t(12) << 30);
  EXPECT_EQ(*parse_bytes("12GIB"), std::uint64_t(12) << 30);
  for (const char* same : {"12gb", "12G", "12g"}) EXPECT_EQ(*parse_bytes(same), 12'000'000'000u) << same;
  for (const char* bad : {"", "12", "GB", "-1GB", "0GB", "1e30TB", "nanGB", "infGB", "12 gibibytes"})
    EXPECT_FALSE(parse_bytes(bad)) << bad;
}

}  // namespace
}  // namespace nibble
