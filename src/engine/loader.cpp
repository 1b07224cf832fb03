#include "engine/loader.hpp"

#include "base/clock.hpp"
#include "formats/all.hpp"

namespace nibble {

Result<TransformerWeights> Loader::load(const ModelConfig& model, const std::function<void(double)>& progress) {
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

Result<void> Loader::place(const ModuleSpec& module, TransformerWeights& weights) {
  switch (module.role) {
    case Role::norm: {
      NIBBLE_TRY(weights.gain(module), load_vector(module));
      return {};
    }
    case Role::bias: {
      NIBBLE_TRY(const std::span<const float> values, load_vector(module));
      weights.linear(module).bias = values.data();
      return {};
    }
    case Role::embedding: {
      NIBBLE_TRY(weights.embedding, load_matrix(module));
      return {};
    }
    case Role::head: {
      NIBBLE_TRY(weights.head, load_matrix(module));
      return {};
    }
    default: {
      NIBBLE_TRY(weights.linear(module).weight, load_matrix(module));
      return {};
    }
  }
}

Result<std::span<const float>> Loader::load_vector(const ModuleSpec& module) {
  NIBBLE_TRY(Buffer buffer, Buffer::take(backend_.memory(), std::size_t(module.rows) * sizeof(float), Purpose::norms));
  NIBBLE_TRY(const StoredWeight stored, source_.stored(module));
  if (!backend_.memory().counts_only()) {
    std::vector<float> values(std::size_t(module.rows));
    stored.read(0, module.rows, values.data());
    backend_.upload(values.data(), buffer.data(), values.size() * sizeof(float));
  }
  buffers.push_back(std::move(buffer));
  return std::span<const float>(buffers.back().as<float>(), std::size_t(module.rows));
}

Result<std::unique_ptr<PreparedWeight>> Loader::load_matrix(const ModuleSpec& module) {
  NIBBLE_TRY(const StoredWeight stored, source_.stored(module));
  const bool unconverted = as_stored_ && !stored.format.empty();
  const std::string_view format = unconverted ? stored.format : format_of(module, config_, skip_, unquantized_dtype_);
  const Purpose purpose = module.role == Role::linear ? Purpose::linear_weights : Purpose::embeddings;
  if (stored.in_place && (unconverted || is_quantized_so(*stored.in_place, format, config_)))
    return use_in_place(*stored.in_place, purpose);
  const bool was_dense = !stored.format.empty() && format_facts(stored.format).kind == FormatKind::dense;
  rounds_again = rounds_again || (!as_stored_ && !was_dense && format != name_of(Precision::fp32));
  return convert(module, stored, format, purpose);
}

Result<std::unique_ptr<PreparedWeight>> Loader::use_in_place(const Weight& weight, Purpose purpose) {
  if (backend_.shares_host_memory()) {
    mapped[int(purpose)] += weight.code_bytes;
    mapped[int(Purpose::scales)] += weight.state_bytes();
  }
  return prepare(weight, purpose);
}

Result<std::unique_ptr<PreparedWeight>> Loader::convert(const ModuleSpec& module, const StoredWeight& stored,
                                                        std::string_view format, Purpose purpose) {
  // A device with memory of its own gets a copy in prepare(); what was made for it on the host then goes.
  const bool shared = backend_.shares_host_memory();
  Allocator& memory = shared ? backend_.memory() : staging_;
  NIBBLE_TRY(
      QuantizedWeight made,
      allocate_quantized(memory, {format, config_.block_size, config_.double_quant && format_facts(format).bits == 4},
                         module.rows, module.cols, purpose, Purpose::scales));
  const double start = now_seconds();
  if (format_facts(format).is_block()) {
    if (!memory.counts_only()) stored.copy_blocks(made.codes.as<std::byte>());
  } else {
    const Result<void> done =
        memory.counts_only() ? rehearse_quantize(made, threads_) : quantize(stored.read, made, *pool_);
    if (!done) return done.error().at(fmt::format("tensor \"{}\"", module.name));
  }
  times.converting += now_seconds() - start;
  NIBBLE_TRY(std::unique_ptr<PreparedWeight> prepared, prepare(made.weight, purpose));
  if (shared)
    for (Buffer* buffer : {&made.codes, &made.scales, &made.nested_codes, &made.nested_absmax})
      buffers.push_back(std::move(*buffer));
  return prepared;
}

Result<std::unique_ptr<PreparedWeight>> Loader::prepare(const Weight& weight, Purpose purpose) {
  const double start = now_seconds();
  auto prepared = backend_.prepare(weight, {compute_dtype_of(config_), config_.int8_threshold}, purpose);
  times.packing += now_seconds() - start;
  return prepared;
}

MemoryReport report_of(const BytesByPurpose& own, const BytesByPurpose& mapped, int device) {
  MemoryReport report;
  for (std::size_t i = 0; i < purpose_count; ++i) {
    report.at(Purpose(i), device) += own[i] + mapped[i];
    report.mapped += mapped[i];
  }
  return report;
}

}  // namespace nibble
