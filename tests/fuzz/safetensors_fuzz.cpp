#include "fuzz.hpp"
#include "io/safetensors.hpp"

namespace {

std::string safetensors(std::string header, std::size_t data_bytes) {
  std::string out;
  for (std::size_t i = 0; i < 8; i++) out += char(header.size() >> (8 * i));
  return out + header + std::string(data_bytes, '\x3f');
}

}  // namespace

void fuzz_one(std::string_view bytes) {
  const auto file = nibble::Safetensors::parse(std::as_bytes(std::span(bytes)), "fuzz.safetensors");
  if (!file) return;
  // What was accepted must be readable to the last byte.
  for (const nibble::StoredTensor& tensor : file->tensors()) {
    const std::vector<std::byte> copy(tensor.bytes.begin(), tensor.bytes.end());
    if (tensor.elements() > 0 && copy.empty()) std::abort();
  }
}

std::vector<std::string> fuzz_seeds() {
  return {safetensors("{}", 0), safetensors(R"({"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})", 24),
          safetensors(R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]},)"
                      R"("c.weight":{"dtype":"U8","shape":[],"data_offsets":[8,9]}})",
                      9)};
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
