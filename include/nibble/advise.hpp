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
  Precision kv_cache = stored;  // see EstimateOptions
  int threads = 0;
  std::string device_map = automatic;  // one of devices(), or automatic
  std::vector<std::string> ignore_config = {};
};

// One precision in so much memory. Contexts are multiples of 256 (shorter ones: 0, it does not fit).
struct Fit {
  QuantizationConfig precision;
  std::uint64_t needed = 0;          // bytes at the wanted context and batch, mapped weights and load included
  std::int64_t longest_context = 0;  // at the wanted batch
  std::int64_t largest_batch = 0;    // at the wanted context; at most 1024 are counted
  bool fits() const { return largest_batch > 0; }
};

// The same for a graphics card, by the memory that its driver reports.
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
  std::int64_t context = 0, batch = 0;   // recommended, at most what was wanted
  std::vector<Fit> fits;                 // widest first: as stored, int8, nf4, nf4 double-quant
  std::size_t choice = 0;                // index of the recommended one
  std::string reason, command;           // command: what to type; empty if Nibble cannot run the model
  std::vector<CardFit> cards;
  std::vector<std::string> notes;
};

// The rule: the widest precision that fits with the wanted context and batch; if none does, the narrowest with the
// longest context that does. out_of_memory (bad_request if `memory` was given): names the smallest that works.
Result<Advice> advise(const std::filesystem::path& model, const AdviseOptions& options = {});

// "12GiB", "500 MB": a positive number and a unit, KB to TB by thousands, KiB to TiB by 1024.
Result<std::uint64_t> parse_bytes(std::string_view text);

}  // namespace nibble
