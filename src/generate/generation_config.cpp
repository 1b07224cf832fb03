#include "generate/generation_config.hpp"

#include <algorithm>

#include "nibble/generate.hpp"
#include "text/tokenizer/model_tokenizer.hpp"

namespace nibble {
namespace {

void add_ids(const Json& config, std::vector<std::int32_t>& out) {
  const auto ids = config.find("eos_token_id");
  if (ids == config.end()) return;
  const auto add = [&](const Json& id) {
    if (id.is_number_integer() && id >= 0 && id < (std::int64_t(1) << 31)) out.push_back(id.get<std::int32_t>());
  };
  if (ids->is_array())
    std::for_each(ids->begin(), ids->end(), add);
  else
    add(*ids);
}

}  // namespace

std::vector<std::int32_t> end_tokens(const LoadedModel& model, const Tokenizer* tokenizer) {
  std::vector<std::int32_t> ids;
  if (model.checkpoint) {
    add_ids(model.checkpoint->generation_config(), ids);
    if (ids.empty()) add_ids(model.checkpoint->config(), ids);
  }
  if (tokenizer && tokenizer->eos()) ids.push_back(*tokenizer->eos());
  return ids;
}

Sampling default_sampling(const Model& handle) {
  Sampling sampling;
  const LoadedModel& model = handle.implementation();
  if (!model.checkpoint) return sampling;
  const Json& config = model.checkpoint->generation_config();
  const auto number = [&](const char* key, auto& out) {
    if (const auto value = config.find(key); value != config.end() && value->is_number())
      out = value->get<std::decay_t<decltype(out)>>();
  };
  if (const auto sample = config.find("do_sample"); sample != config.end() && *sample == true) {
    sampling.temperature = 1;  // what transformers takes where the file says nothing
    sampling.top_k = 50;
    number("temperature", sampling.temperature);
    number("top_k", sampling.top_k);
    number("top_p", sampling.top_p);
    number("min_p", sampling.min_p);
  }
  number("repetition_penalty", sampling.repetition_penalty);
  return sampling;
}

}  // namespace nibble
