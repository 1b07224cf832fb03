#include "base/out_of_memory.hpp"

#include "base/error.hpp"

namespace nibble {
namespace {

// Short enough to lie inside the std::string itself.
Error shortest() noexcept { return {Errc::out_of_memory, "out of memory"}; }

}  // namespace

Error out_of_memory(std::string_view place, std::string_view doing) noexcept try {
  return error(Errc::out_of_memory,
               "{}{}memory ran out while {}: the system refused to give more; free some, raise the limit (ulimit -v, a "
               "container's), or ask for less: a narrower precision, a shorter context, fewer threads",
               place, place.empty() ? "" : ": ", doing);
} catch (...) {
  return shortest();
}

Error refused_by_system(std::string_view place, std::string_view doing, const std::system_error& problem) noexcept try {
  const int code = problem.code().value();
  if (code == ENOMEM || code == EAGAIN) return out_of_memory(place, doing);
  return error(Errc::io_failure, "{}{}stopped while {}: {}", place, place.empty() ? "" : ": ", doing, problem.what());
} catch (...) {
  return shortest();
}

}  // namespace nibble
