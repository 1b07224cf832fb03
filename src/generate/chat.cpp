// A conversation. The template is rendered afresh each turn; whatever the new ids share with what the cache has read
// stays read.
#include <algorithm>
#include <ctime>

#include "base/out_of_memory.hpp"
#include "generate/session.hpp"

namespace nibble {
namespace {

Result<std::string> render(const LoadedModel& model, const Tokenizer& tokenizer, const std::vector<Message>& messages,
                           bool add_generation_prompt, std::optional<bool> enable_thinking) {
  if (!model.checkpoint || model.checkpoint->chat_template().empty())
    return error(Errc::bad_request,
                 "the model has no chat template (no chat_template.jinja, none in tokenizer_config.json or GGUF "
                 "metadata); use `run` to continue a text");
  const std::string place = model.checkpoint->path().string();
  const auto chat = ChatTemplate::parse(model.checkpoint->chat_template());
  if (!chat) return chat.error().at(place);
  OrderedJson variables = OrderedJson::object();
  variables["messages"] = OrderedJson::array();
  for (const Message& message : messages)
    variables["messages"].push_back({{"role", message.role}, {"content", message.content}});
  variables["add_generation_prompt"] = add_generation_prompt;
  // transformers defines these two always, special tokens only where the tokenizer has them.
  variables["tools"] = nullptr, variables["documents"] = nullptr;
  if (tokenizer.bos()) variables["bos_token"] = tokenizer.token(*tokenizer.bos());
  if (tokenizer.eos()) variables["eos_token"] = tokenizer.token(*tokenizer.eos());
  if (enable_thinking) variables["enable_thinking"] = *enable_thinking;
  auto text = chat->render(variables);
  if (!text) return text.error().at(place);
  return text;
}

}  // namespace

Result<std::string> render_chat(const Model& handle, const std::vector<Message>& messages, bool add_generation_prompt,
                                std::optional<bool> enable_thinking) {
  return or_out_of_memory("", "rendering the chat template", [&]() -> Result<std::string> {
    NIBBLE_TRY(const auto tokenizer, tokenizer_of(handle.implementation()));
    return render(handle.implementation(), *tokenizer, messages, add_generation_prompt, enable_thinking);
  });
}

struct Chat::State {
  Model model;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::vector<Message> messages;
  std::optional<bool> enable_thinking;
  KvCache cache;
  std::vector<std::int32_t> read;  // the ids whose keys and values the cache holds
  std::int64_t reused = 0;
  bool opened_thinking = false;

  static Result<std::unique_ptr<State>> start(const Model& model, std::string system, std::int64_t context,
                                              std::optional<bool> enable_thinking);
  Result<Generation> say(std::string user, const GenerateOptions& options);
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
  const std::size_t before = s.messages.size();
  auto answer = or_out_of_memory("", "answering in a conversation", [&] { return s.say(std::move(user), options); });
  if (!answer) {
    s.messages.erase(s.messages.begin() + std::ptrdiff_t(before), s.messages.end());
    // What both know is read still holds.
    s.cache.truncate(std::min(s.cache.length(), std::int64_t(s.read.size())));
    s.read.resize(std::size_t(s.cache.length()));
  }
  return answer;
}

Result<std::unique_ptr<Chat::State>> Chat::State::start(const Model& model, std::string system, std::int64_t context,
                                                        std::optional<bool> enable_thinking) {
  LoadedModel& loaded = model.implementation();
  const std::int64_t limit = loaded.transformer->config().max_positions;
  if (context < 0 || context > limit)
    return error(Errc::bad_request, "a context of {} tokens was asked for, the model was made for {}", context, limit);
  NIBBLE_TRY(auto tokenizer, tokenizer_of(loaded));
  const std::int64_t capacity = context ? context : std::min<std::int64_t>(limit, 4096);
  NIBBLE_CHECK(plan_run(loaded, {.context = capacity}));
  NIBBLE_TRY(KvCache cache, KvCache::create(loaded.transformer->config(), *loaded.backend, loaded.kv_dtype, capacity));
  std::unique_ptr<State> state(
      new State{model, std::move(tokenizer), {}, enable_thinking, std::move(cache), {}, 0, false});
  if (!system.empty()) state->messages.push_back({"system", std::move(system)});
  return state;
}

// An error leaves what Chat::say() mends.
Result<Generation> Chat::State::say(std::string user, const GenerateOptions& options) {
  State& s = *this;
  LoadedModel& model = s.model.implementation();
  s.messages.push_back({"user", std::move(user)});
  NIBBLE_TRY(const std::string text, render(model, *s.tokenizer, s.messages, true, s.enable_thinking));
  // The template writes its own BOS.
  std::vector<std::int32_t> ids = s.tokenizer->encode(text, {.add_special = false, .parse_special = true});
  if (ids.empty()) return error(Errc::bad_request, "the chat template rendered nothing");
  if (std::int64_t(ids.size()) >= s.cache.capacity())
    return error(
        Errc::bad_request,
        "the conversation has grown to {} tokens and the context holds {}; start a new one or ask for a longer context",
        ids.size(), s.cache.capacity());

  const auto shared =
      std::int64_t(std::mismatch(ids.begin(), ids.end(), s.read.begin(), s.read.end()).first - ids.begin());
  // At least one token must be read to have logits.
  const std::int64_t reused = std::min<std::int64_t>(shared, std::int64_t(ids.size()) - 1);
  s.cache.truncate(reused);
  s.read.resize(std::size_t(reused));
  s.opened_thinking = ends_in_thinking(text);

  GenerateOptions bounded = options;
  bounded.max_new_tokens = std::min(options.max_new_tokens, s.cache.capacity() - std::int64_t(ids.size()));
  NIBBLE_TRY(auto results, generate_sequences(model, s.tokenizer.get(),
                                              {{&s.cache, {ids.begin() + reused, ids.end()}, ids}}, bounded));
  Generation answer = std::move(results.front());
  answer.prompt_tokens = std::int64_t(ids.size());
  ids.insert(ids.end(), answer.ids.begin(), answer.ids.end());
  ids.resize(std::size_t(std::min<std::int64_t>(s.cache.length(), std::int64_t(ids.size()))));  // the last was not read
  s.messages.push_back({"assistant", answer.text});
  s.read = std::move(ids), s.reused = reused;
  return answer;
}

const std::vector<Message>& Chat::messages() const { return state_->messages; }
std::int64_t Chat::cached_tokens() const { return state_->cache.length(); }
std::int64_t Chat::reused_tokens() const { return state_->reused; }
bool Chat::opened_thinking() const { return state_->opened_thinking; }

}  // namespace nibble
