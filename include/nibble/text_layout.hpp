// Text for people: sentences folded at words, tables that follow the width they are given. What comes from outside is
// made safe to show on the way: no byte of it commands a terminal.
//
// Threads: values like any other; the functions: any number.
// Implemented in src/base/text_layout.cpp and text_table.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

struct TextStyle {
  std::size_t width = 80;  // columns of a line
  bool bold = false;       // emphasis, with a terminal's escape sequences
};

// A text with control characters, C1, marks that change its direction and bytes that are not UTF-8 as escapes
// ("\x1b"); line ends and tabs stay.
std::string printable_lines(std::string_view text);

// Columns that a terminal needs for UTF-8 text: two for East Asian wide characters, none for combining marks.
std::size_t display_width(std::string_view text);

// Lines of at most `width` columns, broken at spaces, each with its end; what comes after a break begins with `indent`
// spaces more than its line. Never broken: a number and its unit ("1 %"), `what stands in backticks`, at a no-break
// space (printed as a space), a word longer than a line.
std::string folded(std::string_view text, std::size_t width, std::size_t indent = 0);

// A heading and the sentence that belongs to it, which is folded from `column` on: "tokenizer     byte-level BPE".
std::string field(std::string_view name, std::string_view text, std::size_t column, std::size_t width);

// The first characters of a text on one line, at most so many columns: "It was a dark...".
std::string first_columns(std::string_view text, std::size_t columns);

// "15,736,192"
std::string with_commas(std::uint64_t value);
// "1 token", "2 tokens", "1,024 tokens"
std::string counted(std::uint64_t count, std::string_view noun);

// The same text in bold, where the style has it.
std::string in_bold(const std::string& text, const TextStyle& style);

struct TextColumn {
  std::string head;
  std::string group = {};  // a heading over neighbours that have the same
};

// Rows of a name and cells. What is too wide for a line continues below, with the names again.
class TextTable {
 public:
  // `names`: the head of the names.
  TextTable(std::string names, std::vector<TextColumn> columns);
  // `strong`: the row to choose. Missing cells are empty.
  void add(std::string name, std::vector<std::string> cells, bool strong = false);
  // A row that has a sentence in place of its cells.
  void add_sentence(std::string name, std::string sentence);
  std::string text(const TextStyle& style) const;

 private:
  struct Row {
    std::string name, sentence;
    std::vector<std::string> cells;
    bool strong = false;
  };
  struct Part {
    std::size_t from, to;
  };
  std::vector<std::size_t> widths() const;
  std::vector<Part> parts(const std::vector<std::size_t>& widths, std::size_t names, std::size_t width) const;
  std::string heads(const Part& part, const std::vector<std::size_t>& widths, std::size_t names) const;
  std::string line(const Row& row, const Part& part, const std::vector<std::size_t>& widths, std::size_t names,
                   const TextStyle& style) const;
  std::string names_;
  std::vector<TextColumn> columns_;
  std::vector<Row> rows_;
};

}  // namespace nibble
