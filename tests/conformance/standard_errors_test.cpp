// Standard errors against those of torch in float64 (tools/golden/standard_errors.py).
#include <fstream>
#include <nlohmann/json.hpp>

#include "golden_tensors.hpp"
#include "nibble/evaluate.hpp"

namespace nibble {
namespace {

class StandardErrors : public testing::Test {
 protected:
  void expect_near(double value, const nlohmann::json& expected, double relative) {
    EXPECT_NEAR(value, expected.get<double>(), relative * std::abs(expected.get<double>()));
  }
  const std::string source = NIBBLE_SOURCE_DIR;
  const nlohmann::json golden = nlohmann::json::parse(std::ifstream(source + "/tests/golden/standard_errors.json"));
  // Sums of some hundred doubles in another order.
  static constexpr double rounding = 1e-12;
};

TEST_F(StandardErrors, OfAMeanAreThoseOfTorch) {
  const MeanAndError loss = mean_and_error(golden["losses"].get<std::vector<double>>());
  expect_near(loss.mean, golden["expected"]["mean_nll"][0], rounding);
  expect_near(loss.error, golden["expected"]["mean_nll"][1], rounding);
  EXPECT_EQ(mean_and_error({}).error, 0);
  EXPECT_EQ(mean_and_error(std::vector<double>{3}).error, 0);
}

TEST_F(StandardErrors, OfKlAreThoseOfTorch) {
  DivergenceSum sum;
  for (std::size_t i = 0; i < golden["logits"].size(); ++i)
    sum.add(golden["logits"][i].get<std::vector<float>>(), golden["others"][i].get<std::vector<float>>());
  expect_near(sum.result().mean_kl, golden["kl"][0], 1e-9);  // a difference of logarithms loses digits
  expect_near(sum.result().mean_kl_se, golden["kl"][1], 1e-9);
}

TEST_F(StandardErrors, OfAnEvaluationFollowFromItsLosses) {
  const auto model = Model::load(source + "/models/gutenberg-16m", {.precision = Precision::fp32});
  ASSERT_TRUE(model) << model.error().message;
  const auto ids = GoldenTensors("gutenberg_16m_fp32.safetensors").get<std::int32_t>("input_ids");
  const auto plain = evaluate(*model, ids, {.bos = Bos::never});
  ASSERT_TRUE(plain) << plain.error().message;
  // fp32 losses are off by some 1e-5 nats; the standard error of a mean changes by less than its values do.
  const nlohmann::json& expected = golden["expected"]["reference"];
  expect_near(plain->perplexity, expected[0], 1e-4);
  expect_near(plain->perplexity_se, expected[1], 1e-3);
  EXPECT_EQ(plain->perplexity_se, plain->perplexity * plain->mean_nll_se);
  const auto tokenizer = model->tokenizer();
  ASSERT_TRUE(tokenizer);
  const auto with_text = evaluate(*model, ids, {.bos = Bos::never});  // the tokenizer was asked for
  ASSERT_TRUE(with_text && with_text->bits_per_byte);
  expect_near(*with_text->bits_per_byte, golden["bits_per_byte_of_reference"], 1e-4);
}

TEST_F(StandardErrors, OfARatioAreThoseOfTheDifferences) {
  const std::string path = source + "/models/gutenberg-16m";
  const auto reference = Model::load(path, {.precision = Precision::fp32});
  const auto model = Model::load(path, {.precision = Precision::nf4});
  ASSERT_TRUE(reference && model);
  const auto ids = GoldenTensors("gutenberg_16m_fp32.safetensors").get<std::int32_t>("input_ids");
  const auto both = evaluate_against(*model, *reference, ids), alone = evaluate(*reference, ids);
  ASSERT_TRUE(both && alone);
  ASSERT_TRUE(both->reference && both->divergence);
  EXPECT_EQ(both->reference->perplexity, alone->perplexity);
  EXPECT_EQ(both->reference->perplexity_se, alone->perplexity_se);
  long double sum = 0, squares = 0;
  const std::size_t count = both->tokens.size();
  for (std::size_t i = 0; i < count; ++i) sum += both->tokens[i].nll - alone->tokens[i].nll;
  const long double mean = sum / count;
  for (std::size_t i = 0; i < count; ++i) {
    const long double apart = both->tokens[i].nll - alone->tokens[i].nll - mean;
    squares += apart * apart;
  }
  const double ratio = double(std::exp(mean));
  EXPECT_NEAR(both->reference->ratio, ratio, 1e-12);
  EXPECT_NEAR(both->reference->ratio_se, ratio * double(std::sqrt(squares / (count - 1) / count)), 1e-12);
  EXPECT_LT(both->reference->ratio_se * both->reference->perplexity, both->perplexity_se) << "the text is the same";
}

}  // namespace
}  // namespace nibble
