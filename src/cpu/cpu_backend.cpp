#include "cpu/cpu_backend.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/cpu_features.hpp"
#include "base/numeric.hpp"
#include "base/thread_pool.hpp"
#include "cpu/kernels.hpp"
#include "formats/all.hpp"
#include "ops/reference.hpp"

namespace nibble {
namespace {

// Computes on the canonical bytes where they lie.
struct CpuWeight final : PreparedWeight {
  CpuWeight(const Weight& weight, const ComputeOptions& options, std::span<const Product> products)
      : weight(weight),
        options(options),
        product(choose_product(products, {.format = weight.format,
                                          .rows = weight.rows,
                                          .cols = weight.cols,
                                          .block_size = weight.block_size,
                                          .compute = options.compute})),
        rounding(activations_of(weight.format, options)),
        table(rounded_table(weight, options.compute)) {}
  const Weight& canonical() const override { return weight; }
  Weight weight;
  ComputeOptions options;
  const Product& product;
  DType rounding;  // of activations
  std::vector<float> table;
};

class CpuBackend final : public Backend {
 public:
  CpuBackend(const Kernels& kernels, int threads, std::shared_ptr<Allocator> memory)
      : kernels_(kernels),
        pool_(memory->counts_only() ? 1 : threads),
        name_(fmt::format("cpu {}", kernels.name)),
        memory_(std::move(memory)),
        scratch_(std::size_t(!memory_->counts_only() ? pool_.size()
                             : threads > 0           ? threads
                                                     : usable_cores())) {}

  std::string_view name() const override { return name_; }
  Allocator& memory() override { return *memory_; }
  DType activation_dtype() const override { return DType::f32; }
  bool shares_host_memory() const override { return true; }
  double outlier_share() const override { return columns_ ? double(outlier_columns_) / double(columns_) : 0; }

  Result<std::unique_ptr<PreparedWeight>> prepare(const Weight& weight, const ComputeOptions& options,
                                                  Purpose) override {
    auto prepared = std::make_unique<CpuWeight>(weight, options, kernels_.products);
    const std::int64_t chunks = chunks_of(weight.cols);
    needs_.row = std::max(needs_.row, row_bytes(*prepared->product.layout, chunks));
    needs_.panel = std::max(needs_.panel, linear_scratch_bytes(chunks * chunk));
    if (!prepared->product.layout->arrange) needs_.int8_columns = std::max(needs_.int8_columns, weight.cols);
    return std::unique_ptr<PreparedWeight>(std::move(prepared));
  }

  Result<void> reserve(const PassShape& shape) override {
    const std::int64_t rows = shape.tokens, positions = shape.positions;
    const auto grow = [&](Buffer& buffer, std::int64_t bytes) {
      return buffer.grow(*memory_, std::size_t(bytes), Purpose::workspace);
    };
    const std::int64_t scores = positions > 0 ? (positions + 16) * std::int64_t(sizeof(float)) : 0;
    for (Buffer& buffer : scratch_) NIBBLE_CHECK(grow(buffer, std::max(needs_.panel, scores)));
    NIBBLE_CHECK(grow(x_, needs_.row * rows));
    if (const std::int64_t columns = needs_.int8_columns) {
      NIBBLE_CHECK(grow(x_scales_, rows * std::int64_t(sizeof(float))));
      NIBBLE_CHECK(grow(start_, rows * 16 * std::int64_t(sizeof(std::int32_t))));
      NIBBLE_CHECK(grow(flags_, rows * columns));
      NIBBLE_CHECK(grow(columns_list_, padded_outliers(columns) * std::int64_t(sizeof(std::int32_t))));
      NIBBLE_CHECK(grow(outliers_, outlier_room(rows, columns) * std::int64_t(sizeof(float))));
    }
    return {};
  }

  void linear(std::span<const LinearTask> group, TensorView x, bool add) override {
    for (const LinearTask& task : group)
      multiply_one(static_cast<const CpuWeight&>(*task.weight), x, task.y, task.bias, add);
  }

  void multiply_one(const CpuWeight& w, TensorView x, TensorView y, const float* bias, bool add) {
    LinearCall call;
    call.weight = &w.weight, call.table = w.table.data();
    call.m = x.rows, call.chunks = chunks_of(x.cols);
    call.x_stride = row_bytes(*w.product.layout, call.chunks);
    call.y = y.row(0), call.y_stride = y.stride, call.bias = bias, call.add = add;
    take({.tokens = x.rows});
    if (!w.product.layout->arrange) return linear_int8(w, x, call);
    std::byte* out = x_.as<std::byte>();
    over_rows(call.m, x.cols, [&](std::int64_t r) {
      w.product.layout->arrange(x.row(r), x.cols, call.chunks, w.rounding, out + r * call.x_stride);
    });
    call.x = out;
    multiply(w.product, call);
  }

  void embed(const PreparedWeight& table, std::span<const std::int32_t> ids, TensorView out) override {
    for (std::size_t t = 0; t < ids.size(); ++t) decode_row(table.canonical(), ids[t], out.row(std::int64_t(t)));
  }

  void rms_norm(TensorView x, std::span<const float> gain, float eps, TensorView out) override {
    const auto width = std::int64_t(gain.size());
    over_rows(x.rows, x.cols, [&](std::int64_t r) {
      for (std::int64_t first = 0; first < x.cols; first += width)
        kernels_.rms_norm(x.row(r) + first, gain.data(), width, eps, out.row(r) + first);
    });
  }

  void rope(TensorView x, std::span<const std::int32_t> positions, const RopeTable& table, TensorView out) override {
    over_rows(x.rows, x.cols, [&](std::int64_t r) {
      const float* cos = table.cos + positions[std::size_t(r)] * table.half;
      const float* sin = table.sin + positions[std::size_t(r)] * table.half;
      for (std::int64_t head = 0; head < x.cols; head += 2 * table.half) {
        const float* from = x.row(r) + head;
        float* to = out.row(r) + head;
        for (std::int64_t i = 0; i < table.half; ++i) {
          const float a = from[i], b = from[table.half + i];
          to[i] = a * cos[i] - b * sin[i];
          to[table.half + i] = b * cos[i] + a * sin[i];
        }
      }
    });
  }

  void append(const AttentionBatch& batch, const AttentionShape& shape, TensorView k, TensorView v) override {
    for (std::int64_t s = 0; s < batch.sequences; ++s) {
      const CacheView *keys = batch.caches[s] + 2 * shape.layer, *values = keys + 1;
      const std::int64_t first = batch.first_row[s], dim = shape.head_dim;
      over_rows(batch.first_row[s + 1] - first, k.cols, [&](std::int64_t t) {
        for (std::int64_t h = 0; h < shape.kv_heads; ++h) {
          store_cache(*keys, batch.cache_dtype, h, batch.past[s] + t, k.row(first + t) + h * dim, dim);
          store_cache(*values, batch.cache_dtype, h, batch.past[s] + t, v.row(first + t) + h * dim, dim);
        }
      });
    }
  }

  void attention(const AttentionBatch& batch, const AttentionShape& shape, TensorView q, TensorView out) override {
    constexpr std::int64_t queries = 16;
    const auto tiles_of = [&](std::int64_t s) {
      return (batch.first_row[s + 1] - batch.first_row[s] + queries - 1) / queries;
    };
    std::int64_t tiles = 0;
    for (std::int64_t s = 0; s < batch.sequences; ++s) tiles += tiles_of(s);
    take({.positions = batch.positions});
    pool_.run(tiles * shape.heads, [&](std::int64_t piece, int thread) {
      std::int64_t tile = piece / shape.heads, s = 0;
      for (; tile >= tiles_of(s); ++s) tile -= tiles_of(s);
      // Late queries see most; they go first, so that threads end together.
      const std::int64_t first = (tiles_of(s) - 1 - tile) * queries, row = batch.first_row[s] + first;
      AttentionCall call{batch.caches[s] + 2 * shape.layer, batch.cache_dtype, &shape, piece % shape.heads};
      call.first = batch.past[s] + first, call.count = std::min(queries, batch.first_row[s + 1] - row);
      call.q = q.row(row) + call.head * shape.head_dim, call.q_stride = q.stride;
      call.out = out.row(row) + call.head * shape.head_dim, call.out_stride = out.stride;
      if (shape.head_dim % kernels_.lanes != 0) return attend_plain(call);
      kernels_.attention(call, scratch_[std::size_t(thread)].as<float>());
    });
  }

  void silu_mul(TensorView gate, TensorView up, TensorView out) override {
    over_rows(gate.rows, gate.cols,
              [&](std::int64_t r) { kernels_.silu_mul(gate.row(r), up.row(r), gate.cols, out.row(r)); });
  }

  void upload(const void* host, void* device, std::size_t bytes) override { std::memcpy(device, host, bytes); }
  void download(TensorView from, float* host) override {
    for (std::int64_t r = 0; r < from.rows; ++r)
      std::memcpy(host + r * from.cols, from.row(r), std::size_t(from.cols) * sizeof(float));
  }
  void synchronize() override {}

 private:
  // Rows over threads, in the caller's thread where waking others would cost more.
  template <class Job>
  void over_rows(std::int64_t rows, std::int64_t cols, Job job) {
    if (rows * cols < 65536) {
      for (std::int64_t r = 0; r < rows; ++r) job(r);
      return;
    }
    constexpr std::int64_t step = 8;
    pool_.run((rows + step - 1) / step, [&](std::int64_t piece, int) {
      for (std::int64_t r = piece * step; r < std::min(rows, (piece + 1) * step); ++r) job(r);
    });
  }

  // What reserve() took already, unless an operation is used without a model around it.
  void take(const PassShape& shape) {
    NIBBLE_ASSERT(reserve(shape), "workspace of a few megabytes can be had; a model reserves it beforehand");
  }

  // The products of one call, by panels over threads.
  void multiply(const Product& product, const LinearCall& call) {
    const Schedule& schedule = product.schedule_for(call.m);
    // Many small pieces for an even end, but each worth its hand-out.
    const std::int64_t rows = call.weight->rows, panels = (rows + panel_rows - 1) / panel_rows,
                       step = std::clamp<std::int64_t>(panels / (pool_.size() * 8), 1, 8);
    pool_.run((panels + step - 1) / step, [&](std::int64_t piece, int thread) {
      const std::int64_t first = piece * step * panel_rows, count = std::min(step * panel_rows, rows - first);
      schedule.run(call, first, count, scratch_[std::size_t(thread)].as<std::byte>());
    });
  }

  // Rows a power of two apart would share few sets of the caches: an odd number of lines uses them all.
  static std::int64_t spread_rows(std::int64_t bytes) { return (bytes + 63) / 64 * 64 + (bytes / 64 % 2 ? 0 : 64); }

  static std::int64_t chunks_of(std::int64_t cols) { return (cols + chunk - 1) / chunk; }

  static std::int64_t row_bytes(const Layout& layout, std::int64_t chunks) {
    return spread_rows(layout.row_bytes(chunks));
  }

  static std::int64_t padded_outliers(std::int64_t columns) { return (columns + 15) / 16 * 16; }

  // Outliers, in floats: for a sixteenth of the columns in every row, and for every column of one row. Where there are
  // more, fewer rows are multiplied at once.
  static std::int64_t outlier_room(std::int64_t rows, std::int64_t columns) {
    return std::max(rows * padded_outliers(columns / 16 + 1), padded_outliers(columns));
  }

  void linear_int8(const CpuWeight& w, TensorView x, LinearCall call) {
    const float threshold = w.options.outlier_threshold;
    auto* scales = x_scales_.as<float>();
    auto* start = start_.as<std::int32_t>();
    auto* flags = flags_.as<std::uint8_t>();
    auto* columns = columns_list_.as<std::int32_t>();
    auto* outliers = outliers_.as<float>();
    std::memset(flags, 0, std::size_t(call.m * x.cols));
    over_rows(call.m, x.cols,
              [&](std::int64_t r) { scales[r] = kernels_.scan_int8(x.row(r), x.cols, threshold, flags + r * x.cols); });
    for (std::int64_t r = 1; r < call.m; ++r)
      for (std::int64_t i = 0; i < x.cols; ++i) flags[i] |= flags[r * x.cols + i];
    for (std::int64_t i = 0; i < x.cols; ++i)
      if (flags[i]) columns[call.outliers++] = std::int32_t(i);
    outlier_columns_ += call.outliers, columns_ += x.cols;
    call.outliers_padded = padded_outliers(call.outliers);
    std::fill(columns + call.outliers, columns + call.outliers_padded, 0);

    const std::int64_t room = std::int64_t(outliers_.bytes() / sizeof(float)),
                       together = call.outliers ? std::min(call.m, room / call.outliers_padded) : call.m;
    call.x_outliers = outliers, call.outlier_columns = columns;
    for (std::int64_t first = 0; first < x.rows; first += together) {
      LinearCall part = call;
      part.m = std::min(together, x.rows - first);
      part.y += first * call.y_stride;
      auto* out = x_.as<std::byte>() + first * call.x_stride;
      part.x = out, part.x_scales = scales + first, part.x_start = start + first * 16;
      over_rows(part.m, x.cols, [&](std::int64_t r) {
        const float* row = x.row(first + r);
        kernels_.encode_int8(row, x.cols, call.chunks, part.x_scales[r], flags,
                             reinterpret_cast<std::int8_t*>(out + r * call.x_stride), start + (first + r) * 16);
        float* kept = outliers + r * call.outliers_padded;
        for (std::int64_t i = 0; i < call.outliers; ++i) kept[i] = round_to(w.options.compute, row[columns[i]]);
        std::fill(kept + call.outliers, kept + call.outliers_padded, 0.0f);
      });
      multiply(w.product, part);
    }
  }

  // Heads narrower than a vector: tiny models.
  static void attend_plain(const AttentionCall& call) {
    const AttentionShape& shape = *call.shape;
    const std::int64_t dim = shape.head_dim, kv_head = call.head / (shape.heads / shape.kv_heads);
    const CacheView &keys = call.caches[0], &values = call.caches[1];
    std::vector<float> weights(std::size_t(call.first + call.count));
    for (std::int64_t t = 0; t < call.count; ++t) {
      const std::int64_t last = call.first + t,
                         first = shape.window > 0 ? std::max<std::int64_t>(0, last - shape.window + 1) : 0;
      const float* q = call.q + t * call.q_stride;
      float highest = -INFINITY, total = 0;
      for (std::int64_t s = first; s <= last; ++s) {
        float dot = 0;
        for (std::int64_t i = 0; i < dim; ++i) dot += q[i] * cache_value(keys, call.cache_dtype, kv_head, s, i);
        weights[std::size_t(s)] = dot * shape.scale;
        highest = std::max(highest, weights[std::size_t(s)]);
      }
      for (std::int64_t s = first; s <= last; ++s)
        total += weights[std::size_t(s)] = std::exp(weights[std::size_t(s)] - highest);
      for (std::int64_t i = 0; i < dim; ++i) {
        float sum = 0;
        for (std::int64_t s = first; s <= last; ++s)
          sum += weights[std::size_t(s)] * cache_value(values, call.cache_dtype, kv_head, s, i);
        call.out[t * call.out_stride + i] = sum / total;
      }
    }
  }

  const Kernels& kernels_;
  ThreadPool pool_;
  std::string name_;
  std::shared_ptr<Allocator> memory_;
  // The most that a weight asks for: bytes per row of x, scratch per thread, columns of int8.
  struct {
    std::int64_t row = 0, panel = 0, int8_columns = 0;
  } needs_;
  std::vector<Buffer> scratch_;  // one per thread
  Buffer x_, x_scales_, outliers_, start_, columns_list_, flags_;
  std::int64_t outlier_columns_ = 0, columns_ = 0;
};

struct Target {
  std::string_view name;
  bool (*here)(const CpuFeatures& features);
  const Kernels& kernels;
};
// Best first.
constexpr Target targets[] = {
    {"avx512_vnni_bf16", [](const CpuFeatures& f) { return f.avx512 && f.avx512_vnni && f.avx512_bf16; },
     avx512_vnni_bf16_kernels},
    {"avx512", [](const CpuFeatures& f) { return f.avx512; }, avx512_kernels},
    {"avx2", [](const CpuFeatures& f) { return f.avx2; }, avx2_kernels},
};

}  // namespace

const Kernels* find_kernels(std::string_view name) {
  const CpuFeatures features = cpu_features();
  for (const Target& target : targets)
    if ((name.empty() || name == target.name) && target.here(features)) return &target.kernels;
  return nullptr;
}

std::vector<CpuTarget> cpu_targets() {
  const CpuFeatures features = cpu_features();
  std::vector<CpuTarget> all;
  for (const Target& target : targets) all.push_back({target.name, target.here(features)});
  return all;
}

Result<std::unique_ptr<Backend>> make_cpu_backend(const CpuOptions& options) {
  if (options.threads < 0 || options.threads > 1024)
    return error(Errc::bad_request, "{} threads were asked for, expected 1 to 1024 (0: all cores)", options.threads);
  const std::shared_ptr<Allocator> memory = options.memory ? options.memory : host_memory();
  if (options.target != "reference")
    if (const Kernels* kernels = find_kernels(options.target))
      return std::unique_ptr<Backend>(std::make_unique<CpuBackend>(*kernels, options.threads, memory));
  if (options.target.empty() || options.target == "scalar" || options.target == "reference")
    return make_reference_backend(memory);
  for (const Target& target : targets)
    if (target.name == options.target)
      return error(Errc::unsupported, "this processor has no {}; leave the target out to take the best it has",
                   options.target);
  return error(Errc::bad_request,
               "CPU target \"{}\" is not known; choose avx512_vnni_bf16, avx512, avx2 or scalar (the plain reference)",
               options.target);
}

}  // namespace nibble
