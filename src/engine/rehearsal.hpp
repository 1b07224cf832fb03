// What a run will take, by running it: the real loader, placer, backend and runner with memory that only counts.
#pragma once

#include "engine/weights.hpp"
#include "models/checkpoint.hpp"
#include "models/transformer.hpp"
#include "nibble/memory.hpp"
#include "nibble/model.hpp"

namespace nibble {

// What a run asks of a loaded model.
struct Workload {
  std::int64_t context = 512, batch = 1;  // tokens of KV cache per sequence, and sequences
  std::int64_t tokens = 0;                // that are read together, at most; 0: as many as the cache holds
  bool all_logits = false;                // perplexity needs the logits of every position, not of the last alone
  std::uint64_t workspace = 0;            // bytes that the caller takes through the model's memory as well
  std::uint64_t text = 0;                 // bytes of ids and losses that the caller holds beside it
  PassShape earlier = {};                 // what the model has reserved already
};

struct MemoryPlan {
  // The highest of both, category by category, for runs one after the other.
  void raise(const MemoryPlan& next);

  MemoryReport bytes;           // with full caches; `mapped` of it in files
  MemoryReport own;             // the same without what is mapped
  MemoryReport highest;         // of every category by itself, loading included
  std::uint64_t load_peak = 0;  // own bytes while loading, at the highest

  std::uint64_t run_peak = 0;  // own bytes while running, at the highest
  std::uint64_t text = 0;      // bytes of ids and losses that callers held, at the highest

  std::uint64_t peak() const { return std::max(run_peak, load_peak); }
};

// A model as the loader makes it, of memory that only counts.
struct CountedModel {
  QuantizationConfig precision;  // resolved: never `stored`
  std::shared_ptr<Allocator> memory;
  std::unique_ptr<Backend> backend;
  std::vector<Buffer> copies, buffers;
  TransformerWeights weights;
  BytesByPurpose mapped{};
};

// `checkpoint`: headers are read, weights are not; null: config.json is all there is, and weights are taken to be
// stored as `forms` says, or as `unquantized_dtype`. Microseconds per module.
Result<CountedModel> count_model(const ModelConfig& config, const Checkpoint* checkpoint, const LoadOptions& options,
                                 DType unquantized_dtype, const CountedForms& forms = {});
Result<MemoryPlan> rehearse(const ModelConfig& config, const Checkpoint* checkpoint, const LoadOptions& options,
                            DType unquantized_dtype, const Workload& workload, const CountedForms& forms = {});

// Own memory of the process beside what an allocator hands out: the program and its libraries, the metadata of a GGUF
// file (its tokens and merges), the tokenizer. Measured (docs/measurements/memory.md), as a heap cannot be rehearsed.
inline constexpr std::uint64_t program_bytes = 1'250'000;
constexpr std::uint64_t metadata_bytes(std::int64_t vocabulary) { return std::uint64_t(vocabulary) * 120; }
constexpr std::uint64_t tokenizer_bytes(std::int64_t vocabulary) { return 180'000 + std::uint64_t(vocabulary) * 109; }

// How keys and values are stored under these options.
DType kv_dtype_of(const LoadOptions& options);

}  // namespace nibble
