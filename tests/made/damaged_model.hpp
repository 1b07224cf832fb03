// A copy of the shipped model in which single weights were changed.
#pragma once

#include <stdexcept>

#include "made_files.hpp"

namespace made {

// A weight of a bf16 matrix, to be read and written by row and column.
class Bf16Matrix {
 public:
  Bf16Matrix(std::string& bytes, std::size_t at, std::int64_t rows, std::int64_t cols)
      : bytes_(bytes), at_(at), rows_(rows), cols_(cols) {}
  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return cols_; }
  float get(std::int64_t row, std::int64_t col) const {
    std::uint16_t half = 0;
    std::memcpy(&half, bytes_.data() + place(row, col), 2);
    const std::uint32_t bits = std::uint32_t(half) << 16;
    float value = 0;
    std::memcpy(&value, &bits, 4);
    return value;
  }
  // Cut to bf16.
  void set(std::int64_t row, std::int64_t col, float value) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, 4);
    bytes_.replace(place(row, col), 2, little_endian(bits >> 16, 2));
  }

 private:
  std::size_t place(std::int64_t row, std::int64_t col) const { return at_ + std::size_t(row * cols_ + col) * 2; }
  std::string& bytes_;
  std::size_t at_;
  std::int64_t rows_, cols_;
};

// Lets `change` loose on one bf16 tensor of a folder, in whichever shard it lies; vectors have one row.
inline void change_tensor(const fs::path& folder, const std::string& tensor,
                          const std::function<void(Bf16Matrix&)>& change) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".safetensors") continue;
    std::string bytes = read(entry.path());
    std::uint64_t header = 0;
    std::memcpy(&header, bytes.data(), 8);
    const Json json = Json::parse(bytes.substr(8, header));
    if (!json.contains(tensor)) continue;
    const auto shape = json[tensor]["shape"].get<std::vector<std::int64_t>>();
    Bf16Matrix matrix(bytes, 8 + header + json[tensor]["data_offsets"][0].get<std::size_t>(),
                      shape.size() == 2 ? shape[0] : 1, shape.back());
    change(matrix);
    return write(entry.path(), bytes);
  }
  throw std::runtime_error("no tensor " + tensor);
}

// Spoils a linear layer for block formats and for nothing else: `columns` of it become huge, one in a block of 64, so
// that its other weights are rounded away; and what feeds those columns becomes zero, so that the model itself computes
// as if they were not there. `feeder`: the norm whose output the layer reads, or the matrix whose rows do.
inline void spoil_blocks(const fs::path& folder, const std::string& layer, const std::string& feeder,
                         std::int64_t columns) {
  change_tensor(folder, layer + ".weight", [&](Bf16Matrix& m) {
    for (std::int64_t r = 0; r < m.rows(); ++r)
      for (std::int64_t c = 0; c < columns; ++c) m.set(r, c * 64, 64);
  });
  change_tensor(folder, feeder + ".weight", [&](Bf16Matrix& m) {
    for (std::int64_t c = 0; c < columns; ++c)
      if (m.rows() == 1)
        m.set(0, c * 64, 0);
      else
        for (std::int64_t i = 0; i < m.cols(); ++i) m.set(c * 64, i, 0);
  });
}

}  // namespace made
