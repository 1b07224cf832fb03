// What every document says of its own origin: who made it, when, from what, where. Figures without it cannot be
// repeated.
//
// Threads: values like any other; the functions: any number.
// Implemented in src/measure/provenance.cpp.
#pragma once

#include <string>
#include <string_view>

#include "nibble/model.hpp"

namespace nibble {

struct Provenance {
  std::string version, commit;   // of Nibble; the commit that the build was configured at, or "unknown"
  std::string date;              // "2026-11-30T03:10:00Z"
  std::string command;           // as a shell takes it; empty where no command line asked for it
  std::string model, precision;  // where the model lies; what it is held as, or what was asked for
  std::string text_sha256;       // of the text, or of the file of ids, that was evaluated; or empty
  std::string processor;         // "AMD EPYC 7763 64-Core Processor"
  std::string instruction_set;   // of the kernels: "cpu avx2"
  int threads = 0;               // that computed
};

// Version, commit, date and machine of now; instruction set and threads are those that a model gets unless it is told.
Provenance provenance();
// With what is known of a model that was loaded from `path`.
Provenance provenance(const Model& model, std::string_view path);

// Hexadecimal.
std::string sha256_of(std::string_view text);

// Every field with its name in documents, in their order.
template <class P, class Visit>
void visit_provenance(P& p, Visit visit) {
  visit("version", p.version);
  visit("commit", p.commit);
  visit("date", p.date);
  visit("command", p.command);
  visit("model", p.model);
  visit("precision", p.precision);
  visit("text_sha256", p.text_sha256);
  visit("processor", p.processor);
  visit("instruction_set", p.instruction_set);
  visit("threads", p.threads);
}

// One line for people, without the command and what it was made from: "Nibble 0.1.0 (commit ...), 2026-11-30, ...".
std::string made_by(const Provenance& provenance);

}  // namespace nibble
