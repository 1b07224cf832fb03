// x ~ scale * code - minimum: the search of q4_K and q5_K.
#include <cmath>

#include "io/ggml/float_lanes.hpp"
#include "io/ggml/k_search.hpp"

namespace nibble::ggml {
namespace {

constexpr int affine_run = 32;

int code_of(float x, const AffineFit& fit, int top) {
  const int code = nearest_int(fit.inverse * (x - fit.low));
  return code < 0 ? 0 : code > top ? top : code;
}

float divisor(const AffineSearch& search, int step) { return search.first + 0.1f * float(step) + float(search.top); }

}  // namespace

void affine_codes(const float* x, const AffineFit& fit, int top, std::uint8_t* codes) {
  for (int i = 0; i < affine_run; ++i) codes[i] = std::uint8_t(code_of(x[i], fit, top));
}

AffineFit fit_affine(const float* x, const AffineSearch& search) {
  float squares = 0, weights[affine_run];
  for (int i = 0; i < affine_run; ++i) squares += x[i] * x[i];
  const float rms = std::sqrt(squares / float(affine_run));
  for (int i = 0; i < affine_run; ++i) weights[i] = rms + std::fabs(x[i]);

  float low = x[0], high = x[0], sum_w = weights[0], sum_wx = sum_w * x[0];
  for (int i = 1; i < affine_run; ++i) {
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
  for (int i = 0; i < affine_run; ++i) {
    const float off = best.scale * float(code_of(x[i], best, search.top)) + low - x[i];
    best_error += weights[i] * (off * off);
  }
  for (int step = 0; step <= search.steps; ++step) {
    const AffineFit tried = {0, 0, divisor(search, step) / (high - low), low};
    float sum_wl = 0, sum_wll = 0, sum_wlx = 0, codes[affine_run];
    for (int i = 0; i < affine_run; ++i) {
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
    for (int i = 0; i < affine_run; ++i) {
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

namespace {

// fit_affine() on eight runs, a lane each, two vectors at a time: the sums of one fill the waiting times of the other.
class EightFits {
 public:
  EightFits(const float* x, const AffineSearch& search) : search_(search), top_(splat(float(search.top))) {
    for (int i = 0; i < affine_run; ++i)
      for (int g = 0; g < groups; ++g) {
        const float* at = x + 4 * affine_run * g + i;
        value_[i][g] = F4{at[0], at[affine_run], at[2 * affine_run], at[3 * affine_run]};
      }
    for (int g = 0; g < groups; ++g) weigh(g);
    begin();
  }

  void try_step(int step) {
    F4 tried[groups], sum_wl[groups], sum_wll[groups], sum_wlx[groups], codes[affine_run][groups];
    for (int g = 0; g < groups; ++g) {
      tried[g] = divisor(search_, step) / (high_[g] - low_[g]);
      sum_wl[g] = sum_wll[g] = sum_wlx[g] = splat(0);
      watch(g, tried[g]);
    }
    for (int i = 0; i < affine_run; ++i)
      for (int g = 0; g < groups; ++g) {
        const F4 code = code_of(i, g, tried[g]), weighted = weight_[i][g] * code;
        codes[i][g] = code;
        sum_wl[g] += weighted;
        sum_wll[g] += weighted * code;
        sum_wlx[g] += weighted * value_[i][g];
      }
    F4 scale[groups], offset[groups], error[groups], determinant[groups];
    for (int g = 0; g < groups; ++g) {
      determinant[g] = sum_w_[g] * sum_wll[g] - sum_wl[g] * sum_wl[g];
      scale[g] = (sum_w_[g] * sum_wlx[g] - sum_wx_[g] * sum_wl[g]) / determinant[g];
      offset[g] = (sum_wll[g] * sum_wx_[g] - sum_wl[g] * sum_wlx[g]) / determinant[g];
      const I4 above = offset[g] > 0;
      scale[g] = pick(above, sum_wlx[g] / sum_wll[g], scale[g]);
      offset[g] = pick(above, splat(0), offset[g]);
      error[g] = splat(0);
    }
    for (int i = 0; i < affine_run; ++i)
      for (int g = 0; g < groups; ++g) {
        const F4 off = scale[g] * codes[i][g] + offset[g] - value_[i][g];
        error[g] += weight_[i][g] * (off * off);
      }
    for (int g = 0; g < groups; ++g) {
      const I4 better = (determinant[g] > 0) & (error[g] < best_error_[g]);
      best_error_[g] = pick(better, error[g], best_error_[g]);
      scale_[g] = pick(better, scale[g], scale_[g]);
      minimum_[g] = pick(better, -offset[g], minimum_[g]);
      inverse_[g] = pick(better, tried[g], inverse_[g]);
      code_low_[g] = pick(better, low_[g], code_low_[g]);
      low_[g] = pick(better, offset[g], low_[g]);
    }
  }

  bool is_odd(int r) const { return odd_[r / 4][r % 4] != 0; }
  AffineFit fit(int r) const {
    const int g = r / 4, lane = r % 4;
    return {scale_[g][lane], minimum_[g][lane], inverse_[g][lane], code_low_[g][lane]};
  }

 private:
  static constexpr int groups = 2;

  void weigh(int g) {
    F4 squares = splat(0);
    for (int i = 0; i < affine_run; ++i) squares += value_[i][g] * value_[i][g];
    for (int lane = 0; lane < 4; ++lane) squares[lane] = std::sqrt(squares[lane] / float(affine_run));
    odd_[g] = ~(squares <= 0x1p60f);  // an overflow or a NaN may be ahead
    for (int i = 0; i < affine_run; ++i) weight_[i][g] = squares + absolute(value_[i][g]);
    low_[g] = high_[g] = value_[0][g];
    sum_w_[g] = weight_[0][g];
    sum_wx_[g] = sum_w_[g] * value_[0][g];
    for (int i = 1; i < affine_run; ++i) {
      low_[g] = smaller(low_[g], value_[i][g]);
      high_[g] = larger(high_[g], value_[i][g]);
      sum_w_[g] += weight_[i][g];
      sum_wx_[g] += weight_[i][g] * value_[i][g];
    }
    least_[g] = low_[g];
    low_[g] = smaller(low_[g], splat(0));
    odd_[g] |= high_[g] == low_[g];
  }

  // The line from the least to the greatest value.
  void begin() {
    for (int g = 0; g < groups; ++g) {
      inverse_[g] = top_ / (high_[g] - low_[g]);
      scale_[g] = 1.0f / inverse_[g];
      minimum_[g] = -low_[g];
      code_low_[g] = low_[g];
      best_error_[g] = splat(0);
      watch(g, inverse_[g]);
    }
    for (int i = 0; i < affine_run; ++i)
      for (int g = 0; g < groups; ++g) {
        const F4 off = scale_[g] * code_of(i, g, inverse_[g]) + low_[g] - value_[i][g];
        best_error_[g] += weight_[i][g] * (off * off);
      }
  }

  F4 code_of(int i, int g, F4 inverse) const {
    return nearest(smaller(larger(inverse * (value_[i][g] - low_[g]), splat(0)), top_));
  }
  // Between these two lie all products of a candidate.
  void watch(int g, F4 inverse) {
    odd_[g] |= ~(roundable(inverse * (least_[g] - low_[g])) & roundable(inverse * (high_[g] - low_[g])));
  }

  const AffineSearch& search_;
  const F4 top_;
  F4 value_[affine_run][groups], weight_[affine_run][groups];
  F4 low_[groups], least_[groups], high_[groups], sum_w_[groups], sum_wx_[groups];
  F4 scale_[groups], minimum_[groups], inverse_[groups], code_low_[groups], best_error_[groups];
  I4 odd_[groups];  // runs that are not ordinary
};

}  // namespace

void fit_affine_8(const float* x, const AffineSearch& search, AffineFit (&fits)[8]) {
  EightFits eight(x, search);
  for (int step = 0; step <= search.steps; ++step) eight.try_step(step);
  for (int r = 0; r < 8; ++r) fits[r] = eight.is_odd(r) ? fit_affine(x + affine_run * r, search) : eight.fit(r);
}

}  // namespace nibble::ggml
