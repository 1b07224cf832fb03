// The manual page, as `man` reads it.
#include <fmt/format.h>

#include "completion.hpp"
#include "help.hpp"
#include "nibble/build_facts.hpp"

namespace nibble::cli {
namespace {

// Text as troff has it: a backslash is a command, a hyphen is made a dash, and a point or quote at a line's begin is a
// request.
std::string troff(const std::string& text) {
  std::string out = text.starts_with('.') || text.starts_with('\'') ? "\\&" : "";
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
  }
  return out;
}

std::string entries(const CLI::App& verb) {
  std::string out;
  for (const ShownOption& option : shown_options(verb)) {
    std::string head;
    for (const std::string& name : option.names)
      head += fmt::format("{}\\f{}{}\\fR", head.empty() ? "" : ", ", option.positional ? "I" : "B", troff(name));
    if (!option.positional && !option.value.empty()) head += " \\fI" + troff(option.value) + "\\fR";
    out += ".TP\n" + head + "\n" + troff(option.description) + "\n";
  }
  return out;
}

}  // namespace

std::string manual_page(const CLI::App& app) {
  std::string out =
      fmt::format(".TH NIBBLE 1 \"\" \"nibble {}\" \"User Commands\"\n.SH NAME\nnibble \\- {}\n.SH SYNOPSIS\n.nf\n",
                  build_facts().version, troff(app.get_description()));
  const std::vector<NamedVerb> verbs = named_verbs(app);
  for (const NamedVerb& named : verbs) out += troff(usage_of(*named.verb, "nibble " + named.words)) + "\n";
  out += ".fi\n.SH DESCRIPTION\n";
  for (const NamedVerb& named : verbs) {
    out +=
        ".SS nibble " + troff(named.words) + "\n" + troff(named.verb->get_description()) + "\n" + entries(*named.verb);
    if (const std::string footer = named.verb->get_footer(); !footer.empty()) out += ".PP\n" + troff(footer) + "\n";
    const std::vector<std::string> lines = examples_of(*named.verb);
    if (!lines.empty()) out += ".PP\nExamples:\n.nf\n";
    for (const std::string& line : lines) out += "    " + troff(line) + "\n";
    if (!lines.empty()) out += ".fi\n";
  }
  return out +
         ".SH EXIT STATUS\n"
         "0: done. 1: the job failed. 2: the request was wrong.\n"
         ".SH ENVIRONMENT\n"
         "\\fBCOLUMNS\\fR: the width of lines where the window does not say. "
         "\\fBNO_COLOR\\fR: no bold. \\fBTMPDIR\\fR: where temporary folders are made. "
         "\\fBHF_HOME\\fR, \\fBHF_HUB_CACHE\\fR, \\fBHF_TOKEN\\fR, \\fBHF_ENDPOINT\\fR, \\fBHF_HUB_OFFLINE\\fR: as the "
         "libraries of Hugging Face read them.\n";
}

}  // namespace nibble::cli
