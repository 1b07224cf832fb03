// inspect, estimate: what a model is, what it will cost.
#include <sstream>

#include "common.hpp"
#include "nibble/estimate.hpp"

namespace nibble::cli {
namespace {

std::string gb(std::uint64_t bytes) { return fmt::format("{:.3f}", double(bytes) / 1e9); }

int inspect(const std::string& path, const Common& common) {
  auto described = Model::inspect(path);
  if (!described) return fail(described.error());
  const ModelDescription& d = *described;
  if (common.json) {
    Json json = {
        {"architecture", d.architecture}, {"model_type", d.model_type}, {"container", d.container}, {"runs", d.runs}};
    if (!d.runs) json["why_not"] = d.why_not;
    json["parameters"] = d.parameters, json["precision"] = d.precision, json["file_bytes"] = d.file_bytes;
    json["bytes"] = Json::object();
    for (const char* name :
         {"linear_weights", "quantization_state", "embeddings_and_head", "norms", "other", "buffers"})
      json["bytes"][name] = d.bytes_by_class.count(name) ? d.bytes_by_class.at(name) : 0;
    json["bytes_by_dtype"] = d.bytes_by_dtype;
    json["layers"] = d.layers, json["hidden_size"] = d.hidden_size, json["heads"] = d.heads,
    json["kv_heads"] = d.kv_heads, json["head_dim"] = d.head_dim, json["vocab_size"] = d.vocab_size;
    json["max_positions"] = d.max_positions, json["tied_embeddings"] = d.tied_embeddings,
    json["chat_template"] = d.has_chat_template, json["tokenizer"] = d.tokenizer;
    if (!d.tokenizer_problem.empty()) json["tokenizer_problem"] = d.tokenizer_problem;
    json["not_understood"] = d.not_understood;
    print_json(json);
    return 0;
  }
  print(fmt::format("architecture    {} ({}, {})\nparameters      {}\nprecision       {}\nweight files    {} GB\n",
                    d.architecture, d.model_type, d.container, d.parameters, d.precision, gb(d.file_bytes)));
  print("bytes by class\n");
  for (const auto& [name, bytes] : d.bytes_by_class)
    print(fmt::format("  {:<20} {:>15}{}\n", name, bytes,
                      name == "buffers" ? "  (not in the files, computed at load)" : ""));
  print("bytes by type\n");
  for (const auto& [name, bytes] : d.bytes_by_dtype) print(fmt::format("  {:<20} {:>15}\n", name, bytes));
  print(fmt::format(
      "shape           {} layers, hidden {}, {} heads ({} key/value) of {}, vocabulary {}, {} positions{}\n", d.layers,
      d.hidden_size, d.heads, d.kv_heads, d.head_dim, d.vocab_size, d.max_positions,
      d.tied_embeddings ? ", tied embeddings" : ""));
  print(fmt::format("tokenizer       {}\nchat template   {}\n", d.tokenizer.empty() ? d.tokenizer_problem : d.tokenizer,
                    d.has_chat_template ? "yes" : "no"));
  if (!d.runs) print("cannot be run:  " + d.why_not + "\n");
  for (const std::string& name : d.not_understood) print("not understood: tensor " + name + "\n");
  return 0;
}

struct EstimateArguments {
  std::string model, precision;
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

int rule_of_thumb(const EstimateArguments& a, const Common& common, std::uint64_t parameters) {
  struct Line {
    std::string name;
    std::uint64_t bytes;
  };
  std::vector<Line> lines;
  std::stringstream names(a.precision.empty() ? "fp32,fp16,int8,int4" : a.precision);
  for (std::string name; std::getline(names, name, ',');) {
    auto precision = parse_precision(name == "int4" ? "nf4" : name);
    if (!precision) return fail(precision.error());
    lines.push_back({name, estimate(parameters, *precision)});
  }
  if (common.json) {
    Json json = {{"parameters", parameters}, {"precisions", Json::array()}};
    for (const Line& line : lines)
      json["precisions"].push_back(
          {{"precision", line.name}, {"double_quant", false}, {"bytes", {{"rule_of_thumb", line.bytes}}}});
    print_json(json);
    return 0;
  }
  print(fmt::format("{} parameters by the rule of thumb, parameters * bits / 8 (GB = 10^9 bytes):\n", parameters));
  for (const Line& line : lines) print(fmt::format("  {:<6}{:>10} GB\n", line.name, gb(line.bytes)));
  print(
      "Reality is more:\n"
      "  scales        a four-bit type keeps a scale per block of 64: 4.5 bits per weight, 4.13 with double "
      "quantization\n"
      "  kept layers   embeddings, lm_head and norms stay in 16 bits in every quantized precision\n"
      "  at run time   the KV cache grows with the context and the batch, and activations come on top\n"
      "So Qwen3-4B in nf4 is 2.822 GB of weights (2.653 with double quantization), not 2.011.\n"
      "`nibble estimate MODEL` counts all of it; a config.json is enough.\n");
  return 0;
}

int estimate_verb(const EstimateArguments& a, const Common& common) {
  if (const std::uint64_t parameters = bare_size(a.model)) return rule_of_thumb(a, common, parameters);
  EstimateOptions options;
  options.context = a.context, options.batch = a.batch, options.ignore_config = common.ignore_config;
  if (!a.precision.empty()) {
    auto precisions = read_precisions(a.held, a.precision == "int4" ? "nf4" : a.precision);
    if (!precisions) return fail(precisions.error());
    options.precisions = *precisions;
  }
  auto estimated = estimate(a.model, options);
  if (!estimated) return fail(estimated.error());
  if (common.json) {
    Json json = {{"architecture", estimated->architecture},
                 {"parameters", estimated->parameters},
                 {"context", estimated->context},
                 {"batch", estimated->batch},
                 {"precisions", Json::array()}};
    for (const PrecisionEstimate& p : estimated->precisions)
      json["precisions"].push_back({{"precision", name_of(p.precision.format)},
                                    {"double_quant", p.precision.double_quant},
                                    {"block_size", p.precision.block_size},
                                    {"bytes", to_json(p.bytes)}});
    print_json(json);
    return 0;
  }
  print(
      fmt::format("{}, {} parameters; context {}, batch {}; GB = 10^9 "
                  "bytes\n\n{:<18}{:>10}{:>10}{:>12}{:>8}{:>10}{:>10}{:>10}{:>12}{:>10}\n",
                  estimated->architecture, estimated->parameters, estimated->context, estimated->batch, "precision",
                  "weights", "linear", "emb+head", "norms", "scales", "buffers", "KV cache", "activations", "total"));
  for (const PrecisionEstimate& p : estimated->precisions)
    print(fmt::format("{:<18}{:>10}{:>10}{:>12}{:>8}{:>10}{:>10}{:>10}{:>12}{:>10}\n", p.precision.label(),
                      gb(p.bytes.weights_total()), gb(p.bytes.linear_weights), gb(p.bytes.embeddings_and_head),
                      gb(p.bytes.norms), gb(p.bytes.quantization_state), gb(p.bytes.buffers), gb(p.bytes.kv_cache),
                      gb(p.bytes.activations), gb(p.bytes.total())));
  return 0;
}

}  // namespace

void add_inspect(CLI::App& app, Verb& run) {
  auto common = std::make_shared<Common>();
  auto model = std::make_shared<std::string>();
  CLI::App* verb = app.add_subcommand(
      "inspect", "architecture, parameters, bytes by type and class, tokenizer, what is not understood");
  verb->add_option("MODEL", *model, model_help)->required();
  add_common(*verb, *common, 0);
  verb->callback(
      [=, &run] { run = [=] { return with_model(*model, *common, [&] { return inspect(*model, *common); }); }; });
}

void add_estimate(CLI::App& app, Verb& run) {
  auto common = std::make_shared<Common>();
  auto a = std::make_shared<EstimateArguments>();
  CLI::App* verb = app.add_subcommand("estimate", "bytes per category for every precision, before a weight is read");
  verb->add_option("MODEL", a->model,
                   "a folder, a config.json, a .gguf file, a name on the hub, or a bare size such as 7b")
      ->required();
  verb->add_option(
      "--precision", a->precision,
      "only these, separated by commas; nf4-dq, fp4-dq: with double quantization; int4: nf4 (default: all)");
  verb->add_option("--context", a->context, "tokens of KV cache per sequence (default: 4096)");
  verb->add_option("--batch", a->batch, "sequences at once (default: 1)");
  verb->add_flag("--double-quant", a->held.double_quant, "nf4, fp4: quantize the scales too");
  verb->add_option("--block-size", a->held.block_size, "nf4, fp4: weights per scale, 32 to 4096 (default: 64)");
  verb->add_option("--skip", a->held.skip,
                   "regular expression; modules whose name contains a match are not quantized; may be repeated")
      ->allow_extra_args(false);
  add_common(*verb, *common, uses_config);
  verb->callback([=, &run] {
    run = [=] {
      return with_model(
          a->model, *common, [&] { return estimate_verb(*a, *common); }, HubFiles::config);
    };
  });
}

}  // namespace nibble::cli
