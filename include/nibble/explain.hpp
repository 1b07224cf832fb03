// Which product each layer of a model is multiplied by, and why no better one was taken.
//
// Threads: any number.
// Implemented in src/measure/explain.cpp.
#pragma once

#include "nibble/model.hpp"

namespace nibble {

struct ExplainOptions {
  QuantizationConfig precision = {};    // stored: as the file has it; a bare shape has nothing stored
  std::vector<std::int64_t> rows = {};  // of activations: 1 is generating, many are a prompt; empty: any number
  int threads = 0;
  std::string device_map = automatic;  // one of devices(), or automatic
  std::string cpu_target = {};
  std::vector<std::string> ignore_config = {};
};

// A product that is better where it can be taken.
struct RefusedProduct {
  std::string product, why;
};

// What is taken for so many rows of activations.
struct ExplainedRows {
  std::int64_t from = 1, to = 0;                  // to: 0 for all from there on
  std::string product, layout, instruction, how;  // layout: of activations; how: it goes about so many rows
  std::vector<RefusedProduct> refused;            // best first
};

// Weights that are alike.
struct ExplainedWeights {
  std::vector<std::string> parts;  // "q_proj"; none for a bare shape
  std::int64_t count = 1, rows = 0, cols = 0;
  std::string format;  // "bf16", "Q4_K"
  std::vector<ExplainedRows> choices;
};

struct Explanation {
  std::string precision;                  // "as stored", "nf4 double-quant"
  std::string compute;                    // what products round to, where a format leaves a choice
  std::string device;                     // "cpu avx512_vnni_bf16"
  std::vector<ExplainedWeights> weights;  // in the order of a forward pass
};

// A folder, a config.json alone, or a .gguf file; no weight is read. Errors: those of opening it; bad_request for rows
// below 1.
Result<Explanation> explain_model(const std::filesystem::path& model, const ExplainOptions& options = {});
// One weight of this shape. bad_request without a precision.
Result<Explanation> explain_shape(std::int64_t rows, std::int64_t cols, const ExplainOptions& options);

}  // namespace nibble
