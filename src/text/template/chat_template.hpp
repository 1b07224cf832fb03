// The Jinja that chat templates are written in, as jinja2 renders it in transformers: trim_blocks, lstrip_blocks, loop
// controls, {% generation %}, and the immutable sandbox.
#pragma once

#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "io/json.hpp"

namespace nibble {

// What one rendering may use, and the time that strftime_now() formats (in local time).
struct RenderOptions {
  std::time_t now = std::time(nullptr);
  std::int64_t max_steps = 10'000'000;  // of evaluating
  std::int64_t max_bytes = 256 << 20;   // of all values that were made, kept or not
};

class ChatTemplate {
 public:
  static constexpr std::size_t max_source_bytes = 4 << 20;

  // Errors name the line. corrupt_file: not a template. unsupported: what jinja2 has and Nibble has not (template
  // inheritance, recursive loops, * and ** in calls).
  static Result<ChatTemplate> parse(std::string_view source);

  // variables: an object of "messages" (list of {"role", "content", ...}), "tools", "add_generation_prompt",
  // "bos_token", "eos_token", ...
  // bad_request: raise_exception(...), with its text, and what Python would not do either (an undefined value is used).
  // unsupported: a filter, test or method that jinja2 has and Nibble has not, and what goes beyond the bounds:
  // templates come from strangers, so work, texts, values and recursion are bounded (template_value.hpp, Rendering).
  Result<std::string> render(const OrderedJson& variables, const RenderOptions& options = {}) const;

  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

 private:
  struct Program;
  explicit ChatTemplate(std::unique_ptr<Program> program);
  std::unique_ptr<Program> program_;
};

}  // namespace nibble
