// The CPU behind the backend seam: kernels for several instruction sets, chosen at run time.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ops/backend.hpp"

namespace nibble {

struct CpuOptions {
  int threads = 0;  // 0: every core this process may use
  // "reference", "scalar", "avx2", "avx512", "avx512_vnni_bf16"; empty: the best that this processor has.
  std::string target = {};
  // Null: the host's. One that only counts makes a backend that starts no threads and takes what `threads` would.
  std::shared_ptr<Allocator> memory = {};
};

// The instruction sets that have kernels, best first. here: this processor has it.
struct CpuTarget {
  std::string_view name;
  bool here = false;
};
std::vector<CpuTarget> cpu_targets();

// bad_request if the target is unknown or this processor lacks it.
Result<std::unique_ptr<Backend>> make_cpu_backend(const CpuOptions& options);

}  // namespace nibble
