// What can be planned about a model: one that runs is rehearsed, of any other the modules are counted.
#pragma once

#include "engine/packed_weights.hpp"
#include "engine/rehearsal.hpp"
#include "models/outline.hpp"
#include "nibble/estimate.hpp"

namespace nibble {

struct Subject {
  std::shared_ptr<Checkpoint> checkpoint;  // null: a published shape
  bool has_weights = false;                // their headers are known
  std::optional<ModelConfig> config;       // set: Nibble knows the architecture
  Outline outline;                         // else
  std::optional<PackedWeights> packed;     // the files are of a method that Nibble does not run
  QuantizationConfig stored;               // what the files hold, under its own name
  DType unquantized_dtype = DType::bf16;   // how weights are stored that no precision converts
  std::string architecture;
  std::uint64_t parameters = 0;
  std::vector<std::string> notes;

  bool runs() const { return config && !packed; }
  bool is_quantized() const { return nibble::is_quantized(stored); }
  // Whether this asks for the files as they are; whether weights that are quantized would be rounded a second time.
  bool is_as_stored(const QuantizationConfig& precision) const;
  bool requantizes(const QuantizationConfig& precision) const;
  // What the model was made for; where nothing says so, 4096.
  std::int64_t max_positions() const {
    const std::int64_t known = config ? config->max_positions : outline.max_positions;
    return known > 0 ? known : 4096;
  }
  bool knows_positions() const { return (config ? config->max_positions : outline.max_positions) > 0; }
  std::uint64_t vocabulary() const { return std::uint64_t(config ? config->vocab_size : outline.vocab_size); }
  // Layers times the tokens of one sequence whose keys and values they keep.
  std::uint64_t cached_tokens(std::int64_t context) const;
  Result<PrecisionEstimate> plan(const QuantizationConfig& precision, const EstimateOptions& options) const;

 private:
  Result<void> rehearse_into(PrecisionEstimate& out, const EstimateOptions& options) const;
  Result<void> count_into(PrecisionEstimate& out, const EstimateOptions& options) const;
};

// Opens headers, or config.json alone where there are no weights.
Result<Subject> open_subject(const std::filesystem::path& path, const std::vector<std::string>& ignore_config);

// The published shape nearest to this size, within 20 %.
std::optional<Subject> nearest_shape(std::uint64_t parameters);

}  // namespace nibble
