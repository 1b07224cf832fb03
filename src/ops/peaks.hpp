// What a device can do at best, measured: the denominators of every "percent of peak".
#pragma once

namespace nibble {

struct Peaks {
  int threads = 0;         // that took part; 0: the device has none of ours
  double read_gbs = 0;     // bytes read from memory, far larger than the caches
  double fp32_gflops = 0;  // fused multiply-adds count two
  double bf16_gflops = 0;  // pairs of bf16 summed in fp32; 0: this device has no such instruction
  double int8_gops = 0;    // products of bytes summed in int32; 0: likewise
};

}  // namespace nibble
