#include "nibble/precision.hpp"

#include "base/error.hpp"

namespace nibble {
namespace {

bool plain(Precision precision) {
  return precision != Precision::stored && facts_of(precision).kind == FormatKind::dense;
}

}  // namespace

QuantizationConfig QuantizationConfig::four_bit(Precision precision, FourBitOptions options) {
  QuantizationConfig config(precision);
  config.compute_dtype = options.compute_dtype;
  config.double_quant = options.double_quant;
  config.block_size = options.block_size;
  config.skip = std::move(options.skip);
  return config;
}

QuantizationConfig QuantizationConfig::nf4(FourBitOptions options) {
  return four_bit(Precision::nf4, std::move(options));
}
QuantizationConfig QuantizationConfig::fp4(FourBitOptions options) {
  return four_bit(Precision::fp4, std::move(options));
}

QuantizationConfig QuantizationConfig::int8(Int8Options options) {
  QuantizationConfig config(Precision::int8);
  config.int8_threshold = options.threshold;
  config.compute_dtype = options.compute_dtype;
  config.skip = std::move(options.skip);
  return config;
}

std::string QuantizationConfig::label() const {
  if (!file_type.empty()) return file_type;
  std::string label(name_of(format));
  if (four_bits() && double_quant) label += " double-quant";
  if (four_bits() && block_size != 64) label += fmt::format(" block {}", block_size);
  if (format == Precision::int8 && int8_threshold != 6.0f) label += fmt::format(" threshold {:g}", int8_threshold);
  return label;
}

Result<void> QuantizationConfig::check() const {
  if (compute_dtype != Precision::stored && !plain(compute_dtype))
    return error(Errc::bad_request, "compute dtype {} is not possible; choose {}", name_of(compute_dtype),
                 names_of(precisions({FormatKind::dense}), " or "));
  if (block_size < 32 || block_size > 4096 || (block_size & (block_size - 1)) != 0)
    return error(Errc::bad_request, "block size {} is not possible; choose a power of two from 32 to 4096", block_size);
  if (double_quant && !four_bits())
    return error(Errc::bad_request, "double quantization is for {}, not {}",
                 names_of(precisions({FormatKind::table}), " and "), name_of(format));
  if (!(int8_threshold >= 0))
    return error(Errc::bad_request, "the int8 threshold is {}, expected 0 (off) or more", int8_threshold);
  return {};
}

}  // namespace nibble
