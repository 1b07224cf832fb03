// What this machine can do at best, measured by loops of our own: the denominators of every "percent of peak".
#pragma once

namespace nibble {

struct Peaks {
  int threads = 0;
  double read_gbs = 0;     // bytes read from memory, far larger than the caches
  double fp32_gflops = 0;  // fused multiply-adds count two
  double bf16_gflops = 0;  // pairs of bf16 summed in fp32; 0: this processor has no such instruction
  double int8_gops = 0;    // products of bytes summed in int32; 0: likewise
};

// threads <= 0: every core this process may use. Takes about half a second.
Peaks measure_peaks(int threads = 0);

double measure_read_bandwidth(int threads = 0);
double measure_fma_peak(int threads = 0);
double measure_bf16_peak(int threads = 0);
double measure_int8_peak(int threads = 0);

}  // namespace nibble
