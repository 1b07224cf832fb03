// Evaluation that also shows every row of logits to a visitor, in the order of Evaluation::tokens.
#pragma once

#include <span>

#include "nibble/evaluate.hpp"

namespace nibble {

using LogitsVisitor = std::function<void(std::span<const float> logits)>;
Result<Evaluation> evaluate_logits(const Model& model, const std::vector<std::int32_t>& ids,
                                   const EvaluateOptions& options, const LogitsVisitor& visit);

}  // namespace nibble
