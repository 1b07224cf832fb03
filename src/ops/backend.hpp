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

#include "tensor/memory.hpp"
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

// Keys or values of one layer of one sequence: (kv_heads, capacity, head_dim), so one head's positions are contiguous.
struct CacheView {
  void* data = nullptr;
  DType dtype = DType::f32;
  std::int64_t kv_heads = 0, capacity = 0, head_dim = 0;
};

// Attention of `tokens` new positions of one sequence over everything before them and themselves.
struct AttentionProblem {
  TensorView q, k, v;      // (tokens, heads*head_dim), (tokens, kv_heads*head_dim) twice; rope already applied
  TensorView out;          // (tokens, heads*head_dim)
  CacheView keys, values;  // rows past .. past+tokens are written first, then read like the rest
  std::int64_t past = 0;   // positions already in the cache
  std::int64_t heads = 0;
  std::int64_t window = 0;  // sliding window: a query sees itself and window-1 positions before; 0 sees all
  float scale = 1;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;  // "cpu avx512", "reference", ...
  virtual Allocator& memory() = 0;
  virtual DType activation_dtype() const = 0;   // of every activation view
  virtual bool shares_host_memory() const = 0;  // weights may stay where the file is mapped

  // Takes now what operations need beside their operands: for every weight prepared so far, up to `rows` rows, contexts
  // of up to `positions`. After it they take nothing more, so running out of memory is an answer and not an abort.
  virtual Result<void> reserve(std::int64_t rows, std::int64_t positions) = 0;

  // `weight` lies in host memory. A backend that shares it keeps the pointers, so the bytes must outlive the result;
  // any other copies the bytes into its own memory (codes as `purpose`, scales as scales) and needs them no longer.
  virtual Result<std::unique_ptr<PreparedWeight>> prepare(const Weight& weight, const ComputeOptions& options,
                                                          Purpose purpose) = 0;

  // y (m, n) = x (m, k) * W(n, k)^T + bias; bias has n fp32 values or is null. add: y += instead.
  virtual void linear(const PreparedWeight& w, TensorView x, TensorView y, const float* bias, bool add) = 0;
  // out row t = table row ids[t].
  virtual void embed(const PreparedWeight& table, std::span<const std::int32_t> ids, TensorView out) = 0;
  // out = x / sqrt(mean(x^2) + eps) * gain, over groups of `gain.size()` columns (a whole row, or each head of it).
  virtual void rms_norm(TensorView x, std::span<const float> gain, float eps, TensorView out) = 0;
  // Rotates the halves of each head of every row by the angles of its position, in place (rotate-half convention).
  virtual void rope(TensorView x, std::span<const std::int32_t> positions, const RopeTable& table) = 0;
  virtual void attention(std::span<const AttentionProblem> problems) = 0;
  virtual void silu_mul(TensorView gate, TensorView up, TensorView out) = 0;
  virtual void upload(const void* host, void* device, std::size_t bytes) = 0;
  virtual void download(TensorView from, float* host) = 0;  // rows x cols fp32, after everything queued before
  virtual void synchronize() = 0;
  // int8: share of activation columns so far that held an outlier.
  virtual double outlier_share() const { return 0; }
};

}  // namespace nibble
