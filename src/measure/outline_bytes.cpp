#include "measure/outline_bytes.hpp"

#include <algorithm>

#include "engine/gguf_recipe.hpp"
#include "engine/rehearsal.hpp"
#include "formats/all.hpp"
#include "models/part_names.hpp"

namespace nibble {
namespace {

struct Bytes {
  std::uint64_t codes = 0, scales = 0;
};

Bytes in_format(const ModuleSpec& module, std::string_view format, const QuantizationConfig& precision) {
  const FormatFacts facts = format_facts(format);
  const std::uint64_t scales =
      facts.scale_count(std::uint64_t(module.rows), std::uint64_t(module.cols), std::uint64_t(precision.block_size));
  return {facts.code_bytes(module.elements()),
          precision.double_quant ? scales + (scales + 255) / 256 * sizeof(float) : scales * sizeof(float)};
}

Result<void> count_weights(const Outline& outline, const QuantizationConfig& precision, DType unquantized_dtype,
                           MemoryReport& report) {
  NIBBLE_TRY(const SkipPatterns skip, SkipPatterns::compile(precision.skip));
  const GgufRecipe* recipe = recipe_of(precision);
  for (const ModuleSpec& module : outline.modules) {
    if (module.role == Role::norm || module.role == Role::bias) {
      report.at(Purpose::norms) += module.elements() * sizeof(float);
      continue;
    }
    Bytes bytes;
    if (recipe) {
      NIBBLE_TRY(const GgmlType* type, gguf_matrix_type(*recipe, outline, outline.model_type, module));
      bytes.codes = module.elements() / type->block_elements * type->block_bytes;
    } else {
      bytes = in_format(module, format_of(module, precision, skip, unquantized_dtype), precision);
    }
    report.at(module.role == Role::linear ? Purpose::linear_weights : Purpose::embeddings) += bytes.codes;
    report.at(Purpose::scales) += bytes.scales;
  }
  return {};
}

// Scales, zero points and indices of the methods that Nibble does not read.
bool is_state(std::string_view name) {
  for (const char* end : {"_scale_inv", "_scale", "_scales", ".scales", ".qzeros", "zero_point", ".g_idx"})
    if (name.ends_with(end)) return true;
  return false;
}

}  // namespace

std::uint64_t cached_tokens(const Outline& outline, std::int64_t context) {
  std::uint64_t tokens = 0;
  for (std::int64_t layer = 0; layer < outline.layers; ++layer) {
    const std::int64_t window = outline.windows.empty() ? 0 : outline.windows[std::size_t(layer)];
    tokens += std::uint64_t(window > 0 ? std::min(window, context) : context);
  }
  return tokens;
}

Result<MemoryReport> count_outline(const Outline& outline, const QuantizationConfig& precision, DType unquantized_dtype,
                                   const EstimateOptions& options) {
  MemoryReport report;
  NIBBLE_CHECK(count_weights(outline, precision, unquantized_dtype, report));
  LoadOptions load;
  load.precision = precision;
  if (precision.format == Precision::stored) load.precision.format = precision_of(unquantized_dtype);
  load.kv_cache = options.kv_cache;
  const auto context = std::uint64_t(options.context), batch = std::uint64_t(options.batch);
  const auto kept =
      std::uint64_t(outline.cache_width > 0 ? outline.cache_width : 2 * outline.kv_heads * outline.head_dim);
  report.at(Purpose::kv_cache) = cached_tokens(outline, options.context) * kept * batch * size_of(kv_dtype_of(load));
  // What Transformer::reserve takes for a Llama of these sizes.
  const std::uint64_t rows = std::min<std::uint64_t>(std::uint64_t(load.pass_tokens), context * batch);
  const auto width = std::uint64_t(2 * outline.hidden_size + 2 * (outline.heads + outline.kv_heads) * outline.head_dim +
                                   2 * outline.mlp_width);
  report.at(Purpose::activations) =
      (rows * width + std::min<std::uint64_t>(32, batch) * std::uint64_t(outline.vocab_size)) * 4;
  report.at(Purpose::buffers) =
      std::min<std::uint64_t>(std::uint64_t(outline.max_positions), std::max<std::uint64_t>(context, 2048)) *
      std::uint64_t(outline.head_dim) * sizeof(float);
  return report;
}

void count_packed(const std::vector<ModuleSpec>& modules, const PackedWeights& packed, DType unquantized_dtype,
                  MemoryReport& report) {
  report.at(Purpose::linear_weights) = report.at(Purpose::scales) = 0;
  for (const ModuleSpec& module : modules) {
    if (module.role != Role::linear) continue;
    const auto bytes = packed.bytes_of(module);
    report.at(Purpose::linear_weights) += bytes ? bytes->codes : module.elements() * size_of(unquantized_dtype);
    report.at(Purpose::scales) += bytes ? bytes->state : 0;
  }
}

void count_headers(const Checkpoint& checkpoint, MemoryReport& report) {
  for (const Purpose purpose : {Purpose::linear_weights, Purpose::scales, Purpose::embeddings, Purpose::norms})
    report.at(purpose) = 0;
  for (const CheckpointTensor& tensor : checkpoint.tensors()) {
    const Role role = likely_role(tensor);
    const Purpose purpose = is_state(tensor.name)                           ? Purpose::scales
                            : role == Role::embedding || role == Role::head ? Purpose::embeddings
                            : role == Role::linear                          ? Purpose::linear_weights
                                                                            : Purpose::norms;
    report.at(purpose) += tensor.bytes.size();
  }
}

}  // namespace nibble
