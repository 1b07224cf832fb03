// Which modules a model has and how big they are: what a model that runs and one that is only counted have in common.
#pragma once

#include <cstdint>

namespace nibble {

struct ModelShape {
  std::int64_t hidden_size = 0, intermediate_size = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0;
  std::int64_t vocab_size = 0;
  bool tied_embeddings = false;
  // How a block differs from Llama's.
  bool qkv_bias = false, output_bias = false, mlp_bias = false, qk_norm = false;
  bool fused = false;       // q, k and v are one weight, gate and up another
  bool four_norms = false;  // behind attention and MLP too
  bool sinks = false;       // attention has a learned sink per head
  // The MLP is a mixture of experts, if there are some; a shared expert sees every token.
  std::int64_t experts = 0, expert_width = 0, shared_expert_width = 0;
  bool expert_biases = false;  // of the router and of all experts

  // Of models that are only counted.
  bool plain_mlp = false;       // up and down without a gate
  bool norm_biases = false;     // norms subtract the mean and have a bias
  bool one_norm = false;        // a block has one norm, for attention and MLP
  bool wide_qk_norm = false;    // the norms of q and k go over all heads
  bool embedding_norm = false;  // behind the embedding
  bool head_bias = false;
  bool no_shared_router = false;                   // the shared expert always counts
  std::int64_t learned_positions = 0;              // rows of a second embedding
  std::int64_t dense_layers = 0, expert_step = 1;  // layers without experts at the beginning; then every nth has some
  std::int64_t q_rank = 0, kv_rank = 0, rope_dim = 0, value_dim = 0;  // kv_rank > 0: latent attention (DeepSeek)
};

}  // namespace nibble
