// What an instruction set offers: the table of functions that every target fills and the backend calls.
//
// One order of sums for everything. The sum over k is cut into chunks of 64 (groups of 256 for four-bit codes with bf16
// products, and for ggml's blocks of 256); each lane of a vector sums its own elements over all of them, and the lanes
// are added in one fixed tree at the end. A single row (generation) and a tile of rows (prefill) do exactly that, so a
// row's result depends neither on how many rows are computed beside it nor on threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ops/backend.hpp"

namespace nibble {

inline constexpr std::int64_t chunk = 64;       // elements of k that are handled together
inline constexpr std::int64_t panel_rows = 16;  // weight rows that are expanded together into a thread's scratch

// How rows of x are laid out for a product. `paired`: within each chunk the even elements come first, then the odd
// ones, as the two nibbles of a byte come out of a vector of bytes. `grouped`: groups of 256 elements in the order in
// which the words of a vector of codes hold them (targets/table_bf16_body.hpp). `fixed16`: integers of 16 bits with one
// scale per 256 elements (targets/blocks_fixed_body.hpp).
enum class Activations : std::uint8_t { f32, f32_paired, bf16, bf16_grouped, int8, fixed16 };
// A row of x as fixed16: words, then a scale per block of 256 of them, then the sums of their parts of 32, both fp32
// and zero-padded to four blocks. Offsets in bytes.
struct FixedRow {
  std::int64_t scales, sums, bytes;
  explicit constexpr FixedRow(std::int64_t chunks)
      : scales(chunks * chunk * 2), sums(scales + (chunks + 15) / 16 * 16), bytes(sums + (chunks + 15) / 16 * 128) {}
  // Which sum is that of a part (of eight) of a block: four blocks have two vectors, of the first and the other parts.
  static constexpr std::int64_t sum_of(std::int64_t block, int part) {
    return block / 4 * 32 + part / 4 * 16 + block % 4 * 4 + part % 4;
  }
};

constexpr std::int64_t chunks_together(Activations form) { return form == Activations::bf16_grouped ? 4 : 1; }

enum class WeightKind : std::uint8_t { f32, f16, bf16, int8, table, blocks };

struct LinearCall {
  const Weight* weight = nullptr;
  WeightKind kind = WeightKind::f32;
  Activations form = Activations::f32;
  const std::byte* x = nullptr;                  // m rows of `chunks` chunks, zero-padded to whole groups
  std::int64_t x_stride = 0, m = 0, chunks = 0;  // stride in bytes
  bool expand = false;           // rows are not whole chunks, or blocks straddle them: decode to fp32 first
  const float* table = nullptr;  // 16 values rounded to the compute type
  // int8: scale of each row, 16 start values per row, and the columns that are multiplied in floating point
  const float* x_scales = nullptr;
  const std::int32_t* x_start = nullptr;
  const float* x_outliers = nullptr;              // m rows of `outliers_padded`
  const std::int32_t* outlier_columns = nullptr;  // `outliers_padded`, of which the last are 0
  std::int64_t outliers = 0, outliers_padded = 0;
  float* y = nullptr;
  std::int64_t y_stride = 0;  // in floats
  const float* bias = nullptr;
  bool add = false;
};

// Queries of one head at consecutive positions of one sequence.
struct AttentionCall {
  const CacheView* caches = nullptr;  // keys, values
  DType cache_dtype = DType::f32;
  const AttentionShape* shape = nullptr;
  std::int64_t head = 0, first = 0, count = 0;  // positions from `first` on
  const float* q = nullptr;
  float* out = nullptr;
  std::int64_t q_stride = 0, out_stride = 0;
};

struct Kernels {
  const char* name = nullptr;
  // The forms in which x meets bf16 weights, bf16-rounded tables and, unless fp32 is asked for, ggml's blocks of 256.
  Activations dense_bf16, table_bf16, blocks_256;
  std::int64_t lanes = 0;
  void (*linear)(const LinearCall& call, std::int64_t first_row, std::int64_t rows, std::byte* scratch);
  // One row of x into the call's form; `rounding` is the compute type.
  void (*arrange)(const float* x, std::int64_t k, std::int64_t chunks, Activations form, DType rounding,
                  std::byte* out);
  // int8, in two steps because outlier columns are a property of all rows: the largest |value| below the threshold (0:
  // no threshold) and flags of columns that reach it; then codes (flagged columns are 0) and the start values of the
  // sums.
  float (*scan_int8)(const float* x, std::int64_t k, float threshold, std::uint8_t* flags);
  void (*encode_int8)(const float* x, std::int64_t k, std::int64_t chunks, float absmax, const std::uint8_t* flags,
                      std::int8_t* codes, std::int32_t* start);
  void (*rms_norm)(const float* x, const float* gain, std::int64_t width, float eps, float* out);
  void (*silu_mul)(const float* gate, const float* up, std::int64_t count, float* out);
  void (*attention)(const AttentionCall& call, float* scratch);  // scratch: one float per visible position
};

// A thread's scratch: sums of a block of x rows, scales of a panel, a panel as fp32, and a panel packed.
inline constexpr std::int64_t packed_block = 96;  // rows of x that meet a panel together
inline constexpr std::int64_t packed_sums_bytes = packed_block * 4 * 64;
constexpr std::int64_t table_scales_bytes(std::int64_t k) { return 2 * panel_rows * (k / 32) * 4 + 256; }
// Bytes of it that `linear` needs for k columns.
std::int64_t linear_scratch_bytes(std::int64_t k);

// The kernels of a target by name, of the best one for an empty name; null: none runs here.
const Kernels* find_kernels(std::string_view target);

const Kernels& avx2_kernels();
const Kernels& avx512_kernels();
const Kernels& avx512_vnni_bf16_kernels();

}  // namespace nibble
