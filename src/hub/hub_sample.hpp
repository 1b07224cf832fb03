// A hub on this machine with one model in two shards, for tests of what goes wrong on the way.
#pragma once

#include <gtest/gtest.h>

#include "../../tests/made/hub_server.hpp"
#include "../../tests/made/made_files.hpp"
#include "base/digest.hpp"
#include "hub/hub_cache.hpp"
#include "nibble/hub.hpp"

namespace nibble {

namespace fs = std::filesystem;
using made::HubAnswer;
using made::HubRequest;

const std::string commit(40, 'a'), base = "/acme/tiny/resolve/" + commit + "/";

// A repository of two shards, and what a test does to the answers.
class Hub : public testing::Test {
 protected:
  Hub() : folder("hub-" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name())) {
    files = {{"config.json", R"({"model_type": "llama"})"},
             {"tokenizer.json", "{}"},
             {"README.md", "not fetched"},
             {"model.safetensors.index.json", R"({"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}})"},
             {"m-1.safetensors", pattern(100'000, 3)},
             {"m-2.safetensors", pattern(1000, 5)}};
    options.endpoint = server.address();
    options.cache = folder / "cache";
    options.part_bytes = 16'384;
    options.first_wait_seconds = 0.001;
    options.attempts = 3;
    for (const char* name : {"HF_TOKEN", "HF_HUB_OFFLINE", "HF_TOKEN_PATH", "HF_ENDPOINT", "http_proxy", "https_proxy",
                             "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"})
      ::unsetenv(name);
    ::setenv("HF_HOME", (folder / "home").c_str(), 1);
  }
  static std::string pattern(std::size_t size, unsigned salt) {
    std::string out(size, '\0');
    for (std::size_t i = 0; i < size; ++i) out[i] = char(i * salt + i / 251);
    return out;
  }
  std::string hash(const std::string& content, DigestKind kind) {
    made::write(folder / "hashed", content);
    return digest_of_file(folder / "hashed", kind,
                          kind == DigestKind::sha1 ? "blob " + std::to_string(content.size()) : "")
        .value();
  }
  HubAnswer honest(const HubRequest& request) {
    if (request.path.starts_with("/api/models/acme/tiny/revision/")) {
      made::Json listing = {{"sha", commit}, {"siblings", made::Json::array()}};
      for (const auto& [name, content] : files) listing["siblings"].push_back({{"rfilename", name}});
      return {200, {}, listing.dump()};
    }
    const bool stored = request.path.starts_with("/stored/");  // where large files lie
    if (!stored && !request.path.starts_with(base)) return {404};
    const std::string name = request.path.substr(stored ? 8 : base.size());
    if (!files.contains(name)) return {404};
    const std::string& content = files[name];
    const bool large = name.ends_with(".safetensors");
    if (large && !stored)
      return {
          302,
          {"X-Linked-Etag: \"" + hash(content, DigestKind::sha256) + "\"",
           "X-Linked-Size: " + std::to_string(content.size()), "Location: " + server.address() + "/stored/" + name}};
    HubAnswer out{200, {"ETag: \"" + hash(content, DigestKind::sha1) + "\""}, content};
    if (request.has_range) {
      out.status = 206;
      out.headers.push_back("Content-Range: bytes " + std::to_string(request.first) + "-" +
                            std::to_string(request.last) + "/" + std::to_string(content.size()));
      out.body = content.substr(request.first, request.last - request.first + 1);
    }
    return out;
  }
  void expect_whole(const Result<fs::path>& located) {
    ASSERT_TRUE(located) << located.error().message;
    for (const char* name : {"config.json", "tokenizer.json", "m-1.safetensors", "m-2.safetensors"})
      EXPECT_EQ(made::read(*located / name), files[name]) << name;
    EXPECT_FALSE(fs::exists(*located / "README.md"));
    for (const auto& entry : fs::directory_iterator(options.cache / "models--acme--tiny/blobs"))
      EXPECT_EQ(entry.path().string().find("nibble-part"), std::string::npos) << entry.path() << " was left behind";
  }
  void expect_error(const Result<fs::path>& located, Errc code, const std::vector<std::string>& words) {
    ASSERT_FALSE(located) << located->string();
    EXPECT_EQ(int(located.error().code), int(code)) << located.error().message;
    for (const std::string& word : words)
      EXPECT_NE(located.error().message.find(word), std::string::npos) << word << ": " << located.error().message;
  }
  bool is_first_shard(const HubRequest& r) { return r.path == "/stored/m-1.safetensors"; }

  made::Folder folder;
  std::map<std::string, std::string> files;
  std::function<HubAnswer(const HubRequest&)> answer = [this](const HubRequest& r) { return honest(r); };
  made::HubServer server{[this](const HubRequest& r) { return answer(r); }};
  HubOptions options;
};

}  // namespace nibble
