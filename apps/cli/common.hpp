// What the verbs share: the contract of options, output and exit codes.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "nibble/evaluate.hpp"
#include "nibble/hub.hpp"
#include "nibble/memory_report.hpp"
#include "terminal.hpp"

namespace nibble::cli {

// Options that every verb understands; a verb's help shows those that do something for it.
struct Common {
  bool json = false, quiet = false;
  int threads = 0;
  std::string device = automatic;
  std::uint64_t seed = 0;
  std::vector<std::string> ignore_config, ignore_tensors;
};

// Options that say how a model is held.
struct PrecisionArguments {
  std::string precision = "stored", compute_dtype;
  bool double_quant = false;
  std::optional<int> block_size;
  std::optional<float> int8_threshold;
  std::vector<std::string> skip;
};

// What MODEL may be.
inline constexpr const char* model_help =
    "a folder in Hugging Face layout, a .gguf file, or a name on the hub: org/name[@revision], org/name/FILE.gguf";

enum Uses { uses_threads = 1, uses_seed = 2, uses_config = 4, uses_progress = 8, uses_tensors = 16 };
void add_common(CLI::App& verb, Common& common, int uses);
// `name` is the option that names the precision: --precision, or --to where one is written.
void add_precision(CLI::App& verb, PrecisionArguments& arguments, const std::string& name);
// An option that names one precision or several, in capitals or not, with spaces between them or not.
CLI::Option* add_precision_option(CLI::App& verb, const std::string& names, std::string& precisions,
                                  const std::string& help);
// "fp32, ...; nf4-dq, ... with double quantization"; "nf4-dq, ...".
std::string precision_help();
std::string double_quantized_names();
// --double-quant and --block-size alone.
void add_block_options(CLI::App& verb, PrecisionArguments& arguments);
// The options that refine a precision, without the one that names it.
void add_quantization(CLI::App& verb, PrecisionArguments& arguments);
// bad_request also for an option that would do nothing: a block size of bf16.
Result<QuantizationConfig> read_precision(const PrecisionArguments& arguments, const std::string& precision);
// A comma-separated list; "nf4-dq" is the double-quantized form of nf4.
Result<std::vector<QuantizationConfig>> read_precisions(const PrecisionArguments& arguments, const std::string& list);
// The options that say how a text is cut for perplexity, the same for every verb that does it.
struct RecipeArguments {
  std::int64_t context = 0, stride = 0;
  std::string bos = "auto";
};
void add_recipe(CLI::App& verb, RecipeArguments& arguments);
Result<Bos> read_bos(const RecipeArguments& arguments);
LoadOptions load_options(const Common& common, const QuantizationConfig& precision);

// Says on standard error that a file which is quantized was rounded a second time, and in JSON what it was.
void warn_of_second_rounding(const Model& model);

// Beside 0 (done) and what Error::exit_code() gives (1: the job failed, 2: the request was wrong): a right question
// whose answer is that nothing fits.
inline constexpr int does_not_fit_status = 3;

// Bytes in 10^9 bytes, with three digits behind the point.
std::string gb(std::uint64_t bytes);

// A bar on a terminal, a line per tenth elsewhere, nothing with --quiet. What takes less than `patience` seconds shows
// nothing.
Progress progress_bar(const Common& common, const std::string& what, double patience = 0);
// The same of bytes, with their speed. After a second both say how much time is left.
using ByteProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;
ByteProgress byte_progress(const Common& common, const std::string& what, double patience = 0);
// A line on standard error beside the progress; nothing with --quiet.
void note(const Common& common, const std::string& what, const std::string& sentence);

// A note where more threads were asked for than there are cores.
void note_threads(const Common& common);

// Runs the verb on `model`, which may be a name on the hub: it is fetched first, and replaced by where it lies. An
// empty name is left alone.
int with_model(std::string& model, const Common& common, const std::function<int()>& verb,
               HubFiles files = HubFiles::all);

Json to_json(const MemoryReport& memory);
Json to_json(const MemoryCheck& check);
Result<std::string> read_file(const std::string& path);  // "-" is standard input
Result<void> write_file(const std::string& path, const std::string& text);
// Whether a file could be written there, asked before the work that fills it.
Result<void> check_writable(const std::string& path);

// From here on SIGINT (Ctrl-C), SIGTERM and SIGHUP are noted for interrupted(), and the verb ends in order, with
// interrupt_status(); one that comes a second later or more ends the program at once. Before, each ends it as usual.
void watch_interrupt();
bool interrupted();
int interrupt_status();   // as a shell counts it: 130, 143, 129; 0: nothing was noted
void forget_interrupt();  // Ctrl-C alone: it may be meant for an answer, the others are meant for the program

// Every verb adds itself and sets `run` when it was chosen.
using Verb = std::function<int()>;
void add_doctor(CLI::App& app, Verb& run);
void add_inspect(CLI::App& app, Verb& run);
void add_estimate(CLI::App& app, Verb& run);
void add_explain(CLI::App& app, Verb& run);
void add_quantize(CLI::App& app, Verb& run);
void add_verify(CLI::App& app, Verb& run);
void add_run(CLI::App& app, Verb& run);
void add_chat(CLI::App& app, Verb& run);
void add_compare(CLI::App& app, Verb& run);
void add_eval(CLI::App& app, Verb& run);
void add_tokenize(CLI::App& app, Verb& run);
void add_bench(CLI::App& app, Verb& run);

}  // namespace nibble::cli
