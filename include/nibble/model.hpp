// Loading and describing a model. Equivalent of AutoModelForCausalLM.from_pretrained.
//
// Threads: any number may load and inspect models. One loaded model computes for one thread at a time: generate(),
// Chat, evaluate() and MemoryWatch::check() say so, and memory() belongs to that thread as well. Everything else here
// may be called by any thread, also while another computes.
//
// Implemented in src/engine/model.cpp over src/engine/load.cpp; inspect() in src/engine/inspect.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nibble/device.hpp"
#include "nibble/memory.hpp"
#include "nibble/precision.hpp"
#include "nibble/tokenizer.hpp"

namespace nibble {

class LoadedModel;  // implementation

// Called with a share between 0 and 1; may be empty.
using Progress = std::function<void(double done)>;

struct LoadOptions {
  // {.precision = nf4} or QuantizationConfig::nf4({...}). stored (the default): as the file has it. Blocks of GGUF
  // files of type Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K and IQ4_NL are computed with where they are mapped;
  // other block types are decoded to bf16, which takes more memory than the file and rounds once.
  QuantizationConfig precision = {};
  std::string device_map = automatic;  // where modules are placed: one of devices(), or automatic, the best of them
  int threads = 0;                     // 0: every core this process may use
  std::string cpu_target = {};     // "scalar", "avx2", "avx512", "avx512_vnni_bf16", "reference"; empty: the best here
  Precision kv_cache = stored;     // fp32, bf16, fp16; stored: what products are rounded to
  std::int64_t pass_tokens = 512;  // tokens of one forward pass: prompts are cut into these
  std::vector<std::string> ignore_config =
      {};  // config.json keys that Nibble does not understand and the caller vouches for
  // Regular expressions: tensors in whose name one finds a match and that the model has no place for are left out
  // instead of refused. Those that transformers leaves out by name need none.
  std::vector<std::string> ignore_tensors = {};
  std::uint64_t memory_limit = 0;         // bytes a load may plan with; 0: what this machine has free
  std::int64_t context = 512, batch = 1;  // tokens per sequence and sequences that the plan must have room for as well
  Progress progress = {};
  // A sentence about what was decided where config and tensors contradict each other.
  std::function<void(const std::string& sentence)> say = {};
};

struct ModelDescription {
  std::string architecture, model_type, container;  // container: "safetensors", "gguf"
  bool runs = false;                                // false: inspect and estimate only; `why_not` says why
  std::string why_not;
  std::uint64_t parameters = 0;
  std::uint64_t file_bytes = 0;                         // of the weight files
  std::map<std::string, std::uint64_t> bytes_by_dtype;  // as stored: {"BF16": 31472384}
  std::map<std::string, std::uint64_t>
      bytes_by_class;  // "linear_weights", "quantization_state", "embeddings_and_head", "norms", "other"; "buffers" are
                       // computed
  std::string precision;  // "bf16", "nf4 double-quant", "Q4_1"
  std::int64_t layers = 0, hidden_size = 0, heads = 0, kv_heads = 0, head_dim = 0, vocab_size = 0, max_positions = 0;
  bool tied_embeddings = false, has_chat_template = false;
  std::string tokenizer;  // kind, or empty with `tokenizer_problem`
  std::string tokenizer_problem;
  std::vector<std::string> not_understood;  // tensors that no module claims
};

// A handle: copies share one loaded model, and const says nothing about that model.
class Model {
 public:
  // Opens, checks, maps and (if asked) quantizes. Errors: not_found, corrupt_file, unsupported, out_of_memory.
  static Result<Model> load(const std::filesystem::path& path, LoadOptions options = {});
  // Headers only; works on architectures that cannot be run.
  static Result<ModelDescription> inspect(const std::filesystem::path& path);

  MemoryReport memory() const;  // now
  const QuantizationConfig& precision() const;
  // What linear layers are held as: the label of precision(), or "Q4_1", blocks of a GGUF file that are computed with
  // where they lie (precision() is then that of everything else). Of a mix, all of them: "Q4_K, Q6_K".
  std::string held_as() const;
  // "MXFP4": linear layers were stored as blocks of this type and decoded into precision() when loading; of a mix, all
  // such types. Else empty.
  std::string converted_from() const;
  // "Q4_1", "nf4 double-quant": the file is quantized so, and its weights were rounded a second time, into
  // precision(), which adds to the first error. Empty: they were not; fp32 keeps every value.
  std::string requantized_from() const;
  std::string device() const;  // "cpu avx512_vnni_bf16, 2 threads"
  double load_seconds() const;
  std::int64_t max_positions() const;
  std::int64_t vocabulary_size() const;
  // bad_request if the folder has none: the message says which files were looked for.
  Result<TextTokenizer> tokenizer() const;
  bool has_chat_template() const;

  explicit Model(std::shared_ptr<LoadedModel> implementation) : implementation_(std::move(implementation)) {}
  LoadedModel& implementation() const { return *implementation_; }

 private:
  std::shared_ptr<LoadedModel> implementation_;
};

}  // namespace nibble
