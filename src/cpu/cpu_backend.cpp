#include "cpu/cpu_backend.hpp"

#include <cstring>

#include "base/thread_pool.hpp"
#include "cpu/cpu_attention.hpp"
#include "cpu/cpu_linear.hpp"
#include "cpu/over_rows.hpp"
#include "ops/dequantize.hpp"
#include "ops/reference.hpp"

namespace nibble {
namespace {

class CpuBackend final : public Backend {
 public:
  CpuBackend(const Kernels& kernels, int threads, std::shared_ptr<Allocator> memory)
      : kernels_(kernels),
        pool_(memory->counts_only() ? 1 : threads),
        name_(fmt::format("cpu {}", kernels.name)),
        memory_(std::move(memory)),
        scratch_(std::size_t(!memory_->counts_only() ? pool_.size()
                             : threads > 0           ? threads
                                                     : usable_cores())),
        linear_(kernels, pool_) {}

  std::string_view name() const override { return name_; }
  Allocator& memory() override { return *memory_; }
  DType activation_dtype() const override { return DType::f32; }
  bool shares_host_memory() const override { return true; }
  double outlier_share() const override { return linear_.outlier_share(); }
  std::vector<ProductChoice> explain(const PreparedWeight& weight, std::int64_t rows) const override {
    return explain_products(kernels_.products, static_cast<const CpuWeight&>(weight).facts, rows);
  }

  Result<std::unique_ptr<PreparedWeight>> prepare(const Weight& weight, const ComputeOptions& options,
                                                  Purpose) override {
    auto prepared = std::make_unique<CpuWeight>(weight, options, kernels_.products);
    linear_.expect(*prepared);
    return std::unique_ptr<PreparedWeight>(std::move(prepared));
  }

  Result<void> reserve(const PassShape& shape) override {
    const std::int64_t bytes = std::max(linear_.scratch_bytes(), attention_scratch_bytes(shape.positions));
    for (Buffer& buffer : scratch_) NIBBLE_CHECK(buffer.grow(*memory_, std::size_t(bytes), Purpose::workspace));
    return linear_.reserve(*memory_, shape.tokens);
  }

  void linear(std::span<const LinearTask> group, TensorView x, bool add) override {
    take({.tokens = x.rows});
    linear_.run(group, x, add, scratch_);
  }

  void embed(const PreparedWeight& table, std::span<const std::int32_t> ids, TensorView out) override {
    const std::int64_t cols = table.canonical().cols;
    const ElementReader read = reader_of(table.canonical());
    over_rows(pool_, std::int64_t(ids.size()), cols,
              [&](std::int64_t t) { read(ids[std::size_t(t)] * cols, cols, out.row(t)); });
  }

  void rms_norm(TensorView x, std::span<const float> gain, float eps, TensorView out) override {
    const auto width = std::int64_t(gain.size());
    over_rows(pool_, x.rows, x.cols, [&](std::int64_t r) {
      for (std::int64_t first = 0; first < x.cols; first += width)
        kernels_.rms_norm(x.row(r) + first, gain.data(), width, eps, out.row(r) + first);
    });
  }

  void rope(TensorView x, std::span<const std::int32_t> positions, const RopeTable& table, TensorView out) override {
    over_rows(pool_, x.rows, x.cols, [&](std::int64_t r) {
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
    append_to_caches(pool_, batch, shape, k, v);
  }

  void attention(const AttentionBatch& batch, const AttentionShape& shape, TensorView q, TensorView out) override {
    take({.positions = batch.positions});
    attend(pool_, kernels_, batch, shape, q, out, scratch_);
  }

  void silu_mul(TensorView gate, TensorView up, TensorView out) override {
    over_rows(pool_, gate.rows, gate.cols,
              [&](std::int64_t r) { kernels_.silu_mul(gate.row(r), up.row(r), gate.cols, out.row(r)); });
  }

  void upload(const void* host, void* device, std::size_t bytes) override { std::memcpy(device, host, bytes); }
  void download(TensorView from, float* host) override {
    for (std::int64_t r = 0; r < from.rows; ++r)
      std::memcpy(host + r * from.cols, from.row(r), std::size_t(from.cols) * sizeof(float));
  }
  void synchronize() override {}

 private:
  // What reserve() took already, unless an operation is used without a model around it.
  void take(const PassShape& shape) {
    NIBBLE_ASSERT(reserve(shape), "workspace of a few megabytes can be had; a model reserves it beforehand");
  }

  const Kernels& kernels_;
  ThreadPool pool_;
  std::string name_;
  std::shared_ptr<Allocator> memory_;
  std::vector<Buffer> scratch_;  // one per thread
  CpuLinear linear_;
};

}  // namespace

Result<std::unique_ptr<Backend>> make_cpu_backend(const CpuOptions& options) {
  if (options.threads < 0 || options.threads > 1024)
    return error(Errc::bad_request, "{} threads were asked for, expected 1 to 1024 (0: all cores)", options.threads);
  const std::shared_ptr<Allocator> memory = options.memory ? options.memory : host_memory();
  if (options.target != "reference")
    if (const Kernels* kernels = find_kernels(options.target))
      return std::unique_ptr<Backend>(std::make_unique<CpuBackend>(*kernels, options.threads, memory));
  if (options.target.empty() || options.target == "scalar" || options.target == "reference")
    return make_reference_backend(memory);
  for (const CpuTarget& target : cpu_targets())
    if (target.name == options.target)
      return error(Errc::unsupported, "this processor has no {}; leave the target out to take the best it has",
                   options.target);
  return error(Errc::bad_request,
               "CPU target \"{}\" is not known; choose avx512_vnni_bf16, avx512, avx2 or scalar (the plain reference)",
               options.target);
}

}  // namespace nibble
