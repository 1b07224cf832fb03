// What every examination of a model begins with: the model as it is stored, computed in fp32, and a sample text.
#pragma once

#include "engine/load.hpp"
#include "nibble/doctor.hpp"

namespace nibble {

// As stored, so nothing is copied; products in fp32, so that nothing is rounded but what the file rounded.
LoadOptions reference_options(const ExamineOptions& options);

// The text's first tokens, with a BOS where the tokenizer adds one. bad_request if there are fewer than 32.
Result<std::vector<std::int32_t>> sample_tokens(LoadedModel& model, const ExamineOptions& options);

// Whether the caller asked to stop: then an error of that kind.
Result<void> check_stop(const ExamineOptions& options);

}  // namespace nibble
