// Blocks of every type of ggml: the first byte chooses the type, the second whether the rest is blocks (even) or values
// to make blocks of (odd). Memory is as long as the blocks are, so that a step beyond it shows.
#include <cstring>
#include <memory>

#include "fuzz.hpp"
#include "io/ggml/ggml_types.hpp"

namespace {

using nibble::GgmlType;

const std::vector<const GgmlType*>& types() {
  static const std::vector<const GgmlType*> all = [] {
    std::vector<const GgmlType*> found;
    for (std::uint32_t number = 0; number < 256; ++number)
      if (const GgmlType* type = nibble::ggml_type(number)) found.push_back(type);
    return found;
  }();
  return all;
}

template <class T>
std::unique_ptr<T[]> exactly(std::size_t count) {
  return std::unique_ptr<T[]>(new T[count]());
}

}  // namespace

bool fuzz_one(std::string_view bytes) {
  if (bytes.size() < 3) return false;
  const GgmlType& type = *types()[std::size_t(static_cast<unsigned char>(bytes[0])) % types().size()];
  const bool encode = bytes[1] & 1;
  const std::string_view rest = bytes.substr(2);
  const std::size_t unit = encode ? sizeof(float) * type.block_elements : type.block_bytes;
  const std::size_t blocks = std::min<std::size_t>(rest.size() / unit, encode ? 2 : 16),
                    count = blocks * type.block_elements;
  if (blocks == 0 || (encode ? !type.encode : !type.decode)) return false;
  const auto stored = exactly<std::byte>(blocks * type.block_bytes);
  const auto values = exactly<float>(count);
  if (encode) {
    std::memcpy(values.get(), rest.data(), blocks * unit);
    type.encode(values.get(), std::int64_t(count), stored.get());
    const auto again = exactly<std::byte>(blocks * type.block_bytes);
    type.encode(values.get(), std::int64_t(count), again.get());
    fuzz_expect(std::memcmp(stored.get(), again.get(), blocks * type.block_bytes) == 0,
                "the same values give the same blocks");
  } else {
    std::memcpy(stored.get(), rest.data(), blocks * unit);
  }
  if (type.decode) type.decode(stored.get(), std::int64_t(count), values.get());
  return true;
}

std::vector<std::string> fuzz_seeds() {
  std::vector<std::string> seeds;
  for (std::size_t i = 0; i < types().size(); ++i) {
    const GgmlType& type = *types()[i];
    if (type.decode) {
      std::string blocks{char(i), 0};
      for (std::uint32_t b = 0; b < 2 * type.block_bytes; ++b) blocks += char(b * 37 + i);
      seeds.push_back(std::move(blocks));
    }
    if (type.encode) {
      seeds.push_back(std::string{char(i), 1} + fuzz_floats(2 * int(type.block_elements)));
    }
  }
  return seeds;
}

std::vector<std::string> fuzz_words() {
  std::vector<std::string> words = fuzz_float_words();
  // Of 16 bits: infinity, NaN, and a NaN of all ones.
  for (const std::string& word : {std::string("\x00\x7c", 2), std::string("\x00\x7e", 2), std::string("\xff\xff", 2),
                                  std::string(64, '\0'), std::string(64, '\xff')})
    words.push_back(word);
  return words;
}
