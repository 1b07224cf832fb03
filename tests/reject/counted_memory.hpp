// Counts what the program asks of operator new, so that a test can bound it. Under AddressSanitizer, which has its own,
// nothing is counted and every bound holds.
#pragma once

#include <cstddef>

namespace nibble::counted_memory {

void reset();
std::size_t largest();  // single request since the last reset
std::size_t sum();      // of all requests since then
std::size_t peak();     // of what was held at one time beyond what was held then

}  // namespace nibble::counted_memory
