// How a model's weights are held and how products are rounded. Equivalent of transformers' torch_dtype and
// BitsAndBytesConfig.
//
// Threads: values like any other; the functions: any number.
// Implemented in src/engine/precision.cpp over src/formats/precisions.cpp.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nibble/result.hpp"

namespace nibble {

// stored: as the checkpoint has it. The others name the format of the linear layers' weights:
// fp32, fp16, bf16: plain. int8: LLM.int8 (arXiv 2208.07339), one absmax per row.
// nf4, fp4: four-bit codes, one absmax per block (QLoRA, arXiv 2305.14314).
// A further one is a name here and a header that says what it is (src/formats/all.hpp): names, help, messages, sizes
// and files follow from that.
enum class Precision { stored, fp32, fp16, bf16, int8, nf4, fp4 };
using enum Precision;

// How the weights of a format lie in memory.
enum class FormatKind {
  dense,  // floats
  row,    // bytes, one scale per row
  table,  // four-bit codes of sixteen values, one scale per block of weights
  block   // blocks of a GGUF file, with scales of their own; no precision, since they are only read
};

// What is known of a format before a byte is read.
struct FormatFacts {
  std::string_view name;  // "nf4"
  FormatKind kind = FormatKind::dense;
  int bits = 0;  // of a code; 0: of a block format, or there is no such format
  Precision precision = stored;
  std::string_view bitsandbytes = {};       // what bitsandbytes calls it; empty: it has no such format
  std::string_view gguf = {};               // the type of GGUF that is the same; empty: there is none
  int block_elements = 1, block_bytes = 0;  // of a block format, whose rows are whole blocks

  constexpr bool is_block() const { return kind == FormatKind::block; }
  constexpr std::uint64_t code_bytes(std::uint64_t elements) const {
    if (is_block()) return elements / std::uint64_t(block_elements) * std::uint64_t(block_bytes);
    return (elements * std::uint64_t(bits) + 7) / 8;
  }
  // `block`: weights per scale of a table format.
  constexpr std::uint64_t scale_count(std::uint64_t rows, std::uint64_t cols, std::uint64_t block) const {
    if (kind == FormatKind::row) return rows;
    return kind == FormatKind::table ? (rows * cols + block - 1) / block : 0;
  }
};

// Every precision but `stored`, in the order in which lists name them; and those of some kinds.
std::span<const FormatFacts> precisions();
std::vector<FormatFacts> precisions(std::initializer_list<FormatKind> kinds);
const FormatFacts& facts_of(Precision precision);  // of `stored`: a name and nothing else
// What others are measured against stands before them: more bits first, and bf16, which has the wider range, before
// fp16.
std::vector<FormatFacts> widest_first(std::span<const FormatFacts> formats);
// "nf4, fp4"; "nf4 or fp4" with " or " before the last; "nf4-dq, fp4-dq" with "-dq" after each.
std::string names_of(std::span<const FormatFacts> formats, std::string_view before_last = ", ",
                     std::string_view after_each = {});

std::string_view name_of(Precision precision);             // "nf4"
Result<Precision> parse_precision(std::string_view name);  // bad_request: lists the known names

struct FourBitOptions {
  Precision compute_dtype =
      bf16;                   // fp32, bf16 or fp16: what activations and decoded weights are rounded to in a product
  bool double_quant = false;  // the absmax values are themselves quantized to 8 bits, in blocks of 256
  int block_size = 64;        // weights per absmax: 32 to 4096, a power of two
  std::vector<std::string> skip = {};  // see QuantizationConfig::skip
};

struct Int8Options {
  float threshold = 6.0f;  // columns with an |activation| at or above it are multiplied in 16 bits; 0 turns this off
  Precision compute_dtype = bf16;  // of the outlier columns
  std::vector<std::string> skip = {};
};

// The precision of one loaded model. Embeddings, norms and lm_head stay as stored in every quantized precision, as in
// transformers.
struct QuantizationConfig {
  Precision format = stored;
  Precision compute_dtype = stored;  // stored: fp32 for fp32, fp16 for fp16, else bf16
  bool double_quant = false;
  int block_size = 64;
  float int8_threshold = 6.0f;
  // Regular expressions (PCRE); a linear layer whose module name ("model.layers.0.mlp.up_proj") contains a match is not
  // quantized.
  std::vector<std::string> skip = {};
  // What only files are called: "Q4_K_M (mixed)", "MXFP4". Of a model that is held as it is stored, the file's own
  // name; in an estimate, with `stored`, also a type that `quantize` would write ("Q4_K_M"). label() says it.
  std::string file_type = {};

  QuantizationConfig() = default;
  QuantizationConfig(Precision precision) : format(precision) {}  // implicit: {.precision = fp32}
  // Of any precision whose kind is table; nf4 and fp4 are two of them.
  static QuantizationConfig four_bit(Precision precision, FourBitOptions options = {});
  static QuantizationConfig nf4(FourBitOptions options = {});
  static QuantizationConfig fp4(FourBitOptions options = {});
  static QuantizationConfig int8(Int8Options options = {});

  bool quantized() const { return facts_of(format).bits > 0 && facts_of(format).kind != FormatKind::dense; }
  bool four_bits() const { return facts_of(format).kind == FormatKind::table; }  // double_quant, block_size matter
  // "nf4", "nf4 double-quant", "nf4 block 128", or file_type: what tables show.
  std::string label() const;
  // bad_request if a field is out of range.
  Result<void> check() const;
};

}  // namespace nibble
