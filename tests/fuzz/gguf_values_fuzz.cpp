// The metadata of a GGUF file as values: every key that is read, with its own value, an odd one, or one of another
// type. A tokenizer that is carried to a folder is read there, and gives the same ids.
#include <cstring>

#include "../made/made_files.hpp"
#include "choices.hpp"
#include "fuzz.hpp"
#include "models/config.hpp"
#include "models/gguf_config.hpp"
#include "models/outline.hpp"
#include "text/tokenizer/tokenizer_convert.hpp"
#include "text/tokenizer/tokenizer_loaders.hpp"

namespace {

struct Entry {
  std::string key;
  FuzzJson value;
};
using Entries = std::vector<Entry>;

std::string scalar_bytes(const FuzzJson& value, std::uint32_t type) {
  static constexpr int sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  if (type == 6) {
    const float number = value.is_number() ? value.get<float>() : 0;
    return {reinterpret_cast<const char*>(&number), sizeof number};
  }
  if (type == 12) {
    const double number = value.is_number() ? value.get<double>() : 0;
    return {reinterpret_cast<const char*>(&number), sizeof number};
  }
  const std::uint64_t bits = value.is_number_integer() ? value.get<std::uint64_t>()
                             : value.is_boolean()      ? value.get<bool>()
                             : value.is_number_float() ? 3
                                                       : 0;
  return made::little_endian(bits, sizes[type]);
}

std::string text_of(const FuzzJson& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

// The type that a value has by itself, as llama.cpp's writers choose it.
std::uint32_t natural_type(const FuzzJson& value) {
  return value.is_boolean()                                  ? 7
         : value.is_string()                                 ? 8
         : value.is_number_float()                           ? 6
         : value.is_number_integer() && value > 0xffffffffll ? 10
         : value.is_number_integer() && value < 0            ? 5
         : value.is_number_integer()                         ? 4
                                                             : 8;
}

void put(made::Gguf& file, const Entry& entry, Choices& choices) {
  const auto type_for = [&](const FuzzJson& value) {
    return choices.below(16) == 15 ? std::uint32_t(choices.below(13)) : natural_type(value);
  };
  const auto bytes = [](const FuzzJson& value, std::uint32_t type) {
    return type == 8 ? made::Gguf::string(text_of(value)) : scalar_bytes(value, type);
  };
  if (!entry.value.is_array()) {
    const std::uint32_t type = type_for(entry.value);
    file.raw(entry.key, type == 9 ? 8 : type, bytes(entry.value, type == 9 ? 8 : type));
    return;
  }
  std::uint32_t type = entry.value.empty() ? 8 : type_for(entry.value[0]);
  if (type == 9) type = 8;
  std::string list = made::little_endian(type, 4) + made::little_endian(entry.value.size(), 8);
  for (const FuzzJson& value : entry.value) list += bytes(value, type);
  file.raw(entry.key, 9, list);
}

const std::vector<Entries>& files() {
  static const std::vector<Entries> all = [] {
    Entries model = {{"general.architecture", "llama"},
                     {"general.alignment", 32},
                     {"general.name", "m"},
                     {"general.file_type", 1},
                     {"general.quantization_version", 2}};
    for (const auto& [key, value] :
         std::initializer_list<std::pair<const char*, FuzzJson>>{{"block_count", 1},
                                                                 {"context_length", 64},
                                                                 {"embedding_length", 32},
                                                                 {"feed_forward_length", 64},
                                                                 {"attention.head_count", 2},
                                                                 {"attention.head_count_kv", 1},
                                                                 {"attention.key_length", 16},
                                                                 {"attention.value_length", 16},
                                                                 {"vocab_size", 7},
                                                                 {"attention.layer_norm_rms_epsilon", 1e-5},
                                                                 {"rope.dimension_count", 16},
                                                                 {"rope.freq_base", 10000.0},
                                                                 {"rope.scaling.type", "yarn"},
                                                                 {"rope.scaling.factor", 2.0},
                                                                 {"rope.scaling.original_context_length", 32},
                                                                 {"rope.scaling.finetuned", true}})
      model.push_back({std::string("llama.") + key, value});
    Entries scores = {{"tokenizer.ggml.model", "llama"},
                      {"tokenizer.ggml.pre", "default"},
                      {"tokenizer.ggml.tokens", {"<unk>", "<s>", "</s>", "<0x61>", "a", "b", "ab", "\xE2\x96\x81"}},
                      {"tokenizer.ggml.scores", {0.0, 0.0, 0.0, 0.0, -1.0, -2.0, -0.5, -3.0}},
                      {"tokenizer.ggml.token_type", {2, 3, 3, 6, 1, 1, 1, 1}},
                      {"tokenizer.ggml.bos_token_id", 1},
                      {"tokenizer.ggml.eos_token_id", 2},
                      {"tokenizer.ggml.unknown_token_id", 0},
                      {"tokenizer.ggml.padding_token_id", 2},
                      {"tokenizer.ggml.add_bos_token", true},
                      {"tokenizer.ggml.add_eos_token", true},
                      {"tokenizer.ggml.add_space_prefix", true},
                      {"tokenizer.ggml.remove_extra_whitespaces", false}};
    Entries merges = {{"tokenizer.ggml.model", "gpt2"},
                      {"tokenizer.ggml.pre", "smollm"},
                      {"tokenizer.ggml.tokens", {"a", "b", "c", "ab", "<|end|>", "\xC4\xA0", "x y"}},
                      {"tokenizer.ggml.token_type", {1, 1, 1, 1, 3, 1, 4}},
                      {"tokenizer.ggml.merges", {"a b"}},
                      {"tokenizer.ggml.bos_token_id", 4},
                      {"tokenizer.ggml.eos_token_id", 4},
                      {"tokenizer.ggml.unknown_token_id", 4},
                      {"tokenizer.ggml.padding_token_id", 4},
                      {"tokenizer.ggml.add_bos_token", true},
                      {"tokenizer.ggml.add_eos_token", false}};
    Entries whole = model;
    whole.insert(whole.end(), scores.begin(), scores.end());
    return std::vector<Entries>{scores, merges, whole};
  }();
  return all;
}

const std::vector<std::string>& words() {
  static const std::vector<std::string> all = {
      "llama",        "qwen2", "qwen3", "gpt2", "default",    "llama-bpe", "qwen2",  "none",
      "linear",       "yarn",  "a",     "aa",   "ab",         "abab",      "<0x41>", "<s>",
      "\xE2\x96\x81", " ",     "a b",   "ab c", "\xC4\xA0 a", "\x1b[2J"};
  return all;
}

void check_config(const nibble::Gguf& file) {
  const auto read = nibble::read_gguf_config(file);
  if (!read) return;
  if (!nibble::read_model_config(read->config, "fuzz.gguf")) (void)nibble::read_outline(read->config, "fuzz.gguf");
}

bool check_tokenizer(const nibble::Gguf& file) {
  const auto tokenizer = nibble::Tokenizer::from_gguf(file);
  if (!tokenizer) return false;
  const auto files = nibble::tokenizer_from_gguf(file);
  if (!files) return true;
  const auto config = nibble::parse_tokenizer_config(files->config);
  fuzz_expect(config.has_value(), "a tokenizer_config.json that was written is read");
  const auto again = nibble::load_tokenizer_json(files->tokenizer, *config);
  fuzz_expect(again.has_value(), "a tokenizer.json that was written is read");
  for (const std::string_view text : {"ab c", "  a\xE2\x96\x81 b x y", "<s>ab</s>\xff", ""})
    fuzz_expect((*again)->encode(text) == (*tokenizer)->encode(text), "there and back gives the same ids");
  return true;
}

}  // namespace

bool fuzz_one(std::string_view bytes) {
  Choices choices(bytes);
  Entries entries = choices.one_of(files());
  const bool bare = choices.at_end();
  for (std::size_t i = choices.below(6); i > 0; --i) {
    Entry& entry = entries[choices.below(entries.size())];
    if (choices.below(8) == 7)
      entry.value = nullptr;  // left out
    else
      change_json(entry.value, choices, words());
  }
  made::Gguf file;
  Choices none{std::string_view()};
  for (const Entry& entry : entries)
    if (!entry.value.is_null()) put(file, entry, bare ? none : choices);
  const std::string written = file.bytes();
  const auto read = nibble::Gguf::parse(std::as_bytes(std::span(written)), "fuzz.gguf");
  if (!read) return false;
  check_config(*read);
  return check_tokenizer(*read);
}

std::vector<std::string> fuzz_seeds() { return {std::string(1, '\0'), "\1", "\2"}; }

std::vector<std::string> fuzz_words() { return {std::string("\1\7\5\2", 4), "\1\5\3\1", "\2\1"}; }
