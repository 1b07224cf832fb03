// Writing a model in another form: a folder that transformers and bitsandbytes read, or one GGUF file for llama.cpp.
//
// Threads: any number; a second conversion into the same place is refused. Callbacks come on the calling thread.
// Implemented in src/engine: conversion.cpp over write_folder.cpp and write_gguf.cpp.
#pragma once

#include <filesystem>

#include "nibble/model.hpp"

namespace nibble {

struct QuantizeCheckpointOptions {
  QuantizationConfig precision = QuantizationConfig::nf4();  // of a folder
  std::string gguf_type = {};  // "q4_k_m": write one GGUF file of this type; `precision` then says nothing
  // Of a folder in nf4 or fp4: the dtype under which codes lie, the same bytes under another name (FSDP wants that of
  // the other weights): uint8, float16, bfloat16, float32. Empty: the source's, or uint8.
  std::string quant_storage = {};
  bool allow_requantize = false;  // a source that is quantized may be rounded a second time
  bool replace = false;           // `out` may exist, if it carries a receipt; it goes when the new one is whole
  int threads = 0;
  std::uint64_t shard_bytes = 5'000'000'000;  // of a folder: a new file starts before its tensors exceed this
  std::vector<std::string> ignore_config = {};
  std::vector<std::string> ignore_tensors = {};  // as in LoadOptions; the copy is without them
  // Bytes of the source that are done, of how many; first called with what an earlier process had done.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress = {};
  // A sentence about what happens: that an interrupted conversion continues, that a shard is complete.
  std::function<void(const std::string& sentence)> say = {};
  std::function<bool()> stop = {};  // asked between tensors; true: cancelled, to be continued by the same call
};

struct QuantizeReport {
  std::uint64_t bytes_read = 0, bytes_written = 0;
  std::uint64_t bytes_taken_over = 0;   // of those written, by an earlier process that was interrupted
  std::uint64_t peak_buffer_bytes = 0;  // the most that was held at once beside the mapped input
  std::size_t quantized_modules = 0, kept_modules = 0;
  double seconds = 0;
  // `out` was there, whole, and to the byte what this makes of the same source: nothing was written. Known is then
  // worst_error alone.
  bool stood_already = false;
  // Root mean square of the difference between what was written and what was read, over that of what was read: of the
  // whole model and of its worst tensor.
  double relative_error = 0, worst_error = 0;
  std::string worst_tensor;
  std::string requantized_from;  // "Q4_1", "nf4": the source was quantized, and its values were rounded again
};

// Streams tensor by tensor. `out` appears only when complete. A folder must not exist or be empty, a file must not
// exist, unless it is what this call would make: then all of it and of the source is checked, and nothing written. A
// link is refused. Each output carries a receipt that verify() reads.
// Until then everything lies in "OUT.partial". If that was interrupted, however hard, the same call continues with what
// is finished there and still has the bytes that were written; the result is the same to the byte. Another source,
// precision or version starts over. An error that may pass (stopped, disk full, out of memory) keeps it, any other
// removes it.
// Errors, beside those of loading: bad_request (out exists, its name does not fit the form, another process is making
// it, a second rounding without allow_requantize), unsupported (rows that the type's blocks do not fill, a feature that
// GGUF has no key for), out of space and the like.
Result<QuantizeReport> quantize_checkpoint(const std::filesystem::path& model, const std::filesystem::path& out,
                                           const QuantizeCheckpointOptions& options = {});

// Types of GGUF files: pure ones ("q4_k", every matrix alike) and llama.cpp's mixes ("q4_k_m").
bool is_gguf_type(std::string_view name);
std::string gguf_type_names();  // "f32, f16, ...", for messages

}  // namespace nibble
