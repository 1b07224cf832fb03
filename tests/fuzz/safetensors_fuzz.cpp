#include "../made/made_files.hpp"
#include "fuzz.hpp"
#include "io/safetensors.hpp"

using made::safetensors;

bool fuzz_one(std::string_view bytes) {
  const auto file = nibble::Safetensors::parse(std::as_bytes(std::span(bytes)), "fuzz.safetensors");
  if (!file) return false;
  // What was accepted must be readable to the last byte.
  for (const nibble::StoredTensor& tensor : file->tensors()) {
    const std::vector<std::byte> copy(tensor.bytes.begin(), tensor.bytes.end());
    fuzz_expect(tensor.elements() * nibble::size_of(tensor.dtype) == copy.size(),
                "a tensor has the bytes of its shape");
  }
  return true;
}

std::vector<std::string> fuzz_seeds() {
  return {safetensors("{}", ""), made::bf16_file({{"a", {2, 3}}}),
          made::bf16_file({{"model.norm.weight", {32}}, {"empty", {0, 4}}, {"x", {1, 2, 3, 4}}}),
          safetensors(R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]},)"
                      R"("c.weight":{"dtype":"U8","shape":[],"data_offsets":[8,9]}})",
                      "012345678")};
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
