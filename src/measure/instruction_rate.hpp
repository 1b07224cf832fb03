// What a machine does at best of the instruction that a product is made of.
#pragma once

#include "nibble/bench.hpp"
#include "ops/backend.hpp"

namespace nibble {

// A measured rate of the machine, or a share of one.
struct InstructionRate {
  double& measured;
  double share = 1;
  double value() const { return measured * share; }
};

// Of 16-bit integers a dot product takes half as many as of 8-bit ones. Without it a multiplication of pairs and an
// addition do the work of two fused multiply-adds, in the time of two.
inline InstructionRate rate_of(Instruction instruction, MachineReport& machine) {
  switch (instruction) {
    case Instruction::bf16_dot:
      if (machine.bf16_gflops > 0) return {machine.bf16_gflops};
      break;
    case Instruction::int8_dot:
      if (machine.int8_gops > 0) return {machine.int8_gops};
      break;
    case Instruction::int16_dot:
      if (machine.int8_gops > 0) return {machine.int8_gops, 0.5};
      break;
    case Instruction::int16_madd:
    case Instruction::fp32_fma:
      break;
  }
  return {machine.fp32_gflops};
}

// Of the product that the backend takes for a weight and so many rows of x.
inline Instruction instruction_of(const Backend& backend, const PreparedWeight& weight, std::int64_t rows) {
  const std::vector<ProductChoice> considered = backend.explain(weight, rows);
  return considered.empty() ? Instruction::fp32_fma : considered.back().instruction;
}

}  // namespace nibble
