#include "engine/held_differently.hpp"

#include "engine/weights.hpp"

namespace nibble {

Result<HeldDifferently> HeldDifferently::create(LoadedModel& model, const ModuleSpec& module,
                                                const QuantizationConfig& precision, ThreadPool& pool) {
  HeldDifferently out;
  out.memory_ = host_memory();
  NIBBLE_TRY(out.held_,
             allocate_quantized(*out.memory_, {name_of(precision.format), precision.block_size, precision.double_quant},
                                module.rows, module.cols, Purpose::linear_weights, Purpose::scales));
  std::vector<Buffer> copies;
  const auto source = checkpoint_source(*model.checkpoint, *out.memory_, copies, true);
  NIBBLE_TRY(const ElementReader read, source->reader(module));
  if (auto done = quantize(read, out.held_, pool); !done)
    return done.error().at(fmt::format("{}: tensor \"{}\"", model.checkpoint->path().string(), module.name));
  const ComputeOptions compute{compute_dtype_of(precision), precision.int8_threshold};
  NIBBLE_TRY(std::unique_ptr<PreparedWeight> prepared,
             model.backend->prepare(out.held_.weight, compute, Purpose::linear_weights));
  out.slot_ = &model.transformer->weights().linear(module);
  out.before_ = std::exchange(out.slot_->weight, std::move(prepared));
  return out;
}

HeldDifferently::~HeldDifferently() {
  if (before_) slot_->weight = std::move(before_);
}

std::uint64_t HeldDifferently::bytes() const { return held_.weight.bytes(); }

}  // namespace nibble
