#include "cpu/cpu_linear.hpp"

#include "cpu/over_rows.hpp"
#include "ops/dequantize.hpp"
#include "ops/reference.hpp"

namespace nibble {
namespace {

const CpuWeight& weight_of(const LinearTask& task) { return static_cast<const CpuWeight&>(*task.weight); }

std::int64_t chunks_of(std::int64_t cols) { return (cols + chunk - 1) / chunk; }

// Rows a power of two apart would share few sets of the caches: an odd number of lines uses them all.
std::int64_t row_stride(const Layout& layout, std::int64_t chunks) {
  const std::int64_t bytes = layout.row_bytes(chunks);
  return (bytes + 63) / 64 * 64 + (bytes / 64 % 2 ? 0 : 64);
}

// Whether they read the same arranged x.
bool alike(const CpuWeight& a, const CpuWeight& b) {
  return a.product.layout == b.product.layout && a.rounding == b.rounding &&
         a.options.outlier_threshold == b.options.outlier_threshold;
}

std::int64_t panels_of(const LinearTask& task) { return (task.y.cols + panel_rows - 1) / panel_rows; }

}  // namespace

CpuWeight::CpuWeight(const Weight& weight, const ComputeOptions& options, std::span<const Product> products)
    : weight(weight),
      options(options),
      facts{.format = weight.format,
            .rows = weight.rows,
            .cols = weight.cols,
            .block_size = weight.block_size,
            .compute = options.compute},
      product(choose_product(products, facts)),
      rounding(activations_of(weight.format, options)) {
  // Only counted: the table, which a checkpoint's source copies, may be missing even where the codes are mapped.
  if (!weight.codes || (!weight.table.empty() && !weight.table.data())) return;
  for (std::size_t i = 0; i < weight.table.size(); ++i) table[i] = round_to(options.compute, weight.table[i]);
  if (&product != &products.back()) return;
  Weight rounded = weight;
  if (!rounded.table.empty()) rounded.table = table;
  read = reader_of(rounded);
}

void CpuLinear::expect(const CpuWeight& weight) {
  const std::int64_t chunks = chunks_of(weight.weight.cols);
  row_bytes_ = std::max(row_bytes_, row_stride(*weight.product.layout, chunks));
  scratch_bytes_ = std::max(scratch_bytes_, linear_scratch_bytes(chunks * chunk));
  if (!weight.product.layout->arrange) outlier_columns_.expect(weight.weight.cols);
}

Result<void> CpuLinear::reserve(Allocator& memory, std::int64_t rows) {
  NIBBLE_CHECK(x_.grow(memory, std::size_t(row_bytes_ * rows), Purpose::workspace));
  return outlier_columns_.reserve(memory, rows);
}

void CpuLinear::run(std::span<const LinearTask> group, TensorView x, bool add, std::span<Buffer> scratch) {
  while (!group.empty()) {
    std::size_t count = 1;
    while (count < group.size() && alike(weight_of(group[0]), weight_of(group[count]))) ++count;
    run_alike(group.first(count), x, add, scratch);
    group = group.subspan(count);
  }
}

void CpuLinear::run_alike(std::span<const LinearTask> group, TensorView x, bool add, std::span<Buffer> scratch) {
  const CpuWeight& weight = weight_of(group[0]);
  const Layout& layout = *weight.product.layout;
  auto* arranged = x_.as<std::byte>();
  LinearCall call;
  call.m = x.rows;
  call.chunks = chunks_of(x.cols);
  call.x_stride = row_stride(layout, call.chunks);
  call.x = arranged;
  call.add = add;
  if (layout.arrange) {
    over_rows(pool_, x.rows, x.cols, [&](std::int64_t r) {
      layout.arrange(x.row(r), x.cols, call.chunks, weight.rounding, arranged + r * call.x_stride);
    });
    return multiply(group, call, 0, scratch);
  }
  outlier_columns_.find(x, weight.options.outlier_threshold, call);
  outliers_ += call.outliers * std::int64_t(group.size());
  columns_ += x.cols * std::int64_t(group.size());
  const std::int64_t together = outlier_columns_.rows_together(call);
  for (std::int64_t first = 0; first < x.rows; first += together) {
    outlier_columns_.encode(x, first, std::min(together, x.rows - first), weight.rounding, arranged, call);
    multiply(group, call, first, scratch);
  }
}

// The products of one arranged x, by panels over threads: many small pieces for an even end, but each worth its
// hand-out.
void CpuLinear::multiply(std::span<const LinearTask> group, const LinearCall& shared, std::int64_t first_x,
                         std::span<Buffer> scratch) {
  std::int64_t panels = 0, pieces = 0;
  for (const LinearTask& task : group) panels += panels_of(task);
  const std::int64_t step = std::clamp<std::int64_t>(panels / (pool_.size() * 8), 1, 8);
  const auto pieces_of = [&](const LinearTask& task) { return (panels_of(task) + step - 1) / step; };
  for (const LinearTask& task : group) pieces += pieces_of(task);
  pool_.run(pieces, [&](std::int64_t piece, int thread) {
    const LinearTask* task = group.data();
    for (; piece >= pieces_of(*task); ++task) piece -= pieces_of(*task);
    const CpuWeight& weight = weight_of(*task);
    LinearCall call = shared;
    call.weight = &weight.weight;
    call.table = weight.table.data();
    call.read = &weight.read;
    call.y = task->y.row(first_x);
    call.y_stride = task->y.stride;
    call.bias = task->bias;
    const std::int64_t first = piece * step * panel_rows;
    weight.product.schedule_for(call.m).run(call, first, std::min(step * panel_rows, weight.weight.rows - first),
                                            scratch[std::size_t(thread)].as<std::byte>());
  });
}

}  // namespace nibble
