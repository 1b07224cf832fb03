#include "generate/session.hpp"

#include <algorithm>

#include "engine/available_memory.hpp"
#include "engine/fitting.hpp"

namespace nibble {
namespace {

void add_ids(const Json& config, std::vector<std::int32_t>& out) {
  const auto found = config.find("eos_token_id");
  if (found == config.end()) return;
  const auto add = [&](const Json& id) {
    if (id.is_number_integer() && id >= 0 && id < (std::int64_t(1) << 31)) out.push_back(id.get<std::int32_t>());
  };
  if (found->is_array())
    std::for_each(found->begin(), found->end(), add);
  else
    add(*found);
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> tokenizer_of(LoadedModel& model) {
  if (model.tokenizer) return model.tokenizer;
  if (!model.checkpoint) return error(Errc::bad_request, "a model with random weights has no tokenizer");
  if (model.checkpoint->is_gguf()) {
    auto tokenizer = Tokenizer::from_gguf(*model.checkpoint->gguf());
    if (!tokenizer) return tokenizer.error().at(model.checkpoint->path().string());
    model.tokenizer = std::move(tokenizer).value();
  } else {
    NIBBLE_TRY(model.tokenizer, Tokenizer::open(model.checkpoint->path()));
  }
  return model.tokenizer;
}

std::vector<std::int32_t> end_tokens(const LoadedModel& model, const Tokenizer* tokenizer) {
  std::vector<std::int32_t> ids;
  if (model.checkpoint) {
    add_ids(model.checkpoint->generation_config(), ids);
    if (ids.empty()) add_ids(model.checkpoint->config(), ids);
  }
  if (tokenizer && tokenizer->eos()) ids.push_back(*tokenizer->eos());
  return ids;
}

Result<void> plan_run(LoadedModel& model, Workload workload) {
  workload.earlier = model.transformer->reserved();
  const ModelConfig& config = model.transformer->config();
  const Request request{config, model.checkpoint.get(), model.options, model.kept, workload};
  // What the model holds already, it need not find again.
  const std::uint64_t held = model.backend->memory().use().total + bytes_beside(config, model.options);
  NIBBLE_TRY(const MemoryPlan plan, check_fits(request, available_memory(), held));
  model.planned.raise(plan);
  return {};
}

Error explain_nonfinite(const LoadedModel& model) {
  if (model.checkpoint)
    for (const CheckpointTensor& tensor : model.checkpoint->tensors())
      if (tensor.readable() && first_nonfinite(tensor) >= 0)
        return error(
            Errc::corrupt_file,
            "{}: tensor \"{}\" holds NaN or infinity, so the model's output is not a number; take the file again",
            model.checkpoint->path().string(), tensor.name);
  return error(Errc::internal,
               "the logits are not numbers although the weights are; try --compute-dtype fp32, values beyond fp16's "
               "range are the usual cause");
}

Sampling default_sampling(const Model& handle) {
  Sampling sampling;
  const LoadedModel& model = handle.implementation();
  if (!model.checkpoint) return sampling;
  const Json& config = model.checkpoint->generation_config();
  const auto number = [&](const char* key, auto& out) {
    if (const auto found = config.find(key); found != config.end() && found->is_number())
      out = found->get<std::decay_t<decltype(out)>>();
  };
  if (const auto found = config.find("do_sample"); found != config.end() && *found == true) {
    sampling.temperature = 1;
    number("temperature", sampling.temperature);
    number("top_k", sampling.top_k);
    number("top_p", sampling.top_p);
    number("min_p", sampling.min_p);
  }
  number("repetition_penalty", sampling.repetition_penalty);
  return sampling;
}

}  // namespace nibble
