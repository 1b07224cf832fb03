// Four floats at a time, in the compiler's own vector type: every x86-64 has them. Each lane does what a scalar would
// do, so lanes that search four blocks at once find the same bits as one search after the other.
#pragma once

#include <cstring>

namespace nibble::ggml {

using F4 = float __attribute__((vector_size(16)));
using I4 = int __attribute__((vector_size(16)));  // also the result of comparing F4: -1 or 0

inline F4 splat(float x) { return F4{x, x, x, x}; }
inline F4 load4(const float* from) {
  F4 lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}
inline F4 absolute(F4 x) { return F4(I4(x) & 0x7fffffff); }
inline F4 pick(I4 where, F4 yes, F4 no) { return F4((I4(yes) & where) | (I4(no) & ~where)); }
inline F4 smaller(F4 a, F4 b) { return a < b ? a : b; }
inline F4 larger(F4 a, F4 b) { return a > b ? a : b; }

// In [-2^22, 2^22] the nearest integer, ties to even: adding 1.5 * 2^23 leaves no bits for a fraction.
inline constexpr float round_magic = 0x1.8p23f;
inline F4 nearest(F4 x) { return (x + round_magic) - round_magic; }

// The same rounding, as ggml does it: outside of that range, and for NaN, an integer made of whatever bits there are.
inline int nearest_int(float x) {
  const float shifted = x + round_magic;
  int bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  return (bits & 0x7fffff) - 0x400000;
}
inline I4 nearest_int(F4 x) { return (I4(x + round_magic) & 0x7fffff) - 0x400000; }
inline I4 between(I4 x, int low, int high) {
  x = x < low ? I4{low, low, low, low} : x;
  return x > high ? I4{high, high, high, high} : x;
}

// Where nearest(x) and nearest_int(x) agree.
inline I4 roundable(F4 x) { return absolute(x) <= 4194303.0f; }

}  // namespace nibble::ggml
