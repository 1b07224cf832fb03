// Makes a tree of JSON text as nlohmann's parser walks it: repeated keys are found by the insertion itself, and a tree
// that would take far more memory than its text ("[[],[],[],...") is refused while it grows.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "io/json_value.hpp"

namespace nibble {

// What the tree of a text may take, estimated: seven times the text and some. With the text itself, eight.
inline std::size_t json_tree_budget(std::size_t text_bytes) { return 7 * text_bytes + (std::size_t(56) << 20); }

// The functions are those that nlohmann's sax_parse() calls; each says whether to go on.
class JsonBuilder {
 public:
  JsonBuilder(std::size_t budget, bool refuse_repeated) : left_(budget), refuse_repeated_(refuse_repeated) {}

  bool null() { return add(Json()); }
  bool boolean(bool value) { return add(Json(value)); }
  bool number_integer(std::int64_t value) { return add(Json(value)); }
  bool number_unsigned(std::uint64_t value) { return add(Json(value)); }
  bool number_float(double value, const std::string&) { return add(Json(value)); }
  bool string(std::string& value);
  bool binary(Json::binary_t&) { return false; }  // JSON text has none
  bool start_object(std::size_t) { return open(Json(Json::value_t::object)); }
  bool start_array(std::size_t) { return open(Json(Json::value_t::array)); }
  bool key(std::string& name);
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool parse_error(std::size_t byte, const std::string&, const Json::exception& problem);

  Json take() { return std::move(root_); }
  // Why it stopped; at most one is set.
  const std::string& twice() const { return twice_; }  // the repeated key, in quotes
  const std::string& cause() const { return cause_; }  // not JSON
  bool is_over_budget() const { return over_budget_; }
  std::size_t byte() const { return byte_; }  // where `cause` is; 0: the parser did not say

 private:
  bool charge(std::size_t bytes);
  Json* put(Json value);  // null: over the budget
  bool add(Json value) { return put(std::move(value)) != nullptr; }
  bool open(Json value);
  bool close();

  Json root_;
  std::vector<Json*> open_;  // the containers around the place; children do not move while theirs is open
  Json* member_ = nullptr;   // of the innermost object, named by its key
  std::size_t left_;
  bool refuse_repeated_;
  std::string twice_, cause_;
  bool over_budget_ = false;
  std::size_t byte_ = 0;
};

}  // namespace nibble
