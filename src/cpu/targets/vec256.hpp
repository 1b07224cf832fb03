// The vocabulary of 256-bit vectors. Included inside a target's namespace, after its pragma.

using F = __m256;
using I = __m256i;
constexpr int lanes = 8;
constexpr int tile_rows = 2;

inline F zero() { return _mm256_setzero_ps(); }
inline F set1(float x) { return _mm256_set1_ps(x); }
inline F load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, F x) { _mm256_storeu_ps(p, x); }
inline F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
inline F mul(F a, F b) { return _mm256_mul_ps(a, b); }
inline F add(F a, F b) { return _mm256_add_ps(a, b); }
inline F sub(F a, F b) { return _mm256_sub_ps(a, b); }
inline F div(F a, F b) { return _mm256_div_ps(a, b); }
inline F max(F a, F b) { return _mm256_max_ps(a, b); }
inline F min(F a, F b) { return _mm256_min_ps(a, b); }
inline F round_nearest(F a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
inline F power_of_two(F n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}
inline F load_bf16(const std::uint16_t* p) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p)), 16));
}
inline F set1_f16(const std::byte* p) {
  short bits;
  __builtin_memcpy(&bits, p, sizeof bits);
  return _mm256_cvtph_ps(_mm_set1_epi16(bits));
}
inline F load_f16(const std::uint16_t* p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p)); }
inline F round_f16(F x) { return _mm256_cvtph_ps(_mm256_cvtps_ph(x, 0)); }
inline F load_i8(const std::int8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)p)));
}
// Unsigned bytes, one per lane, and their bits.
inline I load_u8(const std::byte* p) { return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)p)); }
inline I bits_of(I x, int first, int mask) {
  return _mm256_and_si256(_mm256_srli_epi32(x, unsigned(first)), _mm256_set1_epi32(mask));
}
// A bit per lane, from bit `first` of a word on.
inline I bits_of_word(std::uint32_t word, int first) {
  const I each = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
  return _mm256_and_si256(_mm256_srlv_epi32(_mm256_set1_epi32(int(word >> first)), each), _mm256_set1_epi32(1));
}
inline I shift_right(I x, int by) { return _mm256_srli_epi32(x, unsigned(by)); }
inline I joined(I low, I high, int by) { return _mm256_or_si256(low, _mm256_slli_epi32(high, unsigned(by))); }
inline I bf16_bits(F x) {
  const I bits = _mm256_castps_si256(x);
  const I odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  return _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
}
inline F round_bf16(F x) { return _mm256_castsi256_ps(_mm256_slli_epi32(bf16_bits(x), 16)); }
inline void store_bf16(std::uint16_t* p, F x) {
  const I bits = bf16_bits(x);
  _mm_storeu_si128((__m128i*)p, _mm_packus_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1)));
}

struct Table {
  F low, high;
  Table() = default;
  explicit Table(const float* table) : low(_mm256_loadu_ps(table)), high(_mm256_loadu_ps(table + 8)) {}
  // A permutation looks at three bits; the fourth, moved to the sign, chooses the half.
  F at(I index) const {
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, index), _mm256_permutevar8x32_ps(high, index),
                            _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
  }
  template <class Change>
  Table changed(Change change) const {
    Table table;
    table.low = change(low);
    table.high = change(high);
    return table;
  }
};
inline void lookup(const Table& table, const std::byte* codes, F* out) {
  for (int i = 0; i < 4; ++i) {
    const I bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)(codes + 8 * i)));
    out[i] = table.at(_mm256_srli_epi32(bytes, 4));
    out[4 + i] = table.at(bytes);
  }
}
constexpr bool first_half(int v) { return v % 4 < 2; }

// Sums of the lanes of 8 vectors, in order.
inline void reduce(const F* a, float* out) {
  const F b0 = _mm256_hadd_ps(_mm256_hadd_ps(a[0], a[1]), _mm256_hadd_ps(a[2], a[3]));
  const F b1 = _mm256_hadd_ps(_mm256_hadd_ps(a[4], a[5]), _mm256_hadd_ps(a[6], a[7]));
  store(out, add(_mm256_permute2f128_ps(b0, b1, 0x20), _mm256_permute2f128_ps(b0, b1, 0x31)));
}
inline float lane_sum(F x) {
  float sums[8];
  const F a[8] = {x, zero(), zero(), zero(), zero(), zero(), zero(), zero()};
  reduce(a, sums);
  return sums[0];
}
inline float lane_max(F x) {
  float values[8];
  store(values, x);
  float highest = values[0];
  for (int i = 1; i < 8; ++i) highest = values[i] > highest ? values[i] : highest;
  return highest;
}
inline F to_float(I x) { return _mm256_cvtepi32_ps(x); }
inline I load_start(const std::int32_t* p) { return _mm256_loadu_si256((const __m256i*)p); }
inline void store_vector(std::byte* p, I x) { _mm256_storeu_si256((__m256i*)p, x); }
inline F gather_i8(const std::int8_t* row, const std::int32_t* columns, const std::int8_t*) {
  float values[8];
  for (int i = 0; i < 8; ++i) values[i] = row[columns[i]];
  return load(values);
}
