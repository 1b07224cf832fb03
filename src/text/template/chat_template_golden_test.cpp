// What jinja2 renders, in the environment of transformers, is what ChatTemplate renders: byte for byte, and where it
// refuses so do we. tools/golden/templates.py made the files.
#include <gtest/gtest.h>

#include <filesystem>

#include "io/mapped_file.hpp"
#include "text/template/chat_template.hpp"

namespace nibble {
namespace {

const std::filesystem::path folder = std::filesystem::path(NIBBLE_SOURCE_DIR) / "tests/golden/templates";

std::string text_of(const std::filesystem::path& path) {
  auto text = read_text(path, std::size_t(16) << 20);
  EXPECT_TRUE(text) << path;
  return text ? *text : "";
}
OrderedJson json_of(const std::string& name) { return OrderedJson::parse(text_of(folder / name)); }

// Local time, as MANIFEST.templates.json has it.
std::time_t golden_now() {
  std::tm time{};
  time.tm_year = 126;
  time.tm_mon = 10;
  time.tm_mday = 25;
  time.tm_hour = 14;
  time.tm_min = 5;
  time.tm_sec = 9;
  time.tm_isdst = -1;
  return std::mktime(&time);
}

void expect_outcome(const std::string& source, const OrderedJson& variables, const OrderedJson& expected) {
  const auto parsed = ChatTemplate::parse(source);
  const auto text = parsed ? parsed->render(variables, {.now = golden_now()}) : Result<std::string>(parsed.error());
  if (expected.contains("text")) {
    ASSERT_TRUE(text) << text.error().message;
    EXPECT_EQ(*text, expected["text"].get<std::string>());
    return;
  }
  ASSERT_FALSE(text) << "rendered \"" << *text << "\", but jinja2 has " << expected["error"];
  EXPECT_NE(text.error().message.find("line "), std::string::npos) << text.error().message;
  if (!expected.contains("raised")) return;
  EXPECT_EQ(text.error().code, Errc::bad_request);
  EXPECT_TRUE(text.error().message.ends_with(expected["raised"].get<std::string>())) << text.error().message;
}

TEST(ChatTemplateGolden, ConversationsRenderAsJinja2RendersThem) {
  const OrderedJson conversations = json_of("conversations.json");
  int templates = 0, rendered = 0, raised = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".jinja") continue;
    const std::string source = text_of(entry.path());
    const OrderedJson expected = json_of(entry.path().stem().string() + ".expected.json");
    ASSERT_EQ(expected.size(), conversations.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      SCOPED_TRACE(entry.path().stem().string() + ", " + conversations[i]["case"].get<std::string>());
      expect_outcome(source, conversations[i]["variables"], expected[i]);
      rendered += expected[i].contains("text");
      raised += expected[i].contains("raised");
    }
    ++templates;
  }
  EXPECT_EQ(templates, 13);
  EXPECT_GT(rendered, 600);
  EXPECT_GT(raised, 50);
}

TEST(ChatTemplateGolden, EveryRuleOfTheLanguageIsTheOneOfJinja2) {
  const OrderedJson golden = json_of("snippets.json");
  ASSERT_GT(golden["snippets"].size(), 250u);
  for (const auto& snippet : golden["snippets"]) {
    SCOPED_TRACE(snippet["source"].get<std::string>());
    expect_outcome(snippet["source"].get<std::string>(), golden["variables"], snippet);
  }
}

}  // namespace
}  // namespace nibble
