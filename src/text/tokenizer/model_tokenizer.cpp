// Which files of a folder are its tokenizer.
#include "text/tokenizer/model_tokenizer.hpp"

#include "io/mapped_file.hpp"
#include "text/tokenizer/tokenizer_loaders.hpp"

namespace nibble {
namespace {

TokenizerResult placed(TokenizerResult result, const std::filesystem::path& path) {
  if (!result) return result.error().at(path.string());
  return result;
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> Tokenizer::open(const std::filesystem::path& folder) {
  const auto has = [&](const char* name) {
    std::error_code code;
    return std::filesystem::exists(folder / name, code);
  };
  NIBBLE_TRY(const TokenizerConfig config, read_tokenizer_config(folder));
  if (has("tokenizer.json")) {
    NIBBLE_TRY(const auto file, MappedFile::open(folder / "tokenizer.json"));
    return placed(load_tokenizer_json(file->text(), config), folder / "tokenizer.json");
  }
  if (has("tokenizer.model")) {
    NIBBLE_TRY(const auto file, MappedFile::open(folder / "tokenizer.model"));
    return placed(load_sentencepiece(file->bytes(), config), folder / "tokenizer.model");
  }
  if (has("vocab.json") && has("merges.txt")) {
    NIBBLE_TRY(const auto vocab, MappedFile::open(folder / "vocab.json"));
    NIBBLE_TRY(const auto merges, MappedFile::open(folder / "merges.txt"));
    return placed(load_vocab_merges(vocab->text(), merges->text(), config), folder / "vocab.json");
  }
  return error(
      Errc::not_found,
      "{} has no tokenizer: no tokenizer.json, no tokenizer.model, no vocab.json with merges.txt. Copy the one the "
      "model was trained with into the folder",
      folder.string());
}

}  // namespace nibble
