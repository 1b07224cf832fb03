// Which state of the source this is.
#pragma once

#include <string_view>

namespace nibble {

// The commit's first twelve digits, as of when the build was configured; "unknown" of a source outside git.
std::string_view build_commit();

}  // namespace nibble
