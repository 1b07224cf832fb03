// iq4: four-bit codes stand for 16 values that are denser near zero. iq4_nl has an fp16 scale for 32 elements; iq4_xs
// one for 256, times a 6-bit scale for each 32.
//
// Encoding iq4_nl tries scales around the one that puts the extreme element on the outermost value, each improved by
// least squares with weights x^2; the smallest error wins. Source of the algorithm: quantize_row_iq4_nl_impl.
#include <algorithm>
#include <cmath>

#include "io/ggml/float_lanes.hpp"
#include "io/ggml/ggml_blocks.hpp"
#include "io/ggml/ggml_tables.hpp"

namespace nibble::ggml {
namespace {

constexpr int iq4_run = 32, tries = 7;
constexpr float negligible = 1e-15f;  // a block that is smaller everywhere counts as zero

void decode_run(const std::byte* codes, float scale, float* out) {
  for (int i = 0; i < 16; ++i) {
    const int byte = int(codes[i]);
    out[i] = scale * float(iq4_values[std::size_t(byte & 15)]);
    out[i + 16] = scale * float(iq4_values[std::size_t(byte >> 4)]);
  }
}

// Midpoints of neighbouring values are multiples of a half, so that the whole part of 2 x, -254 .. 254, says which
// value is nearest to x; a tie goes to the upper one. (ggml compares the two distances, which are exact near a
// midpoint.)
struct NearestValue {
  std::array<std::uint8_t, 509> index;
  std::array<float, 509> value;
};
constexpr NearestValue nearest_value = [] {
  NearestValue table{};
  for (int twice = -254; twice <= 254; ++twice) {
    std::uint8_t index = 0;
    while (index < 15 && twice >= iq4_values[index] + iq4_values[index + 1u]) ++index;
    table.index[std::size_t(twice + 254)] = index;
    table.value[std::size_t(twice + 254)] = float(iq4_values[index]);
  }
  return table;
}();

std::size_t place(float x) {
  if (x != x) return 508;  // the search that ggml does ends above for NaN
  const float twice = 2 * std::clamp(x, -127.0f, 127.0f);
  const int whole = int(twice);
  return std::size_t(whole - (float(whole) > twice) + 254);
}
// NaN becomes -127 here, so that no index leaves the table; fit_scale_4 leaves such blocks to fit_scale.
F4 nearest_values(F4 x) {
  const F4 twice = 2.0f * smaller(larger(x, splat(-127)), splat(127));
  I4 whole = __builtin_convertvector(twice, I4);
  whole += (__builtin_convertvector(whole, F4) > twice) + 254;
  const float* value = nearest_value.value.data();
  return F4{value[whole[0]], value[whole[1]], value[whole[2]], value[whole[3]]};
}

float fit_scale(const float* x) {
  float magnitude = 0, extreme = 0;
  for (int i = 0; i < iq4_run; ++i)
    if (std::fabs(x[i]) > magnitude) {
      magnitude = std::fabs(x[i]);
      extreme = x[i];
    }
  if (magnitude < negligible) return 0;
  float scale = 0, gain = 0;
  for (int step = -tries - 1; step <= tries; ++step) {
    const bool first = step < -tries;  // the opposite end of the values, -127 for -extreme
    const float inverse = first ? 1 / (-extreme / float(iq4_values[0])) : float(step + iq4_values[0]) / extreme;
    float sum_wqx = 0, sum_wqq = 0;
    for (int i = 0; i < iq4_run; ++i) {
      const float value = nearest_value.value[place(inverse * x[i])], weighted = x[i] * x[i] * value;
      sum_wqx += weighted * x[i];
      sum_wqq += weighted * value;
    }
    if (first ? sum_wqq > 0 : sum_wqq > 0 && sum_wqx * sum_wqx > gain * sum_wqq) {
      scale = sum_wqx / sum_wqq;
      gain = scale * sum_wqx;
    }
  }
  return scale;
}

// Four blocks in the lanes of a vector, the same operations in the same order.
void fit_scale_4(const float* x, float (&scales)[4]) {
  F4 values[iq4_run], weights[iq4_run], magnitude = splat(0), extreme = splat(0), scale = splat(0), gain = splat(0);
  for (int i = 0; i < iq4_run; ++i) {
    const F4 v = values[i] = F4{x[i], x[i + iq4_run], x[i + 2 * iq4_run], x[i + 3 * iq4_run]};
    weights[i] = v * v;
    const I4 farther = absolute(v) > magnitude;
    magnitude = pick(farther, absolute(v), magnitude);
    extreme = pick(farther, v, extreme);
  }
  I4 odd = ~((magnitude >= negligible) & (magnitude <= 0x1p30f));
  for (int step = -tries - 1; step <= tries; ++step) {
    const bool first = step < -tries;
    const F4 inverse = first ? 1.0f / (-extreme / float(iq4_values[0])) : float(step + iq4_values[0]) / extreme;
    F4 sum_wqx = splat(0), sum_wqq = splat(0);
    for (int i = 0; i < iq4_run; ++i) {
      const F4 value = nearest_values(inverse * values[i]), weighted = weights[i] * value;
      sum_wqx += weighted * values[i];
      sum_wqq += weighted * value;
    }
    if (first) odd |= ~(sum_wqq <= 0x1p120f);  // NaN among the elements
    const I4 better = first ? sum_wqq > 0 : (sum_wqq > 0) & (sum_wqx * sum_wqx > gain * sum_wqq);
    scale = pick(better, sum_wqx / sum_wqq, scale);
    gain = pick(better, scale * sum_wqx, gain);
  }
  for (int lane = 0; lane < 4; ++lane) scales[lane] = odd[lane] ? fit_scale(x + iq4_run * lane) : scale[lane];
}

void encode_block(const float* x, float scale, std::byte* block) {
  write(block, to_f16(scale));
  const float inverse = scale != 0 ? 1 / scale : 0.0f;
  const auto code = [&](float v) { return unsigned(nearest_value.index[place(inverse * v)]); };
  for (int i = 0; i < 16; ++i) block[2 + i] = std::byte(code(x[i]) | code(x[i + 16]) << 4);
}

}  // namespace

void IQ4_NL::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<IQ4_NL>(from, count, out,
                      [](const std::byte* block, float* values) { decode_run(block + 2, read_f16(block), values); });
}

// d; a word with the high two bits of the eight scales, then their low nibbles; offset 32. 16 bytes of codes each.
void IQ4_XS::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<IQ4_XS>(from, count, out, [](const std::byte* block, float* values) {
    const float d = read_f16(block);
    const int high = read<std::uint16_t>(block + 2);
    for (int part = 0; part < 8; ++part) {
      const int low = int(block[4 + part / 2]) >> 4 * (part % 2) & 15;
      const float scale = d * float((low | (high >> 2 * part & 3) << 4) - 32);
      decode_run(block + 8 + 16 * part, scale, values + 32 * part);
    }
  });
}

void IQ4_NL::encode(const float* from, std::int64_t count, std::byte* out) {
  for (; count >= 4 * elements; count -= 4 * elements, from += 4 * elements) {
    float scales[4];
    fit_scale_4(from, scales);
    for (int i = 0; i < 4; ++i, out += bytes) encode_block(from + elements * i, scales[i], out);
  }
  encode_each<IQ4_NL>(from, count, out, [](const float* x, std::byte* block) { encode_block(x, fit_scale(x), block); });
}

}  // namespace nibble::ggml
