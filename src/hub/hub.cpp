// From a name to a folder: what the hub has, what the cache lacks, one file after the other.
#include "nibble/hub.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "base/error.hpp"
#include "base/out_of_memory.hpp"
#include "hub/download.hpp"
#include "hub/hub_answers.hpp"
#include "io/folder.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// Around what was pasted into a profile.
std::string without_blanks(const std::string& text) {
  constexpr const char* blanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(blanks);
  return first == text.npos ? std::string() : text.substr(first, text.find_last_not_of(blanks) + 1 - first);
}

fs::path hub_home() {
  if (const std::string home = environment("HF_HOME"); !home.empty()) return home;
  const std::string cache = environment("XDG_CACHE_HOME");
  return (cache.empty() ? fs::path(environment("HOME")) / ".cache" : fs::path(cache)) / "huggingface";
}

// Empty options filled from the environment, as huggingface_hub reads it.
HubOptions resolved(HubOptions options) {
  if (options.endpoint.empty()) options.endpoint = environment("HF_ENDPOINT");
  if (options.endpoint.empty()) options.endpoint = "https://huggingface.co";
  while (options.endpoint.ends_with('/')) options.endpoint.pop_back();
  if (options.cache.empty()) options.cache = environment("HF_HUB_CACHE");
  if (options.cache.empty()) options.cache = hub_home() / "hub";
  if (options.token.empty()) options.token = without_blanks(environment("HF_TOKEN"));
  if (options.token.empty()) {
    const std::string path = environment("HF_TOKEN_PATH");
    std::ifstream(path.empty() ? hub_home() / "token" : fs::path(path)) >> options.token;
  }
  const std::string offline = environment("HF_HUB_OFFLINE");
  options.offline = options.offline || (!offline.empty() && offline != "0");
  options.part_bytes = std::max<std::uint64_t>(options.part_bytes, 1);
  return options;
}

// A request that is tried again: the API's answers and headers of files.
Result<HttpResponse> ask(HttpClient& client, HubSession& session, const std::string& url, bool head,
                         const std::string& what, std::string* body) {
  for (int attempt = 1;; ++attempt) {
    if (body) body->clear();
    const HttpResponse answer =
        client.get({url, session.options.token, {}, head}, [&](const HttpResponse&, auto bytes) {
          body->append(bytes);
          return body->size() <= (std::size_t(32) << 20);
        });
    const bool good = answer.problem.empty() && (answer.status == 200 || (head && answer.status / 100 == 3));
    if (good) return answer;
    if (attempt >= session.options.attempts || session.stopped || answer.refused_by_sink ||
        !(answer.status == 200 || worth_another_attempt(answer.status)))
      return explain_status(session, answer.status,
                            answer.refused_by_sink ? "the list of files is longer than 32 MiB" : answer.problem, what);
    wait_seconds(session, seconds_to_wait(session, answer, attempt));
  }
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const unsigned char c : text)
    if (std::isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~')
      out += char(c);
    else
      out += fmt::format("%{:02X}", c);
  return out;
}

Result<HubListing> list_files(HttpClient& client, HubSession& session, const HubName& name) {
  std::string body;
  const std::string url =
      fmt::format("{}/api/models/{}/revision/{}", session.options.endpoint, name.id, escaped(name.revision));
  const std::string what = name.revision == "main" ? "the model" : fmt::format("revision {}", name.revision);
  NIBBLE_CHECK(ask(client, session, url, false, what, &body));
  return read_listing(body, fmt::format("{}: the hub's list of files", name.id), shown_endpoint(session));
}

// Size and hash, which stand in the headers of the file's address, before it redirects to where large files lie.
Result<RemoteFile> describe(HttpClient& client, HubSession& session, const std::string& commit,
                            const std::string& file) {
  RemoteFile out{file,
                 fmt::format("{}/{}/resolve/{}/{}", session.options.endpoint, session.id, commit, escaped(file)),
                 {},
                 0,
                 commit};
  std::string url = out.url;
  for (int hop = 0; hop < 5; ++hop) {
    NIBBLE_TRY(const HttpResponse answer, ask(client, session, url, true, file, nullptr));
    if (const auto next = redirected_within_host(url, answer)) {
      url = *next;
      continue;
    }
    NIBBLE_TRY(const FileFacts facts, read_file_facts(answer, fmt::format("{}: {}", session.id, file)));
    out.etag = facts.etag;
    out.bytes = facts.bytes;
    return out;
  }
  return error(Errc::io_failure, "{}: {}: redirected more than five times", session.id, file);
}

Result<void> fetch_files(HttpClient& client, HubSession& session, HubCache& cache, const std::string& commit,
                         const std::vector<std::string>& names) {
  std::vector<RemoteFile> files;
  for (const std::string& name : names) {
    NIBBLE_TRY(RemoteFile file, describe(client, session, commit, name));
    session.total += file.bytes;
    files.push_back(std::move(file));
  }
  for (const RemoteFile& file : files) {
    NIBBLE_CHECK(download_blob(session, cache, file));
    NIBBLE_CHECK(cache.link(commit, file.name, file.etag));
  }
  return {};
}

Result<fs::path> fetch(HubSession& session, HubCache& cache, const HubName& name) {
  HttpClient client;
  NIBBLE_TRY(const HubListing listing, list_files(client, session, name));
  NIBBLE_CHECK(cache.check_inside(listing.commit, name.revision));
  NIBBLE_TRY(const auto there, cache.complete(listing.commit, name, session.options.files));
  if (!there) {
    NIBBLE_TRY(const std::vector<std::string> wanted, choose_files(listing.files, name, session.options.files));
    NIBBLE_CHECK(fetch_files(client, session, cache, listing.commit, wanted));
    const fs::path index = cache.snapshot(listing.commit) / "model.safetensors.index.json";
    if (std::find(wanted.begin(), wanted.end(), index.filename().string()) != wanted.end()) {
      NIBBLE_TRY(const auto shards, shards_of_index(index));
      NIBBLE_CHECK(fetch_files(client, session, cache, listing.commit, shards));
    }
  }
  NIBBLE_CHECK(cache.remember(name.revision, listing.commit));
  NIBBLE_TRY(const auto now, cache.complete(listing.commit, name, session.options.files));
  if (!now)
    return error(Errc::corrupt_file, "{}: the files in {} do not make a model", name.id, cache.folder().string());
  return *now;
}

// A path that is mistyped often has the form of a name on the hub; whoever has its first folder here meant a path.
Result<void> check_meant_for_hub(const std::string& model, const HubName& name) {
  std::error_code code;
  const fs::path folder = name.id.substr(0, name.id.find('/'));
  if (name.explicitly || !fs::is_directory(folder, code)) return {};
  const std::string wanted = name.id.substr(folder.string().size() + 1);
  std::string meant;
  if (const auto names = names_in_folder(folder))
    for (const std::string& there : *names)
      if ((there.starts_with(wanted) || wanted.starts_with(there)) && (meant.empty() || there < meant)) meant = there;
  return error(
      Errc::not_found,
      "{}: there is a folder \"{}\" here, and nothing of this name in it{}; if a model on the hub is meant, say "
      "hf.co/{}",
      model, folder.string(), meant.empty() ? "" : fmt::format(" (did you mean {}?)", (folder / meant).string()),
      model);
}

Result<fs::path> locate(const std::string& model, const HubOptions& asked) {
  std::error_code code;
  const auto name = parse_hub_name(model);
  if (!name || fs::exists(model, code)) return fs::path(model);
  HubSession session;
  session.options = resolved(asked);
  session.id = name->id;
  HubCache cache(session.options.cache, name->id);
  std::optional<fs::path> cached;
  if (const auto commit = cache.commit_of(name->revision)) {
    NIBBLE_TRY(cached, cache.complete(*commit, *name, session.options.files));
    if (cached && *commit == name->revision) return *cached;  // a commit never changes
  }
  if (!cached) NIBBLE_CHECK(check_meant_for_hub(model, *name));
  if (session.options.offline) {
    if (cached) return *cached;
    return error(
        Errc::not_found,
        "{}: there is no such file or folder here, the cache ({}) does not hold it whole, and HF_HUB_OFFLINE forbids "
        "asking the hub; unset it, or name a folder",
        model, session.options.cache.string());
  }
  auto fetched = fetch(session, cache, *name);
  if (fetched || fetched.error().code == Errc::cancelled) return fetched;
  // No answer at all: what was fetched before still runs.
  if (cached && fetched.error().code == Errc::io_failure) return *cached;
  if (fetched.error().code == Errc::io_failure || fetched.error().code == Errc::not_found)
    return Error{fetched.error().code,
                 fetched.error().message + fmt::format(" (\"{}\" is no file or folder here)", model)};
  return fetched;
}

}  // namespace

bool is_hub_name(std::string_view model) { return parse_hub_name(model).has_value(); }

Result<fs::path> locate_model(const std::string& model, const HubOptions& asked) {
  return or_out_of_memory(model, "fetching the model", [&] { return locate(model, asked); });
}

}  // namespace nibble
