#include "generation_arguments.hpp"

namespace nibble::cli {
namespace {

std::string at_least_one(const std::string& text) {
  return !text.empty() && text[0] != '-' && text.find_first_not_of('0') != std::string::npos
             ? ""
             : text + " was asked for, expected at least 1";
}

}  // namespace

void add_generation(CLI::App& verb, GenerationArguments& a, Common& common) {
  verb.footer("The model's: what its generation_config.json says.");
  verb.add_option("-n,--max-new-tokens", a.new_tokens,
                  fmt::format("tokens to generate at most (default: {})", a.new_tokens))
      ->check(at_least_one);
  verb.add_option(
          "--context", a.context,
          "tokens of KV cache per sequence (default: what is needed; chat: 4096 or what the model was made for)")
      ->check(at_least_one);
  verb.add_option("--temperature", a.temperature,
                  "0: greedy, always the most likely token (default: the model's, else 0)");
  verb.add_option("--top-k", a.top_k, "draw from the k most likely tokens; 0: all (default: the model's, else 0)");
  verb.add_option(
      "--top-p", a.top_p,
      "draw from the most likely tokens that hold this share of probability; 1: all (default: the model's, else 1)");
  verb.add_option(
      "--min-p", a.min_p,
      "draw from tokens at least this share as likely as the most likely one; 0: all (default: the model's, else 0)");
  verb.add_option("--repetition-penalty", a.repetition_penalty,
                  "above 1: what was said becomes less likely; 1: off (default: the model's, else 1)");
  verb.add_option("--stop", a.stop, "end before this text; may be repeated")
      ->allow_extra_args(false)
      ->check([](const std::string& text) {
        return text.empty() ? std::string("an empty text would end every answer before it begins") : std::string();
      });
  verb.add_option(
      "--kv-cache", a.kv_cache,
      names_of(widest_first(precisions({FormatKind::dense})), " or ") + " (default: what products are rounded to)");
  verb.add_option("--cpu-target", a.cpu_target, "avx512_vnni_bf16, avx512, avx2 or reference (default: the best here)");
  verb.add_flag("--show-thinking", a.show_thinking, "print <think>...</think> (default)");
  verb.add_flag("--hide-thinking", a.hide_thinking, "leave <think>...</think> out of what is printed");
  verb.add_flag(
      "--no-thinking", a.no_thinking,
      "ask the model's chat template for an answer without thinking; templates that know no such thing ignore it");
  verb.add_flag("--raw", a.raw, "print control characters of the answer as they are, not as escapes (\\x1b)");
  add_precision(verb, a.held, "--precision");
  add_common(verb, common, uses_threads | uses_seed | uses_config | uses_tensors | uses_progress);
}

Result<Model> load(const GenerationArguments& a, const Common& common, std::int64_t batch) {
  if (a.show_thinking && a.hide_thinking)
    return Error{Errc::bad_request, "--show-thinking and --hide-thinking contradict each other; name one"};
  NIBBLE_TRY(const QuantizationConfig precision, read_precision(a.held, a.held.precision));
  LoadOptions options = load_options(common, precision);
  NIBBLE_TRY(options.kv_cache, parse_precision(a.kv_cache));
  options.cpu_target = a.cpu_target;
  if (a.context > 0) options.context = a.context;
  options.batch = std::max<std::int64_t>(1, batch);
  NIBBLE_TRY(const Model model, Model::load(a.model, options));
  warn_of_second_rounding(model);
  return model;
}

GenerateOptions generation(const Model& model, const GenerationArguments& a, const Common& common) {
  GenerateOptions options;
  options.max_new_tokens = a.new_tokens;
  options.context = a.context;
  options.stop_strings = a.stop;
  options.sampling = default_sampling(model);
  options.sampling.seed = common.seed;
  if (a.temperature) options.sampling.temperature = *a.temperature;
  if (a.top_k) options.sampling.top_k = *a.top_k;
  if (a.top_p) options.sampling.top_p = *a.top_p;
  if (a.min_p) options.sampling.min_p = *a.min_p;
  if (a.repetition_penalty) options.sampling.repetition_penalty = *a.repetition_penalty;
  options.stop = interrupted;
  return options;
}

std::string without_thinking(const std::string& text, bool begins_inside) {
  ThinkingFilter filter(begins_inside);
  std::string shown = filter.push(text);
  return shown + filter.flush();
}

void print_answer(const GenerationArguments& a, const std::string& text) {
  if (a.raw)
    print_exact(text);
  else
    print(text);
}

std::string why_it_ended(const Generation& g, const GenerationArguments& a) {
  switch (g.stopped) {
    case StopReason::length:
      if (std::int64_t(g.ids.size()) < a.new_tokens) return "cut: the context is full, --context N makes it longer";
      return fmt::format("cut at {} token{}, -n N allows more", g.ids.size(), g.ids.size() == 1 ? "" : "s");
    case StopReason::cancelled:
      return "stopped";
    default:
      return std::string(name_of(g.stopped));
  }
}

std::string held_as(const Model& model) {
  const std::string from = model.converted_from();
  return from.empty() ? model.held_as() : model.held_as() + " decoded from " + from;
}

}  // namespace nibble::cli
