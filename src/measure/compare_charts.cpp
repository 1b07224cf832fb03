#include "measure/compare_charts.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "measure/compare_columns.hpp"
#include "measure/compare_verdict.hpp"
#include "nibble/text_layout.hpp"

namespace nibble {
namespace {

std::string line(double x1, double y1, double x2, double y2, std::string_view style) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}\"/>", x1, y1, x2, y2,
                     style);
}
std::string rect(double x, double y, double width, double height, std::string_view style) {
  return fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" class=\"{}\"/>", x, y,
                     std::max(width, 0.0), height, style);
}
std::string text(double x, double y, std::string_view anchor, std::string_view style, std::string_view words) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" class=\"{}\">{}</text>", x, y, anchor, style,
                     escape_html(words));
}
std::string svg(double width, double height, std::string_view title, const std::string& body) {
  return fmt::format(
      "<div class=\"scroll\"><svg viewBox=\"0 0 {0:.0f} {1:.0f}\" role=\"img\" "
      "aria-label=\"{2}\"><title>{2}</title>{3}</svg></div>",
      width, height, escape_html(title), body);
}

// A step of 1, 2 or 5 times a power of ten that divides [0, highest] into four to eight.
double nice_step(double highest) {
  const double power = std::pow(10, std::floor(std::log10(std::max(highest, 1e-9) / 4)));
  for (const double step : {1.0, 2.0, 5.0})
    if (highest / (step * power) <= 8) return step * power;
  return 10 * power;
}

// 10 to an integer power, as one writes it: 0.01, but 10 with a raised -5.
std::string power_of_ten(int power) {
  if (power >= -3) return short_number(std::pow(10, power));
  const char* digits[] = {"\u2070", "\u00b9", "\u00b2", "\u00b3", "\u2074",
                          "\u2075", "\u2076", "\u2077", "\u2078", "\u2079"};
  std::string raised;
  for (const char c : std::to_string(-power)) raised += digits[c - '0'];
  return "10\u207b" + raised;
}

// Vertical grid lines from zero with numbers below, and the axis's name.
struct HorizontalAxis {
  double left, right, step, end;
  HorizontalAxis(double left, double right, double highest)
      : left(left), right(right), step(nice_step(highest)), end(std::max(std::ceil(highest / step), 1.0) * step) {}
  double at(double value) const { return left + (right - left) * value / end; }
  std::string draw(double top, double bottom, std::string_view name) const {
    std::string out;
    for (double value = 0; value < end + step / 2; value += step)
      out += line(at(value), top, at(value), bottom, value == 0 ? "axis" : "grid") +
             text(at(value), bottom + 16, "middle", "tick", short_number(value));
    return out + text((left + right) / 2, bottom + 36, "middle", "name", name);
  }
};

// A shape per width of the format: circle 32 bits, square 16, triangle 8, diamond 4.
std::string marker(Precision precision, double x, double y, std::string_view style) {
  const int bits = facts_of(precision).bits;
  if (bits == 32) return fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"6\" class=\"{}\"/>", x, y, style);
  const char* path = bits == 8 ? "M0-7L7 6H-7Z" : bits == 4 ? "M0-8L8 0L0 8L-8 0Z" : "M-6-6H6V6H-6Z";
  return fmt::format("<path d=\"{}\" transform=\"translate({:.1f} {:.1f})\" class=\"{}\"/>", path, x, y, style);
}

// KL upward, logarithmic, with 0 at its foot; and the axis's name.
struct DivergenceAxis {
  static constexpr double foot = 34;  // from 0 to the lowest power of ten
  double top, bottom, from, to;       // powers of ten
  DivergenceAxis(double top, double bottom, double lowest, double highest)
      : top(top),
        bottom(bottom),
        from(std::floor(std::log10(lowest))),
        to(std::max(std::ceil(std::log10(highest)), from + 1)) {}
  double at(double kl) const {
    if (kl <= 0) return bottom;
    return bottom - foot - (bottom - foot - top) * (std::log10(std::max(kl, 1e-8)) - from) / (to - from);
  }
  std::string draw(double left, double right, std::string_view reference) const {
    std::string out;
    for (double power = from; power <= to; ++power) {
      const double y = at(std::pow(10, power));
      out += line(left, y, right, y, "grid") + text(left - 8, y + 4, "end", "tick", power_of_ten(int(power)));
    }
    out += line(left, bottom, right, bottom, "axis") + text(left - 8, bottom + 4, "end", "tick", "0");
    return out +
           fmt::format(
               "<text transform=\"translate(16 {:.0f}) rotate(-90)\" text-anchor=\"middle\" class=\"name\">mean KL "
               "from {}, nats (logarithmic)</text>",
               (top + bottom) / 2, escape_html(reference));
  }
};

struct Point {
  const PrecisionResult* result;
  double x, y, label;
};

// Labels stand beside their points, past neighbours, and move down until they cover no other. Those of points beyond
// `turn` stand to their left.
template <class Name>
std::string labels(std::vector<Point>& points, double turn, Name name) {
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.y < b.y; });
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (points[i].result->divergence.mean_kl <= 0) points[i].label -= 14;  // not on the axis
    for (std::size_t j = 0; j < i; ++j)
      if (std::abs(points[i].x - points[j].x) < 130 && points[i].label - points[j].label < 17)
        points[i].label = points[j].label + 17;
  }
  std::string out;
  for (const Point& p : points) {
    const bool leftward = p.x > turn;
    double beside = p.x;
    for (const Point& other : points)
      if (std::abs(other.x - p.x) < 20 && std::abs(other.y - p.label) < 14)
        beside = leftward ? std::min(beside, other.x) : std::max(beside, other.x);
    beside += leftward ? -14 : 14;
    if (std::abs(p.label - p.y) > 3) out += line(p.x, p.y, beside, p.label, "grid");
    out += text(beside, p.label + 4, leftward ? "end" : "start", "label", name(*p.result));
  }
  return out;
}

constexpr double page = 720;

// Parts of the memory bars are told apart by pattern, not by colour alone.
constexpr const char* memory_patterns = R"(<defs>
<pattern id="scales" width="5" height="5" patternUnits="userSpaceOnUse"><rect width="5" height="5" class="under"/><path d="M0 5L5 0" class="hatch"/></pattern>
<pattern id="kept" width="4" height="4" patternUnits="userSpaceOnUse"><rect width="4" height="4" class="ground"/><path d="M0 2H4" class="stripe"/></pattern>
<pattern id="cache" width="4" height="4" patternUnits="userSpaceOnUse"><rect width="4" height="4" class="ground"/><path d="M2 0V4" class="stripe"/></pattern>
<pattern id="work" width="5" height="5" patternUnits="userSpaceOnUse"><path d="M0 0L5 5" class="stripe"/></pattern>
</defs>)";

// What the bar of predicted memory is made of.
struct MemoryPiece {
  const char *style, *name;
  MemoryGroup group;
  std::optional<MemoryGroup> with = {};

  constexpr bool shows(MemoryGroup wanted) const { return wanted == group || with == wanted; }
};
constexpr MemoryPiece memory_pieces[] = {
    {"part linear", "linear weights", MemoryGroup::linear},
    {"part kept", "embeddings, head, norms", MemoryGroup::dense, MemoryGroup::tables},
    {"part scales", "scales", MemoryGroup::scales},
    {"part cache", "KV cache", MemoryGroup::cache},
    {"part work", "activations", MemoryGroup::work},
    {"part program", "program", MemoryGroup::program},
};
static_assert(all_memory_groups([](MemoryGroup group) {
                for (const MemoryPiece& piece : memory_pieces)
                  if (piece.shows(group)) return true;
                return false;
              }),
              "the memory chart leaves a group out");

// Of a piece, what is the process's own memory. What is mapped is taken off the embeddings and head first, which stay
// as they are stored at every precision, then off the linear layers and their scales.
std::uint64_t own_bytes(const MemoryReport& memory, const MemoryPiece& wanted) {
  std::uint64_t mapped = memory.mapped;
  for (const MemoryGroup group : {MemoryGroup::dense, MemoryGroup::linear, MemoryGroup::scales}) {
    const std::uint64_t here = std::min(mapped, memory[group]);
    mapped -= here;
    if (wanted.group == group) return memory[group] - here + (wanted.with ? memory[*wanted.with] : 0);
  }
  return memory[wanted.group] + (wanted.with ? memory[*wanted.with] : 0);
}

// Both bars of one precision: own memory alone, so that they can be compared.
std::string memory_bars(const PrecisionResult& r, const HorizontalAxis& axis, double y) {
  const auto short_mb = [](double mb) { return short_number(std::round(mb * 10) / 10); };
  std::string out;
  double at = 0;
  for (const MemoryPiece& piece : memory_pieces) {
    const double size = double(own_bytes(r.memory.predicted, piece)) / 1e6;
    out += rect(axis.at(at), y, axis.at(at + size) - axis.at(at), 15, piece.style);
    at += size;
  }
  out += text(axis.at(at) + 6, y + 12, "start", "tick", short_mb(at));
  const double own = double(r.peak_anonymous) / 1e6;
  return out + rect(axis.at(0), y + 18, axis.at(own) - axis.at(0), 15, "part own") +
         text(axis.at(own) + 6, y + 30, "start", "tick", short_mb(own));
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : printable_lines(text))
    out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : std::string(1, c);
  return out;
}

std::string size_and_quality_chart(const Comparison& c) {
  constexpr double left = 76, right = page - 16, top = 16, bottom = 300;
  double widest = 0, lowest = 1, highest = 1e-5;
  for (const PrecisionResult& r : c.results) {
    if (!r.error.empty()) continue;
    widest = std::max(widest, double(r.resident.weights_total()) / 1e6);
    if (r.divergence.mean_kl <= 0) continue;
    lowest = std::min(lowest, std::max(r.divergence.mean_kl, 1e-8));
    highest = std::max(highest, r.divergence.mean_kl);
  }
  const HorizontalAxis axis(left, right, widest);
  const DivergenceAxis height(top, bottom, lowest, highest);
  const std::string grid = axis.draw(top, bottom, "weights in memory, MB") + height.draw(left, right, c.reference);

  std::vector<Point> points;
  for (const PrecisionResult& r : c.results)
    if (r.error.empty()) {
      const double y = height.at(r.divergence.mean_kl);
      points.push_back({&r, axis.at(double(r.resident.weights_total()) / 1e6), y, y});
    }
  const PrecisionResult* chosen = choose(c);
  const std::string names = labels(points, left + 0.7 * (right - left), [&](const PrecisionResult& r) {
    return r.precision.label() + (r.precision.label() == c.reference ? " (reference)" : "") +
           (&r == chosen ? " \u25c0 choice" : "");
  });
  std::string marks;
  for (const Point& p : points)
    marks += marker(p.result->precision.format, p.x, p.y, p.result == chosen ? "mark chosen" : "mark");
  return svg(page, bottom + 44, "Size of the weights against divergence from the reference", grid + names + marks);
}

std::string rate_chart(const Comparison& c, std::string_view title, double (*value)(const PrecisionResult&)) {
  constexpr double left = 132, right = page - 132, top = 8, row = 28;
  double highest = 0, y = top + 6;
  for (const PrecisionResult& r : c.results) highest = std::max(highest, r.error.empty() ? value(r) : 0);
  const HorizontalAxis axis(left, right, highest);
  const double bottom = top + 6 + row * double(c.results.size());
  std::string out = axis.draw(top, bottom, fmt::format("{}, tokens/s (longer is faster)", title));
  const PrecisionResult* chosen = choose(c);
  for (const PrecisionResult& r : c.results) {
    out += text(left - 10, y + 15, "end", "label", r.precision.label());
    if (r.error.empty())
      out += rect(left, y, axis.at(value(r)) - left, row - 8, &r == chosen ? "bar chosen" : "bar") +
             text(axis.at(value(r)) + 6, y + 15, "start", "label",
                  fmt::format("{:.0f}{}", value(r), &r == chosen ? " \u25c0 choice" : ""));
    else
      out += text(left + 6, y + 15, "start", "label", "not measured");
    y += row;
  }
  return svg(page, bottom + 44, title, out);
}

std::string memory_chart(const Comparison& c) {
  constexpr double left = 132, right = page - 92, top = 64, row = 46;
  double highest = 0;
  for (const PrecisionResult& r : c.results) {
    double predicted = 0;
    for (const MemoryPiece& piece : memory_pieces) predicted += double(own_bytes(r.memory.predicted, piece));
    highest = std::max({highest, predicted / 1e6, double(r.peak_anonymous) / 1e6});
  }
  const HorizontalAxis axis(left, right, highest);
  const double bottom = top + 6 + row * double(c.results.size());
  std::string out = memory_patterns;
  const auto legend = [&](double x, double y, const char* style, std::string_view name) {
    out += rect(x, y, 14, 12, style) + text(x + 19, y + 10, "start", "tick", name);
  };
  out += text(left - 10, 12, "end", "tick", "predicted");
  constexpr double columns[] = {left, left + 150, left + 340};
  for (std::size_t i = 0; i < std::size(memory_pieces); ++i)
    legend(columns[i % 3], i < 3 ? 2 : 20, memory_pieces[i].style, memory_pieces[i].name);
  out += text(left - 10, 48, "end", "tick", "measured");
  legend(left, 38, "part own", "own memory, peak");
  out += axis.draw(top, bottom, "MB");
  double y = top + 6;
  for (const PrecisionResult& r : c.results) {
    out += text(left - 10, y + 22, "end", "label", r.precision.label());
    out += r.error.empty() ? memory_bars(r, axis, y) : text(left + 6, y + 22, "start", "label", "not measured");
    y += row;
  }
  return svg(page, bottom + 44, "Memory", out);
}

}  // namespace nibble
