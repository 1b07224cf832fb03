// A folder's tokenizer as tokenizer.ggml.* keys. Source: which keys llama.cpp's converters write and its loader reads.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/utf8.hpp"
#include "text/tokenizer/gguf_pre_types.hpp"
#include "text/tokenizer/json_parts.hpp"
#include "text/tokenizer/known_patterns.hpp"
#include "text/tokenizer/score_pieces.hpp"
#include "text/tokenizer/tokenizer_convert.hpp"
#include "text/tokenizer/tokenizer_json_file.hpp"
#include "text/tokenizer/tokenizer_sample.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

// The parts that GGUF lists; both kinds of tokenizer fill what they have.
struct GgufVocabulary {
  std::string model, pre;
  std::vector<std::string> merges;
  std::vector<float> scores;
  bool space_prefix = true, remove_extra_spaces = false;
};

Error unnamed(std::string_view what) {
  return error(Errc::unsupported,
               "its tokenizer splits text in a way that llama.cpp has no name for ({}); write a folder instead", what);
}

// {"type": "Split", ...} and its like as GgufPreType lists them; `done` once a ByteLevel ends the list.
Result<void> add_split(const Json& entry, GgufPreType& type, bool& done) {
  NIBBLE_TRY(const std::string kind, json_text(entry, "type"));
  if (done) return unnamed(kind + " after ByteLevel");
  if (kind == "Sequence") {
    for (const Json& step : entry.value("pretokenizers", Json::array())) NIBBLE_CHECK(add_split(step, type, done));
    return {};
  }
  if (kind == "ByteLevel") {
    NIBBLE_TRY(const bool prefix, json_flag(entry, "add_prefix_space", true));
    NIBBLE_TRY(const bool pattern, json_flag(entry, "use_regex", true));
    if (prefix) return unnamed("add_prefix_space");
    if (pattern) type.splits.emplace_back(pattern_text(KnownPattern::gpt2));
    done = true;
    return {};
  }
  NIBBLE_TRY(const bool each_digit, json_flag(entry, "individual_digits", false));
  if (kind == "Digits" && each_digit) {
    type.splits.emplace_back(split_digits);
    return {};
  }
  const Json pattern = entry.value("pattern", Json::object());
  NIBBLE_TRY(const std::string behavior, json_text(entry, "behavior"));
  NIBBLE_TRY(const bool invert, json_flag(entry, "invert", false));
  if (kind != "Split" || behavior != "Isolated" || invert || !pattern.contains("Regex") ||
      !pattern["Regex"].is_string())
    return unnamed(kind);
  type.splits.push_back(pattern["Regex"].get<std::string>());
  return {};
}

Result<GgufPreType> pre_type_of(const TokenizerFile& file) {
  GgufPreType type;
  bool done = false;
  NIBBLE_CHECK(add_split(file.part("pre_tokenizer"), type, done));
  if (const Json normalizer = file.part("normalizer"); !normalizer.is_null()) {
    NIBBLE_TRY(const std::string kind, json_text(normalizer, "type"));
    if (kind != "NFC") return unnamed(kind);
    type.nfc = true;
  }
  NIBBLE_TRY(type.ignore_merges, json_flag(file.model, "ignore_merges", false));
  return type;
}

Result<GgufVocabulary> byte_level(const GgufPreType& type, const MergeList& merges) {
  GgufVocabulary out;
  out.model = "gpt2";
  out.pre = gguf_pre_name(type);
  if (out.pre.empty()) return unnamed(type.splits.empty() ? "no split at all" : type.splits.back());
  for (const Bpe::Merge& merge : merges.pairs) {
    if (merge.first.find(' ') != std::string_view::npos || merge.second.find(' ') != std::string_view::npos)
      return unnamed("merges with spaces in them");
    out.merges.push_back(fmt::format("{} {}", merge.first, merge.second));
  }
  return out;
}

// SentencePiece's scores from the order of merges: a piece is made sooner the higher it scores. True only if every way
// to make a piece is a merge and those of one piece stand together, as in a file that was made from a SentencePiece
// model.
Result<std::vector<float>> scores_of(const TokenizerFile& file, std::int64_t rows) {
  std::unordered_map<std::string, std::int64_t> ways;
  std::vector<std::string> order;
  for (const Bpe::Merge& merge : file.merges.pairs) {
    std::string piece = std::string(merge.first) + std::string(merge.second);
    const bool seen = ways.count(piece) != 0;
    if (seen && order.back() != piece) return unnamed("merges of \"" + piece + "\" that do not stand together");
    ++ways[piece];
    if (!seen) order.push_back(std::move(piece));
  }
  const Vocabulary& vocabulary = file.vocabulary;
  std::vector<float> scores(std::size_t(rows), -float(order.size()) - 1);
  for (std::size_t rank = 0; rank < order.size(); ++rank)
    if (const auto id = vocabulary.id(order[rank])) scores[std::size_t(*id)] = -float(rank);
  for (std::int64_t id = 0; id < vocabulary.size(); ++id) {
    const std::string_view piece = vocabulary.token(id);
    if (piece.size() > Bpe::longest_piece) {
      if (ways.count(std::string(piece))) return unnamed(fmt::format("a merge of {} bytes", piece.size()));
      continue;
    }
    std::int64_t possible = 0;
    for (std::size_t cut = 1; cut < piece.size(); ++cut)
      if ((piece[cut] & 0xC0) != 0x80 && vocabulary.id(piece.substr(0, cut)) && vocabulary.id(piece.substr(cut)))
        ++possible;
    const auto found = ways.find(std::string(piece));
    if (found != ways.end() && found->second != possible)
      return unnamed("merges of \"" + std::string(piece) + "\" that are not all there");
  }
  return scores;
}

Result<GgufVocabulary> pieces_of_json(const TokenizerFile& file, std::int64_t rows) {
  GgufVocabulary out;
  out.model = "llama";
  out.pre = "default";
  out.space_prefix = false;
  NIBBLE_TRY(out.scores, scores_of(file, rows));
  const std::string normalizer = file.part("normalizer").dump(), splits = file.part("pre_tokenizer").dump();
  out.space_prefix =
      normalizer.find("\"Prepend\"") != std::string::npos ||
      (splits.find("\"Metaspace\"") != std::string::npos && splits.find("\"never\"") == std::string::npos);
  return out;
}

bool present(const fs::path& path) {
  std::error_code code;
  return fs::exists(path, code);
}

// Contents of tokens that were added on top of the vocabulary, special or not.
std::unordered_set<std::string> added_contents(const TokenizerConfig& config, const Json& listed) {
  std::unordered_set<std::string> out;
  for (const AddedToken& token : config.added) out.insert(token.content);
  if (listed.is_array())
    for (const Json& entry : listed)
      if (entry.is_object() && entry.contains("content") && entry["content"].is_string())
        out.insert(entry["content"].get<std::string>());
  return out;
}

struct Source {
  GgufVocabulary vocabulary;
  std::unordered_set<std::string> added;
  std::vector<std::uint8_t> types;  // of SentencePiece's own pieces
};

Result<Source> read_source(const fs::path& folder, const TokenizerConfig& config, const Tokenizer& tokenizer,
                           std::int64_t rows) {
  Source out;
  if (present(folder / "tokenizer.json")) {
    NIBBLE_TRY(const auto text, MappedFile::open(folder / "tokenizer.json"));
    NIBBLE_TRY(const TokenizerFile file, read_tokenizer_json(text->text()));
    if (tokenizer.kind() == "byte-level BPE") {
      NIBBLE_TRY(const GgufPreType type, pre_type_of(file));
      NIBBLE_TRY(out.vocabulary, byte_level(type, file.merges));
    } else {
      NIBBLE_TRY(out.vocabulary, pieces_of_json(file, rows));
    }
    out.added = added_contents(config, file.part("added_tokens"));
  } else if (present(folder / "tokenizer.model")) {
    NIBBLE_TRY(const auto model, MappedFile::open(folder / "tokenizer.model"));
    NIBBLE_TRY(ScorePieces pieces, read_sentencepiece(model->bytes(), config));
    out.vocabulary.model = "llama";
    out.vocabulary.pre = "default";
    out.vocabulary.space_prefix = pieces.add_space_prefix;
    out.vocabulary.remove_extra_spaces = pieces.remove_extra_spaces;
    out.vocabulary.scores = std::move(pieces.scores);
    out.types = std::move(pieces.types);
    out.vocabulary.scores.resize(std::size_t(rows), -1000.0f);  // tokens on top are found in the text, never merged
    out.added = added_contents(config, {});
  } else {
    NIBBLE_TRY(const auto text, MappedFile::open(folder / "merges.txt"));
    NIBBLE_TRY(const MergeList merges, read_merge_lines(text->text()));
    const bool qwen = config.tokenizer_class.starts_with("Qwen2Tokenizer");
    GgufPreType type;
    type.splits = {std::string(pattern_text(qwen ? KnownPattern::qwen2 : KnownPattern::gpt2))};
    type.nfc = qwen;
    NIBBLE_TRY(out.vocabulary, byte_level(type, merges));
    out.added = added_contents(config, {});
  }
  return out;
}

std::optional<std::int32_t> pad_token(const fs::path& folder, const Tokenizer& tokenizer) {
  const auto config = read_json(folder / "tokenizer_config.json");
  if (!config || !config->is_object()) return {};
  const Json entry = config->value("pad_token", Json());
  const Json text = entry.is_object() ? entry.value("content", Json()) : entry;
  return text.is_string() ? tokenizer.id(text.get<std::string>()) : std::nullopt;
}

struct TokenList {
  std::vector<std::string> texts;
  std::vector<std::int32_t> types;
};

// One entry for every row of the embedding: what the tokenizer has no token for is padding.
TokenList list_tokens(const Tokenizer& tokenizer, const TokenizerConfig& config, const Source& source,
                      std::int64_t rows) {
  const bool scores = source.vocabulary.model == "llama";
  TokenList out;
  for (std::int32_t id = 0; id < rows; ++id) {
    std::string token = tokenizer.token(id);
    std::int32_t type = ScorePieces::normal;
    if (token.empty()) {
      token = fmt::format("[PAD{}]", id);
      type = ScorePieces::unused;
    } else if (tokenizer.is_special(id))
      type = token == config.unk && scores ? ScorePieces::unknown : ScorePieces::control;
    else if (source.added.count(token))
      type = ScorePieces::user_defined;
    else if (std::size_t(id) < source.types.size())
      type = source.types[std::size_t(id)];
    else if (scores && byte_of_fallback(token) >= 0)
      type = ScorePieces::byte;
    out.texts.push_back(std::move(token));
    out.types.push_back(type);
  }
  return out;
}

}  // namespace

Result<std::vector<GgufEntry>> tokenizer_to_gguf(const fs::path& folder, std::int64_t rows) {
  NIBBLE_TRY(const auto tokenizer, Tokenizer::open(folder));
  NIBBLE_TRY(const TokenizerConfig config, read_tokenizer_config(folder));
  if (tokenizer->vocabulary_size() > rows)
    return error(Errc::corrupt_file, "{}: the tokenizer has {} tokens, the embedding only {} rows", folder.string(),
                 tokenizer->vocabulary_size(), rows);
  auto read = read_source(folder, config, *tokenizer, rows);
  if (!read) return read.error().at(folder.string());
  GgufVocabulary& vocabulary = read->vocabulary;

  TokenList tokens = list_tokens(*tokenizer, config, *read, rows);
  std::vector<GgufEntry> out;
  const auto add = [&](const char* key, auto value) {
    out.push_back({std::string("tokenizer.ggml.") + key, std::move(value)});
  };
  add("model", vocabulary.model);
  add("pre", vocabulary.pre);
  add("tokens", std::move(tokens.texts));
  if (vocabulary.model == "llama") add("scores", vocabulary.scores);
  add("token_type", std::move(tokens.types));
  if (vocabulary.model == "gpt2") {
    add("merges", vocabulary.merges);
  } else {
    add("add_space_prefix", vocabulary.space_prefix);
    add("remove_extra_whitespaces", vocabulary.remove_extra_spaces);
  }
  const auto add_id = [&](const char* key, std::optional<std::int32_t> id) {
    if (id) add(key, std::uint32_t(*id));
  };
  const std::vector<std::int32_t> something = tokenizer->encode("a");
  add_id("bos_token_id", tokenizer->bos());
  add_id("eos_token_id", tokenizer->eos());
  if (config.unk) add_id("unknown_token_id", tokenizer->id(*config.unk));
  add_id("padding_token_id", pad_token(folder, *tokenizer));
  add("add_bos_token", tokenizer->adds_bos());
  add("add_eos_token", tokenizer->eos() && !something.empty() && something.back() == *tokenizer->eos());

  NIBBLE_TRY(const std::string bytes, gguf_head("what is written", out, {}));
  NIBBLE_TRY(const Gguf written, Gguf::parse(std::as_bytes(std::span(bytes.data(), bytes.size())), "what was written"));
  NIBBLE_TRY(const auto again, Tokenizer::from_gguf(written));
  if (auto same = check_same_tokenizer(*tokenizer, *again, read->added); !same) return same.error().at(folder.string());
  return out;
}

}  // namespace nibble
