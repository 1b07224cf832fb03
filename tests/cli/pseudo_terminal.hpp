// The program in a terminal of a given width: what is typed goes in, what would be seen comes out.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>

namespace nibble::test {

class PseudoTerminal {
 public:
  // Whether this system has terminals to give: some containers and chroots have none.
  static bool can_be_had() {
    int master = -1, other = -1;
    if (::openpty(&master, &other, nullptr, nullptr, nullptr) != 0) return false;
    ::close(master);
    ::close(other);
    return true;
  }
  // `arguments` as a shell reads them; `before` stands in front of the program ("NO_COLOR=1").
  explicit PseudoTerminal(const std::string& arguments, unsigned short columns = 80, const std::string& before = "") {
    struct winsize size = {24, columns, 0, 0};
    child_ = ::forkpty(&master_, nullptr, nullptr, &size);
    ended_ = child_ < 0;
    if (child_ != 0) return;
    ::unsetenv("COLUMNS");
    ::setenv("TERM", "xterm", 1);
    ::setenv("LC_ALL", "C.UTF-8", 1);
    ::execl("/bin/sh", "sh", "-c", (before + " exec " + NIBBLE_PROGRAM + " " + arguments).c_str(), nullptr);
    ::_exit(127);
  }
  ~PseudoTerminal() {
    if (child_ > 0 && !ended_) {
      ::kill(child_, SIGKILL);
      ::waitpid(child_, nullptr, 0);
    }
    if (master_ >= 0) ::close(master_);
  }
  PseudoTerminal(const PseudoTerminal&) = delete;
  PseudoTerminal& operator=(const PseudoTerminal&) = delete;

  bool works() const { return child_ > 0; }

  void type(const std::string& keys) {
    for (std::size_t at = 0; at < keys.size();) {
      const ssize_t sent = ::write(master_, keys.data() + at, std::min<std::size_t>(keys.size() - at, 512));
      if (sent <= 0) return;
      at += std::size_t(sent);
      while (receive(0)) {  // what is echoed must not fill the terminal
      }
    }
  }
  // Whether `text` is seen behind what was waited for before.
  bool wait_for(const std::string& text, int seconds = 120) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    for (;;) {
      if (const std::size_t at = seen_.find(text, waited_); at != std::string::npos) {
        waited_ = at + text.size();
        return true;
      }
      if (std::chrono::steady_clock::now() > end || !receive(200)) {
        if (ended_ || std::chrono::steady_clock::now() > end) return false;
      }
    }
  }
  // The exit status, once the program has ended by itself.
  int finish(int seconds = 120) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (!ended_ && std::chrono::steady_clock::now() < end) receive(200);
    return status_;
  }
  const std::string& seen() const { return seen_; }

 private:
  bool receive(int milliseconds) {
    struct pollfd one = {master_, POLLIN, 0};
    if (::poll(&one, 1, milliseconds) > 0) {
      char buffer[4096];
      const ssize_t got = ::read(master_, buffer, sizeof buffer);
      if (got > 0) {
        seen_.append(buffer, std::size_t(got));
        return true;
      }
      int status = 0;  // nobody holds the other side any more
      if (!ended_ && ::waitpid(child_, &status, 0) == child_) status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
      ended_ = true;
    }
    return false;
  }

  int master_ = -1, status_ = -1;
  pid_t child_ = -1;
  bool ended_ = false;
  std::string seen_;
  std::size_t waited_ = 0;
};

}  // namespace nibble::test
