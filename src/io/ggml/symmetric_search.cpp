// x ~ scale * (code - 32): the search of q6_K.
#include <cmath>

#include "io/ggml/float_lanes.hpp"
#include "io/ggml/k_search.hpp"

namespace nibble::ggml {
namespace {

constexpr int symmetric_run = 16, half = 32;
constexpr float negligible_run = 1e-15f;  // a run that is smaller everywhere counts as zero

float code_of(float x, float inverse) {
  const int code = nearest_int(inverse * x);
  return float(code < -half ? -half : code > half - 1 ? half - 1 : code);
}

}  // namespace

void symmetric_codes(const float* x, const SymmetricFit& fit, std::uint8_t* codes) {
  for (int i = 0; i < symmetric_run; ++i)
    codes[i] = fit.empty ? 0 : std::uint8_t(half + int(code_of(x[i], fit.inverse)));
}

SymmetricFit fit_symmetric(const float* x) {
  float magnitude = 0, extreme = 0;
  for (int i = 0; i < symmetric_run; ++i)
    if (std::fabs(x[i]) > magnitude) {
      magnitude = std::fabs(x[i]);
      extreme = x[i];
    }
  if (magnitude < negligible_run) return {0, 0, true};

  SymmetricFit best = {0, float(-half) / extreme, false};
  float gain = 0;  // how much of the weighted square the best fit explains
  for (int step = -10; step <= 9; ++step) {
    const bool first = step == -10;  // the plain division, which step 0 would repeat
    if (step == 0) continue;
    const float inverse = first ? best.inverse : -(float(half) + 0.1f * float(step)) / extreme;
    float sum_wxl = 0, sum_wll = 0;
    for (int i = 0; i < symmetric_run; ++i) {
      const float code = code_of(x[i], inverse), weight = x[i] * x[i];
      sum_wxl += weight * x[i] * code;
      sum_wll += weight * code * code;
    }
    if (first) {
      best.scale = sum_wll != 0 ? sum_wxl / sum_wll : 0.0f;
      gain = best.scale * sum_wxl;
    } else if (sum_wll > 0 && sum_wxl * sum_wxl > gain * sum_wll) {
      best = {sum_wxl / sum_wll, inverse, false};
      gain = best.scale * sum_wxl;
    }
  }
  return best;
}

void fit_symmetric_16(const float* x, SymmetricFit (&fits)[16]) {
  constexpr int groups = 2;  // two vectors at a time: the sums of one fill the waiting times of the other
  for (int base = 0; base < 16; base += 4 * groups, x += 4 * symmetric_run * groups) {
    F4 value[symmetric_run][groups], weight[symmetric_run][groups], weighted[symmetric_run][groups];
    F4 extreme[groups], scale[groups], inverse[groups], gain[groups];
    I4 odd[groups];  // runs that are not ordinary
    const F4 zero = splat(0), least = splat(-half), most = splat(half - 1);
    for (int g = 0; g < groups; ++g) {
      F4 magnitude = zero;
      extreme[g] = scale[g] = gain[g] = zero;
      for (int i = 0; i < symmetric_run; ++i) {
        const float* at = x + 4 * symmetric_run * g + i;
        const F4 v = value[i][g] = F4{at[0], at[symmetric_run], at[2 * symmetric_run], at[3 * symmetric_run]};
        weight[i][g] = v * v;
        weighted[i][g] = weight[i][g] * v;
        const I4 farther = absolute(v) > magnitude;
        magnitude = pick(farther, absolute(v), magnitude);
        extreme[g] = pick(farther, v, extreme[g]);
      }
      odd[g] =
          ~((magnitude >= negligible_run) & (magnitude <= 0x1p30f));  // then no product leaves the range of nearest()
      inverse[g] = float(-half) / extreme[g];
    }
    for (int step = -10; step <= 9; ++step) {
      const bool first = step == -10;
      if (step == 0) continue;
      F4 tried[groups], sum_wxl[groups], sum_wll[groups];
      for (int g = 0; g < groups; ++g) {
        tried[g] = first ? inverse[g] : -(float(half) + 0.1f * float(step)) / extreme[g];
        sum_wxl[g] = sum_wll[g] = zero;
      }
      for (int i = 0; i < symmetric_run; ++i)
        for (int g = 0; g < groups; ++g) {
          const F4 code = nearest(smaller(larger(tried[g] * value[i][g], least), most));
          sum_wxl[g] += weighted[i][g] * code;
          sum_wll[g] += weight[i][g] * code * code;
        }
      for (int g = 0; g < groups; ++g) {
        if (first) odd[g] |= ~(sum_wll[g] <= 0x1p120f);  // NaN among the elements
        const I4 better = first ? sum_wll[g] != 0 : (sum_wll[g] > 0) & (sum_wxl[g] * sum_wxl[g] > gain[g] * sum_wll[g]);
        scale[g] = pick(better, sum_wxl[g] / sum_wll[g], scale[g]);
        inverse[g] = pick(better, tried[g], inverse[g]);
        gain[g] = pick(better, scale[g] * sum_wxl[g], gain[g]);
      }
    }
    for (int r = 0; r < 4 * groups; ++r) {
      const int g = r / 4, lane = r % 4;
      fits[base + r] =
          odd[g][lane] ? fit_symmetric(x + symmetric_run * r) : SymmetricFit{scale[g][lane], inverse[g][lane], false};
    }
  }
}

}  // namespace nibble::ggml
