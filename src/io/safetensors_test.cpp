#include "io/safetensors.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>

namespace nibble {
namespace {

namespace fs = std::filesystem;

class SafetensorsFile : public testing::Test {
 protected:
  const fs::path path = fs::temp_directory_path() / ("nibble-safetensors-" + std::to_string(::getpid()) +
                                                     testing::UnitTest::GetInstance()->current_test_info()->name());
  ~SafetensorsFile() override { fs::remove(path); }

  static std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }
};

TEST_F(SafetensorsFile, WhatIsWrittenIsReadBackInItsOrder) {
  const std::vector<SafetensorsWriter::Entry> entries = {{"b", DType::f32, {2, 1}},
                                                         {"a", DType::u8, {}},
                                                         {"empty", DType::bf16, {0, 7}},
                                                         {"\xc3\xa4\"\\", DType::i64, {1}}};
  auto writer = SafetensorsWriter::create(path, entries, {{"format", "pt"}});
  ASSERT_TRUE(writer) << writer.error().message;
  EXPECT_FALSE(fs::exists(path)) << "nothing is there before commit";
  ASSERT_TRUE(writer->write(bytes("01234")));  // parts need not be tensors
  ASSERT_TRUE(writer->write(bytes("567x")));
  ASSERT_TRUE(writer->write(bytes("abcdefgh")));
  ASSERT_TRUE(writer->commit());

  const auto file = Safetensors::open(path);
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->tensors().size(), entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(file->tensors()[i].dtype, entries[i].dtype);
    EXPECT_EQ(file->tensors()[i].shape, entries[i].shape);
  }
  const auto text = [&](std::size_t i) {
    const auto& span = file->tensors()[i].bytes;
    return std::string(reinterpret_cast<const char*>(span.data()), span.size());
  };
  EXPECT_EQ(file->tensors()[0].name, "b");
  EXPECT_EQ(text(0), "01234567");
  EXPECT_EQ(text(1), "x");
  EXPECT_EQ(file->tensors()[2].elements(), 0u);
  EXPECT_EQ(file->tensors()[3].name, "\xc3\xa4\"\\");
  EXPECT_EQ(text(3), "abcdefgh");
  EXPECT_EQ(file->metadata().at("format"), "pt");
  EXPECT_EQ(file->file_bytes(), fs::file_size(path));
}

TEST_F(SafetensorsFile, DataBeginsAtAMultipleOfEight) {
  for (const char* name : {"a", "ab", "abc", "abcdefgh"}) {
    auto writer = SafetensorsWriter::create(path, {{name, DType::f64, {1}}}, {});
    ASSERT_TRUE(writer && writer->write(bytes("01234567")) && writer->commit());
    const auto file = Safetensors::open(path);
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(file->tensors()[0].bytes.data()) % 8, 0u);
  }
}

TEST_F(SafetensorsFile, AWriterThatIsDroppedLeavesNothing) {
  {
    auto writer = SafetensorsWriter::create(path, {{"a", DType::u8, {4}}}, {});
    ASSERT_TRUE(writer && writer->write(bytes("ab")));
  }
  for (const auto& entry : fs::directory_iterator(path.parent_path()))
    EXPECT_NE(entry.path().string().substr(0, path.string().size()), path.string());
}

TEST_F(SafetensorsFile, NamesThatCannotBeStoredAreRefused) {
  EXPECT_FALSE(SafetensorsWriter::create(path, {{"\xff", DType::u8, {1}}}, {}));
  EXPECT_FALSE(SafetensorsWriter::create(path, {{"a", DType::u8, {1}}, {"a", DType::u8, {1}}}, {}));
  EXPECT_FALSE(SafetensorsWriter::create(path, {{"a", DType::f32, {1ll << 62, 8}}}, {}));
  EXPECT_FALSE(fs::exists(path));
}

}  // namespace
}  // namespace nibble
