// Conversations with the shipped model under templates of the test's own: what a turn reuses, what a failed one leaves.
#include <gtest/gtest.h>

#include "../made/made_files.hpp"
#include "nibble/generate.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

const std::string turns =
    "{% for m in messages %}{% if 'forbidden' in m.content %}{{ raise_exception('not that word') }}{% endif %}"
    "{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";

fs::path model_with(const made::Folder& folder, const std::string& jinja, const made::Json& in_config = nullptr) {
  const fs::path model = folder / "model";
  fs::copy(std::string(NIBBLE_SOURCE_DIR) + "/models/gutenberg-16m", model);
  if (!jinja.empty()) made::write(model / "chat_template.jinja", jinja);
  if (!in_config.is_null()) {
    made::Json config = made::Json::parse(made::read(model / "tokenizer_config.json"));
    config["chat_template"] = in_config;
    made::write(model / "tokenizer_config.json", config.dump());
  }
  return model;
}

Model loaded(const fs::path& path) {
  LoadOptions options;
  options.precision = Precision::fp32;
  options.kv_cache = Precision::fp32;
  return Model::load(path, options).value();
}

std::string rendered(const Model& model) { return render_chat(model, {{"user", "Hello"}}).value(); }

TEST(Chat, ATurnReusesWhatWasReadAndAnswersAsIfReadAfresh) {
  const made::Folder folder("chat-reuse");
  const Model model = loaded(model_with(folder, turns));
  Chat chat = Chat::start(model, "You tell stories.").value();
  GenerateOptions options;
  options.max_new_tokens = 12;
  std::int64_t before = 0;
  for (const char* said : {"It was a dark and stormy night.", "What happened then?", "And the captain?"}) {
    std::vector<Message> messages = chat.messages();
    messages.push_back({"user", said});
    const auto ids = model.tokenizer().value().encode(render_chat(model, messages).value(), false);
    const Generation afresh = generate_ids(model, {ids}, options).value().front();
    const Generation answer = chat.say(said, options).value();
    EXPECT_EQ(answer.ids, afresh.ids) << said;
    EXPECT_EQ(answer.text, afresh.text);
    EXPECT_EQ(answer.prompt_tokens, std::int64_t(ids.size()));
    // At least the earlier prompt stays read, and of this turn only what is new was.
    EXPECT_GE(chat.reused_tokens(), before);
    EXPECT_LT(chat.reused_tokens(), answer.prompt_tokens);
    before = answer.prompt_tokens - 1;
    EXPECT_EQ(chat.cached_tokens(), answer.prompt_tokens + std::int64_t(answer.ids.size()) - 1);
    EXPECT_EQ(chat.messages().back().content, answer.text);
  }
  EXPECT_EQ(chat.messages().size(), 7u);
}

TEST(Chat, AFailedTurnLeavesTheConversationAsItWas) {
  const made::Folder folder("chat-failed");
  const Model model = loaded(model_with(folder, turns));
  Chat chat = Chat::start(model, "", 64).value(), other = Chat::start(model, "", 64).value();
  GenerateOptions options;
  options.max_new_tokens = 8;
  ASSERT_TRUE(chat.say("Hello", options) && other.say("Hello", options));
  const std::int64_t cached = chat.cached_tokens();

  const auto refused = chat.say("the forbidden word", options);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("not that word"), std::string::npos) << refused.error().message;
  std::string longer;
  for (int i = 0; i < 80; ++i) longer += "night ";
  const auto too_long = chat.say(longer, options);
  ASSERT_FALSE(too_long);
  EXPECT_NE(too_long.error().message.find("context holds 64"), std::string::npos) << too_long.error().message;
  GenerateOptions senseless = options;
  senseless.sampling.top_p = -1;
  EXPECT_FALSE(chat.say("And then?", senseless));

  EXPECT_EQ(chat.messages().size(), 2u);
  EXPECT_LE(chat.cached_tokens(), cached);
  EXPECT_EQ(chat.say("And then?", options).value().ids, other.say("And then?", options).value().ids);
}

TEST(Chat, ThinkTagsPassThroughAndAnOpenedThoughtIsKnown) {
  const made::Folder folder("chat-thinking");
  const Model model = loaded(model_with(folder, turns + "<think>\n"));
  const std::string thought = "<think>\nWhy?\n</think>\n\nBecause.";
  const std::string text = render_chat(model, {{"user", "Hi"}, {"assistant", thought}, {"user", "So?"}}).value();
  EXPECT_NE(text.find("assistant: " + thought + "\n"), std::string::npos) << text;
  EXPECT_TRUE(ends_in_thinking(text));
  EXPECT_FALSE(ends_in_thinking(text + "x</think>"));
  EXPECT_FALSE(ends_in_thinking("no tags"));

  Chat chat = Chat::start(model).value();
  GenerateOptions options;
  options.max_new_tokens = 4;
  bool known = false;
  options.on_text = [&](std::size_t, std::string_view) {
    known = chat.opened_thinking();
    return true;
  };
  ASSERT_TRUE(chat.say(thought, options));
  EXPECT_TRUE(known) << "before the first text";
  EXPECT_EQ(chat.messages().front().content, thought);

  ThinkingFilter filter(true);
  std::string shown = filter.push("because</thi");
  shown += filter.push("nk>\n\nYes");
  EXPECT_EQ(shown + filter.flush(), "\n\nYes");
}

TEST(Chat, TheTemplateIsTheFolderOwnFileThenTheOneNamedDefault) {
  const made::Json named = {{{"name", "tool_use"}, {"template", "tools"}},
                            {{"name", "default"}, {"template", "named"}}};
  const made::Folder list("chat-list"), file("chat-file"), text("chat-text");
  EXPECT_EQ(rendered(loaded(model_with(list, "", named))), "named");
  EXPECT_EQ(rendered(loaded(model_with(file, "from the file", named))), "from the file");
  EXPECT_EQ(rendered(loaded(model_with(text, "", "a string"))), "a string");
}

}  // namespace
}  // namespace nibble
