#include "engine/fitting.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace nibble {
namespace {

constexpr std::size_t most_settings = 3;
constexpr std::int64_t useful_context = 256;   // shorter ones hold no conversation
constexpr std::int64_t shortest_context = 32;  // still a question

struct Setting {
  std::string options;
  std::uint64_t bytes = 0;
};

std::string words_of(const LoadOptions& options, const Workload& workload, const Request& asked) {
  std::string words;
  const auto add = [&](const std::string& option) { words += (words.empty() ? "" : " ") + option; };
  const QuantizationConfig& p = options.precision;
  if (p.label() != asked.options.precision.label())
    add(fmt::format("--precision {}{}", name_of(p.format), p.double_quant ? "-dq" : ""));
  if (options.kv_cache != asked.options.kv_cache) add(fmt::format("--kv-cache {}", name_of(options.kv_cache)));
  if (workload.context != asked.workload.context) add(fmt::format("--context {}", workload.context));
  if (workload.batch != asked.workload.batch) add(fmt::format("{} at once", workload.batch));
  if (options.threads != asked.options.threads) add(fmt::format("--threads {}", options.threads));
  return words;
}

// Of one way to hold the model: what fits of the contexts halved from what was asked, longest first, at most `most`.
Result<std::vector<Setting>> contexts_that_fit(const Request& asked, const LoadOptions& options, std::int64_t batch,
                                               std::int64_t shortest, std::size_t most, std::uint64_t limit) {
  std::vector<Setting> found;
  Workload workload = asked.workload;
  workload.batch = batch;
  for (; found.size() < most; workload.context /= 2) {
    workload.tokens = std::min(workload.tokens, workload.context * batch);
    NIBBLE_TRY(const std::uint64_t bytes,
               bytes_needed({asked.config, asked.checkpoint, options, asked.unquantized_dtype, workload}));
    if (bytes <= limit) found.push_back({words_of(options, workload, asked), bytes});
    if (workload.context / 2 < shortest) break;
  }
  return found;
}

// What changes least of the request comes first: fewer sequences, then each way to hold the model with the longest
// useful context. If that gives fewer than three settings, shorter contexts are tried, then one sequence, then one
// thread.
Result<std::vector<Setting>> settings_that_fit(const Request& asked, std::uint64_t limit) {
  std::vector<Setting> found;
  const auto keep = [&](const Setting& setting) {
    const bool known =
        std::any_of(found.begin(), found.end(), [&](const Setting& other) { return other.options == setting.options; });
    if (!setting.options.empty() && !known && found.size() < most_settings) found.push_back(setting);
  };
  if (asked.workload.batch > 1) {
    Request fewer = asked;
    fewer.workload.batch = asked.workload.batch / 2;
    fewer.workload.tokens = asked.workload.tokens / 2;
    NIBBLE_TRY(const std::uint64_t bytes, bytes_needed(fewer));
    if (bytes <= limit) keep({words_of(asked.options, fewer.workload, asked), bytes});
  }
  std::vector<LoadOptions> ways = {asked.options};
  if (kv_dtype_of(asked.options) == DType::f32) ways.push_back(asked.options), ways.back().kv_cache = Precision::bf16;
  for (const QuantizationConfig& narrower :
       {QuantizationConfig(Precision::bf16), QuantizationConfig(Precision::int8), QuantizationConfig::nf4(),
        QuantizationConfig::nf4({.double_quant = true})}) {
    ways.push_back(asked.options);
    ways.back().precision.format = narrower.format, ways.back().precision.double_quant = narrower.double_quant;
    if (!narrower.quantized()) ways.back().precision.compute_dtype = Precision::stored;
  }
  const auto look = [&](std::int64_t batch, std::int64_t shortest, std::size_t most) -> Result<void> {
    for (const LoadOptions& way : ways) {
      if (found.size() >= most_settings) break;
      NIBBLE_TRY(const std::vector<Setting> settings, contexts_that_fit(asked, way, batch, shortest, most, limit));
      for (const Setting& setting : settings) keep(setting);
    }
    return {};
  };
  NIBBLE_CHECK(look(asked.workload.batch, useful_context, 1));
  NIBBLE_CHECK(look(asked.workload.batch, shortest_context, most_settings + 1));
  NIBBLE_CHECK(look(1, shortest_context, most_settings + 1));
  // Each thread has workspace of its own, and a stack, which a limit on the address space counts.
  if (asked.options.threads != 1) {
    for (LoadOptions& way : ways) way.threads = 1;
    NIBBLE_CHECK(look(asked.workload.batch, useful_context, 1));
    NIBBLE_CHECK(look(1, shortest_context, most_settings + 1));
  }
  return found;
}

// The smallest plan there is, for when nothing fits.
Result<std::string> smallest_plan(const Request& asked) {
  LoadOptions options = asked.options;
  options.precision.format = Precision::nf4;
  options.precision.double_quant = true;
  options.threads = 1;
  Workload workload = asked.workload;
  workload.context = std::min(workload.context, shortest_context);
  workload.batch = 1;
  workload.tokens = 0;
  NIBBLE_TRY(const std::uint64_t bytes,
             bytes_needed({asked.config, asked.checkpoint, options, asked.unquantized_dtype, workload}));
  return fmt::format(
      "the smallest that works, `{}`, needs {}; free some memory, raise the limit, or take a smaller "
      "model",
      words_of(options, workload, asked), readable_bytes(bytes));
}

Result<std::string> what_next(const Request& asked, std::uint64_t limit) {
  NIBBLE_TRY(const std::vector<Setting> settings, settings_that_fit(asked, limit));
  if (settings.empty()) return smallest_plan(asked);
  std::string list;
  for (const Setting& setting : settings)
    list += fmt::format("{}{} ({})", list.empty() ? "" : ", ", setting.options, readable_bytes(setting.bytes));
  return "these would fit: " + list;
}

std::string words_of(const AvailableMemory& free) {
  switch (free.bound) {
    case MemoryBound::container:
      return fmt::format("the memory limit of this container (cgroup) leaves {} of {}", readable_bytes(free.bytes),
                         readable_bytes(free.limit));
    case MemoryBound::address_space:
      return fmt::format("the limit on address space (ulimit -v) leaves {} of {}", readable_bytes(free.bytes),
                         readable_bytes(free.limit));
    default:
      return readable_bytes(free.bytes) + " are free";
  }
}

// "the KV cache (1.2 GB)"
std::string largest_part(const MemoryReport& own) {
  const auto& largest =
      *std::max_element(std::begin(purposes), std::end(purposes),
                        [&](const PurposeFacts& a, const PurposeFacts& b) { return own[a.purpose] < own[b.purpose]; });
  return fmt::format("{}{} ({})", largest.purpose == Purpose::kv_cache ? "the " : "", largest.label,
                     readable_bytes(own[largest.purpose]));
}

}  // namespace

std::string readable_bytes(std::uint64_t bytes) {
  return bytes < 1000000000 ? fmt::format("{:.1f} MB", double(bytes) / 1e6)
                            : fmt::format("{:.2f} GB", double(bytes) / 1e9);
}

std::uint64_t bytes_beside(const ModelConfig& config, const LoadOptions& options) {
  return metadata_bytes(config.vocab_size) + tokenizer_bytes(config.vocab_size) + address_overhead(options.threads);
}

Result<std::uint64_t> bytes_needed(const Request& r) {
  NIBBLE_TRY(const MemoryPlan plan, rehearse(r.config, r.checkpoint, r.options, r.unquantized_dtype, r.workload));
  return plan.peak() + bytes_beside(r.config, r.options);
}

Result<MemoryPlan> check_fits(const Request& r, const AvailableMemory& free, std::uint64_t held) {
  const std::uint64_t limit = free.bytes == 0 ? 0 : free.bytes + held;
  NIBBLE_TRY(const MemoryPlan plan, rehearse(r.config, r.checkpoint, r.options, r.unquantized_dtype, r.workload));
  const std::uint64_t needed = plan.peak() + bytes_beside(r.config, r.options);
  if (limit == 0 || needed <= limit) return plan;
  NIBBLE_TRY(const std::string next, what_next(r, limit));
  return error(Errc::out_of_memory,
               "{} with a context of {}{} needs {} of its own memory and {}{}; most of it is {}; {}",
               r.options.precision.label(), r.workload.context,
               r.workload.batch > 1 ? fmt::format(" for {} sequences", r.workload.batch) : "", readable_bytes(needed),
               words_of(free), held > 0 ? fmt::format(" beside {} that it holds", readable_bytes(held)) : "",
               largest_part(plan.own), next);
}

Error explain_refusal(const Error& refused, const Request& request, std::uint64_t limit) {
  if (refused.code != Errc::out_of_memory || limit == 0) return refused;
  const auto next = what_next(request, limit);
  return next ? Error{refused.code, refused.message + "; " + *next} : refused;
}

}  // namespace nibble
