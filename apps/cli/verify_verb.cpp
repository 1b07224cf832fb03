// verify: what quantize wrote, against its receipt.
#include "common.hpp"
#include "nibble/verify.hpp"

namespace nibble::cli {
namespace {

int verify_verb(const std::string& out, const std::string& source, const Common& common) {
  note_threads(common);
  VerifyOptions options;
  options.threads = common.threads;
  options.progress = progress_bar(common, "verify", 0.5);
  const auto report = verify_checkpoint(
      out, source.empty() ? std::optional<std::filesystem::path>() : std::filesystem::path(source), options);
  if (!report) return fail(report.error());
  const bool intact = report->problems.empty();
  if (common.json) {
    print_json({{"out", out},
                {"source", source.empty() ? Json() : Json(source)},
                {"recipe", report->recipe},
                {"source_type", report->source_type},
                {"version", report->version},
                {"tensors", report->tensors},
                {"files", report->files},
                {"compared", report->compared},
                {"worst_error", report->worst_error},
                {"worst_tensor", report->worst_tensor.empty() ? Json() : Json(report->worst_tensor)},
                {"intact", intact},
                {"problems", report->problems}});
    return intact ? 0 : 1;
  }
  const std::string beside = report->files == 0   ? ", and nothing else"
                             : report->files == 1 ? " and what stands beside them"
                                                  : fmt::format(" and {} files beside them", report->files);
  print_folded(fmt::format(
      "{}: {} from {}, by Nibble {}; {} tensors{}{}: {}", out, report->recipe, report->source_type, report->version,
      report->tensors, beside, source.empty() ? "" : fmt::format(", {} compared with {}", report->compared, source),
      intact ? "as they were written"
             : fmt::format("{} problem{}", report->problems.size(), report->problems.size() == 1 ? "" : "s")));
  if (report->files == 0)
    print_folded("not covered: config.json, tokenizer and metadata; the receipt is older than their hashes");
  if (report->worst_error > 0)
    print_folded(
        fmt::format("largest relative error (rms): {:.3f} % ({})", 100 * report->worst_error, report->worst_tensor));
  for (const std::string& problem : report->problems) print_folded("  " + problem, 2);
  return intact ? 0
                : fail({Errc::corrupt_file,
                        out + ": not as it was written; download or copy it again, or convert it anew"});
}

}  // namespace

void add_verify(CLI::App& app, Verb& run) {
  auto common = std::make_shared<Common>();
  auto out = std::make_shared<std::string>(), source = std::make_shared<std::string>();
  CLI::App* verb = app.add_subcommand("verify", "check that a quantized model is what `quantize` wrote");
  verb->add_option("OUT", *out, "a folder or a .gguf file that `quantize` wrote")->required();
  verb->add_option("SOURCE", *source, "what it was made from: that it is the very one, and each error anew");
  add_common(*verb, *common, uses_threads | uses_progress);
  verb->callback([=, &run] { run = [=] { return verify_verb(*out, *source, *common); }; });
}

}  // namespace nibble::cli
