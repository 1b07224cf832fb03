#include "ops/quantization.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "formats/all.hpp"
#include "formats/dynamic_map.hpp"
#include "ops/quantize_pieces.hpp"

namespace nibble {
namespace {

// A format's table as bitsandbytes stores it: built from integers, so fp4's minus zero is a zero.
template <TableFormat F>
constexpr std::array<float, 16> stored_table = [] {
  std::array<float, 16> table = F::table;
  for (float& value : table) value += 0.0f;
  return table;
}();

Result<void> check_options(const QuantizeOptions& options, const FormatFacts& facts, std::int64_t rows,
                           std::int64_t cols) {
  // 2^40 elements are a thousand times the largest matrix known; far below, no size computed from them can overflow.
  constexpr std::int64_t most = std::int64_t(1) << 40;
  if (rows < 0 || cols < 0 || (cols > 0 && rows > most / cols))
    return error(Errc::bad_request, "a weight of {} x {} cannot be quantized; the limit is 2^40 elements", rows, cols);
  if (facts.kind != FormatKind::table) {
    if (options.double_quant)
      return error(Errc::bad_request, "{} has no block scales to quantize again; double quantization goes with {}",
                   options.format, names_of(precisions({FormatKind::table}), " and "));
    return {};
  }
  const int block = options.block_size;
  if (block < 32 || block > 4096 || (block & (block - 1)))
    return error(Errc::bad_request, "block size {} is not one of 32, 64, 128, 256, 512, 1024, 2048, 4096", block);
  return {};
}

Error bad_weight(const ElementReader& read, const Weight& weight, std::int64_t element) {
  float value = 0;
  read(element, 1, &value);
  const std::int64_t row = element / weight.cols, col = element % weight.cols;
  if (std::isnan(value) || std::isinf(value))
    return error(Errc::corrupt_file,
                 "the weight at row {}, column {} is {}; {} needs finite weights: check the file or the training run "
                 "that wrote it",
                 row, col, std::isnan(value) ? "NaN" : "infinite", weight.format);
  return error(Errc::unsupported, "the weight at row {}, column {} is {}, beyond what 16 bits of {} hold; use bf16, {}",
               row, col, value, weight.format == Int8::name ? "fp16 (the first step of int8)" : weight.format,
               names_of(precisions({FormatKind::table}), " or "));
}

// Scales are stored as their distance from a mean, and near the end of fp32 neither mean nor distance may be a number.
Result<void> check_nested(const Weight& weight) {
  for (const float absmax : weight.nested.absmax)
    if (!std::isfinite(weight.nested.offset + absmax))
      return error(Errc::unsupported,
                   "its weights are too large for double quantization, whose scales are sums in fp32; quantize it "
                   "without, or check the training run that wrote it");
  return {};
}

// What is held while a weight is quantized: pieces of every thread, and plain scales where they are nested afterwards.
struct Scratch {
  Buffer pieces, scales;
};

Result<Scratch> take_scratch(const QuantizedWeight& out, int threads) {
  Scratch scratch;
  NIBBLE_TRY(
      scratch.pieces,
      Buffer::take(*out.allocator, std::size_t(threads) * std::size_t(scratch_elements(out.weight)) * sizeof(float),
                   Purpose::workspace));
  NIBBLE_TRY(scratch.scales,
             Buffer::take(*out.allocator, out.weight.nested.codes.size() * sizeof(float), Purpose::workspace));
  return scratch;
}

}  // namespace

std::int64_t scratch_elements(const Weight& weight) {
  if (format_facts(weight.format).kind == FormatKind::row) return std::max(piece_elements, weight.cols);
  return piece_elements + piece_elements / 4 + 64;  // fp32 values, then one byte per code and one of padding
}

Result<QuantizedWeight> allocate_quantized(Allocator& allocator, const QuantizeOptions& options, std::int64_t rows,
                                           std::int64_t cols, Purpose codes_purpose, Purpose scales_purpose) {
  const FormatFacts facts = format_facts(options.format);
  if (facts.name.empty())
    return error(Errc::bad_request, "there is no format \"{}\"; known are {}", options.format, names_of(precisions()));
  NIBBLE_CHECK(check_options(options, facts, rows, cols));

  QuantizedWeight out;
  out.allocator = &allocator;
  Weight& weight = out.weight;
  weight.format = facts.name;
  weight.rows = rows;
  weight.cols = cols;
  weight.code_bytes = facts.code_bytes(std::uint64_t(weight.elements()));
  NIBBLE_TRY(out.codes, Buffer::take(allocator, weight.code_bytes, codes_purpose));
  weight.codes = out.codes.as<std::byte>();
  if (facts.kind == FormatKind::table) {
    weight.block_size = options.block_size;
    visit_format(facts.name, [&]<class F>() {
      if constexpr (TableFormat<F>) weight.table = stored_table<F>;
    });
  }
  const std::size_t count =
      facts.scale_count(std::uint64_t(rows), std::uint64_t(cols), std::uint64_t(options.block_size));
  if (!options.double_quant) {
    NIBBLE_TRY(out.scales, Buffer::take(allocator, count * sizeof(float), scales_purpose));
    weight.scales = {out.scales.as<float>(), count};
    return out;
  }
  const std::size_t nested = (count + nested_block - 1) / nested_block;
  NIBBLE_TRY(out.nested_codes, Buffer::take(allocator, count, scales_purpose));
  NIBBLE_TRY(out.nested_absmax, Buffer::take(allocator, nested * sizeof(float), scales_purpose));
  weight.nested = {{out.nested_codes.as<std::uint8_t>(), count},
                   {out.nested_absmax.as<float>(), nested},
                   dynamic_map,
                   0,
                   int(nested_block)};
  return out;
}

Result<void> quantize(const ElementReader& read, QuantizedWeight& out, ThreadPool& pool) {
  NIBBLE_ASSERT(!format_facts(out.weight.format).is_block(), "blocks are read from files, never made here");
  if (out.weight.elements() == 0) return {};
  NIBBLE_ASSERT(out.codes, "quantize() needs memory: allocate through an allocator that hands it out");
  NIBBLE_TRY(const Scratch held, take_scratch(out, pool.size()));
  float* scratch = held.pieces.as<float>();
  FirstBadWeight bad;
  switch (format_facts(out.weight.format).kind) {
    case FormatKind::dense:
      quantize_dense(read, out, pool, scratch, bad);
      break;
    case FormatKind::row:
      quantize_rows(read, out, pool, scratch, bad);
      break;
    case FormatKind::table: {
      const auto count = std::int64_t(out.weight.nested.codes.size());
      float* scales = count > 0 ? held.scales.as<float>() : out.scales.as<float>();
      quantize_table(read, out, scales, pool, scratch, bad);
      if (count == 0 || bad.found()) break;
      nest_scales(scales, count, out, pool);
      NIBBLE_CHECK(check_nested(out.weight));
      break;
    }
    case FormatKind::block:
      break;  // asserted above
  }
  if (bad.found()) return bad_weight(read, out.weight, bad.element());
  return {};
}

Result<void> rehearse_quantize(const QuantizedWeight& out, int threads) {
  if (out.weight.elements() == 0) return {};
  NIBBLE_TRY([[maybe_unused]] const Scratch held, take_scratch(out, threads));
  return {};
}

}  // namespace nibble
