// What a checkpoint holds, from its headers.
#include <algorithm>
#include <set>

#include "base/out_of_memory.hpp"
#include "engine/load.hpp"
#include "engine/rehearsal.hpp"
#include "io/codecs/bnb.hpp"
#include "io/codecs/bnb_config.hpp"
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

Result<ModelDescription> describe(const std::filesystem::path& path) {
  std::error_code ignored;
  const bool has_weights = !(std::filesystem::is_regular_file(path, ignored) && path.extension() == ".json");
  std::shared_ptr<Checkpoint> checkpoint;
  if (has_weights) {
    NIBBLE_TRY(checkpoint, Checkpoint::open(path));
  } else {
    NIBBLE_TRY(checkpoint, Checkpoint::open_config(path));
  }
  ModelDescription out;
  out.container = checkpoint->is_gguf() ? "gguf" : "safetensors";
  const Json& json = checkpoint->config();
  if (const auto list = json.find("architectures");
      list != json.end() && list->is_array() && !list->empty() && (*list)[0].is_string())
    out.architecture = (*list)[0].get<std::string>();
  if (const auto type = json.find("model_type"); type != json.end() && type->is_string())
    out.model_type = type->get<std::string>();
  out.file_bytes = checkpoint->file_bytes();
  out.has_chat_template = !checkpoint->chat_template().empty();

  const auto config = read_model_config(json, path.string());
  std::uint64_t by_config = 0;  // parameters
  std::set<std::string> known;
  if (config) {
    out.runs = true;
    out.layers = config->layers, out.hidden_size = config->hidden_size, out.heads = config->heads,
    out.kv_heads = config->kv_heads, out.head_dim = config->head_dim;
    out.vocab_size = config->vocab_size, out.max_positions = config->max_positions,
    out.tied_embeddings = config->tied_embeddings;
    for (const ModuleSpec& module : list_modules(*config)) known.insert(module.name);
  } else {
    out.why_not = config.error().message;
    if (const auto outline = read_outline(json, path.string())) {
      out.layers = outline->layers, out.hidden_size = outline->hidden_size, out.heads = outline->heads,
      out.kv_heads = outline->kv_heads, out.head_dim = outline->head_dim;
      out.vocab_size = outline->vocab_size, out.max_positions = outline->max_positions,
      out.tied_embeddings = outline->tied_embeddings;
      for (const ModuleSpec& module : outline->modules) by_config += module.elements();
    }
  }
  if (config)
    for (const ModuleSpec& module : list_modules(*config)) by_config += module.elements();
  if (!has_weights) out.parameters = by_config;

  if (config) {
    LoadOptions plain;
    plain.precision = Precision::bf16;
    NIBBLE_TRY(const MemoryPlan computed, rehearse(*config, nullptr, plain, DType::bf16, {.context = 1}));
    out.bytes_by_class[std::string(facts_of(Purpose::buffers).key)] = computed.bytes[Purpose::buffers];
  }
  HostAllocator memory;
  const TensorLookup find = [&](std::string_view name) { return checkpoint->find_stored(name); };
  std::map<std::string, std::uint64_t> linear_bytes;
  for (const CheckpointTensor& tensor : checkpoint->tensors()) {
    out.bytes_by_dtype[tensor.type] += tensor.bytes.size();
    out.bytes_by_class[std::string(class_of(tensor))] += tensor.bytes.size();
    if (!bnb_companion_of(tensor.name).empty()) continue;
    if (is_bnb_weight(find, tensor.name)) {
      NIBBLE_TRY(const BnbWeight weight, read_bnb_weight(find, tensor.name, memory));
      out.parameters += std::uint64_t(weight.weight.elements());
    } else {
      out.parameters += tensor.elements();
    }
    if (config && !known.count(tensor.name) && tensor.name != "rope_freqs.weight")
      out.not_understood.push_back(tensor.name);
    if (class_of(tensor) == facts_of(Purpose::linear_weights).key) linear_bytes[tensor.type] += tensor.bytes.size();
  }
  // Of a mix, the type of most bytes.
  const auto most = std::max_element(linear_bytes.begin(), linear_bytes.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most != linear_bytes.end()) out.precision = most->first;
  if (const auto found = json.find("quantization_config"); found != json.end() && !found->is_null()) {
    const auto stored = parse_bnb_config(*found);
    if (stored) {
      out.precision =
          std::string(stored->format()) + (stored->double_quant && stored->bits == 4 ? " double-quant" : "");
    } else {
      out.runs = false, out.why_not = stored.error().message;
      // Its tensors may hold several weights in one element, or scales that are none.
      if (by_config > 0) out.parameters = by_config;
      const auto method = found->find("quant_method");
      out.precision =
          method != found->end() && method->is_string() ? method->get<std::string>() : "unknown quantization";
    }
  }
  auto tokenizer = TextTokenizer::load(checkpoint->path());
  if (tokenizer)
    out.tokenizer = tokenizer->kind();
  else if (tokenizer.error().code == Errc::out_of_memory)
    return tokenizer.error();
  else
    out.tokenizer_problem = tokenizer.error().message;
  return out;
}

}  // namespace

Result<ModelDescription> Model::inspect(const std::filesystem::path& path) {
  return or_out_of_memory(path.native(), "reading headers", [&] { return describe(path); });
}

}  // namespace nibble
