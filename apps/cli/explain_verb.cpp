// explain: which product multiplies each layer's weights, and why no better one.
#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>

#include "common.hpp"
#include "nibble/explain.hpp"

namespace nibble::cli {
namespace {

struct ExplainArguments {
  std::string model, rows, cpu_target;
  PrecisionArguments held;
};

template <class Number>
std::optional<Number> whole_number(std::string_view text) {
  Number value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

// Digits with an x among them are meant to be a shape, not a model.
bool looks_like_shape(const std::string& text) {
  return text.find('x') != std::string::npos && text.find_first_not_of("0123456789x") == std::string::npos;
}

Result<Explanation> explain(const ExplainArguments& a, const ExplainOptions& options) {
  if (!looks_like_shape(a.model)) return explain_model(a.model, options);
  const std::size_t cross = a.model.find('x');
  const auto rows = whole_number<std::int64_t>(std::string_view(a.model).substr(0, cross)),
             cols = whole_number<std::int64_t>(std::string_view(a.model).substr(cross + 1));
  if (!rows || !cols)
    return Error{Errc::bad_request, fmt::format("shape \"{}\": expected ROWSxCOLUMNS, such as 4096x4096", a.model)};
  auto explained = explain_shape(*rows, *cols, options);
  if (!explained && options.precision.format == Precision::stored)
    return Error{explained.error()}.at(fmt::format("shape \"{}\" without --precision", a.model));
  return explained;
}

Result<ExplainOptions> options_of(const ExplainArguments& a, const Common& common) {
  ExplainOptions options;
  NIBBLE_TRY(options.precision, read_precision(a.held, a.held.precision));
  std::stringstream list(a.rows);
  for (std::string text; std::getline(list, text, ',');) {
    const auto rows = whole_number<std::int64_t>(text);
    if (!rows) return Error{Errc::bad_request, fmt::format("--rows: \"{}\" is not a whole number", text)};
    options.rows.push_back(*rows);
  }
  options.threads = common.threads;
  options.device_map = common.device;
  options.cpu_target = a.cpu_target;
  options.ignore_config = common.ignore_config;
  return options;
}

std::string rows_text(const ExplainedRows& c) {
  if (c.to == c.from) return fmt::format("{} row{}", c.from, c.from == 1 ? "" : "s");
  if (c.to == 0) return c.from == 1 ? std::string("any number") : fmt::format("{} rows and more", c.from);
  return fmt::format("{} to {} rows", c.from, c.to);
}

constexpr std::size_t reasons = 22;  // where they begin

void print_choice(const ExplainedRows& c) {
  print_field("  + " + c.product, c.instruction.empty() ? "the plain reference" : c.instruction, reasons);
  if (!c.layout.empty()) print_field("    activations", c.layout, reasons);
}

void print_weights(const ExplainedWeights& w) {
  std::string names;
  for (const std::string& part : w.parts) names += (names.empty() ? "" : ", ") + part;
  const std::string size = fmt::format("{} x {}, {}", w.rows, w.cols, w.format);
  print_folded(names.empty() ? size : fmt::format("\n{}\n  {} of {}", names, w.count, size), 2);
  const ExplainedRows* before = nullptr;
  for (const ExplainedRows& choice : w.choices) {
    if (!before || before->product != choice.product) {
      for (const RefusedProduct& better : choice.refused) print_field("  - " + better.product, better.why, reasons);
      print_choice(choice);
    }
    if (!choice.how.empty()) print_field("    " + rows_text(choice), choice.how, reasons);
    before = &choice;
  }
}

Json json_of(const ExplainedRows& c) {
  Json json = {{"from_rows", c.from}};
  if (c.to) json["to_rows"] = c.to;
  json["product"] = c.product;
  json["layout"] = c.layout;
  json["instruction"] = c.instruction;
  json["how"] = c.how;
  json["refused"] = Json::array();
  for (const RefusedProduct& better : c.refused)
    json["refused"].push_back({{"product", better.product}, {"why", better.why}});
  return json;
}

Json json_of(const std::string& subject, const Explanation& e) {
  Json json = {{"subject", subject},
               {"precision", e.precision},
               {"compute", e.compute},
               {"device", e.device},
               {"weights", Json::array()}};
  for (const ExplainedWeights& w : e.weights) {
    Json choices = Json::array();
    for (const ExplainedRows& choice : w.choices) choices.push_back(json_of(choice));
    json["weights"].push_back({{"parts", w.parts},
                               {"count", w.count},
                               {"rows", w.rows},
                               {"cols", w.cols},
                               {"format", w.format},
                               {"choices", std::move(choices)}});
  }
  return json;
}

int explain_verb(const ExplainArguments& a, const Common& common, const std::string& subject) {
  const auto options = options_of(a, common);
  if (!options) return fail(options.error());
  const auto explained = explain(a, *options);
  if (!explained) return fail(explained.error());
  if (common.json) {
    print_json(json_of(subject, *explained));
    return 0;
  }
  print_folded(fmt::format("{}\n{}, on {}\nproducts in {} where there is a choice", subject, explained->precision,
                           explained->device, explained->compute));
  for (const ExplainedWeights& weights : explained->weights) print_weights(weights);
  return 0;
}

}  // namespace

void add_explain(CLI::App& app, Verb& run) {
  auto common = std::make_shared<Common>();
  auto a = std::make_shared<ExplainArguments>();
  CLI::App* verb =
      app.add_subcommand("explain", "which product multiplies each layer's weights, and why no better one");
  verb->add_option("MODEL", a->model,
                   "a folder, a config.json, a .gguf file, a name on the hub, or the shape of one weight, such as "
                   "4096x4096")
      ->required();
  add_precision(*verb, a->held, "--precision");
  verb->add_option("--rows", a->rows,
                   "rows of activations, separated by commas: 1 is generating, 512 a prompt (default: any number)");
  verb->add_option("--cpu-target", a->cpu_target,
                   "avx512_vnni_bf16, avx512, avx2 or reference (default: the best here)");
  add_common(*verb, *common, uses_threads | uses_config);
  verb->callback([=, &run] {
    run = [=] {
      const std::string subject = a->model;
      if (looks_like_shape(a->model)) return explain_verb(*a, *common, subject);
      return with_model(
          a->model, *common, [&] { return explain_verb(*a, *common, subject); }, HubFiles::config);
    };
  });
}

}  // namespace nibble::cli
