#include <algorithm>

#include "fuzz.hpp"
#include "io/gguf.hpp"
#include "text/tokenizer/tokenizer.hpp"

namespace {

class GgufBuilder {
 public:
  GgufBuilder(std::uint64_t tensors, std::uint64_t keys) : bytes_("GGUF") { u32(3).u64(tensors).u64(keys); }

  GgufBuilder& u32(std::uint32_t value) { return number(value, 4); }
  GgufBuilder& u64(std::uint64_t value) { return number(value, 8); }
  GgufBuilder& text(std::string_view value) {
    u64(value.size());
    bytes_ += value;
    return *this;
  }
  GgufBuilder& texts(std::string_view key, const std::vector<std::string>& values) {
    text(key).u32(9).u32(8).u64(values.size());
    for (const std::string& value : values) text(value);
    return *this;
  }
  std::string with_data(std::size_t size) {
    bytes_.resize((bytes_.size() + 31) / 32 * 32 + size);
    return bytes_;
  }

 private:
  GgufBuilder& number(std::uint64_t value, int size) {
    for (int i = 0; i < size; i++) bytes_ += char(value >> (8 * i));
    return *this;
  }
  std::string bytes_;
};

}  // namespace

void fuzz_one(std::string_view bytes) {
  const auto file = nibble::Gguf::parse(std::as_bytes(std::span(bytes)), "fuzz.gguf");
  if (!file) return;
  for (const nibble::GgufTensor& tensor : file->tensors()) {
    const nibble::GgmlType* type = nibble::ggml_type(tensor.type);
    if (!type || !type->decode) continue;
    const std::uint64_t blocks = std::min<std::uint64_t>(tensor.bytes.size() / type->block_bytes, 64);
    std::vector<float> out(blocks * type->block_elements);
    type->decode(tensor.bytes.data(), std::int64_t(out.size()), out.data());
  }
  if (const auto tokenizer = nibble::Tokenizer::from_gguf(*file))
    (*tokenizer)->decode((*tokenizer)->encode("ab c\xf0\x9f"));
}

std::vector<std::string> fuzz_seeds() {
  return {
      GgufBuilder(0, 0).with_data(0),
      GgufBuilder(2, 1)
          .text("general.architecture")
          .u32(8)
          .text("llama")
          .text("token_embd.weight")
          .u32(2)
          .u64(32)
          .u64(2)
          .u32(3)
          .u64(0)  // Q4_1: 20 bytes for 32 elements
          .text("output_norm.weight")
          .u32(1)
          .u64(8)
          .u32(0)
          .u64(64)
          .with_data(96),
      GgufBuilder(0, 5)
          .text("tokenizer.ggml.model")
          .u32(8)
          .text("gpt2")
          .text("tokenizer.ggml.pre")
          .u32(8)
          .text("smollm")
          .texts("tokenizer.ggml.tokens", {"a", "b", "c", "ab", "<|end|>"})
          .texts("tokenizer.ggml.merges", {"a b"})
          .text("tokenizer.ggml.eos_token_id")
          .u32(4)
          .u32(4)
          .with_data(0),
      GgufBuilder(0, 4)
          .text("tokenizer.ggml.model")
          .u32(8)
          .text("llama")
          .texts("tokenizer.ggml.tokens", {"<unk>", "<s>", "</s>", "<0x61>", "a", "b", "ab"})
          .text("tokenizer.ggml.scores")
          .u32(9)
          .u32(6)
          .u64(7)
          .u32(0)
          .u32(0)
          .u32(0)
          .u32(0)
          .u32(0xbf800000)
          .u32(0xc0000000)
          .u32(0)
          .text("tokenizer.ggml.token_type")
          .u32(9)
          .u32(5)
          .u64(7)
          .u32(2)
          .u32(3)
          .u32(3)
          .u32(6)
          .u32(1)
          .u32(1)
          .u32(1)
          .with_data(0),
  };
}

std::vector<std::string> fuzz_words() {
  return {"general.alignment",
          "tokenizer.ggml.merges",
          "tokenizer.ggml.scores",
          "tokenizer.ggml.token_type",
          "tokenizer.ggml.bos_token_id",
          "tokenizer.ggml.add_bos_token",
          "tokenizer.ggml.pre",
          "qwen2",
          "llama-bpe",
          std::string("\x09\0\0\0", 4),
          std::string("\x08\0\0\0", 4)};
}
