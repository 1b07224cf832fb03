#include "cpu/peak.hpp"

#include <immintrin.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "base/cpu_features.hpp"
#include "base/thread_pool.hpp"
#include "tensor/memory.hpp"

namespace nibble {
namespace {

// Twelve independent sums hide the latency of two units of depth four or five. The empty assembler statement makes every
// sum pass through a register each round, so that the loop is neither folded nor moved.
constexpr std::int64_t rounds = 2'000'000;
#define NIBBLE_PEAK_LOOP(Vector, start, registers, step)  \
  Vector s[12];                                            \
  for (int i = 0; i < 12; ++i) s[i] = start;               \
  for (std::int64_t r = 0; r < rounds; ++r) {              \
    _Pragma("GCC unroll 12") for (int i = 0; i < 12; ++i) { \
      s[i] = step;                                         \
      asm volatile("" : "+" registers(s[i]));              \
    }                                                      \
  }

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,avx2,fma")
void bf16_loop() {
  const __m512bh a = (__m512bh)_mm512_set1_epi16(0x3f80);
  NIBBLE_PEAK_LOOP(__m512, _mm512_setzero_ps(), "v", _mm512_dpbf16_ps(s[i], a, a))
}
void int8_loop() {
  const __m512i a = _mm512_set1_epi8(1);
  NIBBLE_PEAK_LOOP(__m512i, _mm512_setzero_si512(), "v", _mm512_dpbusd_epi32(s[i], a, a))
}
void fp32_loop_512() {
  const __m512 a = _mm512_set1_ps(0.5f);
  NIBBLE_PEAK_LOOP(__m512, _mm512_setzero_ps(), "v", _mm512_fmadd_ps(s[i], a, a))
}
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx2,fma")
void fp32_loop_256() {
  const __m256 a = _mm256_set1_ps(0.5f);
  NIBBLE_PEAK_LOOP(__m256, _mm256_setzero_ps(), "x", _mm256_fmadd_ps(s[i], a, a))
}
#pragma GCC pop_options

void fp32_loop_128() {
  const __m128 a = _mm_set1_ps(0.5f);
  NIBBLE_PEAK_LOOP(__m128, _mm_setzero_ps(), "x", _mm_add_ps(_mm_mul_ps(s[i], a), a))
}

// The best of a few runs: other programs only ever make it slower.
template <class Job>
double best_rate(double work, Job job) {
  double best = 0;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    job();
    best = std::max(best, work / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best * 1e-9;
}

double arithmetic_rate(int threads, int operations_per_step, void (*loop)()) {
  ThreadPool pool(threads);
  return best_rate(double(pool.size()) * double(rounds) * 12 * operations_per_step, [&] { pool.run(pool.size(), [&](std::int64_t, int) { loop(); }); });
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

double measure_bf16_peak(int threads) { return cpu_features().avx512_bf16 ? arithmetic_rate(threads, 64, bf16_loop) : 0; }

double measure_int8_peak(int threads) { return cpu_features().avx512_vnni ? arithmetic_rate(threads, 128, int8_loop) : 0; }

Peaks measure_peaks(int threads) {
  return {threads > 0 ? threads : usable_cores(), measure_read_bandwidth(threads), measure_fma_peak(threads), measure_bf16_peak(threads), measure_int8_peak(threads)};
}

}  // namespace nibble
