// estimate: what a model will cost, before a byte of its weights is read.
#include <algorithm>
#include <sstream>

#include "advice_text.hpp"
#include "nibble/quantize.hpp"

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
  constexpr std::size_t names = 19, figures = 10;
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
    print(fmt::format("{:<{}}{} {}\n", row_name(p.precision, p.requantizes), names, bar, gb(p.bytes.total())));
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

std::string lower(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  return name;
}

// "int4" is any four-bit type; what is only a type of GGUF files is kept for `file_types`.
std::string spelled_out(const std::string& list, std::vector<std::string>& file_types) {
  std::string four_bits, out;
  for (const FormatFacts& format : precisions({FormatKind::table}))
    four_bits += fmt::format("{}{},{}-dq", four_bits.empty() ? "" : ",", format.name, format.name);
  std::stringstream names(list);
  for (std::string name; std::getline(names, name, ',');) {
    name.erase(0, name.find_first_not_of(' '));
    name.erase(name.find_last_not_of(' ') + 1);
    name = lower(name);
    if (is_gguf_type(name) && !parse_precision(name))
      file_types.push_back(name);
    else
      out += (out.empty() ? "" : ",") + (name == "int4" ? four_bits : name);
  }
  return out;
}

Json json_of(const PrecisionEstimate& p) {
  return {{"precision", precision_key(p.precision, p.stored)},
          {"label", p.precision.label()},
          {"stored", p.stored},
          {"requantizes", p.requantizes},
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
  const auto stored =
      std::find_if(e.precisions.begin(), e.precisions.end(), [](const PrecisionEstimate& p) { return p.stored; });
  print_folded(fmt::format("{}, {} parameters{}; context {}, batch {}; GB = 10^9 bytes", e.architecture, e.parameters,
                           stored == e.precisions.end() ? "" : ", stored as " + stored->precision.label(), e.context,
                           e.batch));
  std::vector<TextColumn> heads = {{"weights"}, {"total"}, {"own peak"}, {"mapped"}, {"disk"}, {"bits"}};
  const std::vector<Heading> columns = columns_of(e);
  for (const Heading& column : columns) heads.push_back({std::string(column.text), "by purpose"});
  TextTable table("precision", std::move(heads));
  for (const PrecisionEstimate& p : e.precisions) {
    std::vector<std::string> cells = {
        gb(p.bytes.weights_total()), gb(p.bytes.total()), gb(p.peak),
        gb(p.bytes.mapped),          gb(p.disk),          fmt::format("{:.2f}", p.bits_per_weight)};
    for (const Heading& column : columns) cells.push_back(gb(p.bytes[column.purpose]));
    table.add(row_name(p.precision, p.requantizes), std::move(cells), p.precision.label() == choice);
  }
  print("\n");
  print_table(table);
  print("\n");
  print_bars(e);
  if (std::any_of(e.precisions.begin(), e.precisions.end(), [](const PrecisionEstimate& p) { return p.requantizes; }))
    print_folded(requantizes_legend, 2);
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
    std::vector<std::string> file_types;
    NIBBLE_TRY(options.precisions, read_precisions(a.held, spelled_out(a.precision, file_types)));
    for (std::string type : file_types) {
      std::transform(type.begin(), type.end(), type.begin(), [](unsigned char c) { return char(std::toupper(c)); });
      options.precisions.emplace_back();
      options.precisions.back().file_type = type;
    }
  }
  return options;
}

AdviseOptions advise_options(const EstimateArguments& a, const Common& common, const EstimateOptions& options,
                             std::uint64_t memory) {
  AdviseOptions wanted;
  wanted.memory = memory;
  wanted.context = a.context;
  wanted.batch = a.batch;
  wanted.precisions = options.precisions;
  wanted.kv_cache = options.kv_cache;
  wanted.threads = common.threads;
  wanted.device_map = common.device;
  wanted.ignore_config = common.ignore_config;
  return wanted;
}

// Rows for the context that was advised, where less than was wanted fits.
void follow(const Advice& advice, EstimateOptions& options) {
  if (advice.choice && advice.context < options.context) options.context = advice.context;
}

struct ThumbLine {
  std::string name;
  std::uint64_t bytes;
};

// Of types that only GGUF files have, the published model alone says something.
Result<std::vector<ThumbLine>> thumb_lines(const EstimateArguments& a, std::uint64_t parameters) {
  std::vector<ThumbLine> lines;
  std::stringstream names(a.precision.empty() ? "fp32,fp16,int8,int4" : lower(a.precision));
  for (std::string name; std::getline(names, name, ',');) {
    if (is_gguf_type(name) && !parse_precision(name)) continue;
    NIBBLE_TRY(const QuantizationConfig precision, read_precision({}, name == "int4" ? "nf4" : name));
    lines.push_back({name, estimate(parameters, precision.format)});
  }
  return lines;
}

void print_thumb(std::uint64_t parameters, const std::vector<ThumbLine>& lines) {
  print_folded(fmt::format("{} parameters by the rule of thumb, parameters * bits / 8 (GB = 10^9 bytes):", parameters));
  for (const ThumbLine& line : lines) print(fmt::format("  {:<6}{:>10} GB\n", line.name, gb(line.bytes)));
  print("Reality is more:\n");
  print_field("  scales",
              "a four-bit type keeps a scale per block of 64: 4.5 bits per weight, 4.13 with double quantization");
  print_field("  kept layers", "embeddings, lm_head and norms stay in 16 bits in every quantized precision");
  print_field("  at run time", "the KV cache grows with the context and the batch, and activations come on top");
  print_folded("So Qwen3-4B in nf4 is 2.822 GB of weights (2.653 with double quantization), not 2.011.");
}

int rule_of_thumb(const EstimateArguments& a, const Common& common, std::uint64_t parameters, std::uint64_t memory) {
  const auto lines = thumb_lines(a, parameters);
  if (!lines) return fail(lines.error());
  auto options = options_of(a, common);
  if (!options) return fail(options.error());
  std::optional<Advice> advice;
  if (memory > 0) {
    auto advised = advise_nearest(parameters, advise_options(a, common, *options, memory));
    if (!advised) return fail(advised.error());
    advice = std::move(*advised);
    if (advice) follow(*advice, *options);
  }
  auto nearest = estimate_nearest(parameters, *options);
  if (!nearest) return fail(nearest.error());
  const int status = advice && !advice->choice ? does_not_fit_status : 0;
  if (common.json) {
    Json json = {{"parameters", parameters}, {"precisions", Json::array()}};
    for (const ThumbLine& line : *lines)
      json["precisions"].push_back(
          {{"precision", line.name}, {"double_quant", false}, {"bytes", {{"rule_of_thumb", line.bytes}}}});
    if (*nearest) json["nearest"] = json_of(**nearest);
    if (advice) json["nearest"]["advice"] = to_json(*advice);
    print_json(json);
    return status;
  }
  print_thumb(parameters, *lines);
  if (*nearest) {
    print_folded("The published model nearest in size, counted:\n\n");
    print_precisions(**nearest, advice && advice->choice ? advice->fits[*advice->choice].precision.label() : "");
  } else {
    print_folded("No published model that is known here lies within 20 % of this size.");
  }
  if (advice) print_advice(*advice, true, false);
  print_folded("`nibble estimate MODEL` counts all of it; a config.json is enough.");
  return status;
}

int estimate_verb(const EstimateArguments& a, const Common& common) {
  std::uint64_t memory = 0;
  if (a.memory) {
    auto parsed = parse_bytes(*a.memory);
    if (!parsed) return fail(Error{parsed.error()}.at("--memory"));
    memory = *parsed;
  }
  if (const std::uint64_t parameters = bare_size(a.model)) return rule_of_thumb(a, common, parameters, memory);
  auto options = options_of(a, common);
  if (!options) return fail(options.error());
  const auto advice = advise(a.model, advise_options(a, common, *options, memory));
  if (!advice) return fail(advice.error());
  if (a.memory) follow(*advice, *options);
  auto estimated = estimate(a.model, *options);
  if (!estimated) return fail(estimated.error());
  // Without --memory, that this machine is too small is no failure.
  const int status = a.memory && !advice->choice ? does_not_fit_status : 0;
  if (common.json) {
    Json json = json_of(*estimated);
    json["advice"] = to_json(*advice);
    print_json(json);
    return status;
  }
  print_precisions(*estimated, advice->choice ? advice->fits[*advice->choice].precision.label() : "");
  print_advice(*advice, a.memory.has_value(), estimated->runs);
  return status;
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
      fmt::format("only these, separated by commas; stored: the files as they are; {}: with double quantization; int4: "
                  "every four-bit type; also types of GGUF files: {} (default: stored, then all but these)",
                  double_quantized_names(), gguf_type_names()));
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
