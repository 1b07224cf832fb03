// What both writers do: a source opened and checked, modules one by one, hashes and errors noted on the way.
#pragma once

#include "base/clock.hpp"
#include "base/thread_pool.hpp"
#include "engine/receipt.hpp"
#include "engine/weights.hpp"
#include "models/config.hpp"
#include "nibble/quantize.hpp"
#include "ops/relative_error.hpp"

namespace nibble {

class Conversion {
 public:
  static Result<std::unique_ptr<Conversion>> open(const std::filesystem::path& path,
                                                  const QuantizeCheckpointOptions& options);

  const Checkpoint& checkpoint() const { return *checkpoint_; }
  const ModelConfig& config() const { return config_; }
  const std::vector<ModuleSpec>& modules() const { return modules_; }
  WeightSource& source() { return *source_; }
  Allocator& memory() { return *memory_; }
  ThreadPool& pool() { return pool_; }

  // "Q4_1", "nf4": how the source has this weight quantized; empty: it is not.
  std::string quantized_as(const ModuleSpec& module) const;
  // The source's weight would be rounded a second time: refused unless that was allowed, and noted in the report.
  Result<void> round_again(const ModuleSpec& module, std::string_view to);
  Receipt receipt(std::string recipe) const;  // without tensors

  // Names, sizes and times of the source's files: while these stay, so do the bytes.
  std::string source_files() const;

  Result<void> may_go_on(const std::filesystem::path& out) const;  // asked before each module
  // `parts`: what was stored of a module; parts[own] is the weight itself, the others stand beside it.
  std::vector<Receipt::Tensor> notes(const ModuleSpec& module, const ErrorSums& error,
                                     const std::vector<std::span<const std::byte>>& parts, std::size_t own);
  void module_done(const ModuleSpec& module);                           // by this process
  void count_earlier(const ModuleSpec& module, std::uint64_t written);  // done by an earlier one
  void account(const ModuleSpec& module, const ErrorSums& error);       // of each module, in their order
  void show_progress() const;
  void say(const std::string& sentence) const {
    if (options_.say) options_.say(sentence);
  }
  void drop_copies() { copies_.clear(); }  // what reading a module took
  QuantizeReport finish(std::uint64_t bytes_written);

  QuantizeReport report;

 private:
  explicit Conversion(const QuantizeCheckpointOptions& options) : options_(options), pool_(options.threads) {}

  std::uint64_t bytes_of(const ModuleSpec& module) const;  // in the source

  const QuantizeCheckpointOptions& options_;
  double start_ = now_seconds();
  std::shared_ptr<Checkpoint> checkpoint_;
  ModelConfig config_;
  std::string stored_;  // precision of the source: "bf16", "nf4"
  std::vector<ModuleSpec> modules_;
  std::shared_ptr<Allocator> memory_ = host_memory();
  std::vector<Buffer> copies_;
  std::unique_ptr<WeightSource> source_;
  ThreadPool pool_;
  ErrorSums sums_;
  std::uint64_t source_bytes_ = 0, done_ = 0;
};

// Writes a GGUF file, or a folder.
Result<QuantizeReport> write_gguf(Conversion& conversion, const std::filesystem::path& out,
                                  const QuantizeCheckpointOptions& options);
Result<QuantizeReport> write_folder(Conversion& conversion, const std::filesystem::path& out,
                                    const QuantizeCheckpointOptions& options);

// What is copied or blocks into a type is looked at: a copy that cannot compute is no copy to keep.
Result<void> check_finite(const std::filesystem::path& path, const CheckpointTensor& tensor);

}  // namespace nibble
