#include "text/tokenizer/score_pieces.hpp"

#include "base/utf8.hpp"
#include "text/tokenizer/pipeline.hpp"

namespace nibble {

TokenizerResult make_score_tokenizer(ScorePieces pieces) {
  PipelineParts parts;
  Vocabulary vocabulary;
  vocabulary.reserve(pieces.texts.size());
  std::vector<bool> mergeable(pieces.texts.size());
  for (std::size_t id = 0; id < pieces.texts.size(); ++id) {
    const std::string& text = pieces.texts[id];
    if (!is_valid_utf8(text)) return error(Errc::corrupt_file, "piece {} is not valid UTF-8", id);
    NIBBLE_CHECK(vocabulary.add(text, std::int64_t(id)));
    const std::uint8_t type = pieces.types[id];
    mergeable[id] = !text.empty() && (type == ScorePieces::normal || type == ScorePieces::user_defined);
    const bool special = type == ScorePieces::control || type == ScorePieces::unknown;
    if ((special || type == ScorePieces::user_defined) && !text.empty()) {
      AddedToken token;
      token.content = text;
      token.id = std::int32_t(id);
      token.special = special;
      token.as_piece = !special && !pieces.user_defined_in_text;
      parts.added.add(std::move(token));
    }
  }
  for (AddedToken& token : pieces.added) {
    token.id = vocabulary.id(token.content).value_or(token.id);
    token.normalized = false;
    parts.added.add(std::move(token));
  }
  for (const std::string& content : pieces.special) {
    const AddedToken* known = parts.added.by_content(content);
    const auto id = vocabulary.id(content);
    if (known == nullptr && id) parts.added.add(special_token(content, *id));
  }
  BpeOptions options;
  options.bytes = false;
  options.byte_fallback = pieces.byte_fallback;
  options.fuse_unk = !pieces.byte_fallback;
  options.unk = pieces.unk;
  NIBBLE_TRY(parts.bpe, Bpe::from_scores(std::move(vocabulary), pieces.scores, mergeable, options));

  const std::string metaspace = "\xE2\x96\x81";
  EscapeSpaces spaces;
  spaces.collapse = pieces.remove_extra_spaces;
  spaces.prefix = !pieces.add_space_prefix   ? EscapeSpaces::never
                  : pieces.prefix_only_first ? EscapeSpaces::first
                                             : EscapeSpaces::always;
  parts.normalizer.add(spaces);
  if (pieces.add_space_prefix || pieces.remove_extra_spaces)
    parts.decoder.add(DecodeDropPrefix{pieces.remove_extra_spaces});
  parts.decoder.add(DecodeReplace{SplitPattern::literal(metaspace), " "});
  parts.decoder.add(DecodeByteFallback{true});
  parts.decoder.add(DecodeFuse{});
  parts.bos = pieces.bos;
  parts.eos = pieces.eos;
  if (pieces.add_bos && parts.bos) parts.prefix = {*parts.bos};
  if (pieces.add_eos && parts.eos) parts.suffix = {*parts.eos};
  parts.kind = "SentencePiece BPE";
  return make_pipeline(std::move(parts));
}

}  // namespace nibble
