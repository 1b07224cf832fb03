// How the k types find scales: for a run of elements, candidates are tried, each with the least squares fit to the
// codes it leads to, and the smallest weighted error wins. Both searches exist twice: a plain one, which is the law,
// and one that searches four runs in the lanes of a vector and leaves to the plain one whatever is not ordinary.
//
// Source of the algorithm: make_qkx2_quants and make_qx_quants in ggml-quants.c. The order of every sum is part of it.
#pragma once

#include <cstdint>

namespace nibble::ggml {

// 32 elements, x ~ scale * code - minimum with codes 0 .. top and minimum >= 0; weights are |x| + rms(x).
// Candidates divide the range by top + first + step/10 for step = 0 .. steps.
struct AffineSearch {
  int top;
  float first;
  int steps;
};
struct AffineFit {
  float scale, minimum;
  float inverse, low;  // the winning codes: clamp(nearest(inverse * (x - low)), 0, top)
};
AffineFit fit_affine(const float* x, const AffineSearch& search);
void fit_affine_8(const float* x, const AffineSearch& search, AffineFit (&fits)[8]);  // 8 runs of 32, end to end
void affine_codes(const float* x, const AffineFit& fit, int top, std::uint8_t* codes);

// 16 elements, x ~ scale * (code - 32) with codes 0 .. 63; weights are x^2. Candidates divide the element that is
// farthest from zero by -(32 + step/10) for step = -9 .. 9.
struct SymmetricFit {
  float scale;
  float inverse;  // the winning codes: 32 + clamp(nearest(inverse * x), -32, 31)
  bool empty;     // all but zero: every code is 0
};
SymmetricFit fit_symmetric(const float* x);
void fit_symmetric_16(const float* x, SymmetricFit (&fits)[16]);  // 16 runs of 16, end to end
void symmetric_codes(const float* x, const SymmetricFit& fit, std::uint8_t* codes);

}  // namespace nibble::ggml
