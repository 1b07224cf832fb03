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

Result<MemoryPlan> rehearse(const ModelConfig& config, const Checkpoint* checkpoint, const LoadOptions& options,
                            DType kept, const Workload& workload) {
  LoadOptions resolved = options;
  if (options.precision.format == Precision::stored) {
    if (checkpoint) {
      NIBBLE_TRY(resolved.precision, resolve_precision(options.precision, *checkpoint));
    } else {
      resolved.precision.format = precision_of(kept);
    }
  }
  const QuantizationConfig& precision = resolved.precision;
  NIBBLE_TRY(const SkipPatterns skip, SkipPatterns::compile(precision.skip));
  const auto memory = std::make_shared<CountingAllocator>();
  BackendOptions counting = backend_options(options);
  counting.memory = memory;
  NIBBLE_TRY(const auto backend, make_backend(counting));
  std::vector<Buffer> copies;
  const auto source =
      checkpoint ? checkpoint_source(*checkpoint, *memory, copies, options.precision.format == Precision::stored)
                 : counting_source(kept);
  Loader loader(*source, *backend, nullptr, options.threads > 0 ? options.threads : usable_cores(), precision, skip,
                kept);
  NIBBLE_TRY(TransformerWeights weights, loader.load(config, {}));
  MemoryPlan plan;
  plan.load_peak = memory->use().peak_total;
  NIBBLE_TRY(const auto transformer,
             Transformer::create(config, {}, *backend, std::move(weights), options.pass_tokens));
  std::vector<KvCache> caches;
  for (std::int64_t i = 0; i < workload.batch; ++i) {
    NIBBLE_TRY(KvCache cache, KvCache::create(config, *backend, kv_dtype_of(resolved), workload.context));
    caches.push_back(std::move(cache));
  }
  NIBBLE_CHECK(transformer->reserve(workload.earlier));
  const std::int64_t tokens = workload.tokens ? workload.tokens : workload.context * workload.batch;
  NIBBLE_CHECK(
      transformer->reserve(transformer->shape_of(tokens, workload.batch, workload.all_logits ? tokens : workload.batch,
                                                 std::min(workload.context, config.max_positions))));
  NIBBLE_TRY([[maybe_unused]] const Buffer beside, Buffer::take(*memory, workload.workspace, Purpose::workspace));
  plan.bytes = report_of(memory->use().now, loader.mapped);
  plan.own = report_of(memory->use().now, {});
  plan.highest = report_of(memory->use().peak, loader.mapped);
  plan.run_peak = memory->use().total;
  plan.text = workload.text;
  return plan;
}

}  // namespace nibble
