// Which places of the instrumented code ran.
#pragma once

#include <cstdint>
#include <vector>

// Whether the code that ran since the last call reached a place, or a power of two of visits to it, that none before
// had reached.
bool coverage_found_new();

// From now on every place is also kept as it is, for a report; slower.
void coverage_keep_places();
// Addresses in the program's file of the places that ran since then.
std::vector<std::uintptr_t> coverage_kept_places();
