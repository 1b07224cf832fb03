#include "measure/doctor_findings.hpp"

#include <fmt/format.h>

namespace nibble {

std::string shell_word(const std::string& text) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+:,@%=";
  if (!text.empty() && text.find_first_not_of(plain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string copy_stem(const std::filesystem::path& model) {
  std::error_code ignored;
  std::filesystem::path name = std::filesystem::weakly_canonical(model, ignored).filename();
  if (name.extension() == ".gguf" || name.extension() == ".json") name = name.stem();
  return name.empty() ? "model" : name.string();
}

std::string copy_name(const std::filesystem::path& model, const QuantizationConfig& precision) {
  return fmt::format("{}-{}{}", copy_stem(model), name_of(precision.format), precision.double_quant ? "-dq" : "");
}

std::string precision_words(const QuantizationConfig& precision, std::string_view option) {
  std::string words = fmt::format("{} {}", option, name_of(precision.format));
  if (precision.double_quant) words += " --double-quant";
  if (precision.compute_dtype != Precision::stored && precision.compute_dtype != Precision::bf16)
    words += fmt::format(" --compute-dtype {}", name_of(precision.compute_dtype));
  if (precision.block_size != 64) words += fmt::format(" --block-size {}", precision.block_size);
  if (precision.format == Precision::int8 && precision.int8_threshold != 6.0f)
    words += fmt::format(" --int8-threshold {:g}", precision.int8_threshold);
  for (const std::string& pattern : precision.skip) words += " --skip " + shell_word(pattern);
  return words;
}

}  // namespace nibble
