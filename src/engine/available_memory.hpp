// Bytes that this process may still take.
#pragma once

#include <cstdint>
#include <string>

namespace nibble {

// What there is least of.
enum class MemoryBound { machine, container, address_space };

struct AvailableMemory {
  std::uint64_t bytes = 0;  // free or reclaimable now; 0: nobody knows
  MemoryBound bound = MemoryBound::machine;
  std::uint64_t limit = 0;  // that of the container or of the address space
};

AvailableMemory available_memory();  // under the limits of cgroups and address space
std::uint64_t total_memory();        // of the machine, cut by the cgroups' limits
// What a limit on the address space also counts although nobody uses it: stacks of so many threads. 0 without a limit.
std::uint64_t address_overhead(int threads);

}  // namespace nibble
