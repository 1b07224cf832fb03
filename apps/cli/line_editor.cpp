#include "line_editor.hpp"

#include <histedit.h>
#include <langinfo.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <vector>

#include "common.hpp"

namespace nibble::cli {
namespace {

constexpr const char *paste_begins = "\033[200~", *paste_ends = "\033[201~";
// A paste longer than this stands in the line as a word for it; so a page of text can still be edited around.
constexpr std::size_t shown_paste = 200;

// The window changed, or the program was suspended and continues.
volatile std::sig_atomic_t screen_is_stale = 0;
void on_stale_screen(int) { screen_is_stale = 1; }

void set_handler(int signal, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;  // without SA_RESTART: reading a key ends, and the line is drawn anew
  ::sigaction(signal, &action, nullptr);
}

// libedit draws what the locale can write; ours is UTF-8, whatever the environment says.
void use_utf8() {
  std::setlocale(LC_CTYPE, "");
  if (std::string(::nl_langinfo(CODESET)) != "UTF-8") std::setlocale(LC_CTYPE, "C.UTF-8");
}

std::string without_carriage_returns(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r') {
      out += '\n';
      if (i + 1 < text.size() && text[i + 1] == '\n') ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

struct LineEditor::Editor {
  EditLine* line = nullptr;
  History* history = nullptr;
  std::string prompt;
  bool stopped_with_text = false;
  std::vector<std::pair<std::string, std::string>> pastes;  // the word that stands in the line, what was pasted

  Editor();
  ~Editor();
  static Editor& of(EditLine* line);
  static char* prompt_of(EditLine* line) { return of(line).prompt.data(); }
  static int read_key(EditLine* line, wchar_t* out);
  static unsigned char paste(EditLine* line, int);
  int read_byte(unsigned char& out);
  std::string with_pastes(std::string text) const;
};

LineEditor::Editor& LineEditor::Editor::of(EditLine* line) {
  void* self = nullptr;
  ::el_get(line, EL_CLIENTDATA, &self);
  return *static_cast<Editor*>(self);
}

LineEditor::Editor::Editor() {
  use_utf8();
  set_handler(SIGWINCH, on_stale_screen);
  set_handler(SIGCONT, on_stale_screen);
  line = ::el_init("nibble", stdin, stderr, stderr);  // answers alone go to standard output
  history = ::history_init();
  HistEvent event;
  ::history(history, &event, H_SETSIZE, 1000);
  ::history(history, &event, H_SETUNIQUE, 1);
  ::el_set(line, EL_CLIENTDATA, this);
  ::el_set(line, EL_PROMPT, prompt_of);
  ::el_set(line, EL_EDITOR, "emacs");
  ::el_set(line, EL_HIST, ::history, history);
  ::el_set(line, EL_GETCFN, read_key);
  ::el_set(line, EL_ADDFN, "nibble-paste", "take what is pasted", paste);
  ::el_set(line, EL_BIND, paste_begins, "nibble-paste", nullptr);
  ::el_set(line, EL_BIND, "^R", "em-inc-search-prev", nullptr);
}

LineEditor::Editor::~Editor() {
  ::el_end(line);
  ::history_end(history);
}

// 1: a byte; 0: the input has ended; -1: a signal was noted.
int LineEditor::Editor::read_byte(unsigned char& out) {
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, &out, 1);
    if (got >= 0) return int(got);
    if (errno != EINTR || interrupted()) return -1;
    if (screen_is_stale) {
      screen_is_stale = 0;
      ::el_set(line, EL_PREP_TERM, 1);
      ::el_resize(line);
      ::el_set(line, EL_REFRESH);
    }
  }
}

// One character; what is not UTF-8 becomes U+FFFD.
int LineEditor::Editor::read_key(EditLine* line, wchar_t* out) {
  Editor& self = of(line);
  unsigned char byte = 0;
  if (const int got = self.read_byte(byte); got <= 0) {
    const LineInfo* info = ::el_line(line);
    self.stopped_with_text = got < 0 && info->lastchar > info->buffer;
    errno = 0;
    return got;
  }
  const int more = byte < 0x80 ? 0 : byte < 0xC0 ? -1 : byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : byte < 0xF8 ? 3 : -1;
  std::uint32_t value = more == 1 ? byte & 0x1Fu : more == 2 ? byte & 0x0Fu : more == 3 ? byte & 0x07u : byte;
  bool valid = more >= 0;
  for (int i = 0; i < more && valid; ++i) {
    valid = self.read_byte(byte) == 1 && (byte & 0xC0) == 0x80;
    value = value << 6 | (byte & 0x3Fu);
  }
  *out = wchar_t(valid ? value : 0xFFFDu);
  return 1;
}

unsigned char LineEditor::Editor::paste(EditLine* line, int) {
  Editor& self = of(line);
  std::string text;
  unsigned char byte = 0;
  while (!text.ends_with(paste_ends)) {
    if (self.read_byte(byte) != 1) return CC_ERROR;
    text += char(byte);
  }
  text.resize(text.size() - std::string(paste_ends).size());
  text = without_carriage_returns(text);
  if (text.size() > shown_paste || text.find('\n') != std::string::npos) {
    const auto lines = 1 + std::count(text.begin(), text.end(), '\n') - (text.ends_with('\n') ? 1 : 0);
    const std::string word = fmt::format("[paste {}: {} line{}, {} characters]", self.pastes.size() + 1, lines,
                                         lines == 1 ? "" : "s", with_commas(text.size()));
    self.pastes.emplace_back(word, text);
    text = word;
  }
  return ::el_insertstr(line, text.c_str()) == 0 ? CC_REFRESH : CC_ERROR;
}

std::string LineEditor::Editor::with_pastes(std::string text) const {
  for (const auto& [word, pasted] : pastes)
    if (const std::size_t at = text.find(word); at != std::string::npos) text.replace(at, word.size(), pasted);
  return text;
}

LineEditor::LineEditor() {
  if (::isatty(0) && draws_over(2)) editor_ = std::make_unique<Editor>();
}
LineEditor::~LineEditor() = default;

std::optional<std::string> LineEditor::line(const std::string& prompt) {
  if (!editor_) {
    std::string line;
    if (::isatty(0)) complain(prompt);
    if (!std::getline(std::cin, line)) return {};
    return line;
  }
  editor_->prompt = prompt;
  editor_->stopped_with_text = false;
  ::el_set(editor_->line, EL_PREP_TERM, 1);  // before the prompt invites to type
  complain_exactly("\033[?2004h");           // pastes come in brackets
  int count = 0;
  const char* read = ::el_gets(editor_->line, &count);
  complain_exactly("\033[?2004l");
  if (!read || count <= 0) {
    complain("\n");
    if (!editor_->stopped_with_text) return {};
    forget_interrupt();
    return interrupted() ? std::optional<std::string>() : std::string();
  }
  std::string line(read, std::size_t(count));
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  HistEvent event;
  if (!line.empty()) ::history(editor_->history, &event, H_ENTER, line.c_str());
  return editor_->with_pastes(std::move(line));
}

}  // namespace nibble::cli
