// Tokenizers that are damaged, contradict themselves or ask for what Nibble does not do, in every kind of file.
#include "../made/made_files.hpp"
#include "nibble/generate.hpp"
#include "refused.hpp"
#include "text/tokenizer/model_tokenizer.hpp"
#include "text/tokenizer/tokenizer_convert.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;
using made::Json;

// A byte-level BPE of five tokens, as `tokenizers` writes one.
Json tokenizer_json() {
  return Json::parse(R"({"version": "1.0",
    "added_tokens": [{"id": 5, "content": "<s>", "special": true}],
    "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}]},
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
      {"type": "Split", "pattern": {"Regex": "\\d{1,3}"}, "behavior": "Isolated"}, {"type": "ByteLevel"}]},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
      "special_tokens": {"<s>": {"id": "<s>", "ids": [5], "tokens": ["<s>"]}}},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4}, "merges": ["a b", ["ab", "c"]]}})");
}

class TokenizersRejected : public testing::Test {
 protected:
  TokenizersRejected() : folder("tokenizer-rejected") {}
  Result<std::unique_ptr<Tokenizer>> with(const std::string& name, const std::string& bytes) {
    made::write(folder / name, bytes);
    return Tokenizer::open(folder.path());
  }
  // tokenizer.json with one place of it replaced.
  void json(const char* pointer, const Json& value, Errc code, const Words& words) {
    SCOPED_TRACE(std::string(pointer) + " = " + value.dump());
    Json changed = tokenizer_json();
    changed[Json::json_pointer(pointer)] = value;
    Words all = words;
    all.push_back("tokenizer.json");
    expect_refused(with("tokenizer.json", changed.dump()), code, all);
  }
  made::Folder folder;
};

TEST_F(TokenizersRejected, AFolderWithoutOne) {
  expect_refused(Tokenizer::open(folder.path()), Errc::not_found, {"tokenizer.json", "tokenizer.model", "Copy"});
  made::write(folder / "vocab.json", "{}");
  expect_refused(Tokenizer::open(folder.path()), Errc::not_found, {"vocab.json with merges.txt"});
}

TEST_F(TokenizersRejected, TokenizerJsonThatIsNotWhole) {
  const std::string good = tokenizer_json().dump();
  ASSERT_TRUE(with("tokenizer.json", good));
  for (const std::size_t bytes : {std::size_t(0), std::size_t(1), good.size() / 2, good.size() - 1})
    expect_refused(with("tokenizer.json", good.substr(0, bytes)), Errc::corrupt_file, {"tokenizer.json"});
  expect_refused(with("tokenizer.json", good + "x"), Errc::corrupt_file, {"not valid JSON"});
  expect_refused(with("tokenizer.json", "[]"), Errc::corrupt_file, {"tokenizer.json"});
  expect_refused(with("tokenizer.json", "{\"model\": \"\xff\"}"), Errc::corrupt_file, {"UTF-8"});
  expect_refused(with("tokenizer.json", "{}"), Errc::corrupt_file, {"no \"model\""});
  expect_refused(with("tokenizer.json", std::string(100'000, '[')), Errc::corrupt_file, {"tokenizer.json"});
}

TEST_F(TokenizersRejected, ModelsThatContradictThemselves) {
  json("/model/type", "WordPiece", Errc::unsupported, {"WordPiece", "BPE"});
  json("/model/type", 7, Errc::corrupt_file, {"type"});
  json("/model/vocab", Json::array(), Errc::corrupt_file, {"vocab"});
  json("/model/vocab", {{"a", 0}, {"b", 0}}, Errc::corrupt_file, {"id 0", "\"a\"", "\"b\""});
  json("/model/vocab", {{"a", -1}}, Errc::corrupt_file, {"\"a\"", "-1"});
  json("/model/vocab", {{"a", std::int64_t(1) << 40}}, Errc::corrupt_file, {"\"a\"", "ids go from 0"});
  json("/model/vocab", {{"a", "0"}}, Errc::corrupt_file, {});
  json("/model/merges", {"a z"}, Errc::corrupt_file, {"merge 0", "\"z\"", "not in the vocabulary"});
  json("/model/merges", {"b c"}, Errc::corrupt_file, {"\"bc\"", "not in the vocabulary"});
  json("/model/merges", {"ab"}, Errc::corrupt_file, {"merge 0", "two tokens"});
  json("/model/merges", {"a b", {"a", "b", "c"}}, Errc::corrupt_file, {"merge 1", "two tokens"});
  json("/model/merges", {7}, Errc::corrupt_file, {"merge 0"});
  json("/model/dropout", 0.1, Errc::unsupported, {"dropout"});
  json("/model/end_of_word_suffix", "</w>", Errc::unsupported, {"end_of_word_suffix"});
  json("/model/byte_fallback", "yes", Errc::corrupt_file, {"byte_fallback"});
  json("/added_tokens/0", {{"content", "<s>"}}, Errc::corrupt_file, {"added token", "id"});
  json("/added_tokens/0/id", -5, Errc::corrupt_file, {"<s>", "-5"});
}

TEST_F(TokenizersRejected, StepsThatNibbleDoesNotKnow) {
  json("/normalizer", {{"type", "Precompiled"}}, Errc::unsupported, {"Precompiled", "NFKC"});
  json("/pre_tokenizer", {{"type", "UnicodeScripts"}}, Errc::unsupported, {"UnicodeScripts", "Metaspace"});
  json("/decoder", {{"type", "WordPiece"}}, Errc::unsupported, {"WordPiece", "ByteFallback"});
  json("/decoder", {{"type", "a\x1b[2J" + std::string(5000, 'x')}}, Errc::unsupported, {"a\\x1b[2Jx", "xx...xx"});
  json("/post_processor", {{"type", "BertProcessing"}}, Errc::unsupported, {"BertProcessing"});
  json("/normalizer", {{"kind", "NFC"}}, Errc::corrupt_file, {"normalizer", "type"});
  json("/normalizer", "NFC", Errc::corrupt_file, {"normalizer"});
  json("/pre_tokenizer/pretokenizers", 3, Errc::corrupt_file, {"Sequence", "pretokenizers"});
  json("/pre_tokenizer/pretokenizers/0/behavior", "Merge", Errc::corrupt_file, {"Merge"});
  json("/pre_tokenizer/pretokenizers/0/pattern", {{"Glob", "*"}}, Errc::corrupt_file, {"Regex"});
  json("/pre_tokenizer/pretokenizers/0/pattern/Regex", "(a", Errc::unsupported, {"does not compile", "(a"});
  json("/pre_tokenizer/pretokenizers/0/pattern/Regex", "[a&&b]", Errc::unsupported, {"&&"});
  json("/pre_tokenizer/pretokenizers/0/pattern/Regex", std::string(70'000, 'a'), Errc::unsupported, {"limit"});
  json("/pre_tokenizer/pretokenizers/0", {{"type", "Metaspace"}, {"replacement", ""}}, Errc::corrupt_file,
       {"replacement"});
  json("/pre_tokenizer/pretokenizers/0", {{"type", "Metaspace"}, {"replacement", "_"}, {"prepend_scheme", "often"}},
       Errc::corrupt_file, {"often"});
  json("/post_processor/single/0/SpecialToken/id", "<x>", Errc::corrupt_file, {"<x>"});
  json("/post_processor/special_tokens/<s>/ids", Json::array(), Errc::corrupt_file, {"<s>", "no ids"});
  json("/pre_tokenizer/pretokenizers/0/pattern/Regex", "[ab", Errc::unsupported, {"does not compile", "[ab"});
  json("/post_processor/single", nullptr, Errc::corrupt_file, {"no template for single texts"});
  json("/post_processor/single/0", {{"Other", 1}}, Errc::corrupt_file, {"no token and no sequence"});
  json("/post_processor/special_tokens/<s>/ids/0", -1, Errc::corrupt_file, {"<s>", "no usable id"});
  json("/post_processor", {{"type", "Sequence"}}, Errc::corrupt_file, {"lists no processors"});
  json("/decoder", {{"type", "Strip"}, {"content", " "}, {"start", -1}, {"stop", 0}}, Errc::corrupt_file,
       {"\"start\" is not a count"});
  Json nested = {{"type", "NFC"}};
  for (int i = 0; i < 40; ++i) nested = {{"type", "Sequence"}, {"normalizers", {nested}}};
  json("/normalizer", nested, Errc::corrupt_file, {"nested"});
}

// A few hundred bytes of file could ask for any amount of memory.
TEST_F(TokenizersRejected, StepsThatWouldMultiplyATextWithoutBound) {
  const Json doubled = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}};
  const Json anywhere = {{"type", "Replace"}, {"pattern", {{"Regex", "x*"}}}, {"content", std::string(300, 'a')}};
  const Words growth = {"times as long", "the limit is 256"};
  const auto with_what = [&](const char* what) {
    Words words = growth;
    words.push_back(what);
    return words;
  };
  json("/normalizer", {{"type", "Sequence"}, {"normalizers", std::vector<Json>(26, doubled)}}, Errc::unsupported,
       with_what("normalizer"));
  json("/normalizer", anywhere, Errc::unsupported, with_what("normalizer"));
  json("/normalizer", {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", std::string(10'000'000, 'a')}},
       Errc::unsupported, with_what("normalizer"));
  json("/normalizer", {{"type", "Prepend"}, {"prepend", std::string(5'000'000, 'a')}}, Errc::unsupported,
       with_what("normalizer"));
  json("/normalizer/normalizers", std::vector<Json>(65, {{"type", "NFC"}}), Errc::unsupported,
       {"normalizer has 65 steps", "limit is 64"});
  json("/pre_tokenizer/pretokenizers", std::vector<Json>(9, {{"type", "Metaspace"}, {"replacement", "  "}}),
       Errc::unsupported, with_what("pre-tokenizer"));
  json("/pre_tokenizer/pretokenizers", std::vector<Json>(65, {{"type", "WhitespaceSplit"}}), Errc::unsupported,
       {"pre-tokenizer has 65 steps"});
  json("/decoder", {{"type", "Sequence"}, {"decoders", std::vector<Json>(26, doubled)}}, Errc::unsupported,
       with_what("decoder"));
  json("/decoder", {{"type", "Sequence"}, {"decoders", std::vector<Json>(65, {{"type", "Fuse"}})}}, Errc::unsupported,
       {"decoder has 65 steps"});
  // Eight doublings are within the limit, and what published tokenizers do is far from it.
  Json eight = tokenizer_json();
  eight["normalizer"]["normalizers"] = std::vector<Json>(8, doubled);
  const auto tokenizer = with("tokenizer.json", eight.dump());
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ((*tokenizer)->encode("a", {false, false}).size(), 256u);
}

TEST_F(TokenizersRejected, ListsAndTextsBeyondAnyModels) {
  const Json many(std::vector<int>(1025, 5));
  json("/post_processor/special_tokens/<s>/ids", many, Errc::unsupported, {"more than 1024 ids"});
  Json pieces = Json::array();
  for (int i = 0; i < 1025; ++i) pieces.push_back({{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}});
  json("/post_processor/single", pieces, Errc::unsupported, {"more than 1024 ids"});
  json("/added_tokens/0/content", std::string(5000, 'x'), Errc::unsupported, {"added token", "5000 bytes", "4096"});
  Json tokens = Json::array();
  for (int i = 0; i < 1100; ++i)
    tokens.push_back({{"id", 10 + i}, {"content", std::string(4000, 'x') + std::to_string(i)}});
  json("/added_tokens", tokens, Errc::unsupported, {"added tokens", "bytes together", "4194304"});
  json("/model/vocab", {{std::string(70'000, 'x'), 0}}, Errc::unsupported, {"70000 bytes", "65536"});
}

// Some converters write -1 for "none".
TEST_F(TokenizersRejected, IdsOfAGgufFileThatNameNoTokenAreNone) {
  const auto list = [](std::uint32_t type, const std::vector<std::uint32_t>& values) {
    std::string out = made::little_endian(type, 4) + made::little_endian(values.size(), 8);
    for (const std::uint32_t value : values) out += made::little_endian(value, 4);
    return out;
  };
  std::vector<std::string> tokens = {"<unk>", "a", "b", "ab", "\xE2\x96\x81"};
  std::vector<std::uint32_t> types = {2, 1, 1, 1, 1}, scores = {0, 0xbf800000, 0xc0000000, 0, 0xc0400000};
  for (int byte = 0; byte < 256; ++byte) {
    tokens.push_back(fmt::format("<0x{:02X}>", byte));
    types.push_back(6);
    scores.push_back(0);
  }
  for (const std::uint32_t id : {0u, 261u, 512u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
    SCOPED_TRACE(id);
    made::Gguf file;
    file.text("general.architecture", "llama")
        .text("tokenizer.ggml.model", "llama")
        .texts("tokenizer.ggml.tokens", tokens)
        .raw("tokenizer.ggml.scores", 9, list(6, scores))
        .raw("tokenizer.ggml.token_type", 9, list(5, types))
        .u32("tokenizer.ggml.bos_token_id", id)
        .u32("tokenizer.ggml.eos_token_id", id)
        .u32("tokenizer.ggml.padding_token_id", id)
        .u32("tokenizer.ggml.unknown_token_id", id);
    made::write(folder / "model.gguf", file.bytes());
    const auto opened = Gguf::open(folder / "model.gguf");
    ASSERT_TRUE(opened) << opened.error().message;
    const auto files = tokenizer_from_gguf(*opened);
    ASSERT_TRUE(files) << files.error().message;
    const Json written = Json::parse(files->tokenizer);
    EXPECT_EQ(written["model"]["unk_token"], id == 0 ? Json("<unk>") : Json());
    EXPECT_EQ(files->config.contains("bos_token"), id == 0);
    EXPECT_EQ(files->config.contains("unk_token"), id == 0);
  }
}

// What is read as its default is written as that, too.
TEST_F(TokenizersRejected, SwitchesThatAreNull) {
  Json changed = tokenizer_json();
  Json& steps = changed["pre_tokenizer"]["pretokenizers"];
  steps[0]["invert"] = nullptr;
  steps[1]["use_regex"] = nullptr;
  steps[1]["add_prefix_space"] = nullptr;
  ASSERT_TRUE(with("tokenizer.json", changed.dump()));
  expect_refused(tokenizer_to_gguf(folder.path(), 6), Errc::unsupported, {"add_prefix_space", "write a folder"});
  steps[1]["add_prefix_space"] = false;
  ASSERT_TRUE(with("tokenizer.json", changed.dump()));
  expect_refused(tokenizer_to_gguf(folder.path(), 6), Errc::unsupported, {"write a folder"});
  steps = {{{"type", "Digits"}, {"individual_digits", nullptr}}, {{"type", "ByteLevel"}, {"add_prefix_space", false}}};
  ASSERT_TRUE(with("tokenizer.json", changed.dump()));
  expect_refused(tokenizer_to_gguf(folder.path(), 6), Errc::unsupported, {"Digits", "write a folder"});
}

// GGUF has no word for an added token that takes the spaces beside it.
TEST_F(TokenizersRejected, AddedTokensThatTakeSpacesWithThemWrittenAsGguf) {
  Json changed = tokenizer_json();
  changed["normalizer"] = {{"type", "NFC"}};
  changed["post_processor"] = nullptr;
  changed["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", false}};
  changed["model"]["vocab"]["\xC4\xA0"] = 6;
  for (const bool special : {false, true}) {
    Json& added = changed["added_tokens"][0];
    added = {{"id", 5}, {"content", "<s>"}, {"special", special}, {"lstrip", false}};
    ASSERT_TRUE(with("tokenizer.json", changed.dump()));
    const auto written = tokenizer_to_gguf(folder.path(), 7);
    EXPECT_TRUE(written) << written.error().message;
    added["lstrip"] = true;
    ASSERT_TRUE(with("tokenizer.json", changed.dump()));
    expect_refused(tokenizer_to_gguf(folder.path(), 7), Errc::unsupported, {"a <s> b", "cut otherwise"});
  }
}

TEST_F(TokenizersRejected, ConfigsAndWordListsBesideIt) {
  made::write(folder / "tokenizer.json", tokenizer_json().dump());
  expect_refused(with("tokenizer_config.json", "[]"), Errc::corrupt_file, {"tokenizer_config.json", "object"});
  expect_refused(with("tokenizer_config.json", R"({"added_tokens_decoder": {"x1": {"content": "y"}}})"),
                 Errc::corrupt_file, {"tokenizer_config.json", "x1"});
  expect_refused(with("tokenizer_config.json", R"({"added_tokens_decoder": {"1": {"text": "y"}}})"), Errc::corrupt_file,
                 {"tokenizer_config.json", "content"});
  expect_refused(with("tokenizer_config.json", "{"), Errc::corrupt_file, {"tokenizer_config.json"});
  fs::remove(folder / "tokenizer_config.json");
  expect_refused(with("added_tokens.json", R"({"<x>": "7"})"), Errc::corrupt_file, {"added_tokens.json", "<x>"});
  fs::remove(folder / "added_tokens.json");

  fs::remove(folder / "tokenizer.json");
  made::write(folder / "merges.txt", "#version: 0.2\na b\n");
  ASSERT_TRUE(with("vocab.json", R"({"a": 0, "b": 1, "ab": 2})"));
  expect_refused(with("vocab.json", "[]"), Errc::corrupt_file, {"vocab.json"});
  expect_refused(with("vocab.json", R"({"a": 0, "b": 1})"), Errc::corrupt_file, {"vocab.json", "\"ab\""});
  made::write(folder / "vocab.json", R"({"a": 0, "b": 1, "ab": 2})");
  expect_refused(with("merges.txt", "a b c\n"), Errc::corrupt_file, {"vocab.json", "merge 0", "\"b c\""});
  expect_refused(with("merges.txt", "a \xff\n"), Errc::corrupt_file, {"merges.txt", "UTF-8"});
  made::write(folder / "merges.txt", "a b\n");
  expect_refused(with("tokenizer_config.json", R"({"tokenizer_class": "RobertaTokenizer"})"), Errc::unsupported,
                 {"RobertaTokenizer", "tokenizer.json"});
}

// A protocol buffer's field.
std::string field(int number, int wire, const std::string& payload) {
  std::string out;
  for (unsigned tag = unsigned(number) << 3 | unsigned(wire);; tag >>= 7) {
    out += char((tag & 127) | (tag > 127 ? 128 : 0));
    if (tag <= 127) break;
  }
  if (wire == 2) out += char(payload.size());  // short ones only
  return out + payload;
}
std::string piece(const std::string& text, float score, int type = 1) {
  std::uint32_t bits;
  std::memcpy(&bits, &score, sizeof bits);
  return field(1, 2, field(1, 2, text) + field(2, 5, made::little_endian(bits, 4)) + field(3, 0, {char(type)}));
}

TEST_F(TokenizersRejected, SentencePieceModels) {
  const std::string pieces = piece("<unk>", 0, 2) + piece("a", -1) + piece("b", -2),
                    bpe = field(2, 2, field(3, 0, "\x02"));
  ASSERT_TRUE(with("tokenizer.model", pieces + bpe));
  const auto refused = [&](const std::string& bytes, Errc code, Words words) {
    words.push_back("tokenizer.model");
    expect_refused(with("tokenizer.model", bytes), code, words);
  };
  refused("", Errc::corrupt_file, {"no pieces"});
  refused(pieces, Errc::unsupported, {"Unigram", "BPE"});
  refused(pieces + field(2, 2, field(3, 0, "\x04")), Errc::unsupported, {"Char"});
  refused((pieces + bpe).substr(0, pieces.size() + 1), Errc::corrupt_file, {"byte"});
  refused(pieces.substr(0, 4), Errc::corrupt_file, {"claims"});
  refused(pieces + bpe + field(7, 3, ""), Errc::corrupt_file, {"wire type 3"});
  refused(pieces + bpe + std::string("\x00\x01", 2), Errc::corrupt_file, {"field number 0"});
  refused(pieces + bpe + "\x08" + std::string(11, '\xff'), Errc::corrupt_file, {"ten bytes"});
  refused(piece("a", -1, 9) + bpe, Errc::corrupt_file, {"piece 0", "type 9"});
  refused(piece("a", -1, 5) + bpe, Errc::unsupported, {"unused", "tokenizer.json"});
  refused(piece("a", NAN) + bpe, Errc::corrupt_file, {"score of piece 0"});
  refused(piece("\xff", -1) + bpe, Errc::corrupt_file, {"piece 0", "UTF-8"});
  refused(pieces + bpe + field(3, 2, field(2, 2, "map")), Errc::unsupported, {"normalization map", "tokenizer.json"});
  refused(pieces + bpe + field(3, 2, field(5, 0, std::string(1, '\0'))), Errc::unsupported, {"escape_whitespaces"});
  refused(pieces + field(2, 2, field(3, 0, "\x02") + field(24, 0, "\x01")), Errc::unsupported, {"suffix"});
}

TEST_F(TokenizersRejected, Gguf) {
  const auto refused = [&](made::Gguf file, Errc code, const Words& words) {
    made::write(folder / "model.gguf", file.bytes());
    const auto opened = Gguf::open(folder / "model.gguf");
    ASSERT_TRUE(opened) << opened.error().message;
    expect_refused(Tokenizer::from_gguf(*opened), code, words);
  };
  const auto base = [] { return made::llama_gguf(); };
  const auto list = [](int type, const std::vector<std::string>& values) {
    std::string out = made::little_endian(std::uint64_t(type), 4) + made::little_endian(values.size(), 8);
    for (const std::string& value : values) out += value;
    return out;
  };
  const std::string tokens = "tokenizer.ggml.tokens", merges = "tokenizer.ggml.merges";
  refused(base().without("tokenizer.ggml.model"), Errc::corrupt_file, {"tokenizer.ggml.model"});
  refused(base().without("tokenizer.ggml.model").text("tokenizer.ggml.model", "bert"), Errc::unsupported,
          {"bert", "gpt2"});
  refused(base().without("tokenizer.ggml.pre").text("tokenizer.ggml.pre", "strange"), Errc::unsupported,
          {"strange", "llama-bpe"});
  refused(base().without(tokens), Errc::corrupt_file, {"no " + tokens});
  refused(base().without(tokens).u32(tokens, 3), Errc::corrupt_file, {tokens, "not an array"});
  refused(base().without(tokens).texts(tokens, {"a", "\xff"}), Errc::corrupt_file, {tokens + "[1]", "UTF-8"});
  refused(base().without(tokens).texts(tokens, {"a", "a"}), Errc::corrupt_file, {"\"a\"", "two ids"});
  refused(base().without(merges), Errc::corrupt_file, {"no " + merges});
  refused(base().without(merges).texts(merges, {"AB"}), Errc::corrupt_file, {merges + "[0]", "two tokens"});
  refused(base().without(merges).texts(merges, {"A B"}), Errc::corrupt_file, {"\"AB\"", "not in the vocabulary"});
  const auto i32 = [](int value) { return made::little_endian(std::uint64_t(value), 4); };
  refused(base().raw("tokenizer.ggml.token_type", 9, list(5, {i32(1)})), Errc::corrupt_file,
          {"token_type", "1 entries for 48"});
  refused(base().raw("tokenizer.ggml.token_type", 9, list(5, std::vector<std::string>(48, i32(7)))), Errc::corrupt_file,
          {"token_type[0]", "1 to 6"});
  const auto scored = [&] { return base().without("tokenizer.ggml.model").text("tokenizer.ggml.model", "llama"); };
  const std::string scores = "tokenizer.ggml.scores";
  refused(scored(), Errc::corrupt_file, {"no " + scores});
  refused(scored().raw(scores, 9, list(6, {i32(0)})), Errc::corrupt_file, {scores, "1 entries for 48"});
  refused(scored().raw(scores, 9, list(5, std::vector<std::string>(48, i32(0)))), Errc::corrupt_file,
          {scores, "not numbers"});
}

TEST_F(TokenizersRejected, ALargerVocabularyThanTheModelHas) {
  made::write_llama(folder.path());
  Json larger = tokenizer_json();
  larger["added_tokens"][0]["id"] = 4000;
  larger["post_processor"]["special_tokens"]["<s>"]["ids"] = {4000};
  made::write(folder / "tokenizer.json", larger.dump());
  const auto model = Model::load(folder.path());
  ASSERT_TRUE(model) << model.error().message;
  expect_refused(generate(*model, {"abc"}), Errc::bad_request, {"4000", "48"});
}

}  // namespace
}  // namespace nibble
