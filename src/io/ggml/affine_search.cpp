// x ~ scale * code - minimum: the search of q4_K and q5_K.
#include <cmath>

#include "io/ggml/float_lanes.hpp"
#include "io/ggml/k_search.hpp"

namespace nibble::ggml {
namespace {

constexpr int run = 32;

int code_of(float x, const AffineFit& fit, int top) {
  const int code = nearest_int(fit.inverse * (x - fit.low));
  return code < 0 ? 0 : code > top ? top : code;
}

float divisor(const AffineSearch& search, int step) { return search.first + 0.1f * float(step) + float(search.top); }

}  // namespace

void affine_codes(const float* x, const AffineFit& fit, int top, std::uint8_t* codes) {
  for (int i = 0; i < run; ++i) codes[i] = std::uint8_t(code_of(x[i], fit, top));
}

AffineFit fit_affine(const float* x, const AffineSearch& search) {
  float squares = 0, weights[run];
  for (int i = 0; i < run; ++i) squares += x[i] * x[i];
  const float rms = std::sqrt(squares / float(run));
  for (int i = 0; i < run; ++i) weights[i] = rms + std::fabs(x[i]);

  float low = x[0], high = x[0], sum_w = weights[0], sum_wx = sum_w * x[0];
  for (int i = 1; i < run; ++i) {
    if (x[i] < low) low = x[i];
    if (x[i] > high) high = x[i];
    sum_w += weights[i];
    sum_wx += weights[i] * x[i];
  }
  if (low > 0) low = 0;
  if (high == low) return {0, -low, 0, low};

  // Where the codes come from, and the line (scale, minimum) they are read with, are two things: the fit moves the
  // line.
  AffineFit best = {0, -low, float(search.top) / (high - low), low};
  best.scale = 1 / best.inverse;
  float best_error = 0;
  for (int i = 0; i < run; ++i) {
    const float off = best.scale * float(code_of(x[i], best, search.top)) + low - x[i];
    best_error += weights[i] * (off * off);
  }
  for (int step = 0; step <= search.steps; ++step) {
    const AffineFit tried = {0, 0, divisor(search, step) / (high - low), low};
    float sum_wl = 0, sum_wll = 0, sum_wlx = 0, codes[run];
    for (int i = 0; i < run; ++i) {
      codes[i] = float(code_of(x[i], tried, search.top));
      const float weighted = weights[i] * codes[i];
      sum_wl += weighted;
      sum_wll += weighted * codes[i];
      sum_wlx += weighted * x[i];
    }
    const float determinant = sum_w * sum_wll - sum_wl * sum_wl;
    if (!(determinant > 0)) continue;
    float scale = (sum_w * sum_wlx - sum_wx * sum_wl) / determinant;
    float offset = (sum_wll * sum_wx - sum_wl * sum_wlx) / determinant;
    if (offset > 0) {
      offset = 0;
      scale = sum_wlx / sum_wll;
    }
    float error = 0;
    for (int i = 0; i < run; ++i) {
      const float off = scale * codes[i] + offset - x[i];
      error += weights[i] * (off * off);
    }
    if (error < best_error) {
      best_error = error;
      best = {scale, -offset, tried.inverse, tried.low};
      low = offset;  // later candidates divide the range from here
    }
  }
  return best;
}

// Long because its parts share some twenty arrays that live in registers.
void fit_affine_8(const float* x, const AffineSearch& search, AffineFit (&fits)[8]) {
  constexpr int groups = 2;  // two vectors at a time: the sums of one fill the waiting times of the other
  F4 value[run][groups], weight[run][groups], codes[run][groups];
  for (int i = 0; i < run; ++i)
    for (int g = 0; g < groups; ++g) {
      const float* at = x + 4 * run * g + i;
      value[i][g] = F4{at[0], at[run], at[2 * run], at[3 * run]};
    }

  F4 low[groups], least[groups], high[groups], sum_w[groups], sum_wx[groups];
  I4 odd[groups];  // runs that are not ordinary
  const F4 top = splat(float(search.top)), zero = splat(0);
  for (int g = 0; g < groups; ++g) {
    F4 squares = zero;
    for (int i = 0; i < run; ++i) squares += value[i][g] * value[i][g];
    for (int lane = 0; lane < 4; ++lane) squares[lane] = std::sqrt(squares[lane] / float(run));
    odd[g] = ~(squares <= 0x1p60f);  // an overflow or a NaN may be ahead
    for (int i = 0; i < run; ++i) weight[i][g] = squares + absolute(value[i][g]);
    low[g] = high[g] = value[0][g];
    sum_w[g] = weight[0][g];
    sum_wx[g] = sum_w[g] * value[0][g];
    for (int i = 1; i < run; ++i) {
      low[g] = smaller(low[g], value[i][g]);
      high[g] = larger(high[g], value[i][g]);
      sum_w[g] += weight[i][g];
      sum_wx[g] += weight[i][g] * value[i][g];
    }
    least[g] = low[g];
    low[g] = smaller(low[g], zero);
    odd[g] |= high[g] == low[g];
  }

  F4 scale[groups], minimum[groups], inverse[groups], code_low[groups], best_error[groups];
  for (int g = 0; g < groups; ++g) {
    inverse[g] = top / (high[g] - low[g]);
    scale[g] = 1.0f / inverse[g];
    minimum[g] = -low[g];
    code_low[g] = low[g];
    best_error[g] = zero;
    odd[g] |= ~(roundable(inverse[g] * (least[g] - low[g])) & roundable(inverse[g] * (high[g] - low[g])));
  }
  for (int i = 0; i < run; ++i)
    for (int g = 0; g < groups; ++g) {
      const F4 code = nearest(smaller(larger(inverse[g] * (value[i][g] - low[g]), zero), top));
      const F4 off = scale[g] * code + low[g] - value[i][g];
      best_error[g] += weight[i][g] * (off * off);
    }

  for (int step = 0; step <= search.steps; ++step) {
    F4 tried[groups], sum_wl[groups], sum_wll[groups], sum_wlx[groups];
    for (int g = 0; g < groups; ++g) {
      tried[g] = divisor(search, step) / (high[g] - low[g]);
      sum_wl[g] = sum_wll[g] = sum_wlx[g] = zero;
      // Between these two lie all products of this candidate.
      odd[g] |= ~(roundable(tried[g] * (least[g] - low[g])) & roundable(tried[g] * (high[g] - low[g])));
    }
    for (int i = 0; i < run; ++i)
      for (int g = 0; g < groups; ++g) {
        const F4 code = nearest(smaller(larger(tried[g] * (value[i][g] - low[g]), zero), top));
        const F4 weighted = weight[i][g] * code;
        codes[i][g] = code;
        sum_wl[g] += weighted;
        sum_wll[g] += weighted * code;
        sum_wlx[g] += weighted * value[i][g];
      }
    F4 new_scale[groups], offset[groups], error[groups], determinant[groups];
    for (int g = 0; g < groups; ++g) {
      determinant[g] = sum_w[g] * sum_wll[g] - sum_wl[g] * sum_wl[g];
      new_scale[g] = (sum_w[g] * sum_wlx[g] - sum_wx[g] * sum_wl[g]) / determinant[g];
      offset[g] = (sum_wll[g] * sum_wx[g] - sum_wl[g] * sum_wlx[g]) / determinant[g];
      const I4 above = offset[g] > 0;
      new_scale[g] = pick(above, sum_wlx[g] / sum_wll[g], new_scale[g]);
      offset[g] = pick(above, zero, offset[g]);
      error[g] = zero;
    }
    for (int i = 0; i < run; ++i)
      for (int g = 0; g < groups; ++g) {
        const F4 off = new_scale[g] * codes[i][g] + offset[g] - value[i][g];
        error[g] += weight[i][g] * (off * off);
      }
    for (int g = 0; g < groups; ++g) {
      const I4 better = (determinant[g] > 0) & (error[g] < best_error[g]);
      best_error[g] = pick(better, error[g], best_error[g]);
      scale[g] = pick(better, new_scale[g], scale[g]);
      minimum[g] = pick(better, -offset[g], minimum[g]);
      inverse[g] = pick(better, tried[g], inverse[g]);
      code_low[g] = pick(better, low[g], code_low[g]);
      low[g] = pick(better, offset[g], low[g]);
    }
  }

  for (int r = 0; r < 8; ++r) {
    const int g = r / 4, lane = r % 4;
    fits[r] = odd[g][lane] ? fit_affine(x + run * r, search)
                           : AffineFit{scale[g][lane], minimum[g][lane], inverse[g][lane], code_low[g][lane]};
  }
}

}  // namespace nibble::ggml
