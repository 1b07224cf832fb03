// A chat at a terminal: what is typed, pasted and commanded.
#include "program.hpp"
#include "pseudo_terminal.hpp"

namespace {

using namespace nibble::test;

class Chatting : public Program {
 protected:
  // The shipped model with a template, so that it can be chatted with.
  std::string chatty_model() {
    const fs::path model = copied_model();
    std::ofstream(model / "chat_template.jinja")
        << "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"
           "{% if enable_thinking is defined and not enable_thinking %} (no thoughts){% endif %}";
    return model.string();
  }
};

class ChatTerminal : public Chatting {
 protected:
  void SetUp() override {
    Chatting::SetUp();
    if (!PseudoTerminal::can_be_had()) GTEST_SKIP() << "the system has no terminals to give";
  }
};

constexpr unsigned short wide = 200;  // no sentence is folded where a test looks for its words
const std::string paste_begins = "\033[200~", paste_ends = "\033[201~";

TEST_F(ChatTerminal, CommandsAreObeyedAndTyposDoNotGoToTheModel) {
  const std::string saved = (folder / "saved.json").string();
  PseudoTerminal chat("chat " + chatty_model() + " -n 4 --system 'Be brief.'", wide);
  ASSERT_TRUE(chat.works());
  ASSERT_TRUE(chat.wait_for("/help lists commands")) << chat.seen();
  ASSERT_TRUE(chat.wait_for("> ")) << chat.seen();
  chat.type("/help\r");
  ASSERT_TRUE(chat.wait_for("/tokens")) << chat.seen();
  chat.type("/rest\r");
  ASSERT_TRUE(chat.wait_for("there is no command /rest; did you mean /reset?")) << chat.seen();
  chat.type("Hello\r");
  ASSERT_TRUE(chat.wait_for("4 tokens at")) << chat.seen();
  ASSERT_TRUE(chat.wait_for("cut at 4 tokens, -n N allows more")) << chat.seen();
  chat.type("/save " + saved + "\r");
  ASSERT_TRUE(chat.wait_for("3 messages saved in")) << chat.seen();
  const Json messages = Json::parse(read(saved));
  EXPECT_EQ(messages[0], (Json{{"role", "system"}, {"content", "Be brief."}}));
  EXPECT_EQ(messages[1]["content"], "Hello");
  chat.type("/save " + saved + "\r");
  ASSERT_TRUE(chat.wait_for("exists; name a new file")) << chat.seen();
  chat.type("/reset\r");
  ASSERT_TRUE(chat.wait_for("a new conversation")) << chat.seen();
  chat.type("/tokens\r");
  ASSERT_TRUE(chat.wait_for("0 turns")) << chat.seen();
  chat.type("/load " + saved + "\r");
  ASSERT_TRUE(chat.wait_for("3 messages")) << chat.seen();
  chat.type("/tokens\r");
  ASSERT_TRUE(chat.wait_for("1 turn")) << chat.seen();
  chat.type("/system\r");
  ASSERT_TRUE(chat.wait_for("system: Be brief.")) << chat.seen();
  chat.type("/thinking sometimes\r");
  ASSERT_TRUE(chat.wait_for("/thinking takes on or off")) << chat.seen();
  chat.type("/exit\r");
  EXPECT_EQ(chat.finish(), 0) << chat.seen();
}

TEST_F(ChatTerminal, APasteOfAnyLengthIsOneTurnWhole) {
  const std::string saved = (folder / "saved.json").string();
  std::string text = "First line\nsecond line\n";
  for (int i = 0; i < 1200; ++i) text += "word ";
  PseudoTerminal chat("chat " + chatty_model() + " -n 2 --context 2000", wide);
  ASSERT_TRUE(chat.wait_for("> ")) << chat.seen();
  chat.type("See: " + paste_begins + text + paste_ends + " and answer.");
  ASSERT_TRUE(chat.wait_for("[paste 1: 3 lines, 6,023 characters]")) << chat.seen();
  chat.type("\r");
  ASSERT_TRUE(chat.wait_for("2 tokens at")) << chat.seen();
  chat.type("/save " + saved + "\r");
  ASSERT_TRUE(chat.wait_for("2 messages saved")) << chat.seen();
  EXPECT_EQ(Json::parse(read(saved))[0]["content"], "See: " + text + " and answer.");
  ASSERT_TRUE(chat.wait_for("> ")) << chat.seen();  // before, the system would take the key for itself
  chat.type("\x04");
  EXPECT_EQ(chat.finish(), 0) << chat.seen();
}

TEST_F(ChatTerminal, LinesAreEditedRepeatedAndContinued) {
  const std::string saved = (folder / "saved.json").string();
  PseudoTerminal chat("chat " + chatty_model() + " -n 1", wide);
  ASSERT_TRUE(chat.wait_for("> ")) << chat.seen();
  chat.type("Hexlo\033[D\033[D\x7fl\r");  // two to the left, the letter before the cursor away, another in
  ASSERT_TRUE(chat.wait_for("1 token at")) << chat.seen();
  chat.type("\033[A\r");  // the same again
  ASSERT_TRUE(chat.wait_for("1 token at")) << chat.seen();
  chat.type("one \\\rtwo\r");
  ASSERT_TRUE(chat.wait_for("1 token at")) << chat.seen();
  chat.type("\"\"\"three\rfour\"\"\"\r");
  ASSERT_TRUE(chat.wait_for("1 token at")) << chat.seen();
  chat.type("na\xC3\xAFve\r");
  ASSERT_TRUE(chat.wait_for("1 token at")) << chat.seen();
  ASSERT_TRUE(chat.wait_for("> ")) << chat.seen();
  chat.type("thrown away");
  ASSERT_TRUE(chat.wait_for("thrown away")) << chat.seen();
  chat.type("\x03");
  ASSERT_TRUE(chat.wait_for("> ")) << chat.seen();
  chat.type("/save " + saved + "\r");
  ASSERT_TRUE(chat.wait_for("10 messages saved")) << chat.seen();
  const Json messages = Json::parse(read(saved));
  const std::vector<std::string> said = {"Hello", "Hello", "one \ntwo", "three\nfour", "na\xC3\xAFve"};
  for (std::size_t i = 0; i < said.size(); ++i) EXPECT_EQ(messages[2 * i]["content"], said[i]);
  ASSERT_TRUE(chat.wait_for("> ")) << chat.seen();
  chat.type("\x03");  // nothing is typed: it ends the chat
  EXPECT_EQ(chat.finish(), 0) << chat.seen();
  EXPECT_TRUE(fs::exists(saved));
}

TEST_F(ChatTerminal, CtrlCMarksTheAnswerThatItStopped) {
  PseudoTerminal chat("chat " + chatty_model() + " -n 100000 --context 512 --cpu-target reference", wide);
  ASSERT_TRUE(chat.wait_for("> ")) << chat.seen();
  chat.type("Hello\r");
  ASSERT_TRUE(chat.wait_for("\n")) << chat.seen();
  ::usleep(500000);
  chat.type("\x03");
  ASSERT_TRUE(chat.wait_for("; stopped]")) << chat.seen();
  chat.type("/quit\r");
  EXPECT_EQ(chat.finish(), 0) << chat.seen();
}

TEST_F(ChatTerminal, AFullContextLeavesTheOldestTurnsOut) {
  PseudoTerminal chat("chat " + chatty_model() + " -n 16 --context 64 --system Brief", wide);
  ASSERT_TRUE(chat.wait_for("> ")) << chat.seen();
  for (int turn = 0; turn < 4; ++turn) {
    chat.type("Tell me about the sea and the stars and the wind\r");
    ASSERT_TRUE(chat.wait_for("prompt tokens, ")) << chat.seen();
  }
  EXPECT_NE(chat.seen().find("left out]"), std::string::npos) << chat.seen();
  ASSERT_TRUE(chat.wait_for("> ")) << chat.seen();  // before, the system would take the key for itself
  chat.type("\x04");
  EXPECT_EQ(chat.finish(), 0) << chat.seen();
}

TEST_F(Chatting, ThinkingIsLeftToTheTemplateUnlessItIsAskedNotTo) {
  const std::string model = chatty_model(), tail = " 'Hello' --chat -n 1 --json --quiet";
  const auto prompt_tokens = [&](const std::string& option) {
    const Outcome r = run("run " + model + tail + option);
    EXPECT_EQ(r.status, 0) << r.err;
    return r.json()["results"][0]["prompt_tokens"].get<int>();
  };
  EXPECT_GT(prompt_tokens(" --no-thinking"), prompt_tokens(""));
  const Outcome typo = run("chat " + model + " -n 1 --quiet", "printf '/frob\\nHello\\n' |");
  EXPECT_EQ(typo.status, 2);
  EXPECT_NE(typo.err.find("/frob"), std::string::npos) << typo.err;
  EXPECT_EQ(run("chat " + model + " -n 1 --quiet", "printf '/usr/bin\\n//frob\\n' |").status, 0) << "no commands";
}

}  // namespace
