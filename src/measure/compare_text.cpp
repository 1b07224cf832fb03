// The comparison as a terminal table and as Markdown.
#include <algorithm>

#include "measure/compare_columns.hpp"

namespace nibble {
namespace {

// Characters, not bytes; every one counted as one column.
std::size_t width(std::string_view text) {
  return std::size_t(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string padded(const std::string& text, std::size_t to, bool right) {
  const std::string space(to - std::min(to, width(text)), ' ');
  return right ? space + text : text + space;
}

}  // namespace

std::vector<std::string> compare_header() {
  return {"precision", "disk MB",     "weights MB", "scales MB",  "peak MB", "mapped MB",
          "load s",    "prefill t/s", "decode t/s", "perplexity", "mean KL", "top-1 %"};
}

std::vector<std::string> compare_row(const PrecisionResult& r) {
  const auto mb = [](std::uint64_t bytes) { return fmt::format("{:.2f}", double(bytes) / 1e6); };
  if (!r.error.empty()) return {r.precision.label(), "failed: " + r.error};
  return {r.precision.label(),
          mb(r.disk_bytes),
          mb(r.resident.weights_total()),
          mb(r.resident.quantization_state),
          mb(r.peak_anonymous),
          mb(r.peak_mapped),
          fmt::format("{:.3f}", r.load_seconds),
          fmt::format("{:.0f}", r.prefill_tokens_per_s),
          fmt::format("{:.0f}", r.decode_tokens_per_s),
          fmt::format("{:.3f}", r.perplexity),
          fmt::format("{:.5f}", r.divergence.mean_kl),
          fmt::format("{:.1f}", 100 * r.divergence.top1_agreement)};
}

std::string first_words(const std::string& text, std::size_t characters) {
  std::string out;
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((text[i] & 0xc0) != 0x80 && ++count > characters) return out + "...";
    out += text[i] == '\n' || text[i] == '\r' || text[i] == '\t' ? ' ' : text[i];
  }
  return out;
}

std::string to_table(const Comparison& c) {
  std::vector<std::vector<std::string>> rows = {compare_header()};
  for (const PrecisionResult& r : c.results) rows.push_back(compare_row(r));
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const auto& row : rows)
    if (row.size() == widths.size())
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  std::string out = fmt::format("{}: {} parameters, on {}\n\n", c.model, c.parameters, c.machine);
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i)
      out += padded(row[i], widths[i], i > 0) + (i + 1 < row.size() ? "  " : "\n");
  }
  out += fmt::format(
      "\nPerplexity: {}. KL and top-1: against {}.\nPeak: the process's own memory (RssAnon + RssShmem); mapped: pages "
      "of files, reclaimable.\n\n\"{}\" continues\n",
      c.recipe, c.reference, first_words(c.prompt, 60));
  for (const PrecisionResult& r : c.results)
    if (r.error.empty())
      out += fmt::format("  {}  {}\n", padded(r.precision.label(), widths[0], false), first_words(r.answer, 80));
  return out + "\n" + c.verdict + "\n";
}

std::string to_markdown(const Comparison& c) {
  std::string out = fmt::format("# {} at {} precisions\n\n{} parameters, on {}.\n\n|", c.model, c.results.size(),
                                c.parameters, c.machine);
  for (const std::string& cell : compare_header()) out += " " + cell + " |";
  out += "\n|";
  for (std::size_t i = 0; i < compare_header().size(); ++i) out += i ? " ---: |" : " --- |";
  for (const PrecisionResult& r : c.results) {
    out += "\n|";
    for (const std::string& cell : compare_row(r)) out += " " + cell + " |";
  }
  out += fmt::format("\n\nPerplexity: {}. KL and top-1: against {}.\n\nThe same prompt, greedily: \"{}\"\n\n", c.recipe,
                     c.reference, first_words(c.prompt, 200));
  for (const PrecisionResult& r : c.results)
    if (r.error.empty()) out += fmt::format("- {}: {}\n", r.precision.label(), first_words(r.answer, 200));
  return out + "\n" + c.verdict + "\n";
}

}  // namespace nibble
