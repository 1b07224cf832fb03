// Weights that are packed by methods which Nibble does not run, counted as their files have them: what
// quantization_config says of AWQ, GPTQ, FP8, MXFP4 and their like.
#pragma once

#include <optional>
#include <string>

#include "engine/placement.hpp"
#include "io/json.hpp"

namespace nibble {

class PackedWeights {
 public:
  struct Bytes {
    std::uint64_t codes = 0, state = 0;  // state: scales, zero points, indices
  };

  // Nothing: there is no quantization_config, or it is one that Nibble reads. Patterns that make no sense are errors.
  static Result<std::optional<PackedWeights>> read(const Json& config);

  const std::string& label() const { return label_; }      // "AWQ 4-bit", "FP8", "MXFP4"
  const std::string& runs_in() const { return runs_in_; }  // a sentence: what runs such files, as Nibble does not
  bool knows_size() const { return bits_ > 0; }            // else nothing is packed as far as bytes_of() says
  // Of a linear layer; nothing: it is left as it was.
  std::optional<Bytes> bytes_of(const ModuleSpec& module) const;

 private:
  Result<void> read_kept(const Json& quantization);
  void read_method(const Json& quantization);

  std::string method_, label_, runs_in_;
  int bits_ = 0;
  std::int64_t group_ = 0, group_rows_ = 1;  // columns and rows of weights per scale; 0 columns: all of a row
  int scale_bytes_ = 2, zero_bits_ = 0;      // of a group
  bool indices_ = false;                     // GPTQ: four bytes per column
  bool one_scale_ = false;                   // for all of a tensor
  bool experts_only_ = false;
  SkipPatterns kept_;
};

}  // namespace nibble
