// ggml's blocks of 256 by integers of 16 bits (docs/decisions/0015-blocks-of-256-meet-integers.md), for the types that
// have a FixedFour here. Bound by work per byte where weights come from memory (61 to 64 % of what it gives for one row
// of x), by the integer products for many (57 % of their peak) on two Zen 4 cores (docs/measurements/gguf-speed.md).
//
// Such a block is integers (a code times the scale of its part) times one fp16 number, and minima of its parts beside
// them. Activations are 16-bit integers too, with one scale per 256, so the sum over a block is exact: 16 lanes of
// int32, each of 16 products. Scales multiply a block's lanes once; the minima meet the sums of the activations' parts
// of 32 in fp32.

constexpr std::int64_t fixed_block = 256, fixed_slots = 8;  // elements, and vectors of 32 words
// Products of a lane stay below 2^31: 16 of 2^12 (Q6_K: a scale of -128 times a code of -32) times this.
constexpr float fixed_largest = 32767;

// A row of x: words, then a scale per block of 256 of them, then the sums of their parts of 32, both fp32 and
// zero-padded to four blocks. Offsets in bytes.
struct FixedRow {
  std::int64_t scales, sums, bytes;
  explicit constexpr FixedRow(std::int64_t chunks)
      : scales(chunks * chunk * 2), sums(scales + (chunks + 15) / 16 * 16), bytes(sums + (chunks + 15) / 16 * 128) {}
  // Which sum is that of a part (of eight) of a block: four blocks have two vectors, of the first and the other parts.
  static constexpr std::int64_t sum_of(std::int64_t block, int part) {
    return block / 4 * 32 + part / 4 * 16 + block % 4 * 4 + part % 4;
  }
};

inline I add_products(I sum, I x, I w) {  // in assembly for the reason that MultiplyInt8 names
  asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(w), "v"(x));
  return sum;
}

inline void arrange_fixed(const float* x, std::int64_t, std::int64_t chunks, DType, std::byte* out) {
  const FixedRow row(chunks);
  auto *sums = (float*)(out + row.sums), *scales = (float*)(out + row.scales);
  for (std::int64_t i = row.sums; i < row.bytes; i += vector_bytes) store((float*)(out + i), zero());
  for (std::int64_t b = 0; b < chunks * chunk / fixed_block; ++b, x += fixed_block) {
    I most = _mm512_setzero_si512();  // bits without sign: ordered as magnitudes are, infinity and NaN above all
    for (int v = 0; v < int(fixed_block); v += lanes)
      most = _mm512_max_epi32(most, _mm512_and_si512(_mm512_castps_si512(load(x + v)), _mm512_set1_epi32(0x7fffffff)));
    float absmax = __builtin_bit_cast(float, _mm512_reduce_max_epi32(most));
    if (absmax < 0x1p-100f) absmax = 0;  // its inverse would overflow
    const F inverse = set1(absmax > 0 && absmax <= 0x1.fffffep127f ? fixed_largest / absmax : 0);
    const float scale = (absmax - absmax) + absmax * (1 / fixed_largest);  // not a number, where one of x is not finite
    for (int v = 0; v < int(fixed_slots); ++v) {
      const __m256i low = _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(mul(load(x + 32 * v), inverse))),
                    high = _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(mul(load(x + 32 * v + 16), inverse)));
      const I words = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
      _mm512_storeu_si512(out + (b * fixed_slots + v) * 64, words);
      const I pairs = add_products(_mm512_setzero_si512(), words, _mm512_set1_epi16(1));
      sums[row.sum_of(b, v)] = float(_mm512_reduce_add_epi32(pairs)) * scale;
    }
    scales[b] = scale;
  }
}

constexpr Layout layout_int16 = {
    .name = "int16, a scale per 256",
    .row_bytes = [](std::int64_t chunks) { return FixedRow(chunks).bytes; },
    .arrange = arrange_fixed,
};

// ---- four blocks ----
// What four blocks have one of stands in a quarter of the lanes each.

inline I load_quarters(const std::byte* const* blocks, std::int64_t at) {
  I all = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i*)(blocks[0] + at)));
  all = _mm512_inserti32x4(all, _mm_loadu_si128((const __m128i*)(blocks[1] + at)), 1);
  all = _mm512_inserti32x4(all, _mm_loadu_si128((const __m128i*)(blocks[2] + at)), 2);
  return _mm512_inserti32x4(all, _mm_loadu_si128((const __m128i*)(blocks[3] + at)), 3);
}
// The fp16 number that stands as word i of each quarter, in all lanes of the quarter.
inline F f16_of_quarters(I quarters, int i) {
  const I first = _mm512_set_epi64(0, 0, 0, 0, 0x18001800180018, 0x10001000100010, 0x8000800080008, 0);
  return _mm512_cvtph_ps(
      _mm512_castsi512_si256(_mm512_permutexvar_epi16(_mm512_add_epi16(first, _mm512_set1_epi16(short(i))), quarters)));
}
inline I pattern_of_quarter(int a, int b, int c, int d) { return _mm512_broadcast_i32x4(_mm_set_epi32(d, c, b, a)); }
// Byte i of every quarter as all its words.
inline I words_of_byte(I quarters, int i) {
  return _mm512_shuffle_epi8(quarters, _mm512_set1_epi16(short(0x8000 | i)));
}
template <int n>
inline I only_quarter(I quarters) {
  return _mm512_shuffle_i32x4(quarters, quarters, n * 0x55);
}
template <int n>
inline F only_quarter(F quarters) {
  return _mm512_shuffle_f32x4(quarters, quarters, n * 0x55);
}
// Four floats, each in a quarter.
inline F quarters_of_four(const float* p) {
  return _mm512_permutexvar_ps(_mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0),
                               _mm512_castps128_ps512(_mm_loadu_ps(p)));
}
inline I bytes_as_words(const std::byte* p) { return _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i*)p)); }

// Four blocks of a row: read<n>(use) calls use(v, integers) for each 32 elements of block n; scale() multiplies them;
// minimum(i) is what is added in the parts of 32 from 4i to 4i + 3 of each.
template <class B>
struct FixedFour;

// Blocks that begin with two fp16 numbers and the scales and minima (KScale) of eight parts of 32.
struct FixedParts {
  static constexpr int minima = 2;
  const std::byte* at[4];
  I head, bytes;  // the first 16 bytes; then eight scales and eight minima

  explicit FixedParts(const std::byte* const* blocks) : at{blocks[0], blocks[1], blocks[2], blocks[3]} {
    head = load_quarters(at, 0);
    const I low = _mm512_and_si512(
        _mm512_srlv_epi32(_mm512_shuffle_epi32(head, _MM_PERM_ENUM(0b11'10'11'01)), pattern_of_quarter(0, 0, 0, 4)),
        pattern_of_quarter(0x3f3f3f3f, 0x0f0f0f0f, 0x3f3f3f3f, 0x0f0f0f0f));
    const I high = _mm512_and_si512(_mm512_srli_epi32(_mm512_shuffle_epi32(head, _MM_PERM_ENUM(0b10'00'01'00)), 2),
                                    pattern_of_quarter(0, 0x30303030, 0, 0x30303030));
    bytes = _mm512_or_si512(low, high);
  }
  F scale() const { return f16_of_quarters(head, 0); }
  F minimum(int i) const {
    const int first = int(0x80808008u) + 4 * i;
    const I four = _mm512_shuffle_epi8(bytes, pattern_of_quarter(first, first + 1, first + 2, first + 3));
    return mul(to_float(four), sub(zero(), f16_of_quarters(head, 1)));
  }
};

template <>
struct FixedFour<BlockQ4_K> : FixedParts {
  using FixedParts::FixedParts;
  template <int n, class Use>
  void read(Use use) const {
    const I scales = only_quarter<n>(bytes);
    NIBBLE_UNROLL for (int q = 0; q < 4; ++q) {
      const I two = bytes_as_words(at[n] + 16 + 32 * q);
      use(2 * q, _mm512_mullo_epi16(_mm512_and_si512(two, _mm512_set1_epi16(15)), words_of_byte(scales, 2 * q)));
      use(2 * q + 1, _mm512_mullo_epi16(_mm512_srli_epi16(two, 4), words_of_byte(scales, 2 * q + 1)));
    }
  }
};

template <>
struct FixedFour<BlockQ5_K> : FixedParts {
  using FixedParts::FixedParts;
  template <int n, class Use>
  void read(Use use) const {
    const I scales = only_quarter<n>(bytes), fifth = _mm512_set1_epi16(16);
    const I high = _mm512_slli_epi16(bytes_as_words(at[n] + 16), 4);  // bit v of a byte: of part v
    NIBBLE_UNROLL for (int q = 0; q < 4; ++q) {
      const I two = bytes_as_words(at[n] + 48 + 32 * q);
      const auto with_fifth = [=](I low, int v) __attribute__((always_inline)) {
        return _mm512_mullo_epi16(_mm512_or_si512(low, _mm512_and_si512(_mm512_srli_epi16(high, unsigned(v)), fifth)),
                                  words_of_byte(scales, v));
      };
      use(2 * q, with_fifth(_mm512_and_si512(two, _mm512_set1_epi16(15)), 2 * q));
      use(2 * q + 1, with_fifth(_mm512_srli_epi16(two, 4), 2 * q + 1));
    }
  }
};

template <>
struct FixedFour<BlockQ6_K> {
  static constexpr int minima = 0;
  const std::byte* at[4];

  explicit FixedFour(const std::byte* const* blocks) : at{blocks[0], blocks[1], blocks[2], blocks[3]} {}
  F scale() const { return f16_of_quarters(load_quarters(at, 194), 7); }
  F minimum(int) const { return zero(); }
  template <int n, class Use>
  void read(Use use) const {
    const I scales = _mm512_castsi256_si512(_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)(at[n] + 192))));
    NIBBLE_UNROLL for (int half = 0; half < 2; ++half) {
      const I low[2] = {bytes_as_words(at[n] + 64 * half), bytes_as_words(at[n] + 64 * half + 32)},
              high = _mm512_slli_epi16(bytes_as_words(at[n] + 128 + 32 * half), 4);
      NIBBLE_UNROLL for (int part = 0; part < 4; ++part) {
        const I bits =
            part < 2 ? _mm512_and_si512(low[part], _mm512_set1_epi16(15)) : _mm512_srli_epi16(low[part - 2], 4);
        const I code = _mm512_or_si512(
            bits, _mm512_and_si512(_mm512_srli_epi16(high, unsigned(2 * part)), _mm512_set1_epi16(0x30)));
        const int v = 4 * half + part;
        // The scales of two parts of 16.
        const I by = _mm512_permutexvar_epi16(
            _mm512_inserti64x4(_mm512_set1_epi16(short(2 * v)), _mm256_set1_epi16(short(2 * v + 1)), 1), scales);
        use(v, _mm512_mullo_epi16(_mm512_sub_epi16(code, _mm512_set1_epi16(32)), by));
      }
    }
  }
};

// The blocks from b on of a row of `blocks`: behind the end the last one is repeated.
template <class B>
inline FixedFour<B> four_blocks(const std::byte* row, std::int64_t b, std::int64_t blocks) {
  const std::byte* at[4];
  NIBBLE_UNROLL for (int n = 0; n < 4; ++n) at[n] = row + (b + n < blocks ? b + n : blocks - 1) * B::bytes;
  return FixedFour<B>(at);
}

// One row of x against a row of blocks where they lie: lanes of the product.
template <class B>
inline F row_fixed(const std::byte* row, std::int64_t blocks, const std::byte* x, const FixedRow& parts) {
  using Four = FixedFour<B>;
  const auto *x_scales = (const float*)(x + parts.scales), *x_sums = (const float*)(x + parts.sums);
  F acc = zero(), low = zero();
  for (std::int64_t b = 0; b < blocks; b += 4) {
    prefetch_ahead<4 * B::bytes>(row + b * B::bytes);
    const Four four = four_blocks<B>(row, b, blocks);
    const F by = mul(four.scale(), quarters_of_four(x_scales + b));
    const auto add_block = [&]<int n>() __attribute__((always_inline)) {
      if (b + n >= blocks) return;
      const std::byte* words = x + (b + n) * fixed_slots * 64;
      I sum[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
      four.template read<n>([&](int v, I w) __attribute__((always_inline)) {
        sum[v % 2] = add_products(sum[v % 2], _mm512_loadu_si512(words + v * 64), w);
      });
      acc = fma(to_float(_mm512_add_epi32(sum[0], sum[1])), only_quarter<n>(by), acc);
    };
    add_block.template operator()<0>(), add_block.template operator()<1>();
    add_block.template operator()<2>(), add_block.template operator()<3>();
    NIBBLE_UNROLL for (int i = 0; i < Four::minima; ++i) low =
        fma(four.minimum(i), load(x_sums + (b / 4 * 2 + i) * lanes), low);
  }
  return add(acc, low);
}

struct MultiplyInt16 {
  using Sum = I;
  static constexpr std::int64_t x_bytes = vector_bytes;
  static I load_w(const std::byte* p) { return _mm512_loadu_si512(p); }
  static I load_x(const std::byte* p) { return _mm512_loadu_si512(p); }
  static I step(I sum, I x, I w) { return add_products(sum, x, w); }
};

// A panel's words, packed, and the scale of each block: tiles of four rows.
struct FixedPanel {
  using Sum = F;
  static constexpr int rows = 3;
  const std::byte* packed;
  std::int64_t slots;
  const float* scales;  // of a tile: four per block
  std::int64_t x_scales;

  template <int M>
  void multiply(int tile, std::int64_t slot, std::int64_t count, const std::byte* x, std::int64_t stride,
                F* acc) const {
    const std::byte* w = packed + (tile * slots + slot) * 4 * vector_bytes;
    const float* scale = scales + (tile * slots + slot) / fixed_slots * 4;
    const std::byte* of_x = x + x_scales + slot / fixed_slots * std::int64_t(sizeof(float));
    x += slot * vector_bytes;
    multiply_runs<MultiplyInt16, M, int(fixed_slots)>(
        w, x, stride, count, acc, [&](std::int64_t, const I* sum, F* total) __attribute__((always_inline)) {
          NIBBLE_UNROLL_ALL for (int m = 0; m < M; ++m) {
            const F x_scale = set1(*(const float*)(of_x + m * stride));
            NIBBLE_UNROLL_ALL for (int n = 0; n < 4; ++n) total[m * 4 + n] =
                fma(to_float(sum[m * 4 + n]), mul(set1(scale[n]), x_scale), total[m * 4 + n]);
          }
          scale += 4;
          of_x += sizeof(float);
        });
  }
};

template <class B>
inline const std::byte* fixed_row(const Weight& w, std::int64_t row, std::int64_t end) {
  return w.codes + clamped(row, end) * (w.cols / fixed_block) * B::bytes;
}

template <class B>
inline void packed_fixed(const LinearCall& call, std::int64_t row, std::int64_t end, std::byte* scratch) {
  using Four = FixedFour<B>;
  const std::int64_t blocks = call.weight->cols / fixed_block, fours = (blocks + 3) / 4;
  const FixedRow parts(call.chunks);
  const int tiles = tiles_of(row, end);
  std::byte* packed = scratch + packed_sums_bytes;
  auto* scales = (float*)(packed + panel_rows * blocks * fixed_slots * vector_bytes);  // per tile and block, four
  float* minima = scales + panel_rows * blocks;                                        // a panel of MultiplyF32
  for (int t = 0; t < tiles; ++t)
    for (int n = 0; n < 4; ++n)
      for (std::int64_t b = 0; b < blocks; b += 4) {
        const Four four = four_blocks<B>(fixed_row<B>(*call.weight, row + 4 * t + n, end), b, blocks);
        float scale[lanes];
        store(scale, four.scale());
        const auto pack = [&]<int i>() __attribute__((always_inline)) {
          if (b + i >= blocks) return;
          const std::int64_t index = t * blocks + b + i;
          std::byte* out = packed + (index * fixed_slots * 4 + n) * vector_bytes;
          four.template read<i>([&](int v, I words) __attribute__((always_inline)) {
            _mm512_storeu_si512(out + v * 4 * vector_bytes, words);
          });
          scales[4 * index + n] = scale[4 * i];
        };
        pack.template operator()<0>(), pack.template operator()<1>();
        pack.template operator()<2>(), pack.template operator()<3>();
        for (int i = 0; i < Four::minima; ++i)
          store(minima + (((t * fours + b / 4) * Four::minima + i) * 4 + n) * lanes, four.minimum(i));
      }
  over_packed(call, FixedPanel{packed, blocks * fixed_slots, scales, parts.scales}, tiles, scratch, start_zero,
              [&](int t, std::int64_t m, int count, F* acc) {
                F low[FixedPanel::rows * 4];
                NIBBLE_UNROLL for (int i = 0; i < FixedPanel::rows * 4; ++i) low[i] = zero();
                const DensePanel<MultiplyF32> floats{(const std::byte*)minima, fours * Four::minima};
                multiply_rows(floats, count, t, 0, floats.slots, call.x + m * call.x_stride + parts.sums, call.x_stride,
                              low);
                for (int i = 0; i < 4 * count; ++i) acc[i] = add(acc[i], low[i]);
                finish_rows(call, row + 4 * t, end, m, count, acc);
              });
}

template <class B>
concept HasFixedFour = B::elements == fixed_block&& requires {
  sizeof(FixedFour<B>);
};

template <bool packed>
void run_blocks_int16(const LinearCall& call, std::int64_t first_row, std::int64_t rows, std::byte* scratch) {
  const std::int64_t blocks = call.weight->cols / fixed_block;
  const FixedRow parts(call.chunks);
  const auto panel = [&]<class B>(std::int64_t row, std::int64_t end) {
    if constexpr (packed)
      packed_fixed<B>(call, row, end, scratch);
    else
      one_by_one(call, row, end, [&](std::int64_t m, std::int64_t n) {
        return row_fixed<B>(fixed_row<B>(*call.weight, row + n, end), blocks, call.x + m * call.x_stride, parts);
      });
  };
  const auto run = [&]<class B>() {
    if constexpr (HasFixedFour<B>)
      over_panels(first_row, rows, [&](std::int64_t row, std::int64_t end) { panel.template operator()<B>(row, end); });
  };
  visit_format(call.weight->format, run, BlockFormats{});
}

Verdict fits_blocks_int16(const WeightFacts& weight) {
  bool fits = false;
  visit_format(
      weight.format, [&]<class B>() { fits = HasFixedFour<B>; }, BlockFormats{});
  if (!fits) return {"its weights are no blocks of 256 times integers"};
  if (weight.compute == DType::f32) return {"activations are to stay fp32"};
  return {};
}

constexpr Product blocks_int16 = {
    .name = "blocks_int16",
    .layout = &layout_int16,
    .instruction = Instruction::int16_dot,
    .fits = fits_blocks_int16,
    .schedules = {{1, where_it_lies, run_blocks_int16<false>}, {packed_from, packed_once, run_blocks_int16<true>}},
};
