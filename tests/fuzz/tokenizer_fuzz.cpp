// The files beside the weights: the first byte chooses which one the rest is.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "fuzz.hpp"
#include "text/tokenizer/tokenizer.hpp"

namespace {

namespace fs = std::filesystem;

// Readers of tokenizers take a folder: one on the memory disk if there is any, removed at the end.
class Folder {
 public:
  Folder()
      : path_((fs::exists("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path()) /
              ("nibble-fuzz-" + std::to_string(getpid()))) {
    fs::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  void write(const std::string& name, std::string_view bytes) {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
  }
  void remove(const std::string& name) { fs::remove(path_ / name); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

constexpr std::string_view small_vocabulary = R"({"a":0,"b":1,"c":2,"ab":3,"Ġ":4,"Ġa":5})";

}  // namespace

void fuzz_one(std::string_view bytes) {
  static Folder folder;
  if (bytes.empty()) return;
  const std::string names[] = {"tokenizer.json", "tokenizer.model", "merges.txt", "vocab.json"};
  const std::string& name = names[bytes[0] & 3];
  for (const std::string& other : names) folder.remove(other);
  if (name == "merges.txt") folder.write("vocab.json", small_vocabulary);
  if (name == "vocab.json") folder.write("merges.txt", "a b\n");
  folder.write(name, bytes.substr(1));
  if (const auto tokenizer = nibble::Tokenizer::open(folder.path())) {
    const auto ids = (*tokenizer)->encode("ab ab\tc 12 \xe2\x82\xac\xff<s>");
    (*tokenizer)->decode(ids);
    nibble::StreamDecoder stream(**tokenizer);
    for (const std::int32_t id : ids) stream.push(id);
    stream.flush();
  }
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
      "B#version: 0.2\na b\n\xc4\xa0 a\n", 'C' + std::string(small_vocabulary)};
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
          "\x0a",
          "\x12",
          "\x1a"};
}
