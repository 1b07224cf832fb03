// Loops that a compiler vectorises, compiled for three widths and run at the widest this processor has. For loops whose
// elements do not depend on each other: contraction is off, so every width gives the same bits. What a loop uses comes
// as arguments, by value: a store of bytes through a captured pointer could change the captures, and then nothing is
// vectorised.
//
//   at_widest([](const float* x, float* out, std::int64_t count) NIBBLE_INLINE_LOOP { for (...) out[i] = ...; }, x,
//   ...);
#pragma once

#include <cstdint>

#define NIBBLE_INLINE_LOOP __attribute__((always_inline))

namespace nibble {

enum class VectorWidth : std::uint8_t { baseline, avx2, avx512 };

VectorWidth widest_here();
// What at_widest() takes: widest_here(), unless a test asks for less.
VectorWidth used_width();
void use_width(VectorWidth width);

template <class Loop, class... Arguments>
[[gnu::noinline, gnu::target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")]] auto at_avx512(
    Loop loop, Arguments... arguments) {
  return loop(arguments...);
}
template <class Loop, class... Arguments>
[[gnu::noinline, gnu::target("avx2")]] auto at_avx2(Loop loop, Arguments... arguments) {
  return loop(arguments...);
}

template <class Loop, class... Arguments>
auto at_widest(Loop loop, Arguments... arguments) {
  switch (used_width()) {
    case VectorWidth::avx512:
      return at_avx512(loop, arguments...);
    case VectorWidth::avx2:
      return at_avx2(loop, arguments...);
    default:
      return loop(arguments...);
  }
}

}  // namespace nibble
