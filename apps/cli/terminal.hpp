// The window that the program writes into, and everything that it writes there. What comes from outside never reaches a
// terminal as it is: control characters are shown as escapes.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "nibble/result.hpp"
#include "nibble/text_layout.hpp"

namespace nibble::cli {

using Json = nlohmann::ordered_json;

// Lines are as wide as the window, else as COLUMNS says, else 80 columns, into a file as well. Bold: on a terminal that
// has it, unless NO_COLOR is set.
TextStyle output_style();
TextStyle error_style();
// Whether a line on this stream can be drawn anew: a terminal, unless TERM says that it is dumb.
bool draws_over(int stream);

// Text that must arrive: a write that fails is an error.
void print(const std::string& text);
// Sentences, folded; what follows a line's first begins with `indent` spaces more.
void print_folded(const std::string& text, std::size_t indent = 0);
// A heading in front of the sentence that belongs to it: "tokenizer       byte-level BPE".
void print_field(const std::string& name, const std::string& text, std::size_t column = 16);
void print_table(const TextTable& table);
// Its strings hold control characters as JSON's escapes.
void print_json(const Json& json);
void print_json_text(const std::string& json);  // the same of a document that is text already
// What a pipe needs byte by byte and a terminal must not obey.
void print_data(const std::string& bytes);
// Bytes as they are: what has passed a layout above, or is asked for with --raw.
void print_exact(const std::string& bytes);

// Standard error: what cannot be shown is lost, since a reader that is gone must not end the work.
void complain(const std::string& text);
void complain_exactly(const std::string& text);
void complain_folded(const std::string& text);  // folded on a terminal; in a file a sentence is a line
// Prints the error to standard error and gives the exit code.
int fail(const Error& error);
// Ends the line of a progress bar that is being drawn; what else goes to standard error calls it first.
void leave_bar();

}  // namespace nibble::cli
