// One HTTP request over libcurl. Retrying is the caller's.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "nibble/result.hpp"

namespace nibble {

struct HttpRequest {
  std::string url;
  std::string token = {};  // bearer; not sent on to another host
  std::string range = {};  // "0-99"
  bool head = false;       // headers alone, redirections not followed
};

struct HttpResponse {
  int status = 0;                              // 0: no answer came
  std::map<std::string, std::string> headers;  // names in lower case, of the last answer
  std::string problem;                         // libcurl's words if the transfer did not end well; else empty
  bool refused_by_sink = false;

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  }
};

// Adds a line of an answer's head; a status line begins the head of a further answer. No more than 200 are kept.
void add_header(HttpResponse& response, std::string_view line);

// Whether the body may go on; called for answers with status 200 and 206 only, never with more than 256 KiB.
using BodySink = std::function<bool(const HttpResponse& so_far, std::string_view bytes)>;

// A connection that is used again by later requests. One thread at a time.
class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  HttpResponse get(const HttpRequest& request, const BodySink& sink);

 private:
  void* handle_;
};

}  // namespace nibble
