// One self-contained HTML file: no scripts, no links, charts as inline SVG.
#include <algorithm>
#include <cmath>

#include "measure/compare_columns.hpp"

namespace nibble {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : std::string(1, c);
  return out;
}

// Size to the right, divergence upward: nearer to the lower left corner is better.
std::string scatter(const Comparison& c) {
  double widest = 1, highest = 1e-6;
  for (const PrecisionResult& r : c.results)
    widest = std::max(widest, double(r.resident.weights_total()) / 1e6),
    highest = std::max(highest, r.divergence.mean_kl);
  std::string svg =
      "<svg viewBox=\"0 0 640 320\" role=\"img\"><title>Weights against divergence</title><line x1=\"60\" y1=\"270\" "
      "x2=\"620\" y2=\"270\" class=\"axis\"/><line x1=\"60\" y1=\"20\" x2=\"60\" y2=\"270\" class=\"axis\"/>"
      "<text x=\"340\" y=\"305\" text-anchor=\"middle\">weights, MB</text><text x=\"18\" y=\"150\" "
      "transform=\"rotate(-90 18 150)\" text-anchor=\"middle\">mean KL, nats</text>";
  for (int i = 0; i <= 4; ++i) {
    svg += fmt::format("<text x=\"{}\" y=\"287\" text-anchor=\"middle\" class=\"tick\">{:.0f}</text>", 60 + 130 * i,
                       widest * i / 4);
    svg += fmt::format("<text x=\"54\" y=\"{}\" text-anchor=\"end\" class=\"tick\">{:.3f}</text>", 274 - 60 * i,
                       highest * i / 4);
  }
  for (const PrecisionResult& r : c.results) {
    if (!r.error.empty()) continue;
    const double x = 60 + 520 * (double(r.resident.weights_total()) / 1e6) / widest,
                 y = 270 - 240 * r.divergence.mean_kl / highest;
    svg += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\"/><text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>",
        x, y, x, y - 10, escaped(r.precision.label()));
  }
  return svg + "</svg>";
}

std::string bars(const Comparison& c, const char* title, double (*value)(const PrecisionResult&)) {
  double highest = 1;
  for (const PrecisionResult& r : c.results) highest = std::max(highest, value(r));
  std::string svg =
      fmt::format("<svg viewBox=\"0 0 640 {}\" role=\"img\"><title>{}</title>", 24 * c.results.size() + 10, title);
  double y = 4;
  for (const PrecisionResult& r : c.results) {
    const double length = 400 * value(r) / highest;
    svg += fmt::format(
        "<text x=\"140\" y=\"{0}\" text-anchor=\"end\">{1}</text><rect x=\"150\" y=\"{2}\" width=\"{3:.1f}\" "
        "height=\"16\"/><text x=\"{4:.1f}\" y=\"{0}\">{5:.0f}</text>",
        y + 13, escaped(r.precision.label()), y, length, 156 + length, value(r));
    y += 24;
  }
  return svg + "</svg>";
}

}  // namespace

std::string to_html(const Comparison& c) {
  std::string out = fmt::format(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Nibble: "
      "{0}</title><style>body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 "
      "1rem;color:#1c1c1c}}"
      "table{{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:14px}}th,td{{padding:."
      "3rem .5rem;border-bottom:1px solid #ddd;text-align:right}}th:first-child,td:first-child{{text-align:left}}"
      "svg{{width:100%;max-width:44rem;font-size:12px}}circle,rect{{fill:#2563a8}}.axis{{stroke:#888}}.tick{{fill:#666;"
      "font-size:11px}}blockquote{{margin:.2rem 0 .8rem;color:#333}}.verdict{{background:#eef4fb;padding:.8rem "
      "1rem;border-left:4px solid #2563a8}}</style></head><body>"
      "<h1>{0}</h1><p>{1} parameters, on {2}.</p><p class=\"verdict\">{3}</p><div "
      "style=\"overflow-x:auto\"><table><tr>",
      escaped(c.model), c.parameters, escaped(c.machine), escaped(c.verdict));
  for (const std::string& cell : compare_header()) out += "<th>" + escaped(cell) + "</th>";
  for (const PrecisionResult& r : c.results) {
    out += "</tr><tr>";
    const std::vector<std::string> row = compare_row(r);
    for (const std::string& cell : row)
      out += (row.size() == 2 && &cell == &row[1] ? fmt::format("<td colspan=\"{}\">", compare_header().size() - 1)
                                                  : "<td>") +
             escaped(cell) + "</td>";
  }
  out +=
      "</tr></table></div><h2>Size against quality</h2><p>Each point is a precision: how large the weights are in "
      "memory, and how far its predictions lie from those of " +
      escaped(c.reference) +
      " (mean KL divergence per token; 0 means the same predictions). Lower left is better.</p>" + scatter(c);
  out +=
      "<h2>Speed</h2><p>Decode, tokens/s: one sequence, one token at a time; every weight is read once per token, so "
      "fewer bytes mean more tokens.</p>" +
      bars(c, "Decode", [](const PrecisionResult& r) { return r.decode_tokens_per_s; });
  out += "<p>Prefill, tokens/s: reading the prompt, all tokens together; limited by arithmetic.</p>" +
         bars(c, "Prefill", [](const PrecisionResult& r) { return r.prefill_tokens_per_s; });
  out += fmt::format("<h2>The same answer</h2><p>Prompt: {}</p>", escaped(first_words(c.prompt, 400)));
  for (const PrecisionResult& r : c.results)
    if (r.error.empty())
      out += "<b>" + escaped(r.precision.label()) + "</b><blockquote>" + escaped(first_words(r.answer, 400)) +
             "</blockquote>";
  out +=
      "<h2>What the numbers mean</h2><ul><li><b>disk</b>: a checkpoint in this precision; <b>weights</b>: the same in "
      "memory; <b>scales</b>: the part of it that quantization adds.</li>"
      "<li><b>peak</b>: the highest memory of a process that did only this (RssAnon + RssShmem); <b>mapped</b>: pages "
      "of files, shared and reclaimable.</li>"
      "<li><b>load</b>: seconds from opening the files to being ready, quantizing included. Speeds are medians of warm "
      "repeats.</li>"
      "<li><b>perplexity</b>: " +
      escaped(c.recipe) + "; lower is better.</li><li><b>mean KL</b>, <b>top-1</b>: distance from " +
      escaped(c.reference) +
      " on the same tokens, and how often both find the same token most likely.</li></ul></body></html>\n";
  return out;
}

}  // namespace nibble
