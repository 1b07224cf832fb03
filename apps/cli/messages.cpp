#include "messages.hpp"

#include "common.hpp"

namespace nibble::cli {

Result<std::vector<Message>> read_messages(const std::string& path) {
  NIBBLE_TRY(const std::string text, read_file(path));
  const Json json = Json::parse(text, nullptr, false);
  const Json& list = json.is_object() && json.contains("messages") ? json["messages"] : json;
  std::vector<Message> messages;
  if (list.is_array())
    for (const Json& entry : list) {
      if (!entry.is_object() || !entry.contains("role") || !entry.contains("content") || !entry["role"].is_string() ||
          !entry["content"].is_string())
        break;
      messages.push_back({entry["role"], entry["content"]});
    }
  if (messages.empty() || messages.size() != list.size())
    return Error{Errc::bad_request, path + ": expected a JSON list of {\"role\": text, \"content\": text}"};
  return messages;
}

std::string to_json(const std::vector<Message>& messages) {
  Json list = Json::array();
  for (const Message& message : messages) list.push_back({{"role", message.role}, {"content", message.content}});
  return list.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace nibble::cli
