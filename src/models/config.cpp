#include "models/config.hpp"

#include "models/architectures.hpp"
#include "models/config_rope.hpp"

namespace nibble {
namespace {

constexpr std::int64_t default_window = 4096, default_window_layers = 28;

// Keys that say nothing about what the model computes when it generates text: provenance, training, generation defaults
// of old transformers, and what other readers of the same file need.
constexpr std::string_view harmless[] = {"architectures",
                                         "model_type",
                                         "transformers_version",
                                         "_name_or_path",
                                         "name_or_path",
                                         "torch_dtype",
                                         "dtype",
                                         "use_cache",
                                         "initializer_range",
                                         "attention_dropout",
                                         "hidden_dropout",
                                         "resid_pdrop",
                                         "embd_pdrop",
                                         "bos_token_id",
                                         "eos_token_id",
                                         "pad_token_id",
                                         "sep_token_id",
                                         "decoder_start_token_id",
                                         "unk_token_id",
                                         "pretraining_tp",
                                         "gradient_checkpointing",
                                         "output_attentions",
                                         "output_hidden_states",
                                         "return_dict",
                                         "return_dict_in_generate",
                                         "chunk_size_feed_forward",
                                         "use_bfloat16",
                                         "id2label",
                                         "label2id",
                                         "finetuning_task",
                                         "problem_type",
                                         "task_specific_params",
                                         "tokenizer_class",
                                         "prefix",
                                         "torchscript",
                                         "is_decoder",
                                         "is_encoder_decoder",
                                         "add_cross_attention",
                                         "cross_attention_hidden_size",
                                         "tie_encoder_decoder",
                                         "pruned_heads",
                                         "_attn_implementation",
                                         "_attn_implementation_autoset",
                                         "attn_implementation",
                                         "_flash_attn_2_enabled",
                                         "auto_map",
                                         "unsloth_version",
                                         "unsloth_fixed",
                                         "is_llama_config",
                                         "rope_interleaved",
                                         "transformers.js_config",
                                         "num_parameters",
                                         "temperature",
                                         "top_k",
                                         "top_p",
                                         "min_length",
                                         "max_length",
                                         "do_sample",
                                         "num_beams",
                                         "num_beam_groups",
                                         "repetition_penalty",
                                         "length_penalty",
                                         "diversity_penalty",
                                         "early_stopping",
                                         "no_repeat_ngram_size",
                                         "encoder_no_repeat_ngram_size",
                                         "typical_p",
                                         "bad_words_ids",
                                         "num_return_sequences",
                                         "output_scores",
                                         "forced_bos_token_id",
                                         "forced_eos_token_id",
                                         "remove_invalid_values",
                                         "exponential_decay_length_penalty",
                                         "suppress_tokens",
                                         "begin_suppress_tokens",
                                         "tf_legacy_loss",
                                         "max_new_tokens",
                                         "quantization_config"};

constexpr std::string_view read_keys[] = {
    "hidden_size",      "intermediate_size",  "num_hidden_layers",       "num_attention_heads", "num_key_value_heads",
    "head_dim",         "vocab_size",         "max_position_embeddings", "rms_norm_eps",        "rope_theta",
    "rope_scaling",     "rope_parameters",    "tie_word_embeddings",     "attention_bias",      "mlp_bias",
    "sliding_window",   "use_sliding_window", "max_window_layers",       "layer_types",         "hidden_act",
    "hidden_activation"};

Result<const Architecture*> find_architecture(const ConfigReader& reader) {
  std::string name;
  if (const Json* list = reader.find("architectures")) {
    if (!list->is_array() || (!list->empty() && !(*list)[0].is_string()))
      return error(Errc::corrupt_file, "{}: \"architectures\" is {}, expected a list of names", reader.place(),
                   shown(*list));
    if (!list->empty()) name = (*list)[0];
  }
  NIBBLE_TRY(const std::string type, reader.text("model_type", ""));
  for (const Architecture& entry : architectures()) {
    if (!entry.runs || (name.empty() ? entry.model_type != type : entry.name != name)) continue;
    if (!type.empty() && entry.model_type != type)
      return error(Errc::corrupt_file,
                   "{}: \"architectures\" says {} and \"model_type\" says \"{}\"; they contradict each other, correct "
                   "the wrong one",
                   reader.place(), name, type);
    return &entry;
  }
  return error(Errc::unsupported,
               "{}: architecture \"{}\" (model_type \"{}\") cannot be run; Nibble runs {}. `inspect` and `estimate` "
               "still work on it",
               reader.place(), name.empty() ? "?" : name, type, architecture_names());
}

Result<void> refuse_unknown(const ConfigReader& reader, const Json& config, const std::vector<std::string>& ignore) {
  for (const auto& [key, value] : config.items()) {
    if (ConfigReader::is_among(harmless, key) || ConfigReader::is_among(read_keys, key) ||
        ConfigReader::is_among(ignore, key))
      continue;
    // A feature that is switched off changes nothing, whatever it is.
    if (value.is_null() || value == false || (value.is_structured() && value.empty())) continue;
    return error(Errc::unsupported,
                 "{}: \"{}\": {} is not understood, and ignoring it could change what the model computes; "
                 "if it is harmless, say so with --ignore-config {}",
                 reader.place(), key, shown(value), key);
  }
  return {};
}

Result<void> read_windows(const ConfigReader& reader, const Architecture& architecture, ModelConfig& out) {
  out.windows.assign(std::size_t(out.layers), 0);
  NIBBLE_TRY(const bool switched_on, reader.flag("use_sliding_window", false));
  const bool windows = architecture.slides || architecture.may_slide;
  if (reader.absent("sliding_window") ? !windows : !reader.find("sliding_window")) return {};
  NIBBLE_TRY(const std::int64_t window, reader.size("sliding_window", default_window, ConfigReader::most_positions));
  if (!architecture.slides && !(architecture.may_slide && switched_on)) {
    if (!architecture.may_slide && out.max_positions > window)
      return error(Errc::unsupported, "{}: \"sliding_window\": {} has no meaning for {}", reader.place(), window,
                   architecture.name);
    return {};
  }
  std::int64_t first = 0;
  if (architecture.may_slide) {
    NIBBLE_TRY(first, reader.layers("max_window_layers", default_window_layers));
  }
  for (std::int64_t layer = 0; layer < out.layers; ++layer) out.windows[layer] = layer >= first ? window : 0;
  return {};
}

// "layer_types" overrules the window rules where it is present.
Result<void> read_layer_types(const ConfigReader& reader, ModelConfig& out) {
  const Json* types = reader.find("layer_types");
  if (!types) return {};
  if (!types->is_array() || std::int64_t(types->size()) != out.layers)
    return error(Errc::corrupt_file, "{}: \"layer_types\" should list {} layers", reader.place(), out.layers);
  for (std::int64_t layer = 0; layer < out.layers; ++layer) {
    const Json& type = (*types)[layer];
    if (is_text(type, "full_attention")) {
      out.windows[layer] = 0;
    } else if (is_text(type, "sliding_attention")) {
      NIBBLE_TRY(out.windows[layer], reader.size("sliding_window", -1, ConfigReader::most_positions));
    } else {
      return error(Errc::unsupported, "{}: \"layer_types\"[{}]: {} is not supported", reader.place(), layer,
                   shown(type));
    }
  }
  return {};
}

Result<void> read_sizes(const ConfigReader& reader, const Architecture& architecture, ModelConfig& out) {
  NIBBLE_TRY(out.hidden_size, reader.size("hidden_size"));
  NIBBLE_TRY(out.intermediate_size, reader.size("intermediate_size"));
  NIBBLE_TRY(out.layers, reader.size("num_hidden_layers"));
  NIBBLE_TRY(out.heads, reader.size("num_attention_heads"));
  const bool own_kv_heads = architecture.default_kv_heads > 0 && reader.absent("num_key_value_heads");
  NIBBLE_TRY(out.kv_heads,
             reader.size("num_key_value_heads", own_kv_heads ? architecture.default_kv_heads : out.heads));
  const bool own_head_dim = architecture.default_head_dim > 0 && reader.absent("head_dim");
  if (!own_head_dim && !reader.find("head_dim") && out.hidden_size % out.heads != 0)
    return error(Errc::corrupt_file,
                 "{}: {} attention heads do not divide \"hidden_size\" {}, and there is no \"head_dim\"",
                 reader.place(), out.heads, out.hidden_size);
  const std::int64_t even_share = std::max<std::int64_t>(1, out.hidden_size / out.heads);
  NIBBLE_TRY(out.head_dim, reader.size("head_dim", own_head_dim ? architecture.default_head_dim : even_share));
  NIBBLE_TRY(out.vocab_size, reader.size("vocab_size", -1, ConfigReader::most_positions));
  NIBBLE_TRY(out.max_positions,
             reader.size("max_position_embeddings", architecture.default_positions, ConfigReader::most_positions));
  return {};
}

// What no size by itself can say.
Result<void> check_sizes(const ModelConfig& config, std::string_view place) {
  if (config.layers > 4096)
    return error(Errc::corrupt_file, "{}: \"num_hidden_layers\" is {}, more than 4096", place, config.layers);
  if (config.heads * config.head_dim > ConfigReader::largest)
    return error(Errc::corrupt_file, "{}: {} attention heads of {} are more than {} values", place, config.heads,
                 config.head_dim, ConfigReader::largest);
  if (config.heads % config.kv_heads != 0)
    return error(Errc::corrupt_file, "{}: {} attention heads cannot share {} key/value heads evenly", place,
                 config.heads, config.kv_heads);
  if (config.head_dim % 2 != 0)
    return error(Errc::corrupt_file, "{}: \"head_dim\" is {}, rope needs an even number", place, config.head_dim);
  return {};
}

Result<void> read_biases(const ConfigReader& reader, const Architecture& architecture, ModelConfig& out) {
  NIBBLE_TRY(const bool attention_bias, reader.flag("attention_bias", false));
  NIBBLE_TRY(const bool mlp_bias, reader.flag("mlp_bias", false));
  if ((attention_bias || mlp_bias) && !architecture.reads_biases && !architecture.block.qkv_bias)
    return error(Errc::unsupported, "{}: biases have no meaning for {}", reader.place(), architecture.name);
  out.qkv_bias = architecture.block.qkv_bias || (architecture.reads_biases && attention_bias);
  out.output_bias = architecture.reads_biases && attention_bias;
  out.mlp_bias = architecture.reads_biases && !architecture.block.qk_norm && mlp_bias;
  return {};
}

Result<DType> read_dtype(const ConfigReader& reader) {
  NIBBLE_TRY(std::string dtype, reader.text("torch_dtype", "bfloat16"));
  NIBBLE_TRY(dtype, reader.text("dtype", dtype));
  if (dtype == "float32") return DType::f32;
  if (dtype == "float16") return DType::f16;
  if (dtype == "bfloat16") return DType::bf16;
  return error(Errc::unsupported, "{}: dtype \"{}\" is not supported; Nibble reads float32, float16, bfloat16",
               reader.place(), dtype);
}

Result<void> check_end_tokens(const Json& config, std::string_view place) {
  const auto ids = config.find("eos_token_id");
  if (ids == config.end() || ids->is_null()) return {};
  const auto is_id = [](const Json& id) { return id.is_number_integer() && id >= 0 && id < (std::int64_t(1) << 31); };
  if (ids->is_array() ? std::all_of(ids->begin(), ids->end(), is_id) : is_id(*ids)) return {};
  return error(
      Errc::corrupt_file,
      "{}: \"eos_token_id\" is {}, expected a token id or a list of them; without it texts end at their longest", place,
      shown(*ids));
}

}  // namespace

Result<void> check_generation_config(const Json& config, std::string_view place,
                                     const std::vector<std::string>& ignore) {
  if (config.is_null()) return {};  // a GGUF file has none
  if (!config.is_object()) return error(Errc::corrupt_file, "{}: expected a JSON object", place);
  for (const char* key : {"temperature", "top_p", "min_p", "repetition_penalty"})
    if (const auto value = config.find(key); value != config.end() && !value->is_null())
      if (!value->is_number() || !std::isfinite(value->get<float>()))
        return error(Errc::corrupt_file, "{}: \"{}\" is {}, expected a number", place, key, shown(*value));
  if (const auto k = config.find("top_k"); k != config.end() && !k->is_null())
    if (!k->is_number_integer() || *k < 0 || *k >= std::int64_t(1) << 31)
      return error(Errc::corrupt_file, "{}: \"top_k\" is {}, expected a whole number from 0", place, shown(*k));
  NIBBLE_TRY([[maybe_unused]] const bool sample, ConfigReader(config, place).flag("do_sample", false));
  return ConfigReader::is_among(ignore, "eos_token_id") ? Result<void>() : check_end_tokens(config, place);
}

Result<ModelConfig> read_model_config(const Json& config, std::string_view place,
                                      const std::vector<std::string>& ignore) {
  if (!config.is_object()) return error(Errc::corrupt_file, "{}: expected a JSON object", place);
  const ConfigReader reader(config, place);
  NIBBLE_TRY(const Architecture* architecture, find_architecture(reader));
  NIBBLE_CHECK(refuse_unknown(reader, config, ignore));

  ModelConfig out;
  static_cast<ModelShape&>(out) = architecture->block;
  out.architecture = architecture->name;
  out.model_type = architecture->model_type;
  NIBBLE_CHECK(read_sizes(reader, *architecture, out));
  NIBBLE_TRY(out.rms_norm_eps, reader.number("rms_norm_eps", 1e-6));
  if (out.rms_norm_eps >= 1)
    return error(Errc::corrupt_file, "{}: \"rms_norm_eps\" is {}, expected a number below 1", place, out.rms_norm_eps);
  if (!ConfigReader::is_among(ignore, "eos_token_id")) NIBBLE_CHECK(check_end_tokens(config, place));
  NIBBLE_TRY(out.tied_embeddings, reader.flag("tie_word_embeddings", architecture->tied_embeddings));
  NIBBLE_TRY(const std::string activation, reader.text("hidden_act", "silu"));
  if (activation != "silu" && activation != "swish")
    return error(Errc::unsupported, "{}: \"hidden_act\": \"{}\" is not supported; {} has silu", place, activation,
                 architecture->name);
  NIBBLE_CHECK(check_sizes(out, place));
  NIBBLE_CHECK(read_biases(reader, *architecture, out));
  NIBBLE_CHECK(read_rope(reader, out));
  NIBBLE_CHECK(read_windows(reader, *architecture, out));
  NIBBLE_CHECK(read_layer_types(reader, out));
  NIBBLE_TRY(out.dtype, read_dtype(reader));
  return out;
}

}  // namespace nibble
