// Bytes by purpose and device: what estimates predict, what a loaded model reports, what tests compare.
//
// Threads: values like any other.
// Implemented here.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nibble {

// What memory is for. A further purpose is a name here and its line in `purposes`: allocators, reports, JSON and every
// table and chart follow (docs/decisions/0019-memory-by-purpose.md).
enum class Purpose : std::uint8_t {
  linear_weights,
  scales,
  embeddings,
  norms,
  buffers,
  kv_cache,
  activations,
  process,
  workspace,  // of kernels and conversions; the last, since reports count it with the activations
};
inline constexpr std::size_t purpose_count = std::size_t(Purpose::workspace) + 1;

// What charts draw as one piece, in the order in which tables show them.
enum class MemoryGroup : std::uint8_t { linear, dense, scales, tables, cache, work, program };
inline constexpr std::size_t memory_group_count = std::size_t(MemoryGroup::program) + 1;

// Whether `holds` is true of every group: a chart asserts with it that it leaves none out.
template <class Predicate>
constexpr bool all_memory_groups(const Predicate& holds) {
  for (std::size_t i = 0; i < memory_group_count; ++i)
    if (!holds(MemoryGroup(i))) return false;
  return true;
}

struct PurposeFacts {
  Purpose purpose;
  std::string_view key;    // in JSON
  std::string_view label;  // for people
  MemoryGroup group;
};

// What a report lists, in the order of the enum and of JSON.
inline constexpr PurposeFacts purposes[] = {
    // codes of the linear layers
    {Purpose::linear_weights, "linear_weights", "linear weights", MemoryGroup::linear},
    // absmax values, nested codes, tables
    {Purpose::scales, "quantization_state", "scales", MemoryGroup::scales},
    {Purpose::embeddings, "embeddings_and_head", "embeddings and head", MemoryGroup::dense},
    // with biases
    {Purpose::norms, "norms", "norms", MemoryGroup::dense},
    {Purpose::buffers, "buffers", "rope tables", MemoryGroup::tables},
    {Purpose::kv_cache, "kv_cache", "KV cache", MemoryGroup::cache},
    // with workspace
    {Purpose::activations, "activations", "activations", MemoryGroup::work},
    // the program and its tokenizer; 0 where a model alone is reported
    {Purpose::process, "process", "process", MemoryGroup::program},
};

constexpr Purpose reported_as(Purpose purpose) {
  return purpose == Purpose::workspace ? Purpose::activations : purpose;
}
constexpr const PurposeFacts& facts_of(Purpose purpose) { return purposes[std::size_t(reported_as(purpose))]; }

// Weights are what a checkpoint of this precision occupies.
constexpr bool is_weight(const PurposeFacts& facts) {
  return facts.group == MemoryGroup::linear || facts.group == MemoryGroup::scales || facts.group == MemoryGroup::dense;
}

using BytesByPurpose = std::array<std::uint64_t, purpose_count>;

// All in bytes. `for (const PurposeFacts& p : purposes) use(p.label, report[p.purpose]);` visits everything in it.
class MemoryReport {
 public:
  static constexpr int host = 0;  // the index of the processor's memory; 1 and up: of other devices
  static constexpr int most_devices = 9;

  // Of these, what lies in the page cache: the file itself, shared between processes and reclaimable. The rest is the
  // process's own memory.
  std::uint64_t mapped = 0;

  // On all devices together; on one of them.
  constexpr std::uint64_t operator[](Purpose purpose) const {
    std::uint64_t sum = 0;
    for (const BytesByPurpose& device : bytes_) sum += device[index(purpose)];
    return sum;
  }
  constexpr std::uint64_t on(int device, Purpose purpose) const { return bytes_[std::size_t(device)][index(purpose)]; }
  constexpr std::uint64_t& at(Purpose purpose, int device = host) {
    return bytes_[std::size_t(device)][index(purpose)];
  }

  constexpr std::uint64_t operator[](MemoryGroup group) const {
    return sum_where([&](const PurposeFacts& facts) { return facts.group == group; });
  }
  constexpr std::uint64_t weights_total() const { return sum_where(is_weight); }
  constexpr std::uint64_t total() const {
    return sum_where([](const PurposeFacts&) { return true; });
  }

  // Purpose by purpose on every device: the sum of both; the higher of both.
  constexpr MemoryReport& operator+=(const MemoryReport& other) {
    return combine(other, [](std::uint64_t a, std::uint64_t b) { return a + b; });
  }
  constexpr MemoryReport& raise(const MemoryReport& other) {
    return combine(other, [](std::uint64_t a, std::uint64_t b) { return std::max(a, b); });
  }

 private:
  static constexpr std::size_t index(Purpose purpose) { return std::size_t(reported_as(purpose)); }

  template <class Wanted>
  constexpr std::uint64_t sum_where(const Wanted& wanted) const {
    std::uint64_t sum = 0;
    for (const PurposeFacts& facts : purposes)
      if (wanted(facts)) sum += (*this)[facts.purpose];
    return sum;
  }
  template <class Combine>
  constexpr MemoryReport& combine(const MemoryReport& other, const Combine& both) {
    for (std::size_t device = 0; device < bytes_.size(); ++device)
      for (std::size_t purpose = 0; purpose < purpose_count; ++purpose)
        bytes_[device][purpose] = both(bytes_[device][purpose], other.bytes_[device][purpose]);
    mapped = both(mapped, other.mapped);
    return *this;
  }

  std::array<BytesByPurpose, most_devices> bytes_{};
};

}  // namespace nibble
