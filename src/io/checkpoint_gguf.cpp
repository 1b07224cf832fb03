// GGUF seen through Hugging Face's words: tensor names and row order.
// Source: the row order of q and k of "llama" files.
#include <cmath>

#include "io/checkpoint.hpp"
#include "io/gguf_config.hpp"
#include "io/gguf_names.hpp"

namespace nibble {
namespace {

// Divisors of the rotary frequencies, which the transformer uses without looking.
Result<void> check_rope_factors(const CheckpointTensor& tensor, const Json& config, std::int64_t heads) {
  const std::int64_t head_dim = config["head_dim"].is_null() ? config.value("hidden_size", std::int64_t(0)) / heads
                                                             : config["head_dim"].get<std::int64_t>();
  if (tensor.dtype != DType::f32 || tensor.shape != std::vector<std::int64_t>{head_dim / 2})
    return error(Errc::corrupt_file, "tensor \"rope_freqs.weight\" is {} [{}], expected F32 [{}]", tensor.type,
                 fmt::join(tensor.shape, ", "), head_dim / 2);
  std::vector<float> values(tensor.elements());
  tensor.read(0, std::int64_t(values.size()), values.data());
  for (const float value : values)
    if (!std::isfinite(value) || value <= 0)
      return error(Errc::corrupt_file, "tensor \"rope_freqs.weight\" holds {}, expected positive numbers", value);
  return {};
}

std::optional<DType> plain_dtype(std::string_view type) {
  for (const auto& [name, dtype] :
       {std::pair{"F32", DType::f32}, {"F16", DType::f16}, {"BF16", DType::bf16}, {"F64", DType::f64}})
    if (type == name) return dtype;
  return std::nullopt;
}

}  // namespace

Result<void> Checkpoint::open_gguf() {
  NIBBLE_TRY(Gguf file, Gguf::open(path_));
  gguf_ = std::move(file);
  file_bytes_ = gguf_->file_bytes();
  auto read = read_gguf_config(*gguf_);
  if (!read) return read.error().at(path_.string());
  config_ = std::move(read->config);
  config_["dtype"] = "bfloat16";  // of block types: see kept_dtype
  for (const GgufTensor& stored : gguf_->tensors()) {
    CheckpointTensor tensor;
    tensor.name = hugging_face_name(stored.name);
    const GgmlType* type = ggml_type(stored.type);
    NIBBLE_ASSERT(type, "Gguf::parse refuses unknown types");
    tensor.type = type->name;
    tensor.shape = stored.shape;
    tensor.bytes = stored.bytes;
    tensor.block_type = type;
    tensor.dtype = plain_dtype(type->name);
    if (read->interleaved && tensor.name.find("self_attn.") != std::string::npos) {
      if (tensor.name.find("q_proj") != std::string::npos) tensor.interleaved_heads = read->heads;
      if (tensor.name.find("k_proj") != std::string::npos) tensor.interleaved_heads = read->kv_heads;
      if (tensor.interleaved_heads > 0 && tensor.rows() % (2 * tensor.interleaved_heads) != 0)
        return error(Errc::corrupt_file, "{}: tensor \"{}\" has {} rows, which {} heads do not divide", path_.string(),
                     stored.name, tensor.rows(), tensor.interleaved_heads);
    }
    if (tensor.name == "rope_freqs.weight" && read->heads > 0)
      if (auto ok = check_rope_factors(tensor, config_, read->heads); !ok) return ok.error().at(path_.string());
    if (tensor.name == "model.embed_tokens.weight") {
      config_["vocab_size"] = tensor.rows();
      if (tensor.dtype == DType::f32 || tensor.dtype == DType::f64) config_["dtype"] = "float32";
      if (tensor.dtype == DType::f16) config_["dtype"] = "float16";
    }
    NIBBLE_CHECK(add(std::move(tensor)));
  }
  config_["tie_word_embeddings"] = index_.count("lm_head.weight") == 0;
  // Files say by the presence of a bias what config.json says by a flag.
  if (is_text(config_["model_type"], "llama")) {
    config_["attention_bias"] = index_.count("model.layers.0.self_attn.q_proj.bias") != 0;
    config_["mlp_bias"] = index_.count("model.layers.0.mlp.up_proj.bias") != 0;
  }
  if (gguf_->find("tokenizer.chat_template")) {
    auto text = gguf_->text("tokenizer.chat_template");
    if (!text) return text.error().at(path_.string());
    chat_template_ = *text;
  }
  return {};
}

}  // namespace nibble
