// A conversation. The template is rendered afresh each turn; whatever the new ids share with what the cache has read
// stays read.
#include <algorithm>
#include <ctime>

#include "base/out_of_memory.hpp"
#include "generate/batcher.hpp"
#include "text/template/chat_template.hpp"

namespace nibble {
namespace {

Result<std::string> render(const LoadedModel& model, const Tokenizer& tokenizer, const std::vector<Message>& messages,
                           bool add_generation_prompt, std::optional<bool> enable_thinking) {
  NIBBLE_TRY(const auto chat, model.chat_template());
  OrderedJson variables = OrderedJson::object();
  variables["messages"] = OrderedJson::array();
  for (const Message& message : messages)
    variables["messages"].push_back({{"role", message.role}, {"content", message.content}});
  variables["add_generation_prompt"] = add_generation_prompt;
  // transformers defines these two always, special tokens only where the tokenizer has them.
  variables["tools"] = nullptr;
  variables["documents"] = nullptr;
  if (tokenizer.bos()) variables["bos_token"] = tokenizer.token(*tokenizer.bos());
  if (tokenizer.eos()) variables["eos_token"] = tokenizer.token(*tokenizer.eos());
  if (enable_thinking) variables["enable_thinking"] = *enable_thinking;
  auto text = chat->render(variables);
  if (!text) return text.error().at(model.checkpoint->path().string());
  return text;
}

}  // namespace

Result<std::string> render_chat(const Model& handle, const std::vector<Message>& messages, bool add_generation_prompt,
                                std::optional<bool> enable_thinking) {
  return or_out_of_memory("", "rendering the chat template", [&]() -> Result<std::string> {
    const LoadedModel& model = handle.implementation();
    NIBBLE_TRY(const auto tokenizer, model.tokenizer());
    return render(model, *tokenizer, messages, add_generation_prompt, enable_thinking);
  });
}

struct Chat::State {
  Model model;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::vector<Message> messages;
  std::optional<bool> enable_thinking;
  std::shared_ptr<KvCache> cache;
  std::vector<std::int32_t> read;  // the ids whose keys and values the cache holds
  std::int64_t reused = 0;
  bool opened_thinking = false, sliding = false;
  std::int64_t left_out = 0;

  static Result<std::unique_ptr<State>> start(const Model& model, std::string system, std::int64_t context,
                                              std::optional<bool> enable_thinking);
  Result<Generation> say(std::string user, const GenerateOptions& options);
  Result<Generation> answer_to(const std::vector<std::int32_t>& ids, const GenerateOptions& options);
  Result<std::vector<std::int32_t>> read_messages();
  bool leave_oldest_turn_out();
};

Chat::Chat(std::unique_ptr<State> state) : state_(std::move(state)) {}
Chat::Chat(Chat&&) noexcept = default;
Chat& Chat::operator=(Chat&&) noexcept = default;
Chat::~Chat() = default;

Result<Chat> Chat::start(const Model& model, std::string system, std::int64_t context,
                         std::optional<bool> enable_thinking) {
  return or_out_of_memory("", "starting a conversation", [&]() -> Result<Chat> {
    NIBBLE_TRY(auto state, State::start(model, std::move(system), context, enable_thinking));
    return Chat(std::move(state));
  });
}

Result<Generation> Chat::say(std::string user, const GenerateOptions& options) {
  State& s = *state_;
  std::optional<std::vector<Message>> before;
  auto answer = or_out_of_memory("", "answering in a conversation", [&] {
    before = s.messages;
    return s.say(std::move(user), options);
  });
  if (!answer) {
    if (before) s.messages = *std::move(before);
    // What both know is read still holds.
    s.cache->truncate(std::min(s.cache->length(), std::int64_t(s.read.size())));
    s.read.resize(std::size_t(s.cache->length()));
  }
  return answer;
}

Result<std::unique_ptr<Chat::State>> Chat::State::start(const Model& model, std::string system, std::int64_t context,
                                                        std::optional<bool> enable_thinking) {
  LoadedModel& loaded = model.implementation();
  const std::int64_t limit = loaded.transformer->config().max_positions;
  if (context < 0 || context > limit)
    return error(Errc::bad_request, "a context of {} tokens was asked for, the model was made for {}", context, limit);
  NIBBLE_TRY(auto tokenizer, loaded.tokenizer());
  const std::int64_t capacity = context ? context : std::min<std::int64_t>(limit, 4096);
  NIBBLE_CHECK(loaded.plan({.context = capacity}));
  NIBBLE_TRY(KvCache cache, loaded.make_cache(capacity));
  std::unique_ptr<State> state(
      new State{model, std::move(tokenizer), {}, enable_thinking, std::make_shared<KvCache>(std::move(cache)), {}});
  if (!system.empty()) state->messages.push_back({"system", std::move(system)});
  return state;
}

// The ids of the conversation as it stands, with what begins the answer.
Result<std::vector<std::int32_t>> Chat::State::read_messages() {
  NIBBLE_TRY(const std::string text, render(model.implementation(), *tokenizer, messages, true, enable_thinking));
  opened_thinking = ends_in_thinking(text);
  // The template writes its own BOS.
  std::vector<std::int32_t> ids = tokenizer->encode(text, {.add_special = false, .parse_special = true});
  if (ids.empty()) return error(Errc::bad_request, "the chat template rendered nothing");
  return ids;
}

// A question and its answer; never the last question, which is to be answered.
bool Chat::State::leave_oldest_turn_out() {
  const auto first =
      std::find_if(messages.begin(), messages.end(), [](const Message& m) { return m.role != "system"; });
  if (messages.end() - first < 2) return false;
  auto last = first + 1;
  while (last + 1 < messages.end() && last->role != "user") ++last;
  left_out += last - first;
  messages.erase(first, last);
  return true;
}

// An error leaves what Chat::say() mends.
Result<Generation> Chat::State::say(std::string user, const GenerateOptions& options) {
  messages.push_back({"user", std::move(user)});
  left_out = 0;
  NIBBLE_TRY(std::vector<std::int32_t> ids, read_messages());
  const std::int64_t room = std::max<std::int64_t>(1, std::min(options.max_new_tokens, cache->capacity() / 4));
  while (sliding && std::int64_t(ids.size()) + room > cache->capacity() && leave_oldest_turn_out()) {
    NIBBLE_TRY(ids, read_messages());
  }
  if (std::int64_t(ids.size()) >= cache->capacity())
    return error(
        Errc::bad_request,
        "the conversation has grown to {} tokens and the context holds {}; start a new one or ask for a longer context",
        ids.size(), cache->capacity());

  const auto shared = std::int64_t(std::mismatch(ids.begin(), ids.end(), read.begin(), read.end()).first - ids.begin());
  // At least one token must be read to have logits.
  const std::int64_t known = std::min<std::int64_t>(shared, std::int64_t(ids.size()) - 1);
  cache->truncate(known);
  read.resize(std::size_t(known));

  NIBBLE_TRY(Generation answer, answer_to(ids, options));
  ids.insert(ids.end(), answer.ids.begin(), answer.ids.end());
  ids.resize(std::size_t(std::min<std::int64_t>(cache->length(), std::int64_t(ids.size()))));  // the last was not read
  messages.push_back({"assistant", answer.text});
  read = std::move(ids);
  reused = known;
  return answer;
}

Result<Generation> Chat::State::answer_to(const std::vector<std::int32_t>& ids, const GenerateOptions& options) {
  SequenceRequest request{.prompt = ids,
                          .max_new_tokens = options.max_new_tokens,
                          .sampling = options.sampling,
                          .stop_strings = options.stop_strings,
                          .ignore_eos = options.ignore_eos,
                          .cache = cache};
  if (options.on_text) request.on_text = [&](std::string_view text) { return options.on_text(0, text); };
  Batcher pool(model.implementation());
  NIBBLE_TRY(const SequenceId id, pool.add(std::move(request)));
  while (pool.running()) NIBBLE_CHECK(pool.step(options.stop));
  return pool.remove(id);
}

const std::vector<Message>& Chat::messages() const { return state_->messages; }
std::int64_t Chat::cached_tokens() const { return state_->cache->length(); }
std::int64_t Chat::reused_tokens() const { return state_->reused; }
bool Chat::opened_thinking() const { return state_->opened_thinking; }
void Chat::set_sliding(bool sliding) { state_->sliding = sliding; }
std::int64_t Chat::left_out() const { return state_->left_out; }
void Chat::restart(std::vector<Message> messages) { state_->messages = std::move(messages); }
void Chat::set_thinking(std::optional<bool> enable_thinking) { state_->enable_thinking = enable_thinking; }
std::int64_t Chat::context() const { return state_->cache->capacity(); }

}  // namespace nibble
