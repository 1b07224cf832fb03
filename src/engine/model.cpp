#include "nibble/model.hpp"

#include "base/out_of_memory.hpp"
#include "engine/load.hpp"
#include "text/tokenizer/model_tokenizer.hpp"

namespace nibble {

Result<Model> Model::load(const std::filesystem::path& path, LoadOptions options) {
  return or_out_of_memory(path.native(), "loading the model", [&]() -> Result<Model> {
    NIBBLE_TRY(auto loaded, load_model(path, options));
    return Model(std::move(loaded));
  });
}

MemoryReport Model::memory() const { return implementation_->memory(); }
const QuantizationConfig& Model::precision() const { return implementation_->precision; }
std::string Model::held_as() const { return implementation_->held_as(); }
std::string Model::converted_from() const { return implementation_->converted_from(); }
std::string Model::requantized_from() const { return implementation_->requantized_from; }
std::string Model::device() const {
  const int threads = implementation_->threads;
  return fmt::format("{}, {} thread{}", implementation_->backend->name(), threads, threads == 1 ? "" : "s");
}
double Model::load_seconds() const { return implementation_->load_seconds; }
std::int64_t Model::max_positions() const { return implementation_->transformer->config().max_positions; }
std::int64_t Model::vocabulary_size() const { return implementation_->transformer->config().vocab_size; }
bool Model::has_chat_template() const {
  return implementation_->checkpoint && !implementation_->checkpoint->chat_template().empty();
}

Result<TextTokenizer> Model::tokenizer() const {
  return or_out_of_memory("", "reading the tokenizer", [&]() -> Result<TextTokenizer> {
    NIBBLE_TRY(auto tokenizer, implementation_->tokenizer());
    return TextTokenizer(std::move(tokenizer));
  });
}

namespace {

Result<TextTokenizer> load_tokenizer(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) {
    NIBBLE_TRY(std::unique_ptr<Tokenizer> tokenizer, Tokenizer::open(path));
    return TextTokenizer(std::shared_ptr<const Tokenizer>(std::move(tokenizer)));
  }
  NIBBLE_TRY(const Gguf file, Gguf::open(path));
  auto tokenizer = Tokenizer::from_gguf(file);
  if (!tokenizer) return tokenizer.error().at(path.string());
  return TextTokenizer(std::shared_ptr<const Tokenizer>(std::move(tokenizer).value()));
}

}  // namespace

Result<TextTokenizer> TextTokenizer::load(const std::filesystem::path& path) {
  return or_out_of_memory(path.native(), "reading the tokenizer", [&] { return load_tokenizer(path); });
}

std::vector<std::int32_t> TextTokenizer::encode(std::string_view text, bool add_special, bool parse_special) const {
  return implementation_->encode(text, {add_special, parse_special});
}
std::string TextTokenizer::decode(std::span<const std::int32_t> ids, bool skip_special) const {
  return implementation_->decode(ids, skip_special);
}
std::vector<std::string> TextTokenizer::pieces(std::span<const std::int32_t> ids, bool skip_special) const {
  StreamDecoder stream(*implementation_, skip_special);
  std::vector<std::string> out;
  for (const std::int32_t id : ids) out.push_back(stream.push(id));
  out.push_back(stream.flush());
  return out;
}
std::int64_t TextTokenizer::vocabulary_size() const { return implementation_->vocabulary_size(); }
std::string_view TextTokenizer::kind() const { return implementation_->kind(); }

}  // namespace nibble
