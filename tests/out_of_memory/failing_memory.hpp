// Memory that ends where a test says: C++'s operator new, replaced in this program, and the library's host memory.
#pragma once

#include <cstdint>

namespace failing {

enum class Mode {
  once,    // one allocation fails, what follows has memory again
  onwards  // from this one on none succeeds, as where a limit is reached
};

// From here to disarm() allocations of both kinds, on any thread and in forked children, are counted from 1, and the
// n-th fails.
void arm(std::int64_t n, Mode mode);
void disarm();
void resume();         // after disarm(): the count goes on
bool reached();        // the n-th was asked for
std::int64_t count();  // how many were asked for

// What this process holds now: blocks that operator new gave, bytes that host memory gave.
std::int64_t live_blocks();
std::int64_t live_host_bytes();

// The library takes host memory from here, for as long as this lives.
class HostMemory {
 public:
  HostMemory();
  ~HostMemory();
};

}  // namespace failing
