// What encoding promises whoever does not have ggml at hand: how far values may move, and when a second pass is free.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "io/ggml/ggml_types.hpp"

namespace nibble {
namespace {

std::vector<float> normal_rows(double scale, double shift = 0) {
  std::mt19937 random(7);
  std::normal_distribution<double> normal(shift, scale);
  std::vector<float> x(64 * 256);
  for (float& v : x) v = float(normal(random));
  return x;
}
std::vector<std::byte> encoded(const GgmlType& type, const std::vector<float>& x) {
  std::vector<std::byte> out(x.size() / type.block_elements * type.block_bytes);
  type.encode(x.data(), std::int64_t(x.size()), out.data());
  return out;
}
std::vector<float> decoded(const GgmlType& type, const std::vector<std::byte>& blocks) {
  std::vector<float> out(blocks.size() / type.block_bytes * type.block_elements);
  type.decode(blocks.data(), std::int64_t(out.size()), out.data());
  return out;
}

// Where a block keeps its codes: setting every byte of a part to byte(code) gives all elements that code.
struct CodePart {
  std::size_t at, size;
  int (*byte)(int code);
};
struct CodeLayout {
  const char* type;
  int codes;
  float reach;  // the scale's largest multiple; 0 where codes are chosen for the scale as it is stored
  std::vector<CodePart> parts;
};
int nibbles(int code) { return (code & 15) * 0x11; }
int fifth_bits(int code) { return code >> 4 ? 0xff : 0; }
const std::vector<CodeLayout>& layouts() {
  static const std::vector<CodeLayout> all = {
      {"Q8_0", 256, 128, {{2, 32, [](int code) { return code; }}}},
      {"Q4_0", 16, 8, {{2, 16, nibbles}}},
      {"Q4_1", 16, 15, {{4, 16, nibbles}}},
      {"Q5_0", 32, 16, {{2, 4, fifth_bits}, {6, 16, nibbles}}},
      {"Q5_1", 32, 31, {{4, 4, fifth_bits}, {8, 16, nibbles}}},
      {"Q4_K", 16, 0, {{16, 128, nibbles}}},
      {"Q5_K", 32, 0, {{16, 32, fifth_bits}, {48, 128, nibbles}}},
      {"Q6_K", 64, 0, {{0, 128, nibbles}, {128, 64, [](int code) { return (code >> 4) * 0x55; }}}},
      {"IQ4_NL", 16, 127, {{2, 16, nibbles}}},
  };
  return all;
}

// The error of an element is that of the nearest value its run's stored scale can say. Slack: the K types choose codes
// for the scale as stored, in a handful of fp32 roundings. The others do so for the scale before it became fp16; that
// moved scale and minimum by at most 2^-11 of themselves, or by 2^-25 where fp16 is denormal, for the chosen value and
// for its rival.
TEST(GgmlEncode, NoOtherCodeWouldHaveBeenNearer) {
  for (const CodeLayout& layout : layouts()) {
    const GgmlType& type = *ggml_type(layout.type);
    for (const double scale : {1e-3, 0.02, 1.0, 100.0}) {
      const std::vector<float> x = normal_rows(scale);
      const std::vector<std::byte> blocks = encoded(type, x);
      const std::vector<float> values = decoded(type, blocks);
      std::vector<std::vector<float>> rivals;
      for (int code = 0; code < layout.codes; ++code) {
        std::vector<std::byte> all = blocks;
        for (std::size_t block = 0; block < all.size(); block += type.block_bytes)
          for (const CodePart& part : layout.parts)
            std::memset(all.data() + block + part.at, part.byte(code), part.size);
        rivals.push_back(decoded(type, all));
      }
      for (std::size_t i = 0; i < x.size(); ++i) {
        float nearest = INFINITY, largest = 0;
        bool among = false;
        for (const std::vector<float>& rival : rivals) {
          nearest = std::fmin(nearest, std::fabs(rival[i] - x[i]));
          largest = std::fmax(largest, std::fabs(rival[i]));
          among |= rival[i] == values[i];
        }
        ASSERT_TRUE(among) << type.name << ": the layout in this test is wrong";
        const float rounding = (largest + std::fabs(x[i])) * 0x1p-21f;
        const float stored = layout.reach > 0 ? 2 * (2 * largest * 0x1p-11f + (layout.reach + 1) * 0x1p-25f) : 0.0f;
        ASSERT_LE(std::fabs(values[i] - x[i]), nearest + stored + rounding)
            << type.name << ", element " << i << ", scale " << scale;
      }
    }
  }
}

// Steps follow from the block: the farthest element is 127, 8 or 16 steps from zero, or the range has 15 or 31. Half a
// step is lost, a whole one where the side without the extreme is cut off, and fp16 moves each end by 2^-11 of itself.
TEST(GgmlEncode, AnElementOf32MovesByHalfAStep) {
  struct Rule {
    const char* type;
    float steps;
    bool range;
    float lost;
  };
  for (const Rule& rule : {Rule{"Q8_0", 127, false, 0.5f}, Rule{"Q4_0", 8, false, 1}, Rule{"Q5_0", 16, false, 1},
                           Rule{"Q4_1", 15, true, 0.5f}, Rule{"Q5_1", 31, true, 0.5f}}) {
    const GgmlType& type = *ggml_type(rule.type);
    for (const double shift : {0.0, 3.0}) {
      const std::vector<float> x = normal_rows(1, shift), values = decoded(type, encoded(type, x));
      for (std::size_t block = 0; block < x.size(); block += 32) {
        float low = x[block], high = x[block];
        for (std::size_t i = block; i < block + 32; ++i) {
          low = std::fmin(low, x[i]);
          high = std::fmax(high, x[i]);
        }
        const float farthest = std::fmax(-low, high), step = (rule.range ? high - low : farthest) / rule.steps;
        const float bound = rule.lost * step + (farthest + rule.range * (high - low)) * 0x1p-11f + farthest * 0x1p-21f;
        for (std::size_t i = block; i < block + 32; ++i)
          ASSERT_LE(std::fabs(values[i] - x[i]), bound) << type.name << ", element " << i;
      }
    }
  }
}

// The extreme element gives the scale, and is met exactly by its code: a second pass finds the same scale. q4_1 and
// q5_1 do so while the minimum is not thousands of steps away, so that max - min is exact enough. The K types and
// iq4_nl search for a compromise, and search again in what they made of it: no such promise.
TEST(GgmlEncode, ASecondPassChangesNothingWhereTheExtremeElementGivesTheScale) {
  for (const char* name : {"Q8_0", "Q4_0", "Q5_0", "Q4_1", "Q5_1", "F16", "BF16", "F32"}) {
    const GgmlType& type = *ggml_type(name);
    for (const double scale : {1e-3, 0.02, 1.0, 100.0}) {
      const std::vector<std::byte> once = encoded(type, normal_rows(scale));
      EXPECT_EQ(encoded(type, decoded(type, once)), once) << name << ", scale " << scale;
    }
  }
}

TEST(GgmlEncode, ZerosStayZeros) {
  const std::vector<float> zeros(512, 0.0f);
  for (std::uint32_t number = 0; number < 64; ++number) {
    const GgmlType* type = ggml_type(number);
    if (!type || !type->encode) continue;
    EXPECT_EQ(decoded(*type, encoded(*type, zeros)), zeros) << type->name;
  }
}

// Not promised values, but no crash either (the sanitizers watch), and a block beside them is not touched.
TEST(GgmlEncode, InfinitiesAndNaNDoNotReachTheNextBlock) {
  for (std::uint32_t number = 0; number < 64; ++number) {
    const GgmlType* type = ggml_type(number);
    if (!type || !type->encode) continue;
    std::vector<float> x = normal_rows(1);
    x.resize(1024);
    const std::vector<std::byte> clean = encoded(*type, x);
    for (std::size_t i = 0; i < 256; ++i) x[i] = i % 3 == 0 ? INFINITY : i % 3 == 1 ? NAN : -INFINITY;
    const std::vector<std::byte> mixed = encoded(*type, x);
    const std::size_t after = 256 / type->block_elements * type->block_bytes;
    EXPECT_TRUE(std::equal(clean.begin() + std::ptrdiff_t(after), clean.end(), mixed.begin() + std::ptrdiff_t(after)))
        << type->name;
  }
}

}  // namespace
}  // namespace nibble
