#include "terminal.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "common.hpp"

namespace nibble::cli {
namespace {

constexpr std::size_t usual_width = 80, narrowest = 20, widest = 10000;

std::size_t window_width(int stream) {
  struct winsize size = {};
  if (::isatty(stream) && ::ioctl(stream, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    return std::max<std::size_t>(size.ws_col, narrowest);
  const char* columns = std::getenv("COLUMNS");
  const long asked = columns ? std::strtol(columns, nullptr, 10) : 0;
  return asked > 0 ? std::clamp(std::size_t(asked), narrowest, widest) : usual_width;
}

bool shows_bold(int stream) {
  const char *plain = std::getenv("NO_COLOR"), *terminal = std::getenv("TERM");
  return draws_over(stream) && !(plain && *plain) && terminal && *terminal;
}

// What JSON may leave as it is and a terminal may obey: DEL, C1 and the marks that turn text around.
std::string with_json_escapes(const std::string& json) {
  std::string out;
  out.reserve(json.size());
  for (std::size_t i = 0; i < json.size(); ++i) {
    const auto byte = [&](std::size_t at) { return at < json.size() ? static_cast<unsigned char>(json[at]) : 0u; };
    const unsigned first = byte(i), second = byte(i + 1), third = byte(i + 2);
    const unsigned general = (second & 0x3Fu) << 6 | (third & 0x3Fu) | 0x2000u;
    if (first == 0x7F) {
      out += "\\u007f";
    } else if (first == 0xC2 && second >= 0x80 && second < 0xA0) {
      out += fmt::format("\\u{:04x}", second);
      i += 1;
    } else if (first == 0xE2 && (general == 0x200E || general == 0x200F || (general >= 0x2028 && general <= 0x202E) ||
                                 (general >= 0x2066 && general <= 0x206F))) {
      out += fmt::format("\\u{:04x}", general);
      i += 2;
    } else {
      out += json[i];
    }
  }
  return out;
}

}  // namespace

bool draws_over(int stream) {
  const char* terminal = std::getenv("TERM");
  return ::isatty(stream) && !(terminal && std::string_view(terminal) == "dumb");
}
TextStyle output_style() { return {window_width(1), shows_bold(1)}; }
TextStyle error_style() { return {window_width(2), shows_bold(2)}; }

void print_exact(const std::string& bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size() || std::fflush(stdout) != 0) {
    std::fputs("nibble: cannot write to standard output\n", stderr);
    std::_Exit(1);
  }
}

void print(const std::string& text) { print_exact(printable_lines(text)); }

void print_data(const std::string& bytes) { print_exact(::isatty(1) ? printable_lines(bytes) : bytes); }

void print_folded(const std::string& text, std::size_t indent) {
  print_exact(folded(text, output_style().width, indent));
}

void print_field(const std::string& name, const std::string& text, std::size_t column) {
  print_exact(field(name, text, column, output_style().width));
}

void print_table(const TextTable& table) { print_exact(table.text(output_style())); }

void print_json_text(const std::string& json) { print_exact(with_json_escapes(json)); }
void print_json(const Json& json) { print_json_text(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"); }

void complain_exactly(const std::string& text) { std::fputs(text.c_str(), stderr); }
void complain(const std::string& text) { complain_exactly(printable_lines(text)); }

void complain_folded(const std::string& text) { complain(::isatty(2) ? folded(text, error_style().width) : text); }

int fail(const Error& error) {
  leave_bar();
  complain_folded("nibble: " + error.message + "\n");
  return error.code == Errc::cancelled && interrupted() ? interrupt_status() : error.exit_code();
}

}  // namespace nibble::cli
