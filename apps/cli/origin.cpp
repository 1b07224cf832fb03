#include "origin.hpp"

#include <string_view>

namespace nibble::cli {
namespace {

std::string remembered;

std::string quoted(std::string_view word) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%^";
  if (!word.empty() && word.find_first_not_of(plain) == std::string_view::npos) return std::string(word);
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace

void remember_command(int argc, char** argv) {
  remembered = "nibble";
  for (int i = 1; i < argc; ++i) remembered += " " + quoted(argv[i]);
}

const std::string& command_line() { return remembered; }

Json origin(Provenance provenance) {
  provenance.command = command_line();
  Json json;
  visit_provenance(provenance, [&](const char* name, const auto& value) { json[name] = value; });
  return json;
}

}  // namespace nibble::cli
