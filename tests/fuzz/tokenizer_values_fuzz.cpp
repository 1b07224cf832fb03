// tokenizer.json as values. Streamed pieces are UTF-8 and add up to the text that is decoded at once, and a tokenizer
// that can be written as GGUF can be read back, to the same ids.
#include "base/utf8.hpp"
#include "choices.hpp"
#include "fuzz.hpp"
#include "memory_folder.hpp"
#include "text/tokenizer/tokenizer_convert.hpp"
#include "text/tokenizer/tokenizer_loaders.hpp"
#include "text/tokenizer/vocabulary.hpp"

namespace {

const std::vector<FuzzJson>& tokenizers() {
  static const std::vector<FuzzJson> all = [] {
    // Byte-level with the bytes of "ďⅫ €" as tokens of GPT-2's alphabet; SentencePiece's kind with byte tokens.
    FuzzJson bytes = FuzzJson::parse(
        R"({"version":"1.0","added_tokens":[{"id":40,"content":"<s>","special":true,"normalized":false},{"id":41,"content":"x y","special":false,"lstrip":true,"normalized":true}],)"
        R"("normalizer":{"type":"NFC"},"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},)"
        R"("post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],)"
        R"("special_tokens":{"<s>":{"id":"<s>","ids":[40],"tokens":["<s>"]}}},"decoder":{"type":"ByteLevel"},)"
        R"("model":{"type":"BPE","unk_token":null,"fuse_unk":false,"byte_fallback":false,"ignore_merges":false,)"
        R"("vocab":{"a":0,"b":1,"c":2,"ab":3,"Ġ":4,"Ġa":5,"Ä":6,"ı":7,"â":8,"ħ":9,"«":10,"Ĥ":11,"¬":12,"1":13,"2":14},"merges":["a b",["Ġ","a"]]}})");
    FuzzJson pieces = FuzzJson::parse(
        R"({"added_tokens":[{"id":1,"content":"<s>","special":true}],"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},)"
        R"({"type":"Replace","pattern":{"String":" "},"content":"▁"}]},"pre_tokenizer":null,"post_processor":null,)"
        R"("decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},)"
        R"({"type":"Strip","content":" ","start":1,"stop":0}]},"model":{"type":"BPE","unk_token":"<unk>","fuse_unk":true,"byte_fallback":true,)"
        R"("vocab":{"<unk>":0,"<s>":1,"<0xE2>":2,"<0x82>":3,"<0xAC>":4,"▁":5,"a":6,"b":7,"ab":8,"▁a":9},"merges":[["a","b"],["▁","a"]]}})");
    FuzzJson mixed = bytes;
    mixed["normalizer"] = FuzzJson::parse(
        R"({"type":"Sequence","normalizers":[{"type":"Lowercase"},{"type":"StripAccents"},{"type":"Strip","strip_left":true,"strip_right":true},{"type":"NFKC"}]})");
    mixed["pre_tokenizer"] = FuzzJson::parse(
        R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\p{N}{1,3}| ?\\p{L}+|\\s+"},"behavior":"Isolated","invert":false},)"
        R"({"type":"Digits","individual_digits":true},{"type":"Punctuation","behavior":"Contiguous"},{"type":"WhitespaceSplit"},)"
        R"({"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true},{"type":"ByteLevel","add_prefix_space":true,"use_regex":false}]})");
    mixed["decoder"] = FuzzJson::parse(
        R"({"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"ByteLevel"},{"type":"Metaspace","replacement":"▁","prepend_scheme":"always"}]})");
    return std::vector<FuzzJson>{bytes, pieces, mixed};
  }();
  return all;
}

const std::vector<std::string>& words() {
  static const std::vector<std::string> all = {"Sequence",
                                               "ByteLevel",
                                               "ByteFallback",
                                               "Fuse",
                                               "Strip",
                                               "Replace",
                                               "Metaspace",
                                               "Prepend",
                                               "Lowercase",
                                               "NFD",
                                               "NFKD",
                                               "Split",
                                               "Digits",
                                               "Whitespace",
                                               "Isolated",
                                               "Removed",
                                               "MergedWithNext",
                                               "MergedWithPrevious",
                                               "Contiguous",
                                               "first",
                                               "never",
                                               "String",
                                               "Regex",
                                               "a",
                                               "aa",
                                               "ab",
                                               "▁",
                                               "Ġ",
                                               " ",
                                               "a*",
                                               "(a|b)+",
                                               "(?=a)",
                                               "x*",
                                               "[^a]",
                                               "\\s",
                                               "content",
                                               "replacement",
                                               "prepend",
                                               "<0x41>",
                                               "ď",
                                               "Ⅻ",
                                               "<s>",
                                               "<unk>"};
  return all;
}

constexpr std::string_view texts[] = {"", "ab ab\tc 12 \xe2\x82\xac\xff<s>", " a  b", "aaaa\nbbbb",
                                      "\xc4\x8f\xe2\x85\xab x y 12.5 \xe2\x96\x81"
                                      "a"};

void check_stream(const nibble::Tokenizer& tokenizer, const std::vector<std::int32_t>& ids) {
  for (const bool skip : {false, true}) {
    nibble::StreamDecoder stream(tokenizer, skip);
    std::string all;
    bool has_bytes = false;  // of a run of byte tokens that is not valid, streaming keeps more than decoding
    for (const std::int32_t id : ids) {
      const std::string piece = stream.push(id);
      fuzz_expect(nibble::is_valid_utf8(piece), "a piece is UTF-8");
      all += piece;
      has_bytes = has_bytes || nibble::byte_of_fallback(tokenizer.token(id)) >= 0;
    }
    all += stream.flush();
    const std::string whole = tokenizer.decode(ids, skip);
    fuzz_expect(nibble::is_valid_utf8(all) && nibble::is_valid_utf8(whole), "a decoded text is UTF-8");
    fuzz_expect(all == whole || has_bytes, "pieces add up to the text");
  }
}

void check_way_back(const nibble::Tokenizer& tokenizer, const std::string& json) {
  static MemoryFolder folder;
  if (tokenizer.vocabulary_size() > 1000) return;
  folder.put("tokenizer.json", json);
  const auto keys = nibble::tokenizer_to_gguf(folder.path(), tokenizer.vocabulary_size());
  if (!keys) return;
  const auto head = nibble::gguf_head("fuzz.gguf", *keys, {});
  fuzz_expect(head.has_value(), "keys that were made are written");
  const auto file = nibble::Gguf::parse(std::as_bytes(std::span(head->data(), head->size())), "fuzz.gguf");
  fuzz_expect(file.has_value(), "what was written is read");
  const auto again = nibble::Tokenizer::from_gguf(*file);
  fuzz_expect(again.has_value(), "a tokenizer that was written is one");
  if (!nibble::tokenizer_from_gguf(*file)) return;
  for (const std::string_view text : texts)
    fuzz_expect((*again)->encode(text) == tokenizer.encode(text), "there and back gives the same ids");
}

}  // namespace

bool fuzz_one(std::string_view bytes) {
  Choices choices(bytes);
  FuzzJson tree = choices.one_of(tokenizers());
  std::vector<std::int32_t> ids;
  for (std::size_t i = choices.below(24); i > 0; --i) ids.push_back(std::int32_t(choices.below(45)));
  change_json(tree, choices, words());
  const std::string json = tree.dump();
  const auto tokenizer = nibble::load_tokenizer_json(json, {});
  if (!tokenizer) {
    fuzz_expect(tokenizer.error().message.size() < 2000, "a message is short whatever the file says");
    return false;
  }
  check_stream(**tokenizer, ids);
  for (const std::string_view text : texts) {
    const std::vector<std::int32_t> encoded = (*tokenizer)->encode(text);
    fuzz_expect(encoded.size() < 100'000, "ids are in proportion to the text");
    for (const std::int32_t id : encoded)
      fuzz_expect(id >= 0 && id < nibble::Vocabulary::limit, "ids are of the vocabulary");
    check_stream(**tokenizer, encoded);
  }
  check_way_back(**tokenizer, json);
  return true;
}

std::vector<std::string> fuzz_seeds() {
  return {std::string("\0\6\6\7\10\11\12\13", 8), std::string("\1\5\11\2\3\4\5", 7), std::string("\2\4\0\6\7\11", 6)};
}

std::vector<std::string> fuzz_words() { return {std::string("\2\1\1", 3), "\1\5\7", "\5\7\2"}; }
