// `quantization_config` of config.json, as transformers writes it for bitsandbytes checkpoints, and as Nibble writes it
// for formats that bitsandbytes lacks (docs/formats/nibble-layout.md). It says which method
// was used and which modules were left alone; block size and element type are facts of each tensor and stored beside
// it. Source: BitsAndBytesConfig of transformers 5.17 (docs/formats/bitsandbytes-layout.md).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "io/json.hpp"
#include "tensor/dtype.hpp"

namespace nibble {

struct BnbConfig {
  int bits = 4;                    // 4 or 8: load_in_4bit, load_in_8bit
  std::string quant_type = "fp4";  // 4 bits: see table_format() in bnb_quant_state.hpp
  bool own = false;                // "nibble", not "bitsandbytes": of a format that bitsandbytes lacks; 4 bits
  bool double_quant = false;
  DType compute_dtype = DType::f32;
  DType quant_storage = DType::u8;                       // dtype under which 4-bit codes are stored
  double threshold = 6.0;                                // 8 bits: outlier threshold for activations
  std::optional<std::vector<std::string>> skip_modules;  // modules left unquantized; absent: the library's own choice
  bool fp32_cpu_offload = false;

  // The format name of formats/all.hpp that quantized modules have; empty: there is no such format.
  std::string_view format() const;
};

// `quantization_config` is the value of that key in config.json. Another method (gptq, awq, fp8, ...) is refused by its
// name, and so is a key that is not known: it may change what the bytes mean.
Result<BnbConfig> parse_bnb_config(const Json& quantization_config);

// "bfloat16", as bnb_4bit_quant_storage has it. Errors: unsupported.
Result<DType> parse_quant_storage(std::string_view name);

// All keys that transformers writes; of Nibble's own layout, all that Nibble reads.
Json to_json(const BnbConfig& config);

}  // namespace nibble
