// A list of precisions, each of which is measured and shown under its label.
#pragma once

#include <vector>

#include "base/error.hpp"
#include "nibble/precision.hpp"

namespace nibble {

inline Result<void> named_once(const std::vector<QuantizationConfig>& precisions) {
  for (std::size_t i = 0; i < precisions.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (precisions[i].label() == precisions[j].label())
        return error(Errc::bad_request, "the precision {} is named twice; name each once, repeats are --repeats",
                     precisions[i].label());
  return {};
}

}  // namespace nibble
