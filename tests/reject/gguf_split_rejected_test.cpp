// GGUF models in several files that do not belong together.
#include "../made/made_files.hpp"
#include "models/checkpoint.hpp"
#include "refused.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

class GgufSplitRejected : public testing::Test {
 protected:
  GgufSplitRejected() : folder("gguf-split-rejected") {
    const made::Gguf whole = made::llama_gguf();
    first = whole;
    first.tensors = {whole.tensors.begin(), whole.tensors.begin() + 6};
    first.u32("split.no", 0).u32("split.count", 2).u32("split.tensors.count", std::uint32_t(whole.tensors.size()));
    second.tensors = {whole.tensors.begin() + 6, whole.tensors.end()};
    second.u32("split.no", 1).u32("split.count", 2);
  }
  Result<std::shared_ptr<Checkpoint>> open(const std::string& name = "m-00001-of-00002.gguf") {
    made::write(folder / "m-00001-of-00002.gguf", first.bytes());
    made::write(folder / "m-00002-of-00002.gguf", second.bytes());
    return Checkpoint::open(folder / name);
  }
  // What the first part says of itself, replaced.
  Result<std::shared_ptr<Checkpoint>> with(const std::string& key, std::uint32_t type, const std::string& value) {
    first.without(key).raw(key, type, value);
    return open();
  }

  made::Folder folder;
  made::Gguf first, second;
};

TEST_F(GgufSplitRejected, NumbersThatNoPartHas) {
  ASSERT_TRUE(open()) << open().error().message;
  constexpr std::uint32_t i64 = 11, u32 = 4;
  for (const std::int64_t number : {INT64_MAX, INT64_MIN, std::int64_t(-1), std::int64_t(2)})
    expect_refused(with("split.no", i64, made::little_endian(std::uint64_t(number), 8)), Errc::corrupt_file,
                   {"m-00001-of-00002.gguf", "\"split.no\" is " + std::to_string(number), "\"split.count\" 2"});
  expect_refused(with("split.no", 8, made::Gguf::string("0")), Errc::corrupt_file, {"\"split.no\" is -1"});
  with("split.no", u32, made::little_endian(0, 4)).has_value();
  for (const std::int64_t count : {INT64_MAX, std::int64_t(100'000)})
    expect_refused(with("split.count", i64, made::little_endian(std::uint64_t(count), 8)), Errc::corrupt_file,
                   {"\"split.count\" " + std::to_string(count), "at most 99999"});
  expect_refused(with("split.count", 8, made::Gguf::string("2")), Errc::corrupt_file, {"split.count", "whole number"});
  expect_refused(with("split.count", u32, made::little_endian(3, 4)), Errc::corrupt_file,
                 {"one of 3 files", "\"-00001-of-00003.gguf\"", "name it as it was published"});
}

TEST_F(GgufSplitRejected, PartsThatAreMissingOrStrangers) {
  expect_refused(open("m-00002-of-00002.gguf"), Errc::bad_request,
                 {"part 2 of 2", "name the first", "m-00001-of-00002"});
  const std::string good = second.bytes();
  second.without("split.no").u32("split.no", 0);
  expect_refused(open(), Errc::corrupt_file, {"m-00002-of-00002.gguf", "part 2 of 2", "do not belong together"});
  second.without("split.no").u32("split.no", 1).without("split.count");
  expect_refused(open(), Errc::corrupt_file, {"m-00002-of-00002.gguf", "do not belong together"});
  second.u32("split.count", 2).tensors.push_back(first.tensors[0]);
  expect_refused(open(), Errc::corrupt_file,
                 {"m-00002-of-00002.gguf", "\"token_embd.weight\"", "another part already"});
  second.tensors.pop_back();
  second.tensors.pop_back();
  expect_refused(open(), Errc::corrupt_file, {"should have 11 tensors, they have 10"});
  made::write(folder / "m-00002-of-00002.gguf", good.substr(0, good.size() - 20));
  expect_refused(Checkpoint::open(folder / "m-00001-of-00002.gguf"), Errc::corrupt_file,
                 {"m-00002-of-00002.gguf", "cut short"});
  fs::remove(folder / "m-00002-of-00002.gguf");
  expect_refused(Checkpoint::open(folder / "m-00001-of-00002.gguf"), Errc::not_found,
                 {"m-00002-of-00002.gguf", "cannot open"});
  fs::create_symlink("m-00002-of-00002.gguf", folder / "m-00002-of-00002.gguf");
  expect_refused(Checkpoint::open(folder / "m-00001-of-00002.gguf"), Errc::io_failure,
                 {"m-00002-of-00002.gguf", "cannot open"});
}

}  // namespace
}  // namespace nibble
