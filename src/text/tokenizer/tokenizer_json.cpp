// tokenizer.json, as Hugging Face's tokenizers library writes it, and its ancestor, vocab.json with merges.txt.
#include "text/tokenizer/json_parts.hpp"
#include "text/tokenizer/pipeline.hpp"
#include "text/tokenizer/tokenizer_loaders.hpp"

namespace nibble {
namespace {

using Merges = std::vector<std::pair<std::string, std::string>>;

Result<void> add_post_processor(const Json& entry, PipelineParts& parts, int depth = 0) {
  if (entry.is_null()) return {};
  const std::string type = json_text(entry, "type");
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
    const std::string name =
        piece.is_object() && piece.contains("SpecialToken") ? json_text(piece["SpecialToken"], "id") : "";
    if (specials == entry.end() || !specials->is_object() || !specials->contains(name))
      return error(Errc::corrupt_file, "the post-processor's template names \"{}\", which it does not define", name);
    const Json& ids =
        (*specials)[name].is_object() && (*specials)[name].contains("ids") ? (*specials)[name]["ids"] : Json::array();
    for (const Json& id : ids) {
      if (!id.is_number_integer() || id < 0 || id >= Vocabulary::limit)
        return error(Errc::corrupt_file, "the post-processor's \"{}\" has no usable id", name);
      (after ? parts.suffix : parts.prefix).push_back(id.get<std::int32_t>());
    }
  }
  return {};
}

Result<Vocabulary> read_vocabulary(const Json& tokens) {
  if (!tokens.is_object()) return error(Errc::corrupt_file, "the vocabulary is not an object of tokens");
  Vocabulary vocabulary;
  vocabulary.reserve(tokens.size());
  for (const auto& [token, id] : tokens.items()) {
    if (!id.is_number_integer()) return error(Errc::corrupt_file, "token \"{}\" has no number", token);
    NIBBLE_CHECK(vocabulary.add(token, id.get<std::int64_t>()));
  }
  return vocabulary;
}

Result<Merges> read_merges(const Json& list) {
  Merges merges;
  if (!list.is_array()) return merges;
  for (const Json& merge : list) {
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
      continue;
    }
    const std::string text = merge.is_string() ? merge.get<std::string>() : std::string();
    const auto space = text.find(' ');
    if (space == std::string::npos) return error(Errc::corrupt_file, "merge {} is not two tokens", merges.size());
    merges.emplace_back(text.substr(0, space), text.substr(space + 1));
  }
  return merges;
}

// Added tokens, BOS and EOS of tokenizer_config.json. adds_itself: prefix and suffix are known already.
void apply_config(const TokenizerConfig& config, bool adds_itself, PipelineParts& parts) {
  for (const AddedToken& token : config.added) {
    if (parts.added.by_content(token.content) == nullptr) parts.added.add(token);
  }
  const auto find = [&](const std::string& text) -> std::optional<std::int32_t> {
    if (const AddedToken* added = parts.added.by_content(text)) return added->id;
    return parts.bpe.vocabulary().id(text);
  };
  if (config.bos) parts.bos = find(*config.bos);
  if (config.eos) parts.eos = find(*config.eos);
  if (adds_itself) return;  // tokenizer.json says itself what is put around a text
  if (config.add_bos.value_or(false) && parts.bos) parts.prefix = {*parts.bos};
  if (config.add_eos.value_or(false) && parts.eos) parts.suffix = {*parts.eos};
}

}  // namespace

TokenizerResult load_tokenizer_json(const Json& json, const TokenizerConfig& config) {
  if (!json.is_object() || !json.contains("model") || !json["model"].is_object())
    return error(Errc::corrupt_file, "no \"model\" object");
  const Json& model = json["model"];
  if (const std::string type = json_text(model, "type", "BPE"); type != "BPE")
    return error(Errc::unsupported, "tokenizer model \"{}\" is not supported; Nibble has BPE", type);
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!json_text(model, affix).empty()) return error(Errc::unsupported, "\"{}\" is not supported", affix);
  PipelineParts parts;
  const auto part = [&](const char* key) { return json.contains(key) ? json[key] : Json(); };
  NIBBLE_CHECK(add_normalizer(part("normalizer"), parts.normalizer));
  NIBBLE_CHECK(add_pre_tokenizer(part("pre_tokenizer"), parts.pre_tokenizer));
  NIBBLE_CHECK(add_decoder(part("decoder"), parts.decoder));
  NIBBLE_CHECK(add_post_processor(part("post_processor"), parts));
  NIBBLE_TRY(Vocabulary vocabulary, read_vocabulary(model.contains("vocab") ? model["vocab"] : Json()));
  NIBBLE_TRY(const Merges merges, read_merges(model.contains("merges") ? model["merges"] : Json()));
  BpeOptions options;
  options.bytes = parts.pre_tokenizer.is_byte_level();
  options.byte_fallback = json_flag(model, "byte_fallback", false),
  options.fuse_unk = json_flag(model, "fuse_unk", false),
  options.ignore_merges = json_flag(model, "ignore_merges", false);
  if (const std::string unk = json_text(model, "unk_token"); !unk.empty()) options.unk = vocabulary.id(unk);
  if (model.contains("dropout") && model["dropout"].is_number() && model["dropout"] != 0) {
    return error(Errc::unsupported, "\"dropout\" is not supported: the same text must give the same ids");
  }
  NIBBLE_TRY(parts.bpe, Bpe::from_merges(std::move(vocabulary), merges, options));
  parts.kind = options.bytes ? "byte-level BPE" : "SentencePiece BPE";
  if (json.contains("added_tokens") && json["added_tokens"].is_array())
    for (const Json& entry : json["added_tokens"]) {
      NIBBLE_TRY(AddedToken token, parse_added_token(entry, true));
      token.id = parts.bpe.vocabulary().id(token.content).value_or(token.id);
      parts.added.add(std::move(token));
    }
  // A post-processor that adds ids is the publisher's last word; without one the flags of the config decide.
  apply_config(config, !parts.prefix.empty() || !parts.suffix.empty(), parts);
  return std::unique_ptr<Tokenizer>(std::make_unique<Pipeline>(std::move(parts)));
}

TokenizerResult load_vocab_merges(const Json& vocab, std::string_view text, const TokenizerConfig& config) {
  PipelineParts parts;
  NIBBLE_TRY(Vocabulary vocabulary, read_vocabulary(vocab));
  Merges merges;
  for (std::size_t begin = 0, line = 1; begin < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view merge = text.substr(begin, end - begin);
    begin = end + 1;
    if (!merge.empty() && merge.back() == '\r') merge.remove_suffix(1);
    if (merge.empty() || (line == 1 && merge.substr(0, 8) == "#version")) continue;
    const auto space = merge.find(' ');
    if (space == std::string_view::npos)
      return error(Errc::corrupt_file, "merges.txt: line {}: expected two tokens", line);
    merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
  }
  const std::string& name = config.tokenizer_class;
  const bool qwen = name.starts_with("Qwen2Tokenizer");
  if (!qwen && !name.empty() && !name.starts_with("GPT2Tokenizer")) {
    return error(
        Errc::unsupported,
        "vocab.json with merges.txt of tokenizer_class {} is not supported (GPT2Tokenizer and Qwen2Tokenizer are); "
        "save the tokenizer as tokenizer.json",
        name);
  }
  if (qwen) {
    parts.normalizer.add(UnicodeForm{true, false});
    parts.pre_tokenizer.add(SplitByPattern{SplitPattern::known(KnownPattern::qwen2), SplitBehavior::isolated, false});
  }
  parts.pre_tokenizer.add(ByteLevelSplit{config.add_prefix_space.value_or(false), !qwen, false});
  parts.decoder.add(DecodeByteLevel{});
  parts.kind = "byte-level BPE";
  if (const auto id = vocabulary.id("<|endoftext|>")) {
    AddedToken token;
    token.content = "<|endoftext|>", token.id = *id, token.special = true;
    parts.added.add(std::move(token));
    parts.bos = parts.eos = *id;
  }
  NIBBLE_TRY(parts.bpe, Bpe::from_merges(std::move(vocabulary), merges, {}));
  apply_config(config, false, parts);
  return std::unique_ptr<Tokenizer>(std::make_unique<Pipeline>(std::move(parts)));
}

}  // namespace nibble
