// The only lists of formats. Everything that exists once per format (size arithmetic, reference, kernels, tests,
// benchmarks, help text) is made by visiting it: to add a format, write its header and add it here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "formats/blocks.hpp"
#include "formats/dense.hpp"
#include "formats/fp4.hpp"
#include "formats/int8.hpp"
#include "formats/nf4.hpp"

namespace nibble {

// How the scales of a format are laid out: a fact beside the codes, and stored beside them.
enum class ScaleLayout { none, per_row, per_block };

template <class F>
concept DenseFormat = requires(typename F::Code code) {
  F::value(code);
};
template <class F>
concept TableFormat = F::bits == 4 && requires(float t) {
  F::table[15];
  F::encode(t);
};
template <class F>
concept RowCodeFormat = F::bits == 8 && requires {
  F::step;
};

template <class F>
concept BlockFormat = F::elements >
0 && F::bytes > 0 && requires(const std::byte* block) { F::value(block, 0); };

template <class F>
constexpr ScaleLayout scale_layout() {
  static_assert(DenseFormat<F> || TableFormat<F> || RowCodeFormat<F>);
  return DenseFormat<F> ? ScaleLayout::none : TableFormat<F> ? ScaleLayout::per_block : ScaleLayout::per_row;
}

template <class... F>
struct FormatList {};

// What weights are quantized to, and what is only read, from files that hold it.
using AllFormats = FormatList<Fp32, Fp16, Bf16, Int8, Nf4, Fp4>;
using BlockFormats =
    FormatList<BlockQ8_0, BlockQ4_0, BlockQ4_1, BlockQ5_0, BlockQ5_1, BlockQ4_K, BlockQ5_K, BlockQ6_K, BlockIq4Nl>;

// Text to static type: calls fn.operator()<F>() for the format of that name; false if there is none.
template <class Fn, class... F>
bool visit_format(std::string_view name, Fn&& fn, FormatList<F...>) {
  return ((name == F::name ? (fn.template operator()<F>(), true) : false) || ...);
}
template <class Fn>
bool visit_format(std::string_view name, Fn&& fn) {
  return visit_format(name, fn, AllFormats{});
}

template <class Fn, class... F>
void for_each_format(Fn&& fn, FormatList<F...>) {
  (fn.template operator()<F>(), ...);
}

// Size arithmetic of one weight matrix, known before a byte is read.
struct FormatFacts {
  std::string_view name;
  int bits = 0;
  ScaleLayout scales = ScaleLayout::none;
  int block_elements = 1, block_bytes = 0;  // of a block format, whose rows are whole blocks; bits is then 0

  bool is_block() const { return block_bytes > 0; }
  std::uint64_t code_bytes(std::uint64_t elements) const {
    if (is_block()) return elements / std::uint64_t(block_elements) * std::uint64_t(block_bytes);
    return (elements * std::uint64_t(bits) + 7) / 8;
  }
  std::uint64_t scale_count(std::uint64_t rows, std::uint64_t cols, std::uint64_t block) const {
    if (scales == ScaleLayout::none) return 0;
    if (scales == ScaleLayout::per_row) return rows;
    return (rows * cols + block - 1) / block;
  }
};

// Facts by name; name is empty if there is no such format.
inline FormatFacts format_facts(std::string_view name) {
  FormatFacts facts;
  visit_format(name, [&]<class F>() { facts = {F::name, F::bits, scale_layout<F>()}; });
  visit_format(
      name,
      [&]<class F>() {
        facts = {F::name, 0, ScaleLayout::none, F::elements, F::bytes};
      },
      BlockFormats{});
  return facts;
}

// "fp32, fp16, bf16, ...", for messages and help.
inline std::string format_names() {
  std::string names;
  for_each_format([&]<class F>() { names += (names.empty() ? "" : ", ") + std::string(F::name); }, AllFormats{});
  return names;
}

}  // namespace nibble
