#include "measure/subject.hpp"

#include <algorithm>
#include <cmath>

#include "engine/gguf_recipe.hpp"
#include "engine/placement.hpp"
#include "formats/all.hpp"
#include "measure/load_options.hpp"
#include "measure/outline_bytes.hpp"
#include "models/architectures.hpp"
#include "models/gguf_rows.hpp"
#include "tensor/dense_types.hpp"

namespace nibble {
namespace {

// Bytes that a four-bit weight has on disk beside codes and scales: its table, the nested map, the state as JSON, and
// the names of its tensors in the header.
constexpr std::uint64_t table_bytes = 16 * sizeof(float), map_bytes = 256 * sizeof(float), state_bytes = 120,
                        header_bytes = 120;
// Of a GGUF file: an entry per tensor, and what a token of the vocabulary takes with its merge.
constexpr std::uint64_t gguf_entry_bytes = 96, gguf_token_bytes = 40;

std::uint64_t disk_bytes(const std::vector<ModuleSpec>& modules, const MemoryReport& bytes,
                         const QuantizationConfig& precision) {
  // Vectors are held in fp32; a file has them in 16 bits, unless it is one of fp32.
  std::uint64_t disk = bytes.weights_total() - (precision.format == Precision::fp32 ? 0 : bytes[Purpose::norms] / 2);
  for (const ModuleSpec& module : modules) {
    disk += header_bytes;
    if (!precision.four_bits() || module.role != Role::linear) continue;
    disk += table_bytes + state_bytes + 2 * header_bytes + (precision.double_quant ? map_bytes + 2 * header_bytes : 0);
  }
  return disk;
}

// What embeddings and norms beside these blocks compute as.
DType dense_dtype_of(const GgufRecipe& recipe) {
  return recipe.base == "F32" ? DType::f32 : recipe.base == "F16" ? DType::f16 : DType::bf16;
}

std::string_view format_of_type(const GgmlType& type) {
  for (const auto& [name, dtype] : {std::pair{"F32", DType::f32}, {"F16", DType::f16}, {"BF16", DType::bf16}})
    if (type.name == name) return dense_format(dtype);
  return type.name;
}

// Every matrix as `quantize --to` would put it into a GGUF file.
CountedForms forms_of(const GgufRecipe& recipe, const ModelConfig& config) {
  const Architecture* architecture = architecture_of_type(config.model_type);
  const bool moves_rows = architecture && architecture->gguf_rope_order;
  return [&recipe, &config, moves_rows](const ModuleSpec& matrix) -> Result<CountedForm> {
    NIBBLE_TRY(const GgmlType* type, gguf_matrix_type(recipe, config, config.model_type, matrix));
    return CountedForm{format_of_type(*type),
                       !moves_rows || rope_heads_of(matrix.part, config.heads, config.kv_heads) == 0};
  };
}

bool same(const QuantizationConfig& a, const QuantizationConfig& b) {
  return a.format == b.format && a.double_quant == b.double_quant && a.file_type == b.file_type &&
         (!a.four_bits() || a.block_size == b.block_size) && a.skip == b.skip;
}

}  // namespace

bool Subject::is_as_stored(const QuantizationConfig& precision) const {
  return (precision.format == Precision::stored && precision.file_type.empty()) || same(precision, stored);
}

bool Subject::requantizes(const QuantizationConfig& precision) const {
  if (!is_quantized() || is_as_stored(precision) || precision.format == Precision::fp32) return false;
  const GgufRecipe* recipe = recipe_of(precision);
  return !recipe || recipe->base != "F32";
}

std::uint64_t Subject::cached_tokens(std::int64_t context) const {
  return config ? std::uint64_t(config->layers * context) : nibble::cached_tokens(outline, context);
}

Result<void> Subject::rehearse_into(PrecisionEstimate& out, const EstimateOptions& options) const {
  const GgufRecipe* recipe = recipe_of(out.precision);
  const bool as_stored = is_as_stored(out.precision), from_files = has_weights && !packed && !recipe;
  // Of a four-bit model whose config.json alone is here, the files are taken to be what quantizing would make.
  const bool imagined = as_stored && !from_files && stored.quantized();
  QuantizationConfig held = out.precision;
  if (as_stored) held = imagined ? stored : QuantizationConfig();
  held.file_type.clear();
  LoadOptions load = load_options(options, held);
  load.kv_cache = options.kv_cache;
  const Workload workload{.context = options.context, .batch = options.batch};
  NIBBLE_TRY(const MemoryPlan plan, rehearse(*config, from_files ? checkpoint.get() : nullptr, load,
                                             recipe ? dense_dtype_of(*recipe) : unquantized_dtype, workload,
                                             recipe ? forms_of(*recipe, *config) : CountedForms()));
  out.bytes = plan.bytes;
  out.peak = plan.peak();
  if (!imagined) return {};
  const std::uint64_t mapped = out.bytes.weights_total() - out.bytes[Purpose::norms];
  out.peak = plan.run_peak - (mapped - out.bytes.mapped);
  out.bytes.mapped = mapped;
  return {};
}

Result<void> Subject::count_into(PrecisionEstimate& out, const EstimateOptions& options) const {
  const QuantizationConfig unpacked = stored.quantized() ? stored : QuantizationConfig(precision_of(unquantized_dtype));
  const QuantizationConfig held = is_as_stored(out.precision) ? unpacked : out.precision;
  if (config) {
    PrecisionEstimate dense;
    dense.precision = held;
    NIBBLE_CHECK(rehearse_into(dense, options));
    out.bytes = dense.bytes;
  } else {
    NIBBLE_TRY(out.bytes, count_outline(outline, held, unquantized_dtype, options));
  }
  out.bytes.mapped = 0;
  if (is_as_stored(out.precision)) {
    if (has_weights)
      count_headers(*checkpoint, out.bytes);
    else if (packed)
      count_packed(config ? list_modules(*config) : outline.modules, *packed, unquantized_dtype, out.bytes);
  }
  out.peak = out.bytes.total();
  return {};
}

Result<PrecisionEstimate> Subject::plan(const QuantizationConfig& precision, const EstimateOptions& options) const {
  PrecisionEstimate out;
  out.stored = is_as_stored(precision);
  out.precision = out.stored ? stored : precision;
  out.requantizes = requantizes(precision);
  const bool counted = !config || (packed && out.stored);
  NIBBLE_CHECK(counted ? count_into(out, options) : rehearse_into(out, options));
  const GgufRecipe* recipe = recipe_of(precision);
  const auto vocabulary = std::int64_t(this->vocabulary());
  const bool metadata = recipe || (checkpoint && checkpoint->is_gguf());
  const std::uint64_t process =
      program_bytes + (metadata ? metadata_bytes(vocabulary) : 0) + tokenizer_bytes(vocabulary);
  out.bytes.at(Purpose::process) = process;
  out.peak += process;
  out.resident = out.bytes.total() - out.bytes.mapped;
  const std::vector<ModuleSpec> modules = config ? list_modules(*config) : outline.modules;
  if (out.stored && has_weights)
    out.disk = checkpoint->file_bytes();
  else if (recipe)
    out.disk =
        out.bytes.weights_total() + modules.size() * gguf_entry_bytes + std::uint64_t(vocabulary) * gguf_token_bytes;
  else
    out.disk = disk_bytes(modules, out.bytes, out.precision);
  out.bits_per_weight = 8 * double(out.bytes.weights_total()) / double(std::max<std::uint64_t>(parameters, 1));
  return out;
}

namespace {

// The files' own precision, and what they are if Nibble does not run them.
Result<void> read_stored(Subject& subject) {
  const Json& json = subject.checkpoint->config();
  NIBBLE_TRY(subject.packed, PackedWeights::read(json));
  if (subject.packed) {
    subject.stored.file_type = subject.packed->label();
    if (!subject.packed->knows_size() && !subject.has_weights)
      subject.notes.push_back(fmt::format("how many bits {} has is not known here: \"as stored\" is counted unpacked",
                                          subject.packed->label()));
    return {};
  }
  NIBBLE_TRY(subject.stored, resolve_precision({}, *subject.checkpoint));
  if (!subject.has_weights && !subject.stored.quantized()) subject.stored = precision_of(subject.unquantized_dtype);
  return {};
}

Result<void> read_architecture(Subject& out, const std::vector<std::string>& ignore_config) {
  const Json& json = out.checkpoint->config();
  const std::string place = out.checkpoint->path().string();
  auto config = read_model_config(json, place, ignore_config);
  if (config) {
    out.unquantized_dtype = out.has_weights ? unquantized_dtype_of(*out.checkpoint) : config->dtype;
    out.architecture = config->architecture;
    out.config = std::move(*config);
    for (const ModuleSpec& module : list_modules(*out.config)) out.parameters += module.elements();
    return {};
  }
  if (config.error().code != Errc::unsupported) return config.error();
  NIBBLE_TRY(out.outline,
             out.has_weights ? read_outline(json, out.checkpoint->tensors(), place) : read_outline(json, place));
  out.architecture = out.outline.architecture;
  out.unquantized_dtype = out.outline.dtype.value_or(DType::bf16);
  out.notes.push_back("Nibble cannot run it yet (" + config.error().message +
                      "): weights and KV cache are counted, activations are those of a Llama of these sizes");
  out.notes.insert(out.notes.end(), out.outline.notes.begin(), out.outline.notes.end());
  for (const ModuleSpec& module : out.outline.modules) out.parameters += module.elements();
  return {};
}

}  // namespace

Result<Subject> open_subject(const std::filesystem::path& path, const std::vector<std::string>& ignore_config) {
  Subject out;
  const auto opened = path.extension() == ".json" ? Result<std::shared_ptr<Checkpoint>>(error(Errc::not_found, ""))
                                                  : Checkpoint::open(path);
  if (opened) {
    out.checkpoint = *opened;
    out.has_weights = true;
  } else {
    std::error_code ignored;
    if (std::filesystem::is_regular_file(path, ignored) && path.extension() != ".json") return opened.error();
    // Whatever is the matter with its weights, config.json says how big they are.
    auto config_alone = Checkpoint::open_config(path);
    if (!config_alone) return opened.error().message.empty() ? config_alone.error() : opened.error();
    out.checkpoint = *config_alone;
    if (opened.error().code != Errc::not_found)
      out.notes.push_back("counted from config.json alone: " + opened.error().message);
  }
  NIBBLE_CHECK(read_architecture(out, ignore_config));
  NIBBLE_CHECK(read_stored(out));
  if (out.packed)
    out.notes.push_back(fmt::format(
        "Nibble does not run {} files: {}{}", out.packed->label(), out.packed->runs_in(),
        out.config
            ? ". Nibble runs the original model, and makes four bits of it: nibble quantize ORIGINAL OUT --to nf4"
            : ""));
  return out;
}

}  // namespace nibble
