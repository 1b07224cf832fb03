#include "hub/http.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <exception>
#include <mutex>
#include <new>

namespace nibble {
namespace {

struct Transfer {
  HttpResponse response;
  const BodySink* sink;
  CURL* handle;
  std::exception_ptr thrown;  // by a callback: it waits until libcurl, which is C, has returned
};

// What libcurl calls; giving back other than the bytes it brought ends the transfer.
template <std::size_t (*take)(Transfer&, std::string_view)>
std::size_t callback(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  try {
    return take(transfer, {data, size * count});
  } catch (...) {
    transfer.thrown = std::current_exception();
    return 0;
  }
}

std::size_t on_header(Transfer& transfer, std::string_view line) {
  add_header(transfer.response, line);
  return line.size();
}

std::size_t on_body(Transfer& transfer, std::string_view bytes) {
  long status = 0;
  curl_easy_getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &status);
  transfer.response.status = int(status);
  if (status != 200 && status != 206) return bytes.size();  // an error page: not shown
  if ((*transfer.sink)(transfer.response, bytes)) return bytes.size();
  transfer.response.refused_by_sink = true;
  return 0;
}

}  // namespace

void add_header(HttpResponse& response, std::string_view line) {
  constexpr std::size_t most = 200;
  if (line.starts_with("HTTP/")) response.headers.clear();  // of the next answer, after a redirection
  const std::size_t colon = line.find(':');
  if (colon == line.npos || response.headers.size() >= most) return;
  std::string name(line.substr(0, colon)), value(line.substr(colon + 1));
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!value.empty() && blank(value.back())) value.pop_back();
  value.erase(0, std::size_t(std::find_if_not(value.begin(), value.end(), blank) - value.begin()));
  response.headers[name] = value;
}

HttpClient::HttpClient() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  handle_ = curl_easy_init();
  if (!handle_) throw std::bad_alloc();
}

HttpClient::~HttpClient() { curl_easy_cleanup(static_cast<CURL*>(handle_)); }

HttpResponse HttpClient::get(const HttpRequest& request, const BodySink& sink) {
  auto* curl = static_cast<CURL*>(handle_);
  curl_easy_reset(curl);
  Transfer transfer{{}, &sink, curl, {}};
  char details[CURL_ERROR_SIZE] = {};  // "CONNECT tunnel failed, response 407", where the code alone says little
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, details);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "nibble");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 20L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);  // a connection that stands still for a minute is cut
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 60L);
  curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L << 10);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, callback<on_header>);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, callback<on_body>);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  if (request.head) {
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  } else {
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 8L);
  }
  if (!request.range.empty()) curl_easy_setopt(curl, CURLOPT_RANGE, request.range.c_str());
  if (!request.token.empty()) {
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, request.token.c_str());
  }
  const CURLcode code = curl_easy_perform(curl);
  if (transfer.thrown) std::rethrow_exception(transfer.thrown);
  if (code == CURLE_OUT_OF_MEMORY) throw std::bad_alloc();
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  transfer.response.status = int(status);
  if (code != CURLE_OK) transfer.response.problem = details[0] ? details : curl_easy_strerror(code);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);  // which ends here
  return std::move(transfer.response);
}

}  // namespace nibble
