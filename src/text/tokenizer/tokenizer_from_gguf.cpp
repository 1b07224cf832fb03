// tokenizer.json of a GGUF file, in the form that Hugging Face's tokenizers library writes.
#include <algorithm>

#include "text/tokenizer/bpe_json.hpp"
#include "text/tokenizer/gguf_keys.hpp"
#include "text/tokenizer/gguf_pre_types.hpp"
#include "text/tokenizer/score_pieces.hpp"
#include "text/tokenizer/tokenizer_convert.hpp"
#include "text/tokenizer/tokenizer_loaders.hpp"
#include "text/tokenizer/tokenizer_sample.hpp"

namespace nibble {
namespace {

constexpr const char* metaspace = "\xE2\x96\x81";

std::vector<std::int64_t> types_of(const Gguf& file, std::size_t count) {
  std::vector<std::int64_t> out(count, ScorePieces::normal);
  const GgufValue* value = file.find("tokenizer.ggml.token_type");
  if (value == nullptr) return out;
  const auto& list = std::get<GgufValue::Array>(value->value);  // Tokenizer::from_gguf has checked it
  for (std::size_t i = 0; i < count; ++i) {
    const auto* with_sign = std::get_if<std::int64_t>(&list[i].value);
    out[i] = with_sign ? *with_sign : std::int64_t(std::get<std::uint64_t>(list[i].value));
  }
  return out;
}

const GgufValue::Array& array_of(const Gguf& file, std::string_view key) {
  return std::get<GgufValue::Array>(file.find(key)->value);
}

OrderedJson byte_level_step(bool add_prefix_space, bool use_regex) {
  return {
      {"type", "ByteLevel"}, {"add_prefix_space", add_prefix_space}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

OrderedJson split_steps(const GgufPreType& type) {
  OrderedJson steps = OrderedJson::array();
  for (const std::string& split : type.splits) {
    if (split == split_digits)
      steps.push_back({{"type", "Digits"}, {"individual_digits", true}});
    else
      steps.push_back(
          {{"type", "Split"}, {"pattern", {{"Regex", split}}}, {"behavior", "Isolated"}, {"invert", false}});
  }
  steps.push_back(byte_level_step(false, false));
  return {{"type", "Sequence"}, {"pretokenizers", steps}};
}

// What add_special puts around a text, as a template.
OrderedJson post_processor(const Tokenizer& tokenizer) {
  const std::vector<std::int32_t> around = tokenizer.encode("");
  OrderedJson single = OrderedJson::array(), pair = OrderedJson::array(), specials = OrderedJson::object();
  const auto special = [&](std::int32_t id, int type) {
    const std::string token = tokenizer.token(id);
    specials[token] = {{"id", token}, {"ids", {id}}, {"tokens", {token}}};
    return OrderedJson{{"SpecialToken", {{"id", token}, {"type_id", type}}}};
  };
  const auto sequence = [](const char* id, int type) {
    return OrderedJson{{"Sequence", {{"id", id}, {"type_id", type}}}};
  };
  const std::size_t before = tokenizer.adds_bos() ? 1 : 0;
  const auto add = [&](OrderedJson& into, const char* id, int type) {
    for (std::size_t i = 0; i < before; ++i) into.push_back(special(around[i], type));
    into.push_back(sequence(id, type));
    for (std::size_t i = before; i < around.size(); ++i) into.push_back(special(around[i], type));
  };
  if (around.empty()) return nullptr;
  add(single, "A", 0);
  add(pair, "A", 0);
  add(pair, "B", 1);
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", specials}};
}

OrderedJson added_tokens(const std::vector<std::int64_t>& types, const GgufValue::Array& tokens) {
  OrderedJson out = OrderedJson::array();
  for (std::size_t id = 0; id < types.size(); ++id) {
    const bool special = types[id] == ScorePieces::control || types[id] == ScorePieces::unknown;
    const auto& content = std::get<std::string>(tokens[id].value);
    if (content.empty() || (!special && types[id] != ScorePieces::user_defined)) continue;
    out.push_back({{"id", id},
                   {"content", content},
                   {"single_word", false},
                   {"lstrip", false},
                   {"rstrip", false},
                   {"normalized", false},
                   {"special", special}});
  }
  return out;
}

// Every way to make a piece of two others is a merge; pieces with higher scores are made sooner.
OrderedJson merges_of_scores(const GgufValue::Array& tokens, const GgufValue::Array& scores,
                             const std::vector<std::int64_t>& types) {
  Vocabulary vocabulary;
  std::vector<std::size_t> order;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (types[id] != ScorePieces::normal && types[id] != ScorePieces::user_defined) continue;
    [[maybe_unused]] const auto added = vocabulary.add(std::get<std::string>(tokens[id].value), std::int64_t(id));
    order.push_back(id);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::get<double>(scores[a].value) > std::get<double>(scores[b].value);
  });
  OrderedJson out = OrderedJson::array();
  for (const std::size_t id : order) {
    const std::string_view piece = std::get<std::string>(tokens[id].value);
    if (piece.size() > Bpe::longest_piece) continue;
    for (std::size_t cut = 1; cut < piece.size(); ++cut)
      if ((piece[cut] & 0xC0) != 0x80 && vocabulary.id(piece.substr(0, cut)) && vocabulary.id(piece.substr(cut)))
        out.push_back({std::string(piece.substr(0, cut)), std::string(piece.substr(cut))});
  }
  return out;
}

OrderedJson replace(const char* from, const char* to) {
  return {{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
}

// Everything that depends on which of the two kinds it is.
Result<void> add_pieces(const Gguf& file, const std::vector<std::int64_t>& types, OrderedJson& out,
                        OrderedJson& model) {
  if (gguf_flag(file, "tokenizer.ggml.remove_extra_whitespaces").value_or(false))
    return error(Errc::unsupported, "its tokenizer drops extra spaces, which tokenizer.json is not written for");
  const bool prefix = gguf_flag(file, "tokenizer.ggml.add_space_prefix").value_or(true);
  OrderedJson spaces = OrderedJson::array();
  if (prefix) spaces.push_back({{"type", "Prepend"}, {"prepend", metaspace}});
  spaces.push_back(replace(" ", metaspace));
  OrderedJson decoders = {replace(metaspace, " "), {{"type", "ByteFallback"}}, {{"type", "Fuse"}}};
  if (prefix) decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  out["normalizer"] = {{"type", "Sequence"}, {"normalizers", spaces}};
  out["decoder"] = {{"type", "Sequence"}, {"decoders", decoders}};
  const GgufValue::Array& tokens = array_of(file, "tokenizer.ggml.tokens");
  if (const auto unk = gguf_token_id(file, "tokenizer.ggml.unknown_token_id", tokens.size()))
    model["unk_token"] = std::get<std::string>(tokens[std::size_t(*unk)].value);
  model["fuse_unk"] = model["byte_fallback"] = true;
  model["merges"] = merges_of_scores(tokens, array_of(file, "tokenizer.ggml.scores"), types);
  return {};
}

Result<void> add_byte_level(const Gguf& file, OrderedJson& out, OrderedJson& model) {
  const auto pre = file.text("tokenizer.ggml.pre");
  NIBBLE_TRY(const GgufPreType type, gguf_pre_type(pre ? std::string_view(*pre) : "default"));
  if (type.nfc) out["normalizer"] = {{"type", "NFC"}};
  out["pre_tokenizer"] = split_steps(type);
  out["decoder"] = byte_level_step(true, true);
  model["ignore_merges"] = type.ignore_merges;
  for (const GgufValue& merge : array_of(file, "tokenizer.ggml.merges")) {
    const std::string_view text = std::get<std::string>(merge.value);
    NIBBLE_TRY(const Bpe::Merge pair, split_merge(text));
    model["merges"].push_back({pair.first, pair.second});
  }
  return {};
}

}  // namespace

Result<TokenizerFiles> tokenizer_from_gguf(const Gguf& file) {
  NIBBLE_TRY(const auto tokenizer, Tokenizer::from_gguf(file));
  const GgufValue::Array& tokens = array_of(file, "tokenizer.ggml.tokens");
  const std::vector<std::int64_t> types = types_of(file, tokens.size());
  OrderedJson model = {{"type", "BPE"},
                       {"dropout", nullptr},
                       {"unk_token", nullptr},
                       {"continuing_subword_prefix", nullptr},
                       {"end_of_word_suffix", nullptr},
                       {"fuse_unk", false},
                       {"byte_fallback", false},
                       {"ignore_merges", false},
                       {"vocab", OrderedJson::object()},
                       {"merges", OrderedJson::array()}};
  // By id: a ordered object of a whole vocabulary would look every key up among those before it.
  Json vocabulary = Json::object();
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const auto& token = std::get<std::string>(tokens[id].value);
    if (!token.empty()) vocabulary[token] = id;
  }
  OrderedJson out = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", added_tokens(types, tokens)},
                     {"normalizer", nullptr},
                     {"pre_tokenizer", nullptr},
                     {"post_processor", post_processor(*tokenizer)},
                     {"decoder", nullptr}};
  NIBBLE_CHECK(tokenizer->kind() == "byte-level BPE" ? add_byte_level(file, out, model)
                                                     : add_pieces(file, types, out, model));
  TokenizerFiles files;
  // The vocabulary is put in as text.
  out["model"] = std::move(model);
  files.tokenizer = out.dump(1);
  const std::string_view empty = "\"vocab\": {}";
  const std::size_t place = files.tokenizer.rfind(empty);
  NIBBLE_ASSERT(place != std::string::npos, "the model has an empty vocabulary so far");
  files.tokenizer.replace(place, empty.size(), "\"vocab\": " + vocabulary.dump());

  files.config = {{"tokenizer_class", "PreTrainedTokenizerFast"}, {"clean_up_tokenization_spaces", false}};
  const auto name = [&](const char* key, std::string_view gguf_key) {
    if (const auto id = gguf_token_id(file, gguf_key, tokens.size())) files.config[key] = tokenizer->token(*id);
  };
  name("bos_token", "tokenizer.ggml.bos_token_id");
  name("eos_token", "tokenizer.ggml.eos_token_id");
  name("unk_token", "tokenizer.ggml.unknown_token_id");
  name("pad_token", "tokenizer.ggml.padding_token_id");
  const std::string prefix = file.text("general.architecture").has_value() ? *file.text("general.architecture") : "";
  if (const auto length = file.integer(prefix + ".context_length")) files.config["model_max_length"] = *length;

  NIBBLE_TRY(const TokenizerConfig config, parse_tokenizer_config(files.config));
  NIBBLE_TRY(const auto again, load_tokenizer_json(files.tokenizer, config));
  std::unordered_set<std::string> added;
  for (std::size_t id = 0; id < types.size(); ++id)
    if (types[id] == ScorePieces::user_defined) added.insert(tokenizer->token(std::int32_t(id)));
  NIBBLE_CHECK(check_same_tokenizer(*tokenizer, *again, added));
  return files;
}

}  // namespace nibble
