#include "nibble/text_layout.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <array>

#include "base/utf8.hpp"

namespace nibble {
namespace {

constexpr std::string_view no_break_space = "\xC2\xA0";

// Whether a number before a space belongs to what follows it: "1 %", "24.5 GB".
bool is_number_with_unit(std::string_view before, std::string_view after) {
  static constexpr std::array units = {"%", "kB", "MB", "MiB", "GB", "GiB", "TB", "s", "ms", "us", "min", "h", "GB/s"};
  if (before.empty() || before.back() < '0' || before.back() > '9') return false;
  while (!after.empty() && std::string_view(".,;:)").find(after.back()) != std::string_view::npos)
    after.remove_suffix(1);
  return std::find(units.begin(), units.end(), after) != units.end();
}

// What stays together: words, joined where a line must not break between them.
std::vector<std::string> pieces_of(std::string_view line) {
  std::vector<std::string> pieces;
  bool quoted = false, glue = false;
  std::string_view before;
  while (!line.empty()) {
    const std::size_t end = std::min(line.find(' '), line.size());
    const std::string_view word = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    if (word.empty()) continue;
    if (!pieces.empty() && (glue || is_number_with_unit(before, word)))
      pieces.back().append(" ").append(word);
    else
      pieces.emplace_back(word);
    if (std::count(word.begin(), word.end(), '`') % 2 == 1) quoted = !quoted;
    glue = quoted;
    before = word;
  }
  for (std::string& piece : pieces)
    for (std::size_t at = 0; (at = piece.find(no_break_space, at)) != std::string::npos; ++at)
      piece.replace(at, no_break_space.size(), " ");
  return pieces;
}

void fold_line(std::string_view line, std::size_t width, std::size_t indent, std::string& out) {
  const std::size_t leading = std::min(line.find_first_not_of(' '), line.size());
  out.append(leading, ' ');
  std::size_t column = leading;
  bool first = true;
  for (const std::string& piece : pieces_of(line)) {
    const std::size_t wide = display_width(piece);
    if (!first && column + 1 + wide > width) {
      out.append("\n").append(leading + indent, ' ');
      column = leading + indent;
    } else if (!first) {
      out += ' ';
      ++column;
    }
    out += piece;
    column += wide;
    first = false;
  }
  out += '\n';
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    std::size_t bytes = 1;
    const std::size_t length = well_formed_length(text, bytes);
    columns += length == 0 ? 1 : std::size_t(utf8proc_charwidth(std::int32_t(decode_valid(text.data()).value)));
    text.remove_prefix(std::max<std::size_t>(length == 0 ? bytes : length, 1));
  }
  return columns;
}

std::string folded(std::string_view text, std::size_t width, std::size_t indent) {
  const std::string clean = printable_lines(text);
  std::string out;
  for (std::string_view rest = clean; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    fold_line(rest.substr(0, end), width, indent, out);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return out;
}

std::string field(std::string_view name, std::string_view text, std::size_t column, std::size_t width) {
  const std::string head = printable_lines(name),
                    lines = folded(text, std::max<std::size_t>(width - std::min(width, column), 10));
  const std::size_t wide = display_width(head);
  std::string out = wide < column || lines.empty() ? head + std::string(column - std::min(column, wide), ' ')
                                                   : head + "\n" + std::string(column, ' ');
  for (std::size_t at = 0; at < lines.size();) {
    const std::size_t end = lines.find('\n', at) + 1;  // there is one, folded() ends every line
    out.append(at > 0 ? column : 0, ' ').append(lines, at, end - at);
    at = end;
  }
  if (!lines.empty()) return out;
  out.erase(out.find_last_not_of(' ') + 1);
  return out + "\n";
}

std::string first_columns(std::string_view text, std::size_t columns) {
  std::string line(text.substr(0, std::min(text.size(), 8 * columns + 64)));  // bounded whatever the text
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
  line = printable_lines(line);
  if (line.size() > 4 * columns || display_width(line) > columns || line.size() < text.size()) {
    const std::size_t room = columns - std::min<std::size_t>(columns, 3);
    std::size_t wide = 0, at = 0;
    while (at < line.size()) {
      const CodePoint c = decode_valid(line.data() + at);
      const std::size_t next = wide + std::size_t(utf8proc_charwidth(std::int32_t(c.value)));
      if (next > room) break;
      wide = next;
      at += c.bytes;
    }
    return line.substr(0, at) + "...";
  }
  return line;
}

std::string with_commas(std::uint64_t value) {
  std::string text = std::to_string(value);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
  return text;
}

std::string counted(std::uint64_t count, std::string_view noun) {
  return with_commas(count).append(" ").append(noun).append(count == 1 ? "" : "s");
}

std::string in_bold(const std::string& text, const TextStyle& style) {
  return style.bold ? "\033[1m" + text + "\033[0m" : text;
}

}  // namespace nibble
