// Tables of text: as many columns beside each other as a line holds, the rest below.
#include <algorithm>
#include <numeric>

#include "base/printable.hpp"
#include "nibble/text_layout.hpp"

namespace nibble {
namespace {

constexpr std::size_t gap = 2;  // between columns

std::string spaces(std::size_t to, std::string_view text) {
  return std::string(to - std::min(to, display_width(text)), ' ');
}

// Spaces at the end of a line are no part of it.
std::string trimmed(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

TextTable::TextTable(std::string names, std::vector<TextColumn> columns)
    : names_(printable(names)), columns_(std::move(columns)) {
  for (TextColumn& column : columns_) {
    column.head = printable(column.head);
    column.group = printable(column.group);
  }
}

void TextTable::add(std::string name, std::vector<std::string> cells, bool strong) {
  for (std::string& cell : cells) cell = printable(cell);
  cells.resize(columns_.size());
  rows_.push_back({printable(name), {}, std::move(cells), strong});
}

void TextTable::add_sentence(std::string name, std::string sentence) {
  rows_.push_back({printable(name), std::move(sentence), {}, false});
}

std::vector<std::size_t> TextTable::widths() const {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t widest = display_width(columns_[i].head);
    for (const Row& row : rows_)
      if (!row.cells.empty()) widest = std::max(widest, display_width(row.cells[i]));
    out.push_back(gap + widest);
  }
  // A group is at least as wide as its heading.
  for (std::size_t i = 0, end = 0; i < columns_.size(); i = end) {
    std::size_t sum = 0;
    for (end = i; end < columns_.size() && columns_[end].group == columns_[i].group; ++end) sum += out[end];
    const std::size_t wanted = gap + display_width(columns_[i].group);
    if (!columns_[i].group.empty() && sum < wanted) out[end - 1] += wanted - sum;
  }
  return out;
}

std::vector<TextTable::Part> TextTable::parts(const std::vector<std::size_t>& widths, std::size_t names,
                                              std::size_t width) const {
  std::vector<Part> out;
  std::size_t used = 0;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const bool begins_group = i == 0 || columns_[i].group.empty() || columns_[i].group != columns_[i - 1].group;
    std::size_t wanted = widths[i];
    // A group stays together where a line can hold it.
    for (std::size_t j = i + 1; begins_group && !columns_[i].group.empty() && j < columns_.size() &&
                                columns_[j].group == columns_[i].group && names + wanted + widths[j] <= width;
         ++j)
      wanted += widths[j];
    if (out.empty() || used + wanted > width) {
      out.push_back({i, i});
      used = names;
    }
    out.back().to = i + 1;
    used += widths[i];
  }
  return out;
}

std::string TextTable::heads(const Part& part, const std::vector<std::size_t>& widths, std::size_t names) const {
  std::string groups(names, ' '), heads = names_ + spaces(names, names_);
  for (std::size_t i = part.from, end = 0; i < part.to; i = end) {
    std::size_t sum = 0;
    for (end = i; end < part.to && columns_[end].group == columns_[i].group; ++end) {
      heads += spaces(widths[end], columns_[end].head) + columns_[end].head;
      sum += widths[end];
    }
    groups += spaces(sum, columns_[i].group) + columns_[i].group;
  }
  groups = trimmed(groups);
  heads = trimmed(heads);
  return (groups.empty() ? "" : groups + "\n") + (heads.empty() ? "" : heads + "\n");
}

std::string TextTable::line(const Row& row, const Part& part, const std::vector<std::size_t>& widths, std::size_t names,
                            const TextStyle& style) const {
  if (!row.sentence.empty())
    return field(row.name, part.from == 0 ? row.sentence : "see above", names + gap, style.width);
  std::string out = row.name;
  if (display_width(row.name) > names)
    out += "\n" + std::string(names, ' ');
  else
    out += spaces(names, row.name);
  for (std::size_t i = part.from; i < part.to; ++i) out += spaces(widths[i], row.cells[i]) + row.cells[i];
  out = trimmed(out);
  return (row.strong ? in_bold(out, style) : out) + "\n";
}

std::string TextTable::text(const TextStyle& style) const {
  const std::vector<std::size_t> wide = widths();
  std::size_t names = display_width(names_);
  for (const Row& row : rows_) names = std::max(names, display_width(row.name));
  // Where names leave no room, the long ones stand on lines of their own.
  if (names + std::accumulate(wide.begin(), wide.end(), std::size_t(0)) > style.width)
    names = std::min(names, std::max(display_width(names_), style.width / 2));
  std::string out;
  for (const Part& part : parts(wide, names, style.width)) {
    if (!out.empty()) out += "\n";
    out += heads(part, wide, names);
    for (const Row& row : rows_) out += line(row, part, wide, names, style);
  }
  return out;
}

}  // namespace nibble
