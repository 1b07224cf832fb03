// Every precision in the table, whichever there are: written into a folder and read back as itself, with the bytes that
// a load at that precision makes.
#include <gtest/gtest.h>

#include <cstring>

#include "../made/made_files.hpp"
#include "engine/load.hpp"
#include "nibble/quantize.hpp"

namespace nibble {
namespace {

std::vector<QuantizationConfig> every_precision() {
  std::vector<QuantizationConfig> all;
  for (const FormatFacts& format : precisions()) {
    all.emplace_back(format.precision);
    if (format.kind == FormatKind::table)
      all.push_back(QuantizationConfig::four_bit(format.precision, {.double_quant = true, .block_size = 32}));
  }
  return all;
}

std::string bytes_of(const Weight& weight) {
  std::string out(reinterpret_cast<const char*>(weight.codes), weight.code_bytes);
  const auto add = [&](const auto& values) {
    out.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  };
  add(weight.scales);
  add(weight.nested.codes);
  add(weight.nested.absmax);
  add(weight.table);
  return out;
}

TEST(EveryPrecision, IsWrittenIntoAFolderAndReadBackAsItself) {
  const made::Folder folder("every-precision");
  made::write_llama(folder / "model");
  for (const QuantizationConfig& precision : every_precision()) {
    SCOPED_TRACE(precision.label());
    const auto copy = folder / precision.label();
    const auto written = quantize_checkpoint(folder / "model", copy, {.precision = precision, .threads = 1});
    ASSERT_TRUE(written) << written.error().message;
    const auto stored = load_model(copy, {.threads = 1});
    ASSERT_TRUE(stored) << stored.error().message;
    EXPECT_EQ((*stored)->precision.format, precision.format);
    EXPECT_EQ((*stored)->precision.double_quant, precision.double_quant);
    const auto made = load_model(folder / "model", {.precision = precision, .threads = 1});
    ASSERT_TRUE(made) << made.error().message;
    const auto down = [](const auto& model) {
      return model->transformer->weights().layers[0].linear(Part::down).weight->canonical();
    };
    const Weight ours = down(*made), theirs = down(*stored);
    EXPECT_EQ(theirs.format, ours.format);
    EXPECT_EQ(bytes_of(theirs), bytes_of(ours));
  }
}

// Which of them another program may open: one that does not know a format must not find anything it would take for its
// own.
TEST(EveryPrecision, ThatBitsandbytesLacksSaysSoInTheFolder) {
  const made::Folder folder("own-layout");
  made::write_llama(folder / "model");
  for (const FormatFacts& format : precisions({FormatKind::row, FormatKind::table})) {
    const auto copy = folder / std::string(format.name);
    ASSERT_TRUE(quantize_checkpoint(folder / "model", copy, {.precision = format.precision, .threads = 1}));
    const made::Json config = made::Json::parse(made::read(copy / "config.json")).at("quantization_config");
    const bool theirs = !format.bitsandbytes.empty();
    EXPECT_EQ(config.at("quant_method"), theirs ? "bitsandbytes" : "nibble") << format.name;
    EXPECT_EQ(config.contains("load_in_4bit"), theirs) << format.name;
    EXPECT_EQ(made::read(copy / "model.safetensors").find("bitsandbytes__") != std::string::npos,
              theirs && format.kind == FormatKind::table)
        << format.name;
  }
}

}  // namespace
}  // namespace nibble
