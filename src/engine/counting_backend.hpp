// A backend that computes nothing and whose memory only counts: loading through it is the estimate.
#pragma once

#include "ops/backend.hpp"

namespace nibble {

class CountingBackend final : public Backend {
 public:
  std::string_view name() const override { return "counting"; }
  Allocator& memory() override { return memory_; }
  DType activation_dtype() const override { return DType::f32; }
  bool shares_host_memory() const override { return true; }
  Result<std::unique_ptr<PreparedWeight>> prepare(const Weight& weight, const ComputeOptions&, Purpose) override {
    return std::unique_ptr<PreparedWeight>(std::make_unique<Counted>(weight));
  }
  void linear(const PreparedWeight&, TensorView, TensorView, const float*, bool) override {}
  void embed(const PreparedWeight&, std::span<const std::int32_t>, TensorView) override {}
  void rms_norm(TensorView, std::span<const float>, float, TensorView) override {}
  void rope(TensorView, std::span<const std::int32_t>, const RopeTable&) override {}
  void attention(std::span<const AttentionProblem>) override {}
  void silu_mul(TensorView, TensorView, TensorView) override {}
  void upload(const void*, void*, std::size_t) override {}
  void download(TensorView, float*) override {}
  void synchronize() override {}

 private:
  struct Counted final : PreparedWeight {
    explicit Counted(const Weight& weight) : weight(weight) {}
    const Weight& canonical() const override { return weight; }
    Weight weight;
  };
  CountingAllocator memory_;
};

}  // namespace nibble
