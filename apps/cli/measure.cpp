// eval, compare, bench.
#include "common.hpp"
#include "nibble/bench.hpp"
#include "nibble/compare.hpp"

namespace nibble::cli {
namespace {

struct EvalArguments {
  std::string model, text, ids, reference, reference_precision = "stored", logits, bos = "auto";
  std::int64_t context = 0, stride = 0, max_tokens = 0;
  bool per_token = false, memory_report = false;
  PrecisionArguments held;
};

Result<std::vector<std::int32_t>> read_ids(const EvalArguments& a, const Model& model) {
  if (!a.text.empty()) {
    NIBBLE_TRY(const std::string text, read_file(a.text));
    NIBBLE_TRY(const TextTokenizer tokenizer, model.tokenizer());
    return tokenizer.encode(text, false, true);
  }
  NIBBLE_TRY(const std::string text, read_file(a.ids));
  std::vector<std::int32_t> ids;
  const char* at = text.c_str();
  for (const char* end = at + text.size(); at < end;) {
    if (std::isspace(static_cast<unsigned char>(*at)) || *at == ',' || *at == '[' || *at == ']') {
      ++at;
      continue;
    }
    char* stop = nullptr;
    const long value = std::strtol(at, &stop, 10);
    if (stop == at || value < 0 || value > INT32_MAX)
      return Error{Errc::bad_request,
                   fmt::format("{}: byte {}: expected token ids, whole numbers separated by spaces or commas", a.ids,
                               at - text.c_str())};
    ids.push_back(std::int32_t(value));
    at = stop;
  }
  return ids;
}

struct Evaluated {
  Evaluation quality;
  std::optional<MemoryCheck> memory;
};

Result<Evaluated> evaluate_verb(const EvalArguments& a, const Common& common) {
  if (a.text.empty() == a.ids.empty()) return Error{Errc::bad_request, "name one of --text FILE and --ids FILE"};
  if (a.reference.empty() && a.reference_precision != "stored")
    return Error{Errc::bad_request, "--reference-precision needs --reference MODEL"};
  if (!a.logits.empty()) NIBBLE_CHECK(check_writable(a.logits));
  NIBBLE_TRY(const QuantizationConfig precision, read_precision(a.held, a.held.precision));
  std::optional<MemoryWatch> watch;
  if (a.memory_report) watch.emplace();
  NIBBLE_TRY(const Model model, Model::load(a.model, load_options(common, precision)));
  NIBBLE_TRY(const std::vector<std::int32_t> ids, read_ids(a, model));
  Evaluated out;
  EvaluateOptions options;
  options.context = a.context;
  options.stride = a.stride;
  options.max_tokens = a.max_tokens;
  options.logits_file = a.logits;
  if (a.bos != "auto" && a.bos != "always" && a.bos != "never")
    return Error{Errc::bad_request, "--bos is \"" + a.bos + "\", expected auto, always or never"};
  options.bos = a.bos == "auto" ? Bos::as_tokenizer : a.bos == "always" ? Bos::always : Bos::never;
  options.progress = progress_bar(common, "eval");
  options.stop = interrupted;
  if (a.reference.empty()) {
    watch_interrupt();
    NIBBLE_TRY(out.quality, evaluate(model, ids, options));
    if (watch) out.memory = watch->check({&model});
    return out;
  }
  NIBBLE_TRY(const QuantizationConfig reference_precision, read_precision({}, a.reference_precision));
  NIBBLE_TRY(const Model reference, Model::load(a.reference, load_options(common, reference_precision)));
  watch_interrupt();
  NIBBLE_TRY(out.quality, evaluate_against(model, reference, ids, options));
  if (watch) out.memory = watch->check({&model, &reference});
  return out;
}

int eval_verb(const EvalArguments& a, const Common& common) {
  auto result = evaluate_verb(a, common);
  if (!result) return fail(result.error());
  const Evaluation& e = result->quality;
  if (common.json) {
    Json json = {{"perplexity", e.perplexity}, {"mean_nll", e.mean_nll}, {"predicted_tokens", e.tokens.size()},
                 {"windows", e.windows},       {"context", e.context},   {"bos", e.bos},
                 {"recipe", e.recipe},         {"seconds", e.seconds}};
    if (e.divergence)
      json["divergence"] = {{"mean_kl", e.divergence->mean_kl},
                            {"p99_kl", e.divergence->p99_kl},
                            {"max_kl", e.divergence->max_kl},
                            {"top1_agreement", e.divergence->top1_agreement}};
    if (result->memory) json["memory"] = to_json(*result->memory);
    if (a.per_token) {
      json["tokens"] = Json::array();
      for (const TokenLoss& token : e.tokens) json["tokens"].push_back({{"id", token.id}, {"nll", token.nll}});
    }
    print_json(json);
    return 0;
  }
  print(fmt::format("perplexity   {:.4f}\nmean nll     {:.6f} nats\ntokens       {} predicted\nrecipe       {}\n",
                    e.perplexity, e.mean_nll, e.tokens.size(), e.recipe));
  if (e.divergence)
    print(fmt::format(
        "KL           mean {:.6f}, p99 {:.6f}, max {:.6f} nats\ntop-1        {:.2f} % agree with the reference\n",
        e.divergence->mean_kl, e.divergence->p99_kl, e.divergence->max_kl, 100 * e.divergence->top1_agreement));
  if (a.per_token)
    for (const TokenLoss& token : e.tokens) print(fmt::format("{:>8} {:.6f}\n", token.id, token.nll));
  if (result->memory) print("\n" + to_table(*result->memory));
  return 0;
}

// "fp32,bf16,...", widest first: what `compare` compares unless it is told.
std::string every_precision() {
  std::string names = names_of(widest_first(precisions()));
  std::erase(names, ' ');
  return names;
}

struct CompareArguments {
  bool memory_report = false;
  std::string model, precisions = every_precision(), text, messages, html, report;
  CompareOptions options;
  PrecisionArguments held;
};

Result<std::vector<Message>> read_messages(const std::string& path) {
  NIBBLE_TRY(const std::string text, read_file(path));
  const Json json = Json::parse(text, nullptr, false);
  const Json& list = json.is_object() && json.contains("messages") ? json["messages"] : json;
  std::vector<Message> messages;
  if (list.is_array())
    for (const Json& entry : list) {
      if (!entry.is_object() || !entry.contains("role") || !entry.contains("content") || !entry["role"].is_string() ||
          !entry["content"].is_string())
        break;
      messages.push_back({entry["role"], entry["content"]});
    }
  if (messages.empty() || messages.size() != list.size())
    return Error{Errc::bad_request, path + ": expected a JSON list of {\"role\": text, \"content\": text}"};
  return messages;
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
  auto precisions = read_precisions(a.held, a.precisions);
  if (!precisions) return fail(precisions.error());
  options.precisions = *precisions;
  options.ignore_config = common.ignore_config;
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
  for (const auto& [path, form] : files)
    if (auto written = write_file(path, form(*comparison)); !written) return fail(written.error());
  print(common.json ? nibble::to_json(*comparison) + "\n" : to_table(*comparison));
  if (a.memory_report && !common.json)
    for (const PrecisionResult& r : comparison->results)
      if (r.error.empty()) print("\n" + r.precision.label() + "\n" + to_table(r.memory));
  int status = 0;
  for (const PrecisionResult& r : comparison->results)
    if (!r.error.empty()) status = fail({Errc::internal, r.precision.label() + ": " + r.error});
  return status;
}

struct BenchArguments {
  std::string model, random_weights, precisions = "stored";
  BenchOptions options;
  PrecisionArguments held;
};

Json machine_json(const MachineReport& m) {
  return {{"cpu", m.cpu},
          {"kernels", m.kernel_target},
          {"cores", m.cores},
          {"read_gb_per_s", m.read_gb_per_s},
          {"fp32_gflops", m.fp32_gflops},
          {"bf16_gflops", m.bf16_gflops},
          {"int8_gops", m.int8_gops}};
}

int bench_model_verb(BenchArguments& a, const Common& common) {
  if (a.model.empty() == a.random_weights.empty())
    return fail({Errc::bad_request, "name a MODEL, or --random-weights CONFIG for a shape alone"});
  auto precisions = read_precisions(a.held, a.precisions);
  if (!precisions) return fail(precisions.error());
  a.options.precisions = *precisions;
  a.options.ignore_config = common.ignore_config;
  a.options.threads = common.threads;
  a.options.device_map = common.device;
  a.options.progress = progress_bar(common, "bench");
  auto report = bench_model(a.model.empty() ? a.random_weights : a.model, a.model.empty(), a.options);
  if (!report) return fail(report.error());
  if (common.json) {
    Json json = {{"model", report->model},
                 {"machine", machine_json(report->machine)},
                 {"prompt_tokens", a.options.prompt_tokens},
                 {"new_tokens", a.options.new_tokens},
                 {"batch", a.options.batch},
                 {"results", Json::array()}};
    for (const BenchResult& r : report->results)
      json["results"].push_back({{"precision", r.held_as},
                                 {"prefill_tokens_per_s", r.prefill_tokens_per_s},
                                 {"decode_tokens_per_s", r.decode_tokens_per_s},
                                 {"bytes_per_token", r.bytes_per_token},
                                 {"read_gb_per_s", r.read_gb_per_s},
                                 {"percent_of_bandwidth", r.percent_of_bandwidth},
                                 {"prefill_gflops", r.prefill_gflops},
                                 {"percent_of_peak", r.percent_of_peak},
                                 {"outlier_share", r.outlier_share},
                                 {"load_seconds", r.load_seconds},
                                 {"bytes", to_json(r.memory)}});
    print_json(json);
    return 0;
  }
  const MachineReport& m = report->machine;
  print(
      fmt::format("{} on {} ({}, {} cores): {:.1f} GB/s read, {:.0f} GFLOP/s fp32, {:.0f} bf16, {:.0f} GOP/s "
                  "int8\nprompt {}, new {}, batch {}\n\n{:<18}{:>12}{:>10}{:>8}{:>12}{:>8}{:>10}{:>8}{:>10}\n",
                  report->model, m.cpu, m.kernel_target, m.cores, m.read_gb_per_s, m.fp32_gflops, m.bf16_gflops,
                  m.int8_gops, a.options.prompt_tokens, a.options.new_tokens, a.options.batch, "precision",
                  "prefill t/s", "GFLOP/s", "% peak", "decode t/s", "GB/s", "% of read", "load s", "outliers"));
  for (const BenchResult& r : report->results)
    print(fmt::format("{:<18}{:>12.1f}{:>10.0f}{:>8.1f}{:>12.1f}{:>8.1f}{:>10.1f}{:>8.2f}{:>9.2f}%\n", r.held_as,
                      r.prefill_tokens_per_s, r.prefill_gflops, r.percent_of_peak, r.decode_tokens_per_s,
                      r.read_gb_per_s, r.percent_of_bandwidth, r.load_seconds, 100 * r.outlier_share));
  return 0;
}

}  // namespace

void add_eval(CLI::App& app, Verb& run) {
  auto common = std::make_shared<Common>();
  auto a = std::make_shared<EvalArguments>();
  CLI::App* verb = app.add_subcommand("eval", "perplexity of a text, and the distance from a reference model");
  verb->add_option("MODEL", a->model, model_help)->required();
  verb->add_option("--text", a->text, "a text file; - is standard input");
  verb->add_option("--ids", a->ids, "a file of token ids instead, separated by spaces or commas");
  verb->add_option("--reference", a->reference,
                   "a model to compare predictions with: KL divergence in nats, top-1 agreement");
  verb->add_option("--reference-precision", a->reference_precision, "its precision (default: as stored)");
  verb->add_flag("--per-token", a->per_token, "every token's negative log-likelihood, in nats");
  verb->add_flag("--memory-report", a->memory_report, "at the end: memory by category, as predicted and as measured");
  verb->add_option("--context", a->context, "window in tokens (default: min(model, 2048))");
  verb->add_option("--stride", a->stride, "new tokens per window (default: the window, no overlap)");
  verb->add_option("--bos", a->bos,
                   "a BOS in front of every window: auto (as the tokenizer does), always, never (default: auto)");
  verb->add_option("--max-tokens", a->max_tokens, "only so many tokens of the text (default: all)");
  verb->add_option("--logits", a->logits, "write target ids and logits to this safetensors file");
  add_precision(*verb, a->held, "--precision");
  add_common(*verb, *common, uses_threads | uses_config | uses_progress);
  verb->callback([=, &run] {
    run = [=] {
      return with_model(a->model, *common,
                        [&] { return with_model(a->reference, *common, [&] { return eval_verb(*a, *common); }); });
    };
  });
}

void add_compare(CLI::App& app, Verb& run) {
  auto common = std::make_shared<Common>();
  auto a = std::make_shared<CompareArguments>();
  CLI::App* verb =
      app.add_subcommand("compare", "one model at several precisions: size, memory, speed, quality, the same answer");
  verb->add_option("MODEL", a->model, model_help)->required();
  verb->add_option("--precisions", a->precisions,
                   fmt::format("separated by commas; {}: with double quantization (default: {})",
                               double_quantized_names(), every_precision()));
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
  verb->add_option("--new-tokens", a->options.new_tokens, "tokens of the answer (default: 100)");
  verb->add_option("--prompt-tokens", a->options.prefill_tokens, "tokens of the prefill measurement (default: 512)");
  verb->add_option("--decode-tokens", a->options.decode_tokens, "tokens of the decode measurement (default: 64)");
  verb->add_option("--repeats", a->options.repeats,
                   "repeats of each speed measurement, the median counts (default: 3)");
  add_quantization(*verb, a->held);
  add_common(*verb, *common, uses_threads | uses_config | uses_progress);
  verb->callback(
      [=, &run] { run = [=] { return with_model(a->model, *common, [&] { return compare_verb(*a, *common); }); }; });
}

void add_bench(CLI::App& app, Verb& run) {
  CLI::App* bench = app.add_subcommand("bench", "speed beside this machine's measured limit");
  bench->require_subcommand(1);
  auto common = std::make_shared<Common>();
  auto a = std::make_shared<BenchArguments>();
  CLI::App* verb = bench->add_subcommand("model", "prefill and decode of a whole model");
  verb->add_option("MODEL", a->model, model_help);
  verb->add_option("--random-weights", a->random_weights, "a config.json: seeded random weights of that shape");
  verb->add_option(
      "--precision,--precisions", a->precisions,
      fmt::format("separated by commas; {}: with double quantization (default: as stored)", double_quantized_names()));
  verb->add_option("--prompt-tokens", a->options.prompt_tokens, "tokens of the prompt (default: 512)");
  verb->add_option("--new-tokens", a->options.new_tokens, "tokens to generate (default: 64)");
  verb->add_option("--batch", a->options.batch, "sequences decoded together (default: 1)");
  verb->add_option("--repeats", a->options.repeats, "the median of these is reported (default: 3)");
  verb->add_option("--cpu-target", a->options.cpu_target,
                   "avx512_vnni_bf16, avx512, avx2 or reference (default: the best here)");
  add_quantization(*verb, a->held);
  add_common(*verb, *common, uses_threads | uses_config | uses_progress);
  verb->callback([=, &run] {
    run = [=] { return with_model(a->model, *common, [&] { return bench_model_verb(*a, *common); }); };
  });

  auto kernel_common = std::make_shared<Common>();
  auto target = std::make_shared<std::string>();
  CLI::App* kernels = bench->add_subcommand("kernels", "one product in every format");
  kernels->add_option("--cpu-target", *target, "avx512_vnni_bf16, avx512, avx2 or reference (default: the best here)");
  add_common(*kernels, *kernel_common, uses_threads);
  kernels->callback([=, &run] {
    run = [=] {
      auto report = bench_kernels(kernel_common->threads, *target, kernel_common->device);
      if (!report) return fail(report.error());
      if (kernel_common->json) {
        Json json = {{"machine", machine_json(report->machine)}, {"results", Json::array()}};
        for (const KernelResult& r : report->results)
          json["results"].push_back({{"format", r.format},
                                     {"rows", r.rows},
                                     {"cols", r.cols},
                                     {"batch", r.batch},
                                     {"microseconds", r.seconds * 1e6},
                                     {"gb_per_s", r.gb_per_s},
                                     {"percent_of_bandwidth", r.percent_of_bandwidth},
                                     {"gflops", r.gflops},
                                     {"percent_of_peak", r.percent_of_peak}});
        print_json(json);
        return 0;
      }
      print(fmt::format("{:<20}{:>14}{:>8}{:>12}{:>10}{:>10}{:>10}{:>10}\n", "format", "shape", "batch", "us", "GB/s",
                        "% of read", "GFLOP/s", "% peak"));
      for (const KernelResult& r : report->results)
        print(fmt::format("{:<20}{:>14}{:>8}{:>12.1f}{:>10.1f}{:>10.1f}{:>10.1f}{:>10.1f}\n", r.format,
                          fmt::format("{}x{}", r.rows, r.cols), r.batch, r.seconds * 1e6, r.gb_per_s,
                          r.percent_of_bandwidth, r.gflops, r.percent_of_peak));
      return 0;
    };
  });
}

}  // namespace nibble::cli
