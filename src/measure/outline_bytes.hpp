// Bytes of models that cannot be rehearsed, by the arithmetic of the formats.
#pragma once

#include "engine/packed_weights.hpp"
#include "models/outline.hpp"
#include "nibble/estimate.hpp"

namespace nibble {

// Weights in this precision, with caches, activations and tables as a Llama of these sizes has them. Of a precision
// that only files have (file_type), weights in the types of ggml that `quantize` would give them.
Result<MemoryReport> count_outline(const Outline& outline, const QuantizationConfig& precision, DType unquantized_dtype,
                                   const EstimateOptions& options);

// Layers times the tokens of one sequence that they keep: a layer with a window keeps no more than that.
std::uint64_t cached_tokens(const Outline& outline, std::int64_t context);

// Puts packed weights into `report` in place of the linear layers: as the headers have them, else by `packed`.
void count_packed(const std::vector<ModuleSpec>& modules, const PackedWeights& packed, DType unquantized_dtype,
                  MemoryReport& report);
void count_headers(const Checkpoint& checkpoint, MemoryReport& report);

}  // namespace nibble
