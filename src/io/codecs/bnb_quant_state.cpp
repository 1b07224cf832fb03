#include "io/codecs/bnb_quant_state.hpp"

#include <charconv>
#include <cmath>

#include "io/json.hpp"

namespace nibble {
namespace {

std::string_view spell(DType dtype) {
  return dtype == DType::bf16 ? "bfloat16" : dtype == DType::f16 ? "float16" : "float32";
}

// As Python's repr: the shortest digits that read back, an exponent from 1e16 and below 1e-4, always with a point
// otherwise.
std::string python_float(double value) {
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr;
  const std::string_view scientific(text, std::size_t(end - text));
  const auto mark = scientific.find('e');
  int exponent = 0;
  std::from_chars(text + mark + (text[mark + 1] == '+' ? 2 : 1), end, exponent);
  if (exponent < -4 || exponent >= 16) return std::string(scientific);  // to_chars, too, writes two exponent digits
  std::string fixed(text, std::to_chars(text, text + sizeof text, value, std::chars_format::fixed).ptr);
  return fixed.find('.') == std::string::npos ? fixed + ".0" : fixed;
}

Error bad(std::string_view key, const Json& value, std::string_view expected) {
  return error(Errc::corrupt_file, "\"{}\" is {}, expected {}", key, shown(value), expected);
}

Result<void> read_shape(const Json& value, BnbQuantState& out) {
  constexpr std::int64_t most = std::int64_t(1) << 40;
  if (!value.is_array() || value.size() != 2 || !value[0].is_number_integer() || !value[1].is_number_integer())
    return bad("shape", value, "[rows, columns]");
  // Through double first: exact up to 2^53, and numbers beyond int64 cannot wrap.
  const double rows = value[0].get<double>(), cols = value[1].get<double>();
  if (rows < 1 || cols < 1 || rows * cols > double(most))
    return bad("shape", value, "two sizes of at least 1 and at most 2^40 elements");
  out.rows = std::int64_t(rows);
  out.cols = std::int64_t(cols);
  return {};
}

Result<void> read_key(const std::string& key, const Json& value, BnbQuantState& out, BnbQuantState::Nested& nested) {
  if (key == "quant_type") {
    if (!value.is_string() || !table_format(value.get_ref<const std::string&>()))
      return bad(key, value, names_of(precisions({FormatKind::table}), " or "));
    out.quant_type = value.get<std::string>();
  } else if (key == "blocksize") {
    const double size = value.is_number_integer() ? value.get<double>() : 0;
    if (!(size >= 32 && size <= 4096) || (int(size) & (int(size) - 1)))
      return bad(key, value, "a power of two from 32 to 4096");
    out.block_size = int(size);
  } else if (key == "dtype") {
    if (is_text(value, "float32"))
      out.dtype = DType::f32;
    else if (is_text(value, "float16"))
      out.dtype = DType::f16;
    else if (is_text(value, "bfloat16"))
      out.dtype = DType::bf16;
    else
      return bad(key, value, "\"float32\", \"float16\" or \"bfloat16\"");
  } else if (key == "shape") {
    return read_shape(value, out);
  } else if (key == "nested_blocksize") {
    if (value != 256) return bad(key, value, "256");
  } else if (key == "nested_dtype") {
    if (!is_text(value, "float32")) return bad(key, value, "\"float32\"");
  } else if (key == "nested_offset") {
    if (!value.is_number() || !std::isfinite(float(value.get<double>()))) return bad(key, value, "a finite number");
    nested.offset = value.get<double>();
  } else {
    return error(Errc::unsupported, "\"{}\" is not a key that Nibble knows; it may change what the codes mean", key);
  }
  return {};
}

}  // namespace

std::string_view quant_type_of(const FormatFacts& format) {
  return format.bitsandbytes.empty() ? format.name : format.bitsandbytes;
}

const FormatFacts* table_format(std::string_view quant_type) {
  for (const FormatFacts& format : precisions())
    if (format.kind == FormatKind::table && quant_type_of(format) == quant_type) return &format;
  return nullptr;
}

std::string state_suffix(const FormatFacts& format) {
  return std::string(state_prefixes[format.bitsandbytes.empty() ? 1 : 0]) + std::string(quant_type_of(format));
}

Result<BnbQuantState> parse_quant_state(std::string_view text) {
  NIBBLE_TRY(const Json json, parse_json(text, "quantization state"));
  if (!json.is_object())
    return error(Errc::corrupt_file, "the quantization state is {}, expected an object", json.type_name());
  for (const char* key : {"quant_type", "blocksize", "dtype", "shape"})
    if (!json.contains(key)) return error(Errc::corrupt_file, "the quantization state lacks \"{}\"", key);
  BnbQuantState out;
  BnbQuantState::Nested nested;
  for (const auto& [key, value] : json.items()) NIBBLE_CHECK(read_key(key, value, out, nested));
  const int parts =
      int(json.contains("nested_blocksize")) + int(json.contains("nested_dtype")) + int(json.contains("nested_offset"));
  if (parts != 0 && parts != 3)
    return error(
        Errc::corrupt_file,
        "the quantization state has {} of the keys nested_blocksize, nested_dtype, nested_offset; expected all or none",
        parts);
  if (parts == 3) out.nested = nested;
  return out;
}

std::string print_quant_state(const BnbQuantState& state) {
  std::string text = fmt::format(R"({{"quant_type": "{}", "blocksize": {}, "dtype": "{}", "shape": [{}, {}])",
                                 state.quant_type, state.block_size, spell(state.dtype), state.rows, state.cols);
  if (state.nested)
    text += fmt::format(R"(, "nested_blocksize": {}, "nested_dtype": "float32", "nested_offset": {})",
                        state.nested->block, python_float(state.nested->offset));
  return text + "}";
}

}  // namespace nibble
