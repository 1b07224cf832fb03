#include "engine/load.hpp"

#include <algorithm>

#include "base/clock.hpp"
#include "base/thread_pool.hpp"
#include "engine/available_memory.hpp"
#include "engine/backends.hpp"
#include "engine/claimed_tensors.hpp"
#include "engine/fitting.hpp"
#include "engine/loader.hpp"
#include "engine/rehearsal.hpp"
#include "formats/all.hpp"

namespace nibble {
namespace {

Result<void> check_options(const LoadOptions& options) {
  NIBBLE_CHECK(options.precision.check());
  NIBBLE_CHECK(check_threads(options.threads));
  NIBBLE_CHECK(check_device(options.device_map));
  if (options.pass_tokens < 1 || options.pass_tokens > 65536)
    return error(Errc::bad_request, "a pass of {} tokens was asked for, expected 1 to 65536", options.pass_tokens);
  const Precision kv = options.kv_cache;
  if (facts_of(kv).kind != FormatKind::dense)
    return error(Errc::bad_request, "the KV cache can be {}, not {}",
                 names_of(widest_first(precisions({FormatKind::dense})), " or "), name_of(kv));
  return check_workload(options.context, options.batch);
}

// Everything about a model but its weights.
Result<std::shared_ptr<LoadedModel>> start_model(const QuantizationConfig& precision, const LoadOptions& options) {
  auto model = std::make_shared<LoadedModel>();
  model->precision = precision;
  model->options = options;
  model->options.progress = {};
  model->options.say = {};
  NIBBLE_TRY(model->backend, make_backend(backend_options(options)));
  model->threads = options.threads > 0 ? options.threads : usable_cores();
  LoadOptions resolved = options;
  resolved.precision = precision;
  model->kv_dtype = kv_dtype_of(resolved);
  return model;
}

// Some errors know their tensor alone.
Error placed(const Error& problem, const Checkpoint& checkpoint) {
  const std::string path = checkpoint.path().string();
  return problem.message.starts_with(path) ? problem : problem.at(path);
}

Result<void> fill_model(LoadedModel& model, WeightSource& source, ModelConfig config, const LoadOptions& options,
                        DType unquantized_dtype) {
  NIBBLE_TRY(const SkipPatterns skip, SkipPatterns::compile(model.precision.skip));
  ThreadPool pool(model.threads);
  Loader loader(source, *model.backend, &pool, pool.size(), model.precision, skip, unquantized_dtype,
                options.precision.format == Precision::stored);
  auto loaded = loader.load(config, options.progress);
  if (!loaded) return model.checkpoint ? placed(loaded.error(), *model.checkpoint) : loaded.error();
  TransformerWeights weights = std::move(loaded).value();
  for (Buffer& buffer : loader.buffers) model.buffers.push_back(std::move(buffer));
  model.mapped = loader.mapped;
  if (loader.rounds_again && model.checkpoint) {
    NIBBLE_TRY(const QuantizationConfig stored, resolve_precision({}, *model.checkpoint));
    model.requantized_from = stored.label();
  }
  model.load_peak = model.backend->memory().use().peak_total;
  model.times.converting = loader.times.converting;
  model.times.packing = loader.times.packing;
  NIBBLE_TRY(model.transformer, Transformer::create(std::move(config), source.rope_divisors(), *model.backend,
                                                    std::move(weights), options.pass_tokens));
  return {};
}

}  // namespace

Result<void> check_workload(std::int64_t context, std::int64_t batch) {
  constexpr std::int64_t most = std::int64_t(1) << 28;  // together, so that no size overflows
  if (context >= 1 && batch >= 1 && context <= most && batch <= most / context) return {};
  return error(Errc::bad_request, "context is {} and batch {}; both should be at least 1, their product below 2^28",
               context, batch);
}

Result<void> check_threads(int threads) {
  if (threads >= 0 && threads <= 1024) return {};
  return error(Errc::bad_request, "{} threads were asked for, expected 1 to 1024, or 0 for every core", threads);
}

Result<std::shared_ptr<LoadedModel>> load_model(const std::filesystem::path& path, const LoadOptions& options) {
  const double start = now_seconds();
  NIBBLE_TRY(auto checkpoint, Checkpoint::open(path));
  NIBBLE_TRY(ModelConfig config, read_model_config(checkpoint->config(), path.string(), options.ignore_config));
  const double opening = now_seconds() - start;
  NIBBLE_TRY(const QuantizationConfig precision, resolve_precision(options.precision, *checkpoint));
  NIBBLE_CHECK(check_skip(precision, list_modules(config)));
  NIBBLE_CHECK(unclaimed_tensors(*checkpoint, config, options.ignore_tensors));
  NIBBLE_CHECK(check_generation_config(checkpoint->generation_config(), (path / "generation_config.json").string(),
                                       options.ignore_config));
  if (options.say)
    for (const std::string& note : checkpoint->notes()) options.say(path.string() + ": " + note);
  const DType unquantized_dtype = unquantized_dtype_of(*checkpoint);
  NIBBLE_CHECK(check_options(options));
  // A load that cannot fit is refused before it starts, with the settings that would fit.
  const Workload planned{.context = std::min(options.context, config.max_positions), .batch = options.batch};
  const auto free = [&] {
    return options.memory_limit ? AvailableMemory{.bytes = options.memory_limit} : available_memory();
  };
  if (auto fits = check_fits({config, checkpoint.get(), options, unquantized_dtype, planned}, free()); !fits)
    return placed(fits.error(), *checkpoint);
  NIBBLE_TRY(auto model, start_model(precision, options));
  model->checkpoint = std::move(checkpoint);
  model->unquantized_dtype = unquantized_dtype;
  const auto source = checkpoint_source(*model->checkpoint, model->backend->memory(), model->buffers);
  if (auto filled = fill_model(*model, *source, config, options, unquantized_dtype); !filled) {
    model->buffers.clear();
    model->backend.reset();
    return explain_refusal(filled.error(), {config, model->checkpoint.get(), options, unquantized_dtype, planned},
                           free().bytes);
  }
  model->load_seconds = now_seconds() - start;
  model->times.opening = opening;
  return model;
}

Result<std::shared_ptr<LoadedModel>> load_random_model(const ModelConfig& config, const LoadOptions& options,
                                                       std::uint64_t seed, double outliers) {
  const double start = now_seconds();
  QuantizationConfig precision = options.precision;
  if (precision.format == Precision::stored) precision.format = precision_of(config.dtype);
  NIBBLE_CHECK(check_options(options));
  NIBBLE_TRY(auto model, start_model(precision, options));
  model->unquantized_dtype = config.dtype;
  const auto source = random_source(seed, outliers);
  NIBBLE_CHECK(fill_model(*model, *source, config, options, config.dtype));
  model->load_seconds = now_seconds() - start;
  return model;
}

}  // namespace nibble
