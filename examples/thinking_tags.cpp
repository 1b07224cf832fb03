// Group I. Before: hoping that <think>...</think> survives quantization and templates.
// Here: tags are counted in what the tokenizer gives back before and after the model was quantized, and in what the
// chat template renders; an answer is streamed with its thoughts hidden.
#include <cstring>
#include <nibble/generate.hpp>
#include <nibble/quantize.hpp>

#include "example.hpp"

const char* answer = "<think>\nSeven is prime, eight is not.\n</think>\n\nSeven.";

int tags(const std::string& text) {
  int count = 0;
  for (const char* tag : {"<think>", "</think>"})
    for (std::size_t at = 0; (at = text.find(tag, at)) != std::string::npos; at += std::strlen(tag)) ++count;
  return count;
}

// Tags that come back from ids, special tokens included.
int tags_through(const nibble::Model& model) {
  const nibble::TextTokenizer tokenizer = example::value_or_exit(model.tokenizer());
  return tags(tokenizer.decode(tokenizer.encode(answer), false));
}

int main(int argc, char** argv) {
  using namespace nibble;
  const char* path = example::model_argument(argc, argv);
  static const example::TemporaryFolder temporary;
  example::value_or_exit(quantize_checkpoint(path, temporary.path / "nf4", {.precision = QuantizationConfig::nf4()}));
  const Model before = example::value_or_exit(Model::load(path)),
              after = example::value_or_exit(Model::load(temporary.path / "nf4"));
  std::printf("tags: %d in the text, %d through the model's tokenizer, %d through the quantized copy's\n", tags(answer),
              tags_through(before), tags_through(after));
  bool kept = tags(answer) == tags_through(before) && tags(answer) == tags_through(after);

  if (before.has_chat_template()) {
    // The last answer of a conversation keeps its thoughts; templates drop those of earlier turns.
    const std::vector<Message> messages = {{"user", "Which of 7 and 8 is prime?"}, {"assistant", answer}};
    const std::string one = example::value_or_exit(render_chat(before, messages, false)),
                      two = example::value_or_exit(render_chat(after, messages, false));
    std::printf("tags: %d in the rendered conversation, %d in the quantized copy's\n", tags(one), tags(two));
    kept = kept && one == two;
  }

  ThinkingFilter filter;
  std::string shown;
  for (const char* c = answer; *c; ++c) shown += filter.push({c, 1});
  shown += filter.flush();
  std::printf("thoughts hidden: \"%s\"\n", shown.c_str() + std::strspn(shown.c_str(), "\n"));
  if (!kept || tags(shown) != 0) {
    std::fprintf(stderr, "thinking tags were lost or shown\n");
    return 1;
  }
}
