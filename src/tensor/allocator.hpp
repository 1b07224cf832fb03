// One door for memory: every byte that grows with the model or the context is taken through an Allocator, with a
// purpose. The estimate is the loader run with an allocator that only counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/error.hpp"
#include "nibble/memory.hpp"

namespace nibble {

// Bytes per purpose, now and at the highest. Not thread-safe by itself: allocation happens between kernels, on one
// thread.
struct MemoryUse {
  BytesByPurpose now{}, peak{};
  std::uint64_t total = 0, peak_total = 0;

  void add(Purpose purpose, std::uint64_t bytes);
  void remove(Purpose purpose, std::uint64_t bytes);
};

class Allocator {
 public:
  virtual ~Allocator() = default;
  // 64-byte aligned; bytes == 0 gives nullptr. The error names the purpose, the bytes asked for and the bytes in use.
  virtual Result<void*> take(std::size_t bytes, Purpose purpose) = 0;
  virtual void give(void* memory, std::size_t bytes, Purpose purpose) = 0;
  // What it hands out is null: sizes are asked for, nothing will be computed.
  virtual bool counts_only() const { return false; }
  const MemoryUse& use() const { return use_; }

 protected:
  MemoryUse use_;
};

// The host's memory, in pages for large requests so that freeing really returns them.
class HostAllocator final : public Allocator {
 public:
  Result<void*> take(std::size_t bytes, Purpose purpose) override;
  void give(void* memory, std::size_t bytes, Purpose purpose) override;
};

// A new allocator of the host's memory: what backends and conversions take theirs through.
std::shared_ptr<Allocator> host_memory();
// Until it is set to null again, host_memory() gives what `make` makes. For tests of what happens where memory ends.
void replace_host_memory(std::shared_ptr<Allocator> (*make)());

// Counts and hands out nothing: what a load through it "used" is the estimate.
class CountingAllocator final : public Allocator {
 public:
  Result<void*> take(std::size_t bytes, Purpose purpose) override {
    use_.add(purpose, bytes);
    return nullptr;
  }
  void give(void*, std::size_t bytes, Purpose purpose) override { use_.remove(purpose, bytes); }
  bool counts_only() const override { return true; }
};

// Owns bytes of one allocator. Move-only.
class Buffer {
 public:
  Buffer() = default;
  static Result<Buffer> take(Allocator& allocator, std::size_t bytes, Purpose purpose);
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer();

  // At least so many bytes, with nothing kept of what it held: the old memory goes before the new is taken.
  Result<void> grow(Allocator& allocator, std::size_t bytes, Purpose purpose);

  void* data() const { return data_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }
  std::size_t bytes() const { return bytes_; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  void swap(Buffer& other) {
    std::swap(allocator_, other.allocator_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(purpose_, other.purpose_);
  }
  Allocator* allocator_ = nullptr;
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
  Purpose purpose_ = Purpose::workspace;
};

}  // namespace nibble
