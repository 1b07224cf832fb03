// Receipts: the first byte says whether the rest is one ('0'), or a safetensors ('1') or GGUF file ('2') that holds
// one; '3': the journal beside an interrupted conversion.
#include "../made/made_files.hpp"
#include "base/digest.hpp"
#include "engine/journal.hpp"
#include "fuzz.hpp"

namespace {

using nibble::Receipt;

bool read_receipt(std::string_view text) {
  const auto receipt = Receipt::parse(text, "fuzz");
  if (!receipt) return false;
  const std::string printed = receipt->text();
  const auto again = Receipt::parse(printed, "printed");
  fuzz_expect(again && again->text() == printed, "a printed receipt reads back as it was");
  return true;
}

// Each line begins with its hash, which mutation would never meet.
std::string with_hashes(std::string_view text) {
  std::string out;
  for (std::size_t at = 0, end; (end = text.find('\n', at)) != text.npos; at = end + 1) {
    const std::string_view line = text.substr(at, end - at);
    out.append(nibble::sha256(line)).append(" ").append(line).append("\n");
  }
  return out;
}

bool read_journal(std::string_view text) {
  const nibble::Journal journal = nibble::Journal::parse(with_hashes(text));
  if (journal.recipe.empty()) return false;
  std::string printed = journal.first_line();
  for (const auto& [weight, record] : journal.records) printed += nibble::Journal::line(weight, record);
  fuzz_expect(nibble::Journal::parse(printed).records.size() == journal.records.size(),
              "a printed journal reads back as it was");
  return true;
}

std::string journal() {
  nibble::Journal journal;
  journal.to = "nf4";
  journal.recipe = "x";
  journal.source = "model.safetensors 1 2\n";
  nibble::Journal::Record record;
  const std::string hash(64, 'a');
  record.parts = {{"a.weight", 12, {hash, hash, 0.25}}, {"a.weight.absmax", 4, {hash, {}, {}}}};
  return journal.first_line().substr(65) + nibble::Journal::line("a.weight", record).substr(65);
}

const std::string hash(64, 'a');
const std::string receipt =
    R"({"nibble":"0.1.0","recipe":"nf4","source_type":"BF16","tensors":{"a.weight":{"sha256":")" + hash +
    R"(","source":")" + hash + R"(","error":9.1e-02},"a.weight.absmax":{"sha256":")" + hash + R"("}}})";

}  // namespace

bool fuzz_one(std::string_view bytes) {
  if (bytes.empty()) return false;
  const std::string_view rest = bytes.substr(1);
  const auto data = std::as_bytes(std::span(rest));
  switch (bytes[0]) {
    case '1': {
      const auto file = nibble::Safetensors::parse(data, "fuzz");
      if (!file) return false;
      const auto found = file->metadata().find(std::string(Receipt::key));
      return found != file->metadata().end() && read_receipt(found->second);
    }
    case '2': {
      const auto file = nibble::Gguf::parse(data, "fuzz");
      if (!file) return false;
      const auto text = file->text(Receipt::key);
      return text && read_receipt(*text);
    }
    case '3':
      return read_journal(rest);
    default:
      return read_receipt(rest);
  }
}

std::vector<std::string> fuzz_seeds() {
  const std::string key(Receipt::key);
  const made::Json header = {{"__metadata__", {{"format", "pt"}, {key, receipt}}},
                             {"a", {{"dtype", "U8"}, {"shape", {1}}, {"data_offsets", {0, 1}}}}};
  return {"0" + receipt, "1" + made::safetensors(header.dump(), "x"), "2" + made::Gguf().text(key, receipt).bytes(),
          "3" + journal()};
}

std::vector<std::string> fuzz_words() {
  return {"\"nibble\":",
          "\"recipe\":",
          "\"source_type\":",
          "\"tensors\":{",
          "\"sha256\":",
          "\"source\":",
          "\"error\":",
          "\"parts\":",
          "\"bytes\":",
          "1e308",
          "-1",
          "null",
          "{}",
          "\\ud800",
          hash,
          "\\\"",
          "nibble.receipt"};
}
