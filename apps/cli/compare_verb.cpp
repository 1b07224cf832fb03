// compare: one model at several precisions.
#include "common.hpp"
#include "messages.hpp"
#include "nibble/compare.hpp"
#include "origin.hpp"

namespace nibble::cli {
namespace {

struct CompareArguments {
  bool memory_report = false;
  std::string model, precisions, text, messages, html, report;
  CompareOptions options;
  RecipeArguments recipe;
  PrecisionArguments held;
};

// What was named, else what is usual for this model, held as the options say.
Result<std::vector<QuantizationConfig>> precisions_of(const CompareArguments& a) {
  if (!a.precisions.empty()) return read_precisions(a.held, a.precisions);
  NIBBLE_TRY(std::vector<QuantizationConfig> usual, default_precisions(a.model));
  for (QuantizationConfig& precision : usual)
    if (precision.format != Precision::stored) {
      NIBBLE_TRY(precision, read_precision(a.held, std::string(name_of(precision.format))));
    }
  return usual;
}

int compare_verb(CompareArguments& a, const Common& common) {
  CompareOptions& options = a.options;
  std::vector<std::pair<std::string, std::string (*)(const Comparison&)>> files;
  if (!a.html.empty()) files.push_back({a.html, to_html});
  if (!a.report.empty())
    files.insert(files.end(), {{a.report + ".html", to_html},
                               {a.report + ".md", to_markdown},
                               {a.report + ".json", [](const Comparison& c) { return nibble::to_json(c) + "\n"; }}});
  for (const auto& [path, form] : files)
    if (auto ok = check_writable(path); !ok) return fail(ok.error());
  auto precisions = precisions_of(a);
  if (!precisions) return fail(precisions.error());
  options.precisions = *precisions;
  const auto bos = read_bos(a.recipe);
  if (!bos) return fail(bos.error());
  options.context = a.recipe.context;
  options.stride = a.recipe.stride;
  options.bos = *bos;
  options.ignore_config = common.ignore_config;
  options.ignore_tensors = common.ignore_tensors;
  options.threads = common.threads;
  options.device_map = common.device;
  if (!a.text.empty()) {
    auto text = read_file(a.text);
    if (!text) return fail(text.error());
    options.text = *text;
  } else {
    options.text = held_out_text();
  }
  if (!a.messages.empty()) {
    auto messages = read_messages(a.messages);
    if (!messages) return fail(messages.error());
    options.messages = *messages;
  }
  const Progress bar = progress_bar(common, "compare");
  if (bar) options.progress = [bar](const std::string&, double done) { bar(done); };
  watch_interrupt();
  options.stop = interrupted;
  auto comparison = compare(a.model, options);
  if (!comparison) return fail(comparison.error());
  comparison->provenance.command = command_line();
  for (const auto& [path, form] : files)
    if (auto written = write_file(path, form(*comparison)); !written) return fail(written.error());
  if (common.json)
    print_json_text(nibble::to_json(*comparison) + "\n");
  else
    print_exact(to_table(*comparison, output_style()));
  if (a.memory_report && !common.json)
    for (const PrecisionResult& r : comparison->results)
      if (r.error.empty()) print("\n" + r.precision.label() + "\n" + to_table(r.memory));
  int status = 0;
  for (const PrecisionResult& r : comparison->results) {
    if (!r.error.empty()) status = fail({Errc::internal, r.precision.label() + ": " + r.error});
    if (!r.stored_copy_problem.empty())
      status = fail({Errc::internal, r.precision.label() + ": no stored copy: " + r.stored_copy_problem});
  }
  return interrupted() ? interrupt_status() : status;
}

}  // namespace

void add_compare(CLI::App& app, Verb& run) {
  auto common = std::make_shared<Common>();
  auto a = std::make_shared<CompareArguments>();
  CLI::App* verb =
      app.add_subcommand("compare", "one model at several precisions: size, memory, speed, quality, the same answer");
  verb->add_option("MODEL", a->model, model_help)->required();
  add_precision_option(*verb, "--precisions,--precision", a->precisions,
                       fmt::format("separated by commas; stored: the files as they are; {}: with double quantization "
                                   "(default: stored, then {} without what is stored; of files that are quantized: "
                                   "stored, int8, and nf4 where that is smaller)",
                                   double_quantized_names(), names_of(widest_first(nibble::precisions()))));
  verb->add_option("--text", a->text,
                   "text to evaluate, - is standard input (default: held-out prose that Nibble carries)");
  verb->add_option("--messages", a->messages,
                   "JSON file of chat messages to answer: [{\"role\": .., \"content\": ..}]");
  verb->add_option("--html", a->html, "write the report, with charts, as this one HTML file");
  verb->add_option("--report", a->report, "write NAME.html, NAME.md and NAME.json")->type_name("NAME");
  verb->add_flag("--memory-report", a->memory_report,
                 "at the end: memory of each precision by category, as predicted and as measured");
  verb->add_flag("--stored-copy", a->options.stored_copies,
                 "also write each quantized precision to a temporary folder and time loading that");
  verb->add_option("--max-eval-tokens", a->options.max_eval_tokens, "tokens of the text to evaluate (default: 4096)");
  add_recipe(*verb, a->recipe);
  verb->add_option("-n,--max-new-tokens,--new-tokens", a->options.new_tokens, "tokens of the answer (default: 100)");
  verb->add_option("--prompt-tokens", a->options.prefill_tokens, "tokens of the prefill measurement (default: 512)");
  verb->add_option("--decode-tokens", a->options.decode_tokens, "tokens of the decode measurement (default: 64)");
  verb->add_option("--repeats", a->options.repeats,
                   "repeats of each speed measurement, the median counts (default: 3)");
  add_quantization(*verb, a->held);
  add_common(*verb, *common, uses_threads | uses_config | uses_tensors | uses_progress);
  verb->callback(
      [=, &run] { run = [=] { return with_model(a->model, *common, [&] { return compare_verb(*a, *common); }); }; });
}

}  // namespace nibble::cli
