// estimate: what a model will cost, before a byte of its weights is read.
#include <algorithm>
#include <sstream>

#include "common.hpp"
#include "nibble/advise.hpp"

namespace nibble::cli {
namespace {

// A bar is made of these, in this order; neighbours of one letter are drawn as one.
constexpr std::pair<char, MemoryGroup> bar_letters[] = {
    {'#', MemoryGroup::linear}, {'s', MemoryGroup::scales}, {'e', MemoryGroup::dense},   {'k', MemoryGroup::cache},
    {'a', MemoryGroup::tables}, {'a', MemoryGroup::work},   {'p', MemoryGroup::program},
};
static_assert(all_memory_groups([](MemoryGroup group) {
                for (const auto& [letter, drawn] : bar_letters)
                  if (drawn == group) return true;
                return false;
              }),
              "the bars leave a group out");

// A stacked bar per precision, as long as its total, with a letter per part.
void print_bars(const Estimate& e) {
  constexpr std::size_t names = 17, figures = 10;
  const std::size_t window = output_style().width,
                    width = std::clamp<std::size_t>(window, names + figures + 10, 107) - names - figures;
  std::uint64_t longest = 1;
  for (const PrecisionEstimate& p : e.precisions) longest = std::max(longest, p.bytes.total());
  for (const PrecisionEstimate& p : e.precisions) {
    std::string bar;
    std::uint64_t so_far = 0;
    for (const auto& [letter, group] : bar_letters) {
      so_far += p.bytes[group];
      bar.resize(std::size_t(double(so_far) / double(longest) * double(width) + 0.5), letter);
    }
    print(fmt::format("{:<{}}{} {}\n", p.precision.label(), names, bar, gb(p.bytes.total())));
  }
  print_field("",
              "#\u00a0linear\u00a0weights; s\u00a0scales; e\u00a0embeddings, head, norms; k\u00a0KV\u00a0cache; "
              "a\u00a0activations, "
              "tables; p\u00a0process",
              names);
}

struct EstimateArguments {
  std::string model, precision, kv_cache = "stored";
  std::optional<std::string> memory;
  std::int64_t context = 4096, batch = 1;
  PrecisionArguments held;
};

// "7b", "1.1B", "135m": a bare size, for the rule of thumb. 0: it is not one.
std::uint64_t bare_size(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  const std::string unit = end;
  if (end == text.c_str() || !(value > 0)) return 0;
  if (unit == "b" || unit == "B") return std::uint64_t(value * 1e9);
  if (unit == "m" || unit == "M") return std::uint64_t(value * 1e6);
  return 0;
}

// "int4" is any four-bit type.
std::string spelled_out(const std::string& list) {
  std::string four_bits;
  for (const FormatFacts& format : precisions({FormatKind::table}))
    four_bits += fmt::format("{}{},{}-dq", four_bits.empty() ? "" : ",", format.name, format.name);
  std::string out;
  std::stringstream names(list);
  for (std::string name; std::getline(names, name, ',');)
    out += (out.empty() ? "" : ",") + (name == "int4" ? four_bits : name);
  return out;
}

Json json_of(const PrecisionEstimate& p) {
  return {{"precision", name_of(p.precision.format)},
          {"double_quant", p.precision.double_quant},
          {"block_size", p.precision.block_size},
          {"bytes", to_json(p.bytes)},
          {"resident", p.resident},
          {"peak", p.peak},
          {"disk", p.disk},
          {"bits_per_weight", p.bits_per_weight}};
}

struct Heading {
  Purpose purpose;
  std::string_view text;
};
// Headings narrower than the labels, so that all of them fit 80 columns. What has none is headed by its label.
constexpr Heading narrow_headings[] = {
    {Purpose::linear_weights, "linear"}, {Purpose::embeddings, "embed."}, {Purpose::norms, "norms"},
    {Purpose::scales, "scales"},         {Purpose::buffers, "tables"},    {Purpose::kv_cache, "cache"},
    {Purpose::activations, "activ."},    {Purpose::process, "process"},
};

// A column per purpose, group by group; a purpose without a narrow heading is shown where something is taken for it.
std::vector<Heading> columns_of(const Estimate& e) {
  std::vector<Heading> columns;
  for (std::size_t group = 0; group < memory_group_count; ++group)
    for (const PurposeFacts& facts : purposes) {
      if (facts.group != MemoryGroup(group)) continue;
      const auto narrow = std::find_if(std::begin(narrow_headings), std::end(narrow_headings),
                                       [&](const Heading& heading) { return heading.purpose == facts.purpose; });
      if (narrow != std::end(narrow_headings))
        columns.push_back(*narrow);
      else if (std::any_of(e.precisions.begin(), e.precisions.end(),
                           [&](const PrecisionEstimate& p) { return p.bytes[facts.purpose] > 0; }))
        columns.push_back({facts.purpose, facts.label});
    }
  return columns;
}

// `choice`: what is advised, in bold.
void print_precisions(const Estimate& e, const std::string& choice) {
  print_folded(fmt::format("{}, {} parameters; context {}, batch {}; GB = 10^9 bytes", e.architecture, e.parameters,
                           e.context, e.batch));
  std::vector<TextColumn> heads = {{"weights"}, {"total"}, {"own peak"}, {"mapped"}, {"disk"}, {"bits"}};
  const std::vector<Heading> columns = columns_of(e);
  for (const Heading& column : columns) heads.push_back({std::string(column.text), "by purpose"});
  TextTable table("precision", std::move(heads));
  for (const PrecisionEstimate& p : e.precisions) {
    std::vector<std::string> cells = {
        gb(p.bytes.weights_total()), gb(p.bytes.total()), gb(p.peak),
        gb(p.bytes.mapped),          gb(p.disk),          fmt::format("{:.2f}", p.bits_per_weight)};
    for (const Heading& column : columns) cells.push_back(gb(p.bytes[column.purpose]));
    table.add(p.precision.label(), std::move(cells), p.precision.label() == choice);
  }
  print("\n");
  print_table(table);
  print("\n");
  print_bars(e);
  for (const std::string& note : e.notes) print_folded("note: " + note, 2);
}

Json json_of(const Estimate& e) {
  Json json = {{"architecture", e.architecture},
               {"parameters", e.parameters},
               {"context", e.context},
               {"batch", e.batch},
               {"runs", e.runs},
               {"notes", e.notes},
               {"precisions", Json::array()}};
  for (const PrecisionEstimate& p : e.precisions) json["precisions"].push_back(json_of(p));
  return json;
}

Result<EstimateOptions> options_of(const EstimateArguments& a, const Common& common) {
  EstimateOptions options;
  options.context = a.context;
  options.batch = a.batch;
  options.ignore_config = common.ignore_config;
  options.threads = common.threads;
  options.device_map = common.device;
  NIBBLE_TRY(options.kv_cache, parse_precision(a.kv_cache));
  if (!a.precision.empty()) {
    NIBBLE_TRY(options.precisions, read_precisions(a.held, spelled_out(a.precision)));
  }
  return options;
}

int rule_of_thumb(const EstimateArguments& a, const Common& common, std::uint64_t parameters) {
  struct Line {
    std::string name;
    std::uint64_t bytes;
  };
  std::vector<Line> lines;
  std::stringstream names(a.precision.empty() ? "fp32,fp16,int8,int4" : a.precision);
  for (std::string name; std::getline(names, name, ',');) {
    auto precision = read_precision({}, name == "int4" ? "nf4" : name);
    if (!precision) return fail(precision.error());
    lines.push_back({name, estimate(parameters, precision->format)});
  }
  auto options = options_of(a, common);
  if (!options) return fail(options.error());
  auto nearest = estimate_nearest(parameters, *options);
  if (!nearest) return fail(nearest.error());
  if (common.json) {
    Json json = {{"parameters", parameters}, {"precisions", Json::array()}};
    for (const Line& line : lines)
      json["precisions"].push_back(
          {{"precision", line.name}, {"double_quant", false}, {"bytes", {{"rule_of_thumb", line.bytes}}}});
    if (*nearest) json["nearest"] = json_of(**nearest);
    print_json(json);
    return 0;
  }
  print_folded(fmt::format("{} parameters by the rule of thumb, parameters * bits / 8 (GB = 10^9 bytes):", parameters));
  for (const Line& line : lines) print(fmt::format("  {:<6}{:>10} GB\n", line.name, gb(line.bytes)));
  print("Reality is more:\n");
  print_field("  scales",
              "a four-bit type keeps a scale per block of 64: 4.5 bits per weight, 4.13 with double quantization");
  print_field("  kept layers", "embeddings, lm_head and norms stay in 16 bits in every quantized precision");
  print_field("  at run time", "the KV cache grows with the context and the batch, and activations come on top");
  print_folded("So Qwen3-4B in nf4 is 2.822 GB of weights (2.653 with double quantization), not 2.011.");
  if (*nearest) {
    print_folded("The published model nearest in size, counted:\n\n");
    print_precisions(**nearest, {});
  } else {
    print_folded("No published model that is known here lies within 20 % of this size.");
  }
  print_folded("`nibble estimate MODEL` counts all of it; a config.json is enough.");
  return 0;
}

std::string cell(const Fit& fit) { return fit.fits() ? fmt::format("{}", fit.longest_context) : std::string("-"); }

void print_advice(const Advice& a, bool asked) {
  print("\n");
  print_folded(fmt::format("In {} GB ({}): {}.", gb(a.memory), asked ? "as asked" : "this machine's memory", a.reason));
  if (!a.command.empty()) print("    " + a.command + "\n");
  print("\n");
  print_folded(fmt::format("Longest context, {} sequence{} at once; - is too little, * what to choose", a.batch,
                           a.batch == 1 ? "" : "s"));
  std::vector<TextColumn> heads = {{"GB"}};
  for (const Fit& fit : a.fits) heads.push_back({fit.precision.label()});
  TextTable table("", std::move(heads));
  const auto row = [&](const std::string& name, std::uint64_t memory, const std::vector<Fit>& fits, auto choice) {
    std::vector<std::string> cells = {fmt::format("{:.1f}", double(memory) / 1e9)};
    for (std::size_t i = 0; i < fits.size(); ++i) cells.push_back((choice && *choice == i ? "*" : "") + cell(fits[i]));
    table.add(name, std::move(cells));
  };
  row(asked ? "as asked" : "this machine", a.memory, a.fits, std::optional(a.choice));
  for (const CardFit& card : a.cards) row(card.card, card.memory, card.fits, card.choice);
  print_table(table);
}

Json json_of(const std::vector<Fit>& fits) {
  Json list = Json::array();
  for (const Fit& fit : fits)
    list.push_back({{"precision", name_of(fit.precision.format)},
                    {"double_quant", fit.precision.double_quant},
                    {"fits", fit.fits()},
                    {"needed", fit.needed},
                    {"longest_context", fit.longest_context},
                    {"largest_batch", fit.largest_batch}});
  return list;
}

Json json_of(const Advice& a) {
  const QuantizationConfig& chosen = a.fits[a.choice].precision;
  Json json = {{"memory", a.memory},
               {"usable", a.usable},
               {"precision", name_of(chosen.format)},
               {"double_quant", chosen.double_quant},
               {"context", a.context},
               {"batch", a.batch},
               {"reason", a.reason},
               {"command", a.command},
               {"fits", json_of(a.fits)},
               {"cards", Json::array()}};
  for (const CardFit& card : a.cards) {
    Json entry = {{"card", card.card}, {"memory", card.memory}, {"fits", json_of(card.fits)}};
    if (card.choice) entry["choice"] = card.fits[*card.choice].precision.label();
    json["cards"].push_back(entry);
  }
  return json;
}

int estimate_verb(const EstimateArguments& a, const Common& common) {
  AdviseOptions wanted;
  if (a.memory) {
    auto memory = parse_bytes(*a.memory);
    if (!memory) return fail(Error{memory.error()}.at("--memory"));
    wanted.memory = *memory;
  }
  if (const std::uint64_t parameters = bare_size(a.model)) return rule_of_thumb(a, common, parameters);
  auto options = options_of(a, common);
  if (!options) return fail(options.error());
  auto estimated = estimate(a.model, *options);
  if (!estimated) return fail(estimated.error());
  wanted.context = a.context;
  wanted.batch = a.batch;
  wanted.kv_cache = options->kv_cache;
  wanted.threads = common.threads;
  wanted.device_map = common.device;
  wanted.ignore_config = common.ignore_config;
  const auto advice = advise(a.model, wanted);
  // Without --memory, that this machine is too small is worth a note and not a failure.
  if (!advice && a.memory.has_value()) return fail(advice.error());
  if (!advice) estimated->notes.push_back("on this machine: " + advice.error().message);
  if (common.json) {
    Json json = json_of(*estimated);
    if (advice) json["advice"] = json_of(*advice);
    print_json(json);
    return 0;
  }
  print_precisions(*estimated, advice ? advice->fits[advice->choice].precision.label() : "");
  if (advice) print_advice(*advice, a.memory.has_value());
  return 0;
}

}  // namespace

void add_estimate(CLI::App& app, Verb& run) {
  auto common = std::make_shared<Common>();
  auto a = std::make_shared<EstimateArguments>();
  CLI::App* verb = app.add_subcommand("estimate", "bytes per category for every precision, before a weight is read");
  verb->add_option("MODEL", a->model,
                   "a folder, a config.json, a .gguf file, a name on the hub, or a bare size such as 7b")
      ->required();
  add_precision_option(
      *verb, "--precision,--precisions", a->precision,
      fmt::format("only these, separated by commas; {}: with double quantization; int4: every four-bit "
                  "type (default: all)",
                  double_quantized_names()));
  verb->add_option("--context", a->context, "tokens of KV cache per sequence (default: 4096)");
  verb->add_option("--batch", a->batch, "sequences at once (default: 1)");
  verb->add_option("--memory", a->memory,
                   "with a unit, such as 12GiB: what fits into it and what to choose (default: this machine's memory)");
  verb->add_option(
      "--kv-cache", a->kv_cache,
      names_of(widest_first(precisions({FormatKind::dense})), " or ") + " (default: what products are rounded to)");
  add_block_options(*verb, a->held);
  verb->add_option("--skip", a->held.skip,
                   "regular expression; modules whose name contains a match are not quantized; may be repeated")
      ->allow_extra_args(false);
  add_common(*verb, *common, uses_config | uses_threads);
  verb->callback([=, &run] {
    run = [=] {
      return with_model(
          a->model, *common, [&] { return estimate_verb(*a, *common); }, HubFiles::config);
    };
  });
}

}  // namespace nibble::cli
