// The instruction sets that have kernels.
#include <algorithm>

#include "base/cpu_features.hpp"
#include "cpu/cpu_backend.hpp"
#include "cpu/kernels.hpp"

namespace nibble {
namespace {

struct Target {
  const Kernels& kernels;
  bool (*here)(const CpuFeatures& features);
};
// Best first.
constexpr Target targets[] = {
    {avx512_vnni_bf16_kernels, [](const CpuFeatures& f) { return f.avx512 && f.avx512_vnni && f.avx512_bf16; }},
    {avx512_kernels, [](const CpuFeatures& f) { return f.avx512; }},
    {avx2_kernels, [](const CpuFeatures& f) { return f.avx2; }},
};

}  // namespace

const Kernels* find_kernels(std::string_view name) {
  const CpuFeatures features = cpu_features();
  for (const Target& target : targets)
    if ((name.empty() || name == target.kernels.name) && target.here(features)) return &target.kernels;
  return nullptr;
}

std::vector<CpuTarget> cpu_targets() {
  const CpuFeatures features = cpu_features();
  std::vector<CpuTarget> all;
  for (const Target& target : targets) all.push_back({target.kernels.name, target.here(features)});
  return all;
}

}  // namespace nibble
