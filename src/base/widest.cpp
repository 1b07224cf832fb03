#include "base/widest.hpp"

#include <atomic>

#include "base/cpu_features.hpp"

namespace nibble {
namespace {

std::atomic<VectorWidth>& width() {
  static std::atomic<VectorWidth> used = widest_here();
  return used;
}

}  // namespace

VectorWidth widest_here() {
  static const VectorWidth widest = [] {
    const CpuFeatures features = cpu_features();
    return features.avx512 ? VectorWidth::avx512 : features.avx2 ? VectorWidth::avx2 : VectorWidth::baseline;
  }();
  return widest;
}

VectorWidth used_width() { return width().load(std::memory_order_relaxed); }
void use_width(VectorWidth used) { width().store(used); }

}  // namespace nibble
