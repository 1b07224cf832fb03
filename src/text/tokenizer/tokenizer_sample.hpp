// Text on which two tokenizers that should be the same are compared.
#pragma once

#include "text/tokenizer/model_tokenizer.hpp"

namespace nibble {

// Errors: unsupported, with the first piece of text that `written` reads otherwise than `original`.
Result<void> check_same_tokenizer(const Tokenizer& original, const Tokenizer& written);

}  // namespace nibble
