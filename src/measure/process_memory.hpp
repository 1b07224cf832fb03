// The highest memory of a process: RssAnon + RssShmem, which is its own, and RssFile, which is pages of mapped files.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

namespace nibble {

struct ProcessMemory {
  std::uint64_t anonymous = 0, mapped = 0;  // bytes
};

ProcessMemory process_memory();  // now, from /proc/self/status

// Samples every 5 ms while it lives. The kernel keeps one high-water mark for the sum only, so the parts are watched.
class PeakMemory {
 public:
  PeakMemory();
  ~PeakMemory();
  ProcessMemory peak();

 private:
  void sample();
  std::atomic<std::uint64_t> anonymous_{0}, mapped_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace nibble
