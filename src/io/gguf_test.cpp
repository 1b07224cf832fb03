#include "io/gguf.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace nibble {
namespace {

std::string number(std::uint64_t value, int size) {
  std::string out;
  for (int i = 0; i < size; ++i) out += char(value >> (8 * i));
  return out;
}
std::string text(const std::string& value) { return number(value.size(), 8) + value; }
std::string file(const std::vector<std::string>& keys, std::uint32_t version = 3) {
  std::string out = "GGUF" + number(version, 4) + number(0, 8) + number(keys.size(), 8);
  for (const std::string& key : keys) out += key;
  return out;
}
Result<Gguf> parse(const std::string& bytes) { return Gguf::parse(std::as_bytes(std::span(bytes)), "test.gguf"); }

TEST(GgufMetadata, EveryTypeOfValueIsRead) {
  const float half = 0.5f;
  const double tenth = 0.1;
  std::uint32_t half_bits;
  std::uint64_t tenth_bits;
  std::memcpy(&half_bits, &half, 4);
  std::memcpy(&tenth_bits, &tenth, 8);
  const auto parsed =
      parse(file({text("u8") + number(0, 4) + number(200, 1), text("i8") + number(1, 4) + number(0xff, 1),
                  text("u16") + number(2, 4) + number(60000, 2), text("i16") + number(3, 4) + number(0xfffe, 2),
                  text("u32") + number(4, 4) + number(4000000000, 4),
                  text("i32") + number(5, 4) + number(0xfffffffd, 4), text("f32") + number(6, 4) + number(half_bits, 4),
                  text("yes") + number(7, 4) + number(1, 1), text("text") + number(8, 4) + text("a b"),
                  text("list") + number(9, 4) + number(8, 4) + number(2, 8) + text("x") + text(""),
                  text("u64") + number(10, 4) + number(1ull << 63, 8), text("i64") + number(11, 4) + number(~0ull, 8),
                  text("f64") + number(12, 4) + number(tenth_bits, 8)}));
  ASSERT_TRUE(parsed) << parsed.error().message;
  for (const auto& [key, value] :
       {std::pair{"u8", 200ll}, {"i8", -1}, {"u16", 60000}, {"i16", -2}, {"u32", 4000000000}, {"i32", -3}, {"i64", -1}})
    EXPECT_EQ(parsed->integer(key).value(), value) << key;
  EXPECT_FALSE(parsed->integer("u64")) << "beyond a signed number";
  EXPECT_EQ(parsed->number("f32").value(), 0.5);
  EXPECT_EQ(parsed->number("f64").value(), 0.1);
  EXPECT_EQ(parsed->number("u8").value(), 200) << "whole numbers are numbers";
  EXPECT_TRUE(std::get<bool>(parsed->find("yes")->value));
  EXPECT_EQ(std::get<GgufValue::Array>(parsed->find("list")->value).size(), 2u);
  EXPECT_FALSE(parsed->text("u8"));
  EXPECT_FALSE(parsed->number("text"));
  EXPECT_EQ(parsed->find("nothing"), nullptr);
}

TEST(GgufMetadata, Version2IsReadAsVersion3) { EXPECT_TRUE(parse(file({text("k") + number(0, 4) + number(1, 1)}, 2))); }

TEST(GgmlTypes, BlocksHaveTheSizesOfGgml) {
  for (const auto& [number, name, elements, bytes] : {std::tuple{0u, "F32", 1u, 4u},
                                                      {2u, "Q4_0", 32u, 18u},
                                                      {3u, "Q4_1", 32u, 20u},
                                                      {8u, "Q8_0", 32u, 34u},
                                                      {14u, "Q6_K", 256u, 210u},
                                                      {30u, "BF16", 1u, 2u}}) {
    const GgmlType* type = ggml_type(number);
    ASSERT_TRUE(type);
    EXPECT_EQ(type->name, name);
    EXPECT_EQ(type->block_elements, elements);
    EXPECT_EQ(type->block_bytes, bytes);
  }
  for (const std::uint32_t number : {4u, 5u, 31u, 99u, ~0u}) EXPECT_EQ(ggml_type(number), nullptr) << number;
}

}  // namespace
}  // namespace nibble
