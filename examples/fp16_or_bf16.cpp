// Group G. Before: "fp16 or bf16?" answered from memory (range against precision, which card has what).
// Here: every weight and the activations of a sample text are looked at, and the model is loaded in what they ask for.
#include <nibble/compare.hpp>
#include <nibble/doctor.hpp>

#include "example.hpp"

void show(const char* what, const nibble::ValueRange& r) {
  std::printf("%-12s %9llu values, largest %.4g; %llu beyond fp16, %llu below its normal range, %llu changed by bf16\n",
              what, static_cast<unsigned long long>(r.values), r.largest,
              static_cast<unsigned long long>(r.beyond_fp16), static_cast<unsigned long long>(r.below_fp16_normal),
              static_cast<unsigned long long>(r.changed_by_bf16));
}

int main(int argc, char** argv) {
  using namespace nibble;
  const char* path = example::model_argument(argc, argv);
  const RangeReport report = example::value_or_exit(examine_range(path, {.text = held_out_text(), .max_tokens = 64}));
  show("weights", report.all_weights);
  show("activations", report.all_activations);
  for (const Finding& finding : report.findings)
    std::printf("- %s\n    %s\n", finding.what.c_str(), finding.command.c_str());
  const Model model = example::value_or_exit(Model::load(path, {.precision = report.on_this_machine}));
  std::printf("loaded in %s: %.3f MB of weights\n", model.precision().label().c_str(),
              example::mb(model.memory().weights_total()));
}
