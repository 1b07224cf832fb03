// Every way a safetensors file can be wrong, and what is said about it.
#include "../made/made_files.hpp"
#include "io/safetensors.hpp"
#include "refused.hpp"

namespace nibble {
namespace {

using made::little_endian;
using made::safetensors;

// One F32 tensor "a" of two elements, with one field replaced.
std::string with(const std::string& field, const std::string& value) {
  made::Json entry = {{"dtype", "F32"}, {"shape", {2}}, {"data_offsets", {0, 8}}};
  entry[field] = made::Json::parse(value);
  return safetensors(made::Json{{"a", entry}}.dump(), std::string(8, '\1'));
}

std::string two(const std::string& first, const std::string& second, std::size_t data) {
  return safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":)" + first +
                         R"(},"b":{"dtype":"F32","shape":[2],"data_offsets":)" + second + "}}",
                     std::string(data, '\1'));
}

const std::vector<WrongBytes> cases = {
    {"an empty file", "", Errc::corrupt_file, {"0 bytes", "too short", "get it again"}},
    {"a file that ends inside the header's length", "abc", Errc::corrupt_file, {"3 bytes", "too short"}},
    {"a header that claims terabytes",
     little_endian(1ull << 42, 8) + "{}",
     Errc::corrupt_file,
     {"4398046511104", "100000000", "not a safetensors file"}},
    {"a header longer than the file", little_endian(99, 8) + "{}", Errc::corrupt_file, {"claims 99", "cut short"}},
    {"a header of all ones", std::string(16, '\xff'), Errc::corrupt_file, {"18446744073709551615"}},
    {"text instead of JSON", safetensors("pickled?", ""), Errc::corrupt_file, {"header", "not valid JSON at byte 1"}},
    {"a list instead of an object", safetensors("[]", ""), Errc::corrupt_file, {"not a JSON object"}},
    {"brackets without end", safetensors(std::string(100000, '['), ""), Errc::corrupt_file, {"deeper than 200"}},
    {"data that ends early",
     [] {
       std::string whole = with("data_offsets", "[0, 8]");
       whole.pop_back();
       return whole;
     }(),
     Errc::corrupt_file,
     {"ends at byte 8", "cut short", "get it again"}},
    {"a name twice",
     safetensors(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                 R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                 "x"),
     Errc::corrupt_file,
     {"\"a\"", "twice"}},
    {"tensors that overlap", two("[0,8]", "[4,12]", 12), Errc::corrupt_file, {"\"b\"", "overlaps", "byte 4"}},
    {"tensors that are one", two("[0,8]", "[0,8]", 8), Errc::corrupt_file, {"overlaps"}},
    {"a hole", two("[0,8]", "[12,20]", 20), Errc::corrupt_file, {"\"b\"", "hole", "12", "expected 8"}},
    {"bytes behind the last", two("[0,8]", "[8,16]", 20), Errc::corrupt_file, {"4 bytes follow"}},
    {"an end before the begin", with("data_offsets", "[8, 0]"), Errc::corrupt_file, {"\"a\"", "before it begins"}},
    {"offsets that are no numbers", with("data_offsets", "[\"0\", 8]"), Errc::corrupt_file, {"\"a\"", "data_offsets"}},
    {"offsets below zero", with("data_offsets", "[-8, 0]"), Errc::corrupt_file, {"data_offsets"}},
    {"one offset", with("data_offsets", "[0]"), Errc::corrupt_file, {"two whole numbers"}},
    {"an offset of terabytes", with("data_offsets", "[0, 8796093022208]"), Errc::corrupt_file, {"8796093022208"}},
    {"a type that does not exist", with("dtype", "\"F31\""), Errc::unsupported, {"\"a\"", "F31", "BF16", "convert"}},
    {"a type of four bits", with("dtype", "\"F4\""), Errc::unsupported, {"\"a\"", "F4", "F8_E4M3"}},
    {"a type that is a number", with("dtype", "4"), Errc::corrupt_file, {"\"a\"", "dtype"}},
    {"a shape that is a number", with("shape", "2"), Errc::corrupt_file, {"\"a\"", "\"shape\""}},
    {"a shape of another size", with("shape", "[3]"), Errc::corrupt_file, {"\"a\"", "[3] needs 12 bytes", "8"}},
    {"a shape that overflows", with("shape", "[1099511627776, 1099511627776]"), Errc::corrupt_file, {"impossible"}},
    {"a shape beyond 64 bits", with("shape", "[36893488147419103232]"), Errc::corrupt_file, {"impossible"}},
    {"a shape below zero", with("shape", "[-2]"), Errc::corrupt_file, {"\"a\"", "impossible"}},
    {"a fraction in the shape", with("shape", "[2.0]"), Errc::corrupt_file, {"impossible"}},
    {"an entry that is no object", safetensors(R"({"a":[1]})", ""), Errc::corrupt_file, {"\"a\"", "object"}},
    {"metadata that is no object", safetensors(R"({"__metadata__":7})", ""), Errc::corrupt_file, {"__metadata__"}},
    {"metadata that is no text", safetensors(R"({"__metadata__":{"x":7}})", ""), Errc::corrupt_file, {"\"x\"", "text"}},
};

TEST(SafetensorsRejected, EveryWayToBeWrongIsNamedWithTheFile) {
  expect_all_refused(cases, "weights.safetensors", Safetensors::parse);
}

TEST(SafetensorsRejected, EveryShorterPieceOfAGoodFileIsRefused) {
  expect_every_cut_refused(made::bf16_file({{"a", {3, 2}}, {"b", {5}}}), Safetensors::parse);
}

}  // namespace
}  // namespace nibble
