// What a model will cost before a byte of its weights is read: the loader and the runner run with memory that only
// counts.
//
// Threads: any number.
// Implemented in src/measure/estimate.cpp over src/engine/rehearsal.cpp.
#pragma once

#include <optional>

#include "nibble/model.hpp"

namespace nibble {

struct EstimateOptions {
  // Empty: as stored, then fp32, fp16, bf16, int8, nf4, nf4 double-quant, fp4, fp4 double-quant without what is stored.
  // `stored` with a file_type ("Q4_K_M", one of gguf_type_names()) is the GGUF file that `quantize` would write.
  std::vector<QuantizationConfig> precisions = {};
  std::int64_t context = 4096;         // tokens of KV cache per sequence, all used; cut to what the model was made for
  std::int64_t batch = 1;              // sequences at once
  Precision kv_cache = stored;         // fp32, bf16, fp16; stored: what products are rounded to
  int threads = 0;                     // 0: every core this process may use; each has workspace of its own
  std::string device_map = automatic;  // one of devices(), or automatic
  std::vector<std::string> ignore_config = {};
};

// All in bytes.
struct PrecisionEstimate {
  QuantizationConfig precision;  // of the files as they are: what they hold, by their own name
  bool stored = false;           // the files as they are
  bool requantizes = false;      // they are quantized, and their weights would be rounded a second time
  MemoryReport bytes;            // with full caches; bytes.mapped of it lies in mapped files
  std::uint64_t resident = 0;    // own memory of the process with full caches: bytes.total() - bytes.mapped
  std::uint64_t peak = 0;        // own memory at its highest, quantizing while loading included
  std::uint64_t disk = 0;        // weight files of this precision
  double bits_per_weight = 0;    // of everything in them: 4.5 and more for "four bits"
};

struct Estimate {
  std::string architecture;  // of a bare size: the published model whose shape it is
  std::uint64_t parameters = 0;
  std::int64_t context = 0, batch = 0;
  bool runs = false;               // false: Nibble cannot run it, and counts modules where a load would be rehearsed
  std::vector<std::string> notes;  // what the figures leave out or assume
  std::vector<PrecisionEstimate> precisions;
};

// A folder, a config.json alone, a .gguf file, or org/name in the local Hugging Face cache. Reads headers and small
// JSON files. Files that are packed by a method which Nibble does not run (AWQ, GPTQ, FP8, MXFP4) are counted as they
// are stored, every other row from the model's shape. Errors: not_found, bad_request (context, batch), corrupt_file
// (sizes that contradict each other).
Result<Estimate> estimate(const std::filesystem::path& model, const EstimateOptions& options = {});

// The rule of thumb: parameters * bits / 8, in bytes. What it leaves out: scales, embeddings kept in 16 bits, KV cache,
// activations.
std::uint64_t estimate(std::uint64_t parameters, Precision precision);

// What the rule of thumb should be held against: the published model nearest in size, if one lies within 20 %.
Result<std::optional<Estimate>> estimate_nearest(std::uint64_t parameters, const EstimateOptions& options = {});

}  // namespace nibble
