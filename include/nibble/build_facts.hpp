// Which build of Nibble this is, for documents that must say what made them.
//
// Threads: any number.
// Implemented in src/base/build_facts.cpp.
#pragma once

#include <string>
#include <string_view>

namespace nibble {

struct BuildFacts {
  std::string_view version;     // "0.1.0"
  std::string_view commit;      // as of when the build was configured; "unknown": outside git
  std::string_view compiler;    // "GCC 12.2.0"
  std::string_view build_type;  // "Release"
};
const BuildFacts& build_facts();

// "nibble 0.1.0 (commit 1a2b3c4d5e6f, GCC 12.2.0, Release)"
std::string build_line();

}  // namespace nibble
