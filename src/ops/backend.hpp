// The seam between device-neutral code (models/, engine/, generate/, later train/) and a device.
//
// Above it nothing reads or writes an activation: every view, gain, bias, table, id and position that an operation gets
// lies in memory of the backend's allocator, filled by upload(); operations are asked for in program order. A backend
// may queue them (a stream, a graph); only download() and synchronize() wait. Below it nothing knows what a model is.
//
// Every operation has a plain version in ops/reference.hpp, which is the law: same codes and scales bit for bit, sums
// within a derived bound.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "ops/product_choice.hpp"
#include "tensor/allocator.hpp"
#include "tensor/view.hpp"
#include "tensor/weight.hpp"

namespace nibble {

// How a product rounds its inputs. Sums are always fp32 (int32 for int8), whatever the compute type. Dense weights keep
// the precision they are stored in; block scales stay fp32.
struct ComputeOptions {
  DType compute =
      DType::f32;  // f32, bf16 or f16: activations, and the table values of 4-bit weights, are rounded to it
  float outlier_threshold =
      6.0f;  // int8 only: columns with an |activation| at or above it stay in 16/32 bits; 0 turns it off
};

// A weight as one backend likes it. Keeps whatever memory it needs; the CPU computes on the canonical bytes in place.
class PreparedWeight {
 public:
  virtual ~PreparedWeight() = default;
  // The canonical form: sizes for everybody; the bytes themselves lie in the backend's memory.
  virtual const Weight& canonical() const = 0;
};

// cos and sin of every (position, frequency), on the device: 2 tables of positions x head_dim/2 floats.
struct RopeTable {
  const float* cos = nullptr;
  const float* sin = nullptr;
  std::int64_t positions = 0, half = 0;
};

// What one pass computes at most: tokens, in so many sequences; rows of logits at once; positions that a sequence
// reaches.
struct PassShape {
  std::int64_t tokens = 0, sequences = 0, logits = 0, positions = 0;
};

// Keys or values of one layer of one sequence, wherever they lie: a cache, a page of one, or activations of a pass.
// Strides are in elements; the head_dim elements of a (head, position) follow one another.
struct CacheView {
  void* data = nullptr;
  std::int64_t head_stride = 0, position_stride = 0;
};

// The sequences that a pass computes beside each other. Made once per pass; the arrays lie in the backend's memory.
struct AttentionBatch {
  std::int64_t sequences = 0, tokens = 0;  // tokens: of all sequences, in rows that follow one another
  std::int64_t positions = 0;              // the most that a sequence has once these tokens are in its cache
  DType cache_dtype = DType::f32;
  const std::int32_t* first_row = nullptr;   // sequences + 1: rows first_row[s] to first_row[s + 1] are of sequence s
  const std::int32_t* past = nullptr;        // sequences: positions before them
  const CacheView* const* caches = nullptr;  // sequences: each a table of keys, values of layer 0, keys of layer 1, ...
};

struct AttentionShape {
  std::int64_t layer = 0;  // which views of the caches
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0;
  std::int64_t window = 0;  // sliding window: a query sees itself and window-1 positions before; 0 sees all
  float scale = 1;
};

// One weight of a group that reads the same x, and where its product goes.
struct LinearTask {
  const PreparedWeight* weight = nullptr;
  const float* bias = nullptr;  // a value per row of the weight, or null
  TensorView y;                 // (rows of x, rows of the weight)
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;  // "cpu avx512", "reference", ...
  virtual Allocator& memory() = 0;
  virtual DType activation_dtype() const = 0;   // of every activation view
  virtual bool shares_host_memory() const = 0;  // weights may stay where the file is mapped

  // Takes now what operations need beside their operands: for every weight prepared so far and passes of up to this
  // shape. After it they take nothing more, so running out of memory is an answer and not an abort.
  virtual Result<void> reserve(const PassShape& shape) = 0;

  // `weight` lies in host memory. A backend that shares it keeps the pointers, so the bytes must outlive the result;
  // any other copies the bytes into its own memory (codes as `purpose`, scales as scales) and needs them no longer.
  virtual Result<std::unique_ptr<PreparedWeight>> prepare(const Weight& weight, const ComputeOptions& options,
                                                          Purpose purpose) = 0;

  // Brackets the operations of one pass over all layers, whose operands lie where they lay in the last pass of the same
  // shape: a backend may record them. False: it has them recorded, end_pass() runs them, and none is asked for between.
  virtual bool begin_pass(const PassShape&) { return true; }
  virtual void end_pass() {}

  // Per task: y (m, n) = x (m, k) * W(n, k)^T + bias. add: y += instead. The y of a group do not overlap.
  virtual void linear(std::span<const LinearTask> group, TensorView x, bool add) = 0;
  // out row t = table row ids[t].
  virtual void embed(const PreparedWeight& table, std::span<const std::int32_t> ids, TensorView out) = 0;
  // out = x / sqrt(mean(x^2) + eps) * gain, over groups of `gain.size()` columns (a whole row, or each head of it). out
  // may be x.
  virtual void rms_norm(TensorView x, std::span<const float> gain, float eps, TensorView out) = 0;
  // Rotates the halves of each head of every row by the angles of its position (rotate-half convention). out may be x.
  virtual void rope(TensorView x, std::span<const std::int32_t> positions, const RopeTable& table, TensorView out) = 0;
  // Writes k and v (tokens, kv_heads*head_dim), rope applied, to the positions after `past` of each sequence's caches.
  virtual void append(const AttentionBatch& batch, const AttentionShape& shape, TensorView k, TensorView v) = 0;
  // out row t = what q row t (tokens, heads*head_dim) sees: the positions of its sequence up to its own, which append()
  // has written.
  virtual void attention(const AttentionBatch& batch, const AttentionShape& shape, TensorView q, TensorView out) = 0;
  // out = gate / (1 + exp(-gate)) * up; out may be either.
  virtual void silu_mul(TensorView gate, TensorView up, TensorView out) = 0;
  virtual void upload(const void* host, void* device, std::size_t bytes) = 0;
  virtual void download(TensorView from, float* host) = 0;  // rows x cols fp32, after everything queued before
  virtual void synchronize() = 0;
  // int8: share of activation columns so far that held an outlier.
  virtual double outlier_share() const { return 0; }
  // The products that linear() considers for a weight and so many rows of x, best first; the last is taken. None: there
  // is nothing to choose.
  virtual std::vector<ProductChoice> explain(const PreparedWeight&, std::int64_t) const { return {}; }
};

}  // namespace nibble
