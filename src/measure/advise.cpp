#include "nibble/advise.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/out_of_memory.hpp"
#include "base/thread_pool.hpp"
#include "engine/available_memory.hpp"
#include "engine/fitting.hpp"
#include "engine/gguf_recipe.hpp"
#include "engine/load.hpp"
#include "measure/advice_words.hpp"
#include "measure/units.hpp"

namespace nibble {
namespace {

constexpr double headroom = 0.05;              // predictions are held to 2 %; the rest is for what else a machine does
constexpr std::int64_t context_step = 256;     // nobody needs 4711 tokens exactly
constexpr std::int64_t useful_context = 1024;  // with less, a model that is quantized is rounded again instead
// What a card has no more of before the model comes: the context of CUDA and its libraries. An assumption until Nibble
// measures it there.
constexpr std::uint64_t card_overhead = 600'000'000;

struct Card {
  const char* name;
  std::uint64_t mebibytes;  // as nvidia-smi reports them
};
constexpr Card cards[] = {{"RTX 4060", 8188},  {"RTX 3060", 12288}, {"RTX 4080", 16376}, {"RTX 4090", 24564},
                          {"RTX 5090", 32607}, {"L40S", 46068},     {"H100", 81559},     {"H200", 143771}};

// What a precision takes: exact but for tables and scratch, which are counted for the longest context.
struct Line {
  Fit fit;  // without figures
  std::uint64_t fixed = 0, process = 0, weights = 0, per_token = 0, per_sequence = 0;
  std::function<std::uint64_t(std::int64_t context)> cache;  // of one sequence

  // Never less than a run takes.
  std::uint64_t needed(std::int64_t context, std::int64_t batch) const {
    return fixed + cache(context) * std::uint64_t(batch) + std::uint64_t(context) * per_token +
           std::uint64_t(std::min<std::int64_t>(batch, 32) - 1) * per_sequence;
  }
  std::int64_t longest_context(std::uint64_t usable, std::int64_t batch, std::int64_t limit) const {
    if (needed(limit, batch) <= usable) return limit;
    std::int64_t low = 0, high = limit / context_step;
    while (low < high) {
      const std::int64_t middle = (low + high + 1) / 2;
      if (needed(middle * context_step, batch) <= usable)
        low = middle;
      else
        high = middle - 1;
    }
    return low * context_step;
  }
  std::int64_t largest_batch(std::uint64_t usable, std::int64_t context) const {
    std::int64_t low = 0, high = most_sequences;
    while (low < high) {
      const std::int64_t middle = (low + high + 1) / 2;
      if (needed(context, middle) <= usable)
        low = middle;
      else
        high = middle - 1;
    }
    return low;
  }
  Fit in(std::uint64_t usable, std::int64_t context, std::int64_t batch, std::int64_t limit) const {
    Fit out = fit;
    out.needed = needed(context, batch);
    out.longest_context = longest_context(usable, batch, limit);
    out.largest_batch = out.needed <= usable ? largest_batch(usable, context) : 0;
    return out;
  }
};

Result<Line> line_of(const Subject& subject, const QuantizationConfig& precision, const AdviseOptions& options) {
  EstimateOptions longest;
  longest.context = subject.max_positions();
  longest.kv_cache = options.kv_cache;
  longest.threads = options.threads;
  longest.device_map = options.device_map;
  NIBBLE_TRY(const PrecisionEstimate whole, subject.plan(precision, longest));
  Line line;
  line.fit.precision = whole.precision;
  line.fit.stored = whole.stored;
  line.fit.requantizes = whole.requantizes;
  line.fit.written = recipe_of(precision) != nullptr;
  line.process = whole.bytes[Purpose::process];
  line.weights = whole.bytes.weights_total();
  // Per token and sequence, at one token, where no window has begun to count.
  const std::uint64_t cached = whole.bytes[Purpose::kv_cache], tokens = subject.cached_tokens(longest.context);
  line.cache = [&subject, cached, tokens](std::int64_t context) {
    return tokens > 0 ? cached / tokens * subject.cached_tokens(context) : 0;
  };
  line.per_token = std::uint64_t(options.threads > 0 ? options.threads : 1) * sizeof(float);
  line.per_sequence = subject.vocabulary() * sizeof(float);
  // Weights that are mapped count as well: a model whose pages must be read again for every token is not usable.
  line.fixed = whole.bytes.total() - cached;
  // Loading may take more than running does.
  longest.context = 1;
  NIBBLE_TRY(const PrecisionEstimate least, subject.plan(precision, longest));
  line.fixed = std::max(line.fixed, least.peak + least.bytes.mapped);
  return line;
}

QuantizationConfig file_of(const char* type) {
  QuantizationConfig out;
  out.file_type = type;
  return out;
}

// What a model like this is usually held in, as stored first.
std::vector<QuantizationConfig> usual(const Subject& subject) {
  std::vector<QuantizationConfig> out = {{}};
  if (!subject.is_quantized() && subject.stored.format == Precision::fp32) out.emplace_back(Precision::bf16);
  out.push_back(QuantizationConfig::int8());
  if (!subject.is_quantized()) out.push_back(file_of("Q6_K"));
  out.push_back(QuantizationConfig::nf4());
  if (!subject.is_quantized()) out.push_back(file_of("Q4_K_M"));
  out.push_back(QuantizationConfig::nf4({.double_quant = true}));
  return out;
}

Result<std::vector<Line>> lines_of(const Subject& subject, const AdviseOptions& options) {
  const bool asked = !options.precisions.empty();
  std::vector<Line> out;
  for (const QuantizationConfig& precision : asked ? options.precisions : usual(subject)) {
    auto line = line_of(subject, precision, options);
    // A type whose blocks do not fill this model's rows is no choice.
    if (!line && !asked && line.error().code == Errc::unsupported && recipe_of(precision)) continue;
    if (!line) return line.error();
    if (!asked && !out.empty() && line->fit.stored) continue;  // named already
    // A second rounding must at least save something.
    if (!asked && line->fit.requantizes && double(line->weights) > worth_rounding * double(out.front().weights))
      continue;
    if (asked) line->fit.written = false;
    out.push_back(std::move(*line));
  }
  return out;
}

// The first that fits as it was wanted.
std::optional<std::size_t> first_that_fits(const std::vector<Fit>& fits, bool may_requantize) {
  for (std::size_t i = 0; i < fits.size(); ++i)
    if (fits[i].fits() && !fits[i].written && (may_requantize || !fits[i].requantizes)) return i;
  return {};
}

// Index of the narrowest that may be chosen.
std::size_t narrowest(const std::vector<Fit>& fits, bool may_requantize) {
  std::size_t out = 0;
  for (std::size_t i = 0; i < fits.size(); ++i)
    if (!fits[i].written && (may_requantize || !fits[i].requantizes)) out = i;
  return out;
}

void choose(Advice& out, const std::vector<Line>& lines, std::int64_t limit) {
  if ((out.choice = first_that_fits(out.fits, false))) return;
  if (out.fits.front().stored && out.fits.front().longest_context >= useful_context &&
      std::any_of(out.fits.begin(), out.fits.end(), [](const Fit& fit) { return fit.requantizes; })) {
    out.choice = 0;
    out.context = out.fits.front().longest_context;
    return;
  }
  if ((out.choice = first_that_fits(out.fits, true))) return;
  const std::size_t last = narrowest(out.fits, true);
  const Line& line = lines[last];
  while (out.batch > 1 && line.longest_context(out.usable, out.batch, limit) == 0) out.batch /= 2;
  out.context = line.longest_context(out.usable, out.batch, limit);
  if (out.context > 0)
    out.choice = last;
  else
    out.batch = 0;
}

Result<Advice> advise_on(const Subject& subject, const std::filesystem::path& model, const AdviseOptions& options) {
  NIBBLE_CHECK(check_workload(options.context, options.batch));
  NIBBLE_CHECK(check_device(options.device_map));
  for (const QuantizationConfig& precision : options.precisions) NIBBLE_CHECK(precision.check());
  AdviseOptions here = options, on_cards = options;
  if (here.threads <= 0) here.threads = usable_cores();
  on_cards.threads = 1;  // the workspace of threads is in the host's memory
  NIBBLE_TRY(const std::vector<Line> lines, lines_of(subject, here));
  NIBBLE_TRY(std::vector<Line> card_lines, lines_of(subject, on_cards));
  Advice out;
  out.architecture = subject.architecture;
  out.parameters = subject.parameters;
  out.notes = subject.notes;
  out.memory = options.memory ? options.memory : total_memory();
  out.usable = std::uint64_t(double(out.memory) * (1 - headroom));
  const std::int64_t limit = subject.max_positions(), context = std::min(options.context, limit);
  out.context = context;
  out.batch = options.batch;
  for (const Line& line : lines) out.fits.push_back(line.in(out.usable, context, options.batch, limit));
  choose(out, lines, limit);

  const std::size_t last = narrowest(out.fits, true);
  const std::int64_t shortest = std::min(context_step, limit);
  AdviceWords words{.subject = subject, .advice = out, .model = model, .wanted_context = context};
  words.least_context = shortest;
  words.least = std::uint64_t(double(lines[last].needed(shortest, 1)) / (1 - headroom)) + 1;
  words.needed = out.choice ? lines[*out.choice].needed(out.context, out.batch) : 0;
  out.reason = words.reason();
  out.command = words.command();
  out.on_a_card = words.on_a_card();
  for (const Card& card : cards) {
    CardFit fit{card.name, card.mebibytes << 20, {}, {}};
    const auto usable = std::uint64_t(double(fit.memory - card_overhead) * (1 - headroom));
    for (Line line : card_lines) {
      line.fixed -= line.process;  // that is in the host's memory
      fit.fits.push_back(line.in(usable, context, options.batch, limit));
    }
    fit.choice = first_that_fits(fit.fits, false);
    out.cards.push_back(std::move(fit));
  }
  return out;
}

}  // namespace

Result<Advice> advise(const std::filesystem::path& model, const AdviseOptions& options) {
  return or_out_of_memory(model.native(), "planning memory", [&]() -> Result<Advice> {
    NIBBLE_TRY(const Subject subject, open_subject(model, options.ignore_config));
    return advise_on(subject, model, options);
  });
}

Result<std::optional<Advice>> advise_nearest(std::uint64_t parameters, const AdviseOptions& options) {
  return or_out_of_memory("", "planning memory", [&]() -> Result<std::optional<Advice>> {
    const std::optional<Subject> shape = nearest_shape(parameters);
    if (!shape) return std::optional<Advice>();
    NIBBLE_TRY(Advice out, advise_on(*shape, {}, options));
    return std::optional<Advice>(std::move(out));
  });
}

Result<std::uint64_t> parse_bytes(std::string_view text) {
  const std::string copy(text);
  char* end = nullptr;
  const double number = std::strtod(copy.c_str(), &end);
  std::string unit = end;
  unit.erase(0, unit.find_first_not_of(' '));
  const auto bad = [&](std::string_view why) {
    return error(Errc::bad_request, "\"{}\" {}; write a positive number with a unit, as in 12GiB or 500MB", text, why);
  };
  if (end == copy.c_str()) return bad("is no size");
  if (unit.empty()) return bad("has no unit");
  constexpr std::string_view prefixes = "KMGT";
  const std::size_t power = prefixes.find(char(std::toupper(static_cast<unsigned char>(unit[0]))));
  std::string suffix = unit.substr(1);  // in capitals or not; "12G" is 12 GB, as the units of disks and cards are
  for (char& c : suffix) c = char(std::tolower(static_cast<unsigned char>(c)));
  const bool binary = suffix == "ib" || suffix == "i";
  if (power == std::string_view::npos || !(binary || suffix == "b" || suffix.empty()))
    return bad("has a unit that is not known");
  const double bytes = number * std::pow(binary ? 1024.0 : 1000.0, double(power + 1));
  if (!(bytes >= 1) || bytes > 1e15) return bad("is not a size that a machine has");
  return std::uint64_t(bytes);
}

}  // namespace nibble
