// Products with weights in every format, written over the vocabulary of a vec*.hpp. Included inside a target's
// namespace.
//
// A Rows reader gives the elements of four weight rows chunk by chunk. `scaled` readers give bare codes' values and the
// scale beside them: the scale multiplies a chunk's sum, once per 64 products instead of once per weight.

// Sums stay in registers only if the loops over a tile disappear, which -O2 alone does not do.
#define NIBBLE_UNROLL _Pragma("GCC unroll 16")
#define NIBBLE_UNROLL_ALL _Pragma("GCC unroll 64")

constexpr int vectors = int(chunk) / lanes;  // of fp32 per chunk

// Weights for a single row of x come from memory, which is fast where it is read from front to back in one run
// (docs/decisions/0014-weights-are-fetched-in-one-run.md): rows are taken one after the other, and so many bytes ahead
// are fetched; or four side by side, and the four that follow them are fetched.
constexpr std::int64_t read_ahead = 2048;
template <std::int64_t bytes>
inline void fetch_ahead(const void* at) {
  NIBBLE_UNROLL for (std::int64_t line = 0; line < bytes; line += 64)
      _mm_prefetch((const char*)at + read_ahead + line, _MM_HINT_T0);
}
// What to give fetch_ahead() for the first bytes of the four rows behind these.
inline const std::byte* following_rows(const std::byte* const* row) {
  return row[0] + 4 * (row[1] - row[0]) - read_ahead;
}

struct DenseF32 {
  static constexpr bool scaled = false;
  const float* row[4];
  F get(int n, std::int64_t k) const { return load(row[n] + k); }
};
struct DenseBf16 {
  static constexpr bool scaled = false;
  const std::uint16_t* row[4];
  F get(int n, std::int64_t k) const { return load_bf16(row[n] + k); }
};
struct DenseF16 {
  static constexpr bool scaled = false;
  const std::uint16_t* row[4];
  F get(int n, std::int64_t k) const { return load_f16(row[n] + k); }
};
struct CodesF32 {  // four-bit codes where they lie
  static constexpr bool scaled = true;
  const std::byte* row[4];
  Table table;
  void get(int n, std::int64_t c, F* w) const { lookup(table, row[n] + c * (chunk / 2), w); }
};
struct PanelF32 {  // the same values, looked up before
  static constexpr bool scaled = true;
  const float* row[4];
  void get(int n, std::int64_t c, F* w) const {
    NIBBLE_UNROLL for (int v = 0; v < vectors; ++v) w[v] = load(row[n] + c * chunk + v * lanes);
  }
};

// Scales of four rows: `step` floats per chunk, 1 or (blocks of 32) 2.
struct Scales {
  const float* row[4];
  std::int64_t shift = 0;  // log2 of chunks per scale
};

template <int M, class Rows, bool Halves>
inline void tile_f32(const Rows& rows, const Scales& scales, const float* const* x, std::int64_t chunks, float* sums) {
  F acc[lanes];
  NIBBLE_UNROLL for (int i = 0; i < lanes; ++i) acc[i] = zero();
  if constexpr (requires { typename Rows::Reader; }) {
    walk_blocks(
        rows, chunks, [&](std::int64_t c, int n, const F* w) __attribute__((always_inline)) {
          NIBBLE_UNROLL for (int m = 0; m < M; ++m) NIBBLE_UNROLL for (int v = 0; v < vectors; ++v) acc[m * 4 + n] =
              fma(load(x[m] + c * chunk + v * lanes), w[v], acc[m * 4 + n]);
        });
    return reduce(acc, sums);
  } else if constexpr (!Rows::scaled) {
    for (std::int64_t c = 0; c < chunks; ++c) NIBBLE_UNROLL for (int v = 0; v < vectors; ++v) {
        F xs[M];
        NIBBLE_UNROLL for (int m = 0; m < M; ++m) xs[m] = load(x[m] + c * chunk + v * lanes);
        NIBBLE_UNROLL for (int n = 0; n < 4; ++n) {
          const F w = rows.get(n, c * chunk + v * lanes);
          NIBBLE_UNROLL for (int m = 0; m < M; ++m) acc[m * 4 + n] = fma(xs[m], w, acc[m * 4 + n]);
        }
      }
    return reduce(acc, sums);
  } else {
    for (std::int64_t c = 0; c < chunks; ++c) {
      if constexpr (std::is_same_v<Rows, CodesF32>) fetch_ahead<2 * chunk>(following_rows(rows.row) + 2 * chunk * c);
      NIBBLE_UNROLL for (int n = 0; n < 4; ++n) {
        F w[vectors];
        rows.get(n, c, w);
        if constexpr (!Halves) {
          const F scale = set1(scales.row[n][c >> scales.shift]);
          NIBBLE_UNROLL for (int m = 0; m < M; ++m) {
            F sum = mul(load(x[m] + c * chunk), w[0]);
            for (int v = 1; v < vectors; ++v) sum = fma(load(x[m] + c * chunk + v * lanes), w[v], sum);
            acc[m * 4 + n] = fma(sum, scale, acc[m * 4 + n]);
          }
        } else {
          const F first = set1(scales.row[n][2 * c]), second = set1(scales.row[n][2 * c + 1]);
          NIBBLE_UNROLL for (int m = 0; m < M; ++m) NIBBLE_UNROLL for (int v = 0; v < vectors; ++v) acc[m * 4 + n] =
              fma(mul(load(x[m] + c * chunk + v * lanes), w[v]), first_half(v) ? first : second, acc[m * 4 + n]);
        }
      }
    }
    reduce(acc, sums);
  }
}

// ---- bf16 pairs, where the processor multiplies them ----
#ifdef NIBBLE_TARGET_BF16
struct PairsBf16 {
  const std::uint16_t* row[4];
};
template <int M>
inline void tile_bf16(const PairsBf16& rows, const std::uint16_t* const* x, std::int64_t chunks, float* sums) {
  F acc[lanes];
  NIBBLE_UNROLL for (int i = 0; i < lanes; ++i) acc[i] = zero();
  for (std::int64_t s = 0; s < 2 * chunks; ++s) {
    I xs[M];
    NIBBLE_UNROLL for (int m = 0; m < M; ++m) xs[m] = _mm512_loadu_si512(x[m] + 32 * s);
    NIBBLE_UNROLL for (int n = 0; n < 4; ++n) {
      const I w = _mm512_loadu_si512(rows.row[n] + 32 * s);
      NIBBLE_UNROLL for (int m = 0; m < M; ++m) acc[m * 4 + n] =
          _mm512_dpbf16_ps(acc[m * 4 + n], (__m512bh)xs[m], (__m512bh)w);
    }
  }
  reduce(acc, sums);
}
#endif

// ---- one panel of weight rows against all rows of x ----
inline void put(const LinearCall& call, std::int64_t m, std::int64_t row, int valid, const float* sums) {
  float* y = call.y + m * call.y_stride + row;
  if (valid == 4) {
    __m128 value = _mm_loadu_ps(sums);
    if (call.bias) value = _mm_add_ps(value, _mm_loadu_ps(call.bias + row));
    return _mm_storeu_ps(y, call.add ? _mm_add_ps(_mm_loadu_ps(y), value) : value);
  }
  for (int n = 0; n < valid; ++n) {
    float value = sums[n];
    if (call.bias) value += call.bias[row + n];
    y[n] = call.add ? y[n] + value : value;
  }
}

// Calls tile(first_x, sums) for full tiles of x rows, then for single ones; results go to y.
template <class Full, class Single>
inline void over_x(const LinearCall& call, std::int64_t row, int valid, Full full, Single single, std::int64_t begin,
                   std::int64_t end) {
  float sums[lanes];
  std::int64_t m = begin;
  for (; m + tile_rows <= end; m += tile_rows) {
    full(m, sums);
    for (int i = 0; i < tile_rows; ++i) put(call, m + i, row, valid, sums + 4 * i);
  }
  for (; m < end; ++m) single(m, sums), put(call, m, row, valid, sums);
}

constexpr std::int64_t x_block = 16;  // rows of x that stay near while a panel's rows pass

template <class Rows, bool Halves>
inline void panel_f32(const LinearCall& call, std::int64_t row, int tiles, std::int64_t end_row, const Rows* rows,
                      const Scales* scales) {
  for (std::int64_t begin = 0; begin < call.m; begin += x_block)
    for (int t = 0; t < tiles; ++t) {
      const std::int64_t end = begin + x_block < call.m ? begin + x_block : call.m, first = row + 4 * t;
      const int valid = int(end_row - first < 4 ? end_row - first : 4);
      const auto pointers = [&](std::int64_t m, int count, const float** x) {
        for (int i = 0; i < count; ++i) x[i] = (const float*)(call.x + (m + i) * call.x_stride);
      };
      over_x(
          call, first, valid,
          [&](std::int64_t m, float* sums) {
            const float* x[tile_rows];
            pointers(m, tile_rows, x);
            tile_f32<tile_rows, Rows, Halves>(rows[t], scales[t], x, call.chunks, sums);
          },
          [&](std::int64_t m, float* sums) {
            const float* x[1];
            pointers(m, 1, x);
            tile_f32<1, Rows, Halves>(rows[t], scales[t], x, call.chunks, sums);
          },
          begin, end);
    }
}

#ifdef NIBBLE_TARGET_BF16
inline void panel_bf16(const LinearCall& call, std::int64_t row, int tiles, std::int64_t end_row,
                       const PairsBf16* rows) {
  for (std::int64_t begin = 0; begin < call.m; begin += x_block)
    for (int t = 0; t < tiles; ++t) {
      const std::int64_t end = begin + x_block < call.m ? begin + x_block : call.m, first = row + 4 * t;
      const int valid = int(end_row - first < 4 ? end_row - first : 4);
      const auto pointers = [&](std::int64_t m, int count, const std::uint16_t** x) {
        for (int i = 0; i < count; ++i) x[i] = (const std::uint16_t*)(call.x + (m + i) * call.x_stride);
      };
      over_x(
          call, first, valid,
          [&](std::int64_t m, float* sums) {
            const std::uint16_t* x[tile_rows];
            pointers(m, tile_rows, x);
            tile_bf16<tile_rows>(rows[t], x, call.chunks, sums);
          },
          [&](std::int64_t m, float* sums) {
            const std::uint16_t* x[1];
            pointers(m, 1, x);
            tile_bf16<1>(rows[t], x, call.chunks, sums);
          },
          begin, end);
    }
}
#endif

constexpr int panel_tiles = int(panel_rows) / 4;

// The row that tile t reads as its n-th: the last tile repeats the last row.
inline std::int64_t clamped(std::int64_t row, std::int64_t end) { return row < end ? row : end - 1; }

// Scales of one row as floats: where they lie, or decoded into scratch if they are nested.
inline const float* row_scales(const Weight& w, std::int64_t row, std::int64_t count, float* scratch) {
  const std::int64_t first = row * w.cols / w.block_size;
  if (w.nested.empty()) return w.scales.data() + first;
  const NestedScales& nested = w.nested;
  for (std::int64_t i = 0; i < count;) {
    const std::int64_t block = (first + i) / nested.block, stop = (block + 1) * nested.block - first,
                       end = stop < count ? stop : count;
    const float absmax = nested.absmax[block];
    for (; i < end; ++i) scratch[i] = nested.map[nested.codes[first + i]] * absmax + nested.offset;
  }
  return scratch;
}

inline void linear_table(const LinearCall& call, std::int64_t row, std::int64_t end, int tiles, std::byte* scratch) {
  const Weight& w = *call.weight;
  const std::int64_t k = call.chunks * chunk;
  // Blocks larger than a row's chunks: a scale may cover part of a row only if the row begins inside it.
  const std::int64_t per_row = (w.cols + w.block_size - 1) / w.block_size;
  float* scale_scratch = (float*)scratch;
  float* panel = scale_scratch + panel_rows * (k / 32);
  Scales scales[panel_tiles];
  const bool halves_used = w.block_size == 32;
  std::int64_t shift = 0;
  while ((chunk << shift) < w.block_size) ++shift;
  const auto code_row = [&](std::int64_t r) { return w.codes + r * w.cols / 2; };
  for (int t = 0; t < tiles; ++t) {
    scales[t].shift = shift;
    NIBBLE_UNROLL for (int n = 0; n < 4; ++n) scales[t].row[n] =
        row_scales(w, clamped(row + 4 * t + n, end), per_row, scale_scratch + (4 * t + n) * (k / 32));
  }
  const Table table(call.table);
  if (call.m <= direct_rows) {
    CodesF32 rows[panel_tiles];
    for (int t = 0; t < tiles; ++t) {
      rows[t].table = table;
      NIBBLE_UNROLL for (int n = 0; n < 4; ++n) rows[t].row[n] = code_row(clamped(row + 4 * t + n, end));
    }
    if (halves_used)
      panel_f32<CodesF32, true>(call, row, tiles, end, rows, scales);
    else
      panel_f32<CodesF32, false>(call, row, tiles, end, rows, scales);
    return;
  }
  PanelF32 rows[panel_tiles];
  for (int t = 0; t < tiles; ++t) NIBBLE_UNROLL for (int n = 0; n < 4; ++n) {
      float* out = panel + (4 * t + n) * k;
      const std::byte* codes = code_row(clamped(row + 4 * t + n, end));
      for (std::int64_t c = 0; c < call.chunks; ++c) {
        F values[vectors];
        lookup(table, codes + c * (chunk / 2), values);
        NIBBLE_UNROLL for (int v = 0; v < vectors; ++v) store(out + c * chunk + v * lanes, values[v]);
      }
      rows[t].row[n] = out;
    }
  if (halves_used)
    panel_f32<PanelF32, true>(call, row, tiles, end, rows, scales);
  else
    panel_f32<PanelF32, false>(call, row, tiles, end, rows, scales);
}

// Each uses what stands above it.
// clang-format off
#include "cpu/targets/packed_body.hpp"
#include "cpu/targets/blocks_body.hpp"
#include "cpu/targets/int8_body.hpp"
#ifdef NIBBLE_TARGET_BF16
#include "cpu/targets/table_bf16_body.hpp"
#include "cpu/targets/blocks_fixed_body.hpp"
#endif
// clang-format on

// Weights without scales, rounded to nothing: where they lie for a few rows of x, packed for many.
template <class Rows, class Code>
inline void linear_dense(const LinearCall& call, std::int64_t row, std::int64_t end, int tiles, const Code* codes,
                         std::int64_t stride, std::byte* scratch) {
  Rows rows[panel_tiles];
  for (int t = 0; t < tiles; ++t)
    NIBBLE_UNROLL for (int n = 0; n < 4; ++n) rows[t].row[n] = codes + (clamped(row + 4 * t + n, end) - row) * stride;
  if (call.m >= packed_from) return packed_f32(call, row, end, tiles, rows, scratch);
  const Scales none[panel_tiles] = {};
  panel_f32<Rows, false>(call, row, tiles, end, rows, none);
}

inline void linear_blocks(const LinearCall& call, std::int64_t row, std::int64_t end, int tiles, std::byte* scratch) {
  const Weight& w = *call.weight;
  visit_format(
      w.format,
      [&]<class B>() {
#ifdef NIBBLE_TARGET_BF16
        if constexpr (B::elements == fixed_block)
          if (call.form == Activations::fixed16) return linear_fixed<B>(call, row, end, tiles, scratch);
#endif
        const std::int64_t stride = w.cols / B::elements * B::bytes;
        linear_dense<BlockRows<B>>(call, row, end, tiles, w.codes + row * stride, stride, scratch);
      },
      BlockFormats{});
}

#ifdef NIBBLE_TARGET_BF16
struct MultiplyBf16 {
  using Sum = F;
  static constexpr std::int64_t x_bytes = 64;
  static F load_w(const std::byte* p) { return load((const float*)p); }
  static F load_x(const std::byte* p) { return load((const float*)p); }
  static F step(F sum, F x, F w) {
    return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_castps_si512(x), (__m512bh)_mm512_castps_si512(w));
  }
};
inline void linear_bf16(const LinearCall& call, std::int64_t row, std::int64_t end, int tiles, std::byte* scratch) {
  PairsBf16 rows[panel_tiles];
  for (int t = 0; t < tiles; ++t)
    NIBBLE_UNROLL for (int n = 0; n < 4; ++n) rows[t].row[n] =
        (const std::uint16_t*)call.weight->codes + clamped(row + 4 * t + n, end) * call.weight->cols;
  if (call.m < packed_from) return panel_bf16(call, row, tiles, end, rows);
  const std::int64_t slots = 2 * call.chunks;
  std::byte *packed = scratch + packed_sums_bytes, *out = packed;
  for (int t = 0; t < tiles; ++t)
    for (std::int64_t s = 0; s < slots; ++s)
      for (int n = 0; n < 4; ++n, out += 64) _mm512_storeu_si512(out, _mm512_loadu_si512(rows[t].row[n] + 32 * s));
  dense_packed<MultiplyBf16>(call, row, end, tiles, packed, slots, scratch);
}
#endif

inline void linear_panel(const LinearCall& call, std::int64_t row, std::int64_t end, std::byte* scratch) {
  const Weight& w = *call.weight;
  const int tiles = int((end - row + 3) / 4);
  const std::int64_t k = call.chunks * chunk;
  if (call.expand && call.kind == WeightKind::int8) {
    linear_int8_plain(call, row, end);
  } else if (call.expand) {
    float* panel = (float*)(scratch + packed_sums_bytes) + panel_rows * k;  // behind the packed one
    for (std::int64_t r = row; r < end; ++r) {
      float* out = panel + (r - row) * k;
      decode_row(w, r, out, call.table);
      for (std::int64_t i = w.cols; i < k; ++i) out[i] = 0;
    }
    linear_dense<DenseF32>(call, row, end, tiles, (const float*)panel, k, scratch);
  } else if (call.kind == WeightKind::f32) {
    linear_dense<DenseF32>(call, row, end, tiles, (const float*)w.codes + row * w.cols, w.cols, scratch);
  } else if (call.kind == WeightKind::f16) {
    linear_dense<DenseF16>(call, row, end, tiles, (const std::uint16_t*)w.codes + row * w.cols, w.cols, scratch);
  } else if (call.kind == WeightKind::bf16) {
#ifdef NIBBLE_TARGET_BF16
    if (call.form == Activations::bf16) return linear_bf16(call, row, end, tiles, scratch);
#endif
    linear_dense<DenseBf16>(call, row, end, tiles, (const std::uint16_t*)w.codes + row * w.cols, w.cols, scratch);
  } else if (call.kind == WeightKind::blocks) {
    linear_blocks(call, row, end, tiles, scratch);
  } else if (call.kind == WeightKind::int8) {
    linear_int8(call, row, end, tiles, scratch);
  } else {
    linear_table(call, row, end, tiles, scratch);
  }
}

void linear(const LinearCall& call, std::int64_t first_row, std::int64_t rows, std::byte* scratch) {
  const std::int64_t stop = first_row + rows;
#ifdef NIBBLE_TARGET_BF16
  if (call.form == Activations::bf16_grouped) {
    const MapPlanes planes(call.weight->nested.map);
    for (std::int64_t row = first_row; row < stop; row += panel_rows) {
      const std::int64_t end = row + panel_rows < stop ? row + panel_rows : stop;
      if (call.weight->block_size == 32)
        table_bf16_panel<true>(call, row, end, planes, scratch);
      else
        table_bf16_panel<false>(call, row, end, planes, scratch);
    }
    return;
  }
#endif
  for (std::int64_t row = first_row; row < stop; row += panel_rows)
    linear_panel(call, row, row + panel_rows < stop ? row + panel_rows : stop, scratch);
}
