// run and chat.
#include <unistd.h>

#include <iostream>

#include "common.hpp"
#include "nibble/generate.hpp"
#include "nibble/memory_report.hpp"
#include "origin.hpp"

namespace nibble::cli {
namespace {

struct Arguments {
  std::string model, kv_cache = "stored", cpu_target;
  std::vector<std::string> prompts, stop;
  std::int64_t new_tokens = 128, context = 0;
  // Unset ones follow the model's generation_config.json.
  std::optional<float> temperature, top_p, min_p, repetition_penalty;
  std::optional<int> top_k;
  bool memory_report = false, chat = false, show_thinking = false, hide_thinking = false;
  std::string system;
  PrecisionArguments held;
};

std::string at_least_one(const std::string& text) {
  return !text.empty() && text[0] != '-' && text.find_first_not_of('0') != std::string::npos
             ? ""
             : text + " was asked for, expected at least 1";
}

void add_arguments(CLI::App& verb, Arguments& a, Common& common) {
  verb.footer("Sampling options that are not named follow the model's generation_config.json; without one, greedy.");
  verb.add_option("--max-new-tokens,-n", a.new_tokens,
                  fmt::format("tokens to generate at most (default: {})", a.new_tokens))
      ->check(at_least_one);
  verb.add_option(
          "--context", a.context,
          "tokens of KV cache per sequence (default: what is needed; chat: 4096 or what the model was made for)")
      ->check(at_least_one);
  verb.add_option("--temperature", a.temperature, "0: greedy, always the most likely token");
  verb.add_option("--top-k", a.top_k, "draw from the k most likely tokens; 0: all");
  verb.add_option("--top-p", a.top_p, "draw from the most likely tokens that hold this share of probability; 1: all");
  verb.add_option("--min-p", a.min_p, "draw from tokens at least this share as likely as the most likely one; 0: all");
  verb.add_option("--repetition-penalty", a.repetition_penalty, "above 1: what was said becomes less likely; 1: off");
  verb.add_option("--stop", a.stop, "end before this text; may be repeated")->allow_extra_args(false);
  verb.add_option(
      "--kv-cache", a.kv_cache,
      names_of(widest_first(precisions({FormatKind::dense})), " or ") + " (default: what products are rounded to)");
  verb.add_option("--cpu-target", a.cpu_target, "avx512_vnni_bf16, avx512, avx2 or reference (default: the best here)");
  verb.add_flag("--show-thinking", a.show_thinking, "print <think>...</think> (default)");
  verb.add_flag("--hide-thinking", a.hide_thinking, "leave <think>...</think> out of what is printed");
  add_precision(verb, a.held, "--precision");
  add_common(verb, common, uses_threads | uses_seed | uses_config | uses_tensors | uses_progress);
}

Result<Model> load(const Arguments& a, const Common& common) {
  if (a.show_thinking && a.hide_thinking)
    return Error{Errc::bad_request, "--show-thinking and --hide-thinking contradict each other; name one"};
  NIBBLE_TRY(const QuantizationConfig precision, read_precision(a.held, a.held.precision));
  LoadOptions options = load_options(common, precision);
  NIBBLE_TRY(options.kv_cache, parse_precision(a.kv_cache));
  options.cpu_target = a.cpu_target;
  if (a.context > 0) options.context = a.context;
  options.batch = std::max<std::int64_t>(1, std::int64_t(a.prompts.size()));
  return Model::load(a.model, options);
}

GenerateOptions generation(const Model& model, const Arguments& a, const Common& common) {
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

// Times are of the whole batch; the first token of each sequence comes out of the prefill.
void report_speed(const std::vector<Generation>& all, const Model& model, const Common& common) {
  if (common.quiet) return;
  std::int64_t prompt = 0, decoded = 0;
  for (const Generation& g : all) {
    prompt += g.prompt_tokens;
    decoded += std::int64_t(g.ids.size());
  }
  const Generation& g = all.front();
  const std::string from = model.converted_from();
  complain(fmt::format("[{}{}; {} prompt tokens in {:.3f} s, {} tokens at {:.1f}/s; {}]\n", model.held_as(),
                       from.empty() ? "" : " decoded from " + from, prompt, g.prefill_seconds, decoded,
                       g.decode_seconds > 0 ? double(decoded - std::int64_t(all.size())) / g.decode_seconds : 0.0,
                       all.size() > 1 ? fmt::format("{} prompts", all.size()) : std::string(name_of(g.stopped))));
}

// What stands in for PROMPT: standard input, without the line end that a shell puts there.
std::string prompt_from_input() {
  std::string text = read_file("-").value();
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

// What the model is given for each prompt.
struct Prompts {
  std::vector<std::vector<std::int32_t>> ids;
  std::vector<bool> thinking;  // whether each ends inside <think>
};

Result<Prompts> encode_prompts(const Model& model, const Arguments& a) {
  NIBBLE_TRY(const TextTokenizer tokenizer, model.tokenizer());
  Prompts out;
  for (const std::string& prompt : a.prompts) {
    std::string text = prompt;
    if (a.chat) {
      std::vector<Message> messages;
      if (!a.system.empty()) messages.push_back({"system", a.system});
      messages.push_back({"user", prompt});
      NIBBLE_TRY(text, render_chat(model, messages));
    }
    out.ids.push_back(tokenizer.encode(text, !a.chat));
    out.thinking.push_back(ends_in_thinking(text));
  }
  return out;
}

Json json_of(const Sampling& s) {
  const auto written = [](float value) { return std::stod(fmt::format("{}", value)); };  // 0.7 and not 0.699999988
  return {{"temperature", written(s.temperature)},
          {"top_k", s.top_k},
          {"top_p", written(s.top_p)},
          {"min_p", written(s.min_p)},
          {"repetition_penalty", written(s.repetition_penalty)},
          {"seed", s.seed}};
}

Json json_of(const std::vector<Generation>& results, const Model& model, const Arguments& a, const Prompts& prompts) {
  Json json = {{"precision", model.held_as()}, {"results", Json::array()}};
  if (!model.converted_from().empty()) json["decoded_from"] = model.converted_from();
  for (std::size_t i = 0; i < results.size(); ++i) {
    const Generation& g = results[i];
    json["results"].push_back({{"prompt", a.prompts[i]},
                               {"text", a.hide_thinking ? without_thinking(g.text, prompts.thinking[i]) : g.text},
                               {"ids", g.ids},
                               {"stopped", name_of(g.stopped)},
                               {"prompt_tokens", g.prompt_tokens},
                               {"prefill_seconds", g.prefill_seconds},
                               {"decode_seconds", g.decode_seconds}});
  }
  return json;
}

int run_verb(Arguments& a, const Common& common) {
  if (a.prompts.empty() && !::isatty(0)) a.prompts.push_back("-");
  if (a.prompts.empty()) return fail({Errc::bad_request, "name a PROMPT, or pipe one in"});
  if (!a.chat && !a.system.empty()) return fail({Errc::bad_request, "--system needs --chat"});
  for (std::string& prompt : a.prompts)
    if (prompt == "-") prompt = prompt_from_input();
  std::optional<MemoryWatch> watch;
  if (a.memory_report) watch.emplace();
  auto model = load(a, common);
  if (!model) return fail(model.error());
  watch_interrupt();
  const auto prompts = encode_prompts(*model, a);
  if (!prompts) return fail(prompts.error());
  GenerateOptions options = generation(*model, a, common);
  const bool stream = a.prompts.size() == 1 && !common.json;
  ThinkingFilter filter(prompts->thinking[0]);
  if (stream)
    options.on_text = [&](std::size_t, std::string_view text) {
      print(a.hide_thinking ? filter.push(text) : std::string(text));
      return !interrupted();
    };
  auto results = generate_ids(*model, prompts->ids, options);
  if (!results) return fail(results.error());
  if (stream) print((a.hide_thinking ? filter.flush() : "") + "\n");
  if (common.json) {
    Json json = json_of(*results, *model, a, *prompts);
    json["sampling"] = json_of(options.sampling);
    json["provenance"] = origin(provenance(*model, a.model));
    if (watch) json["memory"] = to_json(watch->check({&*model}));
    print_json(json);
  } else if (!stream) {
    for (std::size_t i = 0; i < results->size(); ++i) {
      const std::string& text = (*results)[i].text;
      print(fmt::format("== {}\n{}\n", a.prompts[i],
                        a.hide_thinking ? without_thinking(text, prompts->thinking[i]) : text));
    }
  }
  report_speed(*results, *model, common);
  if (watch && !common.json) complain(to_table(watch->check({&*model})));
  return interrupt_status();
}

int chat_verb(const Arguments& a, const Common& common) {
  auto model = load(a, common);
  if (!model) return fail(model.error());
  if (!model->has_chat_template())
    return fail({Errc::bad_request, a.model + ": has no chat template; `nibble run` continues a text"});
  auto chat = Chat::start(*model, a.system, a.context);
  if (!chat) return fail(chat.error());
  const bool terminal = ::isatty(0);
  if (terminal && !common.quiet) complain("Ctrl-C ends an answer; /quit, Ctrl-D or Ctrl-C here end the chat.\n");
  watch_interrupt();
  for (std::string line;;) {
    if (terminal) {
      complain("> ");
      std::fflush(stderr);
    }
    if (!std::getline(std::cin, line)) {
      if (!terminal) return interrupt_status();
      complain("\n");
      forget_interrupt();  // here it ends the chat
      return interrupt_status();
    }
    if (line.empty()) continue;
    if (line == "/quit") return 0;
    GenerateOptions options = generation(*model, a, common);
    std::optional<ThinkingFilter> filter;
    options.on_text = [&](std::size_t, std::string_view text) {
      if (!filter) filter.emplace(chat->opened_thinking());
      if (!common.json) print(a.hide_thinking ? filter->push(text) : std::string(text));
      return !interrupted();
    };
    auto answer = chat->say(line, options);
    if (!answer) {
      const int code = fail(answer.error());
      if (!terminal) return code;
      forget_interrupt();
      continue;  // the conversation is as it was
    }
    if (common.json)
      print_json_text(
          Json{{"text", a.hide_thinking ? without_thinking(answer->text, chat->opened_thinking()) : answer->text},
               {"prompt_tokens", answer->prompt_tokens},
               {"reused_tokens", chat->reused_tokens()},
               {"new_tokens", answer->ids.size()},
               {"stopped", name_of(answer->stopped)}}
              .dump(-1, ' ', false, Json::error_handler_t::replace) +
          "\n");
    else
      print((a.hide_thinking && filter ? filter->flush() : "") + "\n");
    if (interrupted() && !terminal) return interrupt_status();
    forget_interrupt();  // it was meant for the answer
    if (interrupted()) return interrupt_status();
  }
}

}  // namespace

void add_run(CLI::App& app, Verb& run) {
  auto common = std::make_shared<Common>();
  auto a = std::make_shared<Arguments>();
  CLI::App* verb = app.add_subcommand("run", "continue one or several prompts, streamed");
  verb->add_option("MODEL", a->model, model_help)->required();
  verb->add_option("PROMPT", a->prompts,
                   "text to continue; several are generated in one batch; - or none: standard input");
  verb->add_flag("--chat", a->chat, "put each prompt into the model's chat template");
  verb->add_option("--system", a->system, "with --chat: the system message");
  verb->add_flag("--memory-report", a->memory_report, "at the end: memory by category, as predicted and as measured");
  add_arguments(*verb, *a, *common);
  verb->callback(
      [=, &run] { run = [=] { return with_model(a->model, *common, [&] { return run_verb(*a, *common); }); }; });
}

void add_chat(CLI::App& app, Verb& run) {
  auto common = std::make_shared<Common>();
  auto a = std::make_shared<Arguments>();
  a->new_tokens = 1024;
  CLI::App* verb =
      app.add_subcommand("chat", "a conversation with the model's own template, one line per turn; /quit ends it");
  verb->add_option("MODEL", a->model, model_help)->required();
  verb->add_option("--system", a->system, "the system message");
  add_arguments(*verb, *a, *common);
  verb->callback(
      [=, &run] { run = [=] { return with_model(a->model, *common, [&] { return chat_verb(*a, *common); }); }; });
}

}  // namespace nibble::cli
