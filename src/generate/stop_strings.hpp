// Holds back text that could still become a stop string.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nibble {

class StopStrings {
 public:
  explicit StopStrings(const std::vector<std::string>& stops) : stops_(stops) {}
  // Text that may be shown now. After found(), nothing more comes.
  std::string push(std::string_view text);
  // What was held back, when the text ends without a stop string.
  std::string flush() { return found_ ? std::string() : std::move(pending_); }
  bool found() const { return found_; }

 private:
  std::vector<std::string> stops_;
  std::string pending_;
  bool found_ = false;
};

}  // namespace nibble
