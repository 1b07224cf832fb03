#include "base/error.hpp"

#include <cstdio>

namespace nibble {

void assertion_failed(const char* file, int line, const char* condition, const char* sentence) {
  std::fprintf(stderr, "nibble: internal defect at %s:%d: %s (%s)\n", file, line, sentence, condition);
  std::abort();
}

}  // namespace nibble
