#include "hub/download.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/digest.hpp"
#include "base/out_of_memory.hpp"
#include "hub/hub_answers.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

class Descriptor {
 public:
  // A link under a temporary name is not ours, and would lead elsewhere.
  Descriptor(const fs::path& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0644)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

bool write_all(int fd, std::string_view bytes, std::uint64_t at) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), off_t(at));
    if (written <= 0) return false;
    bytes.remove_prefix(std::size_t(written));
    at += std::uint64_t(written);
  }
  return true;
}

// Which parts of a file are whole, kept beside it: a line with what they belong to, then a character per part.
class Parts {
 public:
  Parts(const fs::path& path, const RemoteFile& file, std::uint64_t part_bytes)
      : file_(path, O_RDWR | O_CREAT), header_(fmt::format("{} {}\n", file.bytes, part_bytes)) {
    const std::uint64_t count = (file.bytes + part_bytes - 1) / part_bytes;
    std::string stored(header_.size() + count, '\0');
    const ssize_t got = ::pread(file_.get(), stored.data(), stored.size(), 0);
    if (got == ssize_t(stored.size()) && stored.starts_with(header_)) {
      state_ = stored.substr(header_.size());
    } else {
      state_.assign(count, '0');
      usable_ = ::ftruncate(file_.get(), 0) == 0 && write_all(file_.get(), header_ + state_, 0);
    }
  }
  bool usable() const { return file_.get() >= 0 && usable_; }
  std::size_t count() const { return state_.size(); }
  bool whole(std::size_t part) const { return state_[part] == '1'; }
  bool mark(std::size_t part) {
    state_[part] = '1';
    return write_all(file_.get(), "1", header_.size() + part);
  }

 private:
  Descriptor file_;
  std::string header_, state_;
  bool usable_ = true;
};

struct Job {
  HubSession& session;
  const RemoteFile& file;
  int fd;
  Parts& parts;
  std::mutex lock;  // of what follows, and of `parts`
  std::size_t next = 0;
  std::optional<Error> problem;

  void fail(Error error) {
    const std::lock_guard guard(lock);
    if (!problem) problem = std::move(error);
  }
  bool failed() {
    const std::lock_guard guard(lock);
    return problem.has_value();
  }
  std::optional<std::size_t> take() {
    const std::lock_guard guard(lock);
    while (next < parts.count() && parts.whole(next)) ++next;
    if (problem || session.stopped || next >= parts.count()) return {};
    return next++;
  }
  bool progress(std::uint64_t bytes) { return session.report(bytes) && !failed(); }
};

// One range, asked for again from where it broke off.
Result<void> fetch_part(HttpClient& client, Job& job, std::uint64_t first, std::uint64_t end) {
  HubSession& session = job.session;
  std::uint64_t at = first;
  for (int attempt = 1;; ++attempt) {
    const std::uint64_t begun = at;
    std::string wrong;
    bool disk_full = false;
    const BodySink sink = [&](const HttpResponse& answer, std::string_view bytes) {
      const std::string expected = fmt::format("bytes {}-{}/{}", begun, end - 1, job.file.bytes);
      if (answer.status == 206 && answer.header("content-range") != expected) {
        wrong = fmt::format("sent \"{}\" when asked for \"{}\"", answer.header("content-range"), expected);
        return false;
      }
      if (answer.status == 200 && (begun != 0 || end != job.file.bytes)) {
        wrong = "does not send parts of a file";
        return false;
      }
      if (bytes.size() > end - at) {
        wrong = "sent more bytes than it was asked for";
        return false;
      }
      if (!write_all(job.fd, bytes, at)) {
        disk_full = true;
        return false;
      }
      at += bytes.size();
      return job.progress(bytes.size());
    };
    const HttpResponse answer =
        client.get({job.file.url, session.options.token, fmt::format("{}-{}", begun, end - 1), false}, sink);
    if (at == end && wrong.empty()) return {};
    if (disk_full)
      return error(Errc::io_failure, "{}: no space left while writing it to the cache; HF_HOME names another place",
                   job.file.name);
    if (session.stopped || job.failed()) return error(Errc::cancelled, "stopped; what is whole is continued next time");
    if (!wrong.empty()) {  // what such an answer brought is not to be trusted
      session.done -= at - first;
      at = first;
    }
    if (at > begun) attempt = 0;  // it moves, if slowly
    const bool hopeless =
        answer.status != 0 && answer.status != 200 && answer.status != 206 && !worth_another_attempt(answer.status);
    if (hopeless || attempt >= session.options.attempts) {
      if (!wrong.empty())
        return error(Errc::io_failure, "{}: {}: the server {}; try again, or set HF_ENDPOINT to another mirror",
                     session.id, job.file.name, wrong);
      return explain_status(session, answer.status,
                            answer.problem.empty() ? "the connection ended early" : answer.problem, job.file.name);
    }
    wait_seconds(session, seconds_to_wait(session, answer, std::max(attempt, 1)));
  }
}

void work(Job& job) {
  HttpClient client;
  const std::uint64_t part_bytes = job.session.options.part_bytes;
  while (const auto part = job.take()) {
    const std::uint64_t first = *part * part_bytes, end = std::min(first + part_bytes, job.file.bytes);
    if (auto fetched = fetch_part(client, job, first, end); !fetched) return job.fail(fetched.error());
    const std::lock_guard guard(job.lock);
    if (!job.parts.mark(*part) && !job.problem)
      job.problem = error(Errc::io_failure, "{}: no space left", job.file.name);
  }
}

// On a thread where nobody else would catch.
void fetch_parts(Job& job) {
  auto fetched = or_out_of_memory(job.file.name, "fetching", [&] {
    work(job);
    return Result<void>();
  });
  if (!fetched) job.fail(fetched.error());
}

Result<void> check_hash(const HubSession& session, const RemoteFile& file, const fs::path& path) {
  // The hub names large files by their sha256, small ones by git's hash of a blob. A mirror may name them otherwise.
  const bool hex = file.etag.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!hex || (file.etag.size() != 64 && file.etag.size() != 40)) return {};
  const bool sha256 = file.etag.size() == 64;
  NIBBLE_TRY(const std::string found, sha256
                                          ? digest_of_file(path, DigestKind::sha256)
                                          : digest_of_file(path, DigestKind::sha1, fmt::format("blob {}", file.bytes)));
  if (found == file.etag) return {};
  return error(Errc::corrupt_file, "{}: {} arrived damaged: its {} is {}, the hub says {}; try again", session.id,
               file.name, sha256 ? "sha256" : "git hash", found, file.etag);
}

Result<void> fetch_all_parts(HubSession& session, const RemoteFile& file, int fd, Parts& parts) {
  Job job{session, file, fd, parts, {}, 0, {}};
  std::uint64_t missing = 0;
  for (std::size_t i = 0; i < parts.count(); ++i)
    if (parts.whole(i))
      session.done += std::min(session.options.part_bytes, file.bytes - i * session.options.part_bytes);
    else
      ++missing;
  const auto threads = std::min<std::uint64_t>(std::uint64_t(std::max(session.options.connections, 1)), missing);
  std::vector<std::thread> others;
  others.reserve(threads);
  // Fewer threads are slower, and that is all.
  try {
    for (std::uint64_t i = 1; i < threads; ++i) others.emplace_back([&] { fetch_parts(job); });
  } catch (const std::system_error&) {
  } catch (const std::bad_alloc&) {
  }
  if (missing) fetch_parts(job);
  for (std::thread& other : others) other.join();
  if (job.problem) return *job.problem;
  if (session.stopped) return error(Errc::cancelled, "stopped; what is whole is continued next time");
  return {};
}

}  // namespace

bool HubSession::report(std::uint64_t bytes) {
  done += bytes;
  const std::lock_guard guard(reporting);
  if (!stopped && options.on_progress && !options.on_progress(done, total)) stopped = true;
  return !stopped;
}

std::string shown_endpoint(const HubSession& session) {
  std::string out = session.options.endpoint;
  const std::size_t scheme = out.find("://"), host = scheme == out.npos ? 0 : scheme + 3;
  const std::size_t end = out.find('/', host), at = out.rfind('@', end);
  if (at != out.npos && at >= host) out.erase(host, at + 1 - host);
  return out;
}

Error explain_status(const HubSession& session, int status, const std::string& problem, const std::string& what) {
  const std::string& id = session.id;
  const bool with_token = !session.options.token.empty();
  if (status == 401 || status == 403)
    return error(
        Errc::bad_request,
        "{}: access to {} is refused (HTTP {}): the model is gated, private, or does not exist under this name. "
        "Ask for access on {}/{}, then {}",
        id, what, status, shown_endpoint(session), id,
        with_token ? "use a token of an account that has it (HF_TOKEN is set, and was sent)"
                   : "set HF_TOKEN to a token of that account");
  if (status == 404)
    return error(Errc::not_found,
                 "{}: {} is not on {} (HTTP 404); check the name and the revision, upper and lower case", id, what,
                 shown_endpoint(session));
  if (status == 416)
    return error(Errc::io_failure,
                 "{}: {}: the server refuses a range of the file's bytes (HTTP 416); it may just have "
                 "been replaced, try again",
                 id, what);
  if (status == 429)
    return error(Errc::io_failure, "{}: {}: the server says too many requests (HTTP 429); try again later{}", id, what,
                 with_token ? "" : ", or set HF_TOKEN, with which more are allowed");
  if (status != 0 && status != 200 && status != 206)
    return error(Errc::io_failure,
                 "{}: {}: the server answered HTTP {}; try again later, or set HF_ENDPOINT to a mirror", id, what,
                 status);
  return error(Errc::io_failure,
               "{}: {}: {} ({}). Is there a network, and does a proxy need HTTPS_PROXY? What was fetched is kept", id,
               what, problem, shown_endpoint(session));
}

bool worth_another_attempt(int status) {
  return status == 0 || status == 408 || status == 416 || status == 429 || status >= 500;
}

double seconds_to_wait(const HubSession& session, const HttpResponse& answer, int attempt) {
  if (const auto asked = read_retry_after(answer)) return *asked;
  return std::min(session.options.first_wait_seconds * std::pow(2.0, attempt - 1), 60.0);
}

void wait_seconds(HubSession& session, double seconds) {
  using clock = std::chrono::steady_clock;
  const auto until = clock::now() + std::chrono::duration<double>(seconds);
  while (clock::now() < until && session.report(0)) std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

Result<void> download_blob(HubSession& session, const HubCache& cache, const RemoteFile& file) {
  const fs::path blob = cache.blob(file.etag), partial = blob.string() + ".nibble-partial",
                 state = blob.string() + ".nibble-parts";
  std::error_code code;
  fs::create_directories(blob.parent_path(), code);
  const Descriptor data(partial, O_RDWR | O_CREAT);
  if (data.get() < 0 || ::flock(data.get(), LOCK_EX) != 0)  // another program may be fetching the same file
    return error(Errc::io_failure, "{}: cannot be written; HF_HOME names another place for the cache",
                 partial.string());
  if (fs::file_size(blob, code) == file.bytes && !code) {
    fs::remove(partial, code);
    session.done += file.bytes;
    return {};
  }
  const auto space = fs::space(blob.parent_path(), code);
  const std::uint64_t held = fs::exists(state, code) ? fs::file_size(partial, code) : 0;
  if (!code && space.available + held < file.bytes) {
    if (fs::file_size(partial, code) == 0) fs::remove(partial, code);
    return error(Errc::io_failure,
                 "{}: {} needs {:.2f} GB and the cache's disk has {:.2f} GB free; HF_HOME names another place",
                 session.id, file.name, double(file.bytes) / 1e9, double(space.available) / 1e9);
  }
  for (int round = 1;; ++round) {
    {
      Parts parts(state, file, session.options.part_bytes);
      if (!parts.usable() || ::ftruncate(data.get(), off_t(file.bytes)) != 0)
        return error(Errc::io_failure, "{}: cannot be written; is there space?", state.string());
      NIBBLE_CHECK(fetch_all_parts(session, file, data.get(), parts));
    }
    const auto checked = check_hash(session, file, partial);
    fs::remove(state, code);
    if (checked) break;
    if (round == 2) {
      fs::remove(partial, code);
      return checked.error();
    }
    session.done -= file.bytes;  // once more, from nothing
  }
  if (::fsync(data.get()) != 0) return error(Errc::io_failure, "{}: cannot be written to disk", partial.string());
  fs::rename(partial, blob, code);
  if (code) return error(Errc::io_failure, "{}: cannot be renamed ({})", partial.string(), code.message());
  return {};
}

}  // namespace nibble
