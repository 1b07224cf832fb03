// Text generation: completion, several prompts in one batch, chat. Equivalent of pipeline("text-generation").
//
// Threads: generate(), generate_ids(), Chat::start() and Chat::say() compute, which one thread at a time may do with
// one loaded model; models that were loaded apart are independent. Callbacks come on the calling thread and may not
// compute with the same model. A Chat is one thread's. Everything else may be called by any thread, also while another
// computes.
//
// Implemented in src/generate: generate.cpp and chat.cpp over batcher.cpp, the pool of sequences.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nibble/model.hpp"

namespace nibble {

struct Sampling {
  float temperature = 0;         // 0: greedy
  int top_k = 0;                 // 0: off
  float top_p = 1, min_p = 0;    // 1 and 0: off
  float repetition_penalty = 1;  // 1: off; over the prompt and what was generated
  std::uint64_t seed = 0;
};

// What the model's generation_config.json asks for. Where it samples, absent keys mean what transformers takes for
// them: temperature 1, top-k 50. Without the file, or where it does not sample: greedy.
Sampling default_sampling(const Model& model);

struct GenerateOptions {
  std::int64_t max_new_tokens = 128;
  Sampling sampling = {};
  std::vector<std::string> stop_strings = {};  // the text ends before the one that is complete first
  std::int64_t context = 0;  // tokens of KV cache per sequence; 0: what prompt and max_new_tokens need
  bool ignore_eos = false;   // for benchmarks
  // Whole characters as they become certain; return false to stop (the result is then what was generated so far).
  std::function<bool(std::size_t prompt, std::string_view text)> on_text = {};
  std::function<bool()> stop = {};  // asked before every pass over the model; true ends like on_text's false
};

enum class StopReason { length, end_token, stop_string, cancelled };
std::string_view name_of(StopReason reason);

struct Generation {
  std::string text;
  std::vector<std::int32_t> ids;
  StopReason stopped = StopReason::length;
  std::int64_t prompt_tokens = 0;
  double prefill_seconds = 0, decode_seconds = 0;  // of the whole batch
};

// One result per prompt, in order. Sequences share every pass; in fp32 each text is the one it would have alone,
// sampled text as well; a prompt given several times gets a different sample each time.
Result<std::vector<Generation>> generate(const Model& model, const std::vector<std::string>& prompts,
                                         const GenerateOptions& options = {});
// The same for prompts that are token ids already.
Result<std::vector<Generation>> generate_ids(const Model& model, const std::vector<std::vector<std::int32_t>>& prompts,
                                             const GenerateOptions& options = {});

struct Message {
  std::string role, content;  // "system", "user", "assistant"
};

// The model's own chat template, rendered as transformers renders it. bad_request if it has none or refuses the
// messages (with the template's own words); unsupported if it says what Nibble's Jinja has not.
// enable_thinking: passed to the template if set (Qwen3 and others understand it).
Result<std::string> render_chat(const Model& model, const std::vector<Message>& messages,
                                bool add_generation_prompt = true, std::optional<bool> enable_thinking = {});

// A conversation that keeps the KV cache of what it has read: a turn costs only its new tokens.
class Chat {
 public:
  // context: tokens the conversation may reach; 0: min(model's maximum, 4096).
  static Result<Chat> start(const Model& model, std::string system = {}, std::int64_t context = 0,
                            std::optional<bool> enable_thinking = {});
  // A turn that fails leaves the conversation as it was before it.
  Result<Generation> say(std::string user, const GenerateOptions& options = {});
  // Where a turn and room for its answer do not fit the context: true: the oldest turns are left out for good, the
  // system message stays; false, as it begins: the turn is refused when nothing at all is left for an answer.
  void set_sliding(bool sliding);
  std::int64_t left_out() const;  // messages that the last turn left out
  // Another conversation in the same context; what it shares with the one before stays read.
  void restart(std::vector<Message> messages);
  void set_thinking(std::optional<bool> enable_thinking);
  std::int64_t context() const;  // tokens that fit
  const std::vector<Message>& messages() const;
  std::int64_t cached_tokens() const;  // in the KV cache now
  std::int64_t reused_tokens() const;  // of the last turn's prompt, found in the cache
  // The last turn's prompt ended inside <think>, which its answer then only closes. Known before the answer's first
  // text.
  bool opened_thinking() const;
  Chat(Chat&&) noexcept;
  Chat& operator=(Chat&&) noexcept;
  ~Chat();

 private:
  struct State;
  explicit Chat(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Whether a prompt ends inside <think>: some templates open it, and the answer begins with the thoughts themselves.
bool ends_in_thinking(std::string_view prompt);

// Removes <think>...</think> from streamed text, whole characters in, whole characters out. `inside`: it begins there.
class ThinkingFilter {
 public:
  explicit ThinkingFilter(bool inside = false) : inside_(inside) {}
  std::string push(std::string_view text);
  std::string flush();

 private:
  std::string pending_;
  bool inside_;
};

}  // namespace nibble
