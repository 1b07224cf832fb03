// `doctor --quality`: per-layer KL is what two models loaded side by side give, and a damaged layer is found.
#include <gtest/gtest.h>

#include "../made/damaged_model.hpp"
#include "doctor_sample.hpp"

namespace nibble {
namespace {

QualityReport examined(const std::filesystem::path& model, const QuantizationConfig& precision, std::int64_t tokens) {
  auto report = examine_quality(model, precision, sample(tokens));
  EXPECT_TRUE(report) << report.error().message;
  return report ? *report : QualityReport();
}

// KL by the public way: the model loaded in `precision`, beside the stored weights with products in fp32.
Divergence beside_the_reference(const QuantizationConfig& precision, std::int64_t tokens) {
  QuantizationConfig stored;
  stored.compute_dtype = Precision::fp32;
  const Model reference = Model::load(shipped, {.precision = stored}).value();
  const Model model = Model::load(shipped, {.precision = precision}).value();
  std::vector<std::int32_t> ids = model.tokenizer().value().encode(held_out_text());
  ids.resize(std::size_t(tokens));
  return *evaluate_against(model, reference, ids).value().divergence;
}

TEST(DoctorQuality, OfALayerIsWhatLoadingItAloneInThatPrecisionGives) {
  // Products in fp32 everywhere, so that the layers that are kept compute as the reference does.
  const QuantizationConfig nf4 = QuantizationConfig::nf4({.compute_dtype = Precision::fp32});
  const QualityReport report = examined(shipped, nf4, 48);
  ASSERT_EQ(report.layers.size(), 56u);
  for (std::size_t i = 0; i < report.layers.size(); i += 5) {
    QuantizationConfig alone = nf4;
    alone.skip = {"^(?!" + report.layers[i].module + "$)"};
    // The same logits; probabilities that are kept in fp32 move KL by at most 2^-24 of the mean |log p - log q|, which
    // is below 2 here.
    EXPECT_NEAR(report.layers[i].mean_kl, beside_the_reference(alone, 48).mean_kl, 0x1p-23) << report.layers[i].module;
    if (i > 0) {
      EXPECT_GE(report.layers[i - 5].mean_kl, report.layers[i].mean_kl) << "worst first";
    }
  }
}

TEST(DoctorQuality, OfWholeModelsIsWhatEvalGives) {
  const QualityReport report = examined(shipped, QuantizationConfig::int8(), 64);
  ASSERT_EQ(report.precisions.size(), 6u);
  for (const PrecisionQuality& quality : report.precisions) {
    const Divergence expected = beside_the_reference(quality.precision, 64);
    EXPECT_EQ(quality.divergence.mean_kl, expected.mean_kl) << quality.precision.label();
    EXPECT_EQ(quality.divergence.max_kl, expected.max_kl) << quality.precision.label();
    EXPECT_EQ(quality.weight_bytes,
              Model::load(shipped, {.precision = quality.precision}).value().memory().weights_total());
  }
  EXPECT_EQ(report.examined_whole.divergence.mean_kl, report.precisions[2].divergence.mean_kl);
}

TEST(DoctorQuality, KeepingTheThreeWorstCostsTheirBytesAndGains) {
  const QualityReport report = examined(shipped, QuantizationConfig::nf4(), 128);
  std::uint64_t cost = 0;
  for (std::size_t i = 0; i < 3; ++i) cost += report.layers[i].kept_bytes - report.layers[i].bytes;
  EXPECT_EQ(report.worst_kept.weight_bytes, report.examined_whole.weight_bytes + cost);
  EXPECT_EQ(report.worst_kept.precision.skip.size(), 3u);
  EXPECT_LT(report.worst_kept.divergence.mean_kl, report.examined_whole.divergence.mean_kl);
}

// Huge weights make their blocks of 64 lose everything else: nf4 decodes the others as zero.
TEST(DoctorQuality, PutsALayerFirstWhoseBlocksWereSpoiled) {
  const QualityReport whole = examined(shipped, QuantizationConfig::nf4(), 32);
  struct Case {
    std::string layer, feeder;
    std::int64_t columns;  // one in every other block
  };
  for (const Case& spoiled : {Case{"model.layers.2.self_attn.v_proj", "model.layers.2.input_layernorm", 3},
                              Case{"model.layers.6.mlp.down_proj", "model.layers.6.mlp.up_proj", 8}}) {
    const made::Folder folder("doctor-spoiled");
    made::fs::copy(shipped, folder / "model");
    made::spoil_blocks(folder / "model", spoiled.layer, spoiled.feeder, spoiled.columns);
    const QualityReport report = examined(folder / "model", QuantizationConfig::nf4(), 32);
    EXPECT_EQ(report.layers.front().module, spoiled.layer);
    EXPECT_GT(report.layers.front().mean_kl, 2 * report.layers[1].mean_kl);
    EXPECT_NE(report.findings[1].what.find("lose most: " + spoiled.layer), std::string::npos)
        << report.findings[1].what;
    EXPECT_NE(whole.layers.front().module, spoiled.layer) << "it was not the worst before";
    EXPECT_LT(report.worst_kept.divergence.mean_kl, report.examined_whole.divergence.mean_kl);
  }
}

TEST(DoctorQuality, RefusesPlainPrecisions) {
  auto report = examine_quality(shipped, Precision::bf16, sample(64));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Errc::bad_request);
  EXPECT_NE(report.error().message.find("int8, nf4 or fp4, not bf16"), std::string::npos) << report.error().message;
}

}  // namespace
}  // namespace nibble
