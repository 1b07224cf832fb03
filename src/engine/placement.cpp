#include "engine/placement.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <new>
#include <numeric>
#include <utility>

#include "engine/gguf_file_type.hpp"
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

namespace {

// Letters to change, add or leave out to make one of the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t(0));
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = std::exchange(row[j + 1], std::min({replaced, row[j] + 1, row[j + 1] + 1}));
    }
  }
  return row.back();
}

// "self_attn.q_proj" of "model.layers.3.self_attn.q_proj".
std::string in_block(const std::string& module) {
  const std::size_t last = module.rfind('.');
  const std::size_t before = last == std::string::npos ? last : module.rfind('.', last - 1);
  return before == std::string::npos ? module : module.substr(before + 1);
}

}  // namespace

Result<void> check_skip(const QuantizationConfig& config, const std::vector<ModuleSpec>& modules) {
  if (!config.quantized()) return {};
  std::vector<std::string> parts;
  for (const ModuleSpec& module : modules)
    if (const std::string part = in_block(module.module());
        module.role == Role::linear && std::find(parts.begin(), parts.end(), part) == parts.end())
      parts.push_back(part);
  for (const std::string& pattern : config.skip) {
    NIBBLE_TRY(const SkipPatterns compiled, SkipPatterns::compile({pattern}));
    if (compiled.matches("lm_head") || compiled.matches("model.embed_tokens") ||
        std::any_of(modules.begin(), modules.end(), [&](const ModuleSpec& module) {
          return module.role == Role::linear && compiled.matches(module.module());
        }))
      continue;
    std::string meant;
    std::size_t nearest = 4;  // beyond three letters it is a guess
    for (const std::string& part : parts)
      for (const std::string& word : {part, part.substr(part.rfind('.') + 1)})
        if (const std::size_t letters = distance(pattern, word); letters < nearest) {
          nearest = letters;
          meant = word;
        }
    return error(Errc::bad_request, "skip pattern \"{}\" finds no module{}; there are {} in each layer, and lm_head",
                 pattern, meant.empty() ? "" : ", did you mean \"" + meant + "\"?", fmt::join(parts, ", "));
  }
  return {};
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
  if (wanted.format == Precision::stored && !wanted.file_type.empty())
    return error(Errc::bad_request,
                 "{} is a type of files; write one (nibble quantize MODEL OUT.gguf --to {}) and load that",
                 wanted.file_type, wanted.file_type);
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
  stored.file_type = gguf_file_type(checkpoint);
  return wanted.format == Precision::stored ? stored : wanted;
}

}  // namespace nibble
