// Who had the processors while something was measured.
#pragma once

#include <optional>

namespace nibble {

// All in seconds since some fixed moment, of this process's threads together; only differences mean anything.
struct ProcessorTime {
  double used = 0;                // they computed
  std::optional<double> waiting;  // they could have computed, and the system ran something else; where Linux counts it
  double stolen = 0;              // of the whole machine: a hypervisor ran other machines; 0 where it says nothing
};

ProcessorTime processor_time();

}  // namespace nibble
