#include "io/json_builder.hpp"

#include <algorithm>

#include "base/printable.hpp"

namespace nibble {
namespace {

// As they lie on the heap, with what the allocator adds: a list that grows is held twice for a moment.
constexpr std::size_t per_element = 2 * sizeof(Json), per_container = 64, per_member = 128, per_text = 48;

}  // namespace

bool JsonBuilder::charge(std::size_t bytes) {
  over_budget_ = bytes > left_;
  left_ -= std::min(bytes, left_);
  return !over_budget_;
}

Json* JsonBuilder::put(Json value) {
  if (open_.empty()) {
    root_ = std::move(value);
    return &root_;
  }
  if (open_.back()->is_object()) {
    *member_ = std::move(value);
    return member_;
  }
  if (!charge(per_element)) return nullptr;
  auto& list = open_.back()->get_ref<Json::array_t&>();
  list.push_back(std::move(value));
  return &list.back();
}

bool JsonBuilder::open(Json value) {
  if (!charge(per_container)) return false;
  Json* const placed = put(std::move(value));
  if (placed != nullptr) open_.push_back(placed);
  return placed != nullptr;
}

bool JsonBuilder::close() {
  open_.pop_back();
  return true;
}

bool JsonBuilder::string(std::string& value) { return charge(per_text + value.size()) && add(Json(std::move(value))); }

bool JsonBuilder::key(std::string& name) {
  if (!charge(per_member + name.size())) return false;
  const auto [place, is_new] = open_.back()->get_ref<Json::object_t&>().try_emplace(std::move(name));
  member_ = &place->second;
  if (!is_new && refuse_repeated_) twice_ = '"' + printable(place->first) + '"';
  return twice_.empty();
}

// "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ..." without what the caller says
// itself.
bool JsonBuilder::parse_error(std::size_t byte, const std::string&, const Json::exception& problem) {
  cause_ = problem.what();
  if (const auto end = cause_.find("] "); end != std::string::npos) cause_.erase(0, end + 2);
  if (const auto end = cause_.find(": "); end != std::string::npos && cause_.starts_with("parse error")) {
    cause_.erase(0, end + 2);
    byte_ = byte;
  }
  return false;
}

}  // namespace nibble
