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
  NIBBLE_TRY(const ElementReader read, source_.reader(module));
  if (!backend_.memory().counts_only()) {
    std::vector<float> values(std::size_t(module.rows));
    read(0, module.rows, values.data());
    backend_.upload(values.data(), buffer.data(), values.size() * sizeof(float));
  }
  buffers.push_back(std::move(buffer));
  return std::span<const float>(buffers.back().as<float>(), std::size_t(module.rows));
}

Result<std::unique_ptr<PreparedWeight>> Loader::load_matrix(const ModuleSpec& module) {
  NIBBLE_TRY(const std::optional<std::string_view> plain, source_.plain_format(module));
  const std::string_view format = plain ? *plain : format_of(module, config_, skip_, kept_);
  const Purpose purpose = module.role == Role::linear ? Purpose::linear_weights : Purpose::embeddings;
  const ComputeOptions compute{compute_dtype_of(config_), config_.int8_threshold};
  NIBBLE_TRY(const std::optional<Weight> ready, source_.in_place(module, format, config_));
  const bool shared = backend_.shares_host_memory();
  if (ready) {
    if (shared) {
      mapped[int(purpose)] += ready->code_bytes;
      mapped[int(Purpose::scales)] += ready->state_bytes();
    }
    return prepare(*ready, compute, purpose);
  }
  // A device with memory of its own gets a copy in prepare(); what was made for it on the host then goes.
  Allocator& memory = shared ? backend_.memory() : staging_;
  NIBBLE_TRY(
      QuantizedWeight held,
      allocate_quantized(memory, {format, config_.block_size, config_.double_quant && format_facts(format).bits == 4},
                         module.rows, module.cols, purpose, Purpose::scales));
  const double start = now_seconds();
  if (format_facts(format).is_block()) {
    if (!memory.counts_only()) NIBBLE_CHECK(source_.copy_blocks(module, held.codes.as<std::byte>()));
  } else {
    NIBBLE_TRY(const ElementReader read, source_.reader(module));
    const Result<void> done = memory.counts_only() ? rehearse_quantize(held, threads_) : quantize(read, held, *pool_);
    if (!done) return done.error().at(fmt::format("tensor \"{}\"", module.name));
  }
  times.converting += now_seconds() - start;
  NIBBLE_TRY(std::unique_ptr<PreparedWeight> prepared, prepare(held.weight, compute, purpose));
  if (shared)
    for (Buffer* buffer : {&held.codes, &held.scales, &held.nested_codes, &held.nested_absmax})
      buffers.push_back(std::move(*buffer));
  return prepared;
}

Result<std::unique_ptr<PreparedWeight>> Loader::prepare(const Weight& weight, const ComputeOptions& compute,
                                                        Purpose purpose) {
  const double start = now_seconds();
  auto prepared = backend_.prepare(weight, compute, purpose);
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
