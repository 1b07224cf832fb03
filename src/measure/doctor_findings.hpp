// What measurements mean in words, and the command that follows.
#pragma once

#include "nibble/doctor.hpp"

namespace nibble {

// A path as a shell reads it back.
std::string shell_word(const std::string& text);

// What a copy's name begins with: the model's own, without the end of a file.
std::string copy_stem(const std::filesystem::path& model);
// The name of a new folder for a copy of this model, in the current one: "gutenberg-16m-nf4".
std::string copy_name(const std::filesystem::path& model, const QuantizationConfig& precision);
// "--to nf4 --double-quant --skip '...'": the options of `quantize` that ask for this precision; `run` takes them as
// --precision.
std::string precision_words(const QuantizationConfig& precision, std::string_view option);

// fp16 turns something of this model into infinity.
bool fp16_overflows(const RangeReport& report);
// How many times the largest value fits below fp16's largest; 0 if it does not.
double fp16_headroom(const RangeReport& report);
// Another text may well reach a few times what a sample of some hundred tokens shows.
inline constexpr double enough_headroom = 16;

std::vector<Finding> range_findings(const RangeReport& report, const std::filesystem::path& model);
std::vector<Finding> quality_findings(const QualityReport& report, const std::filesystem::path& model);
std::vector<Finding> loading_findings(const LoadingReport& report, const std::filesystem::path& model);

}  // namespace nibble
