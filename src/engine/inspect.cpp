// What a checkpoint holds, from its headers.
#include <algorithm>
#include <optional>
#include <set>

#include "base/out_of_memory.hpp"
#include "engine/gguf_file_type.hpp"
#include "engine/placement.hpp"
#include "engine/rehearsal.hpp"
#include "io/codecs/bnb.hpp"
#include "io/codecs/bnb_config.hpp"
#include "models/gguf_rope.hpp"
#include "models/outline.hpp"
#include "nibble/model.hpp"

namespace nibble {
namespace {

std::string_view class_of(const CheckpointTensor& tensor) {
  const auto has = [&](std::string_view part) { return tensor.name.find(part) != std::string::npos; };
  if (!bnb_companion_of(tensor.name).empty()) return facts_of(Purpose::scales).key;
  // Of methods that Nibble does not read: FP8 and compressed-tensors, GPTQ and AWQ.
  for (const char* end : {"_scale_inv", "_scale", ".scales", ".qzeros", ".g_idx"})
    if (tensor.name.ends_with(end)) return facts_of(Purpose::scales).key;
  if (has("embed_tokens") || has("lm_head") || has("token_embd") || has("output.weight"))
    return facts_of(Purpose::embeddings).key;
  if (tensor.shape.size() >= 2 || tensor.type == "U8" || tensor.type == "I8")
    return facts_of(Purpose::linear_weights).key;
  if (has("norm") || has("bias")) return facts_of(Purpose::norms).key;
  return "other";
}

// What config.json asks for, of a model that runs or of one that is only counted.
struct Expected {
  std::optional<ModelConfig> config;  // it runs
  std::vector<ModuleSpec> modules;
  std::uint64_t parameters = 0;
  std::optional<DType> dtype;  // that config.json names
};

void describe_shape(const ModelShape& shape, std::int64_t max_positions, ModelDescription& out) {
  out.layers = shape.layers;
  out.hidden_size = shape.hidden_size;
  out.heads = shape.heads;
  out.kv_heads = shape.kv_heads;
  out.head_dim = shape.head_dim;
  out.vocab_size = shape.vocab_size;
  out.max_positions = max_positions;
  out.tied_embeddings = shape.tied_embeddings;
}

Expected describe_config(const Json& json, const std::string& place, ModelDescription& out) {
  if (const auto list = json.find("architectures");
      list != json.end() && list->is_array() && !list->empty() && (*list)[0].is_string())
    out.architecture = (*list)[0].get<std::string>();
  if (const auto type = json.find("model_type"); type != json.end() && type->is_string())
    out.model_type = type->get<std::string>();
  Expected expected;
  if (auto config = read_model_config(json, place)) {
    out.runs = true;
    expected.config = std::move(config).value();
    expected.dtype = expected.config->dtype;
    describe_shape(*expected.config, expected.config->max_positions, out);
    expected.modules = list_modules(*expected.config);
  } else {
    out.why_not = config.error().message;
    if (auto outline = read_outline(json, place)) {
      describe_shape(*outline, outline->max_positions, out);
      expected.dtype = outline->dtype;
      expected.modules = std::move(outline->modules);
    }
  }
  for (const ModuleSpec& module : expected.modules) expected.parameters += module.elements();
  return expected;
}

Result<void> describe_tensors(const Checkpoint& checkpoint, const Expected& expected, ModelDescription& out) {
  std::set<std::string_view> known = {gguf_rope_tensor};
  for (const ModuleSpec& module : expected.modules) known.insert(module.name);
  HostAllocator memory;
  const TensorLookup find = [&](std::string_view name) { return checkpoint.find_stored(name); };
  std::map<std::string, std::uint64_t> linear_bytes;
  for (const CheckpointTensor& tensor : checkpoint.tensors()) {
    out.bytes_by_dtype[tensor.type] += tensor.bytes.size();
    out.bytes_by_class[std::string(class_of(tensor))] += tensor.bytes.size();
    if (!bnb_companion_of(tensor.name).empty()) continue;
    if (is_bnb_weight(find, tensor.name)) {
      NIBBLE_TRY(const BnbWeight weight, read_bnb_weight(find, tensor.name, memory));
      out.parameters += std::uint64_t(weight.weight.elements());
    } else {
      out.parameters += tensor.elements();
    }
    if (expected.config && !known.contains(tensor.name)) out.not_understood.push_back(tensor.name);
    if (class_of(tensor) == facts_of(Purpose::linear_weights).key) linear_bytes[tensor.type] += tensor.bytes.size();
  }
  // Of a mix, the type of most bytes.
  const auto most = std::max_element(linear_bytes.begin(), linear_bytes.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most != linear_bytes.end()) out.precision = most->first;
  return {};
}

void describe_quantization(const Json& quantization, const Expected& expected, ModelDescription& out) {
  const auto stored = parse_bnb_config(quantization);
  if (stored) {
    out.precision = std::string(stored->format()) + (stored->double_quant && stored->bits == 4 ? " double-quant" : "");
    return;
  }
  out.runs = false;
  out.why_not = stored.error().message;
  // Its tensors may hold several weights in one element, or scales that are none.
  if (expected.parameters > 0) out.parameters = expected.parameters;
  const auto method = quantization.find("quant_method");
  const bool named = method != quantization.end() && method->is_string();
  out.precision = named ? method->get<std::string>() : "unknown quantization";
}

Result<ModelDescription> describe(const std::filesystem::path& path) {
  std::error_code ignored;
  const bool has_weights = !(std::filesystem::is_regular_file(path, ignored) && path.extension() == ".json");
  NIBBLE_TRY(const std::shared_ptr<Checkpoint> checkpoint,
             has_weights ? Checkpoint::open(path) : Checkpoint::open_config(path));
  const Json& json = checkpoint->config();
  ModelDescription out;
  out.container = checkpoint->is_gguf() ? "gguf" : "safetensors";
  out.file_bytes = checkpoint->file_bytes();
  out.has_chat_template = !checkpoint->chat_template().empty();
  const Expected expected = describe_config(json, path.string(), out);
  if (!has_weights) out.parameters = expected.parameters;
  if (expected.config) {
    LoadOptions plain;
    plain.precision = Precision::bf16;
    const Workload nothing{.context = 1, .batch = 0};
    NIBBLE_TRY(const MemoryPlan computed, rehearse(*expected.config, nullptr, plain, DType::bf16, nothing));
    out.bytes_by_class[std::string(facts_of(Purpose::buffers).key)] = computed.bytes[Purpose::buffers];
  }
  NIBBLE_CHECK(describe_tensors(*checkpoint, expected, out));
  if (const std::string type = gguf_file_type(*checkpoint); !type.empty()) out.precision = type;
  if (!has_weights && expected.dtype) out.precision = name_of(precision_of(*expected.dtype));
  if (const auto quantization = json.find("quantization_config");
      quantization != json.end() && !quantization->is_null())
    describe_quantization(*quantization, expected, out);
  if (!has_weights) {
    out.tokenizer_problem = "not looked for: a config.json alone says nothing of it";
    return out;
  }
  const auto tokenizer = TextTokenizer::load(checkpoint->path());
  if (!tokenizer && tokenizer.error().code == Errc::out_of_memory) return tokenizer.error();
  if (tokenizer)
    out.tokenizer = tokenizer->kind();
  else
    out.tokenizer_problem = tokenizer.error().message;
  return out;
}

}  // namespace

Result<ModelDescription> Model::inspect(const std::filesystem::path& path) {
  return or_out_of_memory(path.native(), "reading headers", [&] { return describe(path); });
}

}  // namespace nibble
