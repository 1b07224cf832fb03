#include "failing_memory.hpp"

#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "tensor/allocator.hpp"

namespace failing {
namespace {

// Shared with forked children, whose allocations are part of the same sequence.
struct Shared {
  std::atomic<std::int64_t> count{0}, fail_at{0};
  std::atomic<bool> armed{false}, onwards{false}, reached{false};
};
Shared& shared() {
  static Shared* const mapped =
      new (::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Shared;
  return *mapped;
}
std::atomic<std::int64_t> blocks{0}, host_bytes{0};

bool fails() {
  Shared& s = shared();
  if (!s.armed) return false;
  const std::int64_t n = ++s.count, at = s.fail_at;
  if (n < at || (n > at && !s.onwards)) return false;
  s.reached = true;
  return true;
}

class Memory final : public nibble::Allocator {
 public:
  ~Memory() override { host_bytes -= std::int64_t(use_.total); }
  nibble::Result<void*> take(std::size_t bytes, nibble::Purpose purpose) override {
    constexpr std::size_t more_than_there_is = std::size_t(1) << 62;  // refused by the system, in the library's words
    auto taken = host_.take(fails() ? more_than_there_is : bytes, purpose);
    if (taken) host_bytes += std::int64_t(bytes);
    use_ = host_.use();
    return taken;
  }
  void give(void* memory, std::size_t bytes, nibble::Purpose purpose) override {
    host_.give(memory, bytes, purpose);
    if (memory) host_bytes -= std::int64_t(bytes);
    use_ = host_.use();
  }

 private:
  nibble::HostAllocator host_;
};

void* take(std::size_t bytes, std::size_t alignment) noexcept {
  if (fails()) return nullptr;
  if (bytes == 0) bytes = 1;
  void* memory = alignment <= alignof(std::max_align_t)
                     ? std::malloc(bytes)
                     : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory) ++blocks;
  return memory;
}

void* take_or_throw(std::size_t bytes, std::size_t alignment) {
  void* memory = take(bytes, alignment);
  if (!memory) throw std::bad_alloc();
  return memory;
}

void give(void* memory) noexcept {
  if (!memory) return;
  --blocks;
  std::free(memory);
}

}  // namespace

void arm(std::int64_t n, Mode mode) {
  Shared& s = shared();
  s.count = 0;
  s.fail_at = n;
  s.onwards = mode == Mode::onwards;
  s.reached = false;
  s.armed = true;
}
void disarm() { shared().armed = false; }
void resume() { shared().armed = true; }
bool reached() { return shared().reached; }
std::int64_t count() { return shared().count; }
std::int64_t live_blocks() { return blocks; }
std::int64_t live_host_bytes() { return host_bytes; }

HostMemory::HostMemory() {
  nibble::replace_host_memory([]() -> std::shared_ptr<nibble::Allocator> { return std::make_shared<Memory>(); });
}
HostMemory::~HostMemory() { nibble::replace_host_memory(nullptr); }

}  // namespace failing

// Every form, so that none goes another way.
using failing::give, failing::take, failing::take_or_throw;
constexpr std::size_t usual = alignof(std::max_align_t);

void* operator new(std::size_t bytes) { return take_or_throw(bytes, usual); }
void* operator new[](std::size_t bytes) { return take_or_throw(bytes, usual); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return take(bytes, usual); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return take(bytes, usual); }
void* operator new(std::size_t bytes, std::align_val_t to) { return take_or_throw(bytes, std::size_t(to)); }
void* operator new[](std::size_t bytes, std::align_val_t to) { return take_or_throw(bytes, std::size_t(to)); }
void* operator new(std::size_t bytes, std::align_val_t to, const std::nothrow_t&) noexcept {
  return take(bytes, std::size_t(to));
}
void* operator new[](std::size_t bytes, std::align_val_t to, const std::nothrow_t&) noexcept {
  return take(bytes, std::size_t(to));
}
void operator delete(void* memory) noexcept { give(memory); }
void operator delete[](void* memory) noexcept { give(memory); }
void operator delete(void* memory, std::size_t) noexcept { give(memory); }
void operator delete[](void* memory, std::size_t) noexcept { give(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { give(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { give(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { give(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { give(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { give(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { give(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept { give(memory); }
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept { give(memory); }
