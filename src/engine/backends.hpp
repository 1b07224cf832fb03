// The one maker of backends: nothing else in the library knows which kinds of devices there are.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nibble/model.hpp"
#include "ops/backend.hpp"
#include "ops/peaks.hpp"

namespace nibble {

struct BackendOptions {
  std::string device = automatic;  // one of list_devices(), or automatic
  int threads = 0;                 // of the host that take part; 0: every core this process may use
  std::string cpu_target = {};     // which kernels the CPU computes with; empty: the best this processor has
  // Null: the device's own. One that only counts makes a backend that computes nothing and takes as many bytes.
  std::shared_ptr<Allocator> memory = {};
};
BackendOptions backend_options(const LoadOptions& options);

// bad_request for a device that is not here (the message says which are) or a CPU target that nobody knows;
// unsupported for one that this processor lacks.
Result<std::unique_ptr<Backend>> make_backend(const BackendOptions& options);

// Takes about half a second.
Result<Peaks> measure_peaks(const std::string& device, int threads);

}  // namespace nibble
