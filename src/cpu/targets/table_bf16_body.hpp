// Four-bit codes of a table of 16 values (nf4, fp4), looked up as bf16, times bf16 activations: pairs of products
// summed in fp32 by one instruction, eight of them under one scale. For rows of whole chunks and whole blocks. Bound by
// work per code where weights come from memory (37 % of what it gives for one row of x), by the instruction and one fma
// per eight of it for many (64 % of the bf16 peak) on two Zen 4 cores (docs/measurements/cpu-speed-tinyllama.md).
//
// Codes are read in groups of 256: two vectors of bytes, whose 16-byte pieces are sorted so that lanes 4b..4b+3 hold
// bytes of the group's b-th block of 64. A word then holds four codes; a permutation looks at five bits of a word, so
// shifts by 4, 0, 12 and 8 and one permutation each give elements 4j, 4j+1, 4j+2, 4j+3 of every quarter, as bf16. x is
// arranged alike. Eight dot products run up a sum of 256 products, and one multiplication by a vector of four scales
// adds it: two where blocks are of 32.
constexpr std::int64_t group = 256, group_slots = 8;

// Element of a group that stands at `to`.
constexpr int grouped_from(int to) { return to % 32 / 8 * 64 + to / 128 * 32 + to % 8 * 4 + to / 32 % 4; }

constexpr Layout layout_bf16_grouped = {
    .name = "bf16, groups of 256 in the order of looked-up codes",
    .row_bytes = [](std::int64_t chunks) { return (chunks + 3) / 4 * group * 2; },
    .arrange =
        [](const float* x, std::int64_t k, std::int64_t chunks, DType rounding, std::byte* out) {
          arrange_pieces<group>(x, k, chunks, rounding, [&](std::int64_t to, const float* piece) {
            float values[group];
            for (int i = 0; i < int(group); ++i) values[i] = piece[grouped_from(i)];
            for (int v = 0; v < int(group); v += lanes) store_bf16((std::uint16_t*)out + to + v, load(values + v));
          });
        },
};

inline __m512bh as_bf16(I x) { return (__m512bh)x; }

struct TableBf16 {
  I words;
  explicit TableBf16(const float* table)
      // The fifth bit belongs to another code: both halves hold the same values.
      : words(_mm512_broadcast_i64x4(_mm512_cvtepi32_epi16(bf16_bits(load(table))))) {}
  void look_up(I codes, I* out) const {
    out[0] = _mm512_permutexvar_epi16(_mm512_srli_epi16(codes, 4), words);
    out[1] = _mm512_permutexvar_epi16(codes, words);
    out[2] = _mm512_permutexvar_epi16(_mm512_srli_epi16(codes, 12), words);
    out[3] = _mm512_permutexvar_epi16(_mm512_srli_epi16(codes, 8), words);
  }
};

// The 256 codes at p as eight vectors; of the last group of a row only `bytes` are read.
inline void group_values(const TableBf16& table, const std::byte* p, std::int64_t bytes, I* out) {
  I low, high;
  if (bytes >= 128) {
    low = _mm512_loadu_si512(p);
    high = _mm512_loadu_si512(p + 64);
  } else {
    const auto mask = [](std::int64_t count) { return count >= 64 ? ~0ull : count <= 0 ? 0ull : (1ull << count) - 1; };
    low = _mm512_maskz_loadu_epi8(mask(bytes), p);
    high = _mm512_maskz_loadu_epi8(mask(bytes - 64), p + 64);
  }
  table.look_up(_mm512_shuffle_i32x4(low, high, 0x88), out);
  table.look_up(_mm512_shuffle_i32x4(low, high, 0xdd), out + 4);
}

// acc += the products of one group: `w` and `x` give vectors, scales lie one per 64 elements or (Halves) per 32.
template <bool Halves>
inline F group_scales(const float* scales, int half) {
  if constexpr (Halves) {
    const I from = _mm512_set_epi32(6, 6, 6, 6, 4, 4, 4, 4, 2, 2, 2, 2, 0, 0, 0, 0);
    return _mm512_permutexvar_ps(_mm512_add_epi32(from, _mm512_set1_epi32(half)),
                                 _mm512_castps256_ps512(_mm256_loadu_ps(scales)));
  } else {
    return _mm512_permutexvar_ps(_mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0),
                                 _mm512_castps128_ps512(_mm_loadu_ps(scales)));
  }
}

struct ScaleRows {  // of a panel: where row r's begin
  const float* first;
  std::int64_t stride;
  const float* of(std::int64_t r) const { return first + r * stride; }
};

template <bool Halves>
struct TablePanel {
  using Sum = F;
  static constexpr int rows = 3;
  const std::byte* packed;
  std::int64_t slots;
  const float* scales[panel_rows];
  template <int M>
  void multiply(int tile, std::int64_t slot, std::int64_t count, const std::byte* x, std::int64_t stride,
                F* acc) const {
    constexpr int per_group = Halves ? 8 : 4, run = Halves ? 4 : 8;
    const std::byte* w = packed + (tile * slots + slot) * 4 * vector_bytes;
    const float* scale[4];
    NIBBLE_UNROLL_ALL for (int n = 0; n < 4; ++n) scale[n] = scales[4 * tile + n] + slot / group_slots * per_group;
    x += slot * vector_bytes;
    multiply_runs<MultiplyBf16, M, run>(
        w, x, stride, count, acc, [&](std::int64_t s, const F* sum, F* total) __attribute__((always_inline)) {
          NIBBLE_UNROLL_ALL for (int n = 0; n < 4; ++n) {
            const F by = group_scales<Halves>(scale[n], Halves ? int(s / 4 % 2) : 0);
            NIBBLE_UNROLL_ALL for (int m = 0; m < M; ++m) total[m * 4 + n] = fma(sum[m * 4 + n], by, total[m * 4 + n]);
            if (!Halves || s / 4 % 2) scale[n] += per_group;
          }
        });
  }
};

// One row of x against a row of codes where they lie: lanes of the product.
template <bool Halves>
inline F row_by_codes(const TableBf16& table, const std::byte* codes, std::int64_t row_bytes, const float* scales,
                      const std::byte* x) {
  constexpr int per_group = Halves ? 8 : 4;
  F total = zero();
  const auto step = [&](std::int64_t g, std::int64_t bytes) __attribute__((always_inline)) {
    const std::byte* p = codes + g * (group / 2);
    prefetch_ahead<group / 2>(p);
    I xs[group_slots], w[group_slots];
    NIBBLE_UNROLL_ALL for (int v = 0; v < group_slots; ++v) xs[v] =
        _mm512_loadu_si512(x + (g * group_slots + v) * vector_bytes);
    group_values(table, p, bytes, w);
    const float* scale = scales + g * per_group;
    F sum = zero();
    NIBBLE_UNROLL_ALL for (int v = 0; v < 4; ++v) sum = _mm512_dpbf16_ps(sum, as_bf16(xs[v]), as_bf16(w[v]));
    if constexpr (Halves) total = fma(sum, group_scales<Halves>(scale, 0), total), sum = zero();
    NIBBLE_UNROLL_ALL for (int v = 4; v < 8; ++v) sum = _mm512_dpbf16_ps(sum, as_bf16(xs[v]), as_bf16(w[v]));
    total = fma(sum, group_scales<Halves>(scale, 1), total);
  };
  const std::int64_t whole = row_bytes / (group / 2);
  for (std::int64_t g = 0; g < whole; ++g) step(g, group / 2);
  if (row_bytes % (group / 2)) step(whole, row_bytes % (group / 2));
  return total;
}

// ---- scales ----
// The 256 values of a nested map as two planes of 16-bit halves, so that four permutations look 32 codes up in each.
struct MapPlanes {
  std::uint16_t low[256], high[256];
  explicit MapPlanes(std::span<const float> map) {
    if (map.empty()) return;
    for (int i = 0; i < 256; i += lanes) {
      const I bits = _mm512_loadu_si512(map.data() + i);
      _mm256_storeu_si256((__m256i*)(low + i), _mm512_cvtepi32_epi16(bits));
      _mm256_storeu_si256((__m256i*)(high + i), _mm512_cvtepi32_epi16(_mm512_srli_epi32(bits, 16)));
    }
  }
  static I look_up(const std::uint16_t* plane, I index, __mmask32 bit6, __mmask32 bit7) {
    I quarter[4];
    NIBBLE_UNROLL for (int q = 0; q < 4; ++q) quarter[q] =
        _mm512_permutex2var_epi16(_mm512_loadu_si512(plane + 64 * q), index, _mm512_loadu_si512(plane + 64 * q + 32));
    return _mm512_mask_blend_epi16(bit7, _mm512_mask_blend_epi16(bit6, quarter[0], quarter[1]),
                                   _mm512_mask_blend_epi16(bit6, quarter[2], quarter[3]));
  }
  static I join(__m256i low, __m256i high) {
    return _mm512_or_si512(_mm512_cvtepu16_epi32(low), _mm512_slli_epi32(_mm512_cvtepu16_epi32(high), 16));
  }
  void values(const std::uint8_t* codes, int count, float* out) const {  // writes 32
    const I index = _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(count >= 32 ? ~0u : (1u << count) - 1, codes));
    const __mmask32 bit6 = _mm512_test_epi16_mask(index, _mm512_set1_epi16(64)),
                    bit7 = _mm512_test_epi16_mask(index, _mm512_set1_epi16(128));
    const I a = look_up(low, index, bit6, bit7), b = look_up(high, index, bit6, bit7);
    _mm512_storeu_si512(out, join(_mm512_castsi512_si256(a), _mm512_castsi512_si256(b)));
    _mm512_storeu_si512(out + 16, join(_mm512_extracti64x4_epi64(a, 1), _mm512_extracti64x4_epi64(b, 1)));
  }
};

// Nested scales [first, first + count) as floats; writes up to 31 more.
inline void nested_scales(const NestedScales& nested, const MapPlanes& planes, std::int64_t first, std::int64_t count,
                          float* out) {
  for (std::int64_t i = 0; i < count; i += 32)
    planes.values((const std::uint8_t*)nested.codes.data() + first + i, int(count - i < 32 ? count - i : 32), out + i);
  for (std::int64_t i = 0; i < count;) {
    const std::int64_t block = (first + i) / nested.block, stop = (block + 1) * nested.block - first,
                       end = stop < count ? stop : count;
    const F absmax = set1(nested.absmax[std::size_t(block)]), offset = set1(nested.offset);
    for (; i + lanes <= end; i += lanes) store(out + i, add(mul(load(out + i), absmax), offset));
    for (; i < end; ++i) out[i] = out[i] * nested.absmax[std::size_t(block)] + nested.offset;
  }
}

// The scales of a panel's rows, one per 64 elements (32 where blocks are of 32), zero beyond a row's end: where they
// lie, if they lie so.
inline ScaleRows panel_scales(const Weight& w, const MapPlanes& planes, std::int64_t row, std::int64_t end,
                              float* scratch) {
  const std::int64_t per_row = w.cols / w.block_size, count = end - row, span = w.block_size == 32 ? 32 : 64;
  const float* from = nullptr;
  if (w.nested.empty()) {
    from = w.scales.data() + row * per_row;
  } else {
    nested_scales(w.nested, planes, row * per_row, count * per_row, scratch);
    from = scratch;
    scratch += (count * per_row + 31) / 32 * 32;
  }
  if (span == w.block_size && w.cols % group == 0) return {from, per_row};
  const std::int64_t stride = (w.cols + group - 1) / group * (group / span), each = w.block_size / span;
  for (std::int64_t r = 0; r < count; ++r)
    for (std::int64_t i = 0; i < stride; ++i)
      scratch[r * stride + i] = i < per_row * each ? from[r * per_row + i / each] : 0;
  return {scratch, stride};
}

// ---- one panel ----
struct PanelOfCodes {
  const std::byte* codes;
  std::int64_t row_bytes, last;  // last: row of the panel
  ScaleRows scales;

  const std::byte* row(std::int64_t r) const { return codes + clamped(r, last + 1) * row_bytes; }
  const float* scales_of(std::int64_t r) const { return scales.of(clamped(r, last + 1)); }
};

template <bool Halves>
inline void packed_table_bf16(const LinearCall& call, std::int64_t row, std::int64_t end, const PanelOfCodes& from,
                              const TableBf16& table, std::byte* packed, std::byte* sums) {
  const std::int64_t groups = (call.weight->cols + group - 1) / group;
  TablePanel<Halves> panel{packed, groups * group_slots, {}};
  for (int r = 0; r < 4 * tiles_of(row, end); ++r) {
    panel.scales[r] = from.scales_of(r);
    for (std::int64_t g = 0; g < groups; ++g) {
      I values[group_slots];
      group_values(table, from.row(r) + g * (group / 2), from.row_bytes - g * (group / 2), values);
      std::byte* out = packed + ((r / 4 * groups + g) * group_slots * 4 + r % 4) * vector_bytes;
      NIBBLE_UNROLL_ALL for (int v = 0; v < group_slots; ++v)
          _mm512_storeu_si512(out + 4 * v * vector_bytes, values[v]);
    }
  }
  over_packed(call, panel, tiles_of(row, end), sums, start_zero, [&](int t, std::int64_t m, int count, const F* acc) {
    finish_rows(call, row + 4 * t, end, m, count, acc);
  });
}

template <bool packed>
void run_table_bf16(const LinearCall& call, std::int64_t first_row, std::int64_t rows, std::byte* scratch) {
  const Weight& w = *call.weight;
  const MapPlanes planes(w.nested.map);
  const TableBf16 table(call.table);
  std::byte *scales = scratch + packed_sums_bytes,
            *values = scales + table_scales_bytes((w.cols + group - 1) / group * group);
  over_panels(first_row, rows, [&](std::int64_t row, std::int64_t end) {
    const PanelOfCodes panel{w.codes + row * w.cols / 2, w.cols / 2, end - row - 1,
                             panel_scales(w, planes, row, end, (float*)scales)};
    const auto run = [&]<bool Halves>() {
      if constexpr (packed)
        packed_table_bf16<Halves>(call, row, end, panel, table, values, scratch);
      else
        one_by_one(call, row, end, [&](std::int64_t m, std::int64_t n) {
          return row_by_codes<Halves>(table, panel.row(n), panel.row_bytes, panel.scales_of(n),
                                      call.x + m * call.x_stride);
        });
    };
    w.block_size == 32 ? run.template operator()<true>() : run.template operator()<false>();
  });
}

Verdict fits_table_bf16(const WeightFacts& weight) {
  const Verdict verdict = fits_codes_of_a_table(weight);
  if (verdict.fits() && weight.compute != DType::bf16) return {"activations are not to be rounded to bf16"};
  return verdict;
}

constexpr Product table_bf16 = {
    .name = "table_bf16",
    .layout = &layout_bf16_grouped,
    .instruction = Instruction::bf16_dot,
    .fits = fits_table_bf16,
    .schedules = {{1, "codes are looked up where they lie", run_table_bf16<false>},
                  {3, "panels of 16 weight rows are looked up first", run_table_bf16<true>}},
};
