#include "engine/loaded_model.hpp"

#include <algorithm>

#include "engine/available_memory.hpp"
#include "engine/fitting.hpp"
#include "formats/all.hpp"
#include "text/template/chat_template.hpp"
#include "text/tokenizer/model_tokenizer.hpp"

namespace nibble {
namespace {

Result<std::shared_ptr<const Tokenizer>> read_tokenizer(const Checkpoint& checkpoint) {
  if (!checkpoint.is_gguf()) {
    NIBBLE_TRY(std::unique_ptr<Tokenizer> tokenizer, Tokenizer::open(checkpoint.path()));
    return std::shared_ptr<const Tokenizer>(std::move(tokenizer));
  }
  auto tokenizer = Tokenizer::from_gguf(*checkpoint.gguf());
  if (!tokenizer) return tokenizer.error().at(checkpoint.path().string());
  return std::shared_ptr<const Tokenizer>(std::move(tokenizer).value());
}

// What `name` says of the linear layers and of the format each has, without repetition: "Q4_K, Q6_K".
template <class Name>
std::string each_once(const LoadedModel& model, const Name& name) {
  TransformerWeights& weights = model.transformer->weights();
  std::vector<std::string> names;
  for (const ModuleSpec& module : list_modules(model.transformer->config())) {
    if (module.role != Role::linear) continue;
    std::string next = name(module, weights.linear(module).weight->canonical().format);
    if (!next.empty() && std::find(names.begin(), names.end(), next) == names.end()) names.push_back(std::move(next));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

MemoryReport LoadedModel::memory() const { return report_of(backend->memory().use().now, mapped); }

std::string LoadedModel::held_as() const {
  QuantizationConfig plain = precision;
  plain.file_type.clear();  // of the file, not of this layer
  return each_once(*this, [&](const ModuleSpec&, std::string_view format) {
    return format_facts(format).is_block() ? std::string(format) : plain.label();
  });
}

std::string LoadedModel::converted_from() const {
  if (!checkpoint) return {};
  return each_once(*this, [&](const ModuleSpec& module, std::string_view format) {
    const CheckpointTensor* tensor = checkpoint->find(module.name);
    return tensor && !tensor->dtype && tensor->type != format ? tensor->type : std::string();
  });
}

Result<std::shared_ptr<const Tokenizer>> LoadedModel::tokenizer() const {
  if (!checkpoint) return error(Errc::bad_request, "a model with random weights has no tokenizer");
  const std::scoped_lock lock(reading_);
  if (!tokenizer_) {
    NIBBLE_TRY(tokenizer_, read_tokenizer(*checkpoint));
  }
  return tokenizer_;
}

Result<std::shared_ptr<const ChatTemplate>> LoadedModel::chat_template() const {
  if (!checkpoint || checkpoint->chat_template().empty())
    return error(Errc::bad_request,
                 "the model has no chat template (no chat_template.jinja, none in tokenizer_config.json or GGUF "
                 "metadata); use `run` to continue a text");
  const std::scoped_lock lock(reading_);
  if (!chat_template_) {
    auto parsed = ChatTemplate::parse(checkpoint->chat_template());
    if (!parsed) return parsed.error().at(checkpoint->path().string());
    chat_template_ = std::make_shared<const ChatTemplate>(std::move(parsed).value());
  }
  return chat_template_;
}

bool LoadedModel::has_read_tokenizer() const {
  const std::scoped_lock lock(reading_);
  return tokenizer_ != nullptr;
}

Result<KvCache> LoadedModel::make_cache(std::int64_t capacity) {
  return KvCache::create(transformer->config(), *backend, kv_dtype, capacity);
}

Result<void> LoadedModel::plan(Workload workload, std::uint64_t caches) {
  workload.earlier = transformer->reserved();
  const ModelConfig& config = transformer->config();
  // What the model holds already, it need not find again; caches that others read into are no part of this plan.
  const MemoryUse& use = backend->memory().use();
  const std::uint64_t others = use.now[std::size_t(Purpose::kv_cache)] - caches;
  const std::uint64_t held = use.total - others + bytes_beside(config, options);
  NIBBLE_TRY(const MemoryPlan plan,
             check_fits({config, checkpoint.get(), options, unquantized_dtype, workload}, available_memory(), held));
  planned.raise(plan);
  return {};
}

Error LoadedModel::explain_nonfinite() const {
  if (checkpoint)
    for (const CheckpointTensor& tensor : checkpoint->tensors())
      if (tensor.readable() && first_nonfinite(tensor) >= 0)
        return error(
            Errc::corrupt_file,
            "{}: tensor \"{}\" holds NaN or infinity, so the model's output is not a number; take the file again",
            checkpoint->path().string(), tensor.name);
  return error(Errc::internal,
               "the logits are not numbers although the weights are; try --compute-dtype fp32, values beyond fp16's "
               "range are the usual cause");
}

}  // namespace nibble
