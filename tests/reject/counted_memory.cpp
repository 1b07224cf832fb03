#include "counted_memory.hpp"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> largest_request{0}, all_requests{0};
std::atomic<std::ptrdiff_t> held{0}, most_held{0}, held_at_reset{0};

template <class T>
[[maybe_unused]] void raise(std::atomic<T>& most, T value) {
  T before = most;
  while (value > before && !most.compare_exchange_weak(before, value)) {
  }
}

}  // namespace

#if !defined(__SANITIZE_ADDRESS__)
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  void* memory = std::malloc(bytes);
  if (!memory) throw std::bad_alloc();
  raise(largest_request, bytes);
  all_requests += bytes;
  const auto size = std::ptrdiff_t(::malloc_usable_size(memory));
  raise(most_held, held += size);
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  held -= std::ptrdiff_t(::malloc_usable_size(memory));
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
#endif

namespace nibble::counted_memory {

void reset() {
  largest_request = 0;
  all_requests = 0;
  held_at_reset = held.load();
  most_held = held.load();
}
std::size_t largest() { return largest_request; }
std::size_t sum() { return all_requests; }
std::size_t peak() { return std::size_t(most_held - held_at_reset); }

}  // namespace nibble::counted_memory
