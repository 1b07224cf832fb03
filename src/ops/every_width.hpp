// For tests: repeats what it is given with every width of vectors that this processor has.
#pragma once

#include <gtest/gtest.h>

#include "base/widest.hpp"

namespace nibble {

template <class Test>
void at_every_width(Test test) {
  for (const VectorWidth width : {VectorWidth::baseline, VectorWidth::avx2, VectorWidth::avx512}) {
    if (width > widest_here()) continue;
    SCOPED_TRACE(testing::Message() << "width " << int(width));
    use_width(width);
    test();
  }
  use_width(widest_here());
}

}  // namespace nibble
