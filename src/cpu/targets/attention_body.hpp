// Attention of a few queries of one head over a cache of any of the three types. For heads of any size: elements beyond
// whole vectors are loaded padded with zeros. Bound by fp32 multiply-adds in a prompt, and by reading the cache where
// one query meets a long one.

struct CacheF32 {
  using Code = float;
  static F get(const Code* p) { return load(p); }
};
struct CacheBf16 {
  using Code = std::uint16_t;
  static F get(const Code* p) { return load_bf16(p); }
};
struct CacheF16 {
  using Code = std::uint16_t;
  static F get(const Code* p) { return load_f16(p); }
};

// `count` elements, fewer than a vector has; the others are zero.
template <class Cache>
inline F get_part(const typename Cache::Code* p, int count) {
  typename Cache::Code padded[lanes] = {};
  __builtin_memcpy(padded, p, std::size_t(count) * sizeof *p);
  return Cache::get(padded);
}

// Scores of `count` keys from `key` on, `lanes` at a time.
template <class Cache>
inline void score_keys(const float* q, const typename Cache::Code* key, std::int64_t stride, std::int64_t dim,
                       std::int64_t count, float scale, float* scores) {
  const int part = int(dim % lanes);
  const std::int64_t whole = dim - part;
  for (std::int64_t s = 0; s < count; s += lanes) {
    F acc[lanes];
    for (int j = 0; j < lanes; ++j) acc[j] = zero();
    const int valid = int(count - s < lanes ? count - s : lanes);
    for (int j = 0; j < valid; ++j)
      for (std::int64_t d = 0; d < whole; d += lanes)
        acc[j] = fma(load(q + d), Cache::get(key + (s + j) * stride + d), acc[j]);
    if (part)
      for (int j = 0; j < valid; ++j)
        acc[j] =
            fma(get_part<CacheF32>(q + whole, part), get_part<Cache>(key + (s + j) * stride + whole, part), acc[j]);
    float sums[lanes];
    reduce(acc, sums);
    for (int j = 0; j < valid; ++j) scores[s + j] = sums[j] * scale;
  }
}

template <class Cache, int Vectors>
inline void mix_values(const float* weights, const typename Cache::Code* value, std::int64_t stride, std::int64_t count,
                       float inverse, float* out) {
  F acc[Vectors];
  for (int v = 0; v < Vectors; ++v) acc[v] = zero();
  for (std::int64_t s = 0; s < count; ++s) {
    const F w = set1(weights[s]);
    for (int v = 0; v < Vectors; ++v) acc[v] = fma(w, Cache::get(value + s * stride + v * lanes), acc[v]);
  }
  for (int v = 0; v < Vectors; ++v) store(out + v * lanes, mul(acc[v], set1(inverse)));
}

// The `part` elements that are less than a vector.
template <class Cache>
inline void mix_part(const float* weights, const typename Cache::Code* value, std::int64_t stride, std::int64_t count,
                     float inverse, int part, float* out) {
  F acc = zero();
  for (std::int64_t s = 0; s < count; ++s) acc = fma(set1(weights[s]), get_part<Cache>(value + s * stride, part), acc);
  float mixed[lanes];
  store(mixed, mul(acc, set1(inverse)));
  __builtin_memcpy(out, mixed, std::size_t(part) * sizeof *out);
}

template <class Cache>
void attend(const AttentionCall& call, float* scores) {
  const AttentionShape& shape = *call.shape;
  const CacheView &k = call.caches[0], &v = call.caches[1];
  const std::int64_t dim = shape.head_dim, kv_head = call.head / (shape.heads / shape.kv_heads);
  const auto* keys = (const typename Cache::Code*)k.data + kv_head * k.head_stride;
  const auto* values = (const typename Cache::Code*)v.data + kv_head * v.head_stride;
  for (std::int64_t t = 0; t < call.count; ++t) {
    const std::int64_t last = call.first + t,
                       first = shape.window > 0 && last - shape.window + 1 > 0 ? last - shape.window + 1 : 0,
                       count = last - first + 1;
    const float* q = call.q + t * call.q_stride;
    float* out = call.out + t * call.out_stride;
    score_keys<Cache>(q, keys + first * k.position_stride, k.position_stride, dim, count, shape.scale, scores);
    float highest = scores[0];
    for (std::int64_t s = 1; s < count; ++s) highest = scores[s] > highest ? scores[s] : highest;
    F sum = zero();
    std::int64_t padded = (count + lanes - 1) / lanes * lanes;
    for (std::int64_t s = count; s < padded; ++s) scores[s] = -1e30f;
    for (std::int64_t s = 0; s < padded; s += lanes) store(scores + s, exp(sub(load(scores + s), set1(highest))));
    for (std::int64_t s = count; s < padded; ++s) scores[s] = 0;
    for (std::int64_t s = 0; s < padded; s += lanes) sum = add(sum, load(scores + s));
    const float inverse = 1.0f / lane_sum(sum);
    const auto* value = values + first * v.position_stride;
    std::int64_t d = 0;
    for (; d + 4 * lanes <= dim; d += 4 * lanes)
      mix_values<Cache, 4>(scores, value + d, v.position_stride, count, inverse, out + d);
    for (; d + lanes <= dim; d += lanes)
      mix_values<Cache, 1>(scores, value + d, v.position_stride, count, inverse, out + d);
    if (d < dim) mix_part<Cache>(scores, value + d, v.position_stride, count, inverse, int(dim - d), out + d);
  }
}

void attention(const AttentionCall& call, float* scratch) {
  switch (call.cache_dtype) {
    case DType::f32:
      return attend<CacheF32>(call, scratch);
    case DType::bf16:
      return attend<CacheBf16>(call, scratch);
    default:
      return attend<CacheF16>(call, scratch);
  }
}
