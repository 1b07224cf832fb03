// Which precision, context and batch fit into how much memory, and what to choose.
//
// Threads: any number.
// Implemented in src/measure/advise.cpp.
#pragma once

#include <cstddef>

#include "nibble/estimate.hpp"

namespace nibble {

struct AdviseOptions {
  std::uint64_t memory = 0;     // bytes to plan for; 0: the RAM of this machine, under the limits of its containers
  std::int64_t context = 4096;  // wanted: tokens per sequence, cut to what the model was made for
  std::int64_t batch = 1;       // wanted: sequences at once
  // What to choose from, preferred first; empty: as stored, then what is narrower. See EstimateOptions::precisions.
  std::vector<QuantizationConfig> precisions = {};
  Precision kv_cache = stored;  // see EstimateOptions
  int threads = 0;
  std::string device_map = automatic;  // one of devices(), or automatic
  std::vector<std::string> ignore_config = {};
};

// One precision in so much memory. Contexts are multiples of 256 (shorter ones: 0, it does not fit).
struct Fit {
  QuantizationConfig precision;
  bool stored = false;               // the files as they are
  bool requantizes = false;          // they are quantized, and their weights would be rounded a second time
  bool written = false;              // a GGUF file that `quantize` would have to write: chosen only if it was asked for
  std::uint64_t needed = 0;          // bytes at the wanted context and batch, mapped weights and load included
  std::int64_t longest_context = 0;  // at the wanted batch
  std::int64_t largest_batch = 0;    // at the wanted context; at most 1024 are counted
  bool fits() const { return largest_batch > 0; }
};

// The same for a graphics card, by the memory that its driver reports. Threads of the host do not count.
struct CardFit {
  std::string card;  // "RTX 4090"
  std::uint64_t memory = 0;
  std::vector<Fit> fits;              // in the order of Advice::fits
  std::optional<std::size_t> choice;  // index of what would be recommended there
};

struct Advice {
  std::string architecture;
  std::uint64_t parameters = 0;
  std::uint64_t memory = 0, usable = 0;  // usable: what is left for the model after the headroom of one twentieth
  std::int64_t context = 0, batch = 0;   // recommended, at most what was wanted; 0: nothing fits
  // As stored first, then by width: 16 bits where fp32 is stored, int8, nf4 and GGUF's types. Of files that are
  // quantized only what is smaller than they are.
  std::vector<Fit> fits;
  std::optional<std::size_t> choice;  // index of the recommended one; nothing: nothing fits, `reason` says what would
  std::string reason, command;        // command: what to type; empty if Nibble cannot run the model
  std::string on_a_card;              // what takes the choice on a card, as long as Nibble does not: a line of Python
  std::vector<CardFit> cards;
  std::vector<std::string> notes;
};

// The rule: the files as they are if they fit with the wanted context and batch. Else, of files that are not quantized,
// the widest that does, or the narrowest with the longest context that does; of files that are, a shorter context (1024
// tokens or more) before a second rounding.
Result<Advice> advise(const std::filesystem::path& model, const AdviseOptions& options = {});
// The same of the published model nearest in size, if one lies within 20 %.
Result<std::optional<Advice>> advise_nearest(std::uint64_t parameters, const AdviseOptions& options = {});

// "12GiB", "500 MB": a positive number and a unit, KB to TB by thousands, KiB to TiB by 1024.
Result<std::uint64_t> parse_bytes(std::string_view text);

}  // namespace nibble
