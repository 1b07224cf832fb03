#include "engine/placement.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <new>

#include "formats/all.hpp"
#include "io/codecs/bnb_config.hpp"
#include "models/part_names.hpp"
#include "tensor/dense_types.hpp"

namespace nibble {

DType dtype_of(Precision precision) { return dense_dtype(name_of(precision)).value_or(DType::bf16); }

Precision precision_of(DType dense) { return parse_precision(dense_format(dense)).value(); }

DType compute_dtype_of(const QuantizationConfig& config) {
  if (config.compute_dtype != Precision::stored) return dtype_of(config.compute_dtype);
  return config.quantized() ? DType::bf16 : dtype_of(config.format);
}

struct SkipPatterns::Compiled {
  std::vector<pcre2_code*> codes;
  ~Compiled() {
    for (pcre2_code* code : codes) pcre2_code_free(code);
  }
};

SkipPatterns::SkipPatterns() : compiled_(std::make_unique<Compiled>()) {}
SkipPatterns::SkipPatterns(SkipPatterns&&) noexcept = default;
SkipPatterns& SkipPatterns::operator=(SkipPatterns&&) noexcept = default;
SkipPatterns::~SkipPatterns() = default;

Result<SkipPatterns> SkipPatterns::compile(const std::vector<std::string>& patterns) {
  SkipPatterns out;
  for (const std::string& pattern : patterns) {
    int code = 0;
    PCRE2_SIZE offset = 0;
    out.compiled_->codes.push_back(nullptr);  // a place first, so that no failure can lose what is compiled
    pcre2_code*& compiled = out.compiled_->codes.back();
    compiled =
        pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF, &code, &offset, nullptr);
    if (!compiled) {
      if (code == PCRE2_ERROR_HEAP_FAILED) throw std::bad_alloc();
      unsigned char message[128] = {};
      pcre2_get_error_message(code, message, sizeof message);
      return error(Errc::bad_request, "skip pattern \"{}\": {} at character {}", pattern,
                   reinterpret_cast<const char*>(message), offset);
    }
  }
  return out;
}

bool SkipPatterns::matches(const std::string& module) const {
  for (const pcre2_code* code : compiled_->codes) {
    pcre2_match_data* data = pcre2_match_data_create_from_pattern(code, nullptr);
    const int found =
        pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(module.data()), module.size(), 0, 0, data, nullptr);
    pcre2_match_data_free(data);
    if (!data || found == PCRE2_ERROR_NOMEMORY) throw std::bad_alloc();
    if (found >= 0) return true;
  }
  return false;
}

std::string_view format_of(const ModuleSpec& module, const QuantizationConfig& config, const SkipPatterns& skip,
                           DType unquantized_dtype) {
  if (!config.quantized()) return name_of(config.format);
  if (module.role == Role::linear && !skip.matches(module.module())) return name_of(config.format);
  return dense_format(unquantized_dtype);
}

namespace {

bool is_dense(const CheckpointTensor& tensor) {
  return tensor.dtype && (tensor.dtype == DType::f64 || !dense_format(*tensor.dtype).empty());
}
DType dense_dtype_of(const CheckpointTensor& tensor) {
  if (!is_dense(tensor)) return DType::bf16;
  return tensor.dtype == DType::f64 ? DType::f32 : *tensor.dtype;
}

}  // namespace

DType unquantized_dtype_of(const Checkpoint& checkpoint) {
  const CheckpointTensor* embedding = checkpoint.find("model.embed_tokens.weight");
  return embedding ? dense_dtype_of(*embedding) : DType::bf16;
}

namespace {

// Where linear layers differ, the type that holds them all; bf16 for a model with blocks that have to be decoded.
DType linear_dtype(const Checkpoint& checkpoint) {
  std::optional<DType> common;
  for (const CheckpointTensor& tensor : checkpoint.tensors()) {
    const Part part = part_of(tensor.name);
    if (tensor.shape.size() < 2 || part == Part::embedding || part == Part::head || part == Part::other) continue;
    if (!is_dense(tensor)) return DType::bf16;
    const DType dtype = dense_dtype_of(tensor);
    common = common && *common != dtype ? DType::f32 : dtype;
  }
  return common.value_or(unquantized_dtype_of(checkpoint));
}

}  // namespace

Result<QuantizationConfig> resolve_precision(const QuantizationConfig& wanted, const Checkpoint& checkpoint) {
  QuantizationConfig stored = wanted;
  stored.format = precision_of(linear_dtype(checkpoint));
  if (const auto found = checkpoint.config().find("quantization_config");
      found != checkpoint.config().end() && !found->is_null()) {
    const auto config = parse_bnb_config(*found);
    if (!config) return config.error().at(checkpoint.path().string());
    NIBBLE_TRY(stored.format, parse_precision(config->format()));
    stored.double_quant = config->double_quant;
    stored.int8_threshold = float(config->threshold);
    if (wanted.compute_dtype == Precision::stored)
      stored.compute_dtype = config->bits == 8                     ? Precision::bf16
                             : config->compute_dtype == DType::f32 ? Precision::fp32
                             : config->compute_dtype == DType::f16 ? Precision::fp16
                                                                   : Precision::bf16;
  }
  return wanted.format == Precision::stored ? stored : wanted;
}

}  // namespace nibble
