#include "tensor/allocator.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
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

namespace {

constexpr std::size_t large_page = std::size_t(2) << 20;

void* map_pages(std::size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

// Begins at a large page and asks for such: a pass over gigabytes of weights waits for their addresses otherwise, and
// nothing is fetched ahead across the end of a small page. Refusal is harmless.
void* map_large(std::size_t bytes) {
  auto* memory = static_cast<std::byte*>(map_pages(bytes + large_page));
  if (!memory) return map_pages(bytes);
  const std::size_t before = -reinterpret_cast<std::uintptr_t>(memory) % large_page, after = large_page - before;
  if (before) munmap(memory, before);
  if (after) munmap(memory + before + bytes, after);
  madvise(memory + before, bytes, MADV_HUGEPAGE);
  return memory + before;
}

}  // namespace

Result<void*> HostAllocator::take(std::size_t bytes, Purpose purpose) {
  if (bytes == 0) return nullptr;
  void* memory = nullptr;
  if (bytes >= page_threshold) {
    memory = bytes >= large_page ? map_large(rounded(bytes, 4096)) : map_pages(rounded(bytes, 4096));
  } else {
    memory = std::aligned_alloc(64, rounded(bytes, 64));
  }
  if (!memory)
    return error(Errc::out_of_memory,
                 "cannot take {} bytes for {}: {} bytes are in use already; free some memory or use less of it", bytes,
                 facts_of(purpose).label, use_.total);
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

namespace {

std::atomic<std::shared_ptr<Allocator> (*)()> replaced_host_memory{nullptr};

}  // namespace

std::shared_ptr<Allocator> host_memory() {
  const auto make = replaced_host_memory.load();
  return make ? make() : std::make_shared<HostAllocator>();
}

void replace_host_memory(std::shared_ptr<Allocator> (*make)()) { replaced_host_memory = make; }

Result<Buffer> Buffer::take(Allocator& allocator, std::size_t bytes, Purpose purpose) {
  Buffer buffer;
  NIBBLE_TRY(buffer.data_, allocator.take(bytes, purpose));
  buffer.allocator_ = &allocator;
  buffer.bytes_ = bytes;
  buffer.purpose_ = purpose;
  return buffer;
}

Result<void> Buffer::grow(Allocator& allocator, std::size_t bytes, Purpose purpose) {
  if (bytes <= bytes_) return {};
  *this = Buffer();
  NIBBLE_TRY(*this, take(allocator, bytes, purpose));
  return {};
}

Buffer::~Buffer() {
  if (allocator_) allocator_->give(data_, bytes_, purpose_);
}

}  // namespace nibble
