// Between a program and the hub: proxies, mirrors under a path, redirections, and who gets to see the token.
#include "hub/hub_sample.hpp"

namespace nibble {
namespace {

using HubNetwork = Hub;

// A proxy is asked for whole addresses; the hub behind it sees paths.
class Proxy {
 public:
  explicit Proxy(std::function<HubAnswer(const HubRequest&)> hub) : hub_(std::move(hub)) {}
  std::string address() const { return server_.address(); }
  std::vector<std::string> hosts;  // of the addresses asked for, in order
  std::vector<HubRequest> tunnels;
  std::string token;  // the last one seen

 private:
  HubAnswer answer(const HubRequest& request) {
    if (request.method == "CONNECT") {
      tunnels.push_back(request);
      return HubAnswer{407};
    }
    const std::size_t host = request.path.find("://") + 3, path = request.path.find('/', host);
    hosts.push_back(request.path.substr(host, path - host));
    if (request.headers.contains("authorization")) token = request.headers.at("authorization");
    HubRequest inner = request;
    inner.path = request.path.substr(path);
    return hub_(inner);
  }
  std::function<HubAnswer(const HubRequest&)> hub_;
  made::HubServer server_{[this](const HubRequest& r) { return answer(r); }};
};

TEST_F(HubNetwork, AProxyIsAskedForTheHubAndForWhereLargeFilesLie) {
  Proxy proxy([this](const HubRequest& r) { return honest(r); });
  ::setenv("http_proxy", proxy.address().c_str(), 1);
  options.endpoint = "http://hub.example";
  expect_whole(locate_model("acme/tiny", options));
  ASSERT_FALSE(proxy.hosts.empty());
  EXPECT_EQ(proxy.hosts[0], "hub.example");
  EXPECT_GT(std::count(proxy.hosts.begin(), proxy.hosts.end(), server.address().substr(7)), 0);
  EXPECT_EQ(server.requests(), 0);
}

TEST_F(HubNetwork, NoProxyNamesHostsThatAreAskedDirectly) {
  Proxy proxy([](const HubRequest&) { return HubAnswer{500}; });
  ::setenv("http_proxy", proxy.address().c_str(), 1);
  ::setenv("no_proxy", "localhost,127.0.0.1", 1);
  expect_whole(locate_model("acme/tiny", options));
  EXPECT_TRUE(proxy.hosts.empty());
}

TEST_F(HubNetwork, AProxyOfHttpsIsAskedForATunnelWithoutTheToken) {
  Proxy proxy([](const HubRequest&) { return HubAnswer{500}; });
  ::setenv("https_proxy", proxy.address().c_str(), 1);
  options.endpoint = "https://hub.example";
  options.token = "secret";
  options.attempts = 1;
  expect_error(locate_model("acme/tiny", options), Errc::io_failure,
               {"acme/tiny", "407", "proxy", "https://hub.example"});
  ASSERT_EQ(proxy.tunnels.size(), 1u);
  EXPECT_EQ(proxy.tunnels[0].path, "hub.example:443");
  EXPECT_FALSE(proxy.tunnels[0].headers.contains("authorization"));
}

TEST_F(HubNetwork, AProxyThatIsNotThereIsNamedAsTheProblem) {
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  options.endpoint = "http://hub.example";
  options.attempts = 1;
  expect_error(locate_model("acme/tiny", options), Errc::io_failure, {"acme/tiny", "127.0.0.1", "proxy"});
}

TEST_F(HubNetwork, AMirrorMayLieUnderAPath) {
  int moved = 0;
  answer = [&](const HubRequest& r) {
    const std::string mirror = "/mirror/hf";
    if (!r.path.starts_with(mirror)) return HubAnswer{404};
    HubRequest inner = r;
    inner.path = r.path.substr(mirror.size());
    const std::string old = "/acme/tiny/resolve/", renamed = "/acme/renamed/resolve/";
    // A repository that was renamed: its addresses lead on within the host, as paths that begin at its root.
    if (r.method == "HEAD" && inner.path.starts_with(old)) {
      ++moved;
      return HubAnswer{307, {"Location: " + mirror + renamed + inner.path.substr(old.size())}};
    }
    if (inner.path.starts_with(renamed)) inner.path = old + inner.path.substr(renamed.size());
    return honest(inner);
  };
  answer = [this, mirrored = answer](const HubRequest& r) {
    return r.path.starts_with("/stored/") ? honest(r) : mirrored(r);
  };
  options.endpoint.clear();
  ::setenv("HF_ENDPOINT", (server.address() + "/mirror/hf/").c_str(), 1);
  expect_whole(locate_model("acme/tiny", options));
  EXPECT_EQ(moved, 5);
}

TEST_F(HubNetwork, RedirectionsWithoutEndAreGivenUp) {
  answer = [&](const HubRequest& r) {
    return r.path.starts_with("/api") ? honest(r) : HubAnswer{307, {"Location: " + r.path + "x"}};
  };
  expect_error(locate_model("acme/tiny", options), Errc::io_failure,
               {"config.json", "redirected more than five times"});
  options.attempts = 1;
  answer = [&](const HubRequest& r) { return HubAnswer{307, {"Location: " + r.path}}; };
  expect_error(locate_model("acme/tiny", options), Errc::io_failure, {"acme/tiny", "307"});
}

TEST_F(HubNetwork, TheTokenIsNotSentOnToAnotherHost) {
  std::string seen;
  made::HubServer elsewhere([&](const HubRequest& r) {
    if (r.headers.contains("authorization")) seen = r.headers.at("authorization");
    return honest(r);
  });
  answer = [&](const HubRequest& r) {
    HubAnswer out = honest(r);
    for (std::string& header : out.headers)
      if (header.starts_with("Location: "))
        header = "Location: " + elsewhere.address() + "/stored" + r.path.substr(base.size() - 1);
    return out;
  };
  options.token = "secret";
  expect_whole(locate_model("acme/tiny", options));
  EXPECT_GT(elsewhere.requests(), 0);
  EXPECT_EQ(seen, "");
}

TEST_F(HubNetwork, AListThatLiesElsewhereIsFetchedWithoutTheToken) {
  std::string seen;
  made::HubServer elsewhere([&](const HubRequest& r) {
    if (r.headers.contains("authorization")) seen = r.headers.at("authorization");
    return honest(r);
  });
  std::string first;
  answer = [&](const HubRequest& r) {
    if (!r.path.starts_with("/api")) return honest(r);
    first = r.headers.contains("authorization") ? r.headers.at("authorization") : "";
    return HubAnswer{302, {"Location: " + elsewhere.address() + r.path}};
  };
  options.token = "secret";
  expect_whole(locate_model("acme/tiny", options));
  EXPECT_EQ(first, "Bearer secret");
  EXPECT_EQ(elsewhere.requests(), 1);
  EXPECT_EQ(seen, "");
}

}  // namespace
}  // namespace nibble
