// eval: how well a model predicts a text, and how far it is from a reference.
#include "common.hpp"
#include "nibble/evaluate.hpp"
#include "origin.hpp"

namespace nibble::cli {
namespace {

struct EvalArguments {
  std::string model, text, ids, reference, reference_precision = "stored", logits;
  std::int64_t max_tokens = 0;
  RecipeArguments recipe;
  bool per_token = false, memory_report = false;
  PrecisionArguments held;
};

// `source`: what was read.
Result<std::vector<std::int32_t>> read_ids(const EvalArguments& a, const Model& model, Provenance& source) {
  NIBBLE_TRY(const std::string text, read_file(a.text.empty() ? a.ids : a.text));
  source.text_sha256 = sha256_of(text);
  if (!a.text.empty()) {
    NIBBLE_TRY(const TextTokenizer tokenizer, model.tokenizer());
    return tokenizer.encode(text, false, true);
  }
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
  Provenance source;
  std::optional<MemoryCheck> memory;
  std::string requantized_from;
};

Result<Evaluated> evaluate_verb(const EvalArguments& a, const Common& common) {
  if (a.text.empty() == a.ids.empty()) return Error{Errc::bad_request, "name one of --text FILE and --ids FILE"};
  if (a.reference.empty() && a.reference_precision != "stored")
    return Error{Errc::bad_request, "--reference-precision needs --reference MODEL"};
  if (!a.logits.empty()) NIBBLE_CHECK(check_writable(a.logits));
  NIBBLE_TRY(const Bos bos, read_bos(a.recipe));
  NIBBLE_TRY(const QuantizationConfig precision, read_precision(a.held, a.held.precision));
  std::optional<MemoryWatch> watch;
  if (a.memory_report) watch.emplace();
  NIBBLE_TRY(const Model model, Model::load(a.model, load_options(common, precision)));
  warn_of_second_rounding(model);
  Evaluated out;
  out.source = provenance(model, a.model);
  out.requantized_from = model.requantized_from();
  NIBBLE_TRY(const std::vector<std::int32_t> ids, read_ids(a, model, out.source));
  EvaluateOptions options;
  options.context = a.recipe.context;
  options.stride = a.recipe.stride;
  options.bos = bos;
  options.max_tokens = a.max_tokens;
  options.logits_file = a.logits;
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
  warn_of_second_rounding(reference);
  watch_interrupt();
  NIBBLE_TRY(out.quality, evaluate_against(model, reference, ids, options));
  if (watch) out.memory = watch->check({&model, &reference});
  return out;
}

Json json_of(const Evaluation& e) {
  Json json = {{"perplexity", e.perplexity},
               {"perplexity_se", e.perplexity_se},
               {"mean_nll", e.mean_nll},
               {"mean_nll_se", e.mean_nll_se},
               {"bits_per_byte", e.bits_per_byte ? Json(*e.bits_per_byte) : Json()},
               {"predicted_tokens", e.tokens.size()},
               {"windows", e.windows},
               {"context", e.context},
               {"stride", e.stride},
               {"bos", e.bos},
               {"recipe", e.recipe},
               {"seconds", e.seconds}};
  if (e.divergence)
    json["divergence"] = {{"mean_kl", e.divergence->mean_kl},
                          {"mean_kl_se", e.divergence->mean_kl_se},
                          {"p99_kl", e.divergence->p99_kl},
                          {"max_kl", e.divergence->max_kl},
                          {"top1_agreement", e.divergence->top1_agreement}};
  if (e.reference)
    json["reference"] = {{"perplexity", e.reference->perplexity},
                         {"perplexity_se", e.reference->perplexity_se},
                         {"ratio", e.reference->ratio},
                         {"ratio_se", e.reference->ratio_se}};
  return json;
}

// Each figure with its standard error.
void print_figures(const Evaluation& e) {
  const auto line = [](const char* name, const std::string& text) { print_field(name, text, 13); };
  line("perplexity", fmt::format("{:.4f} +/- {:.4f}", e.perplexity, e.perplexity_se));
  line("mean nll", fmt::format("{:.6f} +/- {:.6f} nats{}", e.mean_nll, e.mean_nll_se,
                               e.bits_per_byte ? fmt::format(", {:.4f} bits per byte", *e.bits_per_byte) : ""));
  line("tokens", fmt::format("{} predicted", e.tokens.size()));
  line("recipe", e.recipe);
  if (e.reference)
    line("reference",
         fmt::format("perplexity {:.4f} +/- {:.4f}; the model's is {:.5f} +/- {:.5f} times that",
                     e.reference->perplexity, e.reference->perplexity_se, e.reference->ratio, e.reference->ratio_se));
  if (!e.divergence) return;
  line("KL", fmt::format("mean {:.6f} +/- {:.6f}, p99 {:.6f}, max {:.6f} nats", e.divergence->mean_kl,
                         e.divergence->mean_kl_se, e.divergence->p99_kl, e.divergence->max_kl));
  line("top-1", fmt::format("{:.2f} % agree with the reference", 100 * e.divergence->top1_agreement));
}

int eval_verb(const EvalArguments& a, const Common& common) {
  auto result = evaluate_verb(a, common);
  if (!result) return fail(result.error());
  const Evaluation& e = result->quality;
  if (common.json) {
    Json json = json_of(e);
    json["provenance"] = origin(result->source);
    if (!result->requantized_from.empty()) json["requantized_from"] = result->requantized_from;
    if (result->memory) json["memory"] = to_json(*result->memory);
    if (a.per_token) {
      json["tokens"] = Json::array();
      for (const TokenLoss& token : e.tokens) json["tokens"].push_back({{"id", token.id}, {"nll", token.nll}});
    }
    print_json(json);
    return 0;
  }
  print_figures(e);
  if (a.per_token)
    for (const TokenLoss& token : e.tokens) print(fmt::format("{:>8} {:.6f}\n", token.id, token.nll));
  if (result->memory) print("\n" + to_table(*result->memory));
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
  add_precision_option(*verb, "--reference-precision", a->reference_precision, "its precision (default: as stored)");
  verb->add_flag("--per-token", a->per_token, "every token's negative log-likelihood, in nats");
  verb->add_flag("--memory-report", a->memory_report, "at the end: memory by category, as predicted and as measured");
  add_recipe(*verb, a->recipe);
  verb->add_option("--max-eval-tokens,--max-tokens", a->max_tokens, "only so many tokens of the text (default: all)");
  verb->add_option("--logits", a->logits, "write target ids and logits to this safetensors file");
  add_precision(*verb, a->held, "--precision");
  add_common(*verb, *common, uses_threads | uses_config | uses_tensors | uses_progress);
  verb->callback([=, &run] {
    run = [=] {
      return with_model(a->model, *common,
                        [&] { return with_model(a->reference, *common, [&] { return eval_verb(*a, *common); }); });
    };
  });
}

}  // namespace nibble::cli
