#include "measure/repeats.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/error.hpp"

namespace nibble {
namespace {

std::pair<double, double> lowest_and_highest(const Rates& rates) {
  double lowest = 0, highest = 0;
  for (const std::vector<double>& part : rates)
    for (const double rate : part) {
      lowest = lowest == 0 ? rate : std::min(lowest, rate);
      highest = std::max(highest, rate);
    }
  return {lowest, highest};
}

// How far apart the middle half of the repeats lies, as a ratio. Parts differ by nature (later tokens see more), so
// each figure is first divided by the median of its part.
double middle_of(const Rates& rates) {
  std::vector<double> all;
  for (const std::vector<double>& part : rates)
    for (const double rate : part) all.push_back(rate / median(part));
  if (all.empty()) return 1;
  std::sort(all.begin(), all.end());
  return all[all.size() - 1 - all.size() / 4] / all[all.size() / 4];
}

}  // namespace

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
}

Repeats judge_repeats(const Rates& prefill, const Rates& decode, const ProcessorTime& before,
                      const ProcessorTime& after, double available) {
  Repeats out;
  std::tie(out.prefill_lowest, out.prefill_highest) = lowest_and_highest(prefill);
  std::tie(out.decode_lowest, out.decode_highest) = lowest_and_highest(decode);
  const bool counted = before.waiting && after.waiting;
  out.processor_share = (after.used - before.used) / available;
  out.waiting_share = counted ? std::max(0.0, *after.waiting - *before.waiting) / available : 0;
  out.stolen_share = std::max(0.0, after.stolen - before.stolen) / available;
  if (out.waiting_share > most_waiting)
    out.busy = fmt::format("its threads waited for a processor {:.0f} % of the time", 100 * out.waiting_share);
  else if (out.processor_share < least_used)
    out.busy =
        fmt::format("it had {:.0f} % of the processor time that its threads could use", 100 * out.processor_share);
  else if (out.stolen_share > most_stolen)
    out.busy = fmt::format("the hypervisor ran other machines {:.0f} % of the time", 100 * out.stolen_share);
  else if (middle_of(decode) > widest_middle)
    out.busy =
        fmt::format("repeats of decode lie between {:.0f} and {:.0f} tokens/s", out.decode_lowest, out.decode_highest);
  else if (middle_of(prefill) > widest_middle)
    out.busy = fmt::format("repeats of prefill lie between {:.0f} and {:.0f} tokens/s", out.prefill_lowest,
                           out.prefill_highest);
  return out;
}

}  // namespace nibble
