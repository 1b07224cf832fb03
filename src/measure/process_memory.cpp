#include "measure/process_memory.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>

namespace nibble {

ProcessMemory process_memory() {
  ProcessMemory out;
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    const auto value = [&](std::string_view key) -> std::uint64_t {
      return line.compare(0, key.size(), key) == 0 ? std::stoull(line.substr(key.size())) * 1024 : 0;
    };
    out.anonymous += value("RssAnon:") + value("RssShmem:");
    out.mapped += value("RssFile:");
  }
  return out;
}

PeakMemory::PeakMemory() {
  sample();
  thread_ = std::thread([this] {
    while (!stop_) {
      sample();
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
}

PeakMemory::~PeakMemory() {
  stop_ = true;
  thread_.join();
}

void PeakMemory::sample() {
  const ProcessMemory now = process_memory();
  const auto raise = [](std::atomic<std::uint64_t>& peak, std::uint64_t value) {
    for (std::uint64_t seen = peak; seen < value && !peak.compare_exchange_weak(seen, value);) {
    }
  };
  raise(anonymous_, now.anonymous), raise(mapped_, now.mapped);
}

ProcessMemory PeakMemory::peak() {
  sample();
  return {anonymous_, mapped_};
}

}  // namespace nibble
