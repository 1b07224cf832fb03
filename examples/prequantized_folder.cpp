// Group F. Before: a "...-bnb-4bit" repository, which loads faster than quantizing at every start.
// Here: write such a folder (transformers with bitsandbytes reads it too), then load both ways and compare the times.
#include <nibble/generate.hpp>
#include <nibble/quantize.hpp>

#include "example.hpp"

int main(int argc, char** argv) {
  using namespace nibble;
  const char* path = example::model_argument(argc, argv);
  const QuantizationConfig nf4 = QuantizationConfig::nf4({.double_quant = true});

  static const example::TemporaryFolder temporary;  // static: its destructor runs at exit(), too
  const QuantizeReport report =
      example::value_or_exit(quantize_checkpoint(path, temporary.path / "model", {.precision = nf4}));
  const Model fresh = example::value_or_exit(Model::load(path, {.precision = nf4}));
  const Model stored =
      example::value_or_exit(Model::load(temporary.path / "model"));  // its config.json says what it is
  std::printf("quantized %.3f MB to %.3f MB in %.3f s\n", example::mb(report.bytes_read),
              example::mb(report.bytes_written), report.seconds);
  std::printf("quantized while loading: %.4f s\nloaded from the folder:  %.4f s\n", fresh.load_seconds(),
              stored.load_seconds());

  const std::vector<std::string> prompt = {"It was a dark and stormy night"};
  const auto one = example::value_or_exit(generate(fresh, prompt, {.max_new_tokens = 24}));
  const auto two = example::value_or_exit(generate(stored, prompt, {.max_new_tokens = 24}));
  std::printf("both continue:%s\n", one.front().text.c_str());
  if (one.front().ids != two.front().ids) {
    std::fprintf(stderr, "but they do not: the folder's text is%s\n", two.front().text.c_str());
    return 1;
  }
}
