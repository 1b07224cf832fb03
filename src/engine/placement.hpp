// Which module is held how: the one decision that the loader, the estimate and the writer share.
#pragma once

#include <memory>

#include "models/checkpoint.hpp"
#include "models/modules.hpp"
#include "nibble/precision.hpp"

namespace nibble {

DType dtype_of(Precision precision);  // of fp32, fp16, bf16
Precision precision_of(DType dense);  // of f32, f16, bf16

// What rounds products, once "stored" is resolved against the precision and the checkpoint.
DType compute_dtype_of(const QuantizationConfig& config);

// How keys and values are stored unless the caller chooses: as precisely as products are rounded, no more.
inline DType kv_dtype_of(const QuantizationConfig& config) { return compute_dtype_of(config); }

// Module patterns, compiled once.
class SkipPatterns {
 public:
  static Result<SkipPatterns> compile(const std::vector<std::string>& patterns);
  bool matches(const std::string& module) const;
  SkipPatterns();
  SkipPatterns(SkipPatterns&&) noexcept;
  SkipPatterns& operator=(SkipPatterns&&) noexcept;
  ~SkipPatterns();

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

// Every pattern of a quantized precision finds a module, if only the head or the embedding, which are never quantized:
// bad_request names the one that does not, and what there is.
Result<void> check_skip(const QuantizationConfig& config, const std::vector<ModuleSpec>& modules);

// The format that a module's weight gets: a name in formats/all.hpp.
// Linear layers follow the precision; embeddings and head follow it only if it is a plain one, else they get
// `unquantized_dtype`.
std::string_view format_of(const ModuleSpec& module, const QuantizationConfig& config, const SkipPatterns& skip,
                           DType unquantized_dtype);

// What embeddings and skipped layers of this checkpoint are stored in: its own plain type, bf16 for blocks of GGUF.
DType unquantized_dtype_of(const Checkpoint& checkpoint);

// The precision with "stored" replaced by what the checkpoint is: its quantization_config, or its plain type; blocks of
// GGUF are named by file_type. bad_request for a type that only files have.
Result<QuantizationConfig> resolve_precision(const QuantizationConfig& wanted, const Checkpoint& checkpoint);

// Of a resolved precision: whether holding the weights in another one but fp32 rounds them a second time.
inline bool is_quantized(const QuantizationConfig& stored) { return stored.quantized() || !stored.file_type.empty(); }

}  // namespace nibble
