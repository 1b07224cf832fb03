// Perplexity, and the distance between two models' predictions on the same text.
//
// Recipe of perplexity: the text's ids are cut into non-overlapping windows of min(context, 2048) tokens, a BOS in
// front of each window where the tokenizer adds one; every token but the first of a window is predicted; perplexity is
// exp(mean nll), in nats.
//
// Standard errors. Let x_1 ... x_n be the losses (negative log-likelihoods) of the n predicted tokens, m their mean and
// s^2 = sum (x_i - m)^2 / (n - 1). Then se(m) = s / sqrt(n), and since d exp(m) / dm = exp(m), to first order (the
// delta method) se(perplexity) = perplexity * s / sqrt(n). The mean KL has the same form over its positions. For a
// model and a reference on the same tokens the differences d_i = x_i - r_i count: their perplexities have the ratio
// exp(mean d), and its standard error is exp(mean d) * s_d / sqrt(n), much less than those of the two suggest, because
// what is hard to predict is hard for both. All take tokens for independent, which neighbours are not quite, and say
// how another text of the same kind would differ, not how another kind would.
//
// Bits per byte: the sum of the losses over ln 2 and over the bytes of UTF-8 that the predicted tokens stand for;
// unlike perplexity it can be compared between tokenizers.
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
  double mean_kl_se = 0;      // standard error
};

// What the reference itself makes of the tokens, and the ratio of both perplexities, model to reference.
struct ReferencePerplexity {
  double perplexity = 0, perplexity_se = 0, ratio = 0, ratio_se = 0;
};

struct Evaluation {
  double perplexity = 0, mean_nll = 0;
  double perplexity_se = 0, mean_nll_se = 0;  // standard errors
  std::optional<double> bits_per_byte;        // not known for ids whose text nobody asked the tokenizer for
  std::int64_t windows = 0, context = 0, stride = 0;
  bool bos = false;
  std::vector<TokenLoss> tokens;         // every predicted token in order
  std::optional<Divergence> divergence;  // both with a reference
  std::optional<ReferencePerplexity> reference;
  double seconds = 0;
  std::string recipe;  // one sentence that says how it was computed
};

Result<Evaluation> evaluate(const Model& model, const std::vector<std::int32_t>& ids,
                            const EvaluateOptions& options = {});
// With a reference: both see the same windows, and `divergence` and `reference` are set. Vocabularies must have the
// same size.
Result<Evaluation> evaluate_against(const Model& model, const Model& reference, const std::vector<std::int32_t>& ids,
                                    const EvaluateOptions& options = {});

}  // namespace nibble
