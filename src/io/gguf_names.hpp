// llama.cpp's names of tensors and Hugging Face's, both ways; names that are not in the table stay as they are.
#pragma once

#include <string>
#include <string_view>

namespace nibble {

// "blk.3.attn_q.weight" becomes "model.layers.3.self_attn.q_proj.weight".
std::string hugging_face_name(std::string_view gguf);
std::string gguf_name(std::string_view hugging_face);

}  // namespace nibble
