// How fast ggml's blocks are encoded and decoded, in MB of fp32 per second on one core; beside it, in the same run,
// ggml's own code when its library is named.
//
// Usage: ggml_bench [libggml-base.so]
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "io/ggml/ggml_types.hpp"

namespace {

using QuantizeChunk = std::size_t(int type, const float* from, void* out, std::int64_t start, std::int64_t rows,
                                  std::int64_t cols, const float* importance);
using Dequantize = void(const void* from, float* out, std::int64_t count);

// Best of five.
template <class Work>
double megabytes_per_second(std::size_t floats, Work work) {
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return double(floats) * 4e-6 / best;
}

}  // namespace

int main(int argc, char** argv) {
  void* library = argc > 1 ? dlopen(argv[1], RTLD_LAZY) : nullptr;
  if (argc > 1 && !library) {
    fmt::print(stderr, "{}\n", dlerror());
    return 2;
  }
  auto* chunk = library ? reinterpret_cast<QuantizeChunk*>(dlsym(library, "ggml_quantize_chunk")) : nullptr;
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 0.02f);
  std::vector<float> x(1 << 20), back(x.size());
  for (float& v : x) v = normal(random);
  fmt::print("{:<8} {:>9} {:>9} {:>9} {:>9}\n", "type", "encode", "ggml", "decode", "ggml");
  for (std::uint32_t number = 0; number < 64; ++number) {
    const nibble::GgmlType* type = nibble::ggml_type(number);
    if (!type || !type->decode) continue;
    std::vector<std::byte> blocks(x.size() / type->block_elements * type->block_bytes, std::byte(0x2a));
    double speed[4] = {};
    if (type->encode) {
      if (chunk)
        speed[1] = megabytes_per_second(x.size(), [&] {
          chunk(int(number), x.data(), blocks.data(), 0, std::int64_t(x.size()) / 1024, 1024, nullptr);
        });
      speed[0] = megabytes_per_second(x.size(), [&] { type->encode(x.data(), std::int64_t(x.size()), blocks.data()); });
    }
    speed[2] =
        megabytes_per_second(x.size(), [&] { type->decode(blocks.data(), std::int64_t(x.size()), back.data()); });
    std::string name = "dequantize_row_" + std::string(type->name);  // dequantize_row_iq2_xs, dequantize_row_q4_K
    for (std::size_t i = 15; i < name.size(); ++i) name[i] = char(std::tolower(name[i]));
    if (name.ends_with("_k")) name.back() = 'K';
    if (auto* other = library ? reinterpret_cast<Dequantize*>(dlsym(library, name.c_str())) : nullptr)
      speed[3] = megabytes_per_second(x.size(), [&] { other(blocks.data(), back.data(), std::int64_t(x.size())); });
    fmt::print("{:<8}", type->name);
    for (const double each : speed) fmt::print(" {:>9}", each > 0 ? fmt::format("{:.0f}", each) : "-");
    fmt::print("\n");
  }
}
