// What a GGUF file of blocks calls itself.
#pragma once

#include <string>

#include "models/checkpoint.hpp"

namespace nibble {

// "Q4_1" where all linear layers have this type. Of a mix the name that "general.file_type" gives it, if the tensors
// agree ("Q4_K_M (mixed)"), else its types, most bytes first ("Q4_K, Q6_K"). Empty: no linear layer is of blocks.
std::string gguf_file_type(const Checkpoint& checkpoint);

}  // namespace nibble
