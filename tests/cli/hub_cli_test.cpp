// Models named as on the hub, from a server on this machine.
#include "../made/hub_server.hpp"
#include "program.hpp"

namespace {

using namespace nibble::test;

class HubProgram : public Program {
 protected:
  // Serves the shipped model as acme/tales.
  made::HubAnswer serve(const made::HubRequest& request) {
    const std::string commit(40, 'c'), resolve = "/acme/tales/resolve/" + commit + "/";
    if (request.path == "/api/models/acme/tales/revision/main") {
      Json listing = {{"sha", commit}, {"siblings", Json::array()}};
      for (const auto& entry : fs::directory_iterator(shipped))
        listing["siblings"].push_back({{"rfilename", entry.path().filename().string()}});
      return {200, {}, listing.dump()};
    }
    if (!request.path.starts_with(resolve) || !fs::exists(shipped + "/" + request.path.substr(resolve.size())))
      return {404};
    const std::string name = request.path.substr(resolve.size()), content = read(fs::path(shipped) / name);
    made::HubAnswer out{200, {"ETag: \"etag-of-" + name + "\""}, content};
    if (request.has_range) {
      out.status = 206;
      out.body = content.substr(request.first, request.last - request.first + 1);
      out.headers.push_back("Content-Range: bytes " + std::to_string(request.first) + "-" +
                            std::to_string(request.last) + "/" + std::to_string(content.size()));
    }
    return out;
  }
  std::string environment(const std::string& more = "") {
    return "env -u HF_TOKEN -u http_proxy -u HTTP_PROXY HF_ENDPOINT=" + server.address() +
           " HF_HOME=" + (folder / "hub").string() + " " + more;
  }
  made::HubServer server{[this](const made::HubRequest& r) { return serve(r); }};
};

TEST_F(HubProgram, RunFetchesAModelAndAnswersAsFromItsFolder) {
  const std::string arguments = " \"It was a dark and stormy night\" -n 8 --quiet";
  const Outcome local = run("run " + shipped + arguments), fetched = run("run acme/tales" + arguments, environment());
  ASSERT_EQ(fetched.status, 0) << fetched.err;
  EXPECT_EQ(fetched.out, local.out);
  EXPECT_EQ(run("run acme/tales" + arguments, environment("HF_HUB_OFFLINE=1")).out, local.out);
  EXPECT_EQ(run("inspect acme/tales --json", environment()).json()["parameters"], 15736192);
}

TEST_F(HubProgram, EstimateAndTokenizeFetchNoWeights) {
  const Outcome estimated = run("estimate acme/tales --json", environment());
  ASSERT_EQ(estimated.status, 0) << estimated.err;
  EXPECT_EQ(estimated.json()["parameters"], 15736192);
  const Outcome ids = run("tokenize acme/tales night", environment());
  EXPECT_EQ(ids.out, run("tokenize " + shipped + " night").out) << ids.err;
  for (const auto& entry : fs::recursive_directory_iterator(folder / "hub"))
    EXPECT_EQ(entry.path().string().find(".safetensors"), std::string::npos) << entry.path();
}

TEST_F(HubProgram, WhatIsNeitherHereNorThereIsRefused) {
  const Outcome r = run("run acme/none x", environment());
  EXPECT_EQ(r.status, 2);
  EXPECT_NE(r.err.find("no file or folder here"), std::string::npos) << r.err;
  const Outcome offline = run("run acme/tales x", environment("HF_HUB_OFFLINE=1"));
  EXPECT_EQ(offline.status, 2);
  EXPECT_NE(offline.err.find("HF_HUB_OFFLINE"), std::string::npos) << offline.err;
}

}  // namespace
