#include "text/tokenizer/gguf_keys.hpp"

namespace nibble {

std::optional<bool> gguf_flag(const Gguf& file, std::string_view key) {
  const GgufValue* value = file.find(key);
  const bool* found = value ? std::get_if<bool>(&value->value) : nullptr;
  return found ? std::optional(*found) : std::nullopt;
}

std::optional<std::int32_t> gguf_token_id(const Gguf& file, std::string_view key, std::size_t tokens) {
  const auto id = file.integer(key);
  if (!id || *id < 0 || std::uint64_t(*id) >= tokens) return {};
  return std::int32_t(*id);
}

}  // namespace nibble
