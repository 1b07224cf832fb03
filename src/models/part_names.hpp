// What the parts of a model are called: by Hugging Face, which is how Nibble calls them, and by llama.cpp.
#pragma once

#include <string>
#include <string_view>

#include "models/modules.hpp"

namespace nibble {

// "blk.3.attn_q.weight" becomes "model.layers.3.self_attn.q_proj.weight" and back; what is not in the table stays.
std::string hugging_face_name(std::string_view gguf);
std::string gguf_name(std::string_view hugging_face);

// The part of the tensor with this Hugging Face name; Part::other: the table does not have it.
Part part_of(std::string_view name);

}  // namespace nibble
