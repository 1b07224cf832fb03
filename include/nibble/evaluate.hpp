// Perplexity, and the distance between two models' predictions on the same text.
//
// Recipe of perplexity: the text's ids are cut into non-overlapping windows of min(context, 2048) tokens, a BOS in
// front of each window where the tokenizer adds one; every token but the first of a window is predicted; perplexity is
// exp(mean nll), in nats.
//
// Threads: both functions compute, which one thread at a time may do with one loaded model.
// Implemented in src/measure/evaluate.cpp.
#pragma once

#include "nibble/model.hpp"

namespace nibble {

enum class Bos { as_tokenizer, always, never };

struct EvaluateOptions {
  std::int64_t context = 0;  // window length; 0: min(the model's maximum, 2048)
  std::int64_t stride = 0;   // new tokens per window; 0: context (no overlap). Only new tokens are scored.
  Bos bos = Bos::as_tokenizer;
  std::int64_t max_tokens = 0;  // 0: the whole text
  // If set, a safetensors file of every prediction: "target_ids" (I64, what came) and "logits" (F32, by vocabulary).
  std::filesystem::path logits_file = {};
  Progress progress = {};
  std::function<bool()> stop = {};  // asked between passes
};

struct TokenLoss {
  std::int32_t id;
  double nll;  // nats
};

// Distance of a model from a reference on the same positions. KL(reference || model) in nats.
struct Divergence {
  double mean_kl = 0, p99_kl = 0, max_kl = 0,
         top1_agreement = 0;  // agreement: share of positions with the same most likely token
};

struct Evaluation {
  double perplexity = 0, mean_nll = 0;
  std::int64_t windows = 0, context = 0;
  bool bos = false;
  std::vector<TokenLoss> tokens;  // every predicted token in order
  std::optional<Divergence> divergence;
  double seconds = 0;
  std::string recipe;  // one sentence that says how it was computed
};

Result<Evaluation> evaluate(const Model& model, const std::vector<std::int32_t>& ids,
                            const EvaluateOptions& options = {});
// With a reference: both see the same windows, and `divergence` is set. Vocabularies must have the same size.
Result<Evaluation> evaluate_against(const Model& model, const Model& reference, const std::vector<std::int32_t>& ids,
                                    const EvaluateOptions& options = {});

}  // namespace nibble
