// For tests: the folders that transformers and bitsandbytes saved.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace nibble {

inline const std::filesystem::path folder = NIBBLE_SOURCE_DIR "/tests/golden/quantization";
inline constexpr const char* golden_folders[] = {"llama-nf4", "llama-nf4-double", "llama-fp4", "llama-int8"};

inline bool names(const std::string& message, std::string_view part) { return message.find(part) != std::string::npos; }

}  // namespace nibble
