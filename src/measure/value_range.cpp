#include "measure/value_range.hpp"

#include <algorithm>
#include <cmath>

#include "base/numeric.hpp"

namespace nibble {
namespace {

constexpr std::int64_t piece = 1 << 16;
constexpr float fp16_largest = 65504, fp16_smallest_normal = 0x1p-14f, fp16_half_step = 0x1p-25f;

// Mean squares are kept as such, so that parts can be added; `weight` of them are in the mean.
double joined(double a, std::uint64_t count_a, double b, std::uint64_t count_b) {
  const double total = double(count_a) + double(count_b);
  return total > 0 ? std::sqrt((a * a * double(count_a) + b * b * double(count_b)) / total) : 0;
}

// What rounding can lose of: finite, and for fp16 within its range.
std::uint64_t finite(const ValueRange& r) { return r.values - r.nonfinite; }
std::uint64_t within_fp16(const ValueRange& r) { return finite(r) - r.beyond_fp16; }

}  // namespace

void ValueRange::add(const ValueRange& other) {
  bf16_rms = joined(bf16_rms, finite(*this), other.bf16_rms, finite(other));
  fp16_rms = joined(fp16_rms, within_fp16(*this), other.fp16_rms, within_fp16(other));
  values += other.values;
  nonfinite += other.nonfinite;
  beyond_fp16 += other.beyond_fp16;
  below_fp16_normal += other.below_fp16_normal;
  zero_in_fp16 += other.zero_in_fp16;
  changed_by_bf16 += other.changed_by_bf16;
  largest = std::max(largest, other.largest);
  smallest = smallest == 0 ? other.smallest : other.smallest == 0 ? smallest : std::min(smallest, other.smallest);
  bf16_error = std::max(bf16_error, other.bf16_error);
}

ValueRange range_of(std::span<const float> values) {
  ValueRange out;
  out.values = values.size();
  float largest = 0, smallest = INFINITY;
  double bf16_squares = 0, fp16_squares = 0, worst = 0;
  for (const float x : values) {
    const float magnitude = std::fabs(x);
    if (!(magnitude < INFINITY)) {
      ++out.nonfinite;
      continue;
    }
    if (magnitude == 0) continue;
    largest = std::max(largest, magnitude);
    smallest = std::min(smallest, magnitude);
    out.beyond_fp16 += magnitude > fp16_largest;
    out.below_fp16_normal += magnitude < fp16_smallest_normal;
    out.zero_in_fp16 += magnitude <= fp16_half_step;
    const float in_bf16 = bf16_to_float(float_to_bf16(magnitude));
    out.changed_by_bf16 += in_bf16 != magnitude;
    // The last half step below fp32's largest rounds to infinity: everything is lost, once.
    const double bf16_error = in_bf16 < INFINITY ? std::fabs(double(in_bf16) - magnitude) / magnitude : 1;
    worst = std::max(worst, bf16_error);
    bf16_squares += bf16_error * bf16_error;
    if (magnitude <= fp16_largest) {
      const double fp16_error = std::fabs(double(f16_to_float(float_to_f16(magnitude))) - magnitude) / magnitude;
      fp16_squares += fp16_error * fp16_error;
    }
  }
  out.largest = largest;
  out.smallest = std::isinf(smallest) ? 0 : smallest;
  out.bf16_error = worst;
  if (finite(out) > 0) out.bf16_rms = std::sqrt(bf16_squares / double(finite(out)));
  if (within_fp16(out) > 0) out.fp16_rms = std::sqrt(fp16_squares / double(within_fp16(out)));
  return out;
}

ValueRange range_of(const ElementReader& read, std::int64_t elements, ThreadPool& pool) {
  const std::int64_t pieces = (elements + piece - 1) / piece;
  std::vector<ValueRange> parts(static_cast<std::size_t>(pieces));
  std::vector<std::vector<float>> scratch(static_cast<std::size_t>(pool.size()), std::vector<float>(piece));
  pool.run(pieces, [&](std::int64_t index, int thread) {
    std::vector<float>& values = scratch[std::size_t(thread)];
    const std::int64_t first = index * piece, count = std::min(piece, elements - first);
    read(first, count, values.data());
    parts[std::size_t(index)] = range_of({values.data(), std::size_t(count)});
  });
  ValueRange out;
  for (const ValueRange& part : parts) out.add(part);
  return out;
}

}  // namespace nibble
