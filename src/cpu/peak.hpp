// What this processor can do at best, measured by loops of our own.
#pragma once

#include "ops/peaks.hpp"

namespace nibble {

// threads <= 0: every core this process may use. Takes about half a second.
Peaks measure_peaks(int threads = 0);

double measure_read_bandwidth(int threads = 0);
double measure_fma_peak(int threads = 0);
double measure_bf16_peak(int threads = 0);
double measure_int8_peak(int threads = 0);

}  // namespace nibble
