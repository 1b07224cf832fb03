// How a backend says which of its products it would take for a weight, and why not a better one.
#pragma once

#include <cstdint>
#include <string_view>

namespace nibble {

// The multiplication that a product is made of: its rate on a machine is what the product is measured against.
enum class Instruction : std::uint8_t { fp32_fma, bf16_dot, int8_dot, int16_dot, int16_madd };

constexpr std::string_view name_of(Instruction instruction) {
  constexpr std::string_view names[] = {"fp32 fma", "bf16 dot", "int8 dot", "int16 dot", "int16 madd"};
  return names[int(instruction)];
}

// A product that was considered.
struct ProductChoice {
  std::string_view product, layout;  // its name, and how it wants rows of x
  Instruction instruction = Instruction::fp32_fma;
  std::string_view schedule;  // how it goes about the number of rows
  std::string_view why_not;   // empty: this is the product that is taken
};

}  // namespace nibble
