// SentencePiece's tokenizer.model (sentencepiece_model.proto): pieces, trainer_spec and normalizer_spec.
#include "text/tokenizer/protobuf_reader.hpp"
#include "text/tokenizer/score_pieces.hpp"
#include "text/tokenizer/vocabulary.hpp"

namespace nibble {
namespace {

Result<void> read_piece(std::span<const std::byte> bytes, ScorePieces& out) {
  std::string text;
  float score = 0;
  std::uint8_t type = ScorePieces::normal;
  for (ProtobufReader reader(bytes); !reader.at_end();) {
    NIBBLE_TRY(const ProtobufField field, reader.next());
    if (field.number == 1 && field.wire_type == 2) text = field.text();
    if (field.number == 2 && field.wire_type == 5) score = field.number_value();
    if (field.number == 3 && field.wire_type == 0) {
      if (field.integer < 1 || field.integer > 6) {
        return error(Errc::corrupt_file, "piece {} has type {}", out.texts.size(), field.integer);
      }
      type = std::uint8_t(field.integer);
    }
  }
  if (type == ScorePieces::unused) {
    return error(Errc::unsupported, "piece \"{}\" is marked unused, which Nibble does not read; use tokenizer.json",
                 text);
  }
  out.texts.push_back(std::move(text));
  out.scores.push_back(score);
  out.types.push_back(type);
  return {};
}

struct TrainerSpec {
  std::uint64_t model_type = 1;
  bool byte_fallback = false;
  std::int64_t unk = 0, bos = 1, eos = 2;
};

Result<void> read_trainer_spec(std::span<const std::byte> bytes, TrainerSpec& spec) {
  for (ProtobufReader reader(bytes); !reader.at_end();) {
    NIBBLE_TRY(const ProtobufField field, reader.next());
    if (field.wire_type != 0) continue;
    switch (field.number) {
      case 3:
        spec.model_type = field.integer;
        break;
      case 24:
        if (field.integer != 0) return error(Errc::unsupported, "treat_whitespace_as_suffix is not supported");
        break;
      case 35:
        spec.byte_fallback = field.integer != 0;
        break;
      case 40:
        spec.unk = std::int64_t(field.integer);
        break;
      case 41:
        spec.bos = std::int64_t(field.integer);
        break;
      case 42:
        spec.eos = std::int64_t(field.integer);
        break;
      default:
        break;
    }
  }
  return {};
}

Result<void> read_normalizer_spec(std::span<const std::byte> bytes, ScorePieces& out) {
  for (ProtobufReader reader(bytes); !reader.at_end();) {
    NIBBLE_TRY(const ProtobufField field, reader.next());
    if (field.number == 2 && field.wire_type == 2 && !field.bytes.empty()) {
      return error(
          Errc::unsupported,
          "the model has a compiled normalization map ({} bytes), which Nibble does not read; use tokenizer.json",
          field.bytes.size());
    }
    if (field.number == 3 && field.wire_type == 0) out.add_space_prefix = field.integer != 0;
    if (field.number == 4 && field.wire_type == 0) out.remove_extra_spaces = field.integer != 0;
    if (field.number == 5 && field.wire_type == 0 && field.integer == 0) {
      return error(Errc::unsupported, "escape_whitespaces = false is not supported");
    }
  }
  return {};
}

}  // namespace

Result<ScorePieces> read_sentencepiece(std::span<const std::byte> bytes, const TokenizerConfig& config) {
  ScorePieces pieces;
  TrainerSpec trainer;
  pieces.remove_extra_spaces = true;  // the default of normalizer_spec
  for (ProtobufReader reader(bytes); !reader.at_end();) {
    NIBBLE_TRY(const ProtobufField field, reader.next());
    if (field.wire_type != 2) continue;
    if (field.number == 1) NIBBLE_CHECK(read_piece(field.bytes, pieces));
    if (field.number == 2) NIBBLE_CHECK(read_trainer_spec(field.bytes, trainer));
    if (field.number == 3) NIBBLE_CHECK(read_normalizer_spec(field.bytes, pieces));
  }
  if (pieces.texts.empty()) {
    return error(Errc::corrupt_file, "there are no pieces; is this really a SentencePiece model?");
  }
  if (trainer.model_type != 2) {
    constexpr std::string_view names[] = {"Unigram", "BPE", "Word", "Char"};
    return error(Errc::unsupported, "SentencePiece model type {} is not supported; Nibble reads BPE",
                 trainer.model_type >= 1 && trainer.model_type <= 4 ? names[trainer.model_type - 1] : "unknown");
  }
  for (std::size_t i = 0; pieces.remove_extra_spaces && i < pieces.texts.size(); ++i) {
    if (pieces.types[i] == ScorePieces::user_defined && pieces.texts[i].find(' ') != std::string::npos) {
      return error(
          Errc::unsupported,
          "piece {} (\"{}\") is user-defined with a space in it, and the model drops extra spaces; Nibble does not "
          "read that combination, use tokenizer.json",
          i, pieces.texts[i]);
    }
  }
  const auto id_of = [&](const std::optional<std::string>& text, std::int64_t id) -> std::optional<std::int32_t> {
    for (std::size_t i = 0; text && i < pieces.texts.size(); ++i) {
      if (pieces.texts[i] == *text) return std::int32_t(i);
    }
    if (id < 0 || std::size_t(id) >= pieces.texts.size()) return {};
    return std::int32_t(id);
  };
  pieces.byte_fallback = trainer.byte_fallback;
  pieces.unk = id_of({}, trainer.unk);
  pieces.bos = id_of(config.bos, trainer.bos);
  pieces.eos = id_of(config.eos, trainer.eos);
  pieces.add_bos = config.add_bos.value_or(true);
  pieces.add_eos = config.add_eos.value_or(false);
  pieces.added = config.added;
  pieces.special = config.special;
  pieces.user_defined_in_text = false;
  pieces.prefix_only_first = !config.legacy.value_or(true);
  return pieces;
}

TokenizerResult load_sentencepiece(std::span<const std::byte> bytes, const TokenizerConfig& config) {
  NIBBLE_TRY(ScorePieces pieces, read_sentencepiece(bytes, config));
  return make_score_tokenizer(std::move(pieces));
}

}  // namespace nibble
