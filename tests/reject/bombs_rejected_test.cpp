// Small files that claim to be huge, and huge files of nothing: refused before memory is taken for what they claim.
#include "../made/made_files.hpp"
#include "counted_memory.hpp"
#include "engine/receipt.hpp"
#include "io/codecs/bnb_quant_state.hpp"
#include "refused.hpp"
#include "text/template/chat_template.hpp"
#include "text/tokenizer/model_tokenizer.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;
using made::little_endian;

constexpr std::size_t modest = 1 << 20;

class BombsRejected : public testing::Test {
 protected:
  BombsRejected() : folder("bombs") {}
  // Runs `read`, which must be refused, with requests of at most `most` bytes all together.
  template <class Read>
  void refused(const char* what, std::size_t most, Errc code, const Words& words, Read read) {
    SCOPED_TRACE(what);
    counted_memory::reset();
    const auto result = read();
    EXPECT_LE(counted_memory::sum(), most);
    expect_refused(result, code, words);
  }
  // A file of so many zeros that takes no room on the disk.
  fs::path sparse(const std::string& name, std::uint64_t bytes, const std::string& beginning = "") {
    made::write(folder / name, beginning);
    fs::resize_file(folder / name, bytes);
    return folder / name;
  }
  template <class Parse>
  auto parsing(const std::string& bytes, Parse parse) {
    return [bytes, parse] { return parse(std::as_bytes(std::span(bytes)), "small"); };
  }
  made::Folder folder;
};

TEST_F(BombsRejected, SafetensorsThatClaimMoreThanTheyHold) {
  const auto parse = [](auto bytes, auto place) { return Safetensors::parse(bytes, place); };
  refused("a header", modest, Errc::corrupt_file, {"99999999", "cut short"},
          parsing(little_endian(99'999'999, 8) + "{}", parse));
  refused(
      "a tensor", modest, Errc::corrupt_file, {"1099511627776", "cut short"},
      parsing(made::safetensors(R"({"a":{"dtype":"U8","shape":[1099511627776],"data_offsets":[0,1099511627776]}})", ""),
              parse));
  refused("a shape whose product is small again", modest, Errc::corrupt_file, {"impossible"},
          parsing(made::safetensors(
                      R"({"a":{"dtype":"F64","shape":[1099511627776,1099511627776,0],"data_offsets":[0,0]}})", ""),
                  parse));
  refused("a thousand gigabytes of zeros", modest, Errc::corrupt_file, {"header", "JSON"},
          [path = sparse("zeros.safetensors", 1ull << 40)] { return Safetensors::open(path); });
}

TEST_F(BombsRejected, GgufThatClaimsMoreThanItHolds) {
  const auto parse = [](auto bytes, auto place) { return Gguf::parse(bytes, place); };
  refused("a text", modest, Errc::corrupt_file, {"inside k", "cut short"},
          parsing(made::Gguf().raw("k", 8, little_endian(1ull << 33, 8)).bytes(), parse));
  refused("the name of a key", modest, Errc::corrupt_file, {"inside a metadata key"},
          parsing("GGUF" + little_endian(3, 4) + little_endian(0, 8) + little_endian(1, 8) + little_endian(~0ull, 8),
                  parse));
  refused("an array of arrays", modest, Errc::corrupt_file, {"inside k"},
          parsing(made::Gguf().raw("k", 9, little_endian(9, 4) + little_endian(1 << 22, 8)).bytes(), parse));
  refused("tensors", modest, Errc::corrupt_file, {"a tensor's name"},
          parsing("GGUF" + little_endian(3, 4) + little_endian(1 << 20, 8) + little_endian(0, 8), parse));
  // Bytes that would be forty times as long in memory.
  const std::string many = little_endian(0, 4) + little_endian((1 << 22) + 1, 8) + std::string((1 << 22) + 1, '\1');
  refused("arrays that are too long together", std::size_t(256) << 20, Errc::corrupt_file,
          {"\"l\"", "4194305 elements", "all arrays together may have 8388608"},
          parsing(made::Gguf().raw("k", 9, many).raw("l", 9, many).bytes(), parse));
  refused("a thousand gigabytes of zeros", modest, Errc::unsupported, {"version 0"},
          [path = sparse("zeros.gguf", 1ull << 40, "GGUF")] { return Gguf::open(path); });
}

TEST_F(BombsRejected, TextFilesOfGigabytes) {
  constexpr std::uint64_t gigabytes = 5ull << 30;
  made::write_llama(folder / "model");
  const auto open = [&] { return Checkpoint::open(folder / "model"); };
  const auto with = [&](const char* name, const Words& words) {
    const fs::path file = folder / "model" / name, aside = folder / "aside";
    const bool had = fs::exists(file);
    if (had) fs::rename(file, aside);
    sparse(std::string("model/") + name, gigabytes, "{}");
    Words all = words;
    all.push_back(file.string());
    refused(name, modest, Errc::corrupt_file, all, open);
    fs::remove(file);
    if (had) fs::rename(aside, file);
  };
  const Words limit = {"5368709120 bytes", "more than the 10000000"};
  ASSERT_TRUE(open()) << open().error().message;
  for (const char* name : {"config.json", "generation_config.json", "tokenizer_config.json"}) with(name, limit);
  with("model.safetensors.index.json", {"5368709120 bytes", "more than the 100000000"});
  with("chat_template.jinja", {"5368709120 bytes", "more than the 16777216"});
  made::write(folder / "model/tokenizer.json", "{}");
  for (const char* name : {"special_tokens_map.json", "added_tokens.json"}) {
    sparse(std::string("model/") + name, gigabytes, "{}");
    refused(name, modest, Errc::corrupt_file, limit, [&] { return Tokenizer::open(folder / "model"); });
    fs::remove(folder / "model" / name);
  }
}

TEST_F(BombsRejected, TokenizersThatClaimMoreThanTheyHold) {
  // A vocabulary is a table by id: the largest id decides its size, so there is a largest id.
  made::write(folder / "tokenizer.json", R"({"model":{"type":"BPE","vocab":{"a":2147483647},"merges":[]}})");
  refused("an id", modest, Errc::corrupt_file, {"\"a\"", "2147483647", "ids go from 0"},
          [&] { return Tokenizer::open(folder.path()); });
  fs::remove(folder / "tokenizer.json");
  made::write(folder / "tokenizer.model", "\x0a\xff\xff\xff\xff\x0f");
  refused("a piece", modest, Errc::corrupt_file, {"claims 4294967295 bytes"},
          [&] { return Tokenizer::open(folder.path()); });
}

// Brackets cost three bytes each and a container in memory.
TEST_F(BombsRejected, JsonThatTakesFarMoreAsValuesThanAsText) {
  std::string lists = "{\"a\":[[]", numbers = "[1";
  while (lists.size() < 9'900'000) lists += ",[]";
  while (numbers.size() < 9'900'000) numbers += ",1";
  for (const std::string& text : {lists + "]}", numbers + "]"}) {
    SCOPED_TRACE(text.substr(0, 20));
    counted_memory::reset();
    expect_refused(parse_json(text, "config.json"), Errc::corrupt_file, {"config.json", "as values", "more than"});
    EXPECT_LE(counted_memory::peak(), 7 * text.size() + (std::size_t(64) << 20));
  }
  made::write_llama(folder / "model");
  made::write(folder / "model/config.json", "{\"a\":\"" + std::string(10'000'000, 'x') + "\"}");
  refused("a long text", modest, Errc::corrupt_file, {"config.json", "more than the 10000000"},
          [&] { return Checkpoint::open(folder / "model"); });
}

TEST_F(BombsRejected, StatesReceiptsAndTemplates) {
  refused("a matrix", modest, Errc::corrupt_file, {"\"shape\"", "2^40"}, [] {
    return parse_quant_state(R"({"quant_type":"nf4","blocksize":64,"dtype":"float32","shape":[1099511627776,2]})");
  });
  refused("brackets", std::size_t(4) << 20, Errc::corrupt_file, {"deeper than 200"},
          [] { return Receipt::parse(std::string(1 << 20, '['), "receipt"); });
  for (const char* text : {"{{ 'x' * 999999999999 }}",
                           "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}"
                           "{% endfor %}"})
    refused(text, std::size_t(256) << 20, Errc::unsupported, {}, [&]() -> Result<std::string> {
      NIBBLE_TRY(const ChatTemplate parsed, ChatTemplate::parse(text));
      return parsed.render(OrderedJson::object());
    });
  refused("a range", std::size_t(4) << 20, Errc::bad_request, {"range is too long"}, []() -> Result<std::string> {
    NIBBLE_TRY(const ChatTemplate parsed, ChatTemplate::parse("{% for i in range(999999999) %}{% endfor %}"));
    return parsed.render(OrderedJson::object());
  });
}

}  // namespace
}  // namespace nibble
