// What `estimate` says about precisions: their names, what fits, what to choose and what to type.
#pragma once

#include "common.hpp"
#include "nibble/advise.hpp"

namespace nibble::cli {

// "bf16", "nf4"; "stored" for files that only have a name of their own; "q4_k_m".
std::string precision_key(const QuantizationConfig& precision, bool stored);
// The label of a row, marked where weights would be rounded a second time.
std::string row_name(const QuantizationConfig& precision, bool requantizes);
inline constexpr const char* requantizes_legend =
    "~ the files are quantized: their weights would be rounded a second time, and that error adds to the first";

// `asked`: the memory was named; `runs`: Nibble can run the model.
void print_advice(const Advice& advice, bool asked, bool runs);
Json to_json(const Advice& advice);

}  // namespace nibble::cli
