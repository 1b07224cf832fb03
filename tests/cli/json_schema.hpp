// A validator for the part of JSON Schema (draft 2020-12) that docs/json uses. A keyword that it does not know is an
// error of the schema, so nothing a schema says goes unchecked.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace nibble::test {

class JsonSchema {
 public:
  using Json = nlohmann::json;
  // `others` by the names under which the schema refers to them ("memory.schema.json").
  explicit JsonSchema(Json root, std::map<std::string, Json> others = {})
      : root_(std::move(root)), others_(std::move(others)) {}

  // Each line says where and what; empty: the document is valid.
  std::vector<std::string> problems_of(const Json& document) const {
    std::vector<std::string> out;
    check(root_, document, "$", out);
    return out;
  }

 private:
  using Problems = std::vector<std::string>;

  static bool is_of_type(const Json& value, const std::string& type) {
    return (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
           (type == "string" && value.is_string()) || (type == "boolean" && value.is_boolean()) ||
           (type == "null" && value.is_null()) || (type == "number" && value.is_number()) ||
           (type == "integer" && value.is_number_integer());  // 3.0 is not: bytes and ids are written as integers
  }

  void check(const Json& schema, const Json& value, const std::string& at, Problems& out) const {
    static const std::set<std::string> known = {
        "$schema", "$defs",  "$ref",       "title",    "description",          "type",
        "enum",    "oneOf",  "properties", "required", "additionalProperties", "items",
        "minimum", "maximum"};
    for (const auto& [keyword, unused] : schema.items())
      if (!known.count(keyword)) out.push_back(at + ": the schema uses \"" + keyword + "\", which is not known here");
    if (schema.contains("$ref")) {
      const std::string target = schema["$ref"];
      if (const auto other = others_.find(target); other != others_.end())
        JsonSchema(other->second, others_).check(other->second, value, at, out);
      else if (target.rfind("#/", 0) != 0 || !root_.contains(Json::json_pointer(target.substr(1))))
        out.push_back(at + ": the schema refers to " + target + ", which is not there");
      else
        check(root_.at(Json::json_pointer(target.substr(1))), value, at, out);
    }
    if (schema.contains("type")) {
      const Json types = schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]});
      bool fits = false;
      for (const Json& type : types) fits = fits || is_of_type(value, type);
      if (!fits)
        return out.push_back(at + ": " + value.dump().substr(0, 60) + " is not of type " + schema["type"].dump());
    }
    if (schema.contains("enum") &&
        std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end())
      out.push_back(at + ": " + value.dump() + " is none of " + schema["enum"].dump());
    if (schema.contains("minimum") && value.is_number() && value < schema["minimum"])
      out.push_back(at + ": " + value.dump() + " is below " + schema["minimum"].dump());
    if (schema.contains("maximum") && value.is_number() && value > schema["maximum"])
      out.push_back(at + ": " + value.dump() + " is above " + schema["maximum"].dump());
    if (schema.contains("oneOf")) check_one_of(schema["oneOf"], value, at, out);
    if (value.is_object()) check_object(schema, value, at, out);
    if (value.is_array() && schema.contains("items"))
      for (std::size_t i = 0; i < value.size(); ++i)
        check(schema["items"], value[i], at + "[" + std::to_string(i) + "]", out);
  }

  void check_one_of(const Json& choices, const Json& value, const std::string& at, Problems& out) const {
    std::size_t fitting = 0;
    Problems all;
    for (const Json& choice : choices) {
      Problems found;
      check(choice, value, at, found);
      fitting += found.empty();
      all.insert(all.end(), found.begin(), found.end());
    }
    if (fitting == 1) return;
    out.push_back(at + ": fits " + std::to_string(fitting) + " of the forms, expected one");
    if (fitting == 0) out.insert(out.end(), all.begin(), all.end());
  }

  void check_object(const Json& schema, const Json& value, const std::string& at, Problems& out) const {
    const Json none = Json::object();
    const Json& properties = schema.contains("properties") ? schema["properties"] : none;
    if (schema.contains("required"))
      for (const std::string name : schema["required"])
        if (!value.contains(name)) out.push_back(at + ": \"" + name + "\" is missing");
    for (const auto& [name, member] : value.items()) {
      if (properties.contains(name))
        check(properties[name], member, at + "." + name, out);
      else if (schema.contains("additionalProperties") && schema["additionalProperties"].is_object())
        check(schema["additionalProperties"], member, at + "." + name, out);
      else if (schema.contains("additionalProperties") && schema["additionalProperties"] == false)
        out.push_back(at + ": \"" + name + "\" is not in the schema");
    }
  }

  Json root_;
  std::map<std::string, Json> others_;
};

}  // namespace nibble::test
