// What documents say of their own origin.
#pragma once

#include "nibble/provenance.hpp"
#include "terminal.hpp"

namespace nibble::cli {

// The command line, as a shell takes it again. main() remembers it.
void remember_command(int argc, char** argv);
const std::string& command_line();

// For "provenance" of a document, with the command line.
Json origin(Provenance provenance);

}  // namespace nibble::cli
