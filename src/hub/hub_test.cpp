// Downloads from a server on this machine that cuts, lies, refuses and redirects.
#include <cmath>

#include "hub/hub_sample.hpp"

namespace nibble {
namespace {

TEST_F(Hub, FetchesAModelInPartsIntoTheCacheOfHuggingFace) {
  std::uint64_t done = 0, total = 0;
  options.on_progress = [&](std::uint64_t d, std::uint64_t t) {
    done = d;
    total = t;
    return true;
  };
  const auto located = locate_model("acme/tiny", options);
  expect_whole(located);
  EXPECT_EQ(done, total);
  EXPECT_EQ(*located, options.cache / "models--acme--tiny/snapshots" / commit);
  EXPECT_EQ(made::read(options.cache / "models--acme--tiny/refs/main"), commit);
  EXPECT_EQ(fs::read_symlink(*located / "m-2.safetensors"),
            fs::path("../../blobs") / hash(files["m-2.safetensors"], DigestKind::sha256));
  // Once more: only the branch is asked for, and with a commit nothing is.
  const int before = server.requests();
  expect_whole(locate_model("acme/tiny", options));
  EXPECT_EQ(server.requests(), before + 1);
  expect_whole(locate_model("acme/tiny@" + commit, options));
  EXPECT_EQ(server.requests(), before + 1);
  options.offline = true;
  expect_whole(locate_model("acme/tiny", options));
  EXPECT_EQ(server.requests(), before + 1);
}

TEST_F(Hub, EstimatingNeedsTheConfigurationAlone) {
  options.files = HubFiles::config;
  const auto located = locate_model("acme/tiny", options);
  ASSERT_TRUE(located) << located.error().message;
  EXPECT_TRUE(fs::exists(*located / "config.json"));
  EXPECT_FALSE(fs::exists(*located / "m-1.safetensors"));
  options.files = HubFiles::all;
  expect_whole(locate_model("acme/tiny", options));
}

TEST_F(Hub, CutConnectionsAreContinuedWhereTheyBroke) {
  int cuts = 0;
  std::size_t sent = 0;
  answer = [&](const HubRequest& r) {
    HubAnswer out = honest(r);
    if (is_first_shard(r) && r.method == "GET" && cuts < 12) {
      ++cuts;
      out.cut_after = out.body.size() / 2;
    }
    if (is_first_shard(r) && r.method == "GET") sent += std::min(out.cut_after, out.body.size());
    return out;
  };
  expect_whole(locate_model("acme/tiny", options));
  EXPECT_EQ(cuts, 12);
  EXPECT_EQ(sent, files["m-1.safetensors"].size()) << "nothing was sent twice";
}

TEST_F(Hub, AnInterruptedDownloadContinuesWithItsWholeParts) {
  options.connections = 1;
  options.on_progress = [&](std::uint64_t done, std::uint64_t) { return done < 60'000; };
  expect_error(locate_model("acme/tiny", options), Errc::cancelled, {"continued"});
  EXPECT_FALSE(fs::exists(options.cache / "models--acme--tiny/snapshots" / commit / "m-1.safetensors"));
  std::size_t sent = 0;
  answer = [&](const HubRequest& r) {
    HubAnswer out = honest(r);
    if (is_first_shard(r) && r.method == "GET") sent += out.body.size();
    return out;
  };
  options.on_progress = {};
  expect_whole(locate_model("acme/tiny", options));
  EXPECT_GT(sent, 0u);
  EXPECT_LT(sent, 60'000u);
}

TEST_F(Hub, WaitsWhenItIsToldTo) {
  int refusals = 0;
  answer = [&](const HubRequest& r) {
    if (refusals < 4) {
      ++refusals;
      return HubAnswer{refusals % 2 ? 429 : 503, {"Retry-After: 0"}};
    }
    return honest(r);
  };
  options.attempts = 5;
  expect_whole(locate_model("acme/tiny", options));
  answer = [&](const HubRequest&) { return HubAnswer{429}; };
  fs::remove_all(options.cache);
  expect_error(locate_model("acme/tiny", options), Errc::io_failure, {"429", "HF_TOKEN"});
}

TEST_F(Hub, AServerWithoutRangesSendsTheFileAsOne) {
  answer = [&](const HubRequest& r) {
    HubRequest plain = r;
    plain.has_range = false;
    return honest(plain);
  };
  options.part_bytes = 1 << 20;
  expect_whole(locate_model("acme/tiny", options));
  fs::remove_all(options.cache);
  options.part_bytes = 16'384;
  expect_error(locate_model("acme/tiny", options), Errc::io_failure, {"m-1.safetensors", "parts"});
}

TEST_F(Hub, AnswersThatLieAboutBytesAreNotTaken) {
  const auto lie = [&](auto change) {
    fs::remove_all(options.cache);
    answer = [this, change](const HubRequest& r) {
      HubAnswer out = honest(r);
      if (is_first_shard(r) && r.method == "GET") change(out, r);
      return out;
    };
    const auto located = locate_model("acme/tiny", options);
    EXPECT_FALSE(fs::exists(options.cache / "models--acme--tiny/snapshots" / commit / "m-1.safetensors"));
    return located;
  };
  expect_error(lie([](HubAnswer& out, const HubRequest&) { out.body += "more"; }), Errc::io_failure,
               {"m-1.safetensors"});
  expect_error(lie([](HubAnswer& out, const HubRequest&) { out.body.clear(); }), Errc::io_failure, {"m-1.safetensors"});
  expect_error(lie([](HubAnswer& out, const HubRequest&) { out.headers[1] = "Content-Range: bytes 0-9/10"; }),
               Errc::io_failure, {"bytes 0-9/10", "asked"});
  expect_error(lie([](HubAnswer& out, const HubRequest&) { out = {416}; }), Errc::io_failure, {"416"});
  expect_error(lie([](HubAnswer& out, const HubRequest&) { out = {500}; }), Errc::io_failure, {"500"});
  expect_error(lie([](HubAnswer& out, const HubRequest&) { out.body[7] ^= 1; }), Errc::corrupt_file,
               {"m-1.safetensors", "damaged", "sha256"});
}

TEST_F(Hub, AConnectionThatClosesBehindTheLastByteIsNoFault) {
  answer = [&](const HubRequest& r) {
    HubAnswer out = honest(r);
    if (is_first_shard(r)) out.claimed = out.body.size() + 9;
    return out;
  };
  expect_whole(locate_model("acme/tiny", options));
}

TEST_F(Hub, DamagedBytesAreFetchedOnceMore) {
  int damaged = 0;
  answer = [&](const HubRequest& r) {
    HubAnswer out = honest(r);
    if (is_first_shard(r) && r.method == "GET" && damaged < 1) {
      ++damaged;
      out.body[7] ^= 1;
    }
    return out;
  };
  expect_whole(locate_model("acme/tiny", options));
}

TEST_F(Hub, WhoMayNotReadIsToldHowToAsk) {
  answer = [&](const HubRequest& r) {
    const auto token = r.headers.find("authorization");
    if (r.path.starts_with("/stored/")) return honest(r);
    return token != r.headers.end() && token->second == "Bearer secret" ? honest(r) : HubAnswer{401};
  };
  expect_error(locate_model("acme/tiny", options), Errc::bad_request,
               {"gated", "HF_TOKEN", server.address() + "/acme/tiny"});
  options.token = "wrong";
  expect_error(locate_model("acme/tiny", options), Errc::bad_request, {"was sent"});
  fs::create_directories(folder / "home");
  made::write(folder / "home/token", "secret\n");
  options.token.clear();
  expect_whole(locate_model("acme/tiny", options));
}

TEST_F(Hub, NamesThatAreNotThere) {
  expect_error(locate_model("acme/none", options), Errc::not_found, {"acme/none", "404", "no file or folder here"});
  answer = [&](const HubRequest&) { return HubAnswer{404}; };
  expect_error(locate_model("acme/tiny@v9", options), Errc::not_found, {"revision v9"});
  options.offline = true;
  expect_error(locate_model("acme/tiny", options), Errc::not_found, {"HF_HUB_OFFLINE", "cache"});
  options.offline = false;
  options.endpoint = "http://127.0.0.1:1";
  options.attempts = 1;
  expect_error(locate_model("acme/tiny", options), Errc::io_failure,
               {"127.0.0.1:1", "network", "no file or folder here"});
}

TEST_F(Hub, WithoutANetworkWhatIsCachedStillRuns) {
  expect_whole(locate_model("acme/tiny", options));
  options.endpoint = "http://127.0.0.1:1";
  options.attempts = 1;
  expect_whole(locate_model("acme/tiny", options));
}

TEST_F(Hub, RepositoriesWithoutSafetensors) {
  for (const char* shard : {"m-1.safetensors", "m-2.safetensors", "model.safetensors.index.json"}) files.erase(shard);
  expect_error(locate_model("acme/tiny", options), Errc::not_found, {"no weights"});
  files["pytorch_model.bin"] = "x";
  expect_error(locate_model("acme/tiny", options), Errc::unsupported, {"pickled", "safetensors"});
  files["tiny-Q4_0.gguf"] = "GGUF";
  const auto one = locate_model("acme/tiny", options);
  ASSERT_TRUE(one) << one.error().message;
  EXPECT_EQ(one->filename(), "tiny-Q4_0.gguf");
  files["tiny-Q8_0.gguf"] = "GGUF8";
  fs::remove_all(options.cache);
  expect_error(locate_model("acme/tiny", options), Errc::not_found,
               {"acme/tiny/FILE", "tiny-Q4_0.gguf, tiny-Q8_0.gguf"});
  const auto named = locate_model("acme/tiny/tiny-Q8_0.gguf", options);
  ASSERT_TRUE(named) << named.error().message;
  EXPECT_EQ(made::read(*named), "GGUF8");
  expect_error(locate_model("acme/tiny/tiny-Q2_K.gguf", options), Errc::not_found, {"tiny-Q2_K.gguf", "it has"});
}

TEST_F(Hub, ListsAndNamesThatWouldLeaveTheFolder) {
  files["model.safetensors.index.json"] = R"({"weight_map": {"a": "../../../evil.safetensors"}})";
  expect_error(locate_model("acme/tiny", options), Errc::corrupt_file, {"evil", "no file of this folder"});
  fs::remove_all(options.cache);
  answer = [&](const HubRequest& r) { return r.path.starts_with("/api") ? HubAnswer{200, {}, "{"} : honest(r); };
  expect_error(locate_model("acme/tiny", options), Errc::corrupt_file, {"list of files"});
  answer = [&](const HubRequest& r) {
    return r.path.starts_with("/api") ? HubAnswer{200, {}, R"({"sha": "../../x", "siblings": [7]})"} : honest(r);
  };
  expect_error(locate_model("acme/tiny", options), Errc::corrupt_file, {"commit"});
  answer = [&](const HubRequest& r) {
    HubAnswer out = honest(r);
    if (r.path.ends_with("config.json")) out.headers = {"ETag: \"../../x\""};
    return out;
  };
  expect_error(locate_model("acme/tiny", options), Errc::corrupt_file, {"etag", "config.json"});
}

TEST_F(Hub, AMistypedPathIsNotAskedForOnTheNetwork) {
  const fs::path before = fs::current_path();
  fs::create_directories(folder / "acme" / "tiny-16m");
  fs::current_path(folder.path());
  expect_error(locate_model("acme/tiny", options), Errc::not_found,
               {"a folder \"acme\" here", "did you mean acme/tiny-16m?", "hf.co/acme/tiny"});
  EXPECT_EQ(server.requests(), 0);
  expect_whole(locate_model("hf.co/acme/tiny", options));
  expect_whole(locate_model("acme/tiny", options));  // what is cached was meant
  fs::current_path(before);
}

TEST_F(Hub, APasswordInTheEndpointIsNeverShown) {
  options.endpoint = "http://user:pa@ss@127.0.0.1:1/mirror@2";
  options.attempts = 1;
  const auto refused = locate_model("acme/tiny", options);
  expect_error(refused, Errc::io_failure, {"http://127.0.0.1:1/mirror@2"});
  for (const char* secret : {"user", "pa@ss"}) EXPECT_EQ(refused.error().message.find(secret), std::string::npos);
  options.endpoint = server.address();
  options.endpoint.insert(7, "user:secret@");
  for (const int status : {401, 404, 200}) {
    answer = [&](const HubRequest&) { return HubAnswer{status, {}, "no list"}; };
    const auto told = locate_model("acme/tiny", options);
    ASSERT_FALSE(told) << status;
    EXPECT_EQ(told.error().message.find("secret"), std::string::npos) << told.error().message;
  }
}

TEST_F(Hub, BlanksAroundATokenAreNotSent) {
  std::string seen;
  answer = [&](const HubRequest& r) {
    if (r.headers.contains("authorization")) seen = r.headers.at("authorization");
    return honest(r);
  };
  ::setenv("HF_TOKEN", " \thf_word \r\n", 1);
  expect_whole(locate_model("acme/tiny", options));
  ::unsetenv("HF_TOKEN");
  EXPECT_EQ(seen, "Bearer hf_word");
}

TEST(HubName, MayBeTheAddressOfAPage) {
  for (const auto& [address, id, revision, file] : std::vector<std::array<const char*, 4>>{
           {"hf.co/acme/tiny", "acme/tiny", "main", ""},
           {"https://huggingface.co/acme/tiny", "acme/tiny", "main", ""},
           {"https://huggingface.co/acme/tiny/", "acme/tiny", "main", ""},
           {"https://hf.co/acme/tiny?library=transformers", "acme/tiny", "main", ""},
           {"huggingface.co/acme/tiny@v2", "acme/tiny", "v2", ""},
           {"https://huggingface.co/acme/tiny/tree/refs/pr/1", "acme/tiny", "refs/pr/1", ""},
           {"https://huggingface.co/acme/tiny/blob/main/t-Q8_0.gguf", "acme/tiny", "main", "t-Q8_0.gguf"},
           {"https://huggingface.co/acme/tiny/resolve/v2/t.gguf?download=true", "acme/tiny", "v2", "t.gguf"},
           {"hf.co/acme/tiny/t.gguf", "acme/tiny", "main", "t.gguf"}}) {
    const auto name = parse_hub_name(address);
    ASSERT_TRUE(name) << address;
    EXPECT_EQ(name->id, id) << address;
    EXPECT_EQ(name->revision, revision) << address;
    EXPECT_EQ(name->file, file) << address;
    EXPECT_TRUE(name->explicitly) << address;
  }
  for (const char* bad : {"https://huggingface.co/", "hf.co/acme", "https://example.org/acme/tiny",
                          "https://huggingface.co/acme/tiny/blob/main/config.json", "hf.co/../tiny"})
    EXPECT_FALSE(is_hub_name(bad)) << bad;
}

TEST(HubName, IsOrgAndNameWithARevisionOrAFile) {
  for (const char* good : {"acme/tiny", "Qwen/Qwen3-4B", "a/b@main", "a/b@refs/pr/1", "a/b/c-Q4_K_M.gguf", "a_1/b.2"})
    EXPECT_TRUE(is_hub_name(good)) << good;
  for (const char* bad :
       {"",     "a",          "a/",     "/a",     "./a",     "../a",     "a/../b",   "a//b",  "a/b/c", "a/b/c/d.gguf",
        "~/a",  "a/b@",       "a/b@..", "a/b@x/", "a/b@x/.", "a/b@x//y", "a/b@x/.y", "a b/c", "a/b?c", "a/-b",
        "a/.b", "a/b/.x.gguf"})
    EXPECT_FALSE(is_hub_name(bad)) << bad;
}

}  // namespace
}  // namespace nibble
