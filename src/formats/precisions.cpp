// The table of precisions as the public header shows it.
#include <algorithm>

#include "base/error.hpp"
#include "formats/all.hpp"

namespace nibble {
namespace {

constexpr FormatFacts as_stored = {.name = "stored"};

}  // namespace

std::span<const FormatFacts> precisions() { return format_table; }

std::vector<FormatFacts> precisions(std::initializer_list<FormatKind> kinds) {
  std::vector<FormatFacts> out;
  for (const FormatFacts& facts : format_table)
    if (std::find(kinds.begin(), kinds.end(), facts.kind) != kinds.end()) out.push_back(facts);
  return out;
}

const FormatFacts& facts_of(Precision precision) {
  const auto found = std::find_if(format_table.begin(), format_table.end(),
                                  [&](const FormatFacts& facts) { return facts.precision == precision; });
  return found == format_table.end() ? as_stored : *found;
}

std::vector<FormatFacts> widest_first(std::span<const FormatFacts> formats) {
  std::vector<FormatFacts> out(formats.begin(), formats.end());
  const auto rank = [](const FormatFacts& facts) { return std::pair(-facts.bits, facts.precision != Precision::bf16); };
  std::stable_sort(out.begin(), out.end(),
                   [&](const FormatFacts& a, const FormatFacts& b) { return rank(a) < rank(b); });
  return out;
}

std::string names_of(std::span<const FormatFacts> formats, std::string_view before_last, std::string_view after_each) {
  std::string names;
  for (std::size_t i = 0; i < formats.size(); ++i) {
    if (i > 0) names += i + 1 < formats.size() ? ", " : before_last;
    names += formats[i].name;
    names += after_each;
  }
  return names;
}

std::span<const float> table_of(std::string_view format) {
  std::span<const float> table;
  visit_format(format, [&]<class F>() {
    if constexpr (TableFormat<F>) table = F::table;
  });
  return table;
}

std::string_view name_of(Precision precision) { return facts_of(precision).name; }

Result<Precision> parse_precision(std::string_view name) {
  if (name == as_stored.name) return Precision::stored;
  for (const FormatFacts& facts : format_table)
    if (facts.name == name) return facts.precision;
  return error(Errc::bad_request, "precision \"{}\" is not known; choose {} or stored", name, names_of(precisions()));
}

}  // namespace nibble
