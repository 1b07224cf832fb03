// Against tests/golden/ggml_types, which ggml's own code made (tools/golden/ggml_types.py says how).
#include "io/ggml/ggml_types.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "formats/all.hpp"

namespace nibble {
namespace {

class GgmlVectors {
 public:
  GgmlVectors() {
    const std::string folder = NIBBLE_SOURCE_DIR "/tests/golden/ggml_types/";
    std::ifstream index(folder + "vectors.txt"), data(folder + "vectors.bin", std::ios::binary),
        rows(folder + "rows.txt");
    std::string name, dtype;
    for (std::size_t offset, count; index >> name >> dtype >> offset >> count;)
      places_[name] = {offset, count * (dtype == "float32" ? 4 : 1)};
    data_.assign(std::istreambuf_iterator<char>(data), {});
    while (rows >> name) row_names_.push_back(name);
  }
  std::vector<std::byte> bytes(const std::string& name) const {
    const auto at = places_.find(name);
    if (at == places_.end() || at->second.offset + at->second.bytes > data_.size()) return {};
    const auto* from = reinterpret_cast<const std::byte*>(data_.data()) + at->second.offset;
    return {from, from + at->second.bytes};
  }
  std::vector<float> floats(const std::string& name) const {
    const std::vector<std::byte> from = bytes(name);
    std::vector<float> values(from.size() / 4);
    std::memcpy(values.data(), from.data(), values.size() * 4);
    return values;
  }
  const std::vector<std::string>& row_names() const { return row_names_; }

 private:
  struct Place {
    std::size_t offset, bytes;
  };
  std::map<std::string, Place> places_;
  std::string data_;
  std::vector<std::string> row_names_;
};
const GgmlVectors& vectors() {
  static const GgmlVectors all;
  return all;
}

std::vector<const GgmlType*> all_types() {
  std::vector<const GgmlType*> types;
  for (std::uint32_t number = 0; number < 64; ++number)
    if (const GgmlType* type = ggml_type(number)) types.push_back(type);
  return types;
}

TEST(GgmlTypes, EachIsFoundByItsNumberAndByItsName) {
  std::set<std::string_view> names;
  for (const GgmlType* type : all_types()) {
    EXPECT_EQ(ggml_type(type->name), type);
    EXPECT_TRUE(names.insert(type->name).second) << type->name << " is there twice";
  }
  EXPECT_EQ(names.size(), 32u);
  EXPECT_EQ(ggml_type(std::uint32_t(4)), nullptr);
  EXPECT_EQ(ggml_type("q4_0"), nullptr);
}

TEST(GgmlTypes, EveryTypeThatAFileCanHoldIsRead) {
  for (const GgmlType* type : all_types()) EXPECT_EQ(type->decode == nullptr, type->name == "Q8_1") << type->name;
}

TEST(GgmlTypes, ExactlyTheDocumentedTypesAreWritten) {
  std::set<std::string_view> written;
  for (const GgmlType* type : all_types())
    if (type->encode) written.insert(type->name);
  EXPECT_EQ(written, (std::set<std::string_view>{"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K",
                                                 "Q5_K", "Q6_K", "IQ4_NL"}));
}

TEST(GgmlTypes, DecodedValuesAreThoseOfGgmlBitForBit) {
  for (const GgmlType* type : all_types()) {
    if (!type->decode) continue;
    const std::string name(type->name);
    const auto blocks = vectors().bytes(name + ".blocks");
    const auto expected = vectors().floats(name + ".decoded");
    ASSERT_FALSE(expected.empty()) << name;
    ASSERT_EQ(blocks.size() / type->block_bytes * type->block_elements, expected.size()) << name;
    std::vector<float> values(expected.size());
    type->decode(blocks.data(), std::int64_t(values.size()), values.data());
    for (std::size_t i = 0; i < values.size(); ++i)
      ASSERT_EQ(std::bit_cast<std::uint32_t>(values[i]), std::bit_cast<std::uint32_t>(expected[i]))
          << name << ", element " << i << ": " << values[i] << " is not " << expected[i];
  }
}

TEST(GgmlTypes, EncodedBytesAreThoseOfGgml) {
  const auto input = vectors().floats("input");
  ASSERT_EQ(input.size(), vectors().row_names().size() * 256);
  ASSERT_FALSE(input.empty());
  for (const GgmlType* type : all_types()) {
    if (!type->encode || type->name == "F32") continue;
    const auto expected = vectors().bytes(std::string(type->name) + ".encoded");
    std::vector<std::byte> encoded(input.size() / type->block_elements * type->block_bytes);
    ASSERT_EQ(encoded.size(), expected.size()) << type->name;
    type->encode(input.data(), std::int64_t(input.size()), encoded.data());
    for (std::size_t i = 0; i < encoded.size(); ++i)
      ASSERT_EQ(encoded[i], expected[i]) << type->name << ", row "
                                         << vectors().row_names()[i / type->block_bytes * type->block_elements / 256]
                                         << ", block " << i / type->block_bytes << ", byte " << i % type->block_bytes;
  }
}

TEST(GgmlTypes, BlocksAreEncodedTheSameAloneAndAmongOthers) {
  const auto input = vectors().floats("input");
  for (const GgmlType* type : all_types()) {
    if (!type->encode) continue;
    const std::size_t blocks = input.size() / type->block_elements;
    std::vector<std::byte> together(blocks * type->block_bytes), alone(type->block_bytes);
    type->encode(input.data(), std::int64_t(input.size()), together.data());
    for (std::size_t i = 0; i < blocks; ++i) {
      type->encode(input.data() + i * type->block_elements, type->block_elements, alone.data());
      ASSERT_EQ(std::memcmp(alone.data(), together.data() + i * type->block_bytes, alone.size()), 0)
          << type->name << ", block " << i;
    }
  }
}

TEST(GgmlTypes, SixteenBitFloatsComeBackAsTheyWere) {
  for (const char* name : {"F16", "BF16"}) {
    const GgmlType* type = ggml_type(name);
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
      const auto stored = std::uint16_t(bits);
      std::byte from[2], back[2];
      std::memcpy(from, &stored, 2);
      float value;
      type->decode(from, 1, &value);
      if (std::isnan(value)) continue;
      type->encode(&value, 1, back);
      ASSERT_EQ(std::memcmp(from, back, 2), 0) << name << " " << bits;
    }
  }
}

// Kernels read the types of BlockFormats through formats/blocks.hpp, which shares no code with the codecs.
TEST(GgmlTypes, BlockFormatsHaveTheValuesOfTheCodecs) {
  for_each_format(
      []<class B>() {
        const GgmlType* type = ggml_type(B::name);
        ASSERT_NE(type, nullptr) << B::name;
        EXPECT_EQ(int(type->block_elements), B::elements);
        EXPECT_EQ(int(type->block_bytes), B::bytes);
        std::uint64_t state = 7;
        std::vector<std::byte> block(B::bytes);
        std::vector<float> values(B::elements);
        for (int round = 0; round < 2000; ++round) {
          for (std::byte& byte : block)
            byte = std::byte((state = state * 6364136223846793005u + 1442695040888963407u) >> 56);
          type->decode(block.data(), B::elements, values.data());
          for (int i = 0; i < B::elements; ++i) {
            const float value = B::value(block.data(), i);
            if (std::isnan(value) && std::isnan(values[std::size_t(i)])) continue;
            ASSERT_EQ(std::bit_cast<std::uint32_t>(value), std::bit_cast<std::uint32_t>(values[std::size_t(i)]))
                << B::name << " element " << i;
          }
        }
      },
      BlockFormats{});
}

}  // namespace
}  // namespace nibble
