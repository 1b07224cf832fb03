#include "engine/trial_precision.hpp"

#include "engine/weights.hpp"

namespace nibble {

Result<TrialPrecision> TrialPrecision::create(LoadedModel& model, const ModuleSpec& module,
                                              const QuantizationConfig& precision, ThreadPool& pool) {
  TrialPrecision out;
  out.memory_ = host_memory();
  NIBBLE_TRY(out.weight_,
             allocate_quantized(*out.memory_, {name_of(precision.format), precision.block_size, precision.double_quant},
                                module.rows, module.cols, Purpose::linear_weights, Purpose::scales));
  std::vector<Buffer> copies;
  const auto source = checkpoint_source(*model.checkpoint, *out.memory_, copies);
  NIBBLE_TRY(const StoredWeight stored, source->stored(module));
  if (auto done = quantize(stored.read, out.weight_, pool); !done)
    return done.error().at(fmt::format("{}: tensor \"{}\"", model.checkpoint->path().string(), module.name));
  const ComputeOptions compute{compute_dtype_of(precision), precision.int8_threshold};
  NIBBLE_TRY(std::unique_ptr<PreparedWeight> prepared,
             model.backend->prepare(out.weight_.weight, compute, Purpose::linear_weights));
  out.slot_ = &model.transformer->weights().linear(module);
  out.original_ = std::exchange(out.slot_->weight, std::move(prepared));
  return out;
}

TrialPrecision::~TrialPrecision() {
  if (original_) slot_->weight = std::move(original_);
}

std::uint64_t TrialPrecision::bytes() const { return weight_.weight.bytes(); }

}  // namespace nibble
