// The architectures that Nibble knows, an entry each: those that run, and those whose weights are only counted. The
// readers of config.json and of GGUF's metadata, the writer of GGUF and the outline ask this one list.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "models/model_shape.hpp"

namespace nibble {

struct Architecture {
  std::string_view name;        // "LlamaForCausalLM"
  std::string_view model_type;  // "llama"
  std::string_view gguf = {};   // "general.architecture" in a GGUF file; several may share it, the first is read
  bool runs = false;

  ModelShape block = {};     // how a block differs from Llama's, without sizes
  bool has_experts = false;  // how many, the config says

  // Keys of config.json that have a meaning here.
  bool reads_biases = false;  // "attention_bias" and "mlp_bias" decide
  bool slides = false;        // "sliding_window" alone turns the window on
  bool may_slide = false;     // "use_sliding_window" with layer_types or max_window_layers does

  // What an absent key means in transformers.
  bool tied_embeddings = false;
  std::int64_t default_heads = 0;     // 0: the key is needed
  std::int64_t default_kv_heads = 0;  // 0: as many as heads
  std::int64_t default_head_dim = 0;  // 0: hidden_size / heads
  std::int64_t default_positions = 32768;
  std::int64_t default_vocabulary = 0;  // 0: the key is needed

  // Of models that are only counted, without layer_types: which layers see a window alone. Every nth sees all; 1: all
  // layers slide; 0: none does.
  std::int64_t full_every = 0;
  std::int64_t default_window = 0;
  std::int64_t more_positions = -1;  // a learned embedding of positions has so many rows more than there are; -1: none

  bool gguf_rope_order = false;  // rows of q and k lie in GGUF files as gguf_rows.hpp says
};

std::span<const Architecture> architectures();

// Null: there is none.
const Architecture* architecture_of_type(std::string_view model_type);
const Architecture* architecture_of_gguf(std::string_view name, bool with_experts);

// Names of the architectures that run, for messages.
std::string architecture_names();

}  // namespace nibble
