// The callback of -fsanitize-coverage=trace-pc: called at the start of every basic block. Compiled without sanitizers.
#include "coverage.hpp"

#include <link.h>

#include <array>
#include <bit>
#include <cstring>

namespace {

// One byte for each (hashed) place: how often it was visited since the last look.
constexpr std::size_t coverage_places = 1 << 16;
std::array<unsigned char, coverage_places> coverage_hits;

// A table with open addressing and no code of the library that could be instrumented itself.
constexpr std::size_t kept_slots = 1 << 19;
std::uintptr_t kept[kept_slots];
bool keeping = false;

void keep(std::uintptr_t place, std::uint64_t hash) {
  for (std::size_t at = hash >> 45, tries = 0; tries < kept_slots; at = (at + 1) % kept_slots, ++tries) {
    if (kept[at] == place) return;
    if (kept[at] == 0) {
      kept[at] = place;
      return;
    }
  }
}

}  // namespace

extern "C" void __sanitizer_cov_trace_pc() {
  const auto place = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
  const std::uint64_t hash = place * 0x9E3779B97F4A7C15u;
  unsigned char& hits = coverage_hits[hash >> 48];
  if (hits < 255) hits++;
  if (keeping) keep(place, hash);
}

bool coverage_found_new() {
  static std::array<unsigned char, coverage_places> seen;
  bool found = false;
  for (std::size_t group = 0; group < coverage_places; group += sizeof(std::uint64_t)) {
    std::uint64_t eight;  // most places are never reached by one input
    std::memcpy(&eight, &coverage_hits[group], sizeof eight);
    if (eight == 0) continue;
    for (std::size_t place = group; place < group + sizeof eight; place++) {
      const auto visits = static_cast<unsigned char>(std::bit_floor(unsigned(coverage_hits[place])));
      found |= (visits & ~seen[place]) != 0;
      seen[place] |= visits;
      coverage_hits[place] = 0;
    }
  }
  return found;
}

void coverage_keep_places() { keeping = true; }

std::vector<std::uintptr_t> coverage_kept_places() {
  keeping = false;
  std::uintptr_t base = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* out) {
        *static_cast<std::uintptr_t*>(out) = info->dlpi_addr;  // the first is the program
        return 1;
      },
      &base);
  std::vector<std::uintptr_t> places;
  for (const std::uintptr_t place : kept)
    if (place != 0) places.push_back(place - base);
  return places;
}
