// For tests of operations: a backend, called with matrices of the host. Whatever an operation gets lies in the
// backend's memory, in rows of wider matrices whose other columns hold no numbers and must stay as they are.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "../made/targets.hpp"
#include "ops/backend.hpp"

namespace nibble {

struct Matrix {
  Matrix() = default;
  Matrix(std::int64_t rows, std::int64_t cols) : rows(rows), cols(cols), values(std::size_t(rows * cols)) {}
  float* row(std::int64_t r) { return values.data() + r * cols; }
  const float* row(std::int64_t r) const { return values.data() + r * cols; }
  Matrix rows_from(std::int64_t first, std::int64_t count) const {
    Matrix part(count, cols);
    std::copy_n(row(first), count * cols, part.row(0));
    return part;
  }
  std::int64_t rows = 0, cols = 0;
  std::vector<float> values;
};

inline std::vector<float> random_values(std::int64_t count, unsigned seed, float scale = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}
inline Matrix random_matrix(std::int64_t rows, std::int64_t cols, unsigned seed, float scale = 1) {
  Matrix out(rows, cols);
  out.values = random_values(rows * cols, seed, scale);
  return out;
}

// What an operation should give, and how far off it may be: where sums are in fp32, in any order, and where they are in
// double and rounded once, as the reference has them.
struct Expected {
  double value = 0, within = 0, rounded_once = 0;
};

inline constexpr double unit = 0x1p-24;  // of fp32: half of the distance from 1 to the next number
// n roundings one after the other change a value by at most this share of it (Higham, "Accuracy and Stability", 3.1).
inline double gamma(double n) { return n * unit / (1 - n * unit); }

// A sum of n terms, products of fp32 numbers, whose magnitudes add up to `size`: exact in double but for n roundings.
inline double once(double value, double n, double size) {
  return unit * std::fabs(value) + n * 0x1p-52 * size + 0x1p-149;
}

// Numbers in a backend's memory.
class OnDevice {
 public:
  OnDevice(Backend& backend, const void* from, std::size_t bytes) {
    auto taken = Buffer::take(backend.memory(), bytes, Purpose::activations);
    EXPECT_TRUE(taken);
    memory_ = std::move(taken).value();
    if (bytes > 0) backend.upload(from, memory_.data(), bytes);
  }
  template <class T>
  T* as() const {
    return memory_.as<T>();
  }

 private:
  Buffer memory_;
};

// A matrix in a backend's memory between `around` columns on each side that nothing may read or write.
class Activation {
 public:
  Activation(Backend& backend, const Matrix& from, std::int64_t around)
      : backend_(backend), around_(around), wide_(framed(from, around)), memory_(backend, wide_.row(0), bytes()) {}
  TensorView view() const {
    const TensorView all(memory_.as<float>(), DType::f32, wide_.rows, wide_.cols);
    return all.columns_from(around_, wide_.cols - 2 * around_);
  }
  // What stands there now.
  Matrix read() const {
    Matrix now(wide_.rows, wide_.cols), inside(wide_.rows, wide_.cols - 2 * around_);
    backend_.download({memory_.as<float>(), DType::f32, wide_.rows, wide_.cols}, now.row(0));
    for (std::int64_t r = 0; r < now.rows; ++r) {
      std::memcpy(inside.row(r), now.row(r) + around_, std::size_t(inside.cols) * sizeof(float));
      std::memcpy(now.row(r) + around_, wide_.row(r) + around_, std::size_t(inside.cols) * sizeof(float));
    }
    EXPECT_EQ(std::memcmp(now.row(0), wide_.row(0), bytes()), 0) << "columns beside the view were written";
    return inside;
  }

 private:
  static Matrix framed(const Matrix& from, std::int64_t around) {
    Matrix wide(from.rows, from.cols + 2 * around);
    for (float& value : wide.values) value = NAN;
    for (std::int64_t r = 0; r < from.rows; ++r) std::copy_n(from.row(r), from.cols, wide.row(r) + around);
    return wide;
  }
  std::size_t bytes() const { return wide_.values.size() * sizeof(float); }

  Backend& backend_;
  std::int64_t around_;
  Matrix wide_;
  OnDevice memory_;
};

// The operations of one backend. `around`: columns beside every view.
class Operations {
 public:
  explicit Operations(const std::string& target, int threads = 1)
      : backend_(make_cpu_backend({.threads = threads, .target = target}).value()) {}
  Backend& backend() const { return *backend_; }

  std::unique_ptr<PreparedWeight> prepare(const Weight& weight, const ComputeOptions& options = {}) const {
    return backend_->prepare(weight, options, Purpose::linear_weights).value();
  }

  // y (not null: added to) = x W^T + bias (not empty).
  Matrix linear(const PreparedWeight& weight, const Matrix& x, std::span<const float> bias, const Matrix* y) const {
    const Activation in(*backend_, x, around), out(*backend_, y ? *y : blank(x.rows, weight.canonical().rows), around);
    const OnDevice bias_there(*backend_, bias.data(), bias.size_bytes());
    const LinearTask task{&weight, bias.empty() ? nullptr : bias_there.as<float>(), out.view()};
    backend_->linear({&task, 1}, in.view(), y != nullptr);
    return out.read();
  }

  // The products of one x with several weights.
  std::vector<Matrix> linear(std::span<const std::unique_ptr<PreparedWeight>> weights, const Matrix& x,
                             std::span<const std::vector<float>> biases) const {
    const Activation in(*backend_, x, around);
    std::vector<Activation> out;
    std::vector<OnDevice> biases_there;
    std::vector<LinearTask> group;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      out.emplace_back(*backend_, blank(x.rows, weights[i]->canonical().rows), around);
      biases_there.emplace_back(*backend_, biases[i].data(), biases[i].size() * sizeof(float));
      group.push_back({weights[i].get(), biases[i].empty() ? nullptr : biases_there[i].as<float>(), out[i].view()});
    }
    backend_->linear(group, in.view(), false);
    std::vector<Matrix> products;
    for (const Activation& y : out) products.push_back(y.read());
    return products;
  }

  Matrix embed(const PreparedWeight& table, std::span<const std::int32_t> ids) const {
    const Activation out(*backend_, blank(std::int64_t(ids.size()), table.canonical().cols), around);
    const OnDevice ids_there(*backend_, ids.data(), ids.size_bytes());
    backend_->embed(table, {ids_there.as<std::int32_t>(), ids.size()}, out.view());
    return out.read();
  }

  Matrix rms_norm(const Matrix& x, std::span<const float> gain, float eps, bool in_place = false) const {
    const Activation in(*backend_, x, around), out(*backend_, blank(x.rows, x.cols), around);
    const OnDevice gain_there(*backend_, gain.data(), gain.size_bytes());
    const Activation& to = in_place ? in : out;
    backend_->rms_norm(in.view(), {gain_there.as<float>(), gain.size()}, eps, to.view());
    return to.read();
  }

  // cos, sin: a row for each position.
  Matrix rope(const Matrix& x, std::span<const std::int32_t> positions, const Matrix& cos, const Matrix& sin,
              bool in_place = false) const {
    const Activation in(*backend_, x, around), out(*backend_, blank(x.rows, x.cols), around);
    const OnDevice positions_there(*backend_, positions.data(), positions.size_bytes()),
        cos_there(*backend_, cos.row(0), cos.values.size() * sizeof(float)),
        sin_there(*backend_, sin.row(0), sin.values.size() * sizeof(float));
    const Activation& to = in_place ? in : out;
    backend_->rope(in.view(), {positions_there.as<std::int32_t>(), positions.size()},
                   {cos_there.as<float>(), sin_there.as<float>(), cos.rows, cos.cols}, to.view());
    if (!in_place) {
      EXPECT_EQ(in.read().values, x.values) << "what is rotated into another place stays";
    }
    return to.read();
  }

  Matrix silu_mul(const Matrix& gate, const Matrix& up, bool in_place = false) const {
    const Activation a(*backend_, gate, around), b(*backend_, up, around),
        out(*backend_, blank(gate.rows, gate.cols), around);
    const Activation& to = in_place ? a : out;
    backend_->silu_mul(a.view(), b.view(), to.view());
    return to.read();
  }

  static Matrix blank(std::int64_t rows, std::int64_t cols) {
    Matrix out(rows, cols);
    for (float& value : out.values) value = NAN;
    return out;
  }

  std::int64_t around = 0;

 private:
  std::unique_ptr<Backend> backend_;
};

// Suites that are instantiated as OnEveryBackend/NAME: one per operation, and each test once per backend. The table at
// the end of the run counts their cases.
class OnBackend : public OnTarget {
 protected:
  void SetUp() override {
    OnTarget::SetUp();
    if (!IsSkipped()) ops.emplace(GetParam());
  }
  bool is_reference() const { return GetParam() == "reference"; }

  // One case: `got` is near enough to what is expected, element by element.
  void expect_near(const Matrix& got, const std::vector<Expected>& expected, const std::string& what) {
    count_case();
    ASSERT_EQ(got.values.size(), expected.size()) << what;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const Expected& e = expected[i];
      const double bound = is_reference() ? e.rounded_once : e.within;
      ASSERT_LE(std::fabs(double(got.values[i]) - e.value), bound)
          << what << ": row " << std::int64_t(i) / got.cols << " column " << std::int64_t(i) % got.cols << " is "
          << got.values[i] << ", expected " << e.value;
    }
  }
  // One case: the same bits.
  void expect_same(const Matrix& got, const Matrix& expected, const std::string& what) {
    count_case();
    ASSERT_EQ(got.values.size(), expected.values.size()) << what;
    for (std::size_t i = 0; i < got.values.size(); ++i)
      ASSERT_EQ(std::memcmp(&got.values[i], &expected.values[i], sizeof(float)), 0)
          << what << ": row " << std::int64_t(i) / got.cols << " column " << std::int64_t(i) % got.cols << " is "
          << got.values[i] << ", expected " << expected.values[i];
  }
  static void count_case();

  std::optional<Operations> ops;
};

}  // namespace nibble
