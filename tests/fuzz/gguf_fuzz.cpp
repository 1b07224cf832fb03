// One GGUF file in memory: the container, its metadata as a config, and as a tokenizer.
#include "../made/made_files.hpp"
#include "fuzz.hpp"
#include "models/config.hpp"
#include "models/gguf_config.hpp"
#include "models/outline.hpp"
#include "text/tokenizer/model_tokenizer.hpp"
#include "text/tokenizer/tokenizer_convert.hpp"

bool fuzz_one(std::string_view bytes) {
  const auto file = nibble::Gguf::parse(std::as_bytes(std::span(bytes)), "fuzz.gguf");
  if (!file) return false;
  for (const nibble::GgufTensor& tensor : file->tensors())
    fuzz_expect(tensor.bytes.data() >= reinterpret_cast<const std::byte*>(bytes.data()) &&
                    tensor.bytes.data() + tensor.bytes.size() <=
                        reinterpret_cast<const std::byte*>(bytes.data()) + bytes.size(),
                "a tensor lies in its file");
  if (const auto read = nibble::read_gguf_config(*file))
    if (!nibble::read_model_config(read->config, "fuzz.gguf")) (void)nibble::read_outline(read->config, "fuzz.gguf");
  if (const auto tokenizer = nibble::Tokenizer::from_gguf(*file)) {
    (*tokenizer)->decode((*tokenizer)->encode("ab c\xf0\x9f"));
    (void)nibble::tokenizer_from_gguf(*file);
  }
  return true;
}

std::vector<std::string> fuzz_seeds() {
  made::Gguf blocks;
  blocks.text("general.architecture", "qwen2").u32("general.alignment", 32);
  blocks.tensors = {{"token_embd.weight", {32, 2}, 3, std::string(40, '\x11')},
                    {"output_norm.weight", {8}, 0, std::string(32, '\x11')}};
  made::Gguf merges;
  merges.text("tokenizer.ggml.model", "gpt2")
      .text("tokenizer.ggml.pre", "smollm")
      .texts("tokenizer.ggml.tokens", {"a", "b", "c", "ab", "<|end|>"})
      .texts("tokenizer.ggml.merges", {"a b"})
      .u32("tokenizer.ggml.eos_token_id", 4)
      .u32("tokenizer.ggml.unknown_token_id", 4);
  made::Gguf scores;
  const auto list = [](std::uint32_t type, const std::vector<std::uint32_t>& values) {
    std::string out = made::little_endian(type, 4) + made::little_endian(values.size(), 8);
    for (const std::uint32_t value : values) out += made::little_endian(value, 4);
    return out;
  };
  scores.text("tokenizer.ggml.model", "llama")
      .texts("tokenizer.ggml.tokens", {"<unk>", "<s>", "</s>", "<0x61>", "a", "b", "ab"})
      .raw("tokenizer.ggml.scores", 9, list(6, {0, 0, 0, 0, 0xbf800000, 0xc0000000, 0}))
      .raw("tokenizer.ggml.token_type", 9, list(5, {2, 3, 3, 6, 1, 1, 1}))
      .u32("tokenizer.ggml.bos_token_id", 1)
      .u32("tokenizer.ggml.padding_token_id", 2)
      .u32("tokenizer.ggml.unknown_token_id", 0);
  made::Gguf whole = made::llama_gguf();
  for (auto& tensor : whole.tensors) {
    tensor.shape = {32};
    tensor.type = 0;
    tensor.data.resize(128);
  }
  return {made::Gguf().bytes(), blocks.bytes(), merges.bytes(), scores.bytes(), whole.bytes()};
}

std::vector<std::string> fuzz_words() {
  return {"general.alignment",
          "llama.attention.head_count_kv",
          "llama.rope.scaling.type",
          "qwen3.block_count",
          "tokenizer.ggml.merges",
          "tokenizer.ggml.scores",
          "tokenizer.ggml.token_type",
          "tokenizer.ggml.bos_token_id",
          "tokenizer.ggml.unknown_token_id",
          "tokenizer.ggml.add_bos_token",
          "tokenizer.ggml.pre",
          "qwen2",
          "llama-bpe",
          std::string("\x09\0\0\0", 4),
          std::string("\x08\0\0\0", 4)};
}
