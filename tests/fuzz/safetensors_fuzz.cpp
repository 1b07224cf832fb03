#include "../made/made_files.hpp"
#include "fuzz.hpp"
#include "io/codecs/bnb.hpp"
#include "io/safetensors.hpp"

using made::safetensors;

void fuzz_one(std::string_view bytes) {
  const auto file = nibble::Safetensors::parse(std::as_bytes(std::span(bytes)), "fuzz.safetensors");
  if (!file) return;
  // What was accepted must be readable to the last byte.
  for (const nibble::StoredTensor& tensor : file->tensors()) {
    const std::vector<std::byte> copy(tensor.bytes.begin(), tensor.bytes.end());
    if (tensor.elements() > 0 && copy.empty()) std::abort();
  }
  // And quantized weights, which are several tensors, are put together or refused.
  nibble::HostAllocator memory;
  const nibble::TensorLookup find = [&](std::string_view name) -> const nibble::StoredTensor* {
    for (const nibble::StoredTensor& tensor : file->tensors())
      if (tensor.name == name) return &tensor;
    return nullptr;
  };
  for (const nibble::StoredTensor& tensor : file->tensors())
    if (nibble::is_bnb_weight(find, tensor.name)) (void)nibble::read_bnb_weight(find, tensor.name, memory);
}

std::vector<std::string> fuzz_seeds() {
  return {safetensors("{}", ""), made::bf16_file({{"a", {2, 3}}}),
          made::bf16_file(made::llama_tensors()).substr(0, 60000),
          safetensors(R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]},)"
                      R"("c.weight":{"dtype":"U8","shape":[],"data_offsets":[8,9]}})",
                      "012345678"),
          repository_file("tests/golden/quantization/llama-nf4-double/model.safetensors")};
}

std::vector<std::string> fuzz_words() {
  return {"\"dtype\":",
          "\"shape\":",
          "\"data_offsets\":",
          "\"__metadata__\":",
          "F16",
          "F32",
          "I64",
          "F8_E4M3",
          "[",
          "]",
          "{",
          "}",
          ",",
          "-",
          "1e9"};
}
