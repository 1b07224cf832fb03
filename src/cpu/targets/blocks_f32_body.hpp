// ggml's blocks where they lie, decoded in registers, times activations in fp32. The values are those of F::value in
// formats/blocks.hpp, to the bit (so no multiplication is fused). For rows of whole chunks of 64 and the types that
// have a reader here. Bound by the work per weight: widening, then fp32 multiply-adds; 50 to 69 % of what the memory
// gives and 74 to 79 % of the fp32 peak on two Zen 4 cores (docs/measurements/gguf-speed.md).
//
// A BlockReader walks along a row: read<q>() gives the q-th chunk of where it stands. Four-bit codes are looked up in a
// table of values that carries the block's scale and minimum already, so that a code costs one permutation.

alignas(64) constexpr float counting[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
alignas(64) constexpr float counting_from_8[16] = {-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7};

// `count` bytes: their low nibbles are `count` elements by one table, their high ones those after them by another.
template <int count>
inline void look_up_nibbles(const std::byte* packed, const Table& low, const Table& high, F* w) {
  NIBBLE_UNROLL for (int v = 0; v < count / lanes; ++v) {
    const I codes = load_u8(packed + v * lanes);
    w[v] = low.at(codes);
    w[count / lanes + v] = high.at(shift_right(codes, 4));  // a look-up takes four bits only
  }
}

// get(block, w): the values of a block of 32.
template <class B>
struct BlockValues;

template <>
struct BlockValues<BlockQ8_0> {
  static void get(const std::byte* block, F* w) {
    const F scale = set1_f16(block);
    NIBBLE_UNROLL for (int v = 0; v < 32 / lanes; ++v) w[v] =
        mul(load_i8((const std::int8_t*)block + 2 + v * lanes), scale);
  }
};
template <>
struct BlockValues<BlockQ4_0> {
  static void get(const std::byte* block, F* w) {
    const F scale = set1_f16(block);
    const Table table = Table(counting_from_8).changed([=](F x) { return mul(x, scale); });
    look_up_nibbles<16>(block + 2, table, table, w);
  }
};
template <>
struct BlockValues<BlockQ4_1> {
  static void get(const std::byte* block, F* w) {
    const F scale = set1_f16(block), minimum = set1_f16(block + 2);
    const Table table = Table(counting).changed([=](F x) { return add(mul(x, scale), minimum); });
    look_up_nibbles<16>(block + 4, table, table, w);
  }
};
// 32 codes of five bits: low nibbles packed, the fifth bits in a word.
template <class Value>
inline void five_bits(const std::byte* packed, const std::byte* fifth, F* w, Value value) {
  std::uint32_t word;
  __builtin_memcpy(&word, fifth, sizeof word);
  constexpr int half = 16 / lanes;
  NIBBLE_UNROLL for (int v = 0; v < half; ++v) {
    const I codes = load_u8(packed + v * lanes);
    w[v] = value(to_float(joined(bits_of(codes, 0, 15), bits_of_word(word, v * lanes), 4)));
    w[half + v] = value(to_float(joined(shift_right(codes, 4), bits_of_word(word, 16 + v * lanes), 4)));
  }
}
template <>
struct BlockValues<BlockQ5_0> {
  static void get(const std::byte* block, F* w) {
    const F scale = set1_f16(block);
    five_bits(
        block + 6, block + 2, w, [=](F x) __attribute__((always_inline)) { return mul(sub(x, set1(16)), scale); });
  }
};
template <>
struct BlockValues<BlockQ5_1> {
  static void get(const std::byte* block, F* w) {
    const F scale = set1_f16(block), minimum = set1_f16(block + 2);
    five_bits(
        block + 8, block + 4, w, [=](F x) __attribute__((always_inline)) { return add(mul(x, scale), minimum); });
  }
};
template <>
struct BlockValues<BlockIq4Nl> {
  static void get(const std::byte* block, F* w) {
    const F scale = set1_f16(block);
    const Table table = Table(BlockIq4Nl::table).changed([=](F x) { return mul(x, scale); });
    look_up_nibbles<16>(block + 2, table, table, w);
  }
};

// What walks along a row of a type; a type without one is decoded element by element (cpu/decode_row.hpp).
template <class B>
struct BlockReader;

template <class B>
requires requires { sizeof(BlockValues<B>); }
struct BlockReader<B> {
  static constexpr int chunks = 1, bytes = 2 * B::bytes;  // that are read where it stands
  const std::byte* at;
  explicit BlockReader(const std::byte* row) : at(row) {}
  template <int q>
  void read(F* w) {
    BlockValues<B>::get(at, w);
    BlockValues<B>::get(at + B::bytes, w + vectors / 2);
  }
};

// Blocks of 256 whose eight parts of 32 have a scale and a minimum of six bits (KScale).
struct PartsReader {
  static constexpr int chunks = 4;
  const std::byte* at;
  float scales[16];  // of the parts of 32, then their minima
  explicit PartsReader(const std::byte* row) : at(row) {}

  // KScale for all eight parts at once, four bytes at a time.
  void unpack_scales() {
    std::uint32_t packed[3];
    __builtin_memcpy(packed, at + 4, sizeof packed);
    const auto high = [](std::uint32_t low, std::uint32_t bits) {
      return (low & 0x0f0f0f0f) | (bits >> 6 & 0x03030303) << 4;
    };
    const std::uint32_t bytes[4] = {packed[0] & 0x3f3f3f3f, high(packed[2], packed[0]), packed[1] & 0x3f3f3f3f,
                                    high(packed[2] >> 4, packed[1])};
    float by[24];  // the scale eight times, then the minimum
    const F scale = set1_f16(at), minimum = set1_f16(at + 2);
    for (int i = 0; i < 16; i += lanes) store(by + i, scale);
    for (int i = 8; i < 16; i += lanes) store(by + i, minimum);
    for (int i = 0; i < 16; i += lanes)
      store(scales + i, mul(load(by + i), to_float(load_u8((const std::byte*)bytes + i))));
  }
};

template <>
struct BlockReader<BlockQ4_K> : PartsReader {
  static constexpr int bytes = BlockQ4_K::bytes;
  using PartsReader::PartsReader;
  template <int q>
  void read(F* w) {
    if constexpr (q == 0) unpack_scales();
    const auto table = [&](int part) {
      const F scale = set1(scales[part]), minimum = set1(scales[8 + part]);
      return Table(counting).changed([=](F x) { return sub(mul(x, scale), minimum); });
    };
    look_up_nibbles<32>(at + 16 + 32 * q, table(2 * q), table(2 * q + 1), w);
  }
};

template <>
struct BlockReader<BlockQ5_K> : PartsReader {
  static constexpr int bytes = BlockQ5_K::bytes;
  using PartsReader::PartsReader;
  template <int q>
  void read(F* w) {
    if constexpr (q == 0) unpack_scales();
    NIBBLE_UNROLL for (int v = 0; v < vectors; ++v) {
      const int part = 2 * q + v / (vectors / 2), l = v % (vectors / 2) * lanes;
      const I low = bits_of(load_u8(at + 48 + 32 * q + l), part % 2 * 4, 15),
              high = bits_of(load_u8(at + 16 + l), part, 1);
      w[v] = sub(mul(set1(scales[part]), to_float(joined(low, high, 4))), set1(scales[8 + part]));
    }
  }
};

template <>
struct BlockReader<BlockQ6_K> {
  static constexpr int chunks = 4, bytes = BlockQ6_K::bytes;
  const std::byte* at;
  float scales[16];  // of the parts of 16
  explicit BlockReader(const std::byte* row) : at(row) {}

  template <int q>
  void read(F* w) {
    if constexpr (q == 0) {
      const F scale = set1_f16(at + 208);
      for (int i = 0; i < 16; i += lanes) store(scales + i, mul(scale, load_i8((const std::int8_t*)at + 192 + i)));
    }
    constexpr int half = q / 2, shift = 4 * (q % 2), per_part = 32 / lanes;
    NIBBLE_UNROLL for (int v = 0; v < vectors; ++v) {
      const int part = v / per_part, l = v % per_part * lanes;
      const I low = bits_of(load_u8(at + 64 * half + 32 * part + l), shift, 15),
              high = bits_of(load_u8(at + 128 + 32 * half + l), shift + 2 * part, 3);
      w[v] = mul(set1(scales[4 * q + v * lanes / 16]), sub(to_float(joined(low, high, 4)), set1(32)));
    }
  }
};

template <class B>
concept HasReader = requires {
  sizeof(BlockReader<B>);
};

struct RowsOfBlocks {
  const std::byte* row[4];
};

// use(c, n, values) for every chunk of four rows, side by side: a sum over k is one chain of additions. The four rows
// that follow are prefetched meanwhile, from front to back.
template <class Reader, class Use>
inline void walk_blocks(const RowsOfBlocks& rows, std::int64_t chunks, Use use) {
  Reader readers[4] = {Reader(rows.row[0]), Reader(rows.row[1]), Reader(rows.row[2]), Reader(rows.row[3])};
  const std::byte* next = following_rows(rows.row);
  const auto chunk_of_all = [&]<int q>(std::int64_t c) __attribute__((always_inline)) {
    NIBBLE_UNROLL for (int n = 0; n < 4; ++n) {
      F w[vectors];
      readers[n].template read<q>(w);
      use(c + q, n, w);
    }
  };
  for (std::int64_t c = 0; c < chunks; c += Reader::chunks) {
    prefetch_ahead<4 * Reader::bytes>(next);
    next += 4 * Reader::bytes;
    chunk_of_all.template operator()<0>(c);
    if constexpr (Reader::chunks == 4) {
      chunk_of_all.template operator()<1>(c);
      chunk_of_all.template operator()<2>(c);
      chunk_of_all.template operator()<3>(c);
    }
    NIBBLE_UNROLL for (int n = 0; n < 4; ++n) readers[n].at += Reader::bytes;
  }
}

template <int M, class Reader>
inline void tile_blocks(const RowsOfBlocks& rows, const float* const* x, std::int64_t chunks, float* sums) {
  F acc[lanes];
  NIBBLE_UNROLL for (int i = 0; i < lanes; ++i) acc[i] = zero();
  walk_blocks<Reader>(
      rows, chunks, [&](std::int64_t c, int n, const F* w) __attribute__((always_inline)) {
        NIBBLE_UNROLL for (int m = 0; m < M; ++m) NIBBLE_UNROLL for (int v = 0; v < vectors; ++v) acc[m * 4 + n] =
            fma(load(x[m] + c * chunk + v * lanes), w[v], acc[m * 4 + n]);
      });
  reduce(acc, sums);
}

template <class B, bool packed>
inline void panel_blocks(const LinearCall& call, std::int64_t row, std::int64_t end, std::byte* scratch) {
  using Reader = BlockReader<B>;
  const std::int64_t stride = call.weight->cols / B::elements * B::bytes, slots = call.chunks * vectors;
  RowsOfBlocks rows[panel_tiles];
  point_rows(rows, row, end, call.weight->codes + row * stride, stride);
  if constexpr (!packed)
    return over_panel<float>(call, row, end, [&]<int M>(int t, const float* const* x, float* sums) {
      tile_blocks<M, Reader>(rows[t], x, call.chunks, sums);
    });
  for (int t = 0; t < tiles_of(row, end); ++t) {
    float* tile = (float*)(scratch + packed_sums_bytes) + t * slots * 4 * lanes;
    walk_blocks<Reader>(rows[t], call.chunks, [&](std::int64_t c, int n, const F* w) {
      NIBBLE_UNROLL for (int v = 0; v < vectors; ++v) store(tile + ((c * vectors + v) * 4 + n) * lanes, w[v]);
    });
  }
  multiply_packed<MultiplyF32>(call, row, end, slots, scratch);
}

template <bool packed>
void run_blocks_f32(const LinearCall& call, std::int64_t first_row, std::int64_t rows, std::byte* scratch) {
  visit_format(
      call.weight->format,
      [&]<class B>() {
        if constexpr (HasReader<B>)
          over_panels(first_row, rows,
                      [&](std::int64_t row, std::int64_t end) { panel_blocks<B, packed>(call, row, end, scratch); });
      },
      BlockFormats{});
}

Verdict fits_blocks_f32(const WeightFacts& weight) {
  bool has_reader = false;
  visit_format(
      weight.format, [&]<class B>() { has_reader = HasReader<B>; }, BlockFormats{});
  if (!has_reader) return {"its weights are no blocks that vectors decode"};
  return fits_whole_chunks(weight);
}

constexpr Product blocks_f32 = {
    .name = "blocks_f32",
    .layout = &layout_f32,
    .instruction = Instruction::fp32_fma,
    .fits = fits_blocks_f32,
    .schedules = {{1, where_it_lies, run_blocks_f32<false>}, {packed_from, packed_once, run_blocks_f32<true>}},
};
