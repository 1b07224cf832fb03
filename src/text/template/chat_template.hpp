// A Jinja subset big enough for the chat templates that models ship. An unsupported construct is an error that names
// it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "io/json.hpp"

namespace nibble {

class ChatTemplate {
 public:
  // Parses with the settings transformers uses: trim_blocks, lstrip_blocks, loop controls. Errors name line and
  // construct.
  static Result<ChatTemplate> parse(std::string_view source);

  // variables: "messages" (list of {"role", "content", ...}), "tools", "add_generation_prompt", "bos_token",
  // "eos_token", ... raise_exception(...) in the template becomes a bad_request error with its text. Loops and output
  // are bounded.
  Result<std::string> render(const OrderedJson& variables) const;

  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

 private:
  struct Program;
  explicit ChatTemplate(std::unique_ptr<Program> program);
  std::unique_ptr<Program> program_;
};

}  // namespace nibble
