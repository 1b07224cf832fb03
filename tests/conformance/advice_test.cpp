// What an expert would say of so many models in so much memory, and what estimates of models that Nibble does not run
// rest on: published parameter counts, stored sizes, windows.
#include <gtest/gtest.h>

#include "../made/made_files.hpp"
#include "../made/published_configs.hpp"
#include "nibble/advise.hpp"
#include "nibble/quantize.hpp"

namespace nibble {
namespace {

const std::string shipped = NIBBLE_SOURCE_DIR "/models/gutenberg-16m";
constexpr double gib = double(1 << 30), gb = 1e9;

class Published {
 public:
  Published() : folder_("published") {
    for (const auto& [name, config] : made::published_configs()) made::write(path(name), config.dump());
  }
  std::filesystem::path path(std::string name) const {
    for (char& c : name)
      if (c == ' ') c = '-';
    return folder_ / (name + ".json");
  }

 private:
  made::Folder folder_;
};

Advice advised(const std::filesystem::path& path, double memory, std::vector<QuantizationConfig> precisions = {}) {
  auto out = advise(path, {.memory = std::uint64_t(memory), .precisions = std::move(precisions), .threads = 1});
  EXPECT_TRUE(out) << path << ": " << out.error().message;
  return out ? *out : Advice{};
}

std::string choice(const Advice& a) { return a.choice ? a.fits[*a.choice].precision.label() : "nothing"; }

struct Expectation {
  const char* model;
  double memory;
  const char* choice;
  const char* why;
};

TEST(TheAdvice, IsWhatAnExpertWouldSay) {
  const Published published;
  const Expectation expectations[] = {
      {"Qwen3-0.6B", 6 * gib, "bf16", "1.2 GB fit everywhere"},
      {"Qwen3-0.6B", 24 * gib, "bf16", "the same"},
      {"Qwen3-0.6B", 1 * gib, "nf4 double-quant", "its cache of 4096 tokens alone is half a gigabyte"},
      {"Qwen3-4B", 8 * gib, "int8", "bf16 is 8 GB of weights"},
      {"Qwen3-4B", 12 * gib, "bf16", "8 GB and a cache"},
      {"Qwen3-4B", 4 * gib, "nf4", "2.8 GB of weights, with less than 4096 tokens in int8"},
      {"Llama-3.1-8B", 6 * gib, "nf4 double-quant", "tight: the narrowest, with a shorter context"},
      {"Llama-3.1-8B", 8 * gib, "nf4", "6 GB"},
      {"Llama-3.1-8B", 12 * gib, "int8", "9 GB"},
      {"Llama-3.1-8B", 16 * gib, "int8", "16 bits are 16 GB without a cache"},
      {"Llama-3.1-8B", 24 * gib, "bf16", "16 GB and room"},
      {"Llama-3.1-70B", 24 * gib, "nothing", "four bits are 40 GB"},
      {"Llama-3.1-70B", 48 * gib, "nf4", "the usual choice for two cards of 24 GB"},
      {"Llama-3.1-70B", 80 * gb, "int8", "fits with a context of some thousand tokens"},
      {"Llama-3.1-70B", 160 * gib, "bf16", "two cards of 80 GB"},
      {"Mixtral-8x7B", 24 * gib, "nothing", "four bits are 26 GB"},
      {"Mixtral-8x7B", 48 * gb, "nf4", "27 GB"},
      {"Mixtral-8x7B", 80 * gb, "int8", "47 GB"},
      {"gpt-oss-20b", 16 * gib, "MXFP4", "made for 16 GB as it is stored"},
      {"gpt-oss-20b", 24 * gib, "MXFP4", "anything else is larger and rounds again"},
      {"gpt-oss-20b", 80 * gb, "MXFP4", "the same: bf16 would hold the same values in 42 GB"},
      {"gemma-2-9b", 8 * gib, "nf4", "its vocabulary keeps 1.8 GB in 16 bits"},
      {"gemma-2-9b", 12 * gib, "int8", "10 GB"},
      {"gemma-2-9b", 24 * gib, "bf16", "18.5 GB"},
      {"Phi-3-mini-4k", 6 * gib, "int8", "16 bits are 7.6 GB"},
      {"Phi-3-mini-4k", 12 * gib, "bf16", "7.6 GB and a cache"},
      {"Mistral-7B in fp32", 12 * gib, "int8", "bf16 is 14.5 GB"},
      {"Mistral-7B in fp32", 24 * gib, "bf16", "16 bits lose next to nothing of 32"},
      {"Mistral-7B in fp32", 40 * gib, "fp32", "it fits as it is stored"},
      {"Qwen3-8B-AWQ", 12 * gib, "AWQ 4-bit", "as it is: it was made to be run so"},
      {"Qwen3-8B-AWQ", 24 * gib, "AWQ 4-bit", "16 bits give nothing back that was rounded"},
      {"Llama-3.1-70B-GPTQ", 24 * gib, "nothing", "40 GB"},
      {"Llama-3.1-70B-GPTQ", 48 * gib, "GPTQ 4-bit", "40 GB and a cache"},
      {"Llama-3.1-70B-FP8", 80 * gb, "FP8", "72 GB"},
      {"Llama-3.1-70B-FP8", 48 * gib, "nf4", "made from the original, since FP8 does not fit"},
      {"Qwen3-8B-FP8", 12 * gib, "FP8", "9.5 GB"},
      {"Llama-3.1-8B in nf4", 8 * gib, "nf4 double-quant", "as it is stored"},
      {"Llama-3.1-8B in nf4", 24 * gib, "nf4 double-quant", "more bits would not bring the original back"},
      {"DeepSeek-V3", 80 * gb, "nothing", "671 GB"},
      {"DeepSeek-V3", 1128 * gb, "FP8", "eight cards of 141 GB, as it was published"},
      {"gemma-3-4b", 12 * gib, "bf16", "7.8 GB, and a cache that its windows keep small"},
      {"gemma-3-27b", 24 * gib, "nf4", "16 GB"},
      {"gemma-3-27b", 80 * gb, "bf16", "54 GB"},
      {"Mistral-Small-3.1-24B", 24 * gib, "nf4", "14 GB"},
  };
  EXPECT_GE(std::size(expectations), 40u);
  for (const Expectation& e : expectations) {
    const Advice a = advised(published.path(e.model), e.memory);
    EXPECT_EQ(choice(a), e.choice) << e.model << " in " << e.memory / 1e9 << " GB: " << e.why << "\n" << a.reason;
  }
}

TEST(Estimates, CountThePublishedParametersOfModelsThatNibbleDoesNotRun) {
  const Published published;
  const std::pair<const char*, std::uint64_t> counts[] = {{"gpt2", 124439808},
                                                          {"opt-125m", 125239296},
                                                          {"bloom-560m", 559214592},
                                                          {"mpt-7b", 6649286656},
                                                          {"pythia-160m", 162322944},
                                                          {"phi-2", 2779683840},
                                                          {"falcon-7b", 6921720704},
                                                          {"starcoder2-3b", 3030371328},
                                                          {"stablelm-2-1_6b", 1644515328},
                                                          {"command-r", 34980831232},
                                                          {"GLM-4-9B", 9400279040},
                                                          {"SmolLM3-3B", 3075098624},
                                                          {"OLMo-2-7B", 7298617344},
                                                          {"Qwen1.5-MoE-A2.7B", 14315784192},
                                                          {"DeepSeek-V2-Lite", 15706484224},
                                                          {"gemma-2-9b", 9241705984},
                                                          {"Mistral-Small-3.1-24B", 23572403200}};
  for (const auto& [name, parameters] : counts) {
    const auto e = estimate(published.path(name), {.precisions = {bf16}});
    ASSERT_TRUE(e) << name << ": " << e.error().message;
    EXPECT_EQ(e->parameters, parameters) << name;
    EXPECT_FALSE(e->runs) << name;
    EXPECT_FALSE(e->notes.empty()) << name;
  }
  for (const auto& [name, billions] : {std::pair{"DeepSeek-V3", 671.03},
                                       {"gemma-3-27b", 27.01},
                                       {"gemma-3-4b", 3.88},
                                       {"Qwen2.5-VL-7B", 7.62},
                                       {"granite-3.1-2b", 2.53},
                                       {"a stranger", 8.03}}) {
    const auto e = estimate(published.path(name), {.precisions = {bf16}});
    ASSERT_TRUE(e) << name << ": " << e.error().message;
    EXPECT_NEAR(double(e->parameters) / 1e9, billions, 0.006) << name;
  }
}

PrecisionEstimate stored_row(const std::filesystem::path& path, std::int64_t context = 4096) {
  const auto e = estimate(path, {.context = context});
  EXPECT_TRUE(e) << e.error().message;
  if (!e) return {};
  EXPECT_TRUE(e->precisions.front().stored) << path;
  for (std::size_t i = 1; i < e->precisions.size(); ++i)
    EXPECT_NE(e->precisions[i].precision.label(), e->precisions.front().precision.label()) << path;
  return e->precisions.front();
}

// Sizes of the files in the repositories of these names.
TEST(Estimates, CountPackedFilesAsTheyAreStored) {
  const Published published;
  for (const auto& [name, label, gigabytes] : {std::tuple{"gpt-oss-20b", "MXFP4", 13.76},
                                               {"Qwen3-8B-AWQ", "AWQ 4-bit", 6.09},
                                               {"Llama-3.1-70B-GPTQ", "GPTQ 4-bit", 39.77},
                                               {"Qwen3-8B-FP8", "FP8", 9.44},
                                               {"DeepSeek-V3", "FP8", 673.2}}) {
    const PrecisionEstimate row = stored_row(published.path(name));
    EXPECT_EQ(row.precision.label(), label);
    EXPECT_NEAR(double(row.bytes.weights_total()) / 1e9, gigabytes, 0.006 * gigabytes) << name;
    EXPECT_FALSE(row.requantizes);
    const auto e = estimate(published.path(name));
    EXPECT_FALSE(e->runs);
    EXPECT_NE(e->notes.back().find("does not run"), std::string::npos) << e->notes.back();
    EXPECT_TRUE(e->precisions.back().requantizes);
    EXPECT_EQ(advised(published.path(name), 2000 * gb).command, "") << "Nibble cannot run it";
  }
}

TEST(Estimates, CountTheCacheOfLayersThatLookBackAWindow) {
  const Published published;
  // Half of the layers keep 128 tokens; all keep everything below that.
  EXPECT_EQ(stored_row(published.path("gpt-oss-20b"), 8192).bytes[Purpose::kv_cache],
            2u * 8 * 64 * 2 * (12 * 8192 + 12 * 128));
  EXPECT_EQ(stored_row(published.path("gpt-oss-20b"), 100).bytes[Purpose::kv_cache], 2u * 8 * 64 * 2 * 24 * 100);
  EXPECT_EQ(stored_row(published.path("gemma-2-9b"), 8192).bytes[Purpose::kv_cache],
            2u * 8 * 256 * 2 * (21 * 8192 + 21 * 4096));
  // Every sixth layer of 34 sees everything.
  EXPECT_EQ(stored_row(published.path("gemma-3-4b"), 8192).bytes[Purpose::kv_cache],
            2u * 4 * 256 * 2 * (5 * 8192 + 29 * 1024));
  // Latent attention keeps one vector per token and layer.
  EXPECT_EQ(stored_row(published.path("DeepSeek-V3"), 4096).bytes[Purpose::kv_cache], 61u * 4096 * (512 + 64) * 2);
  const auto e = estimate(published.path("gpt-oss-20b"));
  EXPECT_NE(e->notes[1].find("12 of 24 layers look back 128 tokens"), std::string::npos) << e->notes[1];
}

TEST(Estimates, NeverCountACacheBeyondWhatTheModelWasMadeFor) {
  const auto e = estimate(shipped, {.precisions = {bf16}, .context = 100000});
  ASSERT_TRUE(e) << e.error().message;
  EXPECT_EQ(e->context, 2048);
  EXPECT_NE(e->notes.back().find("2048 tokens"), std::string::npos);
}

QuantizationConfig file_of(const char* type) {
  QuantizationConfig out;
  out.file_type = type;
  return out;
}

TEST(Estimates, OfGgufTypesAreTheBytesThatQuantizeWrites) {
  const made::Folder folder("gguf-estimates");
  for (const char* type : {"Q4_K_M", "Q5_K_S", "Q8_0", "Q4_1", "BF16", "F16"}) {
    std::string lower = type;
    for (char& c : lower) c = char(std::tolower(c));
    const auto file = folder / (lower + ".gguf");
    ASSERT_TRUE(quantize_checkpoint(shipped, file, {.gguf_type = lower})) << type;
    const auto planned = estimate(shipped, {.precisions = {file_of(type)}, .context = 256}),
               written = estimate(file, {.precisions = {QuantizationConfig()}, .context = 256});
    ASSERT_TRUE(planned && written) << type;
    const PrecisionEstimate &p = planned->precisions[0], &w = written->precisions[0];
    for (const Purpose purpose : {Purpose::linear_weights, Purpose::embeddings, Purpose::norms, Purpose::kv_cache,
                                  Purpose::activations, Purpose::process})
      EXPECT_EQ(p.bytes[purpose], w.bytes[purpose]) << type << " " << facts_of(purpose).label;
    EXPECT_EQ(p.bytes.mapped, w.bytes.mapped) << type;
    EXPECT_EQ(p.peak, w.peak) << type;
    EXPECT_NEAR(double(p.disk), double(w.disk), 0.02 * double(w.disk)) << type;
    EXPECT_EQ(w.disk, std::filesystem::file_size(file));
    EXPECT_TRUE(w.stored);
    EXPECT_FALSE(p.stored);
  }
  EXPECT_FALSE(estimate(shipped, {.precisions = {file_of("Q4_K")}})) << "rows of 320 are no whole blocks of 256";
}

// A file or folder of the shipped model, and what it calls itself.
TEST(TheAdvice, StartsFromTheFilesThatAreThere) {
  const made::Folder folder("stored-advice");
  for (const auto& [type, label] :
       {std::pair{"q4_1", "Q4_1"}, {"q8_0", "Q8_0"}, {"q4_k_m", "Q4_K_M (mixed)"}, {"bf16", "bf16"}, {"f16", "fp16"}}) {
    const auto file = folder / (std::string(type) + ".gguf");
    ASSERT_TRUE(quantize_checkpoint(shipped, file, {.gguf_type = type}));
    const Advice a = advised(file, 8 * gib);
    EXPECT_EQ(choice(a), label);
    EXPECT_EQ(a.command.find("--precision"), std::string::npos) << a.command;
    EXPECT_EQ(stored_row(file).precision.label(), label);
    const auto model = Model::load(file);
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ(model->precision().label(), label);
    EXPECT_EQ(model->requantized_from(), "");
  }
  const auto out = folder / "nf4";
  ASSERT_TRUE(quantize_checkpoint(shipped, out, {.precision = QuantizationConfig::nf4({.double_quant = true})}));
  const Advice a = advised(out, 8 * gib);
  EXPECT_EQ(choice(a), "nf4 double-quant");
  EXPECT_NE(a.reason.find("the files as they are"), std::string::npos) << a.reason;
  EXPECT_EQ(a.fits.size(), 1u) << "nothing else is smaller";
  EXPECT_EQ(choice(advised(shipped, 8 * gib)), "bf16");
}

TEST(TheAdvice, ShortensTheContextBeforeItRoundsASecondTime) {
  const made::Folder folder("q8-advice");
  const auto file = folder / "m.gguf";
  ASSERT_TRUE(quantize_checkpoint(shipped, file, {.gguf_type = "q8_0"}));
  Advice a = advised(file, 8 * gib);
  ASSERT_FALSE(a.fits.empty());
  const std::uint64_t needed = a.fits[0].needed;
  a = advised(file, 0.95 * double(needed));
  EXPECT_EQ(choice(a), "Q8_0");
  EXPECT_LT(a.context, 2048);
  a = advised(file, 0.3 * double(needed), {QuantizationConfig::nf4()});
  EXPECT_TRUE(a.fits[0].requantizes);
}

TEST(TheAdvice, IsAboutThePrecisionsThatWereAskedFor) {
  const Published published;
  EXPECT_EQ(choice(advised(published.path("Llama-3.1-8B"), 24 * gib, {QuantizationConfig::nf4()})), "nf4");
  const Advice file = advised(published.path("Llama-3.1-8B"), 24 * gib, {file_of("Q4_K_M")});
  EXPECT_EQ(choice(file), "Q4_K_M");
  EXPECT_NE(file.command.find("--to q4_k_m && nibble run"), std::string::npos) << file.command;
}

TEST(TheAdvice, OfABareSizeIsThatOfTheNearestModel) {
  const auto a = advise_nearest(13'000'000'000, {.memory = std::uint64_t(12 * gb), .threads = 1});
  ASSERT_TRUE(a && *a);
  EXPECT_EQ((**a).architecture, "Llama-2-13B");
  EXPECT_EQ(choice(**a), "nf4");
  const auto none = advise_nearest(70'000'000'000, {.memory = std::uint64_t(24 * gb), .threads = 1});
  ASSERT_TRUE(none && *none);
  EXPECT_FALSE((**none).choice);
  for (const char* word : {"the smallest that works", "two cards", "smaller model", "Q3_K_M"})
    EXPECT_NE((**none).reason.find(word), std::string::npos) << word << "\n" << (**none).reason;
  EXPECT_FALSE((**none).fits.empty()) << "what it would take is said all the same";
}

TEST(TheAdvice, ForCardsDoesNotDependOnTheThreadsOfTheHost) {
  const Published published;
  const auto on = [&](int threads) {
    const auto a = advise(published.path("Qwen3-4B"), {.memory = std::uint64_t(16 * gib), .threads = threads});
    std::vector<std::uint64_t> needed;
    for (const CardFit& card : a->cards)
      for (const Fit& fit : card.fits) needed.push_back(fit.needed);
    return needed;
  };
  EXPECT_EQ(on(1), on(64));
}

TEST(TheAdvice, NamesWhatTakesTheChoiceOnACard) {
  const Published published;
  const auto line = [&](const char* name, double memory) { return advised(published.path(name), memory).on_a_card; };
  EXPECT_NE(line("Llama-3.1-8B", 8 * gib).find("BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type=\"nf4\""),
            std::string::npos);
  EXPECT_NE(line("Llama-3.1-8B", 12 * gib).find("BitsAndBytesConfig(load_in_8bit=True)"), std::string::npos);
  EXPECT_NE(line("Llama-3.1-8B", 24 * gib).find("dtype=torch.bfloat16"), std::string::npos);
  EXPECT_EQ(line("Qwen3-8B-AWQ", 24 * gib).find("BitsAndBytesConfig"), std::string::npos);
}

TEST(Model, SaysThatItsWeightsWereRoundedASecondTime) {
  const made::Folder folder("second-rounding");
  const auto file = folder / "m.gguf", out = folder / "nf4";
  ASSERT_TRUE(quantize_checkpoint(shipped, file, {.gguf_type = "q4_1"}));
  ASSERT_TRUE(quantize_checkpoint(shipped, out, {.precision = QuantizationConfig::nf4({.double_quant = true})}));
  const auto from = [](const std::filesystem::path& path, const QuantizationConfig& precision) {
    const auto model = Model::load(path, {.precision = precision});
    EXPECT_TRUE(model) << model.error().message;
    return model ? model->requantized_from() : "?";
  };
  EXPECT_EQ(from(file, QuantizationConfig::int8()), "Q4_1");
  EXPECT_EQ(from(file, bf16), "Q4_1");
  EXPECT_EQ(from(file, fp32), "") << "fp32 keeps every value";
  EXPECT_EQ(from(file, {}), "");
  EXPECT_EQ(from(out, QuantizationConfig::int8()), "nf4 double-quant");
  EXPECT_EQ(from(out, QuantizationConfig::nf4()), "nf4 double-quant") << "its scales were rounded";
  EXPECT_EQ(from(out, QuantizationConfig::nf4({.double_quant = true})), "") << "the very bytes";
  EXPECT_EQ(from(shipped, QuantizationConfig::int8()), "");
}

}  // namespace
}  // namespace nibble
