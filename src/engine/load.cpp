#include "engine/load.hpp"

#include <algorithm>
#include <chrono>
#include <set>

#include "engine/available_memory.hpp"
#include "engine/counting_backend.hpp"
#include "engine/weights.hpp"
#include "formats/all.hpp"

namespace nibble {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Walks the modules once, in the order of the forward pass.
class Loader {
 public:
  Loader(WeightSource& source, Backend& backend, ThreadPool* pool, const QuantizationConfig& config,
         const SkipPatterns& skip, DType kept)
      : source_(source), backend_(backend), pool_(pool), config_(config), skip_(skip), kept_(kept) {}

  Result<TransformerWeights> load(const ModelConfig& model, const Progress& progress) {
    TransformerWeights weights;
    weights.layers.resize(std::size_t(model.layers));
    const std::vector<ModuleSpec> modules = list_modules(model);
    std::uint64_t total = 0, done = 0;
    for (const ModuleSpec& module : modules) total += module.elements();
    for (const ModuleSpec& module : modules) {
      NIBBLE_CHECK(place(module, weights));
      done += module.elements();
      if (progress) progress(double(done) / double(total));
    }
    return weights;
  }

  std::vector<Buffer> buffers;
  std::array<std::uint64_t, purpose_count> mapped{};
  LoadTimes times;

 private:
  Result<void> place(const ModuleSpec& module, TransformerWeights& weights) {
    if (module.cols == 0) {
      NIBBLE_TRY(const std::span<const float> values, load_vector(module));
      if (module.role == Role::bias)
        linear_of(weights, module.name).bias = values.data();
      else
        *norm_slot(module, weights) = values;
      return {};
    }
    NIBBLE_TRY(std::unique_ptr<PreparedWeight> prepared, load_matrix(module));
    if (module.role == Role::embedding)
      weights.embedding = std::move(prepared);
    else if (module.role == Role::head)
      weights.head = std::move(prepared);
    else
      linear_of(weights, module.name).weight = std::move(prepared);
    return {};
  }

  Result<std::span<const float>> load_vector(const ModuleSpec& module) {
    NIBBLE_TRY(Buffer buffer,
               Buffer::take(backend_.memory(), std::size_t(module.rows) * sizeof(float), Purpose::norms));
    NIBBLE_TRY(const ElementReader read, source_.reader(module));
    if (!source_.counts_only()) {
      std::vector<float> values(std::size_t(module.rows));
      read(0, module.rows, values.data());
      backend_.upload(values.data(), buffer.data(), values.size() * sizeof(float));
    }
    buffers.push_back(std::move(buffer));
    return std::span<const float>(buffers.back().as<float>(), std::size_t(module.rows));
  }

  Result<std::unique_ptr<PreparedWeight>> load_matrix(const ModuleSpec& module) {
    NIBBLE_TRY(const std::optional<std::string_view> plain, source_.plain_format(module));
    const std::string_view format = plain ? *plain : format_of(module, config_, skip_, kept_);
    const Purpose purpose = module.role == Role::linear ? Purpose::linear_weights : Purpose::embeddings;
    const ComputeOptions compute{compute_dtype_of(config_), config_.int8_threshold};
    NIBBLE_TRY(const std::optional<Weight> ready, source_.in_place(module, format, config_));
    const bool shared = backend_.shares_host_memory();
    if (ready) {
      if (shared) {
        mapped[int(purpose)] += ready->code_bytes;
        mapped[int(Purpose::scales)] += state_bytes(*ready);
      }
      return prepare(*ready, compute, purpose);
    }
    // A device with memory of its own gets a copy in prepare(); what was made for it on the host then goes.
    Allocator& memory = shared ? backend_.memory() : staging_;
    NIBBLE_TRY(
        QuantizedWeight held,
        allocate_quantized(memory, {format, config_.block_size, config_.double_quant && format_facts(format).bits == 4},
                           module.rows, module.cols, purpose, Purpose::scales));
    const auto start = std::chrono::steady_clock::now();
    if (format_facts(format).is_block()) {
      NIBBLE_CHECK(source_.copy_blocks(module, held.codes.as<std::byte>()));
    } else {
      NIBBLE_TRY(const ElementReader read, source_.reader(module));
      if (!source_.counts_only())
        if (auto done = quantize(read, held, *pool_); !done)
          return done.error().at(fmt::format("tensor \"{}\"", module.name));
    }
    times.converting += seconds_since(start);
    NIBBLE_TRY(std::unique_ptr<PreparedWeight> prepared, prepare(held.weight, compute, purpose));
    if (shared)
      for (Buffer* buffer : {&held.codes, &held.scales, &held.nested_codes, &held.nested_absmax})
        buffers.push_back(std::move(*buffer));
    return prepared;
  }

  Result<std::unique_ptr<PreparedWeight>> prepare(const Weight& weight, const ComputeOptions& compute,
                                                  Purpose purpose) {
    const auto start = std::chrono::steady_clock::now();
    auto prepared = backend_.prepare(weight, compute, purpose);
    times.packing += seconds_since(start);
    return prepared;
  }

  static std::uint64_t state_bytes(const Weight& w) {
    return w.nested.empty() ? w.scales.size_bytes() : w.nested.codes.size_bytes() + w.nested.absmax.size_bytes();
  }

  static std::size_t layer_of(const ModuleSpec& module) {
    return std::size_t(std::stoll(module.name.substr(std::string_view("model.layers.").size())));
  }
  static bool has(const ModuleSpec& module, std::string_view part) {
    return module.name.find(part) != std::string::npos;
  }

  std::span<const float>* norm_slot(const ModuleSpec& module, TransformerWeights& weights) {
    if (module.name == "model.norm.weight") return &weights.norm;
    LayerWeights& layer = weights.layers[layer_of(module)];
    if (has(module, "input_layernorm")) return &layer.input_norm;
    if (has(module, "post_attention_layernorm")) return &layer.post_attention_norm;
    return has(module, "q_norm") ? &layer.q_norm : &layer.k_norm;
  }

  WeightSource& source_;
  Backend& backend_;
  ThreadPool* pool_;
  const QuantizationConfig& config_;
  const SkipPatterns& skip_;
  DType kept_;
  HostAllocator staging_;
};

MemoryReport report_of(const MemoryUse& use, const std::array<std::uint64_t, purpose_count>& mapped) {
  const auto bytes = [&](Purpose purpose) { return use.now[int(purpose)] + mapped[int(purpose)]; };
  MemoryReport report;
  report.linear_weights = bytes(Purpose::linear_weights);
  report.quantization_state = bytes(Purpose::scales);
  report.embeddings_and_head = bytes(Purpose::embeddings);
  report.norms = bytes(Purpose::norms);
  report.buffers = bytes(Purpose::buffers);
  report.kv_cache = bytes(Purpose::kv_cache);
  report.activations = bytes(Purpose::activations) + bytes(Purpose::workspace);
  for (const std::uint64_t part : mapped) report.mapped += part;
  return report;
}

std::string readable(std::uint64_t bytes) {
  return bytes < 1000000000 ? fmt::format("{:.1f} MB", double(bytes) / 1e6)
                            : fmt::format("{:.2f} GB", double(bytes) / 1e9);
}

// A load that cannot fit is refused before it starts, with the settings that would fit.
Result<void> check_memory(const ModelConfig& model, const LoadOptions& options, const QuantizationConfig& precision,
                          DType kept, const Checkpoint& checkpoint) {
  const std::uint64_t limit = options.memory_limit ? options.memory_limit : available_memory();
  if (limit == 0) return {};
  constexpr std::int64_t small_context = 512;
  const auto need = [&](const QuantizationConfig& config) -> Result<std::uint64_t> {
    NIBBLE_TRY(const MemoryReport report, measure_load(model, config, kept, small_context, 1, options.pass_tokens));
    // Weights that are used where the file is mapped can be dropped and read again; they do not have to fit at once.
    const auto stored = resolve_precision({}, checkpoint);
    const bool in_place = stored && stored->format == config.format && !checkpoint.is_gguf();
    return report.total() - (in_place ? report.weights_total() : 0);
  };
  NIBBLE_TRY(const std::uint64_t needed, need(precision));
  if (needed <= limit) return {};
  std::string fitting;
  for (const QuantizationConfig& other : {QuantizationConfig(Precision::bf16), QuantizationConfig(Precision::int8),
                                          QuantizationConfig::nf4(), QuantizationConfig::nf4({.double_quant = true})}) {
    NIBBLE_TRY(const std::uint64_t bytes, need(other));
    if (bytes <= limit)
      fitting += fmt::format("{}{} ({})", fitting.empty() ? "" : ", ", other.label(), readable(bytes));
  }
  return error(Errc::out_of_memory, "{}: {} needs {} of its own memory and {} are free; {}", checkpoint.path().string(),
               precision.label(), readable(needed), readable(limit),
               fitting.empty() ? std::string("no precision of this model fits, a smaller model would")
                               : "these would fit: " + fitting);
}

// Everything about a model but its weights.
Result<std::shared_ptr<LoadedModel>> start_model(const QuantizationConfig& precision, const LoadOptions& options) {
  auto model = std::make_shared<LoadedModel>();
  model->precision = precision;
  NIBBLE_CHECK(precision.check());
  NIBBLE_CHECK(check_threads(options.threads));
  if (options.pass_tokens < 1 || options.pass_tokens > 65536)
    return error(Errc::bad_request, "a pass of {} tokens was asked for, expected 1 to 65536", options.pass_tokens);
  NIBBLE_TRY(model->backend, make_cpu_backend({.threads = options.threads, .target = options.cpu_target}));
  model->threads = options.threads > 0 ? options.threads : usable_cores();
  const Precision kv = options.kv_cache;
  if (kv != Precision::stored && kv != Precision::fp32 && kv != Precision::bf16 && kv != Precision::fp16)
    return error(Errc::bad_request, "the KV cache can be fp32, bf16 or fp16, not {}", name_of(kv));
  model->kv_dtype = kv == Precision::stored ? kv_dtype_of(precision) : dtype_of(kv);
  return model;
}

// Some errors know their tensor alone.
Error placed(const Error& problem, const Checkpoint& checkpoint) {
  const std::string path = checkpoint.path().string();
  return problem.message.starts_with(path) ? problem : problem.at(path);
}

Result<void> fill_model(LoadedModel& model, WeightSource& source, ModelConfig config, const LoadOptions& options,
                        DType kept) {
  NIBBLE_TRY(const SkipPatterns skip, SkipPatterns::compile(model.precision.skip));
  ThreadPool pool(model.threads);
  Loader loader(source, *model.backend, &pool, model.precision, skip, kept);
  auto loaded = loader.load(config, options.progress);
  if (!loaded) return model.checkpoint ? placed(loaded.error(), *model.checkpoint) : loaded.error();
  TransformerWeights weights = std::move(loaded).value();
  for (Buffer& buffer : loader.buffers) model.buffers.push_back(std::move(buffer));
  model.mapped = loader.mapped;
  model.times.converting = loader.times.converting, model.times.packing = loader.times.packing;
  NIBBLE_TRY(model.transformer, Transformer::create(std::move(config), source.rope_factors(), *model.backend,
                                                    std::move(weights), options.pass_tokens));
  return {};
}

// llama.cpp computes with every tensor of a file, so one that has no place here would change the output.
Result<void> check_all_claimed(const Checkpoint& checkpoint, const ModelConfig& config) {
  if (!checkpoint.is_gguf()) return {};
  std::set<std::string_view> claimed = {"rope_freqs.weight"};
  const std::vector<ModuleSpec> modules = list_modules(config);
  for (const ModuleSpec& module : modules) claimed.insert(module.name);
  for (const CheckpointTensor& tensor : checkpoint.tensors())
    if (!claimed.contains(tensor.name))
      return error(Errc::unsupported, "{}: tensor \"{}\" has no place in {}; the file is of another kind of model",
                   checkpoint.path().string(), tensor.name, config.architecture);
  return {};
}

}  // namespace

MemoryReport LoadedModel::memory() const { return report_of(backend->memory().use(), mapped); }

Result<void> check_threads(int threads) {
  if (threads >= 0 && threads <= 1024) return {};
  return error(Errc::bad_request, "{} threads were asked for, expected 1 to 1024, or 0 for every core", threads);
}

std::string LoadedModel::held_as() const {
  const std::string_view format = transformer->weights().layers[0].q.weight->canonical().format;
  return format_facts(format).is_block() ? std::string(format) : precision.label();
}

std::string LoadedModel::converted_from() const {
  const CheckpointTensor* linear = checkpoint ? checkpoint->find("model.layers.0.self_attn.q_proj.weight") : nullptr;
  return linear && !linear->dtype && linear->type != held_as() ? linear->type : std::string();
}

Result<std::shared_ptr<LoadedModel>> load_model(const std::filesystem::path& path, const LoadOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  NIBBLE_TRY(auto checkpoint, Checkpoint::open(path));
  NIBBLE_TRY(ModelConfig config, read_model_config(checkpoint->config(), path.string(), options.ignore_config));
  NIBBLE_CHECK(check_all_claimed(*checkpoint, config));
  const double opening = seconds_since(start);
  NIBBLE_TRY(const QuantizationConfig precision, resolve_precision(options.precision, *checkpoint));
  const DType kept = kept_dtype(*checkpoint);
  NIBBLE_CHECK(check_memory(config, options, precision, kept, *checkpoint));
  NIBBLE_TRY(auto model, start_model(precision, options));
  model->checkpoint = std::move(checkpoint);
  const auto source = checkpoint_source(*model->checkpoint, model->backend->memory(), model->buffers,
                                        options.precision.format == Precision::stored);
  NIBBLE_CHECK(fill_model(*model, *source, std::move(config), options, kept));
  model->load_seconds = seconds_since(start), model->times.opening = opening;
  return model;
}

Result<std::shared_ptr<LoadedModel>> load_random_model(const ModelConfig& config, const LoadOptions& options,
                                                       std::uint64_t seed, double outliers) {
  const auto start = std::chrono::steady_clock::now();
  QuantizationConfig precision = options.precision;
  if (precision.format == Precision::stored)
    precision.format = config.dtype == DType::f32   ? Precision::fp32
                       : config.dtype == DType::f16 ? Precision::fp16
                                                    : Precision::bf16;
  NIBBLE_TRY(auto model, start_model(precision, options));
  const auto source = random_source(config, seed, outliers);
  NIBBLE_CHECK(fill_model(*model, *source, config, options, config.dtype));
  model->load_seconds = seconds_since(start);
  return model;
}

Result<MemoryReport> measure_load(const ModelConfig& config, const QuantizationConfig& precision, DType stored,
                                  std::int64_t context, std::int64_t batch, std::int64_t pass_tokens) {
  NIBBLE_TRY(const SkipPatterns skip, SkipPatterns::compile(precision.skip));
  CountingBackend backend;
  const auto source = counting_source();
  Loader loader(*source, backend, nullptr, precision, skip, stored);
  NIBBLE_TRY(TransformerWeights weights, loader.load(config, {}));
  NIBBLE_TRY(const auto transformer, Transformer::create(config, {}, backend, std::move(weights), pass_tokens));
  const DType kv = kv_dtype_of(precision);
  std::vector<KvCache> caches;
  for (std::int64_t i = 0; i < batch; ++i) {
    NIBBLE_TRY(KvCache cache, KvCache::create(config, backend.memory(), kv, context));
    caches.push_back(std::move(cache));
  }
  return report_of(backend.memory().use(), {});
}

}  // namespace nibble
