#include "text/template/chat_template.hpp"

#include "text/template/template_interpreter.hpp"
#include "text/template/template_parser.hpp"

namespace nibble {

struct ChatTemplate::Program {
  jinja::Body body;
};

ChatTemplate::ChatTemplate(std::unique_ptr<Program> program) : program_(std::move(program)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

Result<ChatTemplate> ChatTemplate::parse(std::string_view source) {
  if (source.size() > max_source_bytes) {
    return error(Errc::unsupported, "chat template: {} bytes are too many; the limit is {}", source.size(),
                 max_source_bytes);
  }
  auto body = jinja::parse_template(source);
  if (!body) return body.error().at("chat template");
  return ChatTemplate(std::make_unique<Program>(Program{std::move(*body)}));
}

Result<std::string> ChatTemplate::render(const OrderedJson& variables, const RenderOptions& options) const {
  jinja::Rendering rendering(options.now, options.max_steps, options.max_bytes);
  jinja::Interpreter interpreter(rendering);
  for (const auto& [name, value] : variables.items()) {
    if (auto defined = interpreter.define(name, value); !defined) return defined.error().at("chat template");
  }
  auto text = interpreter.run(program_->body);
  if (!text) return text.error().at(fmt::format("chat template, line {}", interpreter.line()));
  return text;
}

}  // namespace nibble
