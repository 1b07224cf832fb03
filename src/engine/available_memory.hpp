// Bytes that this process may still take.
#pragma once

#include <cstdint>

namespace nibble {

std::uint64_t total_memory();  // of the machine, cut by the cgroup's limit
// What a limit on the address space also counts although nobody uses it: stacks of so many threads. 0 without a limit.
std::uint64_t address_overhead(int threads);
std::uint64_t available_memory();  // free or reclaimable now, under the limits of cgroup and address space; 0: unknown

}  // namespace nibble
