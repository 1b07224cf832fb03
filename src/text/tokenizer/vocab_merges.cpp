// vocab.json with merges.txt, the ancestor of tokenizer.json: GPT-2's own files, and Qwen's.
#include "base/utf8.hpp"
#include "text/tokenizer/bpe_json.hpp"
#include "text/tokenizer/json_parts.hpp"
#include "text/tokenizer/tokenizer_loaders.hpp"

namespace nibble {

TokenizerResult load_vocab_merges(std::string_view vocab, std::string_view text, const TokenizerConfig& config) {
  if (!is_valid_utf8(vocab) || !is_valid_utf8(text)) {
    return error(Errc::corrupt_file, "{} is not valid UTF-8", is_valid_utf8(vocab) ? "merges.txt beside it" : "it");
  }
  JsonCursor cursor(vocab);
  NIBBLE_TRY(Vocabulary vocabulary, read_vocabulary(cursor));
  NIBBLE_CHECK(cursor.end());
  const auto merges = read_merge_lines(text);
  if (!merges) return merges.error().at("merges.txt beside it");
  PipelineParts parts;
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
    parts.added.add(special_token("<|endoftext|>", *id));
    parts.bos = parts.eos = *id;
  }
  NIBBLE_TRY(parts.bpe, Bpe::from_merges(std::move(vocabulary), merges->pairs, {}));
  apply_config(config, parts);
  return make_pipeline(std::move(parts));
}

}  // namespace nibble
