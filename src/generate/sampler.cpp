#include "generate/sampler.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace nibble {

Result<void> check(const Sampling& s) {
  const auto wrong = [](std::string_view name, double value, std::string_view range) {
    return error(Errc::bad_request, "{} is {}, expected {}", name, value, range);
  };
  if (!(s.temperature >= 0 && s.temperature <= 100)) return wrong("temperature", s.temperature, "0 to 100");
  if (s.top_k < 0) return wrong("top-k", s.top_k, "0 (off) or more");
  if (!(s.top_p > 0 && s.top_p <= 1)) return wrong("top-p", s.top_p, "above 0, at most 1");
  if (!(s.min_p >= 0 && s.min_p <= 1)) return wrong("min-p", s.min_p, "0 to 1");
  if (!(s.repetition_penalty > 0 && s.repetition_penalty <= 100))
    return wrong("repetition penalty", s.repetition_penalty, "above 0, at most 100");
  return {};
}

namespace {

// The increment and the mixing of splitmix64 (Steele, Lea, Flood 2014).
constexpr std::uint64_t step = 0x9e3779b97f4a7c15ull;
std::uint64_t mixed(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

}  // namespace

// Seeds are mixed before they are used: states that differ by a multiple of the step are one sequence, shifted.
Sampler::Sampler(const Sampling& sampling, std::uint64_t stream)
    : sampling_(sampling), state_(mixed(mixed(sampling.seed + step) + stream)) {}

double Sampler::uniform() { return double(mixed(state_ += step) >> 11) * 0x1p-53; }

std::span<const Choice> Sampler::most_likely(std::span<const float> scores) {
  choices_ = {{std::int32_t(std::max_element(scores.begin(), scores.end()) - scores.begin()), 1}};
  return choices_;
}

std::span<const Choice> Sampler::choices(std::span<const float> logits, std::span<const std::int32_t> seen) {
  if (sampling_.temperature == 0 && sampling_.repetition_penalty == 1) return most_likely(logits);
  scores_.assign(logits.begin(), logits.end());
  if (sampling_.repetition_penalty != 1) {
    std::vector<std::int32_t> unique(seen.begin(), seen.end());
    std::sort(unique.begin(), unique.end());
    unique.erase(std::unique(unique.begin(), unique.end()), unique.end());
    for (const std::int32_t id : unique) {
      float& score = scores_[std::size_t(id)];
      score = score > 0 ? score / sampling_.repetition_penalty : score * sampling_.repetition_penalty;
    }
  }
  if (sampling_.temperature == 0) return most_likely(scores_);

  const std::size_t vocabulary = scores_.size();
  const std::size_t count = sampling_.top_k > 0 ? std::min(std::size_t(sampling_.top_k), vocabulary) : vocabulary;
  order_.resize(vocabulary);
  for (std::size_t i = 0; i < vocabulary; ++i) order_[i] = std::int32_t(i);
  const auto better = [this](std::int32_t a, std::int32_t b) {
    return scores_[a] != scores_[b] ? scores_[a] > scores_[b] : a < b;
  };
  std::partial_sort(order_.begin(), order_.begin() + std::ptrdiff_t(count), order_.end(), better);

  // Unnormalized until the end; the first has weight 1.
  choices_.resize(count);
  const double highest = scores_[order_[0]];
  double total = 0;
  for (std::size_t i = 0; i < count; ++i) {
    choices_[i] = {order_[i], std::exp((double(scores_[order_[i]]) - highest) / sampling_.temperature)};
    total += choices_[i].probability;
  }
  if (sampling_.top_p < 1) {
    double sum = 0;
    std::size_t within = 0;
    while (within < count && sum < double(sampling_.top_p) * total) sum += choices_[within++].probability;
    choices_.resize(within);
  }
  while (choices_.size() > 1 && choices_.back().probability < double(sampling_.min_p)) choices_.pop_back();
  total = 0;
  for (const Choice& choice : choices_) total += choice.probability;
  for (Choice& choice : choices_) choice.probability /= total;
  return choices_;
}

std::int32_t Sampler::pick(std::span<const float> logits, std::span<const std::int32_t> seen) {
  const std::span<const Choice> from = choices(logits, seen);
  if (sampling_.temperature == 0) return from[0].id;
  return drawn(from, uniform());
}

std::int32_t drawn(std::span<const Choice> from, double uniform) {
  for (const Choice& choice : from.first(from.size() - 1)) {
    if (uniform < choice.probability) return choice.id;
    uniform -= choice.probability;
  }
  return from.back().id;
}

}  // namespace nibble
