#include "cpu/peak.hpp"

#include <immintrin.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/clock.hpp"
#include "base/cpu_features.hpp"
#include "base/thread_pool.hpp"
#include "tensor/allocator.hpp"

namespace nibble {
namespace {

// Twelve independent sums hide the latency of two units of depth four or five. They are variables with names, since an
// array might be kept in memory; the empty assembler statement keeps the loop from being folded.
constexpr std::int64_t rounds = 2'000'000;
#define NIBBLE_PEAK_LOOP(Vector, start, registers, step)                                       \
  Vector a = start, b = start, c = start, d = start, e = start, f = start;                     \
  Vector g = start, h = start, i = start, j = start, k = start, l = start;                     \
  for (std::int64_t r = 0; r < rounds; ++r) {                                                  \
    a = step(a), b = step(b), c = step(c), d = step(d), e = step(e), f = step(f);              \
    g = step(g), h = step(h), i = step(i), j = step(j), k = step(k), l = step(l);              \
    asm volatile("" : "+" registers(a), "+" registers(b), "+" registers(c), "+" registers(d)); \
    asm volatile("" : "+" registers(e), "+" registers(f), "+" registers(g), "+" registers(h)); \
    asm volatile("" : "+" registers(i), "+" registers(j), "+" registers(k), "+" registers(l)); \
  }

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,avx2,fma")
void bf16_loop() {
  const __m512bh one = (__m512bh)_mm512_set1_epi16(0x3f80);
  const auto step = [&](__m512 sum) __attribute__((always_inline)) { return _mm512_dpbf16_ps(sum, one, one); };
  NIBBLE_PEAK_LOOP(__m512, _mm512_setzero_ps(), "v", step)
}
void int8_loop() {
  const __m512i one = _mm512_set1_epi8(1);
  const auto step = [&](__m512i sum) __attribute__((always_inline)) { return _mm512_dpbusd_epi32(sum, one, one); };
  NIBBLE_PEAK_LOOP(__m512i, _mm512_setzero_si512(), "v", step)
}
void fp32_loop_512() {
  const __m512 half = _mm512_set1_ps(0.5f);
  const auto step = [&](__m512 sum) __attribute__((always_inline)) { return _mm512_fmadd_ps(sum, half, half); };
  NIBBLE_PEAK_LOOP(__m512, _mm512_setzero_ps(), "v", step)
}
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx2,fma")
void fp32_loop_256() {
  const __m256 half = _mm256_set1_ps(0.5f);
  const auto step = [&](__m256 sum) __attribute__((always_inline)) { return _mm256_fmadd_ps(sum, half, half); };
  NIBBLE_PEAK_LOOP(__m256, _mm256_setzero_ps(), "x", step)
}
#pragma GCC pop_options

void fp32_loop_128() {
  const __m128 half = _mm_set1_ps(0.5f);
  const auto step = [&](__m128 sum) __attribute__((always_inline)) { return _mm_add_ps(_mm_mul_ps(sum, half), half); };
  NIBBLE_PEAK_LOOP(__m128, _mm_setzero_ps(), "x", step)
}

// The best of a few runs: other programs only ever make it slower.
template <class Job>
double best_rate(double work, Job job) {
  double best = 0;
  for (int i = 0; i < 5; ++i) {
    const double start = now_seconds();
    job();
    best = std::max(best, work / (now_seconds() - start));
  }
  return best * 1e-9;
}

double arithmetic_rate(int threads, int operations_per_step, void (*loop)()) {
  ThreadPool pool(threads);
  return best_rate(double(pool.size()) * double(rounds) * 12 * operations_per_step,
                   [&] { pool.run(pool.size(), [&](std::int64_t, int) { loop(); }); });
}

}  // namespace

double measure_read_bandwidth(int threads) {
  constexpr std::size_t bytes = std::size_t(256) << 20, piece = std::size_t(1) << 20;
  HostAllocator memory;
  auto buffer = Buffer::take(memory, bytes, Purpose::workspace);
  if (!buffer) return 0;
  auto* words = buffer->as<std::uint64_t>();
  for (std::size_t i = 0; i < bytes / 8; ++i) words[i] = i;
  ThreadPool pool(threads);
  std::atomic<std::uint64_t> kept{0};  // so that the sums are needed
  return best_rate(double(bytes), [&] {
    pool.run(std::int64_t(bytes / piece), [&](std::int64_t p, int) {
      const auto* from = reinterpret_cast<const __m128i*>(buffer->as<char>() + std::size_t(p) * piece);
      __m128i sum[8] = {};
      for (std::size_t i = 0; i < piece / 16; i += 8)
        for (std::size_t j = 0; j < 8; ++j) sum[j] = _mm_xor_si128(sum[j], _mm_load_si128(from + i + j));
      for (int j = 1; j < 8; ++j) sum[0] = _mm_xor_si128(sum[0], sum[j]);
      kept.fetch_xor(std::uint64_t(_mm_cvtsi128_si64(sum[0])));
    });
  });
}

double measure_fma_peak(int threads) {
  const CpuFeatures features = cpu_features();
  if (features.avx512) return arithmetic_rate(threads, 32, fp32_loop_512);
  return features.avx2 ? arithmetic_rate(threads, 16, fp32_loop_256) : arithmetic_rate(threads, 8, fp32_loop_128);
}

double measure_bf16_peak(int threads) {
  return cpu_features().avx512_bf16 ? arithmetic_rate(threads, 64, bf16_loop) : 0;
}

double measure_int8_peak(int threads) {
  return cpu_features().avx512_vnni ? arithmetic_rate(threads, 128, int8_loop) : 0;
}

Peaks measure_peaks(int threads) {
  return {threads > 0 ? threads : usable_cores(), measure_read_bandwidth(threads), measure_fma_peak(threads),
          measure_bf16_peak(threads), measure_int8_peak(threads)};
}

}  // namespace nibble
