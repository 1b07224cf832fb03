// Weights of every format that Nibble writes: four bytes choose format, block size, double quantization and rows, the
// rest is values.
#include <cmath>
#include <cstring>

#include "formats/all.hpp"
#include "fuzz.hpp"
#include "ops/dequantize.hpp"
#include "ops/relative_error.hpp"

namespace {

using namespace nibble;

const std::vector<std::string_view>& formats() {
  static const std::vector<std::string_view> all = [] {
    std::vector<std::string_view> names;
    for_each_format([&]<class F>() { names.push_back(F::name); }, AllFormats{});
    return names;
  }();
  return all;
}

}  // namespace

bool fuzz_one(std::string_view bytes) {
  if (bytes.size() < 8) return false;
  static ThreadPool pool(1);
  HostAllocator memory;
  const auto byte = [&](int i) { return unsigned(static_cast<unsigned char>(bytes[std::size_t(i)])); };
  std::vector<float> values((bytes.size() - 4) / sizeof(float));
  std::memcpy(values.data(), bytes.data() + 4, values.size() * sizeof(float));
  const std::int64_t rows = std::min<std::int64_t>(1 + byte(3) % 8, std::int64_t(values.size())),
                     cols = std::int64_t(values.size()) / rows;
  values.resize(std::size_t(rows * cols));
  auto made = allocate_quantized(memory, {formats()[byte(0) % formats().size()], 32 << byte(1) % 8, (byte(2) & 1) != 0},
                                 rows, cols, Purpose::workspace, Purpose::workspace);
  if (!made) return false;  // double quantization of a format without block scales
  const auto done =
      quantize([&](std::int64_t first, std::int64_t count,
                   float* out) { std::memcpy(out, values.data() + first, std::size_t(count) * sizeof(float)); },
               *made, pool);
  bool finite = true;
  for (const float value : values) finite = finite && std::isfinite(value);
  fuzz_expect(finite || !done, "NaN and infinity are refused");
  if (!done) return false;
  std::vector<float> decoded(values.size());
  reader_of(made->weight)(0, rows * cols, decoded.data());
  for (const float value : decoded) fuzz_expect(std::isfinite(value), "what was quantized decodes to numbers");
  return true;
}

std::vector<std::string> fuzz_seeds() {
  std::vector<std::string> seeds;
  for (std::size_t format = 0; format < formats().size(); ++format)
    for (const char nested : {0, 1}) {
      if (nested && format_facts(formats()[format]).kind != FormatKind::table) continue;
      seeds.push_back(std::string{char(format), char(format % 3), nested, 2} + fuzz_floats(3 * 70));
    }
  return seeds;
}

std::vector<std::string> fuzz_words() {
  std::vector<std::string> words = fuzz_float_words();
  words.push_back(std::string(256, '\0'));
  return words;
}
