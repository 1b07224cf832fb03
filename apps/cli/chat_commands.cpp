#include "chat_commands.hpp"

#include <algorithm>
#include <array>

#include "messages.hpp"
#include "suggest.hpp"

namespace nibble::cli {
namespace {

struct ChatCommand {
  const char *name, *value, *meaning;
  Result<bool> (*obey)(Chat& chat, const std::string& value);
};

bool has_system(const std::vector<Message>& messages) { return !messages.empty() && messages[0].role == "system"; }

Result<bool> show_help(Chat&, const std::string&);

Result<bool> reset(Chat& chat, const std::string&) {
  std::vector<Message> kept = chat.messages();
  kept.resize(has_system(kept) ? 1 : 0);
  chat.restart(std::move(kept));
  complain("a new conversation\n");
  return true;
}

Result<bool> set_system(Chat& chat, const std::string& text) {
  std::vector<Message> messages = chat.messages();
  if (text.empty()) {
    complain(has_system(messages) ? "system: " + messages[0].content + "\n" : std::string("no system message\n"));
    return true;
  }
  if (has_system(messages))
    messages[0].content = text;
  else
    messages.insert(messages.begin(), {"system", text});
  chat.restart(std::move(messages));
  return true;
}

Result<bool> set_thinking(Chat& chat, const std::string& value) {
  if (value != "on" && value != "off") return Error{Errc::bad_request, "/thinking takes on or off"};
  chat.set_thinking(value == "on");
  return true;
}

Result<bool> save(Chat& chat, const std::string& path) {
  if (path.empty()) return Error{Errc::bad_request, "/save takes the name of a new file"};
  std::error_code code;
  if (std::filesystem::exists(path, code)) return Error{Errc::bad_request, path + ": exists; name a new file"};
  NIBBLE_CHECK(write_file(path, to_json(chat.messages())));
  complain(fmt::format("{} saved in {}\n", counted(chat.messages().size(), "message"), path));
  return true;
}

Result<bool> load_messages(Chat& chat, const std::string& path) {
  if (path.empty()) return Error{Errc::bad_request, "/load takes the name of a file that /save wrote"};
  NIBBLE_TRY(std::vector<Message> messages, read_messages(path));
  complain(counted(messages.size(), "message") + "\n");
  chat.restart(std::move(messages));
  return true;
}

Result<bool> show_tokens(Chat& chat, const std::string&) {
  const auto turns = std::count_if(chat.messages().begin(), chat.messages().end(),
                                   [](const Message& message) { return message.role == "user"; });
  complain(fmt::format("{} of a context of {}; {}\n", with_commas(std::uint64_t(chat.cached_tokens())),
                       counted(std::uint64_t(chat.context()), "token"), counted(std::uint64_t(turns), "turn")));
  return true;
}

Result<bool> leave(Chat&, const std::string&) { return false; }

constexpr std::array commands = {
    ChatCommand{"/help", "", "this list", show_help},
    ChatCommand{"/reset", "", "a new conversation; the system message stays", reset},
    ChatCommand{"/system", "TEXT", "another system message; without TEXT: shows it", set_system},
    ChatCommand{"/thinking", "on|off", "whether the template asks for thinking, if it knows of it", set_thinking},
    ChatCommand{"/save", "FILE", "the conversation as JSON, into a new file", save},
    ChatCommand{"/load", "FILE", "go on with a conversation that was saved", load_messages},
    ChatCommand{"/tokens", "", "how full the context is", show_tokens},
    ChatCommand{"/exit", "", "end the chat; so do /quit and Ctrl-D", leave},
    ChatCommand{"/quit", "", "", leave},
};

Result<bool> show_help(Chat&, const std::string&) {
  std::string out;
  const std::size_t width = error_style().width;
  for (const ChatCommand& command : commands)
    if (*command.meaning) out += field(fmt::format("{} {}", command.name, command.value), command.meaning, 18, width);
  out += field("LINE \\", "the next line belongs to it", 18, width);
  out += field("\"\"\"", "begins and ends a text of several lines", 18, width);
  complain(out);
  return true;
}

}  // namespace

bool is_chat_command(const std::string& line) {
  if (line.size() < 2 || line[0] != '/') return false;
  const std::string word = line.substr(1, line.find(' ') - 1);
  return word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-?") == std::string::npos;
}

Result<bool> obey_chat_command(const std::string& line, Chat& chat) {
  const std::size_t end = std::min(line.find(' '), line.size()), rest = line.find_first_not_of(' ', end);
  const std::string word = lower_case(line.substr(0, end));
  std::string value = rest == std::string::npos ? "" : line.substr(rest);
  value.erase(value.find_last_not_of(' ') + 1);
  std::vector<std::string> names;
  for (const ChatCommand& command : commands) {
    if (word == command.name) return command.obey(chat, value);
    names.emplace_back(command.name);
  }
  const std::string meant = nearest(word, names);
  return Error{Errc::bad_request,
               fmt::format("there is no command {}; {}/help lists them, and //TEXT says /TEXT to the model", word,
                           meant.empty() ? "" : "did you mean " + meant + "? ")};
}

}  // namespace nibble::cli
