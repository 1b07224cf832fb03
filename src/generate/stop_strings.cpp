#include "generate/stop_strings.hpp"

#include <algorithm>

#include "nibble/generate.hpp"

namespace nibble {
namespace {

// Length of the longest end of `text` that begins `word` without being all of it.
std::size_t partial_match(std::string_view text, std::string_view word) {
  for (std::size_t length = std::min(text.size(), word.size() - 1); length > 0; --length)
    if (text.substr(text.size() - length) == word.substr(0, length)) return length;
  return 0;
}

}  // namespace

std::string StopStrings::push(std::string_view text) {
  if (found_) return {};
  pending_ += text;
  // The one that is complete first, and of several the longest: so the cut does not depend on how text comes in pieces.
  std::size_t first = std::string::npos, end = std::string::npos, undecided = 0;
  for (const std::string& stop : stops_) {
    if (stop.empty()) continue;
    const std::size_t at = pending_.find(stop), last = at + stop.size();
    if (at != std::string::npos && (last < end || (last == end && at < first))) {
      first = at;
      end = last;
    }
    undecided = std::max(undecided, partial_match(pending_, stop));
  }
  if (first != std::string::npos) {
    found_ = true;
    return pending_.substr(0, first);
  }
  std::string certain = pending_.substr(0, pending_.size() - undecided);
  pending_.erase(0, certain.size());
  return certain;
}

bool ends_in_thinking(std::string_view prompt) {
  const std::size_t opened = prompt.rfind("<think>"), closed = prompt.rfind("</think>");
  return opened != prompt.npos && (closed == prompt.npos || closed < opened);
}

std::string ThinkingFilter::push(std::string_view text) {
  pending_ += text;
  std::string shown;
  for (;;) {
    const std::string_view tag = inside_ ? "</think>" : "<think>";
    const std::size_t at = pending_.find(tag);
    const std::size_t end = at != std::string::npos ? at : pending_.size() - partial_match(pending_, tag);
    if (!inside_) shown += pending_.substr(0, end);
    pending_.erase(0, at != std::string::npos ? at + tag.size() : end);
    if (at == std::string::npos) return shown;
    inside_ = !inside_;
  }
}

std::string ThinkingFilter::flush() { return inside_ ? std::string() : std::exchange(pending_, {}); }

}  // namespace nibble
