// What comes from a hub, or lies in its cache. The first byte says what the rest is: a list of files ('0'), the head of
// an answer ('1'), an index of shards ('2'), a model's name ('3').
#include "fuzz.hpp"
#include "hub/hub_answers.hpp"
#include "hub/hub_cache.hpp"
#include "io/shard_index.hpp"

namespace {

using namespace nibble;

bool read_list(std::string_view text) {
  const auto listing = read_listing(text, "fuzz", "http://hub");
  if (!listing) return false;
  for (const std::string& file : listing->files)
    fuzz_expect(file.find('/') == file.npos && file[0] != '.', "a listed file stays in its folder");
  for (const HubFiles files : {HubFiles::all, HubFiles::config, HubFiles::tokenizer})
    if (const auto chosen = choose_files(listing->files, {"a/b", "main", ""}, files))
      for (const std::string& file : *chosen)
        fuzz_expect(is_plain_file_name(file), "a chosen file stays in its folder");
  return true;
}

bool read_head(std::string_view text) {
  HttpResponse answer;
  answer.status = 302;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    add_header(answer, text.substr(at, end - at));
    at = end + 1;
  }
  if (const auto seconds = read_retry_after(answer)) fuzz_expect(*seconds >= 0 && *seconds <= 300, "a wait is bounded");
  if (const auto next = redirected_within_host("http://hub/mirror/x", answer))
    fuzz_expect(next->starts_with("http://hub/"), "such a redirection stays on the host");
  const auto facts = read_file_facts(answer, "fuzz");
  if (facts) {
    fuzz_expect(is_plain_file_name(facts->etag), "a blob stays in its folder");
    fuzz_expect(facts->bytes <= std::uint64_t(1) << 46, "a size is bounded");
  }
  return facts.has_value();
}

bool read_index(std::string_view text) {
  const auto json = parse_json(text, "fuzz");
  if (!json) return false;
  const auto shards = parse_shard_index(*json, "fuzz");
  if (!shards) return false;
  for (const auto& [tensor, shard] : *shards) fuzz_expect(is_plain_file_name(shard), "a shard stays in the folder");
  return true;
}

bool read_name(std::string_view text) {
  const auto name = parse_hub_name(text);
  if (!name) return false;
  const HubCache cache("/cache", name->id);
  fuzz_expect(cache.folder().lexically_normal() == cache.folder() && cache.folder().parent_path() == "/cache",
              "a model's folder lies in the cache");
  const auto snapshot = cache.snapshot(name->revision);
  fuzz_expect(snapshot.lexically_normal() == snapshot, "a revision stays in the model's folder");
  return true;
}

}  // namespace

bool fuzz_one(std::string_view bytes) {
  if (bytes.empty()) return false;
  const std::string_view rest = bytes.substr(1);
  switch (bytes[0]) {
    case '1':
      return read_head(rest);
    case '2':
      return read_index(rest);
    case '3':
      return read_name(rest);
    default:
      return read_list(rest);
  }
}

std::vector<std::string> fuzz_seeds() {
  const std::string commit(40, 'a');
  return {"0{\"sha\":\"" + commit +
              R"(","siblings":[{"rfilename":"config.json"},{"rfilename":"model.safetensors.index.json","size":7},)"
              R"({"rfilename":"tokenizer.json"},{"rfilename":"m-1.safetensors"},{"rfilename":"a/b.bin"}]})",
          "0{\"sha\":\"" + commit + R"(","siblings":[{"rfilename":"x-Q4_0.gguf"},{"rfilename":"pytorch_model.bin"}]})",
          "1HTTP/1.1 200 OK\nETag: \"0123abc\"\nContent-Length: 77\nRetry-After: 2\n",
          "1HTTP/1.1 302 Found\nX-Linked-Etag: W/\"" + commit + "\"\nX-Linked-Size: 123456\nLocation: http://cdn/x\n",
          "1HTTP/1.1 307 x\nLocation: /moved/x\nETag: a\nContent-Length: 0\n",
          R"(2{"metadata":{"total_size":9},"weight_map":{"a":"m-00001-of-00002.safetensors","b":"m-2.safetensors"}})",
          "3acme/tiny@refs/pr/1",
          "3acme/tiny/x-Q4_0.gguf",
          "3acme/tiny"};
}

std::vector<std::string> fuzz_words() {
  return {"\"sha\":",
          "\"siblings\":[",
          "\"rfilename\":",
          "../",
          "..",
          "/",
          "\\u0000",
          "\\",
          "@",
          ".gguf",
          ".safetensors",
          "W/",
          "HTTP/1.1 \n",
          "ETag: ",
          "X-Linked-Etag: ",
          "X-Linked-Size: ",
          "Content-Length: ",
          "Location: //",
          "Retry-After: ",
          "1e999",
          "-1",
          "nan",
          "Content-Range: ",
          "18446744073709551616",
          "\"weight_map\":{",
          "refs/pr/"};
}
