// Receipts inside files, and the journal beside an interrupted conversion.
#include "engine/journal.hpp"
#include "fuzz.hpp"

void fuzz_one(std::string_view bytes) {
  if (const auto receipt = nibble::Receipt::parse(bytes, "fuzz")) {
    const auto again = nibble::Receipt::parse(receipt->text(), "fuzz");
    if (!again || again->tensors.size() != receipt->tensors.size()) std::abort();
  }
  const nibble::Journal journal = nibble::Journal::parse(bytes);
  std::string text = journal.first_line();
  for (const auto& [weight, record] : journal.records) text += nibble::Journal::line(weight, record);
  if (!journal.recipe.empty() && nibble::Journal::parse(text).records.size() != journal.records.size()) std::abort();
}

std::vector<std::string> fuzz_seeds() {
  const std::string hash(64, 'a');
  nibble::Receipt receipt;
  receipt.version = "0.1.0", receipt.recipe = "nf4", receipt.source_type = "bf16";
  receipt.tensors["a.weight"] = {hash, hash, 0.25}, receipt.tensors["a.weight.absmax"] = {hash, {}, {}};
  nibble::Journal journal;
  journal.to = "nf4", journal.recipe = "x", journal.source = "model.safetensors 1 2\n";
  nibble::Journal::Record record;
  record.parts = {{"a.weight", 12, {hash, hash, 0.25}}, {"a.weight.absmax", 4, {hash, {}, {}}}};
  return {receipt.text(), journal.first_line() + nibble::Journal::line("a.weight", record), "{}", "\n"};
}

std::vector<std::string> fuzz_words() {
  return {"\"sha256\":", "\"source\":",
          "\"error\":",  "\"tensors\":",
          "\"parts\":",  "\"bytes\":",
          "\n",          "1e400",
          "-1",          "null",
          "{",           "}",
          "[",           "]"};
}
