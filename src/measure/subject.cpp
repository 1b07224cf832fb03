#include "measure/subject.hpp"

#include <algorithm>
#include <cmath>

#include "engine/placement.hpp"
#include "formats/all.hpp"
#include "measure/load_options.hpp"

namespace nibble {
namespace {

// Bytes that a four-bit weight has on disk beside codes and scales: its table, the nested map, the state as JSON, and
// the names of its tensors in the header.
constexpr std::uint64_t table_bytes = 16 * sizeof(float), map_bytes = 256 * sizeof(float), state_bytes = 120,
                        header_bytes = 120;

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

// Modules that Nibble cannot run, by the arithmetic of the formats.
Result<MemoryReport> count_outline(const Outline& outline, const QuantizationConfig& precision, DType unquantized_dtype,
                                   const EstimateOptions& options) {
  NIBBLE_TRY(const SkipPatterns skip, SkipPatterns::compile(precision.skip));
  MemoryReport report;
  for (const ModuleSpec& module : outline.modules) {
    const std::uint64_t elements = module.elements();
    if (module.role == Role::norm || module.role == Role::bias) {
      report.at(Purpose::norms) += elements * sizeof(float);
      continue;
    }
    const FormatFacts facts = format_facts(format_of(module, precision, skip, unquantized_dtype));
    report.at(module.role == Role::linear ? Purpose::linear_weights : Purpose::embeddings) +=
        facts.code_bytes(elements);
    const std::uint64_t scales =
        facts.scale_count(std::uint64_t(module.rows), std::uint64_t(module.cols), std::uint64_t(precision.block_size));
    report.at(Purpose::scales) +=
        precision.double_quant ? scales + (scales + 255) / 256 * sizeof(float) : scales * sizeof(float);
  }
  LoadOptions load;
  load.precision = precision;
  load.kv_cache = options.kv_cache;
  const auto context = std::uint64_t(options.context), batch = std::uint64_t(options.batch);
  report.at(Purpose::kv_cache) = std::uint64_t(2 * outline.layers * outline.kv_heads * outline.head_dim) * context *
                                 batch * size_of(kv_dtype_of(load));
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

}  // namespace

Result<PrecisionEstimate> Subject::plan(const QuantizationConfig& precision, const EstimateOptions& options) const {
  PrecisionEstimate out;
  out.precision = precision;
  if (config) {
    LoadOptions load = load_options(options, precision);
    load.kv_cache = options.kv_cache;
    NIBBLE_TRY(const MemoryPlan plan,
               rehearse(*config, has_weights ? checkpoint.get() : nullptr, load, unquantized_dtype,
                        {.context = options.context, .batch = options.batch}));
    out.bytes = plan.bytes;
    out.peak = plan.peak();
  } else {
    NIBBLE_TRY(out.bytes, count_outline(outline, precision, unquantized_dtype, options));
    out.peak = out.bytes.total();
  }
  const std::int64_t vocabulary = config ? config->vocab_size : outline.vocab_size;
  const bool metadata = checkpoint && checkpoint->is_gguf();
  const std::uint64_t process =
      program_bytes + (metadata ? metadata_bytes(vocabulary) : 0) + tokenizer_bytes(vocabulary);
  out.bytes.at(Purpose::process) = process;
  out.peak += process;
  out.resident = out.bytes.total() - out.bytes.mapped;
  out.disk = disk_bytes(config ? list_modules(*config) : outline.modules, out.bytes, precision);
  out.bits_per_weight = 8 * double(out.bytes.weights_total()) / double(std::max<std::uint64_t>(parameters, 1));
  return out;
}

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
  const Json& json = out.checkpoint->config();
  const std::string place = out.checkpoint->path().string();
  auto config = read_model_config(json, place, ignore_config);
  if (config) {
    out.unquantized_dtype = out.has_weights ? unquantized_dtype_of(*out.checkpoint) : config->dtype;
    out.architecture = config->architecture;
    out.config = std::move(*config);
    for (const ModuleSpec& module : list_modules(*out.config)) out.parameters += module.elements();
    return out;
  }
  if (config.error().code != Errc::unsupported) return config.error();
  NIBBLE_TRY(out.outline,
             out.has_weights ? read_outline(json, out.checkpoint->tensors(), place) : read_outline(json, place));
  out.architecture = out.outline.architecture;
  out.notes.push_back("Nibble cannot run it yet (" + config.error().message +
                      "): weights and KV cache are counted, activations are those of a Llama of these sizes");
  out.notes.insert(out.notes.end(), out.outline.notes.begin(), out.outline.notes.end());
  for (const ModuleSpec& module : out.outline.modules) out.parameters += module.elements();
  return out;
}

}  // namespace nibble
