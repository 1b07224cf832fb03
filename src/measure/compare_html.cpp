// One self-contained HTML file: no scripts, nothing fetched, readable in light and dark and on paper.
#include <algorithm>

#include "measure/compare_charts.hpp"
#include "measure/compare_columns.hpp"
#include "measure/compare_verdict.hpp"

namespace nibble {
namespace {

constexpr const char* style = R"(
:root{color-scheme:light dark;--page:#fff;--ink:#1b1f24;--soft:#59636e;--rule:#d5dae0;--grid:#e7eaee;--panel:#f3f6fa;
--accent:#1f5fbf;--bar:#9db4d3;--linear:#5b7fb4;--kept:#b9c7da;--scales:#d98324;--own:#3d4f66}
@media (prefers-color-scheme:dark){:root{--page:#13171c;--ink:#e4e8ed;--soft:#9aa5b1;--rule:#39424c;--grid:#252c34;
--panel:#1b222a;--accent:#79aefc;--bar:#4a6488;--linear:#5f8ac6;--kept:#3c4c61;--scales:#e59a45;--own:#a9b8ca}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:62rem;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .25rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2.5rem 0 .5rem}
p{margin:.4rem 0;max-width:46rem}.soft{color:var(--soft)}
.choice{background:var(--panel);border-left:4px solid var(--accent);padding:.9rem 1.1rem;margin:1.2rem 0;border-radius:0 6px 6px 0}
.choice p{max-width:none}
.scroll{overflow-x:auto;margin-bottom:1.2rem;background:linear-gradient(to right,var(--page) 30%,transparent),
linear-gradient(to left,var(--page) 30%,transparent) 100% 0,radial-gradient(farthest-side at 0 50%,var(--soft),transparent),
radial-gradient(farthest-side at 100% 50%,var(--soft),transparent) 100% 0;background-repeat:no-repeat;
background-size:2.5rem 100%,2.5rem 100%,.8rem 100%,.8rem 100%;background-attachment:local,local,scroll,scroll}
.hint{display:none;color:var(--soft);font-size:.9rem}
table{border-collapse:collapse;width:100%;font-size:.84rem;font-variant-numeric:tabular-nums;white-space:nowrap}
th,td{padding:.35rem .5rem;text-align:right;border-bottom:1px solid var(--rule)}
th:first-child,td:first-child{text-align:left}
thead tr:first-child th{color:var(--soft);font-weight:400;border-bottom:0;text-align:center;padding-bottom:0}
tr.chosen td{background:var(--panel);font-weight:600}td.missing{text-align:left;white-space:normal}
svg{display:block;width:100%;max-width:46rem;height:auto;margin:.6rem 0 0;font-size:13px}
svg text{fill:var(--ink)}svg .tick,svg .name{fill:var(--soft);font-size:12px}
.axis{stroke:var(--soft);stroke-width:1}.grid{stroke:var(--grid);stroke-width:1}
.bar,.mark{fill:var(--bar)}.mark{stroke:var(--ink);stroke-width:1}.bar.chosen,.mark.chosen{fill:var(--accent)}
.part{stroke:var(--page);stroke-width:.6}.linear{fill:var(--linear)}.kept{fill:url(#kept)}.ground{fill:var(--kept)}.stripe{stroke:var(--linear);stroke-width:.7}.scales{fill:url(#scales)}
.cache{fill:url(#cache)}.work{fill:url(#work);stroke:var(--linear)}.program{fill:var(--soft)}
.own{fill:var(--own)}
.under{fill:var(--scales)}.hatch{stroke:var(--page);stroke-width:1.2}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1rem;font-size:.92rem}dt{font-weight:600}dd{margin:0}
dt .soft{font-weight:400}u{text-decoration-color:var(--scales);text-decoration-thickness:2px;text-underline-offset:3px}
@media (max-width:48rem){.hint{display:block}svg{min-width:40rem}}
@media (max-width:40rem){dl{grid-template-columns:1fr}dd{margin-bottom:.4rem}}
footer{margin-top:3rem;border-top:1px solid var(--rule);padding-top:.8rem;font-size:.85rem;color:var(--soft);
overflow-wrap:anywhere}footer p{max-width:none}
@media print{main{padding:0}.choice{border:1px solid var(--rule)}}
)";

// A row per precision; the columns of whose group `shows` is true.
std::string table(const Comparison& c, bool (*shows)(const std::string& group)) {
  std::vector<CompareColumn> columns = compare_columns(c);
  std::erase_if(columns, [&](const CompareColumn& column) { return !shows(column.group); });
  std::string groups, names;
  for (std::size_t i = 0; i < columns.size();) {
    std::size_t end = i;
    while (end < columns.size() && columns[end].group == columns[i].group) ++end;
    groups += fmt::format("<th colspan=\"{}\" scope=\"colgroup\">{}</th>", end - i, escape_html(columns[i].group));
    i = end;
  }
  for (const CompareColumn& column : columns)
    names +=
        fmt::format("<th scope=\"col\" title=\"{}\">{}</th>", escape_html(column.meaning), escape_html(column.name));
  std::string out = "<div class=\"scroll\"><table><thead><tr><th></th>" + groups +
                    "</tr><tr><th scope=\"col\">precision</th>" + names + "</tr></thead><tbody>";
  const PrecisionResult* chosen = choose(c);
  for (const PrecisionResult& r : c.results) {
    out += fmt::format("<tr{}><td>{}{}</td>", &r == chosen ? " class=\"chosen\"" : "", escape_html(r.precision.label()),
                       &r == chosen ? " \u25c0 choice" : "");
    if (r.error.empty())
      for (const CompareColumn& column : columns) out += "<td>" + escape_html(column.cell(r)) + "</td>";
    else
      out += fmt::format("<td colspan=\"{}\" class=\"missing\">not measured: {}</td>", columns.size(),
                         escape_html(r.error));
    out += "</tr>";
  }
  return out + "</tbody></table></div>";
}

// The answer's first words; what follows where it leaves the reference's answer is underlined.
std::string answer_beside(const std::string& answer, const std::string& reference) {
  const std::string shown = first_words(answer, 240), other = first_words(reference, 240);
  std::size_t same =
      std::size_t(std::mismatch(shown.begin(), shown.end(), other.begin(), other.end()).first - shown.begin());
  while (same > 0 && same < shown.size() && (shown[same] & 0xc0) == 0x80) --same;  // whole characters
  return escape_html(shown.substr(0, same)) +
         (same < shown.size() ? "<u>" + escape_html(shown.substr(same)) + "</u>" : "");
}

std::string section(const std::string& title, const std::string& words, const std::string& body) {
  return "<h2>" + title + "</h2>" + (words.empty() ? "" : "<p>" + words + "</p>") + body;
}

std::string definition(const std::string& term, const std::string& meaning) {
  return "<dt>" + escape_html(term) + "</dt><dd>" + escape_html(meaning) + "</dd>";
}

std::string charts(const Comparison& c) {
  return section(
             "Size against quality",
             fmt::format("Each mark is a precision: how much memory its weights take, and how far its predictions lie "
                         "from those of {}. Further left is smaller, lower is closer; the axis upward is logarithmic, "
                         "with 0 at its foot. Circles hold 32 bits per weight, squares 16, triangles 8, diamonds 4.",
                         escape_html(c.reference)),
             size_and_quality_chart(c)) +
         section(
             "Speed",
             std::string(
                 "Decode is writing: one sequence, one token at a time. Every weight is read once per token, so it is "
                 "limited by memory, and fewer bytes mean more tokens.") +
                 (c.busy.empty()
                      ? ""
                      : " <b>The machine was busy (" + escape_html(c.busy) + "): these speeds are not comparable.</b>"),
             rate_chart(c, "Decode", [](const PrecisionResult& r) { return r.decode_tokens_per_s; })) +
         "<p>Prefill is reading the prompt: all its tokens together, limited by arithmetic.</p>" +
         rate_chart(c, "Prefill", [](const PrecisionResult& r) { return r.prefill_tokens_per_s; }) +
         section(
             "Memory",
             "The process's own memory: above, what was predicted before a byte was read, the highest of every part; "
             "below, the highest that was measured. Parts that are not needed together make the upper bar the longer "
             "one. Neither bar has pages of mapped files, which are shared between processes and can be dropped and "
             "read again: weights that are used as they are stored, the source of those that are not, and the program "
             "itself. The table has them as \"mapped\".",
             memory_chart(c));
}

// Where the document comes from.
std::string footer(const Comparison& c) {
  std::string out = "<footer><p>" + escape_html(made_by(c.provenance)) + "</p>";
  for (const auto& [name, value] : origin_lines(c.provenance)) out += "<p>" + name + ": " + escape_html(value) + "</p>";
  return out + "</footer>";
}

std::string answers(const Comparison& c) {
  std::string list, of_reference;
  for (const PrecisionResult& r : c.results)
    if (r.error.empty() && r.precision.label() == c.reference) of_reference = r.answer;
  for (const PrecisionResult& r : c.results)
    if (r.error.empty())
      list += fmt::format("<dt>{}<br><span class=\"soft\">{:.2f} s</span></dt><dd>{}</dd>",
                          escape_html(r.precision.label()), r.answer_seconds, answer_beside(r.answer, of_reference));
  return section("The same answer",
                 escape_html(describe_prompt(c)) + ". Underlined is what differs from " + escape_html(c.reference) +
                     "'s answer; a single token that falls the other way changes all that follows.",
                 "<dl>" + list + "</dl>");
}

std::string meanings(const Comparison& c) {
  std::string list;
  for (const CompareColumn& column : compare_columns(c)) list += definition(column.title(), column.meaning);
  for (const std::string& problem : copy_problems(c)) list += definition("load copy", problem);
  list += definition("the text",
                     fmt::format("{} tokens predicted: {}", with_commas(std::uint64_t(c.predicted_tokens)), c.recipe)) +
          definition("reference", c.reference + ", the widest that was measured") +
          definition("the choice",
                     fmt::format("the fastest decode (on a busy machine: the smallest weights) of those whose "
                                 "perplexity is at most {:.0f} % above the reference's; rates within 5 % "
                                 "count as the same, and then the smaller divergence decides",
                                 100 * allowed_perplexity_rise));
  return section("What the numbers mean",
                 "MB are 10<sup>6</sup> bytes. Speeds are medians of repeats after a first that is not counted.",
                 "<dl>" + list + "</dl>");
}

bool is_quality(const std::string& group) { return group == "quality" || group == "KL, nats" || group == "same"; }

}  // namespace

std::string to_html(const Comparison& c) {
  return fmt::format(
             "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
             "content=\"width=device-width,initial-scale=1\"><title>Nibble: "
             "{0}</title><style>{1}</style></head><body><main>"
             "<h1>{0} at {2} precisions</h1><p class=\"soft\">{3} parameters, measured on {4}. Each precision ran in a "
             "process of its own.</p><div class=\"choice\"><p>{5}</p></div>"
             "<p class=\"hint\">Tables and charts that are wider than this window scroll sideways.</p>",
             escape_html(model_name(c.model)), style, c.results.size(), with_commas(c.parameters),
             escape_html(c.machine), escape_html(c.verdict)) +
         table(c, [](const std::string& group) { return !is_quality(group); }) + table(c, is_quality) + charts(c) +
         answers(c) + meanings(c) + footer(c) + "</main></body></html>\n";
}

}  // namespace nibble
