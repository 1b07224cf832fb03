#pragma once

#include <string>

#include "nibble/compare.hpp"

namespace nibble {

// A perplexity at most this much above the reference's counts as the same quality.
inline constexpr double allowed_perplexity_rise = 0.01;

// The precision to choose, by quality and speed, or on a busy machine by quality and size; null if fewer than two were
// measured.
const PrecisionResult* choose(const Comparison& comparison);
// Why the speeds say little, with the reason of the first precision that was disturbed; empty where nothing speaks
// against them.
std::string explain_busy(const Comparison& comparison);
// The choice and its reasons, with figures.
std::string explain_choice(const Comparison& comparison);

}  // namespace nibble
