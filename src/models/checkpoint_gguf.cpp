// A GGUF file seen through Hugging Face's words.
#include "models/architectures.hpp"
#include "models/checkpoint.hpp"
#include "models/gguf_config.hpp"
#include "models/gguf_rope.hpp"
#include "models/part_names.hpp"

namespace nibble {
namespace {

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
  config_["dtype"] = "bfloat16";  // of block types: see unquantized_dtype_of
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
    const Part part = part_of(tensor.name);
    if (read->rope_order) tensor.rope_heads = rope_heads_of(part, read->heads, read->kv_heads);
    if (tensor.rope_heads > 0 && tensor.rows() % (2 * tensor.rope_heads) != 0)
      return error(Errc::corrupt_file, "{}: tensor \"{}\" has {} rows, which {} heads do not divide", path_.string(),
                   stored.name, tensor.rows(), tensor.rope_heads);
    if (tensor.name == gguf_rope_tensor && read->heads > 0)
      if (auto ok = check_rope_divisors(tensor, read->head_dim); !ok) return ok.error().at(path_.string());
    if (part == Part::embedding) {
      config_["vocab_size"] = tensor.rows();
      if (tensor.dtype == DType::f32 || tensor.dtype == DType::f64) config_["dtype"] = "float32";
      if (tensor.dtype == DType::f16) config_["dtype"] = "float16";
    }
    NIBBLE_CHECK(add(std::move(tensor)));
  }
  config_["tie_word_embeddings"] = index_.count("lm_head.weight") == 0;
  // Files say by the presence of a bias what config.json says by a flag.
  const Architecture* architecture =
      config_["model_type"].is_string() ? architecture_of_type(config_["model_type"].get<std::string>()) : nullptr;
  if (architecture && architecture->reads_biases) {
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
