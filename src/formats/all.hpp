// The only lists of formats. Everything that exists once per format (size arithmetic, reference, kernels, tests,
// benchmarks, help text) is made by visiting it: to add a format, write its header and add it here.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "formats/blocks.hpp"
#include "formats/dense.hpp"
#include "formats/fp4.hpp"
#include "formats/int8.hpp"
#include "formats/nf4.hpp"
#include "nibble/precision.hpp"

namespace nibble {

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

// What the header of a format says, as values. `precision` is asked of every format that weights are quantized to;
// `bitsandbytes` and `gguf`, the names it has in their files, of those that are in them.
template <class F>
constexpr FormatFacts facts_of_format() {
  static_assert(DenseFormat<F> || TableFormat<F> || RowCodeFormat<F> || BlockFormat<F>);
  FormatFacts facts;
  facts.name = F::name;
  if constexpr (BlockFormat<F>) {
    facts.kind = FormatKind::block;
    facts.gguf = F::name;
    facts.block_elements = F::elements;
    facts.block_bytes = F::bytes;
  } else {
    facts.kind = DenseFormat<F> ? FormatKind::dense : TableFormat<F> ? FormatKind::table : FormatKind::row;
    facts.bits = F::bits;
    facts.precision = F::precision;
    if constexpr (requires { F::bitsandbytes; }) facts.bitsandbytes = F::bitsandbytes;
    if constexpr (requires { F::gguf; }) facts.gguf = F::gguf;
  }
  return facts;
}

template <class... F>
constexpr std::array<FormatFacts, sizeof...(F)> facts_of_formats(FormatList<F...>) {
  return {facts_of_format<F>()...};
}

// The one table of precisions: names, help, messages, codecs and tests read it.
inline constexpr auto format_table = facts_of_formats(AllFormats{});
inline constexpr auto block_format_table = facts_of_formats(BlockFormats{});

// Facts by name; name is empty if there is no such format.
constexpr FormatFacts format_facts(std::string_view name) {
  for (const FormatFacts& facts : format_table)
    if (facts.name == name) return facts;
  for (const FormatFacts& facts : block_format_table)
    if (facts.name == name) return facts;
  return {};
}

// The sixteen values of a table format, in the order of the codes; empty for any other format.
std::span<const float> table_of(std::string_view format);

}  // namespace nibble
