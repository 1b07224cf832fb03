#include "completion.hpp"

#include <fmt/format.h>

#include "common.hpp"
#include "help.hpp"

namespace nibble::cli {
namespace {

// What may stand for a value, separated by spaces; empty: a file, a number or a text.
std::string choices_of(const std::string& value) {
  std::string names = "stored";
  for (const FormatFacts& format : precisions()) names += " " + std::string(format.name);
  for (const FormatFacts& format : precisions({FormatKind::table})) names += " " + std::string(format.name) + "-dq";
  if (value.starts_with("PRECISION")) return names;
  if (value == "DTYPE") return "fp32 bf16 fp16";
  if (value == "DEVICE") return fmt::format("auto {}", fmt::join(devices(), " "));
  if (value == "TARGET") return "avx512_vnni_bf16 avx512 avx2 reference";
  if (value == "WHEN") return "auto always never";
  return {};
}

bool is_file(const std::string& value) {
  return value == "FILE" || value == "NAME" || value == "MODEL" || value == "CONFIG";
}

// For single quotes of a shell; what `special` has gets a backslash.
std::string shell_quoted(const std::string& text, std::string_view special = "") {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
      continue;
    }
    if (special.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string first_sentence(const std::string& text) { return text.substr(0, text.find_first_of(";(")); }

std::string names_of_shown_verbs(const CLI::App& app) {
  std::string out;
  for (const CLI::App* verb : shown_verbs(app)) out += (out.empty() ? "" : " ") + verb->get_name();
  return out;
}

std::string zsh_arguments(const CLI::App& verb) {
  std::string out;
  for (const ShownOption& option : shown_options(verb)) {
    if (option.positional) continue;
    const std::string text = shell_quoted(first_sentence(option.description), "[]:");
    const std::string choices = choices_of(option.value);
    const std::string action = option.value.empty()    ? ""
                               : !choices.empty()      ? ":" + option.value + ":(" + choices + ")"
                               : is_file(option.value) ? ":" + option.value + ":_files"
                                                       : ":" + option.value + ":";
    if (option.names.size() == 1)
      out += fmt::format(" \\\n      '{}[{}]{}'", option.names[0], text, action);
    else
      out += fmt::format(" \\\n      '({})'{{{}}}'[{}]{}'", joined(option.names, " "), joined(option.names, ","), text,
                         action);
  }
  return out + " \\\n      '*:file:_files'";
}

}  // namespace

std::vector<NamedVerb> named_verbs(const CLI::App& app) {
  std::vector<NamedVerb> out;
  for (const CLI::App* verb : shown_verbs(app)) {
    const std::vector<const CLI::App*> below = shown_verbs(*verb);
    if (below.empty()) out.push_back({verb->get_name(), verb});
    for (const CLI::App* second : below) out.push_back({verb->get_name() + " " + second->get_name(), second});
  }
  return out;
}

std::string bash_completion(const CLI::App& app) {
  std::string out =
      "# nibble: completion for bash. Made by `nibble completion bash`.\n"
      "_nibble() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]} options= "
      "values=\n"
      "  COMPREPLY=()\n";
  out += fmt::format("  if ((COMP_CWORD == 1)); then COMPREPLY=($(compgen -W '{} help' -- \"$word\")); return; fi\n",
                     names_of_shown_verbs(app));
  for (const CLI::App* verb : shown_verbs(app)) {
    const std::string below = names_of_shown_verbs(*verb);
    if (below.empty()) continue;
    out += fmt::format(
        "  if [[ $verb == {0} ]]; then\n"
        "    if ((COMP_CWORD == 2)); then COMPREPLY=($(compgen -W '{1}' -- \"$word\")); return; fi\n"
        "    verb=\"{0} ${{COMP_WORDS[2]}}\"\n"
        "  fi\n",
        verb->get_name(), below);
  }
  out += "  case $verb in\n";
  for (const NamedVerb& named : named_verbs(app)) {
    std::string options, values;
    for (const ShownOption& option : shown_options(*named.verb)) {
      if (option.positional) {
        if (const std::string choices = choices_of(option.value); !choices.empty()) options += " " + choices;
        continue;
      }
      options += " " + joined(option.names, " ");
      const std::string choices = choices_of(option.value);
      if (!choices.empty())
        values += fmt::format(" {}) values='{}' ;;", joined(option.names, "|"), choices);
      else if (!option.value.empty())
        values += fmt::format(" {}) return ;;", joined(option.names, "|"));
    }
    out += fmt::format("    '{}') options='{}'\n      case $before in{} esac ;;\n", named.words,
                       options.substr(options.empty() ? 0 : 1), values.empty() ? " '') ;;" : values);
  }
  return out +
         "  esac\n"
         "  if [[ $values ]]; then COMPREPLY=($(compgen -W \"$values\" -- \"$word\"))\n"
         "  elif [[ $word == -* ]]; then COMPREPLY=($(compgen -W \"$options\" -- \"$word\")); fi\n"
         "}\n"
         "complete -o default -F _nibble nibble\n";
}

std::string zsh_completion(const CLI::App& app) {
  std::string out = "#compdef nibble\n# Made by `nibble completion zsh`.\n_nibble() {\n  local -a verbs\n  verbs=(\n";
  for (const CLI::App* verb : shown_verbs(app))
    out += fmt::format("    '{}:{}'\n", verb->get_name(), shell_quoted(first_sentence(verb->get_description()), ":"));
  out += "  )\n  if (( CURRENT == 2 )); then _describe verb verbs; return; fi\n  local verb=$words[2]\n";
  for (const CLI::App* verb : shown_verbs(app)) {
    const std::string below = names_of_shown_verbs(*verb);
    if (below.empty()) continue;
    out += fmt::format(
        "  if [[ $verb == {0} ]]; then\n    if (( CURRENT == 3 )); then compadd {1}; return; fi\n"
        "    verb=\"{0} $words[3]\"\n    shift words\n    (( CURRENT-- ))\n  fi\n",
        verb->get_name(), below);
  }
  out += "  shift words\n  (( CURRENT-- ))\n  case $verb in\n";
  for (const NamedVerb& named : named_verbs(app))
    out += fmt::format("    '{}')\n      _arguments -s{} ;;\n", named.words, zsh_arguments(*named.verb));
  return out + "  esac\n}\ncompdef _nibble nibble\n";
}

std::string fish_completion(const CLI::App& app) {
  std::string out = "# nibble: completion for fish. Made by `nibble completion fish`.\n";
  for (const CLI::App* verb : shown_verbs(app)) {
    out += fmt::format("complete -c nibble -n __fish_use_subcommand -a {} -d '{}'\n", verb->get_name(),
                       shell_quoted(first_sentence(verb->get_description())));
    for (const CLI::App* below : shown_verbs(*verb))
      out += fmt::format("complete -c nibble -n '__fish_seen_subcommand_from {}' -a {} -d '{}'\n", verb->get_name(),
                         below->get_name(), shell_quoted(first_sentence(below->get_description())));
  }
  for (const NamedVerb& named : named_verbs(app)) {
    const std::string last = named.verb->get_name();
    for (const ShownOption& option : shown_options(*named.verb)) {
      if (option.positional) continue;
      out += fmt::format("complete -c nibble -n '__fish_seen_subcommand_from {}'", last);
      for (const std::string& name : option.names)
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      const std::string choices = choices_of(option.value);
      if (!choices.empty())
        out += " -x -a '" + choices + "'";
      else if (!option.value.empty())
        out += is_file(option.value) ? " -r" : " -x";
      out += fmt::format(" -d '{}'\n", shell_quoted(first_sentence(option.description)));
    }
  }
  return out;
}

void add_completion(CLI::App& app, Verb& run) {
  auto form = std::make_shared<std::string>();
  CLI::App* verb =
      app.add_subcommand("completion", "a script that completes these words in a shell, or the manual page");
  verb->add_option("SHELL", *form, "bash, zsh, fish; or man")
      ->required()
      ->check(CLI::IsMember(std::vector<std::string>{"bash", "zsh", "fish", "man"}).description(""));
  verb->callback([=, &app, &run] {
    run = [=, &app] {
      print_exact(*form == "bash"  ? bash_completion(app)
                  : *form == "zsh" ? zsh_completion(app)
                  : *form == "man" ? manual_page(app)
                                   : fish_completion(app));
      return 0;
    };
  });
}

}  // namespace nibble::cli
