// Each precision lives and dies in its own process, so that its memory is its own; what it learned comes back through a
// pipe, a line of JSON at a time: progress, then the result. Why a fork: docs/decisions/0022-compare-forks.md.
#include "nibble/compare.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>

#include "base/out_of_memory.hpp"
#include "engine/available_memory.hpp"
#include "measure/compare_json.hpp"
#include "measure/compare_measure.hpp"
#include "measure/compare_verdict.hpp"
#include "measure/named_once.hpp"
#include "measure/subject.hpp"
#include "measure/units.hpp"
#include "models/checkpoint.hpp"

namespace nibble {
namespace {

constexpr int no_memory_to_answer = 3;  // exit status of a child

void send(int pipe, const Json& message) {
  const std::string text = message.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t count = ::write(pipe, text.data() + sent, text.size() - sent);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) ::_exit(1);
    sent += std::size_t(count);
  }
}

// What a child says beside its result, in one list for both directions.
template <class Report, class Visit>
void visit_report(Report& report, Visit visit) {
  visit("machine", report.machine);
  visit("instruction_set", report.instruction_set);
  visit("threads", report.threads);
  visit("recipe", report.recipe);
  visit("predicted_tokens", report.predicted_tokens);
  visit("context", report.context);
  visit("stride", report.stride);
  visit("bos", report.bos);
  visit("prompt", report.prompt);
  visit("parameters", report.parameters);
  visit("chat", report.chat);
}

[[noreturn]] void be_the_child(int pipe, const std::filesystem::path& path, const QuantizationConfig& precision,
                               const CompareOptions& options, bool is_reference, ReferenceLogits& logits,
                               const CopyFolder& copies) try {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // nobody would read what it finds
  int last = 0;
  const auto report = or_out_of_memory(path.native(), "measuring", [&] {
    return measure_precision(path, precision, options, is_reference, logits, copies, [&](double done) {
      if (int(done * 100) == last) return;
      last = int(done * 100);
      send(pipe, {{"progress", done}});
    });
  });
  if (report) {
    Json answer = {{"result", to_json_object(report->result)}};
    visit_report(*report, [&](const char* name, const auto& value) { answer[name] = value; });
    send(pipe, answer);
  } else {
    send(pipe, {{"error", report.error().message}, {"code", int(report.error().code)}});
  }
  ::_exit(0);
} catch (...) {
  ::_exit(no_memory_to_answer);  // the copy of the caller's program must not go on
}

// A process that measures, and the end of the pipe that it answers on; both are gone when this is.
class Child {
 public:
  Child(pid_t process, int pipe) : process_(process), pipe_(pipe) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    ::close(pipe_);
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    wait();
  }
  int pipe() const { return pipe_; }
  int wait() {
    int status = 0;
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    process_ = 0;
    return status;
  }

 private:
  pid_t process_;
  int pipe_;
};

// Every line that the child sends goes to `take`, until it closes its end or `stop` says so; false if stopped.
template <class Take>
bool listen(int pipe, const std::function<bool()>& stop, Take take) {
  std::string text;
  for (;;) {
    if (stop && stop()) return false;
    pollfd answer{pipe, POLLIN, 0};
    if (::poll(&answer, 1, 100) <= 0) continue;
    char buffer[65536];
    const ssize_t count = ::read(pipe, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return true;
    text.append(buffer, std::size_t(count));
    for (std::size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1))
      take(text.substr(0, end));
  }
}

Result<PrecisionReport> measure_apart(const std::filesystem::path& path, const QuantizationConfig& precision,
                                      const CompareOptions& options, bool is_reference, ReferenceLogits& logits,
                                      const Progress& progress) {
  NIBBLE_TRY(const CopyFolder copies, CopyFolder::create(options.stored_copies));
  int ends[2];
  if (::pipe(ends) != 0) return error(Errc::io_failure, "cannot create a pipe");
  std::fflush(nullptr);
  const pid_t process = ::fork();
  if (process == 0) {
    ::close(ends[0]);
    be_the_child(ends[1], path, precision, options, is_reference, logits, copies);
  }
  ::close(ends[1]);
  Child child(process, ends[0]);
  if (process < 0) return error(Errc::io_failure, "cannot start a process");
  Json last;
  const bool finished = listen(child.pipe(), options.stop, [&](const std::string& line) {
    Json message = Json::parse(line, nullptr, false);
    if (!message.is_object()) return;
    if (message.contains("progress")) return progress(message["progress"].get<double>());
    last = std::move(message);
  });
  if (!finished) return error(Errc::cancelled, "stopped");
  const int status = child.wait();
  if (last.is_null() && WIFEXITED(status) && WEXITSTATUS(status) == no_memory_to_answer)
    return out_of_memory(path.native(), "measuring");
  if (last.is_null())
    return error(Errc::internal, "the process that measured {} ended without an answer ({} {}){}", precision.label(),
                 WIFSIGNALED(status) ? "signal" : "status",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                 WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? "; was there too little memory?" : "");
  if (last.contains("error")) return Error{Errc(last["code"].get<int>()), last["error"].get<std::string>()};
  PrecisionReport report;
  report.result = result_from_json(last["result"]);
  visit_report(report, [&](const char* name, auto& value) { last[name].get_to(value); });
  return report;
}

bool is_stored(const QuantizationConfig& precision) { return precision.format == Precision::stored; }

// What was asked for, and the files as they are where nothing else could be the reference.
Result<std::vector<QuantizationConfig>> what_to_measure(const std::filesystem::path& path,
                                                        const CompareOptions& options,
                                                        const QuantizationConfig& stored) {
  std::vector<QuantizationConfig> out = options.precisions;
  if (out.empty()) return default_precisions(path);
  const bool has_one = std::any_of(out.begin(), out.end(), [&](const QuantizationConfig& precision) {
    const bool holds_all = !precision.quantized() && facts_of(precision.format).bits >= facts_of(stored.format).bits;
    return is_stored(precision) || (!is_quantized(stored) && holds_all);
  });
  if (!has_one) out.insert(out.begin(), QuantizationConfig());
  return out;
}

// The order in which these are measured, the reference first: the widest, but files that are quantized are the original
// of everything that is made from them.
std::vector<std::size_t> order_of_measuring(const std::vector<QuantizationConfig>& asked,
                                            const QuantizationConfig& stored) {
  std::vector<std::size_t> order(asked.size());
  std::iota(order.begin(), order.end(), std::size_t(0));
  const std::vector<FormatFacts> by_width = widest_first(precisions());
  const auto narrowness = [&](std::size_t i) -> std::ptrdiff_t {
    const bool as_stored = is_stored(asked[i]);
    if (as_stored && is_quantized(stored)) return -1;
    const Precision format = as_stored ? stored.format : asked[i].format;
    return std::find_if(by_width.begin(), by_width.end(), [&](const FormatFacts& f) { return f.precision == format; }) -
           by_width.begin();
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return narrowness(a) < narrowness(b); });
  return order;
}

Result<QuantizationConfig> stored_precision(const std::filesystem::path& path) {
  NIBBLE_TRY(const auto checkpoint, Checkpoint::open(path));
  return resolve_precision({}, *checkpoint);
}

// Whether no precision after one that ended so can be measured.
bool ends_all(const Error& problem, const Comparison& comparison) {
  if (problem.code == Errc::cancelled) return true;
  return comparison.reference.empty() && (problem.code == Errc::not_found || problem.code == Errc::bad_request);
}

Result<Comparison> compare_apart(const std::filesystem::path& path, const CompareOptions& options) {
  NIBBLE_CHECK(named_once(options.precisions));
  if (options.text.empty()) return error(Errc::bad_request, "the text to evaluate is empty");
  if (options.max_eval_tokens < 2 || options.new_tokens < 1 || options.prefill_tokens < 1 ||
      options.decode_tokens < 1 || options.repeats < 1)
    return error(Errc::bad_request,
                 "at least 2 tokens must be evaluated, and the answer, prefill, decode and repeats need at least 1");
  Comparison comparison;
  comparison.model = path.string();
  comparison.available_bytes = available_memory().bytes;
  comparison.provenance = provenance();
  comparison.provenance.model = comparison.model;
  comparison.provenance.text_sha256 = sha256_of(options.text);

  NIBBLE_TRY(const QuantizationConfig stored, stored_precision(path));
  NIBBLE_TRY(const std::vector<QuantizationConfig> asked, what_to_measure(path, options, stored));
  const std::vector<std::size_t> order = order_of_measuring(asked, stored);
  comparison.results.resize(order.size());  // as they were asked for
  NIBBLE_TRY(ReferenceLogits logits, ReferenceLogits::create());
  std::optional<Error> problem;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const QuantizationConfig& precision = asked[order[i]];
    PrecisionResult& slot = comparison.results[order[i]];
    slot.precision = is_stored(precision) ? stored : precision;
    if (problem && ends_all(*problem, comparison)) {
      slot.error = problem->message;
      continue;
    }
    const auto report = measure_apart(path, precision, options, comparison.reference.empty(), logits, [&](double done) {
      if (options.progress) options.progress(precision.label(), (double(i) + done) / double(order.size()));
    });
    if (!report) {
      slot.error = report.error().message;
      if (!problem || report.error().code == Errc::cancelled) problem = report.error();
      continue;
    }
    slot = report->result;
    comparison.machine = report->machine;
    comparison.provenance.instruction_set = report->instruction_set;
    comparison.provenance.threads = report->threads;
    comparison.recipe = report->recipe;
    comparison.predicted_tokens = report->predicted_tokens;
    comparison.context = report->context;
    comparison.stride = report->stride;
    comparison.bos = report->bos;
    comparison.prompt = report->prompt;
    comparison.parameters = report->parameters;
    comparison.chat = report->chat;
    if (comparison.reference.empty()) comparison.reference = slot.precision.label();
  }
  if (comparison.reference.empty()) return *problem;
  for (const PrecisionResult& r : comparison.results)
    comparison.provenance.precision += (comparison.provenance.precision.empty() ? "" : ", ") + r.precision.label();
  comparison.busy = explain_busy(comparison);
  comparison.verdict = explain_choice(comparison);
  return comparison;
}

}  // namespace

Result<std::vector<QuantizationConfig>> default_precisions(const std::filesystem::path& path) {
  NIBBLE_TRY(const QuantizationConfig stored, stored_precision(path));
  std::vector<QuantizationConfig> out = {{}};
  if (!is_quantized(stored)) {
    for (const FormatFacts& format : widest_first(precisions()))
      if (format.precision != stored.format) out.emplace_back(format.precision);
    return out;
  }
  if (stored.format != Precision::int8) out.push_back(QuantizationConfig::int8());
  NIBBLE_TRY(const Subject subject, open_subject(path, {}));
  NIBBLE_TRY(const PrecisionEstimate whole, subject.plan({}, {}));
  NIBBLE_TRY(const PrecisionEstimate nf4, subject.plan(QuantizationConfig::nf4(), {}));
  if (double(nf4.bytes.weights_total()) < worth_rounding * double(whole.bytes.weights_total()))
    out.push_back(QuantizationConfig::nf4());
  return out;
}

Result<Comparison> compare(const std::filesystem::path& path, const CompareOptions& options) {
  return or_out_of_memory(path.native(), "comparing precisions", [&] { return compare_apart(path, options); });
}

}  // namespace nibble
