// tokenizer.ggml.* in a GGUF file.
#include "base/utf8.hpp"
#include "text/tokenizer/bpe_json.hpp"
#include "text/tokenizer/gguf_keys.hpp"
#include "text/tokenizer/gguf_pre_types.hpp"
#include "text/tokenizer/pipeline.hpp"
#include "text/tokenizer/score_pieces.hpp"

namespace nibble {
namespace {

Result<const GgufValue::Array*> array(const Gguf& file, std::string_view key) {
  const GgufValue* value = file.find(key);
  if (value == nullptr) return error(Errc::corrupt_file, "there is no {}", key);
  const auto* list = std::get_if<GgufValue::Array>(&value->value);
  if (list == nullptr) return error(Errc::corrupt_file, "{} is not an array", key);
  return list;
}

// They live as long as the file's metadata.
Result<std::vector<std::string_view>> texts(const Gguf& file, std::string_view key) {
  NIBBLE_TRY(const GgufValue::Array* list, array(file, key));
  std::vector<std::string_view> out;
  out.reserve(list->size());
  for (const GgufValue& entry : *list) {
    const auto* text = std::get_if<std::string>(&entry.value);
    if (text == nullptr || !is_valid_utf8(*text)) {
      return error(Errc::corrupt_file, "{}[{}] is not a UTF-8 text", key, out.size());
    }
    out.push_back(*text);
  }
  return out;
}

Result<std::vector<std::uint8_t>> token_types(const Gguf& file, std::size_t tokens) {
  std::vector<std::uint8_t> types(tokens, ScorePieces::normal);
  if (file.find("tokenizer.ggml.token_type") == nullptr) return types;
  NIBBLE_TRY(const GgufValue::Array* list, array(file, "tokenizer.ggml.token_type"));
  if (list->size() != tokens) {
    return error(Errc::corrupt_file, "tokenizer.ggml.token_type has {} entries for {} tokens", list->size(), tokens);
  }
  for (std::size_t i = 0; i < tokens; ++i) {
    const auto* with_sign = std::get_if<std::int64_t>(&(*list)[i].value);
    const auto* plain = std::get_if<std::uint64_t>(&(*list)[i].value);
    const std::int64_t type = with_sign ? *with_sign : plain && *plain <= 6 ? std::int64_t(*plain) : 0;
    if (type < 1 || type > 6) return error(Errc::corrupt_file, "tokenizer.ggml.token_type[{}] is not from 1 to 6", i);
    types[i] = std::uint8_t(type);
  }
  return types;
}

TokenizerResult load_scores(const Gguf& file) {
  ScorePieces pieces;
  NIBBLE_TRY(const auto tokens, texts(file, "tokenizer.ggml.tokens"));
  pieces.texts.assign(tokens.begin(), tokens.end());
  NIBBLE_TRY(pieces.types, token_types(file, pieces.texts.size()));
  NIBBLE_TRY(const GgufValue::Array* scores, array(file, "tokenizer.ggml.scores"));
  if (scores->size() != pieces.texts.size()) {
    return error(Errc::corrupt_file, "tokenizer.ggml.scores has {} entries for {} tokens", scores->size(),
                 pieces.texts.size());
  }
  for (const GgufValue& score : *scores) {
    const auto* value = std::get_if<double>(&score.value);
    if (value == nullptr) return error(Errc::corrupt_file, "tokenizer.ggml.scores are not numbers");
    pieces.scores.push_back(float(*value));
  }
  const std::size_t count = pieces.texts.size();
  pieces.add_space_prefix = gguf_flag(file, "tokenizer.ggml.add_space_prefix").value_or(true);
  pieces.remove_extra_spaces = gguf_flag(file, "tokenizer.ggml.remove_extra_whitespaces").value_or(false);
  pieces.bos = gguf_token_id(file, "tokenizer.ggml.bos_token_id", count);
  pieces.eos = gguf_token_id(file, "tokenizer.ggml.eos_token_id", count);
  pieces.unk = gguf_token_id(file, "tokenizer.ggml.unknown_token_id", count);
  pieces.add_bos = gguf_flag(file, "tokenizer.ggml.add_bos_token").value_or(true);
  pieces.add_eos = gguf_flag(file, "tokenizer.ggml.add_eos_token").value_or(false);
  return make_score_tokenizer(std::move(pieces));
}

TokenizerResult load_merges(const Gguf& file) {
  const GgufValue* pre = file.find("tokenizer.ggml.pre");
  const auto* name = pre ? std::get_if<std::string>(&pre->value) : nullptr;
  NIBBLE_TRY(const GgufPreType type, gguf_pre_type(name ? std::string_view(*name) : "default"));
  NIBBLE_TRY(const std::vector<std::string_view> tokens, texts(file, "tokenizer.ggml.tokens"));
  NIBBLE_TRY(const std::vector<std::uint8_t> types, token_types(file, tokens.size()));
  NIBBLE_TRY(const std::vector<std::string_view> merges, texts(file, "tokenizer.ggml.merges"));
  PipelineParts parts;
  Vocabulary vocabulary;
  vocabulary.reserve(tokens.size());
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    NIBBLE_CHECK(vocabulary.add(tokens[id], std::int64_t(id)));
    const bool special = types[id] == ScorePieces::control || types[id] == ScorePieces::unknown;
    if (tokens[id].empty() || (!special && types[id] != ScorePieces::user_defined)) continue;
    AddedToken token;
    token.content = tokens[id];
    token.id = std::int32_t(id);
    token.special = special;
    parts.added.add(std::move(token));
  }
  std::vector<Bpe::Merge> pairs;
  pairs.reserve(merges.size());
  for (const std::string_view merge : merges) {
    const auto pair = split_merge(merge);
    if (!pair) return pair.error().at(fmt::format("tokenizer.ggml.merges[{}]", pairs.size()));
    pairs.push_back(*pair);
  }
  BpeOptions options;
  options.ignore_merges = type.ignore_merges;
  if (type.nfc) parts.normalizer.add(UnicodeForm{true, false});
  NIBBLE_TRY(parts.pre_tokenizer, pre_tokenizer_of(type));
  parts.decoder.add(DecodeByteLevel{});
  NIBBLE_TRY(parts.bpe, Bpe::from_merges(std::move(vocabulary), pairs, options));
  parts.bos = gguf_token_id(file, "tokenizer.ggml.bos_token_id", tokens.size());
  parts.eos = gguf_token_id(file, "tokenizer.ggml.eos_token_id", tokens.size());
  if (gguf_flag(file, "tokenizer.ggml.add_bos_token").value_or(type.adds_bos) && parts.bos) parts.prefix = {*parts.bos};
  if (gguf_flag(file, "tokenizer.ggml.add_eos_token").value_or(false) && parts.eos) parts.suffix = {*parts.eos};
  parts.kind = "byte-level BPE";
  return make_pipeline(std::move(parts));
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> Tokenizer::from_gguf(const Gguf& file) {
  NIBBLE_TRY(const std::string model, file.text("tokenizer.ggml.model"));
  if (model == "llama") return load_scores(file);
  if (model == "gpt2") return load_merges(file);
  return error(
      Errc::unsupported,
      "tokenizer.ggml.model is \"{}\"; Nibble reads \"gpt2\" (byte-level BPE) and \"llama\" (SentencePiece BPE)",
      model);
}

}  // namespace nibble
