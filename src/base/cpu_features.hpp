// Which instruction sets this processor has and its operating system saves.
#pragma once

#include <string>

namespace nibble {

struct CpuFeatures {
  std::string model;    // as /proc/cpuinfo names it
  bool avx2 = false;    // with FMA and F16C
  bool avx512 = false;  // F, BW, DQ, VL
  bool avx512_vnni = false, avx512_bf16 = false;
  bool amx_tile = false, amx_bf16 = false;
};

CpuFeatures cpu_features();

}  // namespace nibble
