// Group H. Before: "out of memory: use 4 bits", "poor answers: use 8 bits, or nf4", "slow loading: it quantizes".
// Here: the error says what would fit, the quality of every precision and layer is measured, the seconds are named.
#include <nibble/compare.hpp>
#include <nibble/doctor.hpp>

#include "example.hpp"

void advise(const std::vector<nibble::Finding>& findings) {
  for (const nibble::Finding& finding : findings)
    std::printf("- %s\n    %s\n", finding.what.c_str(), finding.command.c_str());
}

int main(int argc, char** argv) {
  using namespace nibble;
  const char* path = example::model_argument(argc, argv);

  // A megabyte is too little for any model: the error comes before anything is read.
  const auto refused = Model::load(path, {.precision = fp32, .memory_limit = 1'000'000});
  if (refused) {
    std::fprintf(stderr, "a model fitted in a megabyte\n");
    return 1;
  }
  std::printf("memory:  %s\n", refused.error().message.c_str());

  const ExamineOptions sample = {.text = held_out_text(), .max_tokens = 48};
  const QualityReport quality = example::value_or_exit(examine_quality(path, QuantizationConfig::nf4(), sample));
  std::printf("\nquality, beside the %s:\n", quality.reference.c_str());
  for (const PrecisionQuality& q : quality.precisions)
    std::printf("  %-18s %8.3f MB  KL %.2g\n", q.precision.label().c_str(), example::mb(q.weight_bytes),
                q.divergence.mean_kl);
  advise(quality.findings);

  const LoadingReport loading = example::value_or_exit(examine_loading(path, QuantizationConfig::nf4(), sample));
  std::printf("\nloading from %s, %.0f %% cached:\n", loading.filesystem.c_str(), 100 * loading.cached_share);
  for (const LoadingTime& load : loading.loads)
    std::printf("  %-18s %.4f s, of which %.4f s quantizing\n", load.precision.label().c_str(), load.seconds,
                load.quantizing_seconds);
  advise(loading.findings);
}
