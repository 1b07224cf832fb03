#include "tensor/memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

namespace nibble {
namespace {

constexpr std::size_t page_threshold = std::size_t(1) << 20;

std::size_t rounded(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

void MemoryUse::add(Purpose purpose, std::uint64_t bytes) {
  auto& current = now[int(purpose)];
  current += bytes;
  total += bytes;
  peak[int(purpose)] = std::max(peak[int(purpose)], current);
  peak_total = std::max(peak_total, total);
}

void MemoryUse::remove(Purpose purpose, std::uint64_t bytes) {
  now[int(purpose)] -= bytes;
  total -= bytes;
}

Result<void*> HostAllocator::take(std::size_t bytes, Purpose purpose) {
  if (bytes == 0) return nullptr;
  void* memory = nullptr;
  if (bytes >= page_threshold) {
    memory = mmap(nullptr, rounded(bytes, 4096), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) memory = nullptr;
    // Large pages save a tenth of the time of a pass over gigabytes of weights; refusal is harmless.
    if (memory && bytes >= (std::size_t(4) << 20)) madvise(memory, rounded(bytes, 4096), MADV_HUGEPAGE);
  } else {
    memory = std::aligned_alloc(64, rounded(bytes, 64));
  }
  if (!memory)
    return error(Errc::out_of_memory,
                 "cannot take {} bytes for {}: {} bytes are in use already; free some memory or use less of it", bytes,
                 name_of(purpose), use_.total);
  use_.add(purpose, bytes);
  return memory;
}

void HostAllocator::give(void* memory, std::size_t bytes, Purpose purpose) {
  if (!memory) return;
  use_.remove(purpose, bytes);
  if (bytes >= page_threshold)
    munmap(memory, rounded(bytes, 4096));
  else
    std::free(memory);
}

Result<Buffer> Buffer::take(Allocator& allocator, std::size_t bytes, Purpose purpose) {
  Buffer buffer;
  NIBBLE_TRY(buffer.data_, allocator.take(bytes, purpose));
  buffer.allocator_ = &allocator, buffer.bytes_ = bytes, buffer.purpose_ = purpose;
  return buffer;
}

Buffer::~Buffer() {
  if (allocator_) allocator_->give(data_, bytes_, purpose_);
}

}  // namespace nibble
