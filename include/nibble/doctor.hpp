// What a precision would do to a model, measured on the model itself, and the command that does something about it.
//
// Threads: any number; each call loads the model for itself. Callbacks come on the calling thread.
// Implemented in src/measure: doctor_range.cpp, doctor_quality.cpp, doctor_loading.cpp.
#pragma once

#include "nibble/evaluate.hpp"

namespace nibble {

struct Finding {
  std::string what;     // with its figures
  std::string command;  // what to run next
};

struct ExamineOptions {
  std::string text = {};          // a sample of what the model will read; must have at least 32 tokens
  std::int64_t max_tokens = 256;  // of the text: more takes longer and says more; 32 to the model's maximum
  int threads = 0;
  std::string device_map = automatic;  // one of devices(), or automatic
  std::vector<std::string> ignore_config = {}, ignore_tensors = {};
  Progress progress = {};
  std::function<bool()> stop = {};  // asked between pieces of work; true ends with Errc::cancelled
};

// The values of one tensor beside the ranges of 16-bit floats. fp16: 11 significant bits, normal from 2^-14 = 6.1e-5 to
// 65504, zero below 2^-25. bf16: 8 significant bits, the range of fp32.
struct ValueRange {
  // A weight by its tensor ("model.layers.0.mlp.up_proj.weight"), an activation by its place
  // ("model.layers.0.mlp.down_proj input").
  std::string name;
  std::uint64_t values = 0;
  std::uint64_t nonfinite = 0;          // NaN and infinities: in no other count
  std::uint64_t beyond_fp16 = 0;        // |x| > 65504
  std::uint64_t below_fp16_normal = 0;  // 0 < |x| < 2^-14: fp16 keeps fewer than 11 bits
  std::uint64_t zero_in_fp16 = 0;       // of these, what rounds to zero: |x| <= 2^-25
  std::uint64_t changed_by_bf16 = 0;    // not a bf16 number: rounding loses something
  double largest = 0, smallest = 0;     // magnitudes; smallest of those that are not zero, 0: all are
  double bf16_error = 0;                // largest |rounded - x| / |x|; 2^-9 within bf16's normal range
  double bf16_rms = 0, fp16_rms = 0;    // root of the mean square of the same; fp16: of values up to 65504

  // Both together, under this name.
  void add(const ValueRange& other);
};

struct RangeReport {
  std::string stored;                            // the type that the file holds: "bf16", "nf4 double-quant", "Q4_1"
  bool quantized = false;                        // another precision would round the weights a second time
  bool bf16_hardware = false;                    // this processor multiplies bf16
  std::int64_t tokens = 0;                       // of the sample text
  std::vector<ValueRange> weights, activations;  // in the order of the forward pass
  std::string no_activations;                    // why there are none (the model has no tokenizer), else empty
  ValueRange all_weights, all_activations;
  Precision on_this_machine = Precision::bf16;        // which 16 bits to take here
  Precision without_bf16_hardware = Precision::fp16;  // on cards before compute capability 8.0; fp32 if fp16 overflows
  std::vector<Finding> findings;
};

// Reads every weight and runs the text once in fp32 arithmetic on the stored weights.
// Errors: those of Model::load, bad_request for a text that is too short.
Result<RangeReport> examine_range(const std::filesystem::path& model, const ExamineOptions& options);

struct PrecisionQuality {
  QuantizationConfig precision;  // of the files as they are: what they hold, by their own name
  bool stored = false;           // the files as they are
  bool requantizes = false;      // their weights are quantized and were rounded a second time
  Divergence divergence;         // from the reference, on the sample text
  double perplexity = 0;
  std::uint64_t weight_bytes = 0;  // of the whole model
};

// A linear layer that alone was quantized.
struct LayerQuality {
  std::string module;            // "model.layers.0.mlp.down_proj"
  double mean_kl = 0;            // KL(reference || model), nats per position
  std::uint64_t bytes = 0;       // what its weight takes in the precision, scales included
  std::uint64_t kept_bytes = 0;  // and what it takes as it is stored
};

struct QualityReport {
  std::string reference, recipe;             // what KL is measured from, and how
  std::int64_t tokens = 0;                   // of the sample text
  double perplexity = 0;                     // of the reference
  std::vector<PrecisionQuality> precisions;  // whole models: as stored, then bf16, fp16, int8, nf4, nf4-dq, fp4 of them
  QuantizationConfig examined;               // the precision that layers were examined in
  std::vector<LayerQuality> layers;          // worst first
  PrecisionQuality examined_whole;           // every linear layer in `examined`
  PrecisionQuality worst_kept;               // the same without the three worst: precision.skip names them
  std::vector<Finding> findings;
};

// What each precision costs in quality, and which layers cost most in `precision`: every linear layer in turn is held
// in it, all else stays as stored, products in fp32, and the distance between the predictions is measured. Errors:
// those of Model::load; bad_request for a text that is too short or a plain precision; unsupported for a model that is
// stored quantized, whose original is not there to compare with.
Result<QualityReport> examine_quality(const std::filesystem::path& model, const QuantizationConfig& precision,
                                      const ExamineOptions& options);

// One load in one precision, the files in the page cache.
struct LoadingTime {
  QuantizationConfig precision;    // as it was held: never `stored`
  bool as_stored = false;          // nothing had to be converted
  double seconds = 0;              // of the whole load; the parts below are in it
  double opening_seconds = 0;      // files found, mapped, headers checked
  double quantizing_seconds = 0;   // reading elements and converting them
  double packing_seconds = 0;      // arranging weights for the kernels; a CPU computes on the stored bytes
  std::uint64_t weight_bytes = 0;  // of the model in this precision
};

struct LoadingReport {
  std::string filesystem;               // "ext4", "nfs"
  bool network = false;                 // it may reach over a network
  bool quantized = false;               // a copy in another precision would round the weights a second time
  std::uint64_t file_bytes = 0;         // of the weight files
  double cached_share = 0;              // of them in the page cache before anything was read
  double read_seconds = 0;              // every byte touched once, from cache or disk as they were
  std::optional<double> disk_gb_per_s;  // past the page cache, 10^9 bytes; nothing where the system cannot say
  std::uint64_t available_bytes = 0;    // memory that was free; 0: unknown
  std::vector<LoadingTime> loads;       // as stored, int8, and the precision that was asked for
  std::vector<Finding> findings;
};

// Where the seconds of a load go: reading the files, quantizing, packing. Reads all files once and loads the model
// three times; of `options` the text is not used.
Result<LoadingReport> examine_loading(const std::filesystem::path& model, const QuantizationConfig& precision,
                                      const ExamineOptions& options);

}  // namespace nibble
