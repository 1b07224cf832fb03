// Which precision to take: the fastest of those that cost no quality to speak of, or the smallest of them where the
// machine was too busy to say which is fast.
#include "measure/compare_verdict.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "measure/units.hpp"

namespace nibble {
namespace {

// Rates this close are the same: repeats of one measurement differ as much.
constexpr double same_speed = 0.95;

const PrecisionResult* reference_of(const Comparison& comparison) {
  for (const PrecisionResult& r : comparison.results)
    if (r.error.empty() && r.precision.label() == comparison.reference) return &r;
  return nullptr;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i)
    out += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return out;
}

// " int8 and nf4 were not measured.", or nothing.
std::string not_measured(const Comparison& comparison) {
  std::vector<std::string> names;
  for (const PrecisionResult& r : comparison.results)
    if (!r.error.empty()) names.push_back(r.precision.label());
  if (names.empty()) return {};
  return fmt::format(" {} {} not measured.", joined(names), names.size() == 1 ? "was" : "were");
}

// What a second rounding would bring and cost, or nothing.
std::string second_roundings(const Comparison& comparison, const PrecisionResult& best,
                             const PrecisionResult& reference) {
  std::vector<std::string> rounded;
  for (const PrecisionResult& r : comparison.results) {
    if (!r.error.empty() || r.requantized_from.empty()) continue;
    const double faster = r.decode_tokens_per_s / best.decode_tokens_per_s;
    rounded.push_back(fmt::format("{} ({}perplexity {:+.2f} %, {} of weights)", r.precision.label(),
                                  comparison.busy.empty() ? fmt::format("{:.2f} times as fast, ", faster) : "",
                                  100 * (r.perplexity / reference.perplexity - 1),
                                  megabytes(r.resident.weights_total())));
  }
  if (rounded.empty()) return {};
  return fmt::format("The files hold {}; what else was measured rounds their weights a second time: {}.",
                     reference.precision.label(), joined(rounded));
}

}  // namespace

const PrecisionResult* choose(const Comparison& comparison) {
  const PrecisionResult* reference = reference_of(comparison);
  const auto measured = [](const PrecisionResult& r) { return r.error.empty(); };
  if (!reference || std::count_if(comparison.results.begin(), comparison.results.end(), measured) < 2) return nullptr;
  // Weights are not rounded a second time for speed alone: that is said with its cost, and left to the reader.
  const auto allowed = [&](const PrecisionResult& r) {
    return r.error.empty() && r.requantized_from.empty() &&
           r.perplexity <= reference->perplexity * (1 + allowed_perplexity_rise);
  };
  double fastest = 0;
  std::uint64_t smallest = UINT64_MAX;
  for (const PrecisionResult& r : comparison.results)
    if (allowed(r)) {
      fastest = std::max(fastest, r.decode_tokens_per_s);
      smallest = std::min(smallest, r.resident.weights_total());
    }
  const auto among_the_best = [&](const PrecisionResult& r) {
    return comparison.busy.empty() ? r.decode_tokens_per_s >= same_speed * fastest
                                   : r.resident.weights_total() == smallest;
  };
  const PrecisionResult* best = nullptr;
  for (const PrecisionResult& r : comparison.results)
    if (allowed(r) && among_the_best(r) && (!best || r.divergence.mean_kl < best->divergence.mean_kl)) best = &r;
  return best;
}

std::string explain_busy(const Comparison& comparison) {
  std::string first;
  std::vector<std::string> others;
  for (const PrecisionResult& r : comparison.results) {
    if (!r.error.empty() || r.repeats.busy.empty()) continue;
    if (first.empty())
      first = r.precision.label() + ": " + r.repeats.busy;
    else
      others.push_back(r.precision.label());
  }
  return others.empty() ? first : fmt::format("{}; {} as well", first, joined(others));
}

std::string explain_choice(const Comparison& comparison) {
  const std::string missing = not_measured(comparison);
  const PrecisionResult* best = choose(comparison);
  if (!best)
    return fmt::format("{} is the only precision that was measured, so there is nothing to choose.{}",
                       comparison.reference, missing);
  const PrecisionResult& reference = *reference_of(comparison);
  const auto rise = [&](const PrecisionResult& r) { return 100 * (r.perplexity / reference.perplexity - 1); };
  const bool busy = !comparison.busy.empty();
  std::vector<std::string> allowed, faster;
  const PrecisionResult* smallest = best;
  for (const PrecisionResult& r : comparison.results) {
    if (!r.error.empty()) continue;
    if (!r.requantized_from.empty()) continue;
    if (r.perplexity <= reference.perplexity * (1 + allowed_perplexity_rise))
      allowed.push_back(r.precision.label());
    else if (!busy && r.decode_tokens_per_s > best->decode_tokens_per_s)
      faster.push_back(fmt::format("{} ({:.2f} times as fast, perplexity {:+.1f} %)", r.precision.label(),
                                   r.decode_tokens_per_s / best->decode_tokens_per_s, rise(r)));
    if (r.resident.weights_total() < smallest->resident.weights_total()) smallest = &r;
  }

  std::string text = fmt::format("On this machine take {}. ", best->precision.label());
  if (busy)
    text += fmt::format(
        "The machine was busy while speeds were measured ({}), so the choice rests on sizes and quality alone. ",
        comparison.busy);
  if (const std::string rounded = second_roundings(comparison, *best, reference); !rounded.empty()) {
    text += rounded;
  } else if (allowed.size() == 1) {
    text += fmt::format("No other precision that was measured keeps the perplexity of {} ({:.3f}) within {:.0f} %.",
                        comparison.reference, reference.perplexity, 100 * allowed_perplexity_rise);
  } else {
    text +=
        fmt::format("{} keep the perplexity of {} ({:.3f}) within {:.0f} %, and of these {} ", joined(allowed),
                    comparison.reference, reference.perplexity, 100 * allowed_perplexity_rise, best->precision.label());
    text += busy ? fmt::format("has the smallest weights: {}", megabytes(best->resident.weights_total()))
                 : fmt::format("generates fastest: {:.0f} tokens/s", best->decode_tokens_per_s);
    if (best != &reference)
      text += fmt::format(
          "{}. Its perplexity is {:+.2f} %, and at {:.1f} % of positions it finds the same token most "
          "likely",
          busy ? std::string()
               : fmt::format(", {:.1f} times {}", best->decode_tokens_per_s / reference.decode_tokens_per_s,
                             comparison.reference),
          rise(*best), 100 * best->divergence.top1_agreement);
    text += ".";
  }
  if (!faster.empty()) text += fmt::format(" Faster, but beyond that limit: {}.", joined(faster));
  if (smallest != best)
    text += fmt::format(" If memory is short take {}: its weights are {} instead of {}, its perplexity {:+.1f} %.",
                        smallest->precision.label(), megabytes(smallest->resident.weights_total()),
                        megabytes(best->resident.weights_total()), rise(*smallest));
  const std::uint64_t needed = best->peak_anonymous + best->peak_mapped;
  if (comparison.available_bytes > 0)
    text += fmt::format(" {} took {} at its highest, file pages included; {:.1f} GB were free.",
                        best->precision.label(), megabytes(needed), double(comparison.available_bytes) / 1e9);
  return text + missing;
}

}  // namespace nibble
