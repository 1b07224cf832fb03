// The one clock that durations are taken with.
#pragma once

#include <chrono>

namespace nibble {

// Seconds since some fixed moment; only differences mean anything.
inline double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace nibble
