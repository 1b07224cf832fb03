// A hub on this machine that a test can make misbehave: one connection per request, answers written byte by byte as the
// test wants them.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace made {

struct HubRequest {
  std::string method, path;
  std::map<std::string, std::string> headers;  // names in lower case
  bool has_range = false;
  std::size_t first = 0, last = 0;  // of Range, inclusive
};

struct HubAnswer {
  int status = 200;
  std::vector<std::string> headers = {};
  std::string body = {};
  std::size_t cut_after = std::string::npos;  // bytes of the body that are really sent
  std::size_t claimed = std::string::npos;    // Content-Length, if it is not the truth
};

class HubServer {
 public:
  using Handler = std::function<HubAnswer(const HubRequest&)>;

  explicit HubServer(Handler handler) : handler_(std::move(handler)), listening_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listening_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listening_, 64) != 0 || ::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      std::abort();
    port_ = ntohs(address.sin_port);
    accepting_ = std::thread([this] {
      for (int connection; (connection = ::accept(listening_, nullptr, nullptr)) >= 0;)
        serving_.emplace_back([this, connection] { serve(connection); });
    });
  }
  ~HubServer() {
    ::shutdown(listening_, SHUT_RDWR);
    accepting_.join();
    for (std::thread& thread : serving_) thread.join();
    ::close(listening_);
  }
  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int requests() const { return requests_; }

 private:
  void serve(int connection) {
    std::string text;
    char buffer[4096];
    while (text.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = ::recv(connection, buffer, sizeof buffer, 0);
      if (got <= 0) break;
      text.append(buffer, std::size_t(got));
    }
    const HubRequest request = parse(text);
    HubAnswer answer;
    {
      const std::lock_guard guard(lock_);
      ++requests_;
      answer = handler_(request);
    }
    std::string out = "HTTP/1.1 " + std::to_string(answer.status) + " x\r\nConnection: close\r\nContent-Length: " +
                      std::to_string(answer.claimed == std::string::npos ? answer.body.size() : answer.claimed) +
                      "\r\n";
    for (const std::string& header : answer.headers) out += header + "\r\n";
    out += "\r\n";
    if (request.method != "HEAD") out += answer.body.substr(0, answer.cut_after);
    for (std::size_t at = 0; at < out.size();) {
      const ssize_t sent = ::send(connection, out.data() + at, out.size() - at, MSG_NOSIGNAL);
      if (sent <= 0) break;
      at += std::size_t(sent);
    }
    ::close(connection);
  }
  static HubRequest parse(const std::string& text) {
    HubRequest out;
    std::size_t at = text.find("\r\n");
    const std::string line = text.substr(0, at);
    out.method = line.substr(0, line.find(' '));
    out.path = line.substr(out.method.size() + 1, line.rfind(' ') - out.method.size() - 1);
    while (at != std::string::npos && at + 2 < text.size()) {
      const std::size_t end = text.find("\r\n", at + 2);
      std::string header = text.substr(at + 2, end - at - 2), name = header.substr(0, header.find(':'));
      for (char& c : name) c = char(std::tolower(c));
      if (header.size() > name.size() + 2) out.headers[name] = header.substr(name.size() + 2);
      at = end;
    }
    if (const auto range = out.headers.find("range"); range != out.headers.end())
      out.has_range = std::sscanf(range->second.c_str(), "bytes=%zu-%zu", &out.first, &out.last) == 2;
    return out;
  }

  Handler handler_;
  int listening_, port_ = 0, requests_ = 0;
  std::mutex lock_;
  std::thread accepting_;
  std::vector<std::thread> serving_;
};

}  // namespace made
