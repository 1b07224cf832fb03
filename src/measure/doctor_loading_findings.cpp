// Why a load takes long, in words.
#include <algorithm>

#include "measure/doctor_findings.hpp"
#include "measure/units.hpp"

namespace nibble {
namespace {

// A copy is worth its disk if quantizing is most of what a load does.
constexpr double most = 0.5;

Finding about_quantizing(const LoadingReport& report, const std::filesystem::path& model) {
  const LoadingTime &load = report.loads.back(), &stored = report.loads.front();
  const std::string label = load.precision.label(), word = shell_word(model.string());
  if (load.as_stored)
    return {fmt::format("The files hold {} already: {:.4f} s, nothing is quantized", label, load.seconds),
            fmt::format("nibble run {} 'Once upon a time'", word)};
  const double share = load.seconds > 0 ? load.quantizing_seconds / load.seconds : 0;
  // A copy of what is quantized would be rounded a second time; one that is no smaller would be for nothing.
  if (report.quantized && load.weight_bytes >= report.file_bytes)
    return {
        fmt::format("Keep the files as they are, {}: they load in {:.4f} s and nothing is quantized then. A copy in {} "
                    "would have {} to read instead of {}, and round the weights a second time",
                    stored.precision.label(), stored.seconds, label, megabytes(load.weight_bytes),
                    megabytes(report.file_bytes)),
        fmt::format("nibble run {} 'Once upon a time'", word)};
  const std::string copy =
      fmt::format("nibble quantize {} {} {}{}", word, shell_word(copy_name(model, load.precision)),
                  precision_words(load.precision, "--to"), report.quantized ? " --allow-requantize" : "");
  const std::string cost =
      report.quantized ? "; it rounds the weights a second time, and that error adds to the first" : "";
  if (share < most)
    return {
        fmt::format("In {} {:.0f} % of {:.4f} s are spent quantizing, the rest opening the files; a copy of {} would "
                    "save disk reads, hardly computing{}",
                    label, 100 * share, load.seconds, megabytes(load.weight_bytes), cost),
        copy};
  return {
      fmt::format("In {} {:.0f} % of {:.4f} s are spent quantizing, at every start (as stored: {:.4f} s). A copy in "
                  "{} has nothing to quantize, and {} to read instead of {}{}",
                  label, 100 * share, load.seconds, stored.seconds, label, megabytes(load.weight_bytes),
                  megabytes(report.file_bytes), cost),
      copy};
}

std::vector<Finding> about_the_disk(const LoadingReport& report, const std::filesystem::path& model) {
  std::vector<Finding> out;
  const std::string word = shell_word(model.string());
  const std::string warm = std::filesystem::is_directory(model) ? "cat " + word + "/*.safetensors > /dev/null"
                                                                : "cat " + word + " > /dev/null";
  const std::string from_disk =
      report.disk_gb_per_s ? fmt::format("about {:.2f} s at {:.2f} GB/s",
                                         double(report.file_bytes) / 1e9 / *report.disk_gb_per_s, *report.disk_gb_per_s)
                           : std::string("at a rate that could not be measured here");
  if (report.network)
    out.push_back(
        {fmt::format("The files lie on {}, which may reach over a network: every first load waits for it. Keep "
                     "a copy on a local disk",
                     report.filesystem),
         fmt::format("cp -r {} \"${{TMPDIR:-/tmp}}/\"", word)});
  if (report.available_bytes > 0 && report.file_bytes > report.available_bytes && !report.quantized)
    out.push_back(
        {fmt::format("The files have {}, more than the {} of memory that are free: the page cache cannot hold "
                     "them, so every load reads them again. A quantized copy is smaller",
                     megabytes(report.file_bytes), megabytes(report.available_bytes)),
         fmt::format("nibble quantize {} {} --to nf4 --double-quant", word,
                     shell_word(copy_name(model, QuantizationConfig::nf4({.double_quant = true}))))});
  if (report.cached_share < most)
    out.push_back(
        {fmt::format("The page cache was cold ({:.0f} % of {}): reading took {:.2f} s, which a second load does "
                     "not repeat. To read them before they are needed",
                     100 * report.cached_share, megabytes(report.file_bytes), report.read_seconds),
         warm});
  else
    out.push_back(
        {fmt::format("The page cache was warm ({:.0f} % of {}). After a restart the files come from the disk, {}. "
                     "To read them before they are needed",
                     100 * report.cached_share, megabytes(report.file_bytes), from_disk),
         warm});
  return out;
}

}  // namespace

std::vector<Finding> loading_findings(const LoadingReport& report, const std::filesystem::path& model) {
  std::vector<Finding> out = {about_quantizing(report, model)};
  for (Finding& finding : about_the_disk(report, model)) out.push_back(std::move(finding));
  return out;
}

}  // namespace nibble
