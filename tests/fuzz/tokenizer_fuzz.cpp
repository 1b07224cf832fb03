// The files of a tokenizer: the first byte chooses which one the rest is.
#include <array>

#include "base/utf8.hpp"
#include "fuzz.hpp"
#include "memory_folder.hpp"
#include "text/tokenizer/model_tokenizer.hpp"
#include "text/tokenizer/tokenizer_convert.hpp"

namespace {

constexpr std::string_view small_vocabulary = R"({"a":0,"b":1,"c":2,"ab":3,"Ġ":4,"Ġa":5})";
constexpr std::string_view small_tokenizer =
    R"({"added_tokens":[],"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"decoder":{"type":"ByteLevel"},)"
    R"("model":{"type":"BPE","vocab":{"a":0,"b":1,"c":2,"ab":3},"merges":["a b"]}})";
constexpr std::int64_t small_enough = 1000;  // tokens, to be written as GGUF for a comparison

const std::array<std::string, 7> names = {"tokenizer.json",   "tokenizer.model",       "merges.txt",
                                          "vocab.json",       "tokenizer_config.json", "special_tokens_map.json",
                                          "added_tokens.json"};

// A folder for each of the names, in which that file alone changes.
class Folders {
 public:
  Folders() {
    folders_[2].put("vocab.json", small_vocabulary);
    folders_[3].put("merges.txt", "a b\n");
    for (int i = 4; i < 7; ++i) folders_[i].put("tokenizer.json", small_tokenizer);
  }
  const std::filesystem::path& with(std::size_t which, std::string_view bytes) {
    folders_[which].put(names[which], bytes);
    return folders_[which].path();
  }

 private:
  std::array<MemoryFolder, names.size()> folders_;
};

}  // namespace

bool fuzz_one(std::string_view bytes) {
  static Folders folders;
  if (bytes.empty()) return false;
  const std::size_t which = (static_cast<unsigned char>(bytes[0]) & 63) % names.size();
  const std::filesystem::path& folder = folders.with(which, bytes.substr(1));
  const auto tokenizer = nibble::Tokenizer::open(folder);
  if (!tokenizer) return false;
  const auto ids = (*tokenizer)->encode("ab ab\tc 12 \xe2\x82\xac\xff<s>");
  nibble::StreamDecoder stream(**tokenizer, false);
  std::string all;
  bool has_bytes = false;  // of a run of byte tokens that is not valid, streaming keeps more than decoding
  for (const std::int32_t id : ids) {
    const std::string piece = stream.push(id);
    fuzz_expect(nibble::is_valid_utf8(piece), "a piece is UTF-8");
    all += piece;
    has_bytes = has_bytes || nibble::byte_of_fallback((*tokenizer)->token(id)) >= 0;
  }
  all += stream.flush();
  fuzz_expect(all == (*tokenizer)->decode(ids) || has_bytes, "pieces add up to the text");
  const std::int64_t size = (*tokenizer)->vocabulary_size();
  if (bytes.size() % 8 == 0 && size <= small_enough) (void)nibble::tokenizer_to_gguf(folder, size);
  return true;
}

std::vector<std::string> fuzz_seeds() {
  // A SentencePiece model is a protocol buffer: pieces (field 1) of text (1), score (2) and type (3); trainer settings
  // (2).
  const auto piece = [](std::string text, char type) {
    const std::string body = '\x0a' + std::string(1, char(text.size())) + text + '\x15' +
                             std::string("\0\0\x80\xbf", 4) + '\x18' + std::string(1, type);
    return '\x0a' + std::string(1, char(body.size())) + body;
  };
  return {
      R"(@{"version":"1.0","added_tokens":[{"id":6,"content":"<s>","special":true,"single_word":false,"lstrip":false,"rstrip":false,"normalized":false}],)"
      R"("normalizer":{"type":"NFC"},"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},)"
      R"("post_processor":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":false,"use_regex":true},"decoder":{"type":"ByteLevel"},)"
      R"("model":{"type":"BPE","dropout":null,"unk_token":null,"fuse_unk":false,"byte_fallback":false,"ignore_merges":true,)"
      R"("vocab":{"a":0,"b":1,"c":2,"ab":3,"Ġ":4,"Ġa":5},"merges":["a b",["Ġ","a"]]}})",
      R"(@{"added_tokens":[],"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]},)"
      R"("pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\p{N}{1,3}| ?\\p{L}+|\\s+"},"behavior":"Isolated","invert":false},)"
      R"({"type":"Digits","individual_digits":true}]},"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},)"
      R"({"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}},)"
      R"("decoder":{"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},)"
      R"("model":{"type":"BPE","unk_token":"<unk>","fuse_unk":true,"byte_fallback":true,"vocab":{"<unk>":0,"<s>":1,"<0x61>":2,"▁":3,"a":4},"merges":[]}})",
      'A' + piece("<unk>", 2) + piece("<s>", 3) + piece("</s>", 3) + piece("<0x61>", 6) + piece("\xe2\x96\x81", 1) +
          piece("a", 1) + piece("ab", 1) + std::string("\x12\x02\x18\x02\x1a\x02\x18\x01"),
      "B#version: 0.2\na b\n\xc4\xa0 a\n",
      'C' + std::string(small_vocabulary),
      R"(D{"added_tokens_decoder":{"7":{"content":"<s>","special":true},"8":{"content":"x y","lstrip":true}},"bos_token":"<s>",)"
      R"("eos_token":{"content":"<s>"},"add_bos_token":true,"additional_special_tokens":["c"],"tokenizer_class":"LlamaTokenizer"})",
      R"(E{"bos_token":"a","eos_token":{"content":"b"},"unk_token":"c"})",
      R"(F{"<x>":9,"<y>":10})"};
}

std::vector<std::string> fuzz_words() {
  return {"\"type\":",
          "\"Split\"",
          "\"Regex\":",
          "\"ByteLevel\"",
          "\"Metaspace\"",
          "\"NFKC\"",
          "\"Lowercase\"",
          "\"merges\":[",
          "\"vocab\":{",
          "(?i:",
          "(a*)*",
          "\\p{",
          "(?!\\S)",
          "999999999",
          "\"id\":-1",
          "null",
          "\xff\xff\xff\xff\x0f",
          "\"added_tokens_decoder\":{",
          "\"add_prefix_space\":null",
          "\"invert\":null",
          "\x0a",
          "\x12",
          "\x1a"};
}
