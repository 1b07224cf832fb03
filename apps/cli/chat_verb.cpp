// chat: a conversation with the model's own template.
#include <unistd.h>

#include "chat_commands.hpp"
#include "line_editor.hpp"

namespace nibble::cli {
namespace {

// What the user says in one turn: a line, lines that end with a backslash and the next, or what stands between """.
std::optional<std::string> read_turn(LineEditor& editor) {
  std::optional<std::string> turn = editor.line("> ");
  if (!turn || !editor.edits()) return turn;
  constexpr std::string_view quotes = "\"\"\"";
  const bool block = turn->starts_with(quotes);
  if (block) turn->erase(0, quotes.size());
  while (block ? !turn->ends_with(quotes) : turn->ends_with('\\')) {
    if (!block) turn->pop_back();
    const std::optional<std::string> next = editor.line(". ");
    if (!next) return next;
    turn->append("\n").append(*next);
  }
  if (block) turn->resize(turn->size() - quotes.size());
  return turn;
}

void say_how_it_went(const Generation& answer, const Chat& chat, const Model& model, const GenerationArguments& a) {
  if (chat.left_out() > 0)
    complain_folded(fmt::format("[the context of {} is full: the oldest {} left out]\n",
                                counted(std::uint64_t(chat.context()), "token"),
                                counted(std::uint64_t(chat.left_out()), "message")));
  complain_folded(
      fmt::format("[{}; {}, {} of them known, in {:.2f} s; {} at {:.1f}/s; {}]\n", held_as(model),
                  counted(std::uint64_t(answer.prompt_tokens), "prompt token"), chat.reused_tokens(),
                  answer.prefill_seconds, counted(answer.ids.size(), "token"),
                  answer.decode_seconds > 0
                      ? double(answer.ids.size() - std::min<std::size_t>(1, answer.ids.size())) / answer.decode_seconds
                      : 0.0,
                  why_it_ended(answer, a)));
}

Json json_of(const Generation& answer, const Chat& chat, const GenerationArguments& a) {
  return {{"text", a.hide_thinking ? without_thinking(answer.text, chat.opened_thinking()) : answer.text},
          {"prompt_tokens", answer.prompt_tokens},
          {"reused_tokens", chat.reused_tokens()},
          {"new_tokens", answer.ids.size()},
          {"stopped", name_of(answer.stopped)}};
}

Result<void> answer_turn(Chat& chat, const Model& model, const std::string& turn, const GenerationArguments& a,
                         const Common& common, bool terminal) {
  GenerateOptions options = generation(model, a, common);
  std::optional<ThinkingFilter> filter;
  options.on_text = [&](std::size_t, std::string_view text) {
    if (!filter) filter.emplace(chat.opened_thinking());
    if (!common.json) print_answer(a, a.hide_thinking ? filter->push(text) : std::string(text));
    return !interrupted();
  };
  NIBBLE_TRY(const Generation answer, chat.say(turn, options));
  if (common.json)
    print_json_text(json_of(answer, chat, a).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  else
    print_answer(a, (a.hide_thinking && filter ? filter->flush() : "") + "\n");
  if (terminal && !common.quiet) say_how_it_went(answer, chat, model, a);
  return {};
}

int converse(Chat& chat, const Model& model, const GenerationArguments& a, const Common& common) {
  const bool terminal = ::isatty(0);
  LineEditor editor;
  if (terminal && !common.quiet)
    complain_folded(
        fmt::format("{}, held as {}; a context of {}.\n/help lists commands; Ctrl-C ends an answer, "
                    "Ctrl-D the chat.\n",
                    a.model, held_as(model), counted(std::uint64_t(chat.context()), "token")));
  while (std::optional<std::string> turn = read_turn(editor)) {
    if (turn->find_first_not_of(" \t\n") == std::string::npos) continue;
    Result<void> done;
    if (is_chat_command(*turn)) {
      const auto goes_on = obey_chat_command(*turn, chat);
      if (goes_on && !*goes_on) return 0;
      if (!goes_on) done = goes_on.error();
    } else {
      if (turn->starts_with("//")) turn->erase(0, 1);
      done = answer_turn(chat, model, *turn, a, common, terminal);
    }
    if (!done) {
      const int code = fail(done.error());  // the conversation is as it was
      if (!terminal) return code;
    }
    if (interrupted() && !terminal) return interrupt_status();
    forget_interrupt();  // it was meant for the answer
    if (interrupted()) return interrupt_status();
  }
  if (terminal) forget_interrupt();  // here it ends the chat
  return interrupt_status();
}

int chat_verb(const GenerationArguments& a, const Common& common) {
  auto model = load(a, common, 1);
  if (!model) return fail(model.error());
  if (!model->has_chat_template())
    return fail({Errc::bad_request, a.model + ": has no chat template; `nibble run` continues a text"});
  auto chat = Chat::start(*model, a.system, a.context, a.thinking());
  if (!chat) return fail(chat.error());
  chat->set_sliding(true);
  watch_interrupt();
  return converse(*chat, *model, a, common);
}

}  // namespace

void add_chat(CLI::App& app, Verb& run) {
  auto common = std::make_shared<Common>();
  auto a = std::make_shared<GenerationArguments>();
  a->new_tokens = 1024;
  CLI::App* verb = app.add_subcommand("chat", "a conversation with the model's own template; /help lists its commands");
  verb->add_option("MODEL", a->model, model_help)->required();
  verb->add_option("--system", a->system, "the system message");
  add_generation(*verb, *a, *common);
  verb->callback(
      [=, &run] { run = [=] { return with_model(a->model, *common, [&] { return chat_verb(*a, *common); }); }; });
}

}  // namespace nibble::cli
