// Chat templates cannot be rendered yet: parsing refuses every one of them, so that nothing is spoken in a wrong form.
#include "text/template/chat_template.hpp"

namespace nibble {

struct ChatTemplate::Program {};

ChatTemplate::ChatTemplate(std::unique_ptr<Program> program) : program_(std::move(program)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

Result<ChatTemplate> ChatTemplate::parse(std::string_view) {
  return error(Errc::unsupported,
               "this build of Nibble cannot render chat templates yet; `run` continues a text that you have put into "
               "the model's form yourself");
}

Result<std::string> ChatTemplate::render(const OrderedJson&) const { return std::string(); }

}  // namespace nibble
