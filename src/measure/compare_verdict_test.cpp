#include "measure/compare_verdict.hpp"

#include <gtest/gtest.h>

namespace nibble {
namespace {

PrecisionResult measured(Precision precision, double perplexity, double tokens_per_s, std::uint64_t bytes) {
  PrecisionResult r;
  r.precision = precision;
  r.perplexity = perplexity;
  r.decode_tokens_per_s = tokens_per_s;
  r.resident.at(Purpose::linear_weights) = bytes;
  return r;
}
PrecisionResult not_reached(Precision precision) {
  PrecisionResult r;
  r.precision = precision;
  r.error = "stopped";
  return r;
}
Comparison comparison_of(std::vector<PrecisionResult> results) {
  Comparison c;
  c.model = "models/small";
  c.reference = results.front().precision.label();
  c.results = std::move(results);
  c.verdict = explain_choice(c);
  return c;
}
bool says(const std::string& text, std::string_view words) { return text.find(words) != std::string::npos; }

TEST(Verdict, OfWhatWasNotMeasuredIsThatAndNotThatItLosesQuality) {
  const Comparison c = comparison_of(
      {measured(Precision::bf16, 20, 100, 32'000'000), not_reached(Precision::int8), not_reached(Precision::nf4)});
  EXPECT_EQ(choose(c), nullptr) << "with one there is nothing to choose";
  for (const std::string& form : {c.verdict, to_table(c, {.width = 1000}), to_markdown(c), to_html(c), to_json(c)}) {
    EXPECT_TRUE(says(form, "int8 and nf4 were not measured")) << form;
    EXPECT_FALSE(says(form, "keep")) << form;
    EXPECT_FALSE(says(form, "failed")) << form;
  }
  EXPECT_TRUE(says(to_table(c, {.width = 1000}), "not measured: stopped"));
}

TEST(Verdict, OfSomeKeepsWhatIsKnownOfThem) {
  const Comparison c = comparison_of({measured(Precision::bf16, 20, 100, 32'000'000),
                                      measured(Precision::nf4, 22, 300, 13'000'000), not_reached(Precision::int8)});
  EXPECT_EQ(choose(c), &c.results[0]);
  EXPECT_TRUE(says(c.verdict, "No other precision that was measured keeps the perplexity of bf16")) << c.verdict;
  EXPECT_TRUE(says(c.verdict, "int8 was not measured")) << c.verdict;
}

TEST(Verdict, OnABusyMachineRestsOnSizesAndQualityAndSaysSo) {
  std::vector<PrecisionResult> results = {
      measured(Precision::bf16, 20, 9, 32'000'000), measured(Precision::fp16, 20.01, 87, 32'000'000),
      measured(Precision::int8, 20.1, 8, 19'000'000), measured(Precision::nf4, 22, 300, 13'000'000)};
  EXPECT_EQ(choose(comparison_of(results))->precision.label(), "fp16");
  results[2].repeats.busy = "its threads waited for a processor 46 % of the time";
  results[3].repeats.busy = "repeats of decode lie between 14 and 114 tokens/s";
  Comparison c = comparison_of(results);
  c.busy = explain_busy(c);
  c.verdict = explain_choice(c);
  EXPECT_EQ(c.busy, "int8: its threads waited for a processor 46 % of the time; nf4 as well");
  EXPECT_EQ(choose(c)->precision.label(), "int8");
  for (const std::string& form : {c.verdict, to_markdown(c), to_html(c), to_json(c)}) {
    EXPECT_TRUE(says(form, "the choice rests on sizes and quality alone")) << form;
    EXPECT_TRUE(says(form, "46 % of the time")) << form;
  }
  for (const char* speed : {"fastest", "tokens/s", "times as fast"}) EXPECT_FALSE(says(c.verdict, speed)) << c.verdict;
}

TEST(Comparing, RefusesAPrecisionThatIsNamedTwice) {
  CompareOptions options;
  options.precisions = {Precision::nf4, Precision::bf16, Precision::nf4};
  options.text = "a text";
  const auto refused = compare("models/small", options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::bad_request);
  EXPECT_TRUE(says(refused.error().message, "nf4 is named twice")) << refused.error().message;
}

}  // namespace
}  // namespace nibble
