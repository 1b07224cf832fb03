// "Predicted, measured" after a run: how far the plan can be trusted.
//
// Threads: a MemoryWatch is one thread's. check() reads what computing changes, so no other thread may compute with
// those models meanwhile.
//
// Implemented in src/measure/memory_report.cpp over src/measure/process_memory.cpp.
#pragma once

#include <memory>

#include "nibble/model.hpp"

namespace nibble {

// The highest of every category since loading. What is predicted was counted before it was taken; what is measured are
// the allocator's own figures, and for the process its RssAnon and RssShmem.
struct MemoryCheck {
  MemoryReport predicted, measured;
  std::uint64_t predicted_peak = 0, measured_peak = 0;  // own memory of the process: RssAnon + RssShmem at the highest
  std::uint64_t measured_mapped = 0;                    // RssFile at the highest: pages of weights, and of the program
};

// Watches this process while it lives: create it before the model is loaded.
class MemoryWatch {
 public:
  MemoryWatch();
  MemoryWatch(MemoryWatch&&) noexcept;
  ~MemoryWatch();
  // The sum over the models that were run, for a process that ran nothing else.
  MemoryCheck check(const std::vector<const Model*>& models) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string to_table(const MemoryCheck& check);  // in MB, for a terminal

}  // namespace nibble
