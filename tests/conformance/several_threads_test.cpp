// What the headers promise to several threads: everything about a model but computing with it, also while another
// thread computes, and computing with models that were loaded apart.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "../made/made_files.hpp"
#include "nibble/evaluate.hpp"
#include "nibble/generate.hpp"

namespace nibble {
namespace {

constexpr int readers = 4, rounds = 8;
const std::string text = "It was a dark and stormy night; the rain fell in torrents.";

std::filesystem::path model_folder(const made::Folder& folder) {
  const std::filesystem::path model = folder / "model";
  std::filesystem::copy(std::string(NIBBLE_SOURCE_DIR) + "/models/gutenberg-16m", model);
  made::write(model / "chat_template.jinja",
              "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}"
              "assistant:{% endif %}");
  return model;
}

LoadOptions in_fp32() {
  LoadOptions options;
  options.precision = Precision::fp32;
  options.threads = 2;
  return options;
}

// What a thread may ask of a model at any time, in one text.
std::string everything_about(const Model& model) {
  const TextTokenizer tokenizer = model.tokenizer().value();
  std::string out = model.held_as() + model.device() + model.converted_from() + std::to_string(model.max_positions()) +
                    std::to_string(model.vocabulary_size()) + std::to_string(model.has_chat_template()) +
                    model.precision().label() + std::to_string(default_sampling(model).temperature);
  const std::vector<std::int32_t> ids = tokenizer.encode(text);
  for (const std::int32_t id : ids) out += " " + std::to_string(id);
  for (const std::string& piece : tokenizer.pieces(ids)) out += piece;
  return out + tokenizer.decode(ids) + render_chat(model, {{"user", text}}).value();
}

// The same call from several threads that begin together; what each of them has to say.
template <class Work>
std::vector<std::string> from_several_threads(int count, const Work& work) {
  std::vector<std::string> said{std::size_t(count)};
  std::atomic<int> waiting = count;
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&, i] {
      for (--waiting; waiting > 0;) std::this_thread::yield();
      said[std::size_t(i)] = work(i);
    });
  for (std::thread& thread : threads) thread.join();
  return said;
}

GenerateOptions twelve_tokens() {
  GenerateOptions options;
  options.max_new_tokens = 12;
  return options;
}

TEST(SeveralThreads, AskAModelForItsTokenizerAndTemplateForTheFirstTimeTogether) {
  const made::Folder folder("threads-first");
  const std::filesystem::path path = model_folder(folder);
  const std::string expected = everything_about(Model::load(path, in_fp32()).value());
  for (int round = 0; round < rounds; ++round) {
    const Model model = Model::load(path, in_fp32()).value();
    for (const std::string& said : from_several_threads(readers, [&](int) { return everything_about(model); }))
      EXPECT_EQ(said, expected);
  }
}

TEST(SeveralThreads, ReadAboutAModelWhileOneGeneratesWithIt) {
  const made::Folder folder("threads-reading");
  const Model model = Model::load(model_folder(folder), in_fp32()).value();
  const std::string expected = everything_about(model);
  const std::string generated = generate(model, {text}, twelve_tokens()).value().front().text;
  const auto said = from_several_threads(readers + 1, [&](int i) {
    if (i == 0) return generate(model, {text}, twelve_tokens()).value().front().text;
    std::string last;
    for (int round = 0; round < rounds; ++round) last = everything_about(model);
    return last;
  });
  EXPECT_EQ(said[0], generated);
  for (int i = 1; i <= readers; ++i) EXPECT_EQ(said[std::size_t(i)], expected);
}

TEST(SeveralThreads, ComputeAtTheSameTimeWithModelsThatWereLoadedApart) {
  const made::Folder folder("threads-apart");
  const std::filesystem::path path = model_folder(folder);
  const auto load_and_compute = [&](int) {
    const Model model = Model::load(path, in_fp32()).value();
    std::string out = generate(model, {text, "The captain"}, twelve_tokens()).value().back().text;
    Chat chat = Chat::start(model, {}, 128).value();
    out += chat.say("Hello", twelve_tokens()).value().text;
    return out + std::to_string(evaluate(model, model.tokenizer().value().encode(text)).value().mean_nll);
  };
  const std::string expected = load_and_compute(0);
  for (const std::string& said : from_several_threads(3, load_and_compute)) EXPECT_EQ(said, expected);
}

}  // namespace
}  // namespace nibble
