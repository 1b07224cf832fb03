#include "nibble/precision.hpp"

#include "base/error.hpp"

namespace nibble {
namespace {

constexpr Precision all[] = {Precision::stored, Precision::fp32, Precision::fp16, Precision::bf16,
                             Precision::int8,   Precision::nf4,  Precision::fp4};
constexpr std::string_view names[] = {"stored", "fp32", "fp16", "bf16", "int8", "nf4", "fp4"};

bool plain(Precision precision) {
  return precision == Precision::fp32 || precision == Precision::fp16 || precision == Precision::bf16;
}

QuantizationConfig four_bit(Precision format, FourBitOptions options) {
  QuantizationConfig config(format);
  config.compute_dtype = options.compute_dtype, config.double_quant = options.double_quant,
  config.block_size = options.block_size;
  config.skip = std::move(options.skip);
  return config;
}

}  // namespace

std::string_view name_of(Precision precision) { return names[int(precision)]; }

Result<Precision> parse_precision(std::string_view name) {
  for (const Precision precision : all)
    if (name_of(precision) == name) return precision;
  return error(Errc::bad_request, "precision \"{}\" is not known; choose fp32, fp16, bf16, int8, nf4, fp4 or stored",
               name);
}

QuantizationConfig QuantizationConfig::nf4(FourBitOptions options) {
  return four_bit(Precision::nf4, std::move(options));
}
QuantizationConfig QuantizationConfig::fp4(FourBitOptions options) {
  return four_bit(Precision::fp4, std::move(options));
}

QuantizationConfig QuantizationConfig::int8(Int8Options options) {
  QuantizationConfig config(Precision::int8);
  config.int8_threshold = options.threshold, config.compute_dtype = options.compute_dtype,
  config.skip = std::move(options.skip);
  return config;
}

std::string QuantizationConfig::label() const {
  std::string label(name_of(format));
  const bool four_bits = format == Precision::nf4 || format == Precision::fp4;
  if (four_bits && double_quant) label += " double-quant";
  if (four_bits && block_size != 64) label += fmt::format(" block {}", block_size);
  if (format == Precision::int8 && int8_threshold != 6.0f) label += fmt::format(" threshold {:g}", int8_threshold);
  return label;
}

Result<void> QuantizationConfig::check() const {
  const bool four_bits = format == Precision::nf4 || format == Precision::fp4;
  if (compute_dtype != Precision::stored && !plain(compute_dtype))
    return error(Errc::bad_request, "compute dtype {} is not possible; choose fp32, fp16 or bf16",
                 name_of(compute_dtype));
  if (block_size < 32 || block_size > 4096 || (block_size & (block_size - 1)) != 0)
    return error(Errc::bad_request, "block size {} is not possible; choose a power of two from 32 to 4096", block_size);
  if (double_quant && !four_bits)
    return error(Errc::bad_request, "double quantization is for nf4 and fp4, not {}", name_of(format));
  if (!(int8_threshold >= 0))
    return error(Errc::bad_request, "the int8 threshold is {}, expected 0 (off) or more", int8_threshold);
  return {};
}

}  // namespace nibble
