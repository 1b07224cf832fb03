// Files that others make shorter while they are read.
//
// Threads: call it once, before the first model is loaded; what it sets up works whichever thread reads.
// Implemented in src/io/cut_files.cpp.
#pragma once

namespace nibble {

// Weights are read where their files are mapped. If such a file is cut meanwhile, the system ends the process with
// SIGBUS and says nothing. From here on the process names the file on standard error and exits with 1. For programs: a
// library that others load leaves signals alone.
void name_files_that_are_cut();

}  // namespace nibble
