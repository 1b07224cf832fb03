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

WeightKind kind_of(std::string_view format) {
  return format == Fp32::name              ? WeightKind::f32
         : format == Fp16::name            ? WeightKind::f16
         : format == Bf16::name            ? WeightKind::bf16
         : format == Int8::name            ? WeightKind::int8
         : format_facts(format).is_block() ? WeightKind::blocks
                                           : WeightKind::table;
}

// Computes on the canonical bytes where they lie.
struct CpuWeight final : PreparedWeight {
  CpuWeight(const Weight& weight, const ComputeOptions& options)
      : weight(weight), options(options), kind(kind_of(weight.format)), table(rounded_table(weight, options.compute)) {
    expand = weight.cols % chunk != 0 || (kind == WeightKind::table && weight.cols % weight.block_size != 0);
  }
  const Weight& canonical() const override { return weight; }
  Weight weight;
  ComputeOptions options;
  WeightKind kind;
  std::vector<float> table;
  bool expand;
};

void store_cache(const CacheView& cache, std::int64_t head, std::int64_t position, const float* from) {
  const std::int64_t at = (head * cache.capacity + position) * cache.head_dim;
  if (cache.dtype == DType::f32) {
    std::memcpy(static_cast<float*>(cache.data) + at, from, std::size_t(cache.head_dim) * sizeof(float));
  } else {
    auto* to = static_cast<std::uint16_t*>(cache.data) + at;
    for (std::int64_t i = 0; i < cache.head_dim; ++i)
      to[i] = cache.dtype == DType::bf16 ? float_to_bf16(from[i]) : float_to_f16(from[i]);
  }
}

class CpuBackend final : public Backend {
 public:
  CpuBackend(const Kernels& kernels, int threads)
      : kernels_(kernels),
        pool_(threads),
        name_(fmt::format("cpu {}", kernels.name)),
        scratch_(std::size_t(pool_.size())) {}

  std::string_view name() const override { return name_; }
  Allocator& memory() override { return memory_; }
  DType activation_dtype() const override { return DType::f32; }
  bool shares_host_memory() const override { return true; }
  double outlier_share() const override { return columns_ ? double(outlier_columns_) / double(columns_) : 0; }

  Result<std::unique_ptr<PreparedWeight>> prepare(const Weight& weight, const ComputeOptions& options,
                                                  Purpose) override {
    return std::unique_ptr<PreparedWeight>(std::make_unique<CpuWeight>(weight, options));
  }

  void linear(const PreparedWeight& prepared, TensorView x, TensorView y, const float* bias, bool add) override {
    const CpuWeight& w = static_cast<const CpuWeight&>(prepared);
    LinearCall call;
    call.weight = &w.weight, call.kind = w.kind, call.expand = w.expand, call.table = w.table.data();
    call.m = x.rows, call.chunks = (x.cols + chunk - 1) / chunk;
    call.y = y.row(0), call.y_stride = y.stride, call.bias = bias, call.add = add;
    if (w.kind == WeightKind::int8)
      arrange_int8(w, x, call);
    else
      arrange(w, x, call);

    const std::int64_t panel_bytes = linear_scratch_bytes(call.chunks * chunk);
    // Many small pieces for an even end, but each worth its hand-out.
    const std::int64_t panels = (w.weight.rows + panel_rows - 1) / panel_rows,
                       step = std::clamp<std::int64_t>(panels / (pool_.size() * 8), 1, 8);
    pool_.run((panels + step - 1) / step, [&](std::int64_t piece, int thread) {
      const std::int64_t first = piece * step * panel_rows, count = std::min(step * panel_rows, w.weight.rows - first);
      kernels_.linear(call, first, count, scratch(thread, panel_bytes));
    });
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

  void rope(TensorView x, std::span<const std::int32_t> positions, const RopeTable& table) override {
    over_rows(x.rows, x.cols, [&](std::int64_t r) {
      const float* cos = table.cos + positions[std::size_t(r)] * table.half;
      const float* sin = table.sin + positions[std::size_t(r)] * table.half;
      for (float* head = x.row(r); head < x.row(r) + x.cols; head += 2 * table.half)
        for (std::int64_t i = 0; i < table.half; ++i) {
          const float a = head[i], b = head[table.half + i];
          head[i] = a * cos[i] - b * sin[i];
          head[table.half + i] = b * cos[i] + a * sin[i];
        }
    });
  }

  void attention(std::span<const AttentionProblem> problems) override {
    constexpr std::int64_t queries = 16;
    struct Task {
      const AttentionProblem* problem;
      std::int64_t head, first, count;
    };
    std::vector<Task> tasks;
    std::int64_t longest = 0;
    for (const AttentionProblem& p : problems) {
      over_rows(p.k.rows, p.k.cols, [&](std::int64_t t) {
        for (std::int64_t h = 0; h < p.keys.kv_heads; ++h) {
          store_cache(p.keys, h, p.past + t, p.k.row(t) + h * p.keys.head_dim);
          store_cache(p.values, h, p.past + t, p.v.row(t) + h * p.keys.head_dim);
        }
      });
      longest = std::max(longest, p.past + p.q.rows);
      // Late queries see most; they go first, so that threads end together.
      for (std::int64_t last = (p.q.rows + queries - 1) / queries; last-- > 0;)
        for (std::int64_t h = 0; h < p.heads; ++h)
          tasks.push_back({&p, h, last * queries, std::min(queries, p.q.rows - last * queries)});
    }
    const std::int64_t bytes = (longest + 16) * std::int64_t(sizeof(float));
    const auto attend = [&](std::int64_t piece, int thread) {
      const Task& task = tasks[std::size_t(piece)];
      if (task.problem->keys.head_dim % kernels_.lanes != 0)
        return attend_plain(*task.problem, task.head, task.first, task.count);
      kernels_.attention({task.problem, task.head, task.first, task.count},
                         reinterpret_cast<float*>(scratch(thread, bytes)));
    };
    pool_.run(std::int64_t(tasks.size()), attend);
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

  std::byte* scratch(int thread, std::int64_t bytes) { return grown(scratch_[std::size_t(thread)], bytes); }

  // Working memory that only grows; 64-byte aligned. Beyond what the machine has, the program ends: every size was
  // checked at load.
  std::byte* grown(Buffer& buffer, std::int64_t bytes) {
    if (std::int64_t(buffer.bytes()) < bytes) {
      auto taken = Buffer::take(scratch_memory_, std::size_t(bytes), Purpose::workspace);
      NIBBLE_ASSERT(taken.has_value(), "scratch of a few megabytes can be had");
      buffer = std::move(*taken);
    }
    return buffer.as<std::byte>();
  }

  // Rows a power of two apart would share few sets of the caches: an odd number of lines uses them all.
  static std::int64_t spread_rows(std::int64_t bytes) { return (bytes + 63) / 64 * 64 + (bytes / 64 % 2 ? 0 : 64); }

  void arrange(const CpuWeight& w, TensorView x, LinearCall& call) {
    const DType compute = w.options.compute;
    call.form = Activations::f32;
    if (w.kind == WeightKind::table && !w.expand)
      call.form = compute == DType::bf16 ? kernels_.table_bf16 : Activations::f32_paired;
    if (w.kind == WeightKind::bf16 && !w.expand && compute == DType::bf16) call.form = kernels_.dense_bf16;
    const bool words = call.form == Activations::bf16 || call.form == Activations::bf16_grouped;
    const std::int64_t together = chunks_together(call.form);
    call.x_stride = spread_rows((call.chunks + together - 1) / together * together * chunk * (words ? 2 : 4));
    std::byte* out = grown(x_, call.x_stride * call.m);
    over_rows(call.m, x.cols, [&](std::int64_t r) {
      kernels_.arrange(x.row(r), x.cols, call.chunks, call.form, compute, out + r * call.x_stride);
    });
    call.x = out;
  }

  void arrange_int8(const CpuWeight& w, TensorView x, LinearCall& call) {
    const float threshold = w.options.outlier_threshold;
    call.form = Activations::int8, call.x_stride = spread_rows(call.chunks * chunk);
    x_scales_.assign(std::size_t(call.m), 0);
    start_.resize(std::size_t(call.m * 16));
    flags_.assign(std::size_t(call.m * x.cols), 0);
    over_rows(call.m, x.cols, [&](std::int64_t r) {
      x_scales_[std::size_t(r)] = kernels_.scan_int8(x.row(r), x.cols, threshold, flags_.data() + r * x.cols);
    });
    for (std::int64_t r = 1; r < call.m; ++r)
      for (std::int64_t i = 0; i < x.cols; ++i) flags_[std::size_t(i)] |= flags_[std::size_t(r * x.cols + i)];
    columns_list_.clear();
    for (std::int64_t i = 0; i < x.cols; ++i)
      if (flags_[std::size_t(i)]) columns_list_.push_back(std::int32_t(i));
    outlier_columns_ += std::int64_t(columns_list_.size()), columns_ += x.cols;

    call.outliers = std::int64_t(columns_list_.size()), call.outliers_padded = (call.outliers + 15) / 16 * 16;
    columns_list_.resize(std::size_t(call.outliers_padded), 0);
    outliers_.assign(std::size_t(call.m * call.outliers_padded), 0);
    std::byte* out = grown(x_, call.x_stride * call.m);
    over_rows(call.m, x.cols, [&](std::int64_t r) {
      kernels_.encode_int8(x.row(r), x.cols, call.chunks, x_scales_[std::size_t(r)], flags_.data(),
                           reinterpret_cast<std::int8_t*>(out + r * call.x_stride), start_.data() + r * 16);
      for (std::int64_t i = 0; i < call.outliers; ++i)
        outliers_[std::size_t(r * call.outliers_padded + i)] =
            round_to(w.options.compute, x.row(r)[columns_list_[std::size_t(i)]]);
    });
    call.x = out, call.x_scales = x_scales_.data(), call.x_start = start_.data();
    call.x_outliers = outliers_.data(), call.outlier_columns = columns_list_.data();
  }

  // Heads narrower than a vector: tiny models.
  static void attend_plain(const AttentionProblem& p, std::int64_t head, std::int64_t first_query, std::int64_t count) {
    const std::int64_t dim = p.keys.head_dim, kv_head = head / (p.heads / p.keys.kv_heads);
    std::vector<float> weights(std::size_t(p.past + p.q.rows));
    for (std::int64_t t = first_query; t < first_query + count; ++t) {
      const std::int64_t last = p.past + t, first = p.window > 0 ? std::max<std::int64_t>(0, last - p.window + 1) : 0;
      const float* q = p.q.row(t) + head * dim;
      float highest = -INFINITY, total = 0;
      for (std::int64_t s = first; s <= last; ++s) {
        float dot = 0;
        for (std::int64_t i = 0; i < dim; ++i) dot += q[i] * cache_value(p.keys, kv_head, s, i);
        weights[std::size_t(s)] = dot * p.scale;
        highest = std::max(highest, weights[std::size_t(s)]);
      }
      for (std::int64_t s = first; s <= last; ++s)
        total += weights[std::size_t(s)] = std::exp(weights[std::size_t(s)] - highest);
      for (std::int64_t i = 0; i < dim; ++i) {
        float sum = 0;
        for (std::int64_t s = first; s <= last; ++s)
          sum += weights[std::size_t(s)] * cache_value(p.values, kv_head, s, i);
        p.out.row(t)[head * dim + i] = sum / total;
      }
    }
  }

  const Kernels& kernels_;
  ThreadPool pool_;
  std::string name_;
  HostAllocator memory_, scratch_memory_;
  std::vector<Buffer> scratch_;
  Buffer x_;
  std::vector<float> x_scales_, outliers_;
  std::vector<std::int32_t> start_, columns_list_;
  std::vector<std::uint8_t> flags_;
  std::int64_t outlier_columns_ = 0, columns_ = 0;
};

}  // namespace

std::int64_t linear_scratch_bytes(std::int64_t k) {
  const std::int64_t padded = (k + 255) / 256 * 256;
  return packed_sums_bytes + table_scales_bytes(padded) + 2 * panel_rows * padded * std::int64_t(sizeof(float));
}

namespace {

struct Target {
  std::string_view name;
  bool (*here)(const CpuFeatures& features);
  const Kernels& (*kernels)();
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
    if ((name.empty() || name == target.name) && target.here(features)) return &target.kernels();
  return nullptr;
}

Result<std::unique_ptr<Backend>> make_cpu_backend(const CpuOptions& options) {
  if (options.threads < 0 || options.threads > 1024)
    return error(Errc::bad_request, "{} threads were asked for, expected 1 to 1024 (0: all cores)", options.threads);
  if (options.target != "reference")
    if (const Kernels* kernels = find_kernels(options.target))
      return std::unique_ptr<Backend>(std::make_unique<CpuBackend>(*kernels, options.threads));
  if (options.target.empty() || options.target == "scalar" || options.target == "reference")
    return make_reference_backend();
  for (const Target& target : targets)
    if (target.name == options.target)
      return error(Errc::unsupported, "this processor has no {}; leave the target out to take the best it has",
                   options.target);
  return error(Errc::bad_request,
               "CPU target \"{}\" is not known; choose avx512_vnni_bf16, avx512, avx2 or scalar (the plain reference)",
               options.target);
}

}  // namespace nibble
