#include "ops/reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/numeric.hpp"
#include "formats/all.hpp"

namespace nibble {
namespace {

class ReferenceWeight final : public PreparedWeight {
 public:
  ReferenceWeight(const Weight& weight, const ComputeOptions& options) : weight(weight), options(options) {}
  const Weight& canonical() const override { return weight; }
  Weight weight;
  ComputeOptions options;
};

const ReferenceWeight& own(const PreparedWeight& w) { return static_cast<const ReferenceWeight&>(w); }

void linear_int8(const ReferenceWeight& w, TensorView x, TensorView y, const float* bias, bool add) {
  const std::int64_t m = x.rows, k = x.cols, n = w.weight.rows;
  std::vector<std::int8_t> codes(m * k);
  std::vector<float> scales(m);
  std::vector<std::uint8_t> outlier(k);
  quantize_activations(x, w.options.outlier_threshold, {codes, scales, outlier});
  const auto* weights = reinterpret_cast<const std::int8_t*>(w.weight.codes);
  for (std::int64_t r = 0; r < m; ++r)
    for (std::int64_t c = 0; c < n; ++c) {
      std::int64_t sum = 0;
      for (std::int64_t i = 0; i < k; ++i) sum += std::int64_t(codes[r * k + i]) * weights[c * k + i];
      double value = double(sum) * scales[r] * w.weight.scales[c] / (127.0 * 127.0);
      for (std::int64_t i = 0; i < k; ++i)
        if (outlier[i]) value += double(round_to(w.options.compute, x.row(r)[i])) * decode_element(w.weight, c * k + i);
      if (bias) value += bias[c];
      y.row(r)[c] = float(add ? y.row(r)[c] + value : value);
    }
}

class ReferenceBackend final : public Backend {
 public:
  explicit ReferenceBackend(std::shared_ptr<Allocator> memory) : memory_(std::move(memory)) {}

  std::string_view name() const override { return "reference"; }
  Allocator& memory() override { return *memory_; }
  DType activation_dtype() const override { return DType::f32; }
  bool shares_host_memory() const override { return true; }
  Result<void> reserve(const PassShape&) override { return {}; }

  Result<std::unique_ptr<PreparedWeight>> prepare(const Weight& weight, const ComputeOptions& options,
                                                  Purpose) override {
    return std::unique_ptr<PreparedWeight>(std::make_unique<ReferenceWeight>(weight, options));
  }

  void linear(std::span<const LinearTask> group, TensorView x, bool add) override {
    for (const LinearTask& task : group) multiply(own(*task.weight), x, task.y, task.bias, add);
  }

  static void multiply(const ReferenceWeight& w, TensorView x, TensorView y, const float* bias, bool add) {
    if (w.weight.format == Int8::name) return linear_int8(w, x, y, bias, add);
    std::vector<float> row(w.weight.cols);
    const std::vector<float> table = rounded_table(w.weight, w.options.compute);
    const DType rounding = activations_of(w.weight.format, w.options);
    for (std::int64_t c = 0; c < w.weight.rows; ++c) {
      decode_row(w.weight, c, row.data(), table.data());
      for (std::int64_t r = 0; r < x.rows; ++r) {
        double sum = bias ? bias[c] : 0;
        for (std::int64_t i = 0; i < x.cols; ++i) sum += double(round_to(rounding, x.row(r)[i])) * row[i];
        y.row(r)[c] = float(add ? y.row(r)[c] + sum : sum);
      }
    }
  }

  void embed(const PreparedWeight& table, std::span<const std::int32_t> ids, TensorView out) override {
    for (std::size_t t = 0; t < ids.size(); ++t) decode_row(own(table).weight, ids[t], out.row(std::int64_t(t)));
  }

  void rms_norm(TensorView x, std::span<const float> gain, float eps, TensorView out) override {
    const auto width = std::int64_t(gain.size());
    for (std::int64_t r = 0; r < x.rows; ++r)
      for (std::int64_t first = 0; first < x.cols; first += width) {
        const float* in = x.row(r) + first;
        double squares = 0;
        for (std::int64_t i = 0; i < width; ++i) squares += double(in[i]) * in[i];
        const double inverse = 1.0 / std::sqrt(squares / double(width) + eps);
        for (std::int64_t i = 0; i < width; ++i) out.row(r)[first + i] = float(in[i] * inverse * gain[i]);
      }
  }

  void rope(TensorView x, std::span<const std::int32_t> positions, const RopeTable& table, TensorView out) override {
    for (std::int64_t r = 0; r < x.rows; ++r) {
      const float* cos = table.cos + positions[r] * table.half;
      const float* sin = table.sin + positions[r] * table.half;
      for (std::int64_t head = 0; head < x.cols; head += 2 * table.half)
        for (std::int64_t i = 0; i < table.half; ++i) {
          const float a = x.row(r)[head + i], b = x.row(r)[head + table.half + i];
          out.row(r)[head + i] = a * cos[i] - b * sin[i];
          out.row(r)[head + table.half + i] = b * cos[i] + a * sin[i];
        }
    }
  }

  void append(const AttentionBatch& batch, const AttentionShape& shape, TensorView k, TensorView v) override {
    for (std::int64_t s = 0; s < batch.sequences; ++s)
      for (std::int64_t row = batch.first_row[s]; row < batch.first_row[s + 1]; ++row) {
        const std::int64_t position = batch.past[s] + row - batch.first_row[s];
        for (std::int64_t head = 0; head < shape.kv_heads; ++head) {
          const CacheView *keys = batch.caches[s] + 2 * shape.layer, *values = keys + 1;
          store_cache(*keys, batch.cache_dtype, head, position, k.row(row) + head * shape.head_dim, shape.head_dim);
          store_cache(*values, batch.cache_dtype, head, position, v.row(row) + head * shape.head_dim, shape.head_dim);
        }
      }
  }

  void attention(const AttentionBatch& batch, const AttentionShape& shape, TensorView q, TensorView out) override {
    for (std::int64_t s = 0; s < batch.sequences; ++s)
      for (std::int64_t row = batch.first_row[s]; row < batch.first_row[s + 1]; ++row)
        for (std::int64_t head = 0; head < shape.heads; ++head)
          attend(batch, shape, s, head, batch.past[s] + row - batch.first_row[s], q.row(row) + head * shape.head_dim,
                 out.row(row) + head * shape.head_dim);
  }

  void silu_mul(TensorView gate, TensorView up, TensorView out) override {
    for (std::int64_t r = 0; r < gate.rows; ++r)
      for (std::int64_t i = 0; i < gate.cols; ++i) {
        const double g = gate.row(r)[i];
        out.row(r)[i] = float(g / (1.0 + std::exp(-g)) * up.row(r)[i]);
      }
  }

  void upload(const void* host, void* device, std::size_t bytes) override { std::memcpy(device, host, bytes); }
  void download(TensorView from, float* host) override {
    for (std::int64_t r = 0; r < from.rows; ++r)
      std::memcpy(host + r * from.cols, from.row(r), std::size_t(from.cols) * sizeof(float));
  }
  void synchronize() override {}

 private:
  // One query of one head, at position `last` of its sequence.
  static void attend(const AttentionBatch& batch, const AttentionShape& shape, std::int64_t sequence, std::int64_t head,
                     std::int64_t last, const float* q, float* out) {
    const CacheView *keys = batch.caches[sequence] + 2 * shape.layer, *values = keys + 1;
    const DType type = batch.cache_dtype;
    const std::int64_t kv_head = head / (shape.heads / shape.kv_heads),
                       first = shape.window > 0 ? std::max<std::int64_t>(0, last - shape.window + 1) : 0;
    std::vector<double> weights(std::size_t(last + 1));
    double highest = -INFINITY, total = 0;
    for (std::int64_t s = first; s <= last; ++s) {
      double dot = 0;
      for (std::int64_t i = 0; i < shape.head_dim; ++i) dot += double(q[i]) * cache_value(*keys, type, kv_head, s, i);
      weights[s] = dot * shape.scale;
      highest = std::max(highest, weights[s]);
    }
    for (std::int64_t s = first; s <= last; ++s) total += weights[s] = std::exp(weights[s] - highest);
    for (std::int64_t i = 0; i < shape.head_dim; ++i) {
      double sum = 0;
      for (std::int64_t s = first; s <= last; ++s) sum += weights[s] * cache_value(*values, type, kv_head, s, i);
      out[i] = float(sum / total);
    }
  }

  std::shared_ptr<Allocator> memory_;
};

}  // namespace

void store_cache(const CacheView& cache, DType dtype, std::int64_t head, std::int64_t position, const float* from,
                 std::int64_t count) {
  const std::int64_t at = head * cache.head_stride + position * cache.position_stride;
  if (dtype == DType::f32) {
    std::memcpy(static_cast<float*>(cache.data) + at, from, std::size_t(count) * sizeof(float));
    return;
  }
  auto* to = static_cast<std::uint16_t*>(cache.data) + at;
  for (std::int64_t i = 0; i < count; ++i)
    to[i] = dtype == DType::bf16 ? float_to_bf16(from[i]) : float_to_f16(from[i]);
}

float cache_value(const CacheView& cache, DType dtype, std::int64_t head, std::int64_t position, std::int64_t i) {
  const std::int64_t at = head * cache.head_stride + position * cache.position_stride + i;
  if (dtype == DType::f32) return static_cast<const float*>(cache.data)[at];
  const std::uint16_t code = static_cast<const std::uint16_t*>(cache.data)[at];
  return dtype == DType::bf16 ? bf16_to_float(code) : f16_to_float(code);
}

DType activations_of(std::string_view format, const ComputeOptions& options) {
  return format_facts(format).is_block() ? DType::f32 : options.compute;
}

float round_to(DType type, float x) {
  if (type == DType::bf16) return bf16_to_float(float_to_bf16(x));
  if (type == DType::f16) return f16_to_float(float_to_f16(x));
  return x;
}

std::vector<float> rounded_table(const Weight& weight, DType compute) {
  if (!weight.table.data()) return {};  // none, or only counted
  std::vector<float> table(weight.table.begin(), weight.table.end());
  for (float& value : table) value = round_to(compute, value);
  return table;
}

float decode_element(const Weight& weight, std::int64_t i) {
  float value = 0;
  const auto block = [&]<class F>() {
    value = F::value(weight.codes + i / F::elements * F::bytes, int(i % F::elements));
  };
  if (visit_format(weight.format, block, BlockFormats{})) return value;
  visit_format(weight.format, [&]<class F>() {
    if constexpr (DenseFormat<F>) {
      typename F::Code code;
      std::memcpy(&code, weight.codes + std::size_t(i) * sizeof code, sizeof code);
      value = F::value(code);
    } else if constexpr (RowCodeFormat<F>) {
      value = float(std::int8_t(weight.codes[i])) * weight.scale(i / weight.cols) * F::step;
    } else {
      const auto byte = std::uint8_t(weight.codes[i / 2]);
      value = weight.table[i % 2 ? byte & 15 : byte >> 4] * weight.scale(i / weight.block_size);
    }
  });
  return value;
}

void decode_row(const Weight& weight, std::int64_t row, float* out, const float* table) {
  if (weight.table.empty() || !table) {
    for (std::int64_t i = 0; i < weight.cols; ++i) out[i] = decode_element(weight, row * weight.cols + i);
    return;
  }
  for (std::int64_t i = 0, element = row * weight.cols; i < weight.cols; ++i, ++element) {
    const auto byte = std::uint8_t(weight.codes[element / 2]);
    out[i] = table[element % 2 ? byte & 15 : byte >> 4] * weight.scale(element / weight.block_size);
  }
}

void quantize_activations(TensorView x, float threshold, const Int8Activations& out) {
  const std::int64_t m = x.rows, k = x.cols;
  std::fill(out.outlier.begin(), out.outlier.end(), std::uint8_t(0));
  for (std::int64_t r = 0; r < m; ++r) {
    float highest = 0;
    for (std::int64_t i = 0; i < k; ++i) {
      const float magnitude = std::fabs(round_to(DType::f16, x.row(r)[i]));
      if (threshold > 0 && magnitude >= threshold)
        out.outlier[i] = 1;
      else
        highest = std::max(highest, magnitude);
    }
    out.scales[r] = highest;
  }
  for (std::int64_t r = 0; r < m; ++r) {
    // bitsandbytes writes 127.0 / absmax, which PyTorch evaluates as a reciprocal and a product.
    const float scale = out.scales[r] > 0 ? (1.0f / out.scales[r]) * 127.0f : 0.0f;
    for (std::int64_t i = 0; i < k; ++i) {
      const float value = round_to(DType::f16, x.row(r)[i]);
      const bool dropped = threshold > 0 && (std::fabs(value) >= threshold || (m > 1 && out.outlier[i]));
      out.codes[r * k + i] = dropped ? std::int8_t(0) : std::int8_t(std::nearbyint(value * scale));
    }
  }
}

std::unique_ptr<Backend> make_reference_backend(std::shared_ptr<Allocator> memory) {
  if (!memory) memory = host_memory();
  return std::make_unique<ReferenceBackend>(std::move(memory));
}

}  // namespace nibble
