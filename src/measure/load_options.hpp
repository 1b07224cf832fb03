// What the options of every measurement say about loading, as a load wants it.
#pragma once

#include "nibble/model.hpp"

namespace nibble {

template <class Options>
LoadOptions load_options(const Options& options, const QuantizationConfig& precision = {}) {
  LoadOptions load;
  load.precision = precision;
  load.threads = options.threads;
  load.device_map = options.device_map;
  load.ignore_config = options.ignore_config;
  if constexpr (requires { options.ignore_tensors; }) load.ignore_tensors = options.ignore_tensors;
  return load;
}

}  // namespace nibble
