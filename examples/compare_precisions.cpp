// Group C. Before: a loop over pipelines, each answering the same chat messages, with time, size and the first
// 50 characters printed. Here: nibble::compare, which also measures what each precision costs in quality.
#include <nibble/compare.hpp>

#include "example.hpp"

int main(int argc, char** argv) {
  using namespace nibble;
  CompareOptions options;
  options.precisions = {fp32, bf16, QuantizationConfig::int8(), QuantizationConfig::nf4()};
  options.text = held_out_text();
  // options.messages = {{"user", "..."}}; without any, a chat model is asked a question and others continue a sentence.
  options.new_tokens = 100;
  options.max_eval_tokens = 256;
  options.prefill_tokens = 64;
  options.decode_tokens = 16;
  options.repeats = 1;

  const Comparison comparison = example::value_or_exit(compare(example::model_argument(argc, argv), options));
  for (const PrecisionResult& r : comparison.results) {
    if (!r.error.empty()) {
      std::fprintf(stderr, "%s: %s\n", r.precision.label().c_str(), r.error.c_str());
      return 1;
    }
    std::printf("%-5s answered in %.3f s, %7.3f MB, perplexity %6.2f: %.50s\n", r.precision.label().c_str(),
                r.answer_seconds, example::mb(r.resident.weights_total()), r.perplexity, r.answer.c_str());
  }
  std::printf("\n%s\n", comparison.verdict.c_str());
}
