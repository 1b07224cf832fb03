#include "engine/placement.hpp"

#include <gtest/gtest.h>

#include "../../tests/made/made_files.hpp"

namespace nibble {
namespace {

Result<QuantizationConfig> resolved(const made::Folder& folder, const made::Json& quantization) {
  made::write_llama(folder.path());
  made::Json config = made::llama_config();
  config["quantization_config"] = quantization;
  made::write(folder / "config.json", config.dump());
  NIBBLE_TRY(const auto checkpoint, Checkpoint::open(folder.path()));
  return resolve_precision({}, *checkpoint);
}

TEST(Placement, AStoredPrecisionIsTheOneThatTheConfigNames) {
  const made::Folder folder("placement");
  for (const FormatFacts& format : precisions({FormatKind::table})) {
    const auto own = resolved(folder, {{"quant_method", "nibble"}, {"format", format.name}});
    ASSERT_TRUE(own) << own.error().message;
    EXPECT_EQ(own->format, format.precision) << format.name;
    if (format.bitsandbytes.empty()) continue;
    const auto theirs = resolved(folder, {{"load_in_4bit", true}, {"bnb_4bit_quant_type", format.bitsandbytes}});
    ASSERT_TRUE(theirs) << theirs.error().message;
    EXPECT_EQ(theirs->format, format.precision) << format.name;
  }
  const auto eight = resolved(folder, {{"load_in_8bit", true}});
  ASSERT_TRUE(eight) << eight.error().message;
  EXPECT_EQ(eight->format, Precision::int8);
}

TEST(Placement, AFourBitTypeThatNobodyKnowsIsRefusedAndNotTakenForAnother) {
  const made::Folder folder("placement-unknown");
  for (const made::Json& config : {made::Json{{"load_in_4bit", true}, {"bnb_4bit_quant_type", "af4"}},
                                   made::Json{{"quant_method", "nibble"}, {"format", "af4"}}}) {
    const auto refused = resolved(folder, config);
    ASSERT_FALSE(refused) << config;
    EXPECT_EQ(refused.error().exit_code(), 2);
    for (const std::string& word : {std::string("\"af4\""), std::string("nf4"), folder.path().string()})
      EXPECT_NE(refused.error().message.find(word), std::string::npos) << refused.error().message;
  }
}

}  // namespace
}  // namespace nibble
