#include <cstdio>
#include <nibble/generate.hpp>

int main(int argc, char** argv) {
  auto model = nibble::Model::load(argc > 1 ? argv[1] : "models/gutenberg-16m",
                                   {.precision = nibble::QuantizationConfig::nf4({.double_quant = true})});
  if (!model) {
    std::puts(model.error().message.c_str());
    return model.error().exit_code();
  }
  auto texts = nibble::generate(*model, {"It was a dark and stormy night"}, {.max_new_tokens = 16});
  if (!texts) {
    std::puts(texts.error().message.c_str());
    return texts.error().exit_code();
  }
  std::puts(texts->front().text.c_str());
}
