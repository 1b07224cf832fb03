// The types of metadata values, as a GGUF file numbers them.
#pragma once

#include <cstdint>

namespace nibble::gguf_value_type {

enum Type : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, array, u64, i64, f64 };

}  // namespace nibble::gguf_value_type
