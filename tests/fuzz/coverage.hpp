// Which places of the instrumented code ran since the last reset: one byte for each (hashed) place.
#pragma once

#include <array>
#include <cstddef>

inline constexpr std::size_t coverage_places = 1 << 16;
extern std::array<unsigned char, coverage_places> coverage_hits;
