// The vocabulary of 512-bit vectors. Included inside a target's namespace, after its pragma.

using F = __m512;
using I = __m512i;
constexpr int lanes = 16;
constexpr int tile_rows = 4;  // rows of x in a full tile; a tile is always 4 weight rows wide

inline F zero() { return _mm512_setzero_ps(); }
inline F set1(float x) { return _mm512_set1_ps(x); }
inline F load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, F x) { _mm512_storeu_ps(p, x); }
inline F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
inline F mul(F a, F b) { return _mm512_mul_ps(a, b); }
inline F add(F a, F b) { return _mm512_add_ps(a, b); }
inline F sub(F a, F b) { return _mm512_sub_ps(a, b); }
inline F div(F a, F b) { return _mm512_div_ps(a, b); }
inline F max(F a, F b) { return _mm512_max_ps(a, b); }
inline F min(F a, F b) { return _mm512_min_ps(a, b); }
inline F round_nearest(F a) { return _mm512_roundscale_ps(a, 0); }
// 2^n for whole n in [-126, 127].
inline F power_of_two(F n) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23));
}
inline F load_bf16(const std::uint16_t* p) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)p)), 16));
}
inline F set1_f16(const std::byte* p) {
  short bits;
  __builtin_memcpy(&bits, p, sizeof bits);
  return _mm512_cvtph_ps(_mm256_set1_epi16(bits));
}
inline F load_f16(const std::uint16_t* p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)p)); }
inline F round_f16(F x) { return _mm512_cvtph_ps(_mm512_cvtps_ph(x, 0)); }
inline F load_i8(const std::int8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i*)p)));
}
// Unsigned bytes, one per lane, and their bits.
inline I load_u8(const std::byte* p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)p)); }
inline I bits_of(I x, int first, int mask) {
  return _mm512_and_si512(_mm512_srli_epi32(x, unsigned(first)), _mm512_set1_epi32(mask));
}
// A bit per lane, from bit `first` of a word on.
inline I bits_of_word(std::uint32_t word, int first) {
  const I each = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  return _mm512_and_si512(_mm512_srlv_epi32(_mm512_set1_epi32(int(word >> first)), each), _mm512_set1_epi32(1));
}
inline I shift_right(I x, int by) { return _mm512_srli_epi32(x, unsigned(by)); }
inline I joined(I low, I high, int by) { return _mm512_or_si512(low, _mm512_slli_epi32(high, unsigned(by))); }
// Nearest, ties to even; NaN is not met here.
inline I bf16_bits(F x) {
  const I bits = _mm512_castps_si512(x);
  const I odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  return _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
}
inline F round_bf16(F x) { return _mm512_castsi512_ps(_mm512_slli_epi32(bf16_bits(x), 16)); }
inline void store_bf16(std::uint16_t* p, F x) { _mm256_storeu_si256((__m256i*)p, _mm512_cvtepi32_epi16(bf16_bits(x))); }

// 16 values of a table, looked up by the low four bits of each lane.
struct Table {
  F values;
  Table() = default;
  explicit Table(const float* table) : values(_mm512_loadu_ps(table)) {}
  F at(I index) const { return _mm512_permutexvar_ps(index, values); }
  template <class Change>
  Table changed(Change change) const {
    Table table;
    table.values = change(values);
    return table;
  }
};
// The codes of one chunk (32 bytes): even elements 0..31, then odd ones.
inline void lookup(const Table& table, const std::byte* codes, F* out) {
  const I a = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)codes)),
          b = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)(codes + 16)));
  out[0] = table.at(_mm512_srli_epi32(a, 4));
  out[1] = table.at(_mm512_srli_epi32(b, 4));
  out[2] = table.at(a);
  out[3] = table.at(b);  // a permutation looks at four bits only
}
// Lane l of a half chunk (32 elements of each parity) in the order of lookup(): which of out[] belongs to the first
// half. With 16 lanes, out[0] and out[2] are elements 0..31, out[1] and out[3] elements 32..63.
constexpr bool first_half(int v) { return v % 2 == 0; }

// Sums of the lanes of 16 vectors, in order.
inline void reduce(const F* a, float* out) {
  F b[8], c[4];
  for (int i = 0; i < 8; ++i)
    b[i] = add(_mm512_unpacklo_ps(a[2 * i], a[2 * i + 1]), _mm512_unpackhi_ps(a[2 * i], a[2 * i + 1]));
  for (int i = 0; i < 4; ++i)
    c[i] = add(_mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(b[2 * i]), _mm512_castps_pd(b[2 * i + 1]))),
               _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(b[2 * i]), _mm512_castps_pd(b[2 * i + 1]))));
  const F d0 = add(_mm512_shuffle_f32x4(c[0], c[1], 0x88), _mm512_shuffle_f32x4(c[0], c[1], 0xdd));
  const F d1 = add(_mm512_shuffle_f32x4(c[2], c[3], 0x88), _mm512_shuffle_f32x4(c[2], c[3], 0xdd));
  store(out, add(_mm512_shuffle_f32x4(d0, d1, 0x88), _mm512_shuffle_f32x4(d0, d1, 0xdd)));
}
inline float lane_sum(F x) {
  float sums[16];
  const F a[16] = {x,      zero(), zero(), zero(), zero(), zero(), zero(), zero(),
                   zero(), zero(), zero(), zero(), zero(), zero(), zero(), zero()};
  reduce(a, sums);
  return sums[0];
}
inline float lane_max(F x) { return _mm512_reduce_max_ps(x); }
inline F to_float(I x) { return _mm512_cvtepi32_ps(x); }
inline I load_start(const std::int32_t* p) { return _mm512_loadu_si512(p); }
inline void store_vector(std::byte* p, I x) { _mm512_storeu_si512(p, x); }
// Signed bytes of a row at 16 columns. A gather reads four bytes each, which the end of all rows may not have.
inline F gather_i8(const std::int8_t* row, const std::int32_t* columns, const std::int8_t* end) {
  const I at = _mm512_loadu_si512(columns);
  if (end - row < _mm512_reduce_max_epi32(at) + 4) {
    float values[16];
    for (int i = 0; i < 16; ++i) values[i] = row[columns[i]];
    return load(values);
  }
  return to_float(_mm512_srai_epi32(_mm512_slli_epi32(_mm512_i32gather_epi32(at, row, 1), 24), 24));
}
