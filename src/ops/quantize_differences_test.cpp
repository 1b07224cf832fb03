// The one list of what Nibble writes otherwise than bitsandbytes' CPU backend, each with its reason. Whatever differs
// must be explained by exactly one entry, and the number of differences of each kind in the golden vectors is pinned;
// nf4 and int8 have none (quantize_test.cpp compares them byte for byte).
//
//   fp4 zero     a number that rounds to zero: the CUDA kernel sets the sign bit below zero only, the CPU code takes
//   the
//                opposite sign. Both decode to zero.
//   fp4 middle   the number lies between the CUDA kernel's threshold and the exact middle of two values (at most 14
//                units in the last place apart), or on a middle: there the CPU code prefers the lower value, the CUDA
//                kernel the smaller magnitude.
//   fp4 tail     the CPU code divides a last, short block by absmax where the CUDA kernel multiplies by 1 / absmax, and
//                stores the absmax of a short block of zeros as 1e-38 instead of 0.
//   nested bin   the CPU code looks a scale up by which of 65536 equal bins of [-1, 1] it falls into; near zero a bin
//                holds several codes, elsewhere it may straddle the border of two. Nibble takes the nearest code.
//   not finite   bitsandbytes quantizes a block with a NaN or infinite weight, and an int8 row beyond fp16, to codes
//                without meaning; Nibble refuses the weight by its place (quantize_test.cpp).
//
// On the 12,582,912 weights of the model that ships: 7734 fp4 codes (zeros not counted) and 481 of 196,608 nested codes
// (tests/conformance/precisions_like_bitsandbytes_test.cpp checks that nothing else differs there).
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "formats/all.hpp"
#include "formats/dynamic_map.hpp"
#include "ops/quantization.hpp"
#include "ops/quantization_vectors.hpp"

namespace nibble {
namespace {

HostAllocator& memory() {
  static HostAllocator allocator;
  return allocator;
}

QuantizedWeight quantized(const std::vector<float>& values, const QuantizeOptions& options) {
  ThreadPool pool(1);
  auto out =
      allocate_quantized(memory(), options, 1, std::int64_t(values.size()), Purpose::linear_weights, Purpose::scales);
  const auto done =
      quantize([&](std::int64_t first, std::int64_t count, float* x) { std::copy_n(values.begin() + first, count, x); },
               *out, pool);
  EXPECT_TRUE(done);
  return std::move(out).value();
}

int nibble_of(const std::uint8_t* packed, std::int64_t i) { return i % 2 ? packed[i / 2] & 15 : packed[i / 2] >> 4; }

// bitsandbytes' CPU rule for fp4: sort the 16 values, count the middles strictly below t.
struct SortedFp4 {
  std::array<std::uint8_t, 16> code{11, 10, 13, 12, 15, 14, 9, 0, 8, 1, 6, 7, 4, 5, 2, 3};
  int encode(float t) const {
    int rank = 0;
    for (int i = 0; i < 15; ++i) rank += t > (Fp4::table[code[i]] + Fp4::table[code[i + 1]]) / 2;
    return code[rank];
  }
};

enum class Fp4Reason { none, zero, middle, tail };

Fp4Reason explain(float x, float absmax, bool tail, int ours, int theirs) {
  const SortedFp4 sorted;
  const float divisor = std::max(absmax, 1e-38f);
  const auto clamp = [](float t) { return std::clamp(t, -1.0f, 1.0f); };
  const float multiplied = clamp(x * (1.0f / divisor)), divided = clamp(x / divisor);
  // Their code must follow from their rule, whatever the reason why it is not ours.
  if (sorted.encode(tail ? divided : multiplied) != theirs || Fp4::encode(multiplied) != ours) return Fp4Reason::none;
  if (Fp4::table[ours] == 0 && Fp4::table[theirs] == 0) return Fp4Reason::zero;
  const float magnitude = std::fabs(multiplied), low = std::fabs(Fp4::table[ours]),
              high = std::fabs(Fp4::table[theirs]);
  const float middle = (low + high) / 2;
  if (std::abs(std::bit_cast<std::int32_t>(magnitude) - std::bit_cast<std::int32_t>(middle)) <= 14)
    return Fp4Reason::middle;
  if (tail && multiplied != divided) return Fp4Reason::tail;
  return Fp4Reason::none;
}

TEST(DifferencesToBitsandbytesOnACpu, Fp4CodesDifferOnlyAtZeroAtMiddlesAndInTheTail) {
  std::array<std::int64_t, 4> by_reason{};
  std::int64_t zero_tails = 0;
  for (const std::string matrix : {"normal", "bf16", "odd", "special", "huge"})
    for (const int block : {32, 64, 128, 256, 512, 1024, 2048, 4096}) {
      const std::string key = matrix + ".fp4." + std::to_string(block);
      const auto values = golden().get<float>(matrix + ".values");
      const auto theirs = golden().get<std::uint8_t>(key + ".codes");
      const auto their_absmax = golden().get<float>(key + ".absmax");
      const auto ours = quantized(values, {"fp4", block});
      const auto* our_codes = reinterpret_cast<const std::uint8_t*>(ours.weight.codes);
      const auto n = std::int64_t(values.size()), whole = n / block * block;
      ASSERT_EQ(theirs.size(), ours.weight.code_bytes);
      for (std::int64_t i = 0; i < n; ++i) {
        const int a = nibble_of(our_codes, i), b = nibble_of(theirs.data(), i);
        if (a == b) continue;
        const Fp4Reason reason = explain(values[i], ours.weight.scales[i / block], i >= whole, a, b);
        EXPECT_NE(reason, Fp4Reason::none) << key << " element " << i << ": " << a << " and " << b;
        ++by_reason[int(reason)];
      }
      if (n % 2) {
        EXPECT_EQ(nibble_of(our_codes, n), nibble_of(theirs.data(), n)) << key;
      }
      for (std::size_t b = 0; b < their_absmax.size(); ++b)
        if (ours.weight.scales[b] != their_absmax[b]) {
          EXPECT_EQ(ours.weight.scales[b], 0) << key;
          EXPECT_EQ(their_absmax[b], 1e-38f) << key;
          EXPECT_GE(std::int64_t(b) * block, whole) << key;
          ++zero_tails;
        }
    }
  EXPECT_EQ(by_reason[int(Fp4Reason::zero)], 13441);
  EXPECT_EQ(by_reason[int(Fp4Reason::middle)], 119);
  EXPECT_EQ(by_reason[int(Fp4Reason::tail)], 0);
  EXPECT_EQ(zero_tails, 2);
}

TEST(DifferencesToBitsandbytesOnACpu, NestedCodesDifferOnlyByTheWidthOfABin) {
  constexpr float bin = 2.0f / 65536;
  std::map<std::string, std::size_t> differences;
  for (const std::string name : {"many", "wide", "five", "equal", "one"}) {
    const auto scales = golden().get<float>(name + ".scales");
    const auto theirs = golden().get<std::uint8_t>(name + ".nested.codes");
    std::vector<float> weights;  // blocks of 32 equal weights
    for (const float scale : scales) weights.insert(weights.end(), 32, scale);
    const auto ours = quantized(weights, {"nf4", 32, true});
    const NestedScales& nested = ours.weight.nested;
    ASSERT_EQ(theirs.size(), nested.codes.size());
    std::size_t& differing = differences[name];
    for (std::size_t b = 0; b < theirs.size(); ++b) {
      if (theirs[b] == nested.codes[b]) continue;
      ++differing;
      const float t = (scales[b] - nested.offset) * (1.0f / nested.absmax[b / 256]);
      EXPECT_LE(nearest_in_map(dynamic_map, t - bin), theirs[b]) << name << " " << b;
      EXPECT_GE(nearest_in_map(dynamic_map, t + bin), theirs[b]) << name << " " << b;
    }
  }
  EXPECT_EQ(differences,
            (std::map<std::string, std::size_t>{{"many", 10}, {"wide", 0}, {"five", 0}, {"equal", 0}, {"one", 0}}));
}

}  // namespace
}  // namespace nibble
