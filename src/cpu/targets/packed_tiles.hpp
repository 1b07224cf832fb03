// Products with many rows of x. A panel of weight rows is brought once into the order in which the instruction reads it
// (tiles of four rows, interleaved vector by vector), then every row of x meets it in tiles of registers.
//
// A tile's four rows stay in the first-level cache, rows of x pass through from the second; k is cut where four rows
// would not fit, and sums wait in scratch meanwhile. Lanes sum in the same order as for a single row.

constexpr int packed_rows = lanes == 16 ? 6 : 3;  // rows of x in a tile of registers
constexpr std::int64_t packed_from = 6;           // fewer rows of x are multiplied where the weights lie
constexpr std::int64_t resident_slots = 16384 / (4 * vector_bytes);

constexpr std::string_view where_it_lies = "weights are read where they lie",
                           packed_once = "panels of 16 weight rows are packed first";

struct MultiplyF32 {
  using Sum = F;
  static constexpr std::int64_t x_bytes = vector_bytes;  // of x that meet one vector of weights
  static constexpr int per_chunk = vectors;              // vectors of weights
  static F load_w(const std::byte* p) { return load((const float*)p); }
  static F load_x(const std::byte* p) { return load((const float*)p); }
  static F step(F sum, F x, F w) { return fma(x, w, sum); }
};

// acc (M x 4 sums) += M rows of x times four packed rows, over `slots` vectors of k.
template <class Op, int M>
inline void multiply_tile(const std::byte* w, const std::byte* x, std::int64_t stride, std::int64_t slots,
                          typename Op::Sum* acc) {
  using V = typename Op::Sum;
  V sum[M * 4];
  NIBBLE_UNROLL_ALL for (int i = 0; i < M * 4; ++i) sum[i] = acc[i];
  for (std::int64_t s = 0; s < slots; ++s, w += 4 * vector_bytes, x += Op::x_bytes) {
    if constexpr (M > 3) {  // registers for four weights and one x
      V ws[4];
      NIBBLE_UNROLL_ALL for (int n = 0; n < 4; ++n) ws[n] = Op::load_w(w + n * vector_bytes);
      NIBBLE_UNROLL_ALL for (int m = 0; m < M; ++m) {
        const V xs = Op::load_x(x + m * stride);
        NIBBLE_UNROLL_ALL for (int n = 0; n < 4; ++n) sum[m * 4 + n] = Op::step(sum[m * 4 + n], xs, ws[n]);
      }
    } else {
      V xs[M];
      NIBBLE_UNROLL_ALL for (int m = 0; m < M; ++m) xs[m] = Op::load_x(x + m * stride);
      NIBBLE_UNROLL_ALL for (int n = 0; n < 4; ++n) {
        const V ws = Op::load_w(w + n * vector_bytes);
        NIBBLE_UNROLL_ALL for (int m = 0; m < M; ++m) sum[m * 4 + n] = Op::step(sum[m * 4 + n], xs[m], ws);
      }
    }
  }
  NIBBLE_UNROLL_ALL for (int i = 0; i < M * 4; ++i) acc[i] = sum[i];
}

// The same where every `run` vectors of k stand under scales of their own: fold(slot, sum, total) adds what a run gave.
template <class Op, int M, int run, class Fold>
inline void multiply_runs(const std::byte* w, const std::byte* x, std::int64_t stride, std::int64_t slots, F* acc,
                          Fold fold) {
  F total[M * 4];
  NIBBLE_UNROLL_ALL for (int i = 0; i < M * 4; ++i) total[i] = acc[i];
  for (std::int64_t s = 0; s < slots; s += run) {
    typename Op::Sum sum[M * 4];
    NIBBLE_UNROLL_ALL for (int i = 0; i < M * 4; ++i) sum[i] = typename Op::Sum{};
    NIBBLE_UNROLL_ALL for (int v = 0; v < run; ++v) {
      typename Op::Sum xs[M];
      NIBBLE_UNROLL_ALL for (int m = 0; m < M; ++m) xs[m] = Op::load_x(x + m * stride + v * Op::x_bytes);
      NIBBLE_UNROLL_ALL for (int n = 0; n < 4; ++n) {
        const typename Op::Sum ws = Op::load_w(w + (4 * v + n) * vector_bytes);
        NIBBLE_UNROLL_ALL for (int m = 0; m < M; ++m) sum[m * 4 + n] = Op::step(sum[m * 4 + n], xs[m], ws);
      }
    }
    fold(s, sum, total);
    w += 4 * run * vector_bytes;
    x += run * Op::x_bytes;
  }
  NIBBLE_UNROLL_ALL for (int i = 0; i < M * 4; ++i) acc[i] = total[i];
}

// A dense panel's part of the walk below.
template <class Op>
struct DensePanel {
  using Sum = typename Op::Sum;
  static constexpr int rows = packed_rows;  // of x in a tile
  const std::byte* packed;
  std::int64_t slots;
  template <int M>
  void multiply(int tile, std::int64_t slot, std::int64_t count, const std::byte* x, std::int64_t stride,
                Sum* acc) const {
    multiply_tile<Op, M>(packed + (tile * slots + slot) * 4 * vector_bytes, x + slot * Op::x_bytes, stride, count, acc);
  }
};

template <class Panel, int M = Panel::rows>
inline void multiply_rows(const Panel& panel, int count, int tile, std::int64_t slot, std::int64_t slots,
                          const std::byte* x, std::int64_t stride, typename Panel::Sum* acc) {
  if constexpr (M > 1)
    if (count < M) return multiply_rows<Panel, M - 1>(panel, count, tile, slot, slots, x, stride, acc);
  panel.template multiply<M>(tile, slot, slots, x, stride, acc);
}

// Every row of x against a packed panel. start(m, acc) gives the four sums of row m their first value; finish(t, m,
// count, acc) takes the sums of `count` rows from m on.
template <class Panel, class Start, class Finish>
inline void over_packed(const LinearCall& call, const Panel& panel, int tiles, std::byte* scratch, Start start,
                        Finish finish) {
  auto* sums = (typename Panel::Sum*)scratch;
  constexpr std::int64_t near_bytes = 384 << 10;  // of x, in the second-level cache
  const std::int64_t fit = near_bytes / call.x_stride / Panel::rows * Panel::rows,
                     block = fit < Panel::rows    ? Panel::rows
                             : fit < packed_block ? fit
                                                  : packed_block;
  for (std::int64_t begin = 0; begin < call.m; begin += block) {
    const std::int64_t end = begin + block < call.m ? begin + block : call.m;
    for (int t = 0; t < tiles; ++t)
      for (std::int64_t slot = 0; slot < panel.slots; slot += resident_slots) {
        const std::int64_t left = panel.slots - slot, slots = left < resident_slots ? left : resident_slots;
        for (std::int64_t m = begin; m < end; m += Panel::rows) {
          const int count = int(end - m < Panel::rows ? end - m : Panel::rows);
          auto* acc = sums + (m - begin) * 4;
          if (slot == 0)
            for (int i = 0; i < count; ++i) start(m + i, acc + 4 * i);
          multiply_rows(panel, count, t, slot, slots, call.x + m * call.x_stride, call.x_stride, acc);
          if (slots == left) finish(t, m, count, acc);
        }
      }
  }
}

inline void start_zero(std::int64_t, F* acc) { NIBBLE_UNROLL_ALL for (int n = 0; n < 4; ++n) acc[n] = zero(); }

// Lanes added up, `lanes` sums at a time.
inline void finish_rows(const LinearCall& call, std::int64_t row, std::int64_t end, std::int64_t m, int count,
                        const F* acc) {
  const int valid = int(end - row < 4 ? end - row : 4);
  constexpr int together = lanes / 4;
  for (int i = 0; i < count; i += together) {
    const int rows = count - i < together ? count - i : together;
    F full[lanes];
    float sums[lanes];
    for (int j = 0; j < lanes; ++j) full[j] = j < rows * 4 ? acc[4 * i + j] : zero();
    reduce(full, sums);
    for (int j = 0; j < rows; ++j) put(call, m + i + j, row, valid, sums + 4 * j);
  }
}

// A panel that pack() has brought to its place in scratch, against every row of x.
template <class Op>
inline void multiply_packed(const LinearCall& call, std::int64_t row, std::int64_t end, std::int64_t slots,
                            std::byte* scratch) {
  over_packed(
      call, DensePanel<Op>{scratch + packed_sums_bytes, slots}, tiles_of(row, end), scratch, start_zero,
      [&](int t, std::int64_t m, int count, const F* acc) { finish_rows(call, row + 4 * t, end, m, count, acc); });
}
