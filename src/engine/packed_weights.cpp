// Sources: the quantization configs of transformers 5, compressed-tensors and the files of published repositories.
#include "engine/packed_weights.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "io/codecs/bnb_config.hpp"

namespace nibble {
namespace {

const Json* find(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto at = object.find(key);
  return at == object.end() || at->is_null() ? nullptr : &*at;
}

std::string text(const Json& object, std::string_view key) {
  const Json* value = find(object, key);
  return value && value->is_string() ? value->get<std::string>() : std::string();
}

constexpr std::int64_t most = std::int64_t(1) << 20;

// A positive number of weights or bits; anything else is none.
std::int64_t within(const Json& value) {
  return value.is_number_integer() && value > 0 && value <= most ? value.get<std::int64_t>() : 0;
}

std::int64_t number(const Json& object, std::initializer_list<const char*> keys) {
  for (const char* key : keys)
    if (const Json* value = find(object, key)) return within(*value);
  return 0;
}

bool flag(const Json& object, std::string_view key, bool fallback) {
  const Json* value = find(object, key);
  return value && value->is_boolean() ? value->get<bool>() : fallback;
}

std::string upper(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return char(std::toupper(c)); });
  return name;
}

// "model.layers.*.self_attn" and "re:.*lm_head" as regular expressions.
std::string as_pattern(const std::string& name) {
  if (name.starts_with("re:")) return name.substr(3);
  std::string pattern;
  for (const char c : name) {
    if (c == '*')
      pattern += ".*";
    else if (std::string_view("\\^$.|?+()[]{}").find(c) != std::string_view::npos)
      pattern += std::string("\\") + c;
    else
      pattern += c;
  }
  return pattern;
}

// The settings of compressed-tensors' first group.
const Json* first_group(const Json& quantization) {
  const Json* groups = find(quantization, "config_groups");
  if (!groups || !groups->is_object() || groups->empty()) return nullptr;
  return find(groups->begin().value(), "weights");
}

}  // namespace

Result<void> PackedWeights::read_kept(const Json& quantization) {
  std::vector<std::string> patterns;
  for (const char* key : {"modules_to_not_convert", "ignore", "ignored_layers", "exclude_modules"})
    if (const Json* list = find(quantization, key); list && list->is_array())
      for (const Json& name : *list)
        if (name.is_string() && !name.get_ref<const std::string&>().empty())
          patterns.push_back(as_pattern(name.get<std::string>()));
  NIBBLE_TRY(kept_, SkipPatterns::compile(patterns));
  return {};
}

void PackedWeights::read_method(const Json& quantization) {
  method_ = text(quantization, "quant_method");
  const std::string algorithm = text(quantization, "quant_algo");
  const Json* group = first_group(quantization);
  const Json& settings = group ? *group : quantization;
  bits_ = int(number(settings, {"bits", "w_bit", "num_bits", "nbits"}));
  group_ = number(settings, {"group_size", "q_group_size"});
  runs_in_ = "vLLM and transformers run such files on cards";
  if (method_ == "mxfp4") {
    bits_ = 4;
    group_ = 32;
    scale_bytes_ = 1;
    experts_only_ = true;
    label_ = "MXFP4";
    runs_in_ = "transformers and vLLM run it on cards, llama.cpp as a GGUF file of this type";
  } else if (algorithm == "NVFP4" || text(quantization, "format") == "nvfp4-pack-quantized") {
    bits_ = 4;
    group_ = 16;
    scale_bytes_ = 1;
    label_ = "NVFP4";
    runs_in_ = "vLLM and TensorRT-LLM run it on cards from compute capability 10.0";
  } else if (method_ == "fp8" || method_ == "fbgemm_fp8" || algorithm == "FP8" || text(settings, "type") == "float") {
    bits_ = 8;
    scale_bytes_ = 4;
    const Json* block = find(quantization, "weight_block_size");
    const bool blocks =
        block && block->is_array() && block->size() == 2 && within((*block)[0]) > 0 && within((*block)[1]) > 0;
    if (blocks) {
      group_rows_ = within((*block)[0]);
      group_ = within((*block)[1]);
    }
    one_scale_ = !blocks && method_ != "fbgemm_fp8" && text(settings, "strategy") != "channel";
    label_ = "FP8";
    runs_in_ = "vLLM and transformers run it on cards from compute capability 8.9";
  } else {
    if (bits_ < 1 || bits_ > 8) bits_ = 0;
    indices_ = method_ == "gptq";
    if (indices_ || flag(settings, "zero_point", false) || !flag(settings, "symmetric", true)) zero_bits_ = bits_;
    label_ = method_ == "awq" || method_ == "gptq" ? upper(method_) : method_.empty() ? "unknown method" : method_;
    if (bits_ > 0) label_ += fmt::format(" {}-bit", bits_);
  }
}

Result<std::optional<PackedWeights>> PackedWeights::read(const Json& config) {
  const Json* quantization = find(config, "quantization_config");
  if (!quantization) quantization = find(config, "compression_config");
  if (!quantization) return std::optional<PackedWeights>();
  const auto read = parse_bnb_config(*quantization);
  if (!read && read.error().code != Errc::unsupported) return read.error();
  if (read) return std::optional<PackedWeights>();
  PackedWeights out;
  out.read_method(*quantization);
  NIBBLE_CHECK(out.read_kept(*quantization));
  return std::optional<PackedWeights>(std::move(out));
}

std::optional<PackedWeights::Bytes> PackedWeights::bytes_of(const ModuleSpec& module) const {
  if (bits_ == 0 || module.role != Role::linear || (experts_only_ && module.expert < 0)) return {};
  if (module.part == Part::router || module.part == Part::shared_router || kept_.matches(module.module())) return {};
  const auto elements = module.elements();
  const auto columns = std::uint64_t(group_ > 0 ? group_ : module.cols), rows = std::uint64_t(group_rows_);
  const std::uint64_t groups = one_scale_ ? 1
                                          : (std::uint64_t(module.cols) + columns - 1) / columns *
                                                ((std::uint64_t(module.rows) + rows - 1) / rows);
  Bytes out;
  out.codes = (elements * std::uint64_t(bits_) + 7) / 8;
  out.state = groups * std::uint64_t(scale_bytes_) + groups * std::uint64_t(zero_bits_) / 8 +
              (indices_ ? std::uint64_t(module.cols) * 4 : 0);
  return out;
}

}  // namespace nibble
