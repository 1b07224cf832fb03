#include "nibble/estimate.hpp"

#include "engine/load.hpp"
#include "formats/all.hpp"
#include "models/outline.hpp"

namespace nibble {
namespace {

// Bytes of modules that Nibble cannot run, by the arithmetic of the formats.
Result<MemoryReport> measure_outline(const Outline& outline, const QuantizationConfig& precision, DType kept,
                                     std::int64_t context, std::int64_t batch) {
  NIBBLE_TRY(const SkipPatterns skip, SkipPatterns::compile(precision.skip));
  MemoryReport report;
  for (const ModuleSpec& module : outline.modules) {
    const std::uint64_t elements = module.elements();
    if (module.role == Role::norm || module.role == Role::bias) {
      report.norms += elements * sizeof(float);
      continue;
    }
    const FormatFacts facts = format_facts(format_of(module, precision, skip, kept));
    (module.role == Role::linear ? report.linear_weights : report.embeddings_and_head) += facts.code_bytes(elements);
    const std::uint64_t scales =
        facts.scale_count(std::uint64_t(module.rows), std::uint64_t(module.cols), std::uint64_t(precision.block_size));
    report.quantization_state +=
        precision.double_quant ? scales + (scales + 255) / 256 * sizeof(float) : scales * sizeof(float);
  }
  const std::uint64_t element = size_of(kv_dtype_of(precision));
  report.kv_cache = std::uint64_t(2 * outline.layers * outline.kv_heads * outline.head_dim) * std::uint64_t(context) *
                    std::uint64_t(batch) * element;
  return report;
}

}  // namespace

std::uint64_t estimate(std::uint64_t parameters, Precision precision) {
  const FormatFacts facts = format_facts(name_of(precision == Precision::stored ? Precision::bf16 : precision));
  return facts.code_bytes(parameters);
}

Result<Estimate> estimate(const std::filesystem::path& path, const EstimateOptions& options) {
  // Together below 2^28, so that no size overflows.
  if (options.context < 1 || options.batch < 1 || options.context > (1 << 28) ||
      options.batch > (1 << 28) / options.context)
    return error(Errc::bad_request, "context is {} and batch {}; both should be at least 1, their product below 2^28",
                 options.context, options.batch);
  std::error_code ignored;
  const bool gguf = std::filesystem::is_regular_file(path, ignored) && path.extension() != ".json";
  std::shared_ptr<Checkpoint> checkpoint;
  if (gguf) {
    NIBBLE_TRY(checkpoint, Checkpoint::open(path));
  } else {
    NIBBLE_TRY(checkpoint, Checkpoint::open_config(path));
  }
  std::vector<QuantizationConfig> precisions = options.precisions;
  if (precisions.empty())
    precisions = {Precision::fp32,           Precision::fp16,
                  Precision::bf16,           Precision::int8,
                  QuantizationConfig::nf4(), QuantizationConfig::nf4({.double_quant = true}),
                  QuantizationConfig::fp4(), QuantizationConfig::fp4({.double_quant = true})};

  Estimate out;
  out.context = options.context, out.batch = options.batch;
  const auto config = read_model_config(checkpoint->config(), path.string(), options.ignore_config);
  Outline outline;
  if (!config) {
    if (config.error().code != Errc::unsupported) return config.error();
    NIBBLE_TRY(outline, read_outline(checkpoint->config(), path.string()));
  }
  out.architecture = config ? config->architecture : outline.architecture;
  for (const ModuleSpec& module : config ? list_modules(*config) : outline.modules) out.parameters += module.elements();
  for (const QuantizationConfig& precision : precisions) {
    NIBBLE_CHECK(precision.check());
    const DType kept = config ? config->dtype : DType::bf16;
    NIBBLE_TRY(const MemoryReport bytes,
               config ? measure_load(*config, precision, kept, options.context, options.batch, 512)
                      : measure_outline(outline, precision, kept, options.context, options.batch));
    out.precisions.push_back({precision, bytes});
  }
  return out;
}

}  // namespace nibble
