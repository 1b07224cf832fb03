// A model that is ready to compute, and what is asked of it besides: its tokenizer and template, what runs need.
#pragma once

#include <memory>
#include <mutex>

#include "engine/loader.hpp"
#include "engine/placement.hpp"
#include "engine/rehearsal.hpp"
#include "models/transformer.hpp"
#include "nibble/model.hpp"

namespace nibble {

class ChatTemplate;
class Tokenizer;

// Any number of threads may call what is const; one at a time computes, that is, changes anything.
class LoadedModel {
 public:
  std::shared_ptr<Checkpoint> checkpoint;  // null for random weights
  QuantizationConfig precision;            // resolved: never `stored`
  LoadOptions options;                     // as they were asked for
  DType kv_dtype = DType::bf16, unquantized_dtype = DType::bf16;
  std::unique_ptr<Backend> backend;
  std::vector<Buffer> buffers;  // outlive the weights that point into them
  std::unique_ptr<Transformer> transformer;
  BytesByPurpose mapped{};       // weights used where the file is mapped
  std::uint64_t load_peak = 0;   // bytes that were taken while loading, at the highest
  std::string requantized_from;  // what was stored quantized and was rounded a second time; empty: nothing was
  MemoryPlan planned;            // what runs were predicted to take, at the highest
  double load_seconds = 0;
  LoadTimes times;
  int threads = 1;

  MemoryReport memory() const;
  std::string held_as() const;  // what linear layers are: "nf4 double-quant", or blocks of a GGUF file ("Q4_K, Q6_K")
  std::string converted_from() const;  // block types of a GGUF file that linear layers were decoded from, or empty

  // Read or parsed by the first who asks, then shared.
  Result<std::shared_ptr<const Tokenizer>> tokenizer() const;
  Result<std::shared_ptr<const ChatTemplate>> chat_template() const;
  bool has_read_tokenizer() const;

  // A cache for one sequence, in the type of this model's caches.
  Result<KvCache> make_cache(std::int64_t capacity);

  // Plans a run. What this machine has no memory for is refused, with numbers and with settings that would fit.
  // `caches`: bytes of KV caches that are there already and are counted in the workload once more.
  Result<void> plan(Workload workload, std::uint64_t caches = 0);

  // Non-finite logits: names the tensor that holds NaN or infinity, if one does.
  Error explain_nonfinite() const;

 private:
  mutable std::mutex reading_;  // guards the two below
  mutable std::shared_ptr<const Tokenizer> tokenizer_;
  mutable std::shared_ptr<const ChatTemplate> chat_template_;
};

}  // namespace nibble
