// Group B. Before: from_pretrained(id), torch_dtype=..., BitsAndBytesConfig(load_in_8bit=...) or (load_in_4bit=...).
// Here: one load() whose precision says all of that; then the same prompt, greedily, with each.
#include <nibble/generate.hpp>

#include "example.hpp"

int main(int argc, char** argv) {
  using namespace nibble;
  const char* path = example::model_argument(argc, argv);

  const QuantizationConfig precisions[] = {
      fp32,
      fp16,
      bf16,
      // LLM.int8: activations at or above the threshold are multiplied in 16 bits; the first layer's MLP is left alone.
      QuantizationConfig::int8({.threshold = 6.0f, .skip = {R"(layers\.0\.mlp)"}}),
      QuantizationConfig::nf4({.compute_dtype = bf16, .double_quant = true}),
      QuantizationConfig::fp4({.compute_dtype = fp32, .double_quant = true, .block_size = 128}),
  };
  for (const QuantizationConfig& precision : precisions) {
    const Model model = example::value_or_exit(Model::load(path, {.precision = precision, .device_map = automatic}));
    const auto texts =
        example::value_or_exit(generate(model, {"It was a dark and stormy night"}, {.max_new_tokens = 16}));
    std::printf("%-28s %8.3f MB on %s in %.3f s:%s\n", model.precision().label().c_str(),
                example::mb(model.memory().weights_total()), model.device().c_str(), model.load_seconds(),
                texts.front().text.c_str());
  }
}
