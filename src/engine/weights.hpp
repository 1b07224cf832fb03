// One weight at a time: found in the checkpoint (or counted, or drawn at random), checked, and held in its format.
#pragma once

#include <array>

#include "engine/placement.hpp"
#include "models/config.hpp"
#include "ops/backend.hpp"
#include "ops/quantization.hpp"

namespace nibble {

// Where elements of a module come from.
class WeightSource {
 public:
  virtual ~WeightSource() = default;
  // The weight where it lies, if it lies in `format` already (with the same scales); nullopt: it must be converted.
  virtual Result<std::optional<Weight>> in_place(const ModuleSpec& module, std::string_view format,
                                                 const QuantizationConfig& config) = 0;
  // Where a module is to be used as it is stored: its plain type, or a block format that kernels compute with, also if
  // it cannot be used in place. Else nullopt.
  virtual Result<std::optional<std::string_view>> plain_format(const ModuleSpec&) {
    return std::optional<std::string_view>();
  }
  // Of a block format that is not in place: its blocks, rows in order, into code_bytes of memory.
  virtual Result<void> copy_blocks(const ModuleSpec&, std::byte*) { return {}; }
  // For converting: elements as fp32.
  virtual Result<ElementReader> reader(const ModuleSpec& module) = 0;
  // Divisors of the rope frequencies, if the file has some.
  virtual std::vector<double> rope_factors() const { return {}; }
};

// as_stored: whatever the checkpoint holds is used as it is. `copies` keeps what could not stay mapped.
std::unique_ptr<WeightSource> checkpoint_source(const Checkpoint& checkpoint, Allocator& memory,
                                                std::vector<Buffer>& copies, bool as_stored);
std::unique_ptr<WeightSource> random_source(const ModelConfig& config, std::uint64_t seed, double outliers);
// Of nothing but a config: weights lie in a file in this plain type, and are never read.
std::unique_ptr<WeightSource> counting_source(DType stored);

// Checks name and shape of a checkpoint's tensor against the module; the error names both.
Result<const CheckpointTensor*> find_tensor(const Checkpoint& checkpoint, const ModuleSpec& module);

}  // namespace nibble
