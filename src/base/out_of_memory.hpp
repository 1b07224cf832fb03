// Running out of memory as an answer. Strings and containers throw std::bad_alloc; every public function that returns a
// Result does its work inside or_out_of_memory(), and there alone it becomes an Error.
#pragma once

#include <new>
#include <string_view>
#include <system_error>

#include "nibble/result.hpp"

namespace nibble {

// "PLACE: memory ran out while DOING; what to do". Where not even the sentence finds room it is "out of memory", which
// takes none. `place` may be empty.
Error out_of_memory(std::string_view place, std::string_view doing) noexcept;

// What the system refused: a thread or a folder's listing for want of memory, or something else, by its own words.
Error refused_by_system(std::string_view place, std::string_view doing, const std::system_error& problem) noexcept;

template <class Work>
auto or_out_of_memory(std::string_view place, std::string_view doing, Work&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return out_of_memory(place, doing);
  } catch (const std::system_error& problem) {
    return refused_by_system(place, doing, problem);
  }
}

}  // namespace nibble
