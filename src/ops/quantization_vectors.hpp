// For tests: the arrays of tests/golden/quantization/vectors.bin, found by the names in vectors.txt.
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
  QuantizationVectors() {
    const std::string folder = NIBBLE_SOURCE_DIR "/tests/golden/quantization/";
    std::ifstream index(folder + "vectors.txt"), data(folder + "vectors.bin", std::ios::binary);
    std::string name, dtype;
    for (std::size_t offset, count; index >> name >> dtype >> offset >> count;) places_[name] = {offset, count};
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
  static const QuantizationVectors vectors;
  return vectors;
}

}  // namespace nibble
