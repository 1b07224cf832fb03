// What somebody may have put into the cache: links out of it, references that are none.
#include "hub/hub_sample.hpp"

namespace nibble {
namespace {

class HubCacheLinks : public Hub {
 protected:
  HubCacheLinks() : model(options.cache / "models--acme--tiny") {
    fs::create_directories(folder / "outside");
    made::write(folder / "outside/file", "precious");
  }
  void expect_nothing_outside() {
    EXPECT_EQ(made::read(folder / "outside/file"), "precious");
    EXPECT_EQ(std::distance(fs::directory_iterator(folder / "outside"), {}), 1) << "something was written there";
  }
  const fs::path model;
};

TEST_F(HubCacheLinks, AFileThatLeadsOutIsRefused) {
  const fs::path located = locate_model("acme/tiny", options).value();
  made::write(folder / "outside", "secret");
  fs::remove(located / "tokenizer.json");
  fs::create_symlink(folder / "outside", located / "tokenizer.json");
  expect_error(locate_model("acme/tiny", options), Errc::corrupt_file, {"tokenizer.json", "leads out"});
}

TEST_F(HubCacheLinks, FoldersThatLeadOutAreRefusedBeforeAnythingIsWritten) {
  for (const fs::path& part :
       {fs::path("blobs"), fs::path("refs"), fs::path("snapshots"), "snapshots" / fs::path(commit)}) {
    SCOPED_TRACE(part);
    fs::remove_all(options.cache);
    fs::create_directories((model / part).parent_path());
    fs::create_directory_symlink(folder / "outside", model / part);
    expect_error(locate_model("acme/tiny", options), Errc::corrupt_file, {"leads out", (model / part).string()});
    expect_nothing_outside();
  }
}

TEST_F(HubCacheLinks, TemporaryFilesThatAreLinksAreNotFollowed) {
  const std::string blob = hash(files["m-1.safetensors"], DigestKind::sha256);
  for (const char* temporary : {".nibble-partial", ".nibble-parts"}) {
    SCOPED_TRACE(temporary);
    fs::remove_all(options.cache);
    fs::create_directories(model / "blobs");
    fs::create_symlink(folder / "outside/file", model / "blobs" / (blob + temporary));
    expect_error(locate_model("acme/tiny", options), Errc::io_failure, {blob, "cannot be written"});
    expect_nothing_outside();
  }
}

TEST_F(HubCacheLinks, ABlobThatIsALinkIsRefused) {
  fs::create_directories(model / "blobs");
  const std::string& content = files["m-1.safetensors"];
  made::write(folder / "outside/file", content);
  fs::create_symlink(folder / "outside/file", model / "blobs" / hash(content, DigestKind::sha256));
  expect_error(locate_model("acme/tiny", options), Errc::corrupt_file, {"m-1.safetensors", "leads out"});
}

TEST_F(HubCacheLinks, ACacheThatIsALinkItselfIsWhatItsOwnerWanted) {
  fs::create_directories(options.cache);
  fs::create_directories(folder / "disk");
  fs::create_directory_symlink(folder / "disk", model);
  expect_whole(locate_model("acme/tiny", options));
}

TEST_F(HubCacheLinks, AReferenceIsACommitOrNothing) {
  const HubCache cache(options.cache, "acme/tiny");
  fs::create_directories(model / "refs");
  const auto read_as = [&](const std::string& text) {
    made::write(model / "refs/main", text);
    return cache.commit_of("main").value_or("");
  };
  EXPECT_EQ(read_as(commit), commit);
  EXPECT_EQ(read_as(commit + "\n"), commit);
  for (const std::string& wrong : {std::string(), std::string("../../x"), std::string("/etc"), std::string("."),
                                   std::string(65, 'a'), std::string(1 << 20, 'a'), std::string("a\0b", 3)})
    EXPECT_EQ(read_as(wrong), "") << wrong.substr(0, 80);
  fs::remove(model / "refs/main");
  fs::create_directory(model / "refs/main");
  EXPECT_FALSE(cache.commit_of("main"));
}

TEST_F(HubCacheLinks, PlacesThatAreTakenByFoldersAreNamed) {
  const fs::path snapshot = model / "snapshots" / commit;
  fs::create_directories(snapshot / "tokenizer.json" / "x");
  expect_error(locate_model("acme/tiny", options), Errc::io_failure, {"tokenizer.json", "cannot be linked"});
  fs::remove_all(options.cache);
  const std::string blob = hash(files["m-1.safetensors"], DigestKind::sha256);
  fs::create_directories(model / "blobs" / blob / "x");
  expect_error(locate_model("acme/tiny", options), Errc::io_failure, {blob, "cannot be renamed"});
  fs::remove_all(options.cache);
  made::write(options.cache, "a file");
  expect_error(locate_model("acme/tiny", options), Errc::io_failure, {options.cache.string()});
}

TEST_F(HubCacheLinks, AFileThatClaimsToBeLargerThanTheDiskIsNotBegun) {
  answer = [&](const HubRequest& r) {
    HubAnswer out = honest(r);
    for (std::string& header : out.headers)
      if (header.starts_with("X-Linked-Size")) header = "X-Linked-Size: 70368744177664";
    return out;
  };
  expect_error(locate_model("acme/tiny", options), Errc::io_failure,
               {"m-1.safetensors", "70368.74 GB", "HF_HOME names another place"});
  for (const auto& blob : fs::directory_iterator(options.cache / "models--acme--tiny/blobs"))
    EXPECT_FALSE(blob.path().string().ends_with(".nibble-partial")) << "nothing is left of it";
}

TEST_F(HubCacheLinks, FilesThatMakeNoModel) {
  files.erase("config.json");
  expect_error(locate_model("acme/tiny", options), Errc::corrupt_file, {"acme/tiny", "do not make a model"});
}

}  // namespace
}  // namespace nibble
