// GGUF seen through Hugging Face's words: tensor names, config.json keys, row order.
// Source: the metadata keys and tensor names of gguf-py's constants; the row order of q and k of "llama" files.
#include <array>
#include <charconv>

#include "io/checkpoint.hpp"

namespace nibble {
namespace {

struct Renaming {
  std::string_view gguf, hugging_face;
};
constexpr std::array<Renaming, 4> outer_names = {{{"token_embd.weight", "model.embed_tokens.weight"},
                                                  {"output_norm.weight", "model.norm.weight"},
                                                  {"output.weight", "lm_head.weight"},
                                                  {"rope_freqs.weight", "rope_freqs.weight"}}};
constexpr std::array<Renaming, 11> layer_names = {{{"attn_norm", "input_layernorm"},
                                                   {"attn_q", "self_attn.q_proj"},
                                                   {"attn_k", "self_attn.k_proj"},
                                                   {"attn_v", "self_attn.v_proj"},
                                                   {"attn_output", "self_attn.o_proj"},
                                                   {"attn_q_norm", "self_attn.q_norm"},
                                                   {"attn_k_norm", "self_attn.k_norm"},
                                                   {"ffn_norm", "post_attention_layernorm"},
                                                   {"ffn_gate", "mlp.gate_proj"},
                                                   {"ffn_up", "mlp.up_proj"},
                                                   {"ffn_down", "mlp.down_proj"}}};

// "blk.3.attn_q.weight" becomes "model.layers.3.self_attn.q_proj.weight"; unknown names stay as they are.
std::string hugging_face_name(std::string_view name) {
  for (const Renaming& entry : outer_names)
    if (entry.gguf == name) return std::string(entry.hugging_face);
  if (name.substr(0, 4) != "blk.") return std::string(name);
  const auto dot = name.find('.', 4), end = name.rfind('.');
  if (dot == name.npos || end <= dot) return std::string(name);
  const std::string_view layer = name.substr(4, dot - 4), module = name.substr(dot + 1, end - dot - 1);
  for (const Renaming& entry : layer_names)
    if (entry.gguf == module) return fmt::format("model.layers.{}.{}{}", layer, entry.hugging_face, name.substr(end));
  return std::string(name);
}

struct Architecture {
  std::string_view gguf, architecture, model_type;
  bool interleaved;  // q and k rows in llama.cpp's rope order
};
constexpr std::array<Architecture, 3> architectures = {{{"llama", "LlamaForCausalLM", "llama", true},
                                                        {"qwen2", "Qwen2ForCausalLM", "qwen2", false},
                                                        {"qwen3", "Qwen3ForCausalLM", "qwen3", false}}};

// Metadata with a default: absent keys keep it, a wrong type is an error.
Result<void> read_number(const Gguf& file, const std::string& key, Json& out) {
  if (!file.find(key)) return {};
  if (auto integer = file.integer(key)) return out = *integer, Result<void>();
  NIBBLE_TRY(const double number, file.number(key));
  out = number;
  return {};
}

Result<Json> rope_from_metadata(const Gguf& file, const std::string& prefix) {
  Json rope = {{"rope_type", "default"}, {"rope_theta", 10000.0}};
  NIBBLE_CHECK(read_number(file, prefix + "rope.freq_base", rope["rope_theta"]));
  if (file.find(prefix + "rope.scaling.type")) {
    NIBBLE_TRY(const std::string type, file.text(prefix + "rope.scaling.type"));
    if (type != "none") {
      rope["rope_type"] = type;
      Json factor = 1.0;
      NIBBLE_CHECK(read_number(file, prefix + "rope.scaling.factor", factor));
      rope["factor"] = factor;
      Json original;
      NIBBLE_CHECK(read_number(file, prefix + "rope.scaling.original_context_length", original));
      if (!original.is_null()) rope["original_max_position_embeddings"] = original;
    }
  }
  return rope;
}

}  // namespace

Result<void> Checkpoint::open_gguf() {
  NIBBLE_TRY(Gguf file, Gguf::open(path_));
  gguf_ = std::move(file);
  const Gguf& gguf = *gguf_;
  file_bytes_ = gguf.file_bytes();
  NIBBLE_TRY(const std::string name, gguf.text("general.architecture"));
  const Architecture* architecture = nullptr;
  for (const Architecture& entry : architectures)
    if (entry.gguf == name) architecture = &entry;

  const std::string prefix = name + ".";
  Json& config = config_;
  config = Json::object();
  // An architecture that Nibble does not run is still inspected: its name is passed on and refused by the loader.
  config["architectures"] = Json::array({architecture ? std::string(architecture->architecture) : name});
  config["model_type"] = architecture ? std::string(architecture->model_type) : name;
  config["head_dim"] = config["sliding_window"] = nullptr;  // not given means none here, a default in config.json
  for (const auto& [key, out] : {std::pair{"embedding_length", "hidden_size"},
                                 {"block_count", "num_hidden_layers"},
                                 {"feed_forward_length", "intermediate_size"},
                                 {"attention.head_count", "num_attention_heads"},
                                 {"attention.head_count_kv", "num_key_value_heads"},
                                 {"context_length", "max_position_embeddings"},
                                 {"attention.layer_norm_rms_epsilon", "rms_norm_eps"},
                                 {"attention.key_length", "head_dim"},
                                 {"attention.sliding_window", "sliding_window"}}) {
    Json value;
    NIBBLE_CHECK(read_number(gguf, prefix + key, value));
    if (!value.is_null()) config[out] = value;
  }
  if (!config.contains("num_key_value_heads") && config.contains("num_attention_heads"))
    config["num_key_value_heads"] = config["num_attention_heads"];
  NIBBLE_TRY(config["rope_parameters"], rope_from_metadata(gguf, prefix));
  config["hidden_act"] = "silu";
  config["dtype"] = "bfloat16";
  for (const auto& [key, out] :
       {std::pair{"tokenizer.ggml.bos_token_id", "bos_token_id"}, {"tokenizer.ggml.eos_token_id", "eos_token_id"}}) {
    Json value;
    NIBBLE_CHECK(read_number(gguf, key, value));
    if (!value.is_null()) config[out] = value;
  }

  const std::int64_t heads = config.value("num_attention_heads", std::int64_t(0)),
                     kv_heads = config.value("num_key_value_heads", heads);
  for (const GgufTensor& stored : gguf.tensors()) {
    CheckpointTensor tensor;
    tensor.name = hugging_face_name(stored.name);
    const GgmlType* type = ggml_type(stored.type);
    if (!type)
      return error(Errc::corrupt_file, "{}: tensor \"{}\" has unknown type {}", path_.string(), stored.name,
                   stored.type);
    tensor.type = type->name, tensor.shape = stored.shape, tensor.bytes = stored.bytes, tensor.block_type = type;
    if (type->name == "F32")
      tensor.dtype = DType::f32;
    else if (type->name == "F16")
      tensor.dtype = DType::f16;
    else if (type->name == "BF16")
      tensor.dtype = DType::bf16;
    else if (type->name == "F64")
      tensor.dtype = DType::f64;
    if (architecture && architecture->interleaved && tensor.name.find("self_attn.") != std::string::npos) {
      if (tensor.name.find("q_proj") != std::string::npos) tensor.interleaved_heads = heads;
      if (tensor.name.find("k_proj") != std::string::npos) tensor.interleaved_heads = kv_heads;
      if (tensor.interleaved_heads > 0 && tensor.rows() % (2 * tensor.interleaved_heads) != 0)
        return error(Errc::corrupt_file, "{}: tensor \"{}\" has {} rows, which {} heads do not divide", path_.string(),
                     stored.name, tensor.rows(), tensor.interleaved_heads);
    }
    if (tensor.name == "model.embed_tokens.weight") config["vocab_size"] = tensor.rows();
    NIBBLE_CHECK(add(std::move(tensor)));
  }
  config["tie_word_embeddings"] = index_.count("lm_head.weight") == 0;
  // Files say by the presence of a bias what config.json says by a flag.
  if (config["model_type"] == "llama") {
    config["attention_bias"] = index_.count("model.layers.0.self_attn.q_proj.bias") != 0;
    config["mlp_bias"] = index_.count("model.layers.0.mlp.up_proj.bias") != 0;
  }
  if (gguf.find("tokenizer.chat_template")) {
    NIBBLE_TRY(chat_template_, gguf.text("tokenizer.chat_template"));
  }
  return {};
}

}  // namespace nibble
