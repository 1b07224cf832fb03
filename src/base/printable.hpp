// What a file says, made safe to show: a name or a value from outside may hold terminal commands, text that runs
// backwards, or megabytes. Escapes look like those of Python ("\x1b", "\u202e"), and what is printable already stays as
// it is, so that escaping twice does no harm.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace nibble {

// For a name or value inside a sentence or a table: control characters (line ends and tabs, too), C1, marks that change
// the direction of text, line separators and bytes that are not UTF-8 are escaped. Longer than `most` characters: the
// middle is elided ("..."). Work and memory are bounded by `most`, whatever the size of `text`.
std::string printable(std::string_view text, std::size_t most = 200);

// For whole messages at the door to the terminal: the same escapes, but line ends and tabs stay, and nothing is elided.
std::string printable_lines(std::string_view text);

}  // namespace nibble
