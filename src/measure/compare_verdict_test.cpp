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
  for (const std::string& form : {c.verdict, to_table(c), to_markdown(c), to_html(c), to_json(c)}) {
    EXPECT_TRUE(says(form, "int8 and nf4 were not measured")) << form;
    EXPECT_FALSE(says(form, "keep")) << form;
    EXPECT_FALSE(says(form, "failed")) << form;
  }
  EXPECT_TRUE(says(to_table(c), "not measured: stopped"));
}

TEST(Verdict, OfSomeKeepsWhatIsKnownOfThem) {
  const Comparison c = comparison_of({measured(Precision::bf16, 20, 100, 32'000'000),
                                      measured(Precision::nf4, 22, 300, 13'000'000), not_reached(Precision::int8)});
  EXPECT_EQ(choose(c), &c.results[0]);
  EXPECT_TRUE(says(c.verdict, "No other precision that was measured keeps the perplexity of bf16")) << c.verdict;
  EXPECT_TRUE(says(c.verdict, "int8 was not measured")) << c.verdict;
}

}  // namespace
}  // namespace nibble
