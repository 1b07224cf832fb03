// Text on which two tokenizers that should be the same are compared.
#pragma once

#include <string>
#include <unordered_set>

#include "text/tokenizer/model_tokenizer.hpp"

namespace nibble {

// `added`: contents of tokens that are found in the text before it is cut. Errors: unsupported, with the first piece of
// text that `written` reads otherwise than `original`.
Result<void> check_same_tokenizer(const Tokenizer& original, const Tokenizer& written,
                                  const std::unordered_set<std::string>& added);

}  // namespace nibble
