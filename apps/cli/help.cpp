#include "help.hpp"

#include <algorithm>
#include <map>

#include "terminal.hpp"

namespace nibble::cli {
namespace {

constexpr const char* common_options = "Common options";  // stand last

// What stands for the value of an option, by the option's name. What is not here is N, or TEXT for a text.
const std::map<std::string, std::string>& value_names() {
  static const std::map<std::string, std::string> names = {
      {"precision", "PRECISION"},
      {"precisions", "PRECISION,..."},
      {"to", "PRECISION"},
      {"reference-precision", "PRECISION"},
      {"compute-dtype", "DTYPE"},
      {"kv-cache", "DTYPE"},
      {"quant-storage", "DTYPE"},
      {"skip", "REGEX"},
      {"device", "DEVICE"},
      {"cpu-target", "TARGET"},
      {"memory", "SIZE"},
      {"max-shard-size", "SIZE"},
      {"text", "FILE"},
      {"ids", "FILE"},
      {"file", "FILE"},
      {"messages", "FILE"},
      {"html", "FILE"},
      {"logits", "FILE"},
      {"report", "NAME"},
      {"reference", "MODEL"},
      {"random-weights", "CONFIG"},
      {"ignore-config", "KEY"},
      {"ignore-tensors", "REGEX"},
      {"rows", "N,..."},
      {"bos", "WHEN"},
      {"temperature", "X"},
      {"top-p", "SHARE"},
      {"min-p", "SHARE"},
      {"repetition-penalty", "X"},
      {"int8-threshold", "X"},
  };
  return names;
}

const std::map<std::string, std::vector<std::string>>& examples() {
  static const std::map<std::string, std::vector<std::string>> lines = {
      {"doctor", {"nibble doctor", "nibble doctor models/gutenberg-16m --quality --max-eval-tokens 32"}},
      {"inspect", {"nibble inspect models/gutenberg-16m"}},
      {"estimate", {"nibble estimate bench/configs/qwen3_4b.json --memory 12GiB", "nibble estimate 7b"}},
      {"explain", {"nibble explain models/gutenberg-16m --precision nf4 --rows 1,512"}},
      {"quantize",
       {"nibble quantize models/gutenberg-16m out --to nf4 --double-quant",
        "nibble quantize models/gutenberg-16m out.gguf --to q4_k_m"}},
      {"verify", {"nibble verify out models/gutenberg-16m"}},
      {"run",
       {"nibble run models/gutenberg-16m \"It was a dark and stormy night\" --seed 1",
        "echo \"Once upon a time\" | nibble run models/gutenberg-16m --precision nf4"}},
      {"chat", {"nibble chat MODEL --system \"You answer briefly.\""}},
      {"compare", {"nibble compare models/gutenberg-16m --precisions bf16,int8,nf4 --report out"}},
      {"eval",
       {"nibble eval models/gutenberg-16m --text data/held_out.txt --precision nf4",
        "nibble eval out --text data/held_out.txt --reference models/gutenberg-16m"}},
      {"tokenize",
       {"nibble tokenize models/gutenberg-16m \"a stormy night\"",
        "nibble tokenize models/gutenberg-16m \"64 12\" --decode"}},
      {"model", {"nibble bench model models/gutenberg-16m --precision bf16,nf4"}},
      {"kernels", {"nibble bench kernels"}},
  };
  return lines;
}

std::string value_name(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return {};
  for (const std::string& name : option.get_lnames())
    if (const auto found = value_names().find(name); found != value_names().end()) return found->second;
  return option.get_type_name().starts_with("TEXT") ? "TEXT" : "N";
}

std::string entries(const std::vector<ShownOption>& options, std::size_t column, std::size_t width) {
  std::string out;
  for (const ShownOption& option : options)
    out +=
        field("  " + joined(option.names, ", ") + (option.value.empty() || option.positional ? "" : " " + option.value),
              option.description, column, width);
  return out;
}

std::string help_of(const CLI::App& app, const std::string& words) {
  const std::size_t width = std::min<std::size_t>(80, output_style().width), column = width < 60 ? 8 : 26;
  std::string out =
      folded(words + ": " + app.get_description(), width) + "\n" + folded("usage: " + usage_of(app, words), width, 7);
  const std::vector<const CLI::App*> verbs = shown_verbs(app);
  if (!verbs.empty()) out += "\n";
  for (const CLI::App* verb : verbs) out += field("  " + verb->get_name(), verb->get_description(), 14, width);
  std::vector<ShownOption> positionals, own, common;
  for (const ShownOption& option : shown_options(app)) (option.positional ? positionals : own).push_back(option);
  if (!positionals.empty()) out += "\n" + entries(positionals, column, width);
  std::vector<std::string> groups;
  for (const CLI::Option* option : app.get_options())
    if (!option->get_group().empty() && option->nonpositional() &&
        std::find(groups.begin(), groups.end(), option->get_group()) == groups.end())
      groups.insert(option->get_group() == common_options ? groups.end() : groups.begin(), option->get_group());
  for (const std::string& group : groups) {
    std::vector<ShownOption> members;
    for (const CLI::Option* option : app.get_options())
      if (option->get_group() == group && option->nonpositional())
        for (const ShownOption& shown : own)
          if (shown.names.back() == option->get_name()) members.push_back(shown);
    out += "\n" + group + "\n" + entries(members, column, width);
  }
  if (!app.get_footer().empty()) out += "\n" + folded(app.get_footer(), width);
  const std::vector<std::string> lines = examples_of(app);
  if (!lines.empty()) out += "\nExamples\n";
  for (const std::string& line : lines) out += "  " + line + "\n";
  return out;
}

class Formatter : public CLI::FormatterBase {
 public:
  std::string make_help(const CLI::App* app, std::string words, CLI::AppFormatMode) const override {
    return help_of(*app, words);
  }
};

void dress_one(CLI::App& app, const std::shared_ptr<Formatter>& formatter) {
  app.formatter(formatter);
  if (CLI::Option* help = app.get_help_ptr()) {
    help->description("this text");
    if (app.get_parent()) help->group(common_options);
  }
  // An empty name is a shell variable that is not set.
  for (CLI::Option* option : app.get_options([](CLI::Option* each) { return each->get_name(true) == "MODEL"; }))
    option->check(CLI::Validator(
        [](const std::string& text) { return std::string(text.empty() ? "is an empty text; name a model" : ""); }, ""));
  for (CLI::App* verb : app.get_subcommands({})) dress_one(*verb, formatter);
}

}  // namespace

std::string joined(const std::vector<std::string>& words, const std::string& between) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : between) + word;
  return out;
}

std::vector<ShownOption> shown_options(const CLI::App& app) {
  std::vector<ShownOption> out;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    ShownOption shown;
    shown.positional = option->get_positional();
    if (shown.positional)
      shown.names = {option->get_name(true)};
    else
      for (const std::string& name : option->get_snames()) shown.names.push_back("-" + name);
    if (!shown.positional && !option->get_lnames().empty()) shown.names.push_back("--" + option->get_lnames().front());
    shown.value = value_name(*option);
    shown.description = option->get_description();
    shown.required = option->get_required();
    shown.several = option->get_expected_max() > 1;
    out.push_back(std::move(shown));
  }
  return out;
}

std::vector<const CLI::App*> shown_verbs(const CLI::App& app) {
  std::vector<const CLI::App*> out;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; }))
    if (!verb->get_group().empty()) out.push_back(verb);
  return out;
}

std::vector<std::string> examples_of(const CLI::App& app) {
  const auto found = examples().find(app.get_name());
  return found == examples().end() ? std::vector<std::string>() : found->second;
}

std::string usage_of(const CLI::App& app, const std::string& words) {
  std::string out = words;
  if (!shown_verbs(app).empty()) out += " VERB";
  out += " [OPTIONS]";
  for (const ShownOption& option : shown_options(app)) {
    if (!option.positional) {
      if (option.required) out += " " + option.names.back() + " " + option.value;
      continue;
    }
    const std::string name = option.names.front() + (option.several ? "..." : "");
    out += option.required ? " " + name : " [" + name + "]";
  }
  return out;
}

void dress(CLI::App& app) { dress_one(app, std::make_shared<Formatter>()); }

}  // namespace nibble::cli
