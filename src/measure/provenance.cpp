#include "nibble/provenance.hpp"

#include <ctime>

#include "base/build_commit.hpp"
#include "base/cpu_features.hpp"
#include "base/digest.hpp"
#include "base/error.hpp"
#include "base/thread_pool.hpp"
#include "engine/backends.hpp"
#include "engine/loaded_model.hpp"

namespace nibble {
namespace {

std::string date_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[sizeof "9999-12-31T23:59:59Z"];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

}  // namespace

Provenance provenance() {
  Provenance out;
  out.version = NIBBLE_VERSION;
  out.commit = build_commit();
  out.date = date_now();
  out.processor = cpu_features().model;
  out.threads = usable_cores();
  if (const auto backend = make_backend({.threads = 1})) out.instruction_set = (*backend)->name();
  return out;
}

Provenance provenance(const Model& model, std::string_view path) {
  Provenance out = provenance();
  out.model = path;
  out.precision = model.held_as();
  out.instruction_set = model.implementation().backend->name();
  out.threads = model.implementation().threads;
  return out;
}

std::string sha256_of(std::string_view text) { return sha256(text); }

std::string made_by(const Provenance& p) {
  return fmt::format("Nibble {} (commit {}), {}, {}, {}, {} thread{}", p.version, p.commit, p.date, p.processor,
                     p.instruction_set, p.threads, p.threads == 1 ? "" : "s");
}

}  // namespace nibble
