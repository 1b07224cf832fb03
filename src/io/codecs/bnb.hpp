// Weights as bitsandbytes stores them in safetensors: one quantized matrix is several tensors that are found by name.
//
//   4 bits: P.weight                                   codes, two per byte, under any dtype of the right size
//           P.weight.absmax                            F32 per block, or U8 codes if the scales are nested
//           P.weight.quant_map                         F32[16]
//           P.weight.nested_absmax, .nested_quant_map  F32, F32[256], only if nested
//           P.weight.quant_state.bitsandbytes__nf4     JSON in U8 (or ..__fp4; nibble__NAME of a format of our own)
//   8 bits: P.weight I8, P.SCB F32 per row, P.weight_format U8 (0: row-major)
//
// Source: bitsandbytes 0.50's QuantState and Linear8bitLt (docs/formats/bitsandbytes-layout.md).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "io/safetensors.hpp"
#include "tensor/allocator.hpp"
#include "tensor/weight.hpp"

namespace nibble {

// Finds a stored tensor by its full name; null if the checkpoint has none.
using TensorLookup = std::function<const StoredTensor*(std::string_view name)>;

// A matrix read from such tensors. The views of `weight` point into the mapped files, which must outlive it, except for
// what lies unaligned there: that is copied.
struct BnbWeight {
  Weight weight;
  DType dtype = DType::f16;  // 4 bits: what the matrix was before it was quantized, and what bitsandbytes decodes it to
  DType storage = DType::u8;   // 4 bits: the dtype under which the codes are stored
  std::vector<Buffer> copies;  // from the allocator, purpose: scales
};

// Whether the tensor `name` ("....weight") is stored quantized: it has the companions of either layout.
bool is_bnb_weight(const TensorLookup& find, std::string_view name);

// For a companion ("....weight.absmax", "....SCB") the name of the weight that it belongs to; empty for any other
// tensor.
std::string bnb_companion_of(std::string_view name);

// Checks sizes, types, maps and scales before use; an error names the tensor that is wrong.
Result<BnbWeight> read_bnb_weight(const TensorLookup& find, std::string_view name, Allocator& allocator);

// The tensors that store a matrix, in the order in which bitsandbytes names them. `bytes` point into the weight or into
// `made`; both must outlive them. Moving a BnbTensors keeps them good.
struct BnbTensors {
  std::vector<SafetensorsWriter::Entry> entries;
  std::vector<std::span<const std::byte>> bytes;  // one per entry
  std::vector<std::vector<std::byte>> made;
};

// Whether a weight has the table of its format's name; false of a format without tables. A file may bring another,
// which is computed with; but under the name it must not be written, because bitsandbytes' kernels have their own.
bool has_own_table(const Weight& weight);

// `weight` must be of a format with codes of its own: int8, nf4, fp4. A weight that was read from such tensors gives
// the same bytes again. Errors: unsupported (another table; codes that are not whole elements of `storage`).
Result<BnbTensors> write_bnb_weight(std::string_view name, const Weight& weight, DType dtype,
                                    DType storage = DType::u8);

}  // namespace nibble
