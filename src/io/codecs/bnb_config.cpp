#include "io/codecs/bnb_config.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "formats/all.hpp"
#include "io/codecs/bnb_quant_state.hpp"

namespace nibble {
namespace {

struct DTypeName {
  DType dtype;
  std::string_view name;  // as PyTorch spells it
};
constexpr std::array<DTypeName, 3> compute_dtypes = {
    {{DType::f32, "float32"}, {DType::f16, "float16"}, {DType::bf16, "bfloat16"}}};
constexpr std::array<DTypeName, 6> storage_dtypes = {{{DType::u8, "uint8"},
                                                      {DType::i8, "int8"},
                                                      {DType::f16, "float16"},
                                                      {DType::bf16, "bfloat16"},
                                                      {DType::f32, "float32"},
                                                      {DType::f64, "float64"}}};

// Mirrors of load_in_*, and settings for training or placement that say nothing about stored bytes, are known too.
constexpr std::string_view known_keys[] = {"quant_method",
                                           "load_in_4bit",
                                           "load_in_8bit",
                                           "_load_in_4bit",
                                           "_load_in_8bit",
                                           "bnb_4bit_quant_type",
                                           "bnb_4bit_use_double_quant",
                                           "bnb_4bit_compute_dtype",
                                           "bnb_4bit_quant_storage",
                                           "llm_int8_threshold",
                                           "llm_int8_skip_modules",
                                           "llm_int8_enable_fp32_cpu_offload",
                                           "llm_int8_has_fp16_weight"};

// Nibble's own layout. None of bitsandbytes' keys is among them: load_in_4bit alone makes transformers take it for
// that.
constexpr std::string_view own_keys[] = {"quant_method",  "format",        "double_quant",
                                         "compute_dtype", "quant_storage", "skip_modules"};

Error wrong_type(std::string_view key, const Json& value, std::string_view expected) {
  return error(Errc::corrupt_file, "quantization_config.{} is {}, expected {}", key, value.type_name(), expected);
}

const Json* find(const Json& config, std::string_view key) {
  const auto at = config.find(key);
  return at == config.end() || at->is_null() ? nullptr : &*at;
}

Result<bool> get_bool(const Json& config, std::string_view key) {
  const Json* value = find(config, key);
  if (!value) return false;
  if (!value->is_boolean()) return wrong_type(key, *value, "true or false");
  return value->get<bool>();
}

template <std::size_t N>
Result<DType> get_dtype(const Json& config, std::string_view key, const std::array<DTypeName, N>& known,
                        DType fallback) {
  const Json* value = find(config, key);
  if (!value) return fallback;
  if (!value->is_string()) return wrong_type(key, *value, "a dtype's name");
  std::string_view name = value->get_ref<const std::string&>();
  if (name.starts_with("torch.")) name.remove_prefix(6);
  std::string names;
  for (const DTypeName& entry : known) {
    if (entry.name == name) return entry.dtype;
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  }
  return error(Errc::unsupported, "quantization_config.{} is \"{}\"; known are {}", key, name, names);
}

template <std::size_t N>
std::string_view spell(DType dtype, const std::array<DTypeName, N>& known) {
  const auto at =
      std::find_if(known.begin(), known.end(), [&](const DTypeName& entry) { return entry.dtype == dtype; });
  return at == known.end() ? "" : at->name;
}

Result<void> check_method(const Json& config) {
  const Json* method = find(config, "quant_method");
  if (!method) {  // checkpoints of 2023 lack it; then load_in_* must speak for itself
    if (config.contains("load_in_4bit") || config.contains("load_in_8bit")) return {};
    return error(Errc::unsupported, "quantization_config has no quant_method; Nibble reads \"bitsandbytes\"");
  }
  if (!method->is_string()) return wrong_type("quant_method", *method, "a string");
  const auto& name = method->get_ref<const std::string&>();
  if (name != "bitsandbytes" && name != "nibble")
    return error(Errc::unsupported,
                 "the checkpoint is quantized with \"{}\", which Nibble does not read; take the unquantized checkpoint "
                 "and quantize it with `nibble quantize`, or one made with bitsandbytes",
                 name);
  return {};
}

Result<void> read_skip_modules(const Json& config, const std::string& key, BnbConfig& out) {
  const Json* list = find(config, key);
  if (!list) return {};
  if (!list->is_array()) return wrong_type(key, *list, "a list of module names");
  out.skip_modules.emplace();
  for (const Json& name : *list) {
    if (!name.is_string()) return wrong_type(key + "[]", name, "a module's name");
    out.skip_modules->push_back(name.get<std::string>());
  }
  return {};
}

Result<void> check_keys(const Json& config, std::span<const std::string_view> known, std::string_view whose) {
  for (const auto& [key, value] : config.items())
    if (std::find(known.begin(), known.end(), key) == known.end())
      return error(Errc::unsupported,
                   "quantization_config.{} is not known to Nibble and may change what the weights mean; "
                   "known keys are those of {}",
                   key, whose);
  return {};
}

Result<std::string> read_type(const Json& value, const std::string& key, std::span<const FormatFacts> known) {
  if (!value.is_string()) return wrong_type(key, value, "a string");
  const std::string type = value.get<std::string>();
  for (const FormatFacts& format : known)
    if (quant_type_of(format) == type) return type;
  return error(Errc::unsupported, "quantization_config.{} is \"{}\"; Nibble knows {}", key, type,
               names_of(known, " and "));
}

Result<BnbConfig> parse_own_config(const Json& config) {
  NIBBLE_CHECK(check_keys(config, own_keys, "docs/formats/nibble-layout.md"));
  BnbConfig out;
  out.own = true;
  const Json* format = find(config, "format");
  if (!format) return error(Errc::corrupt_file, "quantization_config of Nibble's own layout lacks \"format\"");
  NIBBLE_TRY(out.quant_type, read_type(*format, "format", precisions({FormatKind::table})));
  NIBBLE_TRY(out.double_quant, get_bool(config, "double_quant"));
  NIBBLE_TRY(out.compute_dtype, get_dtype(config, "compute_dtype", compute_dtypes, DType::bf16));
  NIBBLE_TRY(out.quant_storage, get_dtype(config, "quant_storage", storage_dtypes, DType::u8));
  NIBBLE_CHECK(read_skip_modules(config, "skip_modules", out));
  return out;
}

}  // namespace

std::string_view BnbConfig::format() const {
  if (bits == 8) return Int8::name;
  const FormatFacts* found = table_format(quant_type);
  return found ? found->name : std::string_view();
}

Result<BnbConfig> parse_bnb_config(const Json& config) {
  if (!config.is_object())
    return error(Errc::corrupt_file, "quantization_config is {}, expected an object", config.type_name());
  NIBBLE_CHECK(check_method(config));
  if (const Json* method = find(config, "quant_method"); method && is_text(*method, "nibble"))
    return parse_own_config(config);
  NIBBLE_CHECK(check_keys(config, known_keys, "transformers' BitsAndBytesConfig"));

  BnbConfig out;
  NIBBLE_TRY(const bool four, get_bool(config, "load_in_4bit"));
  NIBBLE_TRY(const bool eight, get_bool(config, "load_in_8bit"));
  if (four == eight)
    return error(Errc::corrupt_file,
                 "quantization_config sets {} load_in_4bit and load_in_8bit; exactly one must be true",
                 four ? "both" : "neither");
  out.bits = four ? 4 : 8;
  if (const Json* type = find(config, "bnb_4bit_quant_type")) {
    std::vector<FormatFacts> known = precisions({FormatKind::table});
    std::erase_if(known, [](const FormatFacts& format) { return format.bitsandbytes.empty(); });
    NIBBLE_TRY(out.quant_type, read_type(*type, "bnb_4bit_quant_type", known));
  }
  NIBBLE_TRY(out.double_quant, get_bool(config, "bnb_4bit_use_double_quant"));
  NIBBLE_TRY(out.compute_dtype, get_dtype(config, "bnb_4bit_compute_dtype", compute_dtypes, DType::f32));
  NIBBLE_TRY(out.quant_storage, get_dtype(config, "bnb_4bit_quant_storage", storage_dtypes, DType::u8));
  if (const Json* threshold = find(config, "llm_int8_threshold")) {
    if (!threshold->is_number()) return wrong_type("llm_int8_threshold", *threshold, "a number");
    const double value = threshold->get<double>();
    if (!(value >= 0 && value <= 65504))
      return error(Errc::corrupt_file, "quantization_config.llm_int8_threshold is {}, expected 0 (off) to 65504",
                   value);
    out.threshold = value;
  }
  NIBBLE_CHECK(read_skip_modules(config, "llm_int8_skip_modules", out));
  NIBBLE_TRY(out.fp32_cpu_offload, get_bool(config, "llm_int8_enable_fp32_cpu_offload"));
  NIBBLE_TRY(const bool fp16_weight, get_bool(config, "llm_int8_has_fp16_weight"));
  if (fp16_weight)
    return error(Errc::unsupported,
                 "quantization_config.llm_int8_has_fp16_weight is true: weights re-quantized on every pass, a training "
                 "mode; set it to false if the stored weights are int8");
  return out;
}

Result<DType> parse_quant_storage(std::string_view name) {
  return get_dtype({{"bnb_4bit_quant_storage", name}}, "bnb_4bit_quant_storage", storage_dtypes, DType::u8);
}

Json to_json(const BnbConfig& config) {
  if (config.own) {
    Json out = {{"quant_method", "nibble"},
                {"format", config.quant_type},
                {"double_quant", config.double_quant},
                {"compute_dtype", spell(config.compute_dtype, compute_dtypes)},
                {"quant_storage", spell(config.quant_storage, storage_dtypes)}};
    if (config.skip_modules) out["skip_modules"] = *config.skip_modules;
    return out;
  }
  Json out = {{"quant_method", "bitsandbytes"},
              {"_load_in_4bit", config.bits == 4},
              {"_load_in_8bit", config.bits == 8},
              {"load_in_4bit", config.bits == 4},
              {"load_in_8bit", config.bits == 8},
              {"bnb_4bit_quant_type", config.quant_type},
              {"bnb_4bit_use_double_quant", config.double_quant},
              {"bnb_4bit_compute_dtype", spell(config.compute_dtype, compute_dtypes)},
              {"bnb_4bit_quant_storage", spell(config.quant_storage, storage_dtypes)},
              {"llm_int8_threshold", config.threshold},
              {"llm_int8_enable_fp32_cpu_offload", config.fp32_cpu_offload},
              {"llm_int8_has_fp16_weight", false},
              {"llm_int8_skip_modules", nullptr}};
  if (config.skip_modules) out["llm_int8_skip_modules"] = *config.skip_modules;
  return out;
}

}  // namespace nibble
