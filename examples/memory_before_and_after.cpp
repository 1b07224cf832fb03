// Group A. Before: params_billions * bits / 8, or the sum over parameters and buffers, which forgets 4-bit scales.
// Here: the rule of thumb, the estimate from headers alone, and what a loaded model really holds, by category; then
// what to choose for the memory there is.
#include <nibble/advise.hpp>
#include <nibble/model.hpp>

#include "example.hpp"

void show(const char* what, const nibble::MemoryReport& m) {
  std::printf("%-12s", what);
  for (const nibble::PurposeFacts& p : nibble::purposes)
    if (is_weight(p)) std::printf("%s %.3f  ", p.label.data(), example::mb(m[p.purpose]));
  std::printf("rope tables %.3f  = %.3f MB\n", example::mb(m[nibble::Purpose::buffers]),
              example::mb(m.weights_total() + m[nibble::Purpose::buffers]));
}

int main(int argc, char** argv) {
  const char* path = example::model_argument(argc, argv);
  const auto estimated = example::value_or_exit(nibble::estimate(path, {.context = 512}));
  for (const nibble::PrecisionEstimate& p : estimated.precisions) {
    const std::uint64_t rule = nibble::estimate(estimated.parameters, p.precision.format);
    std::printf("\n%s: parameters * bits / 8 says %.3f MB\n", p.precision.label().c_str(), example::mb(rule));
    const auto model =
        example::value_or_exit(nibble::Model::load(path, {.precision = p.stored ? nibble::stored : p.precision}));
    show("  estimated", p.bytes);
    show("  loaded", model.memory());
    if (model.memory().weights_total() != p.bytes.weights_total()) {
      std::fprintf(stderr, "the estimate of the weights was wrong\n");
      return 1;
    }
  }
  for (const char* memory : {"1GiB", "64MB"}) {
    const nibble::AdviseOptions options{.memory = example::value_or_exit(nibble::parse_bytes(memory)), .context = 512};
    const nibble::Advice advice = example::value_or_exit(nibble::advise(path, options));
    std::printf("\n%s: %s, %s\n  %s\n", memory, advice.fits[advice.choice.value_or(0)].precision.label().c_str(),
                advice.reason.c_str(), advice.command.c_str());
  }
}
