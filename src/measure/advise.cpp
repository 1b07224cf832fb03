#include "nibble/advise.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/out_of_memory.hpp"
#include "base/thread_pool.hpp"
#include "engine/available_memory.hpp"
#include "engine/fitting.hpp"
#include "engine/load.hpp"
#include "measure/subject.hpp"

namespace nibble {
namespace {

constexpr double headroom = 0.05;           // predictions are held to 2 %; the rest is for what else a machine does
constexpr std::int64_t context_step = 256;  // nobody needs 4711 tokens exactly
constexpr std::int64_t most_sequences = 1024;
// What a card has no more of before the model comes: the context of CUDA and its libraries. An assumption until Nibble
// measures it there.
constexpr std::uint64_t card_overhead = 600'000'000;

struct Card {
  const char* name;
  std::uint64_t mebibytes;  // as nvidia-smi reports them
};
constexpr Card cards[] = {{"RTX 4060", 8188},  {"RTX 3060", 12288}, {"RTX 4080", 16376}, {"RTX 4090", 24564},
                          {"RTX 5090", 32607}, {"L40S", 46068},     {"H100", 81559},     {"H200", 143771}};

// What a precision takes as a line: exact but for tables and scratch, which are counted for the longest context.
struct Line {
  QuantizationConfig precision;
  std::uint64_t fixed = 0, process = 0, per_token = 0, per_sequence = 0, cached = 0;

  // Never less than a run takes.
  std::uint64_t needed(std::int64_t context, std::int64_t batch) const {
    return fixed + std::uint64_t(context) * (cached * std::uint64_t(batch) + per_token) +
           std::uint64_t(std::min<std::int64_t>(batch, 32) - 1) * per_sequence;
  }
  std::int64_t longest_context(std::uint64_t usable, std::int64_t batch, std::int64_t limit) const {
    if (needed(0, batch) >= usable) return 0;
    const auto most = std::int64_t((usable - needed(0, batch)) / (cached * std::uint64_t(batch) + per_token));
    return most >= limit ? limit : most / context_step * context_step;
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
};

Result<Line> line_of(const Subject& subject, const QuantizationConfig& precision, const AdviseOptions& options) {
  EstimateOptions longest;
  longest.context = subject.max_positions();
  longest.kv_cache = options.kv_cache;
  longest.threads = options.threads;
  longest.device_map = options.device_map;
  NIBBLE_TRY(const PrecisionEstimate whole, subject.plan(precision, longest));
  const auto context = std::uint64_t(longest.context);
  Line line;
  line.precision = precision;
  line.process = whole.bytes[Purpose::process];
  line.cached = whole.bytes[Purpose::kv_cache] / context;
  line.per_token = std::uint64_t(options.threads > 0 ? options.threads : 1) * sizeof(float);
  line.per_sequence = subject.vocabulary() * sizeof(float);
  // Weights that are mapped count as well: a model whose pages must be read again for every token is not usable.
  line.fixed = whole.bytes.total() - whole.bytes[Purpose::kv_cache];
  // Loading may take more than running does.
  longest.context = 1;
  NIBBLE_TRY(const PrecisionEstimate least, subject.plan(precision, longest));
  line.fixed = std::max(line.fixed, least.peak + least.bytes.mapped);
  return line;
}

Fit fit_of(const Line& line, std::uint64_t usable, std::int64_t context, std::int64_t batch, std::int64_t limit) {
  Fit fit;
  fit.precision = line.precision;
  fit.needed = line.needed(context, batch);
  fit.longest_context = line.longest_context(usable, batch, limit);
  fit.largest_batch = fit.needed <= usable ? line.largest_batch(usable, context) : 0;
  return fit;
}

std::optional<std::size_t> widest_that_fits(const std::vector<Fit>& fits) {
  for (std::size_t i = 0; i < fits.size(); ++i)
    if (fits[i].fits()) return i;
  return {};
}

std::string quoted(const std::string& text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || std::string_view("/._-+:@%").find(char(c)) != std::string_view::npos;
  });
  if (plain && !text.empty()) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string command_for(const std::filesystem::path& model, const QuantizationConfig& precision, std::int64_t context) {
  // Beside a config.json alone there is nothing to run yet.
  const std::string folder = model.extension() == ".json" ? "FOLDER" : quoted(model.string());
  return fmt::format("nibble run {} Hello --precision {}{} --context {}", folder, name_of(precision.format),
                     precision.double_quant ? "-dq" : "", context);
}

std::string explain(const Advice& advice, const std::vector<Line>& lines, std::int64_t context) {
  const Fit& chosen = advice.fits[advice.choice];
  const std::uint64_t needed = lines[advice.choice].needed(advice.context, advice.batch);
  std::string out = fmt::format("{} with a context of {}{} takes {} of {}", chosen.precision.label(), advice.context,
                                advice.batch > 1 ? fmt::format(" for {} sequences", advice.batch) : "",
                                readable_bytes(needed), readable_bytes(advice.usable));
  if (advice.context < context)
    return out + fmt::format("; the {} tokens that were wanted fit at no precision", context);
  if (advice.choice == 0)
    out += ", and nothing has to be traded: it holds the weights as they are stored";
  else
    out += fmt::format("; {}, which is wider, would need {}", advice.fits[advice.choice - 1].precision.label(),
                       readable_bytes(advice.fits[advice.choice - 1].needed));
  out += fmt::format(". There is room for a context of {} or for {}{} sequences of {}", chosen.longest_context,
                     chosen.largest_batch, chosen.largest_batch == most_sequences ? " and more" : "", advice.context);
  const Fit& narrow = advice.fits.back();
  if (advice.choice + 1 < advice.fits.size())
    out += fmt::format(". {} would leave room for a context of {} or for {} sequences, and reads fewer bytes per token",
                       narrow.precision.label(), narrow.longest_context, narrow.largest_batch);
  return out;
}

Result<Advice> advise_on(const std::filesystem::path& model, const AdviseOptions& options) {
  NIBBLE_CHECK(check_workload(options.context, options.batch));
  NIBBLE_CHECK(check_device(options.device_map));
  NIBBLE_TRY(const Subject subject, open_subject(model, options.ignore_config));
  AdviseOptions resolved = options;
  if (resolved.threads <= 0) resolved.threads = usable_cores();
  std::vector<Line> lines;
  for (const QuantizationConfig& precision :
       {QuantizationConfig(precision_of(subject.unquantized_dtype)), QuantizationConfig::int8(),
        QuantizationConfig::nf4(), QuantizationConfig::nf4({.double_quant = true})}) {
    NIBBLE_TRY(Line line, line_of(subject, precision, resolved));
    lines.push_back(std::move(line));
  }
  Advice out;
  out.architecture = subject.architecture;
  out.parameters = subject.parameters;
  out.notes = subject.notes;
  out.memory = options.memory ? options.memory : total_memory();
  out.usable = std::uint64_t(double(out.memory) * (1 - headroom));
  const std::int64_t limit = subject.max_positions(), context = std::min(options.context, limit);
  out.context = context;
  out.batch = options.batch;
  for (const Line& line : lines) out.fits.push_back(fit_of(line, out.usable, context, options.batch, limit));

  if (const auto choice = widest_that_fits(out.fits)) {
    out.choice = *choice;
  } else {
    out.choice = out.fits.size() - 1;
    const Line& narrowest = lines.back();
    const std::int64_t shortest = std::min(context_step, limit);
    for (out.batch = options.batch; out.batch > 1 && narrowest.longest_context(out.usable, out.batch, limit) == 0;)
      out.batch /= 2;
    out.context = narrowest.longest_context(out.usable, out.batch, limit);
    if (out.context == 0) {
      const auto least = std::uint64_t(double(narrowest.needed(shortest, 1)) / (1 - headroom)) + 1;
      return error(options.memory ? Errc::bad_request : Errc::out_of_memory,
                   "{}: nothing fits into {}; the smallest that works, {} with a context of {}, wants {} of memory",
                   model.string(), readable_bytes(out.memory), narrowest.precision.label(), shortest,
                   readable_bytes(least));
    }
  }
  out.reason = explain(out, lines, context);
  if (subject.config) out.command = command_for(model, out.fits[out.choice].precision, out.context);
  for (const Card& card : cards) {
    CardFit fit{card.name, card.mebibytes << 20, {}, {}};
    const auto usable = std::uint64_t(double(fit.memory - card_overhead) * (1 - headroom));
    for (Line line : lines) {
      line.fixed -= line.process;  // that is in the host's memory
      fit.fits.push_back(fit_of(line, usable, context, options.batch, limit));
    }
    fit.choice = widest_that_fits(fit.fits);
    out.cards.push_back(std::move(fit));
  }
  return out;
}

}  // namespace

Result<Advice> advise(const std::filesystem::path& model, const AdviseOptions& options) {
  return or_out_of_memory(model.native(), "planning memory", [&] { return advise_on(model, options); });
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
