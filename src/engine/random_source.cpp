// Weights from a seed, for benchmarks of a shape.
#include <cmath>

#include "engine/weights.hpp"

namespace nibble {
namespace {

// A reproducible draw per element: the sum of four uniform bytes is near enough to normal, with deviation 0.02.
float drawn(std::uint64_t element, std::uint64_t salt) {
  std::uint64_t bits = (element + salt) * 0x9e3779b97f4a7c15ull;
  bits = (bits ^ (bits >> 31)) * 0xbf58476d1ce4e5b9ull;
  bits ^= bits >> 29;
  const auto sum = std::int64_t(bits & 255) + std::int64_t((bits >> 16) & 255) + std::int64_t((bits >> 32) & 255) +
                   std::int64_t((bits >> 48) & 255);
  return float(sum - 510) * float(0.02 / 147.8);
}

class RandomSource final : public WeightSource {
 public:
  RandomSource(std::uint64_t seed, double outliers)
      : seed_(seed), every_(outliers > 0 ? std::int64_t(std::lround(1 / outliers)) : 0) {}

  Result<StoredWeight> stored(const ModuleSpec& module) override {
    const std::uint64_t salt = seed_ ^ std::hash<std::string>()(module.name);
    const std::int64_t width = std::max<std::int64_t>(module.cols, 1), every = every_;
    // LLM.int8 meets outliers where a norm's gain or a row that feeds the next product is large.
    const bool norm = module.role == Role::norm;
    const bool feeds_product = module.role == Role::linear && (module.part == Part::v || module.part == Part::up);
    StoredWeight out;
    out.read = [=](std::int64_t first, std::int64_t count, float* to) {
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t row = (first + i) / width;
        const bool outlier = every > 0 && row % every == every / 2;
        to[i] = drawn(std::uint64_t(first + i), salt);
        // Elsewhere values stay so small that no row of a long prompt reaches the threshold by chance: the planted
        // share is then the share of columns that hold an outlier.
        if (norm)
          to[i] = outlier ? 40.0f : 1.0f;
        else if (feeds_product && every > 0)
          to[i] *= outlier ? 80.0f : 0.03f;
      }
    };
    return out;
  }

 private:
  std::uint64_t seed_;
  std::int64_t every_;  // rows from one outlier to the next; 0: there are none
};

}  // namespace

std::unique_ptr<WeightSource> random_source(std::uint64_t seed, double outliers) {
  return std::make_unique<RandomSource>(seed, outliers);
}

}  // namespace nibble
