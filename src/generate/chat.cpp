// A conversation. The template is rendered afresh each turn; whatever the new ids share with what the cache has read
// stays read.
#include <algorithm>
#include <ctime>

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
  NIBBLE_TRY(const auto tokenizer, tokenizer_of(handle.implementation()));
  return render(handle.implementation(), *tokenizer, messages, add_generation_prompt, enable_thinking);
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
};

Chat::Chat(std::unique_ptr<State> state) : state_(std::move(state)) {}
Chat::Chat(Chat&&) noexcept = default;
Chat& Chat::operator=(Chat&&) noexcept = default;
Chat::~Chat() = default;

Result<Chat> Chat::start(const Model& model, std::string system, std::int64_t context,
                         std::optional<bool> enable_thinking) {
  LoadedModel& loaded = model.implementation();
  const std::int64_t limit = loaded.transformer->config().max_positions;
  if (context < 0 || context > limit)
    return error(Errc::bad_request, "a context of {} tokens was asked for, the model was made for {}", context, limit);
  NIBBLE_TRY(auto tokenizer, tokenizer_of(loaded));
  const std::int64_t capacity = context ? context : std::min<std::int64_t>(limit, 4096);
  NIBBLE_CHECK(plan_run(loaded, {.context = capacity}));
  NIBBLE_TRY(KvCache cache,
             KvCache::create(loaded.transformer->config(), loaded.backend->memory(), loaded.kv_dtype, capacity));
  std::unique_ptr<State> state(
      new State{model, std::move(tokenizer), {}, enable_thinking, std::move(cache), {}, 0, false});
  if (!system.empty()) state->messages.push_back({"system", std::move(system)});
  return Chat(std::move(state));
}

Result<Generation> Chat::say(std::string user, const GenerateOptions& options) {
  State& s = *state_;
  LoadedModel& model = s.model.implementation();
  s.messages.push_back({"user", std::move(user)});
  const auto fail = [&](Error problem) { return s.messages.pop_back(), problem; };
  auto text = render(model, *s.tokenizer, s.messages, true, s.enable_thinking);
  if (!text) return fail(text.error());
  // The template writes its own BOS.
  std::vector<std::int32_t> ids = s.tokenizer->encode(*text, {.add_special = false, .parse_special = true});
  if (ids.empty()) return fail(error(Errc::bad_request, "the chat template rendered nothing"));
  if (std::int64_t(ids.size()) >= s.cache.capacity())
    return fail(error(
        Errc::bad_request,
        "the conversation has grown to {} tokens and the context holds {}; start a new one or ask for a longer context",
        ids.size(), s.cache.capacity()));

  const auto shared =
      std::int64_t(std::mismatch(ids.begin(), ids.end(), s.read.begin(), s.read.end()).first - ids.begin());
  // At least one token must be read to have logits.
  const std::int64_t reused = std::min<std::int64_t>(shared, std::int64_t(ids.size()) - 1);
  s.cache.truncate(reused);
  s.read.resize(std::size_t(reused));
  s.opened_thinking = ends_in_thinking(*text);

  GenerateOptions bounded = options;
  bounded.max_new_tokens = std::min(options.max_new_tokens, s.cache.capacity() - std::int64_t(ids.size()));
  auto results =
      generate_sequences(model, s.tokenizer.get(), {{&s.cache, {ids.begin() + reused, ids.end()}, ids}}, bounded);
  if (!results) {
    s.cache.truncate(reused);
    return fail(results.error());
  }
  s.reused = reused;
  Generation answer = std::move(results->front());
  answer.prompt_tokens = std::int64_t(ids.size());
  s.read = std::move(ids);
  s.read.insert(s.read.end(), answer.ids.begin(), answer.ids.end());
  s.read.resize(std::size_t(
      std::min<std::int64_t>(s.cache.length(), std::int64_t(s.read.size()))));  // the last id was never read
  s.messages.push_back({"assistant", answer.text});
  return answer;
}

const std::vector<Message>& Chat::messages() const { return state_->messages; }
std::int64_t Chat::cached_tokens() const { return state_->cache.length(); }
std::int64_t Chat::reused_tokens() const { return state_->reused; }
bool Chat::opened_thinking() const { return state_->opened_thinking; }

}  // namespace nibble
