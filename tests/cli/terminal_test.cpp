// What a person sees: lines that fit the window, one choice in bold, help that fits 80 columns, words that are nearly
// right, and nothing from a file that commands the terminal.
#include <algorithm>

#include "../made/made_files.hpp"
#include "nibble/text_layout.hpp"
#include "program.hpp"
#include "pseudo_terminal.hpp"

namespace {

using namespace nibble::test;

class Terminal : public Program {};

const std::vector<std::string> every_verb = {
    "",     "doctor",  "inspect", "estimate", "explain", "quantize",    "verify",        "run",
    "chat", "compare", "eval",    "tokenize", "bench",   "bench model", "bench kernels", "completion"};

std::size_t widest_line(const std::string& text) {
  std::size_t widest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::erase(line, '\r');
    for (std::size_t at = 0; (at = line.find('\033', at)) != std::string::npos;)
      line.erase(at, line.find_first_of("mKhl", at) + 1 - at);
    widest = std::max(widest, nibble::display_width(line));
  }
  return widest;
}

TEST_F(Terminal, HelpFitsEightyColumnsAndHasValuesDefaultsAndExamples) {
  for (const std::string& verb : every_verb) {
    const Outcome help = run(verb + " --help", "env -u COLUMNS");
    EXPECT_EQ(help.status, 0) << verb << help.err;
    EXPECT_LE(widest_line(help.out), 80u) << verb << "\n" << help.out;
    EXPECT_EQ(help.out.find("\n\n\n"), std::string::npos) << verb;
    EXPECT_EQ(help.out.find("INT"), std::string::npos) << verb << "\n" << help.out;
    EXPECT_EQ(help.out.find("Print this help"), std::string::npos) << verb;
    EXPECT_NE(help.out.find("usage: nibble " + verb), std::string::npos) << verb << "\n" << help.out;
    if (const bool has_examples = !verb.empty() && verb != "bench" && verb != "completion"; has_examples) {
      EXPECT_NE(help.out.find("Examples\n  "), std::string::npos) << verb;
    }
    const Outcome same = run("help " + verb, "env -u COLUMNS");
    EXPECT_EQ(same.out, help.out) << verb;
    EXPECT_EQ(same.status, 0) << verb;
    EXPECT_LE(widest_line(run(verb + " --help", "COLUMNS=40").out), 80u) << verb << ": examples are not folded";
  }
  const std::string help = run("run --help", "env -u COLUMNS").out;
  for (const char* part :
       {"-n, --max-new-tokens N", "--precision PRECISION", "--skip REGEX", "(default: 128)", "[PROMPT...]"})
    EXPECT_NE(help.find(part), std::string::npos) << part << "\n" << help;
  EXPECT_EQ(help.find("--precisions"), std::string::npos) << "an alias is not shown";
  const int status = std::system((std::string(NIBBLE_PROGRAM) + " run --help >/dev/full 2>/dev/null").c_str());
  EXPECT_EQ(WEXITSTATUS(status), 1) << "a full disk";
}

TEST_F(Terminal, TheVerbsAreListedWithTheirMeaningWhereNoneIsNamed) {
  const Outcome none = run("");
  EXPECT_EQ(none.status, 2);
  EXPECT_EQ(none.out, "");
  EXPECT_NE(none.err.find("estimate    bytes per category"), std::string::npos) << none.err;
  for (const char* option : {"-V", "--version"}) {
    const Outcome version = run(option);
    EXPECT_EQ(version.status, 0);
    EXPECT_EQ(version.out.find("nibble 0."), 0u) << version.out;
    EXPECT_NE(version.out.find("commit "), std::string::npos) << version.out;
    EXPECT_TRUE(version.out.find("GCC ") != std::string::npos || version.out.find("Clang ") != std::string::npos);
  }
}

TEST_F(Terminal, WhatIsNearlyRightIsAnsweredWithWhatIsRight) {
  const auto suggested = [&](const std::string& arguments, const std::string& words) {
    const Outcome r = run(arguments);
    EXPECT_EQ(r.status, 2) << arguments << r.err;
    EXPECT_NE(r.err.find("did you mean " + words + "?"), std::string::npos) << arguments << "\n" << r.err;
  };
  suggested("rnu " + shipped + " x", "run");
  suggested("benhc", "bench");
  suggested("run " + shipped + " x --precison nf4", "--precision");
  suggested("run " + shipped + " x --load-in-4bit", "--precision nf4");
  suggested("run " + shipped + " x --max-tokens 3", "--max-new-tokens");
  suggested("run " + shipped + " -p hello", "PROMPT, the word after MODEL");
  suggested("run " + shipped + " x --precision 4bit", "nf4");
  suggested("run " + shipped + " x --precision float16", "fp16");
  suggested("estimate " + shipped + " --precision nf5", "nf4");
  EXPECT_EQ(run("run " + shipped + " x --frobnicate").err.find("did you mean"), std::string::npos);
}

TEST_F(Terminal, CapitalsSpacesAndOtherVerbsNamesAreUnderstood) {
  const auto taken = [&](const std::string& arguments) {
    const Outcome r = run(arguments);
    EXPECT_EQ(r.status, 0) << arguments << "\n" << r.err;
    return r;
  };
  taken("run " + shipped + " x --precision NF4 --max-new-tokens 1 --quiet");
  taken("estimate " + shipped + " --precisions 'BF16, Int8' --memory 12gb");
  taken("estimate " + shipped + " --memory 12G");
  taken("estimate " + shipped + " --memory 12GIB");
  taken("quantize " + shipped + " " + (folder / "x.GGUF").string() + " --to Q4_K_M --quiet");
  taken("eval " + shipped + " --text " + source + "/data/held_out.txt --max-eval-tokens 16 --quiet");
  taken("--quiet --threads 1 run " + shipped + " x -n 1");
}

TEST_F(Terminal, NumbersAndTextsThatMeanNothingAreRefused) {
  const auto refused = [&](const std::string& arguments, const std::string& word) {
    const Outcome r = run(arguments);
    EXPECT_EQ(r.status, 2) << arguments << "\n" << r.err;
    EXPECT_NE(r.err.find(word), std::string::npos) << arguments << "\n" << r.err;
  };
  refused("run " + shipped + " x --seed -1", "--seed");
  refused("run " + shipped + " x --stop ''", "--stop");
  refused("run " + shipped + " x --no-thinking", "--chat");
  refused("run '' hello", "MODEL: is an empty text");
  fs::create_directories(folder / "place");
  write("place/some.gguf", "");
  refused("inspect " + (folder / "place").string(),
          "the file that lies there: " + (folder / "place/some.gguf").string());
  const Outcome empty = run("inspect " + (folder / "place/some.gguf").string());
  EXPECT_NE(empty.err.find("is empty; get it again"), std::string::npos) << empty.err;
  refused("tokenize " + shipped + " 999999 --decode", "there is no token 999999");
}

TEST_F(Terminal, TablesAndSentencesFollowTheWindow) {
  if (!PseudoTerminal::can_be_had()) GTEST_SKIP() << "the system has no terminals to give";
  const std::string qwen = source + "/bench/configs/qwen3_4b.json";
  for (const unsigned short columns : {40, 80, 120})
    for (const std::string& arguments :
         {"estimate " + qwen, std::string("estimate 7b"), "inspect " + shipped, "explain " + shipped}) {
      PseudoTerminal terminal(arguments, columns);
      ASSERT_TRUE(terminal.works());
      EXPECT_EQ(terminal.finish(), 0) << terminal.seen();
      std::string text = terminal.seen();
      // Commands that are proposed are whole, however long.
      const auto is_command = [](const std::string& line) {
        return line.starts_with("    nibble ") || line.starts_with("`nibble ") || line.starts_with("    AutoModel");
      };
      std::string rest;
      std::istringstream lines(text);
      for (std::string line; std::getline(lines, line);)
        if (!is_command(line)) rest += line + "\n";
      EXPECT_LE(widest_line(rest), columns) << arguments << "\n" << text;
    }
}

TEST_F(Terminal, TheChoiceIsBoldOnATerminalThatHasIt) {
  if (!PseudoTerminal::can_be_had()) GTEST_SKIP() << "the system has no terminals to give";
  const std::string arguments = "estimate " + source + "/bench/configs/qwen3_4b.json --memory 8GiB";
  const auto seen = [&](const std::string& before) {
    PseudoTerminal terminal(arguments, 80, before);
    EXPECT_EQ(terminal.finish(), 0) << terminal.seen();
    return terminal.seen();
  };
  const std::string bold = seen("");
  EXPECT_NE(bold.find("\033[1mint8 "), std::string::npos) << bold;
  for (const char* plain : {"NO_COLOR=1", "TERM=dumb"}) EXPECT_EQ(seen(plain).find('\033'), std::string::npos) << plain;
  EXPECT_NE(seen("NO_COLOR=").find("\033[1m"), std::string::npos) << "an empty NO_COLOR says nothing";
  EXPECT_EQ(run(arguments).out.find('\033'), std::string::npos) << "a file";
}

TEST_F(Terminal, AProgressBarFitsTheWindow) {
  if (!PseudoTerminal::can_be_had()) GTEST_SKIP() << "the system has no terminals to give";
  PseudoTerminal terminal("quantize " + shipped + " " + (folder / "out").string() + " --to nf4", 40);
  EXPECT_EQ(terminal.finish(), 0) << terminal.seen();
  const std::string seen = terminal.seen(), bars = seen.substr(0, seen.rfind("100 %"));
  EXPECT_NE(bars.find("\rquantize"), std::string::npos) << seen;
  EXPECT_EQ(bars.find('\n'), std::string::npos) << "one line: " << seen;
  for (std::size_t at = 0, end = 0; (end = bars.find("\033[K", at)) != std::string::npos; at = end + 3)
    EXPECT_LT(nibble::display_width(bars.substr(bars.rfind('\r', end) + 1, end - bars.rfind('\r', end) - 1)), 40u);
}

bool commands_a_terminal(const std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F) return true;
    if (byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) return true;
  }
  return text.find("\u202e") != std::string::npos;
}

TEST_F(Terminal, NothingFromAFileCommandsIt) {
  const std::string evil = "\x1b]0;owned\x07\x1b[31m\u009b2J\u202e\x7f";
  const auto harmless = [&](const std::string& arguments) {
    for (const char* form : {"", " --json"}) {
      const Outcome r = run(arguments + form);
      EXPECT_FALSE(commands_a_terminal(r.out)) << arguments << form << "\n" << r.out;
      EXPECT_FALSE(commands_a_terminal(r.err)) << arguments << form << "\n" << r.err;
    }
  };
  const fs::path model = copied_model();
  const std::string text = write("text", "Once upon a time");
  const Json config = Json::parse(read(model / "config.json"));
  const auto try_config = [&](const std::string& key, const Json& value) {
    Json changed = config;
    changed[key] = value;
    std::ofstream(model / "config.json") << changed;
    for (const std::string verb : {"inspect ", "estimate ", "explain ", "doctor ", "run ", "verify "})
      harmless(verb + model.string() + (verb == "run " ? " x -n 1" : ""));
    harmless("quantize " + model.string() + " " + (folder / "out").string() + " --to nf4");
  };
  for (const char* key : {"model_type", "hidden_act", "torch_dtype"}) try_config(key, evil);
  try_config("architectures", Json::array({evil}));
  try_config("unknown" + evil, evil);
  std::ofstream(model / "config.json") << config;

  // Tokens that the model says, and tensors that it has no place for.
  std::string tokenizer = read(model / "tokenizer.json");
  Json changed = Json::parse(tokenizer);
  changed["model"]["type"] = evil;
  std::ofstream(model / "tokenizer.json") << changed;
  for (const std::string& arguments : {"run " + model.string() + " x -n 1", "tokenize " + model.string() + " x",
                                       "eval " + model.string() + " --text " + text, "inspect " + model.string()})
    harmless(arguments);
  std::ofstream(model / "tokenizer.json", std::ios::binary) << tokenizer;

  const made::Folder odd("terminal-tensors");
  made::write(odd / "config.json", made::llama_config().dump());
  const std::string name = Json("model.layers.0." + evil + ".weight").dump();
  made::write(odd / "model.safetensors",
              made::safetensors("{" + name + R"(:{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "xxxx"));
  for (const std::string verb : {"inspect ", "estimate ", "doctor "}) harmless(verb + odd.path().string());
  harmless("inspect " + (folder / ("no" + std::string("\x1b[31m") + "model")).string());
}

TEST_F(Terminal, AnAnswerShowsControlCharactersAsEscapesUnlessRawIsAskedFor) {
  const fs::path model = copied_model();
  // The chat template alone decides what is read; the token that is most likely is made to spell a command.
  const Json tokenizer = Json::parse(read(model / "tokenizer.json"));
  const Outcome ids = run("run " + model.string() + " 'Once upon a time' -n 1 --json --quiet");
  ASSERT_EQ(ids.status, 0) << ids.err;
  const int said = ids.json()["results"][0]["ids"][0];
  Json changed = tokenizer;
  std::string before;
  for (const auto& [token, id] : tokenizer["model"]["vocab"].items())
    if (id == said) before = token;
  ASSERT_FALSE(before.empty());
  // Byte-level vocabularies spell the byte 0x1b as U+011B.
  changed["model"]["vocab"].erase(before);
  changed["model"]["vocab"]["\u011b[31m"] = said;
  Json merges = Json::array();
  for (const Json& merge : tokenizer["model"]["merges"]) {
    const std::string whole =
        merge.is_string() ? merge.get<std::string>() : merge[0].get<std::string>() + " " + merge[1].get<std::string>();
    std::string joined = whole;
    std::erase(joined, ' ');
    const std::string first = whole.substr(0, whole.find(' ')), second = whole.substr(whole.find(' ') + 1);
    if (joined != before && first != before && second != before) merges.push_back(merge);
  }
  changed["model"]["merges"] = merges;
  std::ofstream(model / "tokenizer.json") << changed;
  const std::string prompt = "run " + model.string() + " 'Once upon a time' -n 1 --quiet";
  const Outcome shown = run(prompt), raw = run(prompt + " --raw");
  ASSERT_EQ(shown.status, 0) << shown.err;
  EXPECT_EQ(shown.out.find('\x1b'), std::string::npos) << shown.out;
  EXPECT_NE(shown.out.find("\\x1b[31m"), std::string::npos) << shown.out;
  EXPECT_NE(raw.out.find("\x1b[31m"), std::string::npos) << raw.out;
}

}  // namespace
