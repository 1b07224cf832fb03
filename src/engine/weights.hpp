// Where the weights of a model come from: a checkpoint, a seed, or nowhere, to be counted.
#pragma once

#include "engine/placement.hpp"
#include "models/config.hpp"
#include "ops/backend.hpp"
#include "ops/quantization.hpp"

namespace nibble {

// A module as it is stored, and the ways to get at it; good while its source lives.
struct StoredWeight {
  std::string_view format;         // of a matrix, a name in formats/all.hpp; empty: a type that can only be decoded
  std::optional<Weight> in_place;  // where it lies, if kernels can use it there
  ElementReader read;              // its elements as fp32
  std::function<void(std::byte*)> copy_blocks;  // of a block format: the blocks, rows in the model's order
};

class WeightSource {
 public:
  virtual ~WeightSource() = default;
  virtual Result<StoredWeight> stored(const ModuleSpec& module) = 0;
  // Divisors of the rope frequencies, if the file has some.
  virtual std::vector<double> rope_divisors() const { return {}; }
};

// Whether the weight is what quantizing to this would make: the format, and the same kind of scales.
bool is_quantized_so(const Weight& weight, std::string_view format, const QuantizationConfig& config);

// `copies` keeps what could not stay mapped.
std::unique_ptr<WeightSource> checkpoint_source(const Checkpoint& checkpoint, Allocator& memory,
                                                std::vector<Buffer>& copies);
std::unique_ptr<WeightSource> random_source(std::uint64_t seed, double outliers);
// Of nothing but a config: weights lie in a file in this dense type, and are never read.
std::unique_ptr<WeightSource> counting_source(DType dtype);

// How a matrix lies in a file that is only imagined: a name in formats/all.hpp, without scales beside it, and whether
// kernels could use it there.
struct CountedForm {
  std::string_view format;
  bool in_place = true;
};
using CountedForms = std::function<Result<CountedForm>(const ModuleSpec& matrix)>;
std::unique_ptr<WeightSource> counting_source(CountedForms forms);

// Checks name and shape of a checkpoint's tensor against the module; the error names both.
Result<const CheckpointTensor*> find_tensor(const Checkpoint& checkpoint, const ModuleSpec& module);

}  // namespace nibble
