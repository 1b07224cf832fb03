#include "text/tokenizer/tokenizer_config.hpp"

#include <charconv>
#include <unordered_set>

#include "text/tokenizer/vocabulary.hpp"

namespace nibble {
namespace {

bool flag(const Json& entry, const char* key) {
  const auto found = entry.find(key);
  return found != entry.end() && found->is_boolean() && found->get<bool>();
}

std::optional<bool> choice(const Json& config, const char* key) {
  const auto found = config.find(key);
  if (found == config.end() || !found->is_boolean()) return {};
  return found->get<bool>();
}

// "<s>" or {"content": "<s>", ...}.
std::optional<std::string> token_text(const Json& entry) {
  if (entry.is_string()) return entry.get<std::string>();
  if (entry.is_object() && entry.contains("content") && entry["content"].is_string()) {
    return entry["content"].get<std::string>();
  }
  return {};
}

std::optional<std::string> token_text(const Json& config, const char* key) {
  const auto found = config.find(key);
  return found == config.end() ? std::nullopt : token_text(*found);
}

}  // namespace

Result<AddedToken> parse_added_token(const Json& entry, bool with_id) {
  if (!entry.is_object() || !entry.contains("content") || !entry["content"].is_string() ||
      (with_id && (!entry.contains("id") || !entry["id"].is_number_integer()))) {
    return error(Errc::corrupt_file, "an added token needs a text \"content\"{}",
                 with_id ? " and an integer \"id\"" : "");
  }
  AddedToken token;
  token.content = entry["content"].get<std::string>();
  if (with_id) {
    const auto id = entry["id"].get<std::int64_t>();
    if (id < 0 || id >= Vocabulary::limit) {
      return error(Errc::corrupt_file, "added token \"{}\" has id {}; ids go from 0 to {}", token.content, id,
                   Vocabulary::limit - 1);
    }
    token.id = std::int32_t(id);
  }
  token.special = flag(entry, "special");
  token.single_word = flag(entry, "single_word");
  token.lstrip = flag(entry, "lstrip");
  token.rstrip = flag(entry, "rstrip");
  token.normalized = entry.contains("normalized") ? flag(entry, "normalized") : !token.special;
  return token;
}

Result<TokenizerConfig> parse_tokenizer_config(const Json& json) {
  TokenizerConfig config;
  if (!json.is_object()) return error(Errc::corrupt_file, "expected an object at the top");
  config.bos = token_text(json, "bos_token");
  config.eos = token_text(json, "eos_token");
  config.unk = token_text(json, "unk_token");
  for (const auto& token : {config.bos, config.eos, config.unk, token_text(json, "pad_token")}) {
    if (token) config.special.push_back(*token);
  }
  if (const auto more = json.find("additional_special_tokens"); more != json.end() && more->is_array()) {
    for (const Json& entry : *more) {
      if (const auto token = token_text(entry)) config.special.push_back(*token);
    }
  }
  config.legacy = choice(json, "legacy");
  config.add_bos = choice(json, "add_bos_token");
  config.add_eos = choice(json, "add_eos_token");
  config.add_prefix_space = choice(json, "add_prefix_space");
  if (const auto name = json.find("tokenizer_class"); name != json.end() && name->is_string()) {
    config.tokenizer_class = name->get<std::string>();
  }
  const auto added = json.find("added_tokens_decoder");
  if (added == json.end() || !added->is_object()) return config;
  for (const auto& [key, entry] : added->items()) {
    NIBBLE_TRY(AddedToken token, parse_added_token(entry, false));
    const auto [end, code] = std::from_chars(key.data(), key.data() + key.size(), token.id);
    if (code != std::errc() || end != key.data() + key.size() || token.id < 0 || token.id >= Vocabulary::limit) {
      return error(Errc::corrupt_file, "added_tokens_decoder has the key \"{}\", which is no token id", key);
    }
    config.added.push_back(std::move(token));
  }
  return config;
}

Result<TokenizerConfig> read_tokenizer_config(const std::filesystem::path& folder) {
  TokenizerConfig config;
  std::error_code code;
  if (const auto path = folder / "tokenizer_config.json"; std::filesystem::exists(path, code)) {
    NIBBLE_TRY(const Json json, read_json(path));
    auto parsed = parse_tokenizer_config(json);
    if (!parsed) return parsed.error().at(path.string());
    config = std::move(parsed).value();
  }
  if (const auto path = folder / "special_tokens_map.json"; std::filesystem::exists(path, code)) {
    NIBBLE_TRY(const Json json, read_json(path));
    if (!config.bos) config.bos = token_text(json, "bos_token");
    if (!config.eos) config.eos = token_text(json, "eos_token");
    if (!config.unk) config.unk = token_text(json, "unk_token");
  }
  if (const auto path = folder / "added_tokens.json"; std::filesystem::exists(path, code)) {
    NIBBLE_TRY(const Json json, read_json(path));
    std::unordered_set<std::string> known;
    for (const AddedToken& token : config.added) known.insert(token.content);
    for (const auto& [content, id] : json.items()) {
      if (!id.is_number_integer() || id.get<std::int64_t>() < 0 || id.get<std::int64_t>() >= Vocabulary::limit) {
        return error(Errc::corrupt_file, "{}: \"{}\" has no usable id", path.string(), content);
      }
      AddedToken token;
      token.content = content;
      token.id = id.get<std::int32_t>();
      if (known.insert(content).second) config.added.push_back(std::move(token));
    }
  }
  return config;
}

}  // namespace nibble
