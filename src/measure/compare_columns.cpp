#include "measure/compare_columns.hpp"

#include <algorithm>
#include <cctype>

#include "nibble/text_layout.hpp"

namespace nibble {
namespace {

std::string mb(std::uint64_t bytes) { return fmt::format("{:.2f}", double(bytes) / 1e6); }

std::string divergence(double nats) { return nats > 0 && nats < 5e-6 ? "<0.00001" : fmt::format("{:.5f}", nats); }

std::vector<CompareColumn> quality_columns() {
  using R = const PrecisionResult&;
  return {
      {"quality", "perplexity", "exp of the mean negative log-likelihood of the text; lower is better",
       [](R r) { return fmt::format("{:.3f}", r.perplexity); }},
      {"quality", "+/-",
       "its standard error, by the spread of the tokens' losses: how far another text of this kind may lie. All "
       "precisions "
       "read the same text, so they differ from each other by far less",
       [](R r) { return fmt::format("{:.3f}", r.perplexity_se); }},
      {"KL, nats", "mean",
       "Kullback-Leibler divergence of the next token's distribution from the reference's, averaged over the text; 0 "
       "means the same predictions",
       [](R r) { return divergence(r.divergence.mean_kl); }},
      {"KL, nats", "+/-", "the standard error of that mean, by the spread of the positions",
       [](R r) { return divergence(r.divergence.mean_kl_se); }},
      {"KL, nats", "p99", "one position in a hundred is further off than this",
       [](R r) { return divergence(r.divergence.p99_kl); }},
      {"KL, nats", "max", "the worst position", [](R r) { return divergence(r.divergence.max_kl); }},
      {"same", "top-1 %", "positions at which this precision and the reference find the same token most likely",
       [](R r) { return fmt::format("{:.1f}", 100 * r.divergence.top1_agreement); }}};
}

}  // namespace

std::vector<CompareColumn> compare_columns(const Comparison& comparison) {
  using R = const PrecisionResult&;
  std::vector<CompareColumn> columns = {
      {"size, MB", "disk", "the weight files of a checkpoint in this precision", [](R r) { return mb(r.disk_bytes); }},
      {"size, MB", "weights", "all weights as they are held in memory, scales included",
       [](R r) { return mb(r.resident.weights_total()); }},
      {"size, MB", "scales", "the part of the weights that is quantization state: absmax values, nested codes, tables",
       [](R r) { return mb(r.resident[Purpose::scales]); }},
      {"size, MB", "buffers", "tables that are computed at load, of the rotary embedding",
       [](R r) { return mb(r.resident[Purpose::buffers]); }},
      {"process, MB", "peak",
       "the highest own memory (RssAnon + RssShmem) of a process that did nothing but measure this precision",
       [](R r) { return mb(r.peak_anonymous); }},
      {"process, MB", "mapped",
       "its pages of mapped files at their highest (RssFile): shared between processes and reclaimable",
       [](R r) { return mb(r.peak_mapped); }},
      {"seconds to", "load",
       "files opened until ready, with a warm page cache, quantizing included; weights that are used as stored are "
       "mapped, and are read when the first token needs them",
       [](R r) { return fmt::format("{:.3f}", r.load_seconds); }},
      {"seconds to", "1st token", "files opened until the first token of the answer: loading, tokenizer, prompt",
       [](R r) { return fmt::format("{:.3f}", r.first_token_seconds); }},
      {"prefill, tokens/s", "median", "reading a prompt, all tokens together: limited by arithmetic",
       [](R r) { return fmt::format("{:.0f}", r.prefill_tokens_per_s); }},
      {"prefill, tokens/s", "repeats", "the slowest and the fastest of its repeats",
       [](R r) { return fmt::format("{:.0f}-{:.0f}", r.repeats.prefill_lowest, r.repeats.prefill_highest); }},
      {"decode, tokens/s", "median",
       "writing, one sequence, one token at a time: every weight is read once per token, so fewer bytes mean more "
       "tokens",
       [](R r) { return fmt::format("{:.0f}", r.decode_tokens_per_s); }},
      {"decode, tokens/s", "repeats",
       "the slowest and the fastest of its repeats, each of which writes a part of the tokens",
       [](R r) { return fmt::format("{:.0f}-{:.0f}", r.repeats.decode_lowest, r.repeats.decode_highest); }}};
  std::vector<CompareColumn> quality = quality_columns();
  columns.insert(columns.end(), quality.begin(), quality.end());
  if (std::any_of(comparison.results.begin(), comparison.results.end(),
                  [](R r) { return r.stored_load_seconds || !r.stored_copy_problem.empty(); }))
    columns.insert(
        columns.begin() + 7,
        {"seconds to", "load copy",
         "the same from a folder that was quantized before, so nothing but mapping is "
         "left to do",
         [](R r) { return r.stored_load_seconds ? fmt::format("{:.3f}", *r.stored_load_seconds) : std::string("-"); }});
  return columns;
}

std::string CompareColumn::title() const {
  return group == "seconds to" || group == "same" ? group + " " + name : name + " (" + group + ")";
}

std::string model_name(const std::string& path) {
  // .../models--org--name/snapshots/REVISION, with or without a file in it
  constexpr std::string_view cached = "models--", below = "/snapshots/";
  if (const std::size_t end = path.find(below); end != std::string::npos) {
    const std::size_t slash = path.rfind('/', end - 1), begin = slash == std::string::npos ? 0 : slash + 1;
    std::string name = path.substr(begin, end - begin);
    if (name.starts_with(cached)) {
      name.erase(0, cached.size());
      if (const std::size_t dashes = name.find("--"); dashes != std::string::npos) name.replace(dashes, 2, "/");
      const std::size_t file = path.find('/', end + below.size());
      return file == std::string::npos || file + 1 == path.size() ? name : name + path.substr(file);
    }
  }
  const std::size_t end = path.find_last_not_of('/');
  const std::string trimmed = end == std::string::npos ? path : path.substr(0, end + 1);
  const std::string name = trimmed.substr(trimmed.rfind('/') + 1);
  return name.empty() || name == "." || name == ".." ? path : name;
}

std::string escape_markdown(std::string_view text) {
  const std::string shown = printable_lines(text);
  const auto in_word = [&](std::size_t at) {
    return at > 0 && at + 1 < shown.size() && std::isalnum(static_cast<unsigned char>(shown[at - 1])) &&
           std::isalnum(static_cast<unsigned char>(shown[at + 1]));
  };
  std::string out;
  for (std::size_t at = 0; at < shown.size(); ++at) {
    const char c = shown[at];
    if (c == '\n' || c == '\t')
      out += ' ';
    else if (c == '<' || c == '>' || c == '&')
      out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&amp;";
    else if (std::string_view("\\`*[]|~").find(c) != std::string_view::npos || (c == '_' && !in_word(at)))
      out += std::string("\\") + c;
    else
      out += c;
  }
  return out;
}

std::vector<std::string> copy_problems(const Comparison& comparison) {
  std::vector<std::string> out;
  for (const PrecisionResult& r : comparison.results)
    if (!r.stored_copy_problem.empty())
      out.push_back(fmt::format("Load copy of {}: not measured: {}.", r.precision.label(),
                                first_words(r.stored_copy_problem, 400)));
  return out;
}

std::vector<std::pair<std::string, std::string>> origin_lines(const Provenance& p) {
  std::vector<std::pair<std::string, std::string>> out = {
      {"command", p.command}, {"model", p.model}, {"precisions", p.precision}, {"text, sha256", p.text_sha256}};
  std::erase_if(out, [](const auto& line) { return line.second.empty(); });
  return out;
}

std::string short_number(double value) {
  if (value == 0) return "0";
  std::string text = value >= 100 ? fmt::format("{:.0f}", value)
                                  : fmt::format("{:.{}f}", value,
                                                value >= 10     ? 1
                                                : value >= 1    ? 2
                                                : value >= 1e-3 ? 4
                                                                : 6);
  if (text.find('.') != std::string::npos) text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

std::string first_words(const std::string& text, std::size_t characters) {
  std::string out;
  std::size_t count = 0;
  for (const char c : text) {
    if ((c & 0xc0) != 0x80 && ++count > characters) return out + "...";
    out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return out;
}

std::string describe_prompt(const Comparison& c) {
  return fmt::format("\"{}\", {}, greedily", first_words(c.prompt, 200),
                     c.chat ? "put into the model's chat template and answered" : "continued");
}

}  // namespace nibble
