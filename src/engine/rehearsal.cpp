#include "engine/rehearsal.hpp"

#include "base/thread_pool.hpp"
#include "engine/backends.hpp"
#include "engine/loader.hpp"

namespace nibble {

DType kv_dtype_of(const LoadOptions& options) {
  return options.kv_cache == Precision::stored ? kv_dtype_of(options.precision) : dtype_of(options.kv_cache);
}

void MemoryPlan::raise(const MemoryPlan& next) {
  highest.raise(next.highest);
  load_peak = std::max(load_peak, next.load_peak);
  run_peak = std::max(run_peak, next.run_peak);
  text = std::max(text, next.text);
}

Result<CountedModel> count_model(const ModelConfig& config, const Checkpoint* checkpoint, const LoadOptions& options,
                                 DType unquantized_dtype, const CountedForms& forms) {
  CountedModel model;
  model.precision = options.precision;
  if (options.precision.format == Precision::stored) {
    if (checkpoint) {
      NIBBLE_TRY(model.precision, resolve_precision(options.precision, *checkpoint));
    } else {
      model.precision.format = precision_of(unquantized_dtype);
    }
  }
  NIBBLE_TRY(const SkipPatterns skip, SkipPatterns::compile(model.precision.skip));
  model.memory = std::make_shared<CountingAllocator>();
  BackendOptions counting = backend_options(options);
  counting.memory = model.memory;
  NIBBLE_TRY(model.backend, make_backend(counting));
  const auto source = checkpoint ? checkpoint_source(*checkpoint, *model.memory, model.copies)
                      : forms    ? counting_source(forms)
                                 : counting_source(unquantized_dtype);
  Loader loader(*source, *model.backend, nullptr, options.threads > 0 ? options.threads : usable_cores(),
                model.precision, skip, unquantized_dtype, options.precision.format == Precision::stored);
  NIBBLE_TRY(model.weights, loader.load(config, {}));
  model.buffers = std::move(loader.buffers);
  model.mapped = loader.mapped;
  return model;
}

Result<MemoryPlan> rehearse(const ModelConfig& config, const Checkpoint* checkpoint, const LoadOptions& options,
                            DType unquantized_dtype, const Workload& workload, const CountedForms& forms) {
  NIBBLE_TRY(CountedModel model, count_model(config, checkpoint, options, unquantized_dtype, forms));
  LoadOptions resolved = options;
  resolved.precision = model.precision;
  const MemoryUse& use = model.memory->use();
  MemoryPlan plan;
  plan.load_peak = use.peak_total;
  NIBBLE_TRY(const auto transformer,
             Transformer::create(config, {}, *model.backend, std::move(model.weights), options.pass_tokens));
  std::vector<KvCache> caches;
  for (std::int64_t i = 0; i < workload.batch; ++i) {
    NIBBLE_TRY(KvCache cache, KvCache::create(config, *model.backend, kv_dtype_of(resolved), workload.context));
    caches.push_back(std::move(cache));
  }
  NIBBLE_CHECK(transformer->reserve(workload.earlier));
  const std::int64_t tokens = workload.tokens ? workload.tokens : workload.context * workload.batch;
  NIBBLE_CHECK(
      transformer->reserve(transformer->shape_of(tokens, workload.batch, workload.all_logits ? tokens : workload.batch,
                                                 std::min(workload.context, config.max_positions))));
  NIBBLE_TRY([[maybe_unused]] const Buffer beside, Buffer::take(*model.memory, workload.workspace, Purpose::workspace));
  plan.bytes = report_of(use.now, model.mapped);
  plan.own = report_of(use.now, {});
  plan.highest = report_of(use.peak, model.mapped);
  plan.run_peak = use.total;
  plan.text = workload.text;
  return plan;
}

}  // namespace nibble
