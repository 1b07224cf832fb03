// What the findings conclude from figures that no machine here would give.
#include "measure/doctor_findings.hpp"

#include <gtest/gtest.h>

namespace nibble {
namespace {

bool says(const std::vector<Finding>& findings, const std::string& what, const std::string& command = "") {
  for (const Finding& finding : findings)
    if (finding.what.find(what) != std::string::npos && finding.command.find(command) != std::string::npos) return true;
  return false;
}

RangeReport plain_range() {
  RangeReport report;
  ValueRange weight, activation;
  weight.name = "w";
  weight.values = 100;
  weight.largest = 1;
  weight.smallest = 0.5;
  activation.name = "a";
  activation.values = 100;
  activation.largest = 10;
  activation.smallest = 0.1;
  report.weights = {weight};
  report.activations = {activation};
  report.all_weights = weight;
  report.all_activations = activation;
  return report;
}

TEST(RangeFindings, WarnOfActivationsThatNearlyOverflow) {
  RangeReport report = plain_range();
  EXPECT_TRUE(
      says(range_findings(report, "m"), "fp16 holds this model", "nibble run m 'Once upon a time' --precision fp16"));
  report.activations[0].largest = report.all_activations.largest = 10000;
  EXPECT_TRUE(says(range_findings(report, "m"), "another text may pass it", "--precision bf16"));
  EXPECT_FALSE(fp16_overflows(report));
  report.activations[0].beyond_fp16 = report.all_activations.beyond_fp16 = 3;
  EXPECT_TRUE(says(range_findings(report, "m"), "3 activations are beyond fp16's largest value, 65504: a (3,"));
  EXPECT_EQ(fp16_headroom(report), 0);
}

TEST(RangeFindings, SayWhatBf16LosesOfWeightsThatHaveMoreBits) {
  RangeReport report = plain_range();
  EXPECT_TRUE(says(range_findings(report, "m"), "bf16 loses nothing of the weights"));
  report.all_weights.changed_by_bf16 = 87;
  report.all_weights.bf16_rms = 0.0017;
  report.all_weights.bf16_error = 0.0039;
  EXPECT_TRUE(says(range_findings(report, "m"), "bf16's 8 bits change 87.0 % of the weights, by 0.0017"));
}

TEST(RangeFindings, NameWhatIsNoNumber) {
  RangeReport report = plain_range();
  report.weights[0].nonfinite = report.all_weights.nonfinite = 2;
  EXPECT_TRUE(says(range_findings(report, "m"), "2 weights are NaN or infinite: w (2,", "nibble inspect m"));
}

LoadingReport plain_loading() {
  LoadingReport report;
  report.filesystem = "ext4";
  report.file_bytes = 4'000'000'000;
  report.available_bytes = 16'000'000'000;
  report.cached_share = 1;
  report.disk_gb_per_s = 0.5;
  LoadingTime stored, nf4;
  stored.precision = Precision::bf16;
  stored.as_stored = true;
  stored.seconds = 0.01;
  nf4.precision = QuantizationConfig::nf4({.double_quant = true});
  nf4.seconds = 10;
  nf4.quantizing_seconds = 9;
  nf4.weight_bytes = 1'300'000'000;
  report.loads = {stored, nf4};
  return report;
}

TEST(LoadingFindings, NameTheCommandThatQuantizesOnce) {
  EXPECT_TRUE(says(loading_findings(plain_loading(), "models/m"), "90 % of 10.0000 s are spent quantizing",
                   "nibble quantize models/m m-nf4-dq --to nf4 --double-quant"));
  LoadingReport report = plain_loading();
  report.loads.back().as_stored = true;
  EXPECT_FALSE(says(loading_findings(report, "m"), "", "nibble quantize"));
}

TEST(LoadingFindings, NeverMakeAQuantizedModelLargerAndSayWhatASecondRoundingCosts) {
  LoadingReport report = plain_loading();
  report.quantized = true;
  EXPECT_TRUE(says(loading_findings(report, "m"), "rounds the weights a second time",
                   "--to nf4 --double-quant --allow-requantize"));
  report.file_bytes = 1'200'000'000;
  EXPECT_TRUE(says(loading_findings(report, "m"), "Keep the files as they are", "nibble run m"));
  EXPECT_FALSE(says(loading_findings(report, "m"), "", "nibble quantize"));
}

TEST(RangeFindings, KeepWhatIsQuantizedAsItIsStored) {
  RangeReport report = plain_range();
  report.stored = "Q4_1";
  report.quantized = true;
  report.all_weights.changed_by_bf16 = 87;
  EXPECT_TRUE(says(range_findings(report, "m"), "Keep it as it is stored, Q4_1", "nibble run m 'Once upon a time'"));
  EXPECT_FALSE(says(range_findings(report, "m"), "", "--precision"));
  EXPECT_FALSE(says(range_findings(report, "m"), "", "--quality")) << "a folder of bitsandbytes' is refused there";
}

TEST(RangeFindings, GiveAReasonForTheirChoice) {
  RangeReport report = plain_range();
  EXPECT_TRUE(says(range_findings(report, "m"), "bf16 on this machine: it holds the weights exactly"));
  report.bf16_hardware = true;
  EXPECT_TRUE(says(range_findings(report, "m"), "bf16 on this machine: the processor multiplies bf16"));
}

TEST(LoadingFindings, TellColdFromWarmAndNetworkFromDisk) {
  LoadingReport report = plain_loading();
  EXPECT_TRUE(says(loading_findings(report, "m"), "was warm (100 %", "cat m"));
  EXPECT_TRUE(says(loading_findings(report, "m"), "about 8.00 s at 0.50 GB/s"));
  EXPECT_FALSE(says(loading_findings(report, "m"), "network"));
  report.cached_share = 0.25;
  report.read_seconds = 6;
  report.network = true;
  report.filesystem = "nfs";
  EXPECT_TRUE(says(loading_findings(report, "m"), "was cold (25 % of 4000.0 MB): reading took 6.00 s"));
  EXPECT_TRUE(says(loading_findings(report, "m"), "lie on nfs", "cp -r m"));
  report.available_bytes = 2'000'000'000;
  EXPECT_TRUE(says(loading_findings(report, "m"), "the page cache cannot hold them", "--to nf4 --double-quant"));
}

TEST(Commands, QuoteWhatAShellWouldReadOtherwise) {
  EXPECT_EQ(shell_word("models/gutenberg-16m"), "models/gutenberg-16m");
  EXPECT_EQ(shell_word("a model"), "'a model'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word(""), "''");
  QuantizationConfig precision = QuantizationConfig::fp4({.compute_dtype = Precision::fp16, .block_size = 128});
  precision.skip = {"^a\\.b$"};
  EXPECT_EQ(precision_words(precision, "--to"), "--to fp4 --compute-dtype fp16 --block-size 128 --skip '^a\\.b$'");
}

}  // namespace
}  // namespace nibble
