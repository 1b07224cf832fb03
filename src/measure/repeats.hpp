// Whether repeats of a measurement may be believed.
#pragma once

#include <vector>

#include "measure/processor_time.hpp"
#include "nibble/bench.hpp"

namespace nibble {

// Beyond any of these a machine counts as busy. Alone on a machine, threads wait for a hundredth of the time, use
// nearly all of it, and repeats lie a few per cent apart; one busy process beside two threads on two cores takes a
// fourth of their time, or a half of it where the thread pool lets only one take part.
inline constexpr double most_waiting = 0.10;   // share of the time of all threads
inline constexpr double least_used = 0.70;     // the same; alone, threads that wait for each other leave some of it
inline constexpr double most_stolen = 0.05;    // the same
inline constexpr double widest_middle = 1.25;  // fastest to slowest of the middle half of repeats

// The mean of the middle two where there are two. 0 of nothing.
double median(std::vector<double> values);

// Tokens per second: a row for each part of the work, with a figure per repeat.
using Rates = std::vector<std::vector<double>>;

// `available`: seconds of processor time that the threads could have had meanwhile.
Repeats judge_repeats(const Rates& prefill, const Rates& decode, const ProcessorTime& before,
                      const ProcessorTime& after, double available);

}  // namespace nibble
