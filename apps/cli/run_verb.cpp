// run: one or several prompts, continued or answered.
#include <unistd.h>

#include "generation_arguments.hpp"
#include "nibble/memory_report.hpp"
#include "origin.hpp"

namespace nibble::cli {
namespace {

struct Arguments : GenerationArguments {
  std::vector<std::string> prompts;
  bool memory_report = false, chat = false;
};

// Times are of the whole batch; the first token of each sequence comes out of the prefill.
void report_speed(const std::vector<Generation>& all, const Model& model, const Arguments& a, const Common& common) {
  if (common.quiet) return;
  std::int64_t prompt = 0, decoded = 0;
  for (const Generation& g : all) {
    prompt += g.prompt_tokens;
    decoded += std::int64_t(g.ids.size());
  }
  const Generation& g = all.front();
  complain(fmt::format("[{}; {} in {:.3f} s, {} at {:.1f}/s; {}]\n", held_as(model),
                       counted(std::uint64_t(prompt), "prompt token"), g.prefill_seconds,
                       counted(std::uint64_t(decoded), "token"),
                       g.decode_seconds > 0 ? double(decoded - std::int64_t(all.size())) / g.decode_seconds : 0.0,
                       all.size() > 1 ? fmt::format("{} prompts", all.size()) : why_it_ended(g, a)));
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
      NIBBLE_TRY(text, render_chat(model, messages, true, a.thinking()));
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
  if (!model.requantized_from().empty()) json["requantized_from"] = model.requantized_from();
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
  if (!a.chat && a.no_thinking) return fail({Errc::bad_request, "--no-thinking needs --chat"});
  for (std::string& prompt : a.prompts)
    if (prompt == "-") prompt = prompt_from_input();
  std::optional<MemoryWatch> watch;
  if (a.memory_report) watch.emplace();
  auto model = load(a, common, std::int64_t(a.prompts.size()));
  if (!model) return fail(model.error());
  watch_interrupt();
  const auto prompts = encode_prompts(*model, a);
  if (!prompts) return fail(prompts.error());
  GenerateOptions options = generation(*model, a, common);
  const bool stream = a.prompts.size() == 1 && !common.json;
  ThinkingFilter filter(prompts->thinking[0]);
  if (stream)
    options.on_text = [&](std::size_t, std::string_view text) {
      print_answer(a, a.hide_thinking ? filter.push(text) : std::string(text));
      return !interrupted();
    };
  auto results = generate_ids(*model, prompts->ids, options);
  if (!results) return fail(results.error());
  if (stream) print_answer(a, (a.hide_thinking ? filter.flush() : "") + "\n");
  if (common.json) {
    Json json = json_of(*results, *model, a, *prompts);
    json["sampling"] = json_of(options.sampling);
    json["provenance"] = origin(provenance(*model, a.model));
    if (watch) json["memory"] = to_json(watch->check({&*model}));
    print_json(json);
  } else if (!stream) {
    for (std::size_t i = 0; i < results->size(); ++i) {
      const std::string& text = (*results)[i].text;
      print(fmt::format("== {}\n", a.prompts[i]));
      print_answer(a, (a.hide_thinking ? without_thinking(text, prompts->thinking[i]) : text) + "\n");
    }
  }
  report_speed(*results, *model, a, common);
  if (watch && !common.json) complain(to_table(watch->check({&*model})));
  return interrupt_status();
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
  add_generation(*verb, *a, *common);
  verb->callback(
      [=, &run] { run = [=] { return with_model(a->model, *common, [&] { return run_verb(*a, *common); }); }; });
}

}  // namespace nibble::cli
