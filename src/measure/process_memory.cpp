#include "measure/process_memory.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <new>
#include <string_view>
#include <system_error>

namespace nibble {

ProcessMemory process_memory() {
  // Into a buffer on the stack: this is asked while memory runs out, on a thread where nobody would catch that.
  char buffer[8192];
  std::size_t size = 0;
  const int file = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  for (ssize_t got = 1; file >= 0 && got > 0; size += std::size_t(std::max<ssize_t>(got, 0)))
    got = ::read(file, buffer + size, sizeof buffer - size);
  if (file >= 0) ::close(file);
  const std::string_view text(buffer, size);
  const auto value = [&](std::string_view key) {
    std::uint64_t kilobytes = 0;
    if (const std::size_t at = text.find(key); at != std::string_view::npos) {
      const std::size_t digits = text.find_first_not_of(" \t", at + key.size());
      if (digits != std::string_view::npos) std::from_chars(text.data() + digits, text.data() + size, kilobytes);
    }
    return kilobytes * 1024;
  };
  return {value("RssAnon:") + value("RssShmem:"), value("RssFile:")};
}

PeakMemory::PeakMemory() {
  sample();
  // Without a thread to be had, the ends are seen and what lies between is not.
  try {
    thread_ = std::thread([this] {
      while (!stop_) {
        sample();
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    });
  } catch (const std::system_error&) {
  } catch (const std::bad_alloc&) {
  }
}

PeakMemory::~PeakMemory() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void PeakMemory::sample() {
  const ProcessMemory now = process_memory();
  const auto raise = [](std::atomic<std::uint64_t>& peak, std::uint64_t value) {
    for (std::uint64_t seen = peak; seen < value && !peak.compare_exchange_weak(seen, value);) {
    }
  };
  raise(anonymous_, now.anonymous);
  raise(mapped_, now.mapped);
}

ProcessMemory PeakMemory::peak() {
  sample();
  return {anonymous_, mapped_};
}

}  // namespace nibble
