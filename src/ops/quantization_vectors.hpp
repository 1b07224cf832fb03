// For tests: the arrays of tests/golden/quantization/vectors.bin (bitsandbytes on a CPU) and
// tests/golden/quantization_cuda/vectors.bin (on a GPU), found by the names in vectors.txt.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

namespace nibble {

class QuantizationVectors {
 public:
  explicit QuantizationVectors(const std::string& name) {
    const std::string folder = NIBBLE_SOURCE_DIR "/tests/golden/" + name + "/";
    std::ifstream index(folder + "vectors.txt"), data(folder + "vectors.bin", std::ios::binary);
    std::string array, dtype;
    for (std::size_t offset, count; index >> array >> dtype >> offset >> count;) places_[array] = {offset, count};
    data_.assign(std::istreambuf_iterator<char>(data), {});
    EXPECT_FALSE(places_.empty()) << "no golden vectors in " << folder;
  }

  template <class T>
  std::vector<T> get(const std::string& name) const {
    const auto at = places_.find(name);
    if (at == places_.end() || at->second.offset + at->second.count * sizeof(T) > data_.size()) {
      ADD_FAILURE() << "no golden vector " << name;
      return {};
    }
    std::vector<T> values(at->second.count);
    std::memcpy(values.data(), data_.data() + at->second.offset, values.size() * sizeof(T));
    return values;
  }
  bool has(const std::string& name) const { return places_.contains(name); }

 private:
  struct Place {
    std::size_t offset, count;
  };
  std::map<std::string, Place> places_;
  std::string data_;
};

inline const QuantizationVectors& golden() {
  static const QuantizationVectors vectors("quantization");
  return vectors;
}
inline const QuantizationVectors& golden_cuda() {
  static const QuantizationVectors vectors("quantization_cuda");
  return vectors;
}

}  // namespace nibble
