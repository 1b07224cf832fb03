// tokenizer.json, as Hugging Face's tokenizers library writes it.
#include "base/utf8.hpp"
#include "text/tokenizer/bpe_json.hpp"
#include "text/tokenizer/json_parts.hpp"
#include "text/tokenizer/tokenizer_json_file.hpp"
#include "text/tokenizer/tokenizer_loaders.hpp"

namespace nibble {
namespace {

// What is put around a text: only templates for single texts matter here.
Result<void> add_post_processor(const Json& entry, PipelineParts& parts, int depth = 0) {
  if (entry.is_null()) return {};
  NIBBLE_TRY(const std::string type, json_text(entry, "type"));
  if (type == "ByteLevel") return {};
  if (type == "Sequence" && depth < 8) {
    const auto inner = entry.find("processors");
    if (inner == entry.end() || !inner->is_array())
      return error(Errc::corrupt_file, "a post-processor sequence lists no processors");
    for (const Json& step : *inner) NIBBLE_CHECK(add_post_processor(step, parts, depth + 1));
    return {};
  }
  if (type != "TemplateProcessing") return error(Errc::unsupported, "post-processor \"{}\" is not supported", type);
  const auto single = entry.find("single"), specials = entry.find("special_tokens");
  if (single == entry.end() || !single->is_array())
    return error(Errc::corrupt_file, "the post-processor has no template for single texts");
  bool after = false;
  for (const Json& piece : *single) {
    if (piece.is_object() && piece.contains("Sequence")) {
      after = true;
      continue;
    }
    if (!piece.is_object() || !piece.contains("SpecialToken"))
      return error(Errc::corrupt_file, "the post-processor's template has a piece that is no token and no sequence");
    NIBBLE_TRY(const std::string name, json_text(piece["SpecialToken"], "id"));
    if (specials == entry.end() || !specials->is_object() || !specials->contains(name))
      return error(Errc::corrupt_file, "the post-processor's template names \"{}\", which it does not define", name);
    const Json& special = (*specials)[name];
    const auto ids = special.is_object() ? special.find("ids") : special.end();
    if (ids == special.end() || !ids->is_array() || ids->empty())
      return error(Errc::corrupt_file, "the post-processor's \"{}\" has no ids", name);
    if (ids->size() + parts.prefix.size() + parts.suffix.size() > PipelineLimits::around)
      return error(Errc::unsupported, "the post-processor puts more than {} ids around a text", PipelineLimits::around);
    for (const Json& id : *ids) {
      if (!id.is_number_integer() || id < 0 || id >= Vocabulary::limit)
        return error(Errc::corrupt_file, "the post-processor's \"{}\" has no usable id", name);
      (after ? parts.suffix : parts.prefix).push_back(id.get<std::int32_t>());
    }
  }
  return {};
}

Result<void> read_model(JsonCursor& cursor, TokenizerFile& file) {
  file.has_model = true;
  return cursor.object([&](std::string_view key) -> Result<void> {
    if (key == "vocab" && cursor.peek() == '{') {
      NIBBLE_TRY(file.vocabulary, read_vocabulary(cursor));
      file.has_vocabulary = true;
      return {};
    }
    if (key == "merges" && cursor.peek() == '[') {
      NIBBLE_TRY(file.merges, read_merges(cursor));
      return {};
    }
    NIBBLE_TRY(const std::string_view text, cursor.value());
    if (key == "vocab" || key == "merges") return {};  // of another type of model
    NIBBLE_TRY(file.model[std::string(key)], parse_json(text, key));
    return {};
  });
}

}  // namespace

Result<TokenizerFile> read_tokenizer_json(std::string_view text) {
  if (!is_valid_utf8(text)) return error(Errc::corrupt_file, "not valid UTF-8");
  TokenizerFile file;
  JsonCursor cursor(text);
  NIBBLE_CHECK(cursor.object([&](std::string_view key) -> Result<void> {
    if (key == "model" && cursor.peek() == '{') return read_model(cursor, file);
    NIBBLE_TRY(const std::string_view value, cursor.value());
    NIBBLE_TRY(file.parts[std::string(key)], parse_json(value, key));
    return {};
  }));
  NIBBLE_CHECK(cursor.end());
  if (!file.has_model) return error(Errc::corrupt_file, "no \"model\" object");
  return file;
}

TokenizerResult load_tokenizer_json(std::string_view text, const TokenizerConfig& config) {
  NIBBLE_TRY(TokenizerFile file, read_tokenizer_json(text));
  NIBBLE_TRY(const std::string type, json_text(file.model, "type", "BPE"));
  if (type != "BPE") return error(Errc::unsupported, "tokenizer model \"{}\" is not supported; Nibble has BPE", type);
  if (!file.has_vocabulary) return error(Errc::corrupt_file, "the model's \"vocab\" is not an object of tokens");
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    NIBBLE_TRY(const std::string text, json_text(file.model, affix));
    if (!text.empty()) return error(Errc::unsupported, "\"{}\" is not supported", affix);
  }
  if (file.model.contains("dropout") && file.model["dropout"].is_number() && file.model["dropout"] != 0) {
    return error(Errc::unsupported, "\"dropout\" is not supported: the same text must give the same ids");
  }
  PipelineParts parts;
  const auto part = [&](const char* key) { return file.part(key); };
  NIBBLE_CHECK(add_normalizer(part("normalizer"), parts.normalizer));
  NIBBLE_CHECK(add_pre_tokenizer(part("pre_tokenizer"), parts.pre_tokenizer));
  NIBBLE_CHECK(add_decoder(part("decoder"), parts.decoder));
  NIBBLE_CHECK(add_post_processor(part("post_processor"), parts));
  BpeOptions options;
  options.bytes = parts.pre_tokenizer.is_byte_level();
  NIBBLE_TRY(options.byte_fallback, json_flag(file.model, "byte_fallback", false));
  NIBBLE_TRY(options.fuse_unk, json_flag(file.model, "fuse_unk", false));
  NIBBLE_TRY(options.ignore_merges, json_flag(file.model, "ignore_merges", false));
  NIBBLE_TRY(const std::string unk, json_text(file.model, "unk_token"));
  if (!unk.empty()) options.unk = file.vocabulary.id(unk);
  NIBBLE_TRY(parts.bpe, Bpe::from_merges(std::move(file.vocabulary), file.merges.pairs, options));
  parts.kind = options.bytes ? "byte-level BPE" : "SentencePiece BPE";
  if (const Json added = part("added_tokens"); added.is_array()) {
    for (const Json& entry : added) {
      NIBBLE_TRY(AddedToken token, parse_added_token(entry, true));
      token.id = parts.bpe.vocabulary().id(token.content).value_or(token.id);
      parts.added.add(std::move(token));
    }
  }
  apply_config(config, parts);
  return make_pipeline(std::move(parts));
}

}  // namespace nibble
