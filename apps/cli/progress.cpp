// Progress: a bar that fits the window on a terminal, a line per tenth elsewhere.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "common.hpp"

namespace nibble::cli {
namespace {

bool bar_is_open = false;  // the cursor stands behind a progress bar

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point then) { return std::chrono::duration<double>(Clock::now() - then).count(); }

// The one printer of progress.
class ProgressPrinter {
 public:
  ProgressPrinter(std::string what, double patience) : what_(std::move(what)), patience_(patience) {}

  // `bytes`: of all of it; 0: no bytes are counted.
  void show(double done, std::uint64_t bytes) {
    if (first_ < 0) {
      first_ = done;
      first_time_ = Clock::now();
    }  // what was there before counts for no speed
    const int now = int(std::clamp(done, 0.0, 1.0) * (terminal_ ? 100 : 10) + 1e-9);
    const bool stale = terminal_ && last_ > 0 && now < 100 && seconds_since(drawn_) > 0.5;
    if ((now <= last_ && !stale) || (last_ == 0 && seconds_since(begun_) < patience_)) return;
    last_ = now;
    drawn_ = Clock::now();
    const std::string rest = pace(done, bytes);
    if (terminal_) {
      complain_exactly("\r" + bar(now, rest, bytes > 0) + "\033[K");  // and clears what stood longer there
      bar_is_open = now < 100;
      if (now == 100) std::fputc('\n', stderr);
    } else {
      complain(fmt::format("{}: {} %{}\n", what_, now * 10, rest));
    }
  }

 private:
  // One line of the window: its name is shortened first, then the bar; the last column stays free, since a terminal
  // may begin a new line behind it.
  std::string bar(int percent, const std::string& rest, bool with_speed) const {
    const std::size_t width = error_style().width - 1, figures = 8;
    const std::size_t expected = std::max(rest.size(), std::size_t(with_speed ? 26 : 14));
    const std::string name = first_columns(what_, std::max<std::size_t>(12, width - std::min(width, figures + 50)));
    const std::size_t taken = display_width(name) + figures + expected + 2;
    const std::size_t cells = taken < width ? std::min<std::size_t>(40, width - taken) : 0;
    if (cells < 8) return first_columns(fmt::format("{} {:3} %{}", name, percent, rest), width);
    return fmt::format("{} [{:<{}}] {:3} %{}", name, std::string(std::size_t(percent) * cells / 100, '#'), cells,
                       percent, rest);
  }

  std::string pace(double done, std::uint64_t bytes) const {
    const double seconds = seconds_since(first_time_), share = done - first_;
    if (seconds < 1 || share <= 0) return {};
    std::string out = bytes ? fmt::format(", {:.2f} GB/s", share * double(bytes) / seconds / 1e9) : "";
    const double left = (1 - done) * seconds / share;
    if (left >= 3600) return out + fmt::format(", {:.1f} h left", left / 3600);
    if (left >= 120) return out + fmt::format(", {:.0f} min left", left / 60);
    return done < 1 ? out + fmt::format(", {:.0f} s left", left) : out;
  }

  std::string what_;
  double patience_, first_ = -1;
  bool terminal_ = draws_over(2);
  int last_ = 0;
  Clock::time_point begun_ = Clock::now(), first_time_ = begun_, drawn_ = begun_;
};

}  // namespace

void leave_bar() {
  if (bar_is_open) std::fputc('\n', stderr);
  bar_is_open = false;
}

Progress progress_bar(const Common& common, const std::string& what, double patience) {
  if (common.quiet) return {};
  return [printer = ProgressPrinter(what, patience)](double done) mutable { printer.show(done, 0); };
}

ByteProgress byte_progress(const Common& common, const std::string& what, double patience) {
  if (common.quiet) return {};
  return [printer = ProgressPrinter(what, patience)](std::uint64_t done, std::uint64_t total) mutable {
    if (total) printer.show(double(done) / double(total), total);
  };
}

void note(const Common& common, const std::string& what, const std::string& sentence) {
  if (common.quiet) return;
  leave_bar();
  const std::string line = fmt::format("{}: {}\n", what, sentence);
  complain_folded(line);
}

}  // namespace nibble::cli
