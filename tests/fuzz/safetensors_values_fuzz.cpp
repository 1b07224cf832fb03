// A safetensors header as values: tensors of an accepted file lie in it, do not overlap and fill it.
#include <span>

#include "choices.hpp"
#include "fuzz.hpp"
#include "io/safetensors.hpp"

bool fuzz_one(std::string_view bytes) {
  static const FuzzJson seed = FuzzJson::parse(
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
      R"("b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},"c":{"dtype":"U8","shape":[],"data_offsets":[32,33]},)"
      R"("d":{"dtype":"I64","shape":[0,7],"data_offsets":[33,33]}})");
  static const std::vector<std::string> words = {"dtype",   "shape", "data_offsets", "F16", "F64",         "BOOL", "I8",
                                                 "F8_E4M3", "",      "__metadata__", "e",   "\xe2\x80\xae"};
  Choices choices(bytes);
  FuzzJson tree = seed;
  const std::size_t data = 33 + (choices.below(8) == 7 ? choices.below(300) : 0);
  change_json(tree, choices, words);
  const std::string header = tree.dump();
  std::string file;
  for (int i = 0; i < 8; ++i) file += char(header.size() >> (8 * i));
  file += header + std::string(data, '\x11');
  const auto read = nibble::Safetensors::parse(std::as_bytes(std::span(file)), "fuzz.safetensors");
  if (!read) return false;
  std::size_t filled = 0;
  for (const nibble::StoredTensor& tensor : read->tensors()) {
    std::uint64_t elements = 1;
    for (const std::int64_t size : tensor.shape) elements *= std::uint64_t(size);
    fuzz_expect(tensor.elements() == elements, "a tensor has the elements of its shape");
    filled += tensor.bytes.size();
  }
  fuzz_expect(filled == data, "tensors fill their file");
  return true;
}

std::vector<std::string> fuzz_seeds() { return {std::string(1, '\0')}; }

std::vector<std::string> fuzz_words() { return {std::string("\2\0\5", 3), "\1\1\5"}; }
