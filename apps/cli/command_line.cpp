#include "command_line.hpp"

#include <algorithm>

#include "common.hpp"
#include "completion.hpp"
#include "help.hpp"
#include "nibble/build_facts.hpp"
#include "suggest.hpp"

namespace nibble::cli {
namespace {

bool is_option(const std::string& word) { return word.size() > 1 && word[0] == '-'; }

CLI::App* verb_named(CLI::App& app, const std::string& name) {
  for (CLI::App* verb : app.get_subcommands([](CLI::App*) { return true; }))
    if (verb->get_name() == name) return verb;
  return nullptr;
}

// The verb that the words begin with, and how many of them name it: one, or two as in `bench model`.
struct Chosen {
  CLI::App* verb;
  std::size_t words = 0;
  std::string name = "nibble";
};
Chosen chosen_verb(CLI::App& app, const std::vector<std::string>& words) {
  Chosen chosen{&app};
  while (chosen.words < words.size()) {
    CLI::App* next = verb_named(*chosen.verb, words[chosen.words]);
    if (!next) break;
    chosen.verb = next;
    chosen.name += " " + words[chosen.words++];
  }
  return chosen;
}

// `nibble help run` is `nibble run --help`, and options may stand before the verb: `nibble --quiet run ...`.
void put_verb_first(CLI::App& app, std::vector<std::string>& words) {
  if (!words.empty() && words.front() == "help") {
    words.erase(words.begin());
    words.push_back("--help");
  }
  if (words.empty() || !is_option(words.front()) || words.front() == "--version" || words.front() == "-V") return;
  const auto verb =
      std::find_if(words.begin(), words.end(), [&](const std::string& word) { return verb_named(app, word); });
  if (verb == words.end()) return;
  const auto end = verb + std::ptrdiff_t(chosen_verb(app, {verb, words.end()}).words);
  std::rotate(words.begin(), verb, end);
}

std::vector<std::string> names_of_verbs(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : shown_verbs(app)) names.push_back(verb->get_name());
  return names;
}

// Aliases as well: they are what one may have meant.
std::vector<std::string> names_of_options(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::string unknown_word(const CLI::App& app, const CLI::App& verb) {
  const std::vector<std::string> left = app.remaining(true);
  const auto option = std::find_if(left.begin(), left.end(), is_option);
  if (option != left.end())
    return fmt::format("there is no option {}{}", *option, did_you_mean(meant_option(*option, names_of_options(verb))));
  return left.empty() ? std::string("a word too many")
                      : fmt::format("\"{}\" is a word too many; quote what belongs together", left.front());
}

std::string what_is_wrong(const CLI::ParseError& problem, const CLI::App& app, const Chosen& chosen,
                          const std::vector<std::string>& words) {
  const std::vector<std::string> verbs = names_of_verbs(*chosen.verb);
  const bool too_many = problem.get_exit_code() == int(CLI::ExitCodes::ExtrasError);
  if (!verbs.empty() && (problem.get_name() == "RequiredError" || too_many)) {
    if (chosen.words >= words.size()) return fmt::format("a verb is missing; there are {}", fmt::join(verbs, ", "));
    const std::string& word = words[chosen.words];
    return fmt::format("unknown {} \"{}\"{}; there are {}", is_option(word) ? "option" : "verb", word,
                       did_you_mean(nearest(word, verbs)), fmt::join(verbs, ", "));
  }
  if (too_many) return unknown_word(app, *chosen.verb);
  return problem.what();
}

}  // namespace

void declare_verbs(CLI::App& app, Verb& run) {
  for (const auto add : {add_doctor, add_inspect, add_estimate, add_explain, add_quantize, add_verify, add_run,
                         add_chat, add_compare, add_eval, add_tokenize, add_bench, add_completion})
    add(app, run);
  dress(app);
}

int run_words(std::vector<std::string> words) {
  CLI::App app("loads, measures, quantizes and runs language models at any precision", "nibble");
  app.set_version_flag("-V,--version", build_line() + "\n", "version, commit, compiler and build type");
  app.require_subcommand(1);
  app.footer("`nibble help VERB` says what a verb takes.");
  Verb run;
  declare_verbs(app, run);
  put_verb_first(app, words);
  const Chosen chosen = chosen_verb(app, words);
  if (words.empty()) {
    complain(app.help());
    return 2;
  }
  if (chosen.words == 0 && !is_option(words.front())) {  // also where help was asked for with it
    const std::vector<std::string> verbs = names_of_verbs(app);
    return fail({Errc::bad_request, fmt::format("unknown verb \"{}\"{}; there are {}", words.front(),
                                                did_you_mean(nearest(words.front(), verbs)), fmt::join(verbs, ", "))});
  }
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // takes them off the end
  } catch (const CLI::CallForHelp&) {
    print_exact(app.help());
    return 0;
  } catch (const CLI::CallForVersion& version) {
    print_exact(version.what());
    return 0;
  } catch (const CLI::ParseError& problem) {
    complain_folded(fmt::format("nibble: {}\n`{} --help` says what is expected.\n",
                                what_is_wrong(problem, app, chosen, words), chosen.name));
    return 2;
  }
  return run();
}

}  // namespace nibble::cli
