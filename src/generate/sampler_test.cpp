// The filters against transformers' logits processors, and what given numbers draw from them against an inverse CDF
// written in Python (tools/golden/sampling.py). The numbers themselves against what chance would do.
#include "generate/sampler.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>

#include "io/safetensors.hpp"

namespace nibble {
namespace {

struct Golden {
  std::vector<float> logits, settings, probability;
  std::vector<double> uniforms;
  std::vector<std::int32_t> seen, draws;
  std::size_t rows = 0, vocabulary = 0, cases = 0, draws_each = 0;
};

Golden read_golden() {
  const auto file = Safetensors::open(std::string(NIBBLE_SOURCE_DIR) + "/tests/golden/sampling.safetensors").value();
  Golden out;
  const auto copy = [](const StoredTensor& tensor, auto& to) {
    to.resize(tensor.elements());
    std::memcpy(to.data(), tensor.bytes.data(), tensor.bytes.size());
  };
  for (const StoredTensor& tensor : file.tensors()) {
    if (tensor.name == "logits") {
      copy(tensor, out.logits);
      out.rows = tensor.shape[0];
      out.vocabulary = tensor.shape[1];
    }
    if (tensor.name == "settings") {
      copy(tensor, out.settings);
      out.cases = tensor.shape[0];
    }
    if (tensor.name == "probability") copy(tensor, out.probability);
    if (tensor.name == "seen") copy(tensor, out.seen);
    if (tensor.name == "uniforms") copy(tensor, out.uniforms);
    if (tensor.name == "draws") {
      copy(tensor, out.draws);
      out.draws_each = tensor.shape[2];
    }
  }
  return out;
}

TEST(Sampler, KeepsTheTokensAndProbabilitiesOfTransformersAndDrawsFromThem) {
  const Golden golden = read_golden();
  ASSERT_EQ(golden.settings.size(), golden.cases * 5);
  ASSERT_GT(golden.draws_each, 0u);
  ASSERT_EQ(golden.uniforms.size(), golden.draws_each);
  const std::size_t seen_each = golden.seen.size() / golden.rows;
  for (std::size_t c = 0; c < golden.cases; ++c) {
    const float* s = &golden.settings[c * 5];
    const Sampling sampling{
        .temperature = s[0], .top_k = int(s[1]), .top_p = s[2], .min_p = s[3], .repetition_penalty = s[4]};
    ASSERT_TRUE(check(sampling));
    for (std::size_t r = 0; r < golden.rows; ++r) {
      SCOPED_TRACE("case " + std::to_string(c) + " row " + std::to_string(r));
      const std::span logits(&golden.logits[r * golden.vocabulary], golden.vocabulary);
      const std::span seen(&golden.seen[r * seen_each], seen_each);
      const float* expected = &golden.probability[(c * golden.rows + r) * golden.vocabulary];
      Sampler sampler(sampling, 0);
      std::vector<double> found(golden.vocabulary, 0);
      double before = 1;
      const std::span<const Choice> choices = sampler.choices(logits, seen);
      for (const Choice& choice : choices) {
        found[std::size_t(choice.id)] = choice.probability;
        EXPECT_LE(choice.probability, before);
        before = choice.probability;
      }
      for (std::size_t i = 0; i < golden.vocabulary; ++i) {
        EXPECT_EQ(found[i] > 0, expected[i] > 0) << i;
        // Penalties are applied in fp32: an error of 2^-24 of a logit of at most 24, divided by the temperature.
        EXPECT_NEAR(found[i], expected[i], 24 * 0x1p-23 / std::min(1.0f, s[0]) * expected[i] + 1e-12) << i;
      }
      for (std::size_t d = 0; d < golden.draws_each; ++d)
        ASSERT_EQ(drawn(choices, golden.uniforms[d]), golden.draws[(c * golden.rows + r) * golden.draws_each + d]) << d;
    }
  }
}

TEST(Sampler, WithoutTemperatureTakesTheBestAndOfEqualsTheFirst) {
  Sampler greedy({}, 0);
  const std::vector<float> logits = {1, 5, -2, 5, 0};
  EXPECT_EQ(greedy.pick(logits, {}), 1);
  const std::vector<std::int32_t> seen = {1, 1, 3};
  Sampler penalised({.repetition_penalty = 6}, 0);  // once per token, however often it was seen
  EXPECT_EQ(penalised.pick(logits, seen), 0);
}

std::vector<double> numbers(std::uint64_t seed, std::uint64_t stream, int count) {
  Sampler sampler({.temperature = 1, .seed = seed}, stream);
  std::vector<double> out;
  for (int i = 0; i < count; ++i) out.push_back(sampler.uniform());
  return out;
}

TEST(Sampler, DrawsWithTheNumbersOfItsSeedAndStreamAlone) {
  const std::vector<float> logits(1000, 0.0f);
  Sampler sampler({.temperature = 1, .seed = 5}, 2);
  for (const double number : numbers(5, 2, 20))  // all are as likely, so the number is the place in their row
    EXPECT_EQ(sampler.pick(logits, {}), std::int32_t(number * 1000));
  EXPECT_EQ(numbers(1, 0, 20), numbers(1, 0, 20));
}

// Two sequences that share numbers at any shift are one sequence.
TEST(Sampler, NeighbouringSeedsAndStreamsShareNoNumbers) {
  std::map<double, std::pair<std::uint64_t, std::uint64_t>> seen;
  for (std::uint64_t seed = 0; seed < 40; ++seed)
    for (std::uint64_t stream = 0; stream < 5; ++stream)
      for (const double number : numbers(seed, stream, 200)) {
        const auto [first, is_new] = seen.emplace(number, std::pair(seed, stream));
        ASSERT_TRUE(is_new) << "seed " << seed << ", stream " << stream << " repeats seed " << first->second.first
                            << ", stream " << first->second.second;
      }
}

// Chi-square of 16 pieces, over draws of one seed, over the first draws of many seeds, and over pairs of neighbours.
TEST(Sampler, NumbersAreUniformAlongASeedAcrossSeedsAndBetweenNeighbours) {
  constexpr int count = 16000;
  const auto chi_square = [&](const auto& piece_of) {
    std::vector<int> pieces(16, 0);
    for (int i = 0; i < count; ++i) ++pieces[std::size_t(piece_of(i))];
    double sum = 0;
    for (const int pieces_in : pieces) sum += std::pow(pieces_in - count / 16.0, 2) / (count / 16.0);
    return sum;
  };
  constexpr double one_in_ten_thousand = 44.3;  // of 15 degrees of freedom
  const std::vector<double> along = numbers(7, 0, count);
  EXPECT_LT(chi_square([&](int i) { return int(along[std::size_t(i)] * 16); }), one_in_ten_thousand);
  const auto first_of = [](int seed) { return numbers(std::uint64_t(seed), 0, 1)[0]; };
  EXPECT_LT(chi_square([&](int i) { return int(first_of(i) * 16); }), one_in_ten_thousand);
  EXPECT_LT(chi_square([&](int i) { return int(first_of(i) * 4) * 4 + int(first_of(i + 1) * 4); }),
            one_in_ten_thousand);
  EXPECT_LT(chi_square([&](int i) {
              const auto mine = numbers(std::uint64_t(i), 0, 2);
              return int(mine[1] * 4) * 4 + int(first_of(i + 1) * 4);
            }),
            one_in_ten_thousand)
      << "the second of a seed and the first of the next";
}

TEST(Sampler, WhatIsOutOfRangeIsRefusedByName) {
  const auto message = [](const Sampling& sampling) {
    const auto checked = check(sampling);
    EXPECT_FALSE(checked);
    if (checked) return std::string();
    EXPECT_EQ(checked.error().code, Errc::bad_request);
    return checked.error().message;
  };
  EXPECT_NE(message({.temperature = -1}).find("temperature is -1"), std::string::npos);
  EXPECT_NE(message({.temperature = NAN}).find("temperature"), std::string::npos);
  EXPECT_NE(message({.top_k = -3}).find("top-k is -3"), std::string::npos);
  EXPECT_NE(message({.top_p = 0}).find("top-p"), std::string::npos);
  EXPECT_NE(message({.min_p = 2}).find("min-p is 2"), std::string::npos);
  EXPECT_NE(message({.repetition_penalty = 0}).find("repetition penalty"), std::string::npos);
}

}  // namespace
}  // namespace nibble
