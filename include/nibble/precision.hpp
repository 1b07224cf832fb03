// How a model's weights are held and how products are rounded. Equivalent of transformers' torch_dtype and
// BitsAndBytesConfig.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "nibble/result.hpp"

namespace nibble {

// stored: as the checkpoint has it. The others name the format of the linear layers' weights:
// fp32, fp16, bf16: plain. int8: LLM.int8 (arXiv 2208.07339), one absmax per row.
// nf4, fp4: four-bit codes, one absmax per block (QLoRA, arXiv 2305.14314).
enum class Precision { stored, fp32, fp16, bf16, int8, nf4, fp4 };
using enum Precision;

std::string_view name_of(Precision precision);             // "nf4"
Result<Precision> parse_precision(std::string_view name);  // bad_request: lists the known names

struct FourBitOptions {
  Precision compute_dtype =
      bf16;                   // fp32, bf16 or fp16: what activations and decoded weights are rounded to in a product
  bool double_quant = false;  // the absmax values are themselves quantized to 8 bits, in blocks of 256
  int block_size = 64;        // weights per absmax: 32 to 4096, a power of two
  std::vector<std::string> skip = {};  // see QuantizationConfig::skip
};

struct Int8Options {
  float threshold = 6.0f;  // columns with an |activation| at or above it are multiplied in 16 bits; 0 turns this off
  Precision compute_dtype = bf16;  // of the outlier columns
  std::vector<std::string> skip = {};
};

// The precision of one loaded model. Embeddings, norms and lm_head stay as stored in every quantized precision, as in
// transformers.
struct QuantizationConfig {
  Precision format = stored;
  Precision compute_dtype = stored;  // stored: fp32 for fp32, fp16 for fp16, else bf16
  bool double_quant = false;
  int block_size = 64;
  float int8_threshold = 6.0f;
  // Regular expressions (PCRE); a linear layer whose module name ("model.layers.0.mlp.up_proj") contains a match is not
  // quantized.
  std::vector<std::string> skip = {};

  QuantizationConfig() = default;
  QuantizationConfig(Precision precision) : format(precision) {}  // implicit: {.precision = fp32}
  static QuantizationConfig nf4(FourBitOptions options = {});
  static QuantizationConfig fp4(FourBitOptions options = {});
  static QuantizationConfig int8(Int8Options options = {});

  bool quantized() const { return format == Precision::int8 || format == Precision::nf4 || format == Precision::fp4; }
  // "nf4", "nf4 double-quant", "nf4 block 128": what tables show.
  std::string label() const;
  // bad_request if a field is out of range.
  Result<void> check() const;
};

}  // namespace nibble
