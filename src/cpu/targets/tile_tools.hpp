// What every product stands on. The first of the files that a target includes inside its namespace after its vocabulary
// (vec256.hpp, vec512.hpp); each of them uses what stands above it.

// Sums stay in registers only if the loops over a tile disappear, which -O2 alone does not do.
#define NIBBLE_UNROLL _Pragma("GCC unroll 16")
#define NIBBLE_UNROLL_ALL _Pragma("GCC unroll 64")

constexpr int vectors = int(chunk) / lanes;  // of fp32 per chunk
constexpr int panel_tiles = int(panel_rows) / 4;
constexpr std::int64_t vector_bytes = sizeof(F);

// Weights for a single row of x come from memory, which is fast where it is read from front to back in one run
// (docs/decisions/0014-weights-are-fetched-in-one-run.md): rows are taken one after the other, and so many bytes ahead
// are prefetched; or four side by side, and the four that follow them are prefetched.
constexpr std::int64_t prefetch_distance = 2048;
template <std::int64_t bytes>
inline void prefetch_ahead(const void* at) {
  NIBBLE_UNROLL for (std::int64_t line = 0; line < bytes; line += 64)
      __builtin_prefetch((const char*)at + prefetch_distance + line);
}
// What to give prefetch_ahead() for the first bytes of the four rows behind these.
inline const std::byte* following_rows(const std::byte* const* row) {
  return row[0] + 4 * (row[1] - row[0]) - prefetch_distance;
}

inline int tiles_of(std::int64_t row, std::int64_t end) { return int((end - row + 3) / 4); }

// The row that stands for `row` where a panel has fewer: the last tile repeats the last row.
inline std::int64_t clamped(std::int64_t row, std::int64_t end) { return row < end ? row : end - 1; }

// A panel's rows, from the first one's codes on, each `stride` codes behind the one before.
template <class Rows, class Code>
inline void point_rows(Rows* tiles, std::int64_t row, std::int64_t end, const Code* first, std::int64_t stride) {
  for (int t = 0; t < tiles_of(row, end); ++t)
    NIBBLE_UNROLL for (int n = 0; n < 4; ++n) tiles[t].row[n] = first + (clamped(row + 4 * t + n, end) - row) * stride;
}

using FourFloats __attribute__((vector_size(16), aligned(4), may_alias)) = float;

// The sums of `valid` weight rows from `row` on and of row m of x, to y.
inline void put(const LinearCall& call, std::int64_t m, std::int64_t row, int valid, const float* sums) {
  float* y = call.y + m * call.y_stride + row;
  if (valid == 4) {
    FourFloats value = *(const FourFloats*)sums;
    if (call.bias) value = value + *(const FourFloats*)(call.bias + row);
    *(FourFloats*)y = call.add ? *(const FourFloats*)y + value : value;
    return;
  }
  for (int n = 0; n < valid; ++n) {
    float value = sums[n];
    if (call.bias) value += call.bias[row + n];
    y[n] = call.add ? y[n] + value : value;
  }
}

// All rows of x against a panel, one after the other and one weight row after the other: product(m, n) gives the lanes
// of a sum.
template <class RowProduct>
inline void one_by_one(const LinearCall& call, std::int64_t row, std::int64_t end, RowProduct product) {
  for (std::int64_t m = 0; m < call.m; ++m)
    for (std::int64_t first = row; first < end; first += lanes) {
      F products[lanes];
      for (int n = 0; n < lanes; ++n) products[n] = first + n < end ? product(m, first - row + n) : zero();
      float sums[lanes];
      reduce(products, sums);
      for (std::int64_t n = first; n < end && n < first + lanes; n += 4)
        put(call, m, n, int(end - n < 4 ? end - n : 4), sums + (n - first));
    }
}

// All rows of x against a panel where it lies, in tiles: multiply<M>(t, x, sums) gives the sums of M rows of x with the
// four rows of tile t. Sixteen rows of x stay near while the panel's rows pass.
template <class X, class Multiply>
inline void over_panel(const LinearCall& call, std::int64_t row, std::int64_t end, Multiply multiply) {
  constexpr std::int64_t near = 16;
  const auto some = [&]<int M>(int t, std::int64_t m) __attribute__((always_inline)) {
    const X* x[M];
    for (int i = 0; i < M; ++i) x[i] = (const X*)(call.x + (m + i) * call.x_stride);
    float sums[lanes];
    multiply.template operator()<M>(t, x, sums);
    const std::int64_t first = row + 4 * t;
    const int valid = int(end - first < 4 ? end - first : 4);
    for (int i = 0; i < M; ++i) put(call, m + i, first, valid, sums + 4 * i);
  };
  for (std::int64_t begin = 0; begin < call.m; begin += near)
    for (int t = 0; t < tiles_of(row, end); ++t) {
      const std::int64_t stop = begin + near < call.m ? begin + near : call.m;
      std::int64_t m = begin;
      for (; m + tile_rows <= stop; m += tile_rows) some.template operator()<tile_rows>(t, m);
      for (; m < stop; ++m) some.template operator()<1>(t, m);
    }
}

// A product's way through the weight rows of a piece of work: panel after panel.
template <class Panel>
inline void over_panels(std::int64_t first_row, std::int64_t rows, Panel panel) {
  const std::int64_t stop = first_row + rows;
  for (std::int64_t row = first_row; row < stop; row += panel_rows)
    panel(row, row + panel_rows < stop ? row + panel_rows : stop);
}
