#include "models/outline.hpp"

#include <algorithm>

#include "models/architectures.hpp"

namespace nibble {
namespace {

constexpr std::int64_t largest = std::int64_t(1) << 20;       // of a size: no product of sizes overflows 64 bits
constexpr std::int64_t most_entries = std::int64_t(1) << 28;  // of a vocabulary or a context

const Json* present(const Json& config, std::string_view key) {
  const auto found = config.find(key);
  return found == config.end() || found->is_null() ? nullptr : &*found;
}

// A whole number under the first of these keys that is present; -1: its value is no whole number, or is absurd.
std::int64_t number(const Json& config, std::initializer_list<const char*> keys, std::int64_t fallback = 0) {
  for (const char* key : keys)
    if (const Json* found = present(config, key))
      return found->is_number_integer() && *found >= 0 && *found <= most_entries ? found->get<std::int64_t>() : -1;
  return fallback;
}

bool flag(const Json& config, std::string_view key, bool fallback) {
  const Json* found = present(config, key);
  return found && found->is_boolean() ? found->get<bool>() : fallback;
}

std::string text_under(const Json& config, std::string_view key) {
  const Json* found = present(config, key);
  return found && found->is_string() ? found->get<std::string>() : std::string();
}

// Sizes of a model that reads more than text stand in an object of their own.
const Json& sizes_of(const Json& config) {
  for (const char* key : {"text_config", "llm_config", "language_config"})
    if (const Json* part = present(config, key); part && part->is_object()) return *part;
  return config;
}

// What config.json names no better: a Llama.
constexpr Architecture stranger = {};

const Architecture& architecture_of(const Json& config, const Json& sizes) {
  for (const Json* from : {&sizes, &config})
    if (const Architecture* known = architecture_of_type(text_under(*from, "model_type"))) return *known;
  return stranger;
}

bool is_known(const Json& config) { return !architecture_of(config, sizes_of(config)).model_type.empty(); }

class OutlineReader {
 public:
  OutlineReader(const Json& config, std::string_view place)
      : c_(sizes_of(config)), whole_(config), place_(place), known_(architecture_of(config, c_)) {}

  Result<Outline> read() {
    static_cast<ModelShape&>(out_) = known_.block;
    out_.model_type = text_under(whole_, "model_type");
    NIBBLE_CHECK(read_sizes());
    read_variants();
    NIBBLE_CHECK(read_experts());
    read_windows();
    for (const char* key : {"dtype", "torch_dtype"})
      for (const Json* from : {&c_, &whole_})
        for (const auto& [name, dtype] :
             {std::pair{"float32", DType::f32}, {"float16", DType::f16}, {"bfloat16", DType::bf16}})
          if (!out_.dtype && text_under(*from, key) == name) out_.dtype = dtype;
    return std::move(out_);
  }

 private:
  bool is_known() const { return !known_.model_type.empty(); }

  Result<void> read_sizes() {
    out_.layers = number(c_, {"num_hidden_layers", "n_layer", "n_layers", "num_layers"});
    out_.hidden_size = number(c_, {"hidden_size", "n_embd", "d_model", "n_embed"});
    out_.heads = number(c_, {"num_attention_heads", "n_head", "n_heads", "num_heads"}, known_.default_heads);
    out_.kv_heads = number(c_, {"num_key_value_heads", "num_kv_heads", "n_head_kv"},
                           known_.default_kv_heads > 0 ? known_.default_kv_heads : out_.heads);
    out_.vocab_size = number(c_, {"vocab_size", "padded_vocab_size"}, known_.default_vocabulary);
    out_.max_positions = number(
        c_, {"max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length", "seq_length", "n_ctx"},
        is_known() ? known_.default_positions : 2048);
    out_.intermediate_size =
        number(c_, {"intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size"}, out_.hidden_size * 4);
    for (const std::int64_t size : {out_.hidden_size, out_.heads, out_.kv_heads, out_.intermediate_size})
      if (size < 1 || size > largest || out_.layers < 1 || out_.layers > 4096 || out_.vocab_size < 1 ||
          out_.max_positions < 1)
        return error(
            is_known() ? Errc::corrupt_file : Errc::unsupported,
            "{}: hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, num_key_value_heads and "
            "vocab_size should be positive whole numbers that a model could have{}",
            place_,
            is_known() ? ""
                       : fmt::format("; model_type \"{}\" is not known, and its weights' headers would still give its "
                                     "size: name the folder",
                                     out_.model_type));
    out_.head_dim =
        number(c_, {"head_dim"}, known_.default_head_dim > 0 ? known_.default_head_dim : out_.hidden_size / out_.heads);
    read_latent_attention();
    out_.tied_embeddings = flag(c_, "tie_word_embeddings", flag(whole_, "tie_word_embeddings", known_.tied_embeddings));
    if (known_.more_positions >= 0) out_.learned_positions = out_.max_positions + known_.more_positions;
    for (const std::int64_t size : {out_.q_rank, out_.kv_rank, out_.rope_dim, out_.value_dim})
      if (size < 0 || size > largest)
        return error(Errc::corrupt_file, "{}: ranks and widths of latent attention are no sizes", place_);
    if (out_.head_dim < 1 || out_.head_dim > largest || out_.heads * out_.head_dim > largest ||
        out_.kv_heads * out_.head_dim > largest || out_.heads * out_.value_dim > largest ||
        out_.rope_dim > out_.head_dim)
      return error(Errc::corrupt_file, "{}: {} attention heads of {} are more than {} values", place_, out_.heads,
                   out_.head_dim, largest);
    out_.mlp_width = out_.intermediate_size;
    return {};
  }

  // Keys and values of all heads come out of one small vector per token, which is all that is kept.
  void read_latent_attention() {
    out_.kv_rank = number(c_, {"kv_lora_rank"});
    if (out_.kv_rank <= 0) return;
    out_.q_rank = number(c_, {"q_lora_rank"});
    out_.rope_dim = number(c_, {"qk_rope_head_dim"}, 64);
    out_.value_dim = number(c_, {"v_head_dim"}, 128);
    out_.head_dim = number(c_, {"qk_nope_head_dim"}, 128) + out_.rope_dim;
    out_.cache_width = out_.kv_rank + out_.rope_dim;
  }

  // Flags that some architectures have. What the list of architectures says of biases stands unless a key denies it.
  void read_variants() {
    const std::string_view type = known_.model_type;
    const bool attention_bias = flag(c_, "attention_bias", out_.qkv_bias);
    out_.qkv_bias = attention_bias || flag(c_, "use_qkv_bias", false);
    if (type != "glm4" && type != "qwen2_moe" && !type.starts_with("qwen2")) out_.output_bias = attention_bias;
    out_.mlp_bias = flag(c_, "mlp_bias", out_.mlp_bias);
    if (type == "starcoder2" || type == "falcon") {
      const bool biases = type == "falcon" ? flag(c_, "bias", false) : flag(c_, "use_bias", true);
      out_.qkv_bias = out_.output_bias = out_.mlp_bias = biases;
    }
    if (type == "falcon" && !flag(c_, "new_decoder_architecture", false)) {
      if (flag(c_, "multi_query", true)) out_.kv_heads = 1;
      out_.one_norm = flag(c_, "parallel_attn", true);
    }
    if (type == "gpt_bigcode" && !flag(c_, "multi_query", true)) out_.kv_heads = out_.heads;
  }

  Result<void> read_experts() {
    out_.experts = number(c_, {"num_local_experts", "num_experts", "n_routed_experts"}, known_.has_experts ? 8 : 0);
    if (!known_.has_experts && is_known()) out_.experts = 0;
    out_.expert_width = number(c_, {"moe_intermediate_size"}, out_.intermediate_size);
    out_.shared_expert_width = number(c_, {"shared_expert_intermediate_size"});
    if (const std::int64_t shared = number(c_, {"n_shared_experts"}); shared > 0 && shared <= largest)
      out_.shared_expert_width = shared * std::min(out_.expert_width, largest);
    out_.dense_layers = number(c_, {"first_k_dense_replace"});
    out_.expert_step = std::max<std::int64_t>(1, number(c_, {"decoder_sparse_step", "interleave_moe_layer_step"}, 1));
    if (known_.model_type == "llama4_text") {
      out_.shared_expert_width = out_.intermediate_size;
      out_.intermediate_size = number(c_, {"intermediate_size_mlp"}, out_.intermediate_size);
    }
    if (out_.experts < 0 || out_.shared_expert_width < 0 || out_.expert_width < 1 ||
        out_.experts * out_.layers > 65536 || out_.expert_width > largest || out_.shared_expert_width > largest ||
        out_.intermediate_size < 1 || out_.intermediate_size > largest)
      return error(Errc::corrupt_file, "{}: {} layers of {} experts of width {} are more than a model could have",
                   place_, out_.layers, out_.experts, std::max(out_.expert_width, out_.shared_expert_width));
    if (out_.experts == 0) return {};
    const std::int64_t active = number(c_, {"num_experts_per_tok", "experts_per_token"}, 2);
    out_.mlp_width = std::clamp<std::int64_t>(active, 1, out_.experts) * out_.expert_width + out_.shared_expert_width;
    return {};
  }

  void read_windows() {
    const Json* types = present(c_, "layer_types");
    const bool has_key = c_.contains("sliding_window") || c_.contains("attention_chunk_size");
    const std::int64_t window =
        number(c_, {"sliding_window", "attention_chunk_size"}, has_key ? 0 : known_.default_window);
    const bool switched_on = flag(c_, "use_sliding_window", !known_.may_slide);
    if (window < 1 || window >= out_.max_positions || !switched_on) return;
    const std::int64_t every = number(c_, {"sliding_window_pattern"}, known_.full_every);
    const std::int64_t first = known_.may_slide ? number(c_, {"max_window_layers"}, 28) : 0;
    const bool slides = known_.slides || known_.may_slide || known_.full_every > 0;
    std::int64_t count = 0;
    out_.windows.assign(std::size_t(out_.layers), 0);
    for (std::int64_t layer = 0; layer < out_.layers; ++layer) {
      bool here = slides && layer >= first && (every <= 1 || (layer + 1) % every != 0);
      if (types && types->is_array() && std::int64_t(types->size()) == out_.layers)
        here = !is_text((*types)[std::size_t(layer)], "full_attention");
      if (!here) continue;
      out_.windows[std::size_t(layer)] = window;
      ++count;
    }
    if (count > 0)
      out_.notes.push_back(
          fmt::format("{} of {} layers look back {} tokens only, and the KV cache counts no more of them", count,
                      out_.layers, window));
  }

  const Json &c_, &whole_;
  std::string_view place_;
  const Architecture& known_;
  Outline out_;
};

Result<Outline> read_shape(const Json& config, std::string_view place) {
  if (!config.is_object()) return error(Errc::corrupt_file, "{}: expected a JSON object", place);
  NIBBLE_TRY(Outline out, OutlineReader(config, place).read());
  if (const Json* list = present(config, "architectures");
      list && list->is_array() && !list->empty() && (*list)[0].is_string())
    out.architecture = (*list)[0].get<std::string>();
  return out;
}

// Of an architecture that Nibble does not know, only the words in a tensor's name say what it is.
bool has(const CheckpointTensor& tensor, std::string_view word) { return tensor.name.find(word) != std::string::npos; }

bool reads_other_than_text(const CheckpointTensor& tensor) {
  return has(tensor, "vision") || has(tensor, "visual") || has(tensor, "audio") || has(tensor, "image");
}

// The tensors themselves, in place of what a config would have.
void list_tensors(const std::vector<CheckpointTensor>& tensors, Outline& out) {
  out.modules.clear();
  std::uint64_t beside = 0;
  for (const CheckpointTensor& tensor : tensors) {
    if (reads_other_than_text(tensor)) beside += tensor.elements();
    const std::int64_t cols = tensor.shape.size() >= 2 ? tensor.shape.back() : 0;
    const auto elements = std::int64_t(tensor.elements());
    out.modules.push_back({.name = tensor.name,
                           .role = likely_role(tensor),
                           .rows = cols > 0 ? elements / cols : elements,
                           .cols = cols});
  }
  if (beside > 0)
    out.notes.push_back(
        fmt::format("{} of the parameters read images or sound, and are counted as linear weights", beside));
}

}  // namespace

Role likely_role(const CheckpointTensor& tensor) {
  if (tensor.shape.size() < 2) return has(tensor, "bias") ? Role::bias : Role::norm;
  if (!reads_other_than_text(tensor) && (has(tensor, "embed_tokens") || has(tensor, "wte."))) return Role::embedding;
  return has(tensor, "lm_head") ? Role::head : Role::linear;
}

Result<Outline> read_outline(const Json& config, std::string_view place) {
  NIBBLE_TRY(Outline out, read_shape(config, place));
  if (!is_known(config))
    out.notes.push_back(
        fmt::format("model_type \"{}\" is not known: counted as a Llama of the sizes that it names", out.model_type));
  for (const char* part : {"vision_config", "audio_config"})
    if (const Json* found = present(config, part); found && found->is_object())
      out.notes.push_back(fmt::format(
          "{} describes weights that are not counted here: config.json does not list them, a folder's headers do",
          part));
  out.modules = list_modules(out);
  return out;
}

Result<Outline> read_outline(const Json& config, const std::vector<CheckpointTensor>& tensors, std::string_view place) {
  // What is packed has other shapes than the model.
  if (config.is_object() && present(config, "quantization_config")) return read_outline(config, place);
  auto shape = read_shape(config, place);
  if (!shape && shape.error().code != Errc::unsupported) return shape.error();
  Outline out;
  if (shape) {
    out = std::move(*shape);
    if (!is_known(config))
      out.notes.push_back("its KV cache and activations are counted as those of a Llama of these sizes");
  } else {
    out.architecture = out.model_type = text_under(config, "model_type");
    out.notes.push_back("its KV cache and activations are not counted: config.json says nothing that is understood");
  }
  list_tensors(tensors, out);
  return out;
}

}  // namespace nibble
