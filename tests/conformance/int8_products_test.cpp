// LLM.int8() products of single layers of the shipped model, with activations that the model really has: codes and
// scales of activations are those of bitsandbytes, products those of float64 within a few roundings.
#include "../made/targets.hpp"
#include "golden_tensors.hpp"
#include "ops/reference.hpp"

namespace nibble {
namespace {

const std::vector<std::string> layers = {"model.layers.4.self_attn.k_proj", "model.layers.4.mlp.down_proj"};

struct Fixture {
  std::vector<float> x;            // (tokens, cols)
  std::vector<std::int8_t> codes;  // of x, as bitsandbytes has them
  std::vector<float> absmax;
  std::int64_t tokens = 0, cols = 0;
};

Fixture fixture(const GoldenTensors& golden, const std::string& key) {
  Fixture f{golden.get<float>(key + ".x"), golden.get<std::int8_t>(key + ".x_codes"),
            golden.get<float>(key + ".x_absmax")};
  f.tokens = std::int64_t(f.absmax.size());
  f.cols = std::int64_t(f.x.size()) / f.tokens;
  return f;
}

float threshold_of(const std::string& name) { return name == "int8" ? 6.0f : 0.0f; }

TEST(Int8Activations, HaveTheCodesAndScalesOfBitsandbytes) {
  const GoldenTensors golden("precisions.safetensors");
  for (const std::string name : {"int8", "int8_plain"})
    for (const std::string& layer : layers) {
      SCOPED_TRACE(name + " " + layer);
      Fixture f = fixture(golden, name + ".linear." + layer);
      std::vector<std::int8_t> codes(f.x.size());
      std::vector<float> scales(f.absmax.size());
      std::vector<std::uint8_t> outlier(std::size_t(f.cols));
      quantize_activations(TensorView(f.x.data(), DType::f32, f.tokens, f.cols), threshold_of(name),
                           {codes, scales, outlier});
      EXPECT_EQ(codes, f.codes);
      EXPECT_EQ(scales, f.absmax);
    }
}

// Sums of codes are whole numbers. What is rounded: the scale of the two (3 times), each lane's sum times it, and the
// additions of at most 16 lanes (a tree of 4), so 8 roundings of at most the sum of magnitudes; the sum over n outlier
// columns in fp32, each weight decoded with 2 roundings; and the result. A code that is off by one changes a product by
// a hundred times as much.
double bound_of(const Weight& w, const Fixture& f, std::span<const std::uint8_t> outlier, std::int64_t token,
                std::int64_t row, double result) {
  double near = 0, far = 0, n = 0;
  for (std::int64_t i = 0; i < f.cols; ++i) {
    const double product =
        std::fabs(double(f.x[std::size_t(token * f.cols + i)]) * decode_element(w, row * w.cols + i));
    if (outlier[std::size_t(i)]) {
      far += product;
      n += 1;
    } else
      near += product;
  }
  return 0x1p-24 * (8 * near + (n + 2) * far + 2 * std::fabs(result));
}

// The largest error of a product, as a share of its bound.
double worst_of(LoadedModel& model, const PreparedWeight& prepared, Fixture f, std::int64_t tokens, float threshold,
                std::span<const float> expected) {
  const Weight& w = prepared.canonical();
  std::vector<float> y(expected.size());
  const LinearTask task{&prepared, nullptr, TensorView(y.data(), DType::f32, tokens, w.rows)};
  model.backend->linear({&task, 1}, TensorView(f.x.data(), DType::f32, tokens, f.cols), false);
  std::vector<std::uint8_t> outlier(std::size_t(f.cols), 0);
  for (std::size_t i = 0; i < std::size_t(tokens * f.cols); ++i)
    if (threshold > 0 && std::fabs(f.x[i]) >= threshold) outlier[i % std::size_t(f.cols)] = 1;
  double worst = 0;
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t row = 0; row < w.rows; ++row) {
      const double result = expected[std::size_t(t * w.rows + row)];
      worst = std::max(worst,
                       std::fabs(y[std::size_t(t * w.rows + row)] - result) / bound_of(w, f, outlier, t, row, result));
    }
  return worst;
}

void shift_row_scales(Weight& w) {
  float* scales = const_cast<float*>(w.scales.data());
  std::rotate(scales, scales + 1, scales + w.scales.size());
}

void change_one_code(Weight& w) {
  auto& code = const_cast<std::byte&>(w.codes[w.code_bytes / 2]);
  code = std::byte(std::uint8_t(code) ^ 1);
}

// Of every column whose activation reaches the threshold in some token of the fixture.
void drop_outliers(Weight& w, const Fixture& f) {
  for (std::size_t i = 0; i < f.x.size(); ++i)
    if (std::fabs(f.x[i]) >= 6)
      for (std::int64_t row = 0; row < w.rows; ++row)
        const_cast<std::byte&>(w.codes[std::size_t(row * w.cols) + i % std::size_t(f.cols)]) = std::byte(0);
}

struct Target : OnTarget {
  template <class Job>  // job(model, name of case, layer, weight)
  void for_each_layer(Job job) {
    LoadOptions options;
    options.cpu_target = GetParam();
    for (const std::string name : {"int8", "int8_plain"}) {
      options.precision = QuantizationConfig::int8({.threshold = threshold_of(name), .compute_dtype = Precision::fp32});
      const auto model = load_model(std::string(NIBBLE_SOURCE_DIR) + "/models/gutenberg-16m", options);
      ASSERT_TRUE(model) << model.error().message;
      std::size_t found = 0;
      for (const auto& [layer, prepared] : linear_layers(**model)) {
        if (std::find(layers.begin(), layers.end(), layer) == layers.end()) continue;
        ++found;
        job(**model, name, layer, *prepared);
      }
      EXPECT_EQ(found, layers.size()) << "every layer of the golden file is one of the model's";
    }
  }
  GoldenTensors golden{"precisions.safetensors"};
};

TEST_P(Target, MultipliesAsFloat64DoesTogetherAndAlone) {
  for_each_layer([&](LoadedModel& model, const std::string& name, const std::string& layer, const PreparedWeight& w) {
    const std::string key = name + ".linear." + layer;
    const Fixture f = fixture(golden, key);
    const float threshold = threshold_of(name);
    EXPECT_LE(worst_of(model, w, f, f.tokens, threshold, golden.get<float>(key + ".together")), 1) << key;
    EXPECT_LE(worst_of(model, w, f, 1, threshold, golden.get<float>(key + ".alone")), 1) << key << " alone";
  });
}

TEST_P(Target, WouldNoticeOneWrongCodeScalesOffByOneRowOrMissingOutliers) {
  for_each_layer([&](LoadedModel& model, const std::string& name, const std::string& layer, const PreparedWeight& p) {
    const std::string key = name + ".linear." + layer;
    const Fixture f = fixture(golden, key);
    const auto expected = golden.get<float>(key + ".together");
    auto& w = const_cast<Weight&>(p.canonical());  // lies in buffers that the loader filled
    const auto worst = [&] { return worst_of(model, p, f, f.tokens, threshold_of(name), expected); };
    change_one_code(w);
    EXPECT_GT(worst(), 2) << key << ": one code";
    change_one_code(w);  // and back
    EXPECT_LE(worst(), 1) << key;
    shift_row_scales(w);
    EXPECT_GT(worst(), 2) << key << ": scales";
    for (std::size_t i = 1; i < w.scales.size(); ++i) shift_row_scales(w);
    EXPECT_LE(worst(), 1) << key;
    if (threshold_of(name) == 0) return;
    drop_outliers(w, f);
    EXPECT_GT(worst(), 2) << key << ": outliers";
  });
}

INSTANTIATE_TEST_SUITE_P(Int8Products, Target, testing::ValuesIn(every_target()), name_of_target);

}  // namespace
}  // namespace nibble
