// One file of the hub into the cache: in parallel ranges, continued after interruptions, checked against its hash.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "hub/http.hpp"
#include "hub/hub_cache.hpp"

namespace nibble {

struct RemoteFile {
  std::string name, url;
  std::string etag;  // sha256 of a large file, git's hash of a small one; the name of its blob
  std::uint64_t bytes = 0;
  std::string commit;
};

// What requests of one model share.
struct HubSession {
  HubOptions options;  // endpoint, token and cache are resolved
  std::string id;      // "org/name", for messages
  std::atomic<std::uint64_t> done{0}, total{0};
  std::atomic<bool> stopped{false};
  std::mutex reporting = {};

  // Tells the caller of further bytes; false if the work is to stop.
  bool report(std::uint64_t bytes);
};

// The endpoint without the name and password that its address may carry.
std::string shown_endpoint(const HubSession& session);

// An answer that is no success, as an error that says what to do.
Error explain_status(const HubSession& session, int status, const std::string& problem, const std::string& what);
// Whether asking again may help, and how long to wait before attempt number `attempt` (from 1).
bool worth_another_attempt(int status);
double seconds_to_wait(const HubSession& session, const HttpResponse& answer, int attempt);
void wait_seconds(HubSession& session, double seconds);  // ends early if the session is stopped

// The blob is whole and has its hash when this succeeds.
Result<void> download_blob(HubSession& session, const HubCache& cache, const RemoteFile& file);

}  // namespace nibble
