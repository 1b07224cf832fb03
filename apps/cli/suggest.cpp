#include "suggest.hpp"

#include <algorithm>
#include <utility>

#include "nibble/precision.hpp"

namespace nibble::cli {
namespace {

using Words = std::pair<const char*, const char*>;

constexpr Words other_precisions[] = {
    {"4bit", "nf4"},     {"4-bit", "nf4"},         {"int4", "nf4"},    {"q4", "nf4"},
    {"8bit", "int8"},    {"8-bit", "int8"},        {"q8", "int8"},     {"llm.int8", "int8"},
    {"float32", "fp32"}, {"f32", "fp32"},          {"float", "fp32"},  {"full", "fp32"},
    {"float16", "fp16"}, {"f16", "fp16"},          {"half", "fp16"},   {"bfloat16", "bf16"},
    {"auto", "stored"},  {"original", "stored"},   {"none", "stored"}, {"as stored", "stored"},
    {"bnb4", "nf4"},     {"nf4-double", "nf4-dq"},
};

constexpr Words other_options[] = {
    {"--load-in-4bit", "--precision nf4"},
    {"--load-in-8bit", "--precision int8"},
    {"--dtype", "--precision"},
    {"--torch-dtype", "--precision"},
    {"--quant", "--precision"},
    {"--quantization", "--precision"},
    {"--max-tokens", "--max-new-tokens"},
    {"--max-length", "--max-new-tokens"},
    {"--n-predict", "--max-new-tokens"},
    {"--num-predict", "--max-new-tokens"},
    {"-c", "--context"},
    {"--ctx-size", "--context"},
    {"--max-seq-len", "--context"},
    {"--temp", "--temperature"},
    {"-t", "--threads"},
    {"--device-map", "--device"},
    {"--ngl", "--device"},
    {"-f", "--text"},
    {"--file", "--text"},
    {"--output", "OUT, the word after MODEL"},
    {"-o", "OUT, the word after MODEL"},
    {"-p", "PROMPT, the word after MODEL"},
    {"--prompt", "PROMPT, the word after MODEL"},
    {"-m", "MODEL, the first word"},
    {"--model", "MODEL, the first word"},
    {"--vram", "--memory"},
    {"--silent", "--quiet"},
    {"-q", "--quiet"},
};

// Optimal string alignment: insertions, deletions, substitutions, and swaps of neighbours.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i)
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

}  // namespace

std::string lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  return text;
}

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  constexpr std::size_t longest = 40;
  if (word.empty() || word.size() > longest) return {};
  const std::string lower = lower_case(word);
  std::string best;
  std::size_t fewest = 1 + std::min<std::size_t>(lower.size() / 3 + 1, 3);
  for (const std::string& candidate : candidates) {
    const std::size_t changes = distance(lower, lower_case(candidate));
    if (changes < fewest && changes < candidate.size()) {
      best = candidate;
      fewest = changes;
    }
  }
  if (!best.empty() || lower.size() < 3) return best;
  for (const std::string& candidate : candidates)
    if (candidate.starts_with(lower)) return candidate;
  return {};
}

std::string did_you_mean(const std::string& suggestion) {
  return suggestion.empty() ? "" : "; did you mean " + suggestion + "?";
}

std::string meant_precision(const std::string& word) {
  const std::string lower = lower_case(word);
  for (const auto& [theirs, ours] : other_precisions)
    if (lower == theirs) return ours;
  std::vector<std::string> names = {"stored"};
  for (const FormatFacts& format : precisions()) {
    names.emplace_back(format.name);
    if (format.kind == FormatKind::table) names.push_back(std::string(format.name) + "-dq");
  }
  return nearest(lower, names);
}

std::string meant_option(const std::string& word, const std::vector<std::string>& options) {
  const std::string name = lower_case(word.substr(0, word.find('=')));
  const auto is_here = [&](const std::string& text) {
    return text[0] != '-' || std::find(options.begin(), options.end(), text.substr(0, text.find(' '))) != options.end();
  };
  for (const auto& [theirs, ours] : other_options)
    if (name == theirs && is_here(ours)) return ours;
  return name.starts_with("--") ? nearest(name, options) : std::string();
}

}  // namespace nibble::cli
